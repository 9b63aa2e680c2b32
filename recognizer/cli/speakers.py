"""`recognizer speakers`: who is enrolled, and what to do with a profile."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from recognizer.cli.common import (
    DebugOption,
    ExitStatus,
    JobsOption,
    JsonOption,
    QuietOption,
    complain,
    lasting_name,
    reports_errors,
    usage_error,
    workers,
)
from recognizer.errors import NamingError, ProfileError, RecognizerError

app = typer.Typer(
    help="List, show, rename, remove, move or refresh the speakers that are enrolled.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

NOBODY = "nobody is enrolled yet; begin with `recognizer enroll NAME`"

NameArgument = Annotated[
    str, typer.Argument(help="The speaker, as in anna, or one condition, as in anna@cold.", metavar="NAME")
]


@app.command("list")
@reports_errors
def list_speakers(as_json: JsonOption = False, quiet: QuietOption = False, debug: DebugOption = False) -> ExitStatus:
    """List all speakers with their conditions."""
    from recognizer import speakers

    status, names = ExitStatus.OK, speakers.names()
    for name in names:
        try:
            line, record = _listed(name)
        except RecognizerError as error:
            complain(f"error: {error}")
            status = ExitStatus.FAILED
            line, record = f"{name}  cannot be used", {"name": name, "error": str(error)}
        typer.echo(json.dumps(record, ensure_ascii=False) if as_json else line)
    if not names and not quiet:
        complain(NOBODY)
    return status


def _listed(name: str) -> tuple[str, dict]:
    """A speaker's line in the list, and the same as plain data."""
    from recognizer import speakers

    if not speakers.has_profile(name):
        kept = len(speakers.takes(name))
        record = {"name": name, "model": None, "made": None, "takes": kept, "before": None, "after": None}
        return f"{name}  not finished, {kept} takes; go on with `recognizer enroll {shlex.quote(name)}`", record
    profile = speakers.load(name)
    record = {"name": name, "model": profile.model_name}
    record |= {key: profile.record.get(key) for key in ("made", "before", "after", "unlabelled")}
    record["takes"] = sum(profile.record.get("takes", {}).values())
    return (
        f"{name}  {profile.model_name}  {record['made']}  {record['takes']} takes  {_gain(profile.record)}",
        record,
    )


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
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show how a speaker's profile was made and what came of it."""
    from recognizer import speakers

    name = _checked(name)
    profile, kept = speakers.load(name), Counter(take.word for take in speakers.takes(name))
    record = {
        "name": name,
        "model": profile.model_name,
        "fingerprint": profile.base,
        "profile": str(speakers.folder(name) / speakers.PROFILE),
        "audio_kept": bool(kept),
        "kept": dict(kept),
        **profile.record,
        "prior": name.partition(speakers.MARK)[0] if profile.record.get("prior") else None,  # who may be renamed since
    }
    if as_json:
        typer.echo(json.dumps(record, ensure_ascii=False))
        return ExitStatus.OK
    for key, value in record.items():
        typer.echo(f"{key}: {_plain(value)}")
    return ExitStatus.OK


def _plain(value: object) -> str:
    """A value of a record for people."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


@app.command()
@reports_errors
def rename(
    old: NameArgument,
    new: Annotated[str, typer.Argument(help="The new name.", metavar="NEW")],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Rename a speaker with all conditions, or one condition."""
    from recognizer import speakers

    _tell("renamed to", speakers.rename(_checked(old), _checked(new)), as_json)


@app.command()
@reports_errors
def remove(
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Delete a speaker with all conditions and takes, or one condition."""
    from recognizer import speakers

    name = _checked(name)
    speakers.existing(name)
    if not yes and not _confirmed(speakers.with_conditions(name)):
        complain("nothing was removed")
        return ExitStatus.FAILED
    _tell("removed", speakers.remove(name), as_json)
    return ExitStatus.OK


def _confirmed(names: list[str]) -> bool:
    """Whether the person at the terminal wants these deleted."""
    from recognizer import speakers

    if not _at_a_terminal():
        raise usage_error(f"there is no terminal to ask at whether to remove {', '.join(names)}; add --yes if so")
    takes = sum(len(speakers.takes(name)) for name in names)
    try:
        return typer.confirm(f"Remove {', '.join(names)} with {takes} takes?", err=True)
    except typer.Abort as error:  # Ctrl-C, which the prompt makes an error of its own
        raise KeyboardInterrupt from error


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


@app.command()
@reports_errors
def export(
    name: NameArgument,
    file: Annotated[Path, typer.Argument(help="The file to write, a zip archive.", metavar="FILE")],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a speaker with all conditions and takes to one file."""
    from recognizer import speakers

    name = _checked(name)
    if file.is_dir():
        raise usage_error(f"{file} is a folder; name a file in it, such as {file / f'{name}.zip'}")
    speakers.export(name, file)
    names = speakers.with_conditions(name)
    if not quiet and any(map(speakers.takes, names)):
        complain("the file holds recordings of the voice; who must not hear them should not get it")
    _tell(f"{file}:", names, as_json)


@app.command("import")
@reports_errors
def import_speaker(
    file: Annotated[Path, typer.Argument(help="A file that `export` wrote.", metavar="FILE", readable=False)],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Take in a speaker that was exported."""
    from recognizer import speakers

    _tell("imported", speakers.import_(file), as_json)


@app.command()
@reports_errors
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
    from recognizer import speakers

    chosen = [_checked(name) for name in names or ()]
    for name in chosen:
        speakers.existing(name)  # before anything is done
    status = ExitStatus.OK
    # Sorted, so that a speaker's own profile is new before those of the conditions, which start from it.
    wanted = sorted({each for name in chosen for each in speakers.with_conditions(name)}) or speakers.names()
    for name in wanted:
        try:
            line, record = _refreshed(name, model, workers(jobs))
        except RecognizerError as error:
            if debug:
                raise
            complain(f"error: {name}: {error}")
            status = ExitStatus.FAILED
            continue
        for refusal in record["refused"]:
            complain(f"left out: {refusal}")
            status = ExitStatus.FAILED
        typer.echo(json.dumps(record, ensure_ascii=False) if as_json else line)
    if not wanted and not quiet:
        complain(NOBODY)
    return status


def _refreshed(name: str, model: str | None, jobs: int) -> tuple[str, dict]:
    """Make a profile anew: a line that tells of it, and the same as plain data."""
    from recognizer import speakers
    from recognizer.adaptation.method import Method
    from recognizer.model import Model, locate
    from recognizer.profiling import make_profile

    if not speakers.takes(name):
        raise ProfileError(
            f"no takes are kept to make the profile anew from; it stays; `recognizer enroll {shlex.quote(name)}` "
            "records some"
        )
    try:
        earlier = speakers.load(name)
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
    record = speakers.load(name).record
    told = {"name": name, "model": model_name, "takes": record["takes"], "method": record["method"]}
    told |= {"before": record["before"], "after": record["after"]}
    told |= {"doubts": list(enrollment.doubts), "refused": refused}
    takes = sum(record["takes"].values())
    return f"{name}  {model_name}  {takes} takes  {_gain(record)}", told


def _checked(name: str) -> str:
    """A speaker's name, as it is kept."""
    from recognizer import speakers

    try:
        return speakers.checked(name)
    except NamingError as error:
        raise usage_error(str(error)) from error


def _tell(what: str, names: list[str], as_json: bool) -> None:
    """Which speakers it was done to."""
    typer.echo(json.dumps({"speakers": names}, ensure_ascii=False) if as_json else f"{what} {', '.join(names)}")
