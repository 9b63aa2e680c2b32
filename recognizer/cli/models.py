"""`recognizer models`: what models there are, what is in one, and which of two is better."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated

import typer

from recognizer import own_models
from recognizer.cli import defaults
from recognizer.cli.cards import in_order, inside, is_score, plain
from recognizer.cli.corpora import recordings_of
from recognizer.cli.options import (
    DebugOption,
    JobsOption,
    JsonOption,
    LayoutOption,
    QuietOption,
    check_file,
    lasting_name,
    names_checked,
    png_for,
    usage_error,
    workers,
)
from recognizer.cli.outputs import written_whole
from recognizer.cli.reporting import (
    GAP,
    SOON,
    ExitStatus,
    complain,
    counted,
    does_work,
    echo_wrapped,
    narrowed,
    print_json,
    print_table,
    progress_bar,
    reports_errors,
    say,
    warn_of_low_rates,
    width_of,
    working,
    writing,
)
from recognizer.errors import LONGEST_LINE, in_short, listed, shown

if TYPE_CHECKING:
    from recognizer.evaluation.comparison import Comparison
    from recognizer.model import Model

LEAST_WORDS = 12  # cells in which words of a model are named
FEW = 20  # words that are named: two or three lines of a terminal
WORST = 10  # unreadable files that are told: what is wrong with the first is mostly wrong with the rest
BLOCKS = "▁▂▃▄▅▆▇█"

app = typer.Typer(
    help="List the models that have a name, add, rename or remove your own, choose the default, show or compare some.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


OwnArgument = Annotated[str, typer.Argument(help="A model of your own, by name.", metavar="NAME")]


@app.command("list")
@reports_errors
def list_models(as_json: JsonOption = False, quiet: QuietOption = False, debug: DebugOption = False) -> ExitStatus:
    """List the models that have a name.

    The default, which is marked, is that of every command; `recognizer models default` changes it.
    """
    from recognizer.errors import ModelError
    from recognizer.model import Model, folders, installed

    status, rows, found = ExitStatus.OK, [], installed()
    usual = defaults.model_of()
    for name, path in found.items():
        try:
            model = Model.load(path)
        except ModelError as error:
            complain(f"error: {error}")
            status = ExitStatus.FAILED
            continue
        record = {
            "name": name,
            "file": str(path),
            "words": list(model.words),
            "fingerprint": model.fingerprint,
            "default": name == usual,
            "own": path.parent == folders()[0],
            "bytes": path.stat().st_size,
            **{key: model.card.get(key) for key in ("made", "accuracy", "held_out")},
        }
        if as_json:
            print_json(record)
        elif sys.stdout.isatty():
            rows.append((*_row(record), ", ".join(record["words"])))
        else:
            _, words, right, where, *rest = _row(record)
            told = [f"{words} words, {model.front_end.source}", f"{right} of {where}" if right else where, *rest]
            told += [*["default"] * record["default"], str(path)]
            say(f"{shown(name)}  {'  '.join(map(shown, told))}")
    if rows:
        _print_rows(rows)
        say("* is the default" if usual in found else f"the default is {shown(usual)}")
    if not found and not quiet:
        complain(f"no models found; put .npz files into {shown(folders()[0])}")
    return status


def _row(record: dict) -> tuple[str, ...]:
    """What a table tells of a model."""
    mark = f"{record['name']} *" if record["default"] else record["name"]
    made = record["made"] if isinstance(record["made"], str) else "not known"
    return mark, str(len(record["words"])), *_how_good(record), f"{record['bytes'] / 1000:.0f} kB", made


def _how_good(record: dict) -> tuple[str, str]:
    """The share of right answers, and where it was measured; a card may hold anything."""
    measured = record["accuracy"] if isinstance(record["accuracy"], dict) else {}
    measured = {where: score for where, score in measured.items() if is_score(score)}
    shares = [100 * score["accuracy"] for score in measured.values()]
    if len(shares) > 1:
        return f"{min(shares):.1f} to {max(shares):.1f} %", f"{len(shares)} corpora"
    if shares:
        return f"{shares[0]:.1f} %", next(iter(measured))
    if is_score(record["held_out"]):
        return f"{100 * record['held_out']['accuracy']:.1f} %", "a trial"
    return "", "no trial"


def _print_rows(rows: list[tuple[str, ...]]) -> None:
    """A table of models on a terminal; where that is too narrow, without the columns at the right.

    Which words a model has, the last cell of a row, takes what room is left.
    """
    rows, words, room = [row[:-1] for row in rows], [row[-1] for row in rows], get_terminal_size().columns
    rows = [("model", "words", "right", "of", "size", "made"), *rows]
    while len(rows[0]) > 2 and _cells(rows) > room:
        rows = [row[:-1] for row in rows]
    room -= _cells(rows) + GAP
    if room >= LEAST_WORDS:
        which = ["which", *(narrowed(shown(row), room) for row in words)]
        rows = [(*row, cell) for row, cell in zip(rows, which, strict=True)]
    print_table(rows, right={1, 2, 4})


def _cells(rows: list[tuple[str, ...]]) -> int:
    """How wide a table is."""
    return sum(max(width_of(shown(cell)) for cell in column) + 2 for column in zip(*rows)) - 2


@app.command()
@does_work
def add(
    file: Annotated[
        Path, typer.Argument(help="A model, as `train` or somebody else made it.", metavar="FILE.npz", readable=False)
    ],
    name: Annotated[
        str | None,
        typer.Option(help="What to call it; by default as the file.", metavar="NAME", show_default=False),
    ] = None,
    instead: Annotated[bool, typer.Option("--replace", help="Your own model of that name may be lost.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Copy a model to your own, which have a name."""
    from recognizer.model import Model

    model = Model.load(file)
    with names_checked():
        target = own_models.new_file(file.stem if name is None else name, instead)
    own_models.save(model, target, instead)
    if as_json:
        print_json({"name": target.stem, "file": str(target)})
    else:
        say(f"{target.stem}: {counted(len(model.words), 'word')}; {shown(target)}")
        say(f"next: recognizer live{defaults.model_option(target.stem, 'live')}")


