"""`recognizer speakers`: who is enrolled, and what to do with a profile."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from recognizer.cli.options import (
    DebugOption,
    JobsOption,
    JsonOption,
    QuietOption,
    check_file,
    checked_speaker,
    lasting_name,
    usage_error,
    workers,
)
from recognizer.cli.reporting import (
    ExitStatus,
    complain,
    counted,
    does_work,
    doubted,
    echo_wrapped,
    gain_of,
    print_json,
    print_table,
    reports_errors,
    say,
    working,
)
from recognizer.errors import NamingError, ProfileError, RecognizerError, listed, shown

app = typer.Typer(
    help="List, show, rename, remove, move or refresh the speakers that are enrolled, or forget takes.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

HEADER = ("speaker", "model", "made", "takes", "before -> after")
NOBODY = "nobody is enrolled yet; begin with `recognizer enroll NAME`"

NameArgument = Annotated[
    str, typer.Argument(help="The speaker, as in anna, or one condition, as in anna@cold.", metavar="NAME")
]


@app.command("list")
@reports_errors
def list_speakers(as_json: JsonOption = False, quiet: QuietOption = False, debug: DebugOption = False) -> ExitStatus:
    """List all speakers with their conditions."""
    from recognizer.speakers import store

    status, rows = ExitStatus.OK, []
    for name in store.names():
        try:
            row, record = _listed(name)
        except RecognizerError as error:
            complain(f"error: {error}")
            status = ExitStatus.FAILED
            row, record = (name, "cannot be used"), {"name": name, "error": str(error)}
        rows.append(row)
        if as_json:
            print_json(record)
    if rows and not as_json:
        if _shown_on_a_terminal():
            print_table([HEADER, *rows])
        else:
            for row in rows:
                say("  ".join(map(shown, row)))
    if not rows and not quiet:
        complain(NOBODY)
    return status


def _shown_on_a_terminal() -> bool:
    return sys.stdout.isatty()


def _listed(name: str) -> tuple[tuple[str, ...], dict]:
    """A speaker's row in the list, and the same as plain data."""
    from recognizer.speakers import records, store

    record = records.summary(name)
    taken = counted(record["takes"], "take")
    if not store.has_profile(name):
        return (name, f"not finished, {taken}; go on with `recognizer enroll {shlex.quote(name)}`"), record
    return (name, record["model"], str(record["made"]), taken, _gain(record)), record


def _gain(record: dict) -> str:
    """Before and after, as far as they are known."""

    def right(trial: dict | None) -> str:
        return f"{trial['correct']} of {trial['n']}" if trial else "?"

    if not (record.get("before") or record.get("after")):
        return "not tried, for nobody told the words" if record.get("unlabelled") else "not tried"
    flattered = " by the recognizer's own labels" if record.get("unlabelled") else ""
    return f"{right(record.get('before'))} -> {right(record.get('after'))} right{flattered}"