@app.command()
@does_work
def remove(
    name: OwnArgument,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Delete a model of your own."""
    speakers = own_models.remove(name)
    was_default = defaults.read().get("model") == name
    if was_default:
        defaults.set_model(None)
    if as_json:
        print_json({"name": name, "speakers": speakers})
    else:
        say(f"removed {shown(name)}")
    if quiet:
        return
    if was_default:
        complain(f"it was the default, which is now {shown(defaults.model_of())}")
    if speakers:
        complain(
            f"warning: the profiles of {listed(speakers)} were made for it and do not go with another model; make them "
            "anew with `recognizer speakers refresh NAME --model MODEL`"
        )


@app.command()
@does_work
def rename(
    old: OwnArgument,
    new: Annotated[str, typer.Argument(help="The new name.", metavar="NEW")],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Give a model of your own another name, also in the profiles that were made for it."""
    with names_checked():
        new, speakers = own_models.rename(old, new)
    was_default = defaults.read().get("model") == old
    if was_default:
        defaults.set_model(new)
    if as_json:
        print_json({"name": new, "speakers": speakers})
        return
    say(f"renamed {shown(old)} to {shown(new)}" + (", which is the default" if was_default else ""))
    if speakers:
        say(f"the profiles of {listed(speakers, len(speakers))} name it so, too")


@app.command()
@does_work
def default(
    name: Annotated[
        str | None,
        typer.Argument(help="The new default: a model by name, or a .npz file.", metavar="NAME|FILE"),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Show which model commands use that are told of none, or choose it."""
    from recognizer.model import Model, locate

    if name is not None:
        Model.load(locate(name))
        defaults.set_model(lasting_name(name))
    told = defaults.model_of()
    if as_json:
        print_json({"model": told, "file": str(locate(told))})
    else:
        say(shown(told))
    if not quiet and os.environ.get(defaults.MODEL):
        complain(f"note: {defaults.MODEL} says so, and comes before what is written in {shown(defaults.file())}")


@app.command()
@reports_errors
def show(
    model: Annotated[str, typer.Argument(help="Model by name, or a .npz file.", metavar="NAME|FILE")],
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            help="Also draw the training, the states of a word as spectra, and how long all states last.",
            metavar="FILE.png",
            show_default=False,
        ),
    ] = None,
    word: Annotated[
        str | None,
        typer.Option("--word", "-w", help="The word for --plot; the first if not given.", show_default=False),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(
            "--html", help="Also write all of it as a page for a browser.", metavar="FILE.html", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show what a model knows, how it was made and how well it does."""
    if html is not None and as_json:
        raise usage_error("--html and --json exclude each other; choose one")
    png_for(plot, "--plot")
    check_file(html, "--html", ".html")
    if word is not None and plot is None:
        raise usage_error("--word chooses what --plot draws; give both")
    from recognizer.evaluation.alignment import word_index
    from recognizer.evaluation.description import write_spectra
    from recognizer.model import Model, locate

    path = locate(model)
    loaded = Model.load(path)
    if plot is not None:
        index = 0 if word is None else word_index(loaded.words, word)
        with writing(plot, "--plot"), working("drawing", quiet):
            write_spectra(loaded, loaded.words[index], plot)
        if not quiet:
            complain(f"written to {shown(plot)}")
    with working("comparing the words", quiet):
        record = _record(loaded, path)
    if html is not None:
        from recognizer.cli.model_page import model_page

        with written_whole(html, "--html") as write:
            write(model_page(record))
        if not quiet:
            complain(f"written to {shown(html)}")
    if as_json:
        print_json(record)
    else:
        _print_model(record)
    return ExitStatus.OK


def _record(model: Model, path: Path) -> dict:
    """All that is told of a model, as plain JSON data."""
    from dataclasses import asdict

    from recognizer.evaluation.densities import sizes
    from recognizer.evaluation.description import most_alike, state_durations

    models, rejection = model.acoustics, model.rejection
    durations = state_durations(models, model.front_end.hop).sum(1)
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "fingerprint": model.fingerprint,
        "words": list(model.words),
        "spoken": model.spoken,
        "states": models.states,
        **({"tied_states": tied} if (tied := models.tied_states) else {}),
        "density": models.bank.name,
        **sizes(models.bank),
        "dims": model.front_end.dims,
        "durations": {word: round(float(seconds), 4) for word, seconds in zip(model.words, durations)},
        "confusable": most_alike(model),
        "front_end": model.front_end.settings,
        "endpointer": asdict(model.endpointer),
        "calibration": asdict(model.calibration),
        "rejection": rejection
        and {
            "evidence": rejection.size,
            "units": len(rejection.output),
            **rejection.thresholds,
            "noise_gaussians": sizes(rejection.noise)["gaussians"],
        },
        "history": {stage: curve for stage, curve in models.history.items() if curve},
        "card": model.card,
    }


def _print_model(record: dict) -> None:
    """What a model is, from what everybody asks to what few do."""

    words, card = record["words"], record["card"]
    _item("model", shown(record["file"]))
    spoken = {word: f"{word} ({said})" for word, said in record["spoken"].items()}
    _item("words", f"{len(words)}: {listed([spoken.get(word, word) for word in words], FEW)}")
    _item("size", f"{record['bytes'] / 1000:.0f} kB")
    if card:
        _section("Where it comes from, and how well it does")
    for key, value in in_order(card).items():
        _value(key, value)
    _section("How long the words last, on average, without the silence around them")
    longest = sorted(record["durations"].items(), key=lambda item: -item[1])
    shown_words = longest if len(longest) <= FEW else longest[: FEW // 2] + longest[-FEW // 2 :]
    print_table([("", word, f"{seconds:.2f} s") for word, seconds in shown_words])
    if len(longest) > FEW:
        say(f"  (the {FEW // 2} longest and the {FEW // 2} shortest; --json has all)")
    if record["confusable"]:
        _section("Words most easily taken for each other: the smaller the distance, the more alike they sound")
        for pair in record["confusable"]:
            echo_wrapped(f"  {pair['distance']:5.2f}  {' and '.join(map(shown, pair['words']))}", 9)
    if record["history"]:
        _section("Training: how well the models explained the recordings (log likelihood a frame, higher is better)")
        width = max(len(shown(stage)) for stage in record["history"])
        for stage, curve in record["history"].items():
            told = f"  {shown(stage):<{width}}  {curve[0]:.2f} to {curve[-1]:.2f} in {counted(len(curve), 'iteration')}"
            echo_wrapped(f"{told}  {_sparkline(curve)}".rstrip(), 4)
    _section(f"Inside: each word is a chain of {record['states']} states, each of which knows a part of its sound")
    for key, value in inside(record).items():
        _value(key, value)


def _section(title: str) -> None:
    say()
    echo_wrapped(title, 0)


def _value(key: str, value: object, indent: int = 0) -> None:
    """A key with its value, whatever JSON it is, with those inside it below."""
    if isinstance(value, dict) and not is_score(value):
        _item(key, "", indent)
        for name, item in value.items():
            _value(name, item, indent + 2)
    else:
        _item(key, plain(value), indent)


def _item(key: str, text: str, indent: int = 0) -> None:
    echo_wrapped(f"{' ' * indent}{shown(key)}: {in_short(text, LONGEST_LINE)}".rstrip(), indent + 4)


def _sparkline(curve: list[float]) -> str:
    """The curve in one line of blocks; empty where the output has no such characters."""
    if not (sys.stdout.encoding or "").lower().startswith("utf"):
        return ""
    low, high = min(curve), max(curve)
    steps = [round((point - low) / ((high - low) or 1.0) * (len(BLOCKS) - 1)) for point in curve]
    return "".join(BLOCKS[step] for step in steps)


@app.command()
@reports_errors
def compare(
    a: Annotated[str, typer.Argument(help="Model A by name, or a .npz file.", metavar="A")],
    b: Annotated[str, typer.Argument(help="Model B, likewise.", metavar="B")],
    corpus: Annotated[
        Path, typer.Argument(help="Folder of recordings, or a CSV manifest path,word,speaker.", readable=False)
    ],
    layout: LayoutOption = None,
    as_json: JsonOption = False,
    jobs: JobsOption = 1,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Tell whether one model recognises the same recordings better than another, or only happened to.

    As `recognizer evaluate` measures accuracy, every recording has to be answered, whatever would be rejected. Where
    the vocabularies differ, both choose from the words that both have, and other recordings are left out.
    """
    from recognizer.errors import ModelError
    from recognizer.evaluation import comparison as comparing
    from recognizer.recognizer import Recognizer

    with working("reading the models", quiet, SOON):
        recognizers = [Recognizer.load(model) for model in (a, b)]
    common = [word for word in recognizers[0].words if word in recognizers[1].words]
    if not common:
        raise ModelError(f"{shown(a)} and {shown(b)} have no word in common; compare models of the same words")
    found = recordings_of([corpus], layout, quiet, common, debug).utterances
    utterances = [utterance for utterance in found if utterance.word in common]
    left_out = {utterance.word for utterance in found} - set(common)
    if not quiet:
        _tell_of_vocabularies(a, b, [set(recognizer.words) - set(common) for recognizer in recognizers])
        if left_out:
            count = counted(len(found) - len(utterances), "recording")
            complain(f"warning: {count} left out, of words that not both models have: {listed(sorted(left_out), FEW)}")
    if not utterances:
        words, known = listed(sorted(left_out), FEW), listed(common, FEW)
        raise ModelError(f"none of the recordings is of a word that both models have: {words}; record {known}")
    answers = []
    with progress_bar(quiet) as progress:
        for name, recognizer in zip("AB", recognizers):
            own = []
            progress(f"model {name}", 0, len(utterances))
            for item in recognizer.recognize_files(
                [u.path for u in utterances], words=common, threshold=0.0, jobs=workers(jobs)
            ):
                own.append(item)
                progress(f"model {name}", len(own), len(utterances))
            answers.append(own)
    comparison = comparing.compare(utterances, *answers, left_out)
    if not quiet:
        for recognizer, own in zip(recognizers, answers):
            warn_of_low_rates(Counter(item.source_rate for item in own), recognizer.model.front_end)
    if as_json:
        print_json({"model_a": a, "model_b": b, **comparison.as_json()})
    else:
        _print_comparison(a, b, comparison)
    for reason in list(comparison.unreadable.values())[:WORST]:
        complain(f"error: {reason}")
    return ExitStatus.FAILED if comparison.unreadable else ExitStatus.OK


def _tell_of_vocabularies(a: str, b: str, lacking: list[set[str]]) -> None:
    for name, only in zip((a, b), lacking):
        if only:
            words = listed(sorted(only), FEW)
            complain(f"warning: only {shown(name)} has {words}; only the words that both have are compared")


def _print_comparison(a: str, b: str, comparison: Comparison) -> None:
    from recognizer.evaluation.evaluation import headline

    for name, model, score in (("A", a, comparison.a), ("B", b, comparison.b)):
        echo_wrapped(f"{name}, {shown(model)}: {headline(score)}", 4)
    say()
    rows = [("", "B right", "B wrong")]
    rows.append(("A right", str(comparison.both), str(comparison.only_a)))
    rows.append(("A wrong", str(comparison.only_b), str(comparison.neither)))
    print_table(rows, right={1, 2})
    say()
    echo_wrapped(comparison.verdict, 0)
    if discordant := comparison.only_a + comparison.only_b:
        only = counted(discordant, "recording")
        echo_wrapped(f"(McNemar's exact test on the {only} that only one of them recognised)", 0)
    if comparison.caution:
        echo_wrapped(comparison.caution, 0)
    for what, words in (("better", comparison.gained), ("worse", comparison.lost)):
        if words:
            _item(f"B is {what} at", listed(f"{word} ({count})" for word, count in words.items()))
    if comparison.unreadable:
        say(f"{counted(len(comparison.unreadable), 'file')} could not be read")