@app.command()
@reports_errors
def show(
    name: NameArgument,
    details: Annotated[bool, typer.Option("--details", help="Tell all there is to know, the method too.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show how a speaker's profile was made and what came of it."""
    from recognizer.speakers import records

    name = checked_speaker(name)
    record = records.details(name)
    if as_json:
        print_json(record)
        return ExitStatus.OK
    if details:
        for key, value in record.items():
            echo_wrapped(f"{shown(key)}: {_plain(value)}", 2)
        return ExitStatus.OK
    for line in _in_plain_words(name, record, record["model"], record["audio_kept"]):
        echo_wrapped(line, 2)
    return ExitStatus.OK


def _in_plain_words(name: str, record: dict, model_name: str, kept: bool) -> list[str]:
    """What a speaker would like to know of the own profile; what is missing or odd is left out."""
    takes = record.get("takes", {})
    of_words = f"{counted(sum(takes.values()), 'take')} of {counted(len(takes), 'word')}"
    lines = [f"{name}: {of_words}, for the model {shown(model_name)}"]
    if record.get("made"):
        lines.append(f"made: {shown(record['made'])}")
    if record.get("prior"):
        lines.append(f"started from: {shown(record['prior'])}")
    if record.get("before"):
        if record.get("unlabelled"):
            lines.append("the words of some takes were told by the recognizer, not by a person: what follows flatters")
        lines += gain_of(name, record["before"], record.get("after"))
    else:
        lines.append(f"how much better it is: {_gain(record)}")
    lines.append(f"recordings: {'kept' if kept else 'deleted'}")
    return lines


def _plain(value: object) -> str:
    """A value of a record for people."""
    if isinstance(value, dict):
        return listed((f"{key} {item}" for key, item in value.items()), len(value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else shown(value)


@app.command()
@does_work
def rename(
    old: NameArgument,
    new: Annotated[str, typer.Argument(help="The new name.", metavar="NEW")],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Rename a speaker with all conditions, or one condition."""
    from recognizer.speakers import store

    old = checked_speaker(old)
    try:
        renamed = store.rename(old, new)
    except NamingError as error:
        raise usage_error(str(error)) from error
    _tell("renamed to", renamed, as_json)


@app.command()
@does_work
def remove(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Delete a speaker with all conditions and takes, or one condition."""
    from recognizer.speakers import store

    name = checked_speaker(name)
    store.existing(name)
    if not yes and not _confirmed(store.with_conditions(name)):
        complain("nothing was removed")
        return ExitStatus.FAILED
    _tell("removed", store.remove(name), as_json)
    return ExitStatus.OK


def _confirmed(names: list[str]) -> bool:
    """Whether the person at the terminal wants these deleted."""
    from recognizer.speakers import store

    if not _at_a_terminal():
        raise usage_error(f"there is no terminal to ask at whether to remove {listed(names)}; add --yes if so")
    takes = sum(len(store.takes(name)) for name in names)
    try:
        return typer.confirm(f"Remove {listed(names)} with {takes} takes?", err=True)
    except typer.Abort as error:  # Ctrl-C, which the prompt makes an error of its own
        raise KeyboardInterrupt from error


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


@app.command()
@does_work
def export(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(help="The file to write, a zip archive.", metavar="FILE")],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a speaker with all conditions and takes to one file."""
    from recognizer.speakers import store

    name = checked_speaker(name)
    if file.is_dir():
        raise usage_error(f"{shown(file)} is a folder; name a file in it, such as {shown(file / f'{name}.zip')}")
    check_file(file, "FILE")
    store.export(name, file)
    names = store.with_conditions(name)
    if not quiet and any(map(store.takes, names)):
        complain("the file holds recordings of the voice; who must not hear them should not get it")
    _tell(f"{shown(file)}:", names, as_json)


@app.command("import")
@does_work
def import_speaker(
    file: Annotated[Path, typer.Argument(help="A file that `export` wrote.", metavar="FILE", readable=False)],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Take in a speaker that was exported."""
    from recognizer.speakers import store

    _tell("imported", store.import_(file), as_json)


@app.command()
@does_work
def refresh(
    names: Annotated[
        list[str] | None, typer.Argument(help="Speakers, with all conditions; all when none.", metavar="[NAME]...")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Model by name, or a .npz file; that of each profile when none.",
            metavar="NAME|FILE",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
    jobs: JobsOption = 1,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Make profiles anew from the kept takes, as after a change of the model."""
    from recognizer.speakers import store

    chosen = [checked_speaker(name) for name in names or ()]
    for name in chosen:
        store.existing(name)  # before anything is done
    status = ExitStatus.OK
    # Sorted, so that a speaker's own profile is new before those of the conditions, which start from it.
    wanted = sorted({each for name in chosen for each in store.with_conditions(name)}) or store.names()
    for name in wanted:
        try:
            status = max(status, _refresh(name, model, as_json, jobs, quiet))
        except RecognizerError as error:
            if debug:
                raise
            complain(f"error: {name}: {error}")
            status = ExitStatus.FAILED
    if not wanted and not quiet:
        complain(NOBODY)
    return status


@app.command()
@does_work
def forget(
    name: NameArgument,
    takes: Annotated[
        list[str], typer.Argument(help="Kept takes by word and file, as in hum/2.wav.", metavar="TAKE...")
    ],
    as_json: JsonOption = False,
    jobs: JobsOption = 1,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Delete takes, and make the profile anew from the others."""
    from recognizer.speakers import store

    name = checked_speaker(name)
    store.forget_takes(name, takes)
    if store.has_profile(name):
        return _refresh(name, None, as_json, jobs, quiet)
    _tell("deleted takes of", [name], as_json)
    return ExitStatus.OK


def _refresh(name: str, model: str | None, as_json: bool, jobs: int, quiet: bool) -> ExitStatus:
    """Make a profile anew, and tell what came of it."""
    with working(f"fitting the model to {name}", quiet):
        line, record = _refreshed(name, model, workers(jobs))
    for refusal in record["refused"]:
        complain(f"left out: {refusal}")
    if not (as_json or quiet):
        for doubt in record["doubts"]:
            complain(f"warning: {doubt}")
    print_json(record) if as_json else say(line)
    return ExitStatus.FAILED if record["refused"] else ExitStatus.OK


def _refreshed(name: str, model: str | None, jobs: int) -> tuple[str, dict]:
    """Make a profile anew: a line that tells of it, and the same as plain data."""
    from recognizer.adaptation.method import Method
    from recognizer.model import Model, locate
    from recognizer.speakers import store
    from recognizer.speakers.enrolling import make_profile

    if not store.takes(name):
        raise ProfileError(
            f"no takes are kept to make the profile anew from; it stays; `recognizer enroll {shlex.quote(name)}` "
            "records some"
        )
    try:
        earlier = store.load(name)
    except ProfileError as error:
        if model is None:
            raise ProfileError(f"{error}; to make it anew, name the model with --model") from error
        model_name, record = lasting_name(model), {}
    else:
        model_name = earlier.model_name if model is None else lasting_name(model)
        record = earlier.record
    method = Method(**record["asked"]) if record.get("asked") else None
    base, vtln = Model.load(locate(model_name)), bool(record.get("vtln"))
    enrollment, refused = make_profile(name, base, model_name, method, vtln=vtln, jobs=jobs)
    record = store.load(name).record
    told = {"name": name, "model": model_name, "takes": record["takes"], "method": record["method"]}
    told |= {"before": record["before"], "after": record["after"]}
    told |= {"doubts": [doubted(name, doubt) for doubt in enrollment.doubts], "refused": refused}
    takes = counted(sum(record["takes"].values()), "take")
    return f"{name}  {shown(model_name)}  {takes}  {_gain(record)}", told


def _tell(what: str, names: list[str], as_json: bool) -> None:
    """Which speakers it was done to."""
    print_json({"speakers": names}) if as_json else say(f"{what} {listed(names, len(names))}")
