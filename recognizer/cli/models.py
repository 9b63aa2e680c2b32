"""`recognizer models`: what models there are, what is in one, and which of two is better."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recognizer.cli.common import (
    DebugOption,
    ExitStatus,
    JobsOption,
    JsonOption,
    QuietOption,
    complain,
    counted,
    png_for,
    progress_bar,
    reports_errors,
    usage_error,
    warn_of_low_rates,
    workers,
    working,
    writing,
)

if TYPE_CHECKING:
    from recognizer.evaluation.comparison import Comparison
    from recognizer.model import Model

FEW = 20  # words that are named
WORST = 10  # unreadable files that are told
FIRST = ("accuracy", "held_out", "licence", "data", "utterances", "speakers")  # of a card
BLOCKS = "▁▂▃▄▅▆▇█"

app = typer.Typer(
    help="List the installed models, show one, or compare two.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
@reports_errors
def list_models(as_json: JsonOption = False, quiet: QuietOption = False, debug: DebugOption = False) -> ExitStatus:
    """List the models that have a name."""
    from recognizer.errors import ModelError
    from recognizer.model import Model, folders, installed

    status = ExitStatus.OK
    for name, path in installed().items():
        try:
            model = Model.load(path)
        except ModelError as error:
            complain(f"error: {error}")
            status = ExitStatus.FAILED
            continue
        if as_json:
            record = {
                "name": name,
                "file": str(path),
                "words": list(model.words),
                "fingerprint": model.fingerprint,
            }
            typer.echo(json.dumps(record, ensure_ascii=False))
        else:
            typer.echo(f"{name}  {len(model.words)} words, {model.front_end.source}  {path}")
    if not installed() and not quiet:
        complain(f"no models found; put .npz files into {folders()[0]}")
    return status


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
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show what a model knows, how it was made and how well it does."""
    png_for(plot, "--plot")
    if word is not None and plot is None:
        raise usage_error("--word chooses what --plot draws; give both")
    from recognizer.errors import shown
    from recognizer.evaluation.alignment import word_index
    from recognizer.evaluation.description import write_picture
    from recognizer.model import Model, locate

    path = locate(model)
    loaded = Model.load(path)
    if plot is not None:
        index = 0 if word is None else word_index(loaded.words, word)
        with writing(plot, "--plot"):
            write_picture(loaded, loaded.words[index], plot)
        if not quiet:
            complain(f"written to {shown(plot)}")
    with working("comparing the words", quiet):
        record = _record(loaded, path)
    if as_json:
        typer.echo(json.dumps(record, ensure_ascii=False))
    else:
        _print_model(record)
    return ExitStatus.OK


def _record(model: Model, path: Path) -> dict:
    """All that is told of a model, as plain JSON data."""
    from dataclasses import asdict

    from recognizer.evaluation.description import alike, state_durations
    from recognizer.recognition.verification import EVIDENCE

    models, rejection = model.acoustics, model.rejection
    durations = state_durations(models, model.front_end.hop).sum(1)
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "fingerprint": model.fingerprint,
        "words": list(model.words),
        "states": models.states,
        "density": models.bank.name,
        **models.bank.summary(),
        "dims": model.front_end.dims,
        "durations": {word: round(float(seconds), 4) for word, seconds in zip(model.words, durations)},
        "confusable": alike(model),
        "front_end": asdict(model.front_end),
        "endpointer": asdict(model.endpointer),
        "calibration": asdict(model.calibration),
        "rejection": rejection
        and {
            **dict(zip(EVIDENCE, map(float, rejection.weights))),
            "bias": rejection.bias,
            **rejection.thresholds,
            "noise_gaussians": rejection.noise.summary()["gaussians"],
        },
        "history": models.history,
        "card": model.card,
    }


def _print_model(record: dict) -> None:
    """What a model is, from what everybody asks to what few do."""
    from recognizer.errors import shown

    words, card = record["words"], record["card"]
    _item("model", shown(record["file"]))
    _item("words", f"{len(words)}: {_some(words)}")
    _item("size", f"{record['bytes'] / 1000:.0f} kB")
    if card:
        _section("Where it comes from, and how well it does")
    for key in [*(key for key in FIRST if key in card), *(key for key in card if key not in FIRST)]:
        _value(key, card[key])
    _section("How long the words last, on average, without the silence around them")
    longest = sorted(record["durations"].items(), key=lambda item: -item[1])
    width = max(len(word) for word in words)
    shown_words = longest if len(longest) <= FEW else longest[: FEW // 2] + longest[-FEW // 2 :]
    for word, seconds in shown_words:
        typer.echo(f"  {word:<{width}}  {seconds:.2f} s")
    if len(longest) > FEW:
        typer.echo(f"  (the {FEW // 2} longest and the {FEW // 2} shortest; --json has all)")
    if record["confusable"]:
        _section("Words most easily taken for each other: the smaller the distance, the more alike they sound")
        for pair in record["confusable"]:
            typer.echo(f"  {pair['distance']:5.2f}  {' and '.join(pair['words'])}")
    if record["history"]:
        _section("Training: how well the models explained the recordings (log likelihood a frame, higher is better)")
        width = max(map(len, record["history"]))
        for stage, curve in record["history"].items():
            told = f"  {stage:<{width}}  {curve[0]:.2f} to {curve[-1]:.2f} in {counted(len(curve), 'iteration')}"
            typer.echo(f"{told}  {_sparkline(curve)}".rstrip())
    _section(f"Inside: each word is a chain of {record['states']} states, each of which knows a part of its sound")
    written = {"file", "bytes", "words", "card", "durations", "confusable", "history"}
    for key, value in record.items():
        if key not in written:
            _value(key, value)


def _section(title: str) -> None:
    typer.echo()
    _wrapped(title, 0)


def _value(key: str, value: object, indent: int = 0) -> None:
    """A key with its value, whatever JSON it is, with those inside it below."""
    if isinstance(value, dict) and not _is_score(value):
        _item(key, "", indent)
        for name, item in value.items():
            _value(name, item, indent + 2)
    else:
        _item(key, _plain(value), indent)


def _item(key: str, text: str, indent: int = 0) -> None:
    _wrapped(f"{' ' * indent}{key}: {text}".rstrip(), indent + 4)


def _wrapped(line: str, hanging: int) -> None:
    """A line, wrapped between words where a terminal limits it."""
    if sys.stdout.isatty():
        from shutil import get_terminal_size
        from textwrap import fill

        width = max(30, get_terminal_size().columns)
        line = fill(line, width, subsequent_indent=" " * hanging, break_on_hyphens=False, break_long_words=False)
    typer.echo(line)


def _is_score(value: object) -> bool:
    """Whether it is an accuracy that was measured, as `Score.as_json` has it; a card may hold anything."""
    if not isinstance(value, dict) or not {"accuracy", "n", "interval"} <= set(value):
        return False
    interval = value["interval"]
    numbers = [value["accuracy"], *(interval if isinstance(interval, list) and len(interval) == 2 else [None])]
    return all(isinstance(number, int | float) for number in numbers)


def _plain(value: object) -> str:
    """Any JSON value in words: a measured accuracy with its interval, a list with commas."""
    if _is_score(value):
        low, high = (100 * p for p in value["interval"])
        unseen = f", unseen {value['unseen']}" if "unseen" in value else ""
        return f"{100 * value['accuracy']:.2f} % (n = {value['n']}, 95 % interval {low:.1f} to {high:.1f}){unseen}"
    if isinstance(value, dict):
        return " ".join(f"{key} {_plain(item)}" for key, item in value.items() if item is not None)
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    return f"{value:.4g}" if isinstance(value, float) else "not known" if value is None else str(value)


def _some(words: list[str]) -> str:
    more = f" and {len(words) - FEW} more" if len(words) > FEW else ""
    return ", ".join(words[:FEW]) + more


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
    as_json: JsonOption = False,
    jobs: JobsOption = 1,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Tell whether one model recognises the same recordings better than another, or only happened to.

    As `recognizer evaluate` measures accuracy, every recording has to be answered, whatever would be rejected. Where
    the vocabularies differ, both choose from the words that both have, and other recordings are left out.
    """
    from recognizer import corpus as corpora
    from recognizer.errors import ModelError
    from recognizer.evaluation.comparison import compare as compared
    from recognizer.recognizer import Recognizer

    recognizers = [Recognizer.load(model) for model in (a, b)]
    common = [word for word in recognizers[0].words if word in recognizers[1].words]
    if not common:
        raise ModelError(f"{a} and {b} have no word in common; compare models of the same words")
    found = corpora.find(corpus)
    utterances = [utterance for utterance in found if utterance.word in common]
    left_out = {utterance.word for utterance in found} - set(common)
    if not quiet:
        _tell_of_vocabularies(a, b, [set(recognizer.words) - set(common) for recognizer in recognizers])
        if left_out:
            count = counted(len(found) - len(utterances), "recording")
            complain(f"warning: {count} left out, of words that not both models have: {_some(sorted(left_out))}")
    if not utterances:
        words = _some(sorted(left_out))
        raise ModelError(f"none of the recordings is of a word that both models have: {words}; record {_some(common)}")
    answers = []
    with progress_bar(quiet) as progress:
        for name, recognizer in zip("AB", recognizers):
            own = []
            for item in recognizer.recognize_files(
                [u.path for u in utterances], words=common, threshold=0.0, jobs=workers(jobs)
            ):
                own.append(item)
                progress(f"model {name}", len(own), len(utterances))
            answers.append(own)
    comparison = compared(utterances, *answers, left_out)
    if not quiet:
        for recognizer, own in zip(recognizers, answers):
            warn_of_low_rates(Counter(item.source_rate for item in own), recognizer.model.front_end)
    if as_json:
        typer.echo(json.dumps({"model_a": a, "model_b": b, **comparison.as_json()}, ensure_ascii=False))
    else:
        _print_comparison(a, b, comparison)
    for reason in list(comparison.unreadable.values())[:WORST]:
        complain(f"error: {reason}")
    return ExitStatus.FAILED if comparison.unreadable else ExitStatus.OK


def _tell_of_vocabularies(a: str, b: str, lacking: list[set[str]]) -> None:
    for name, only in zip((a, b), lacking):
        if only:
            complain(f"warning: only {name} has {_some(sorted(only))}; only the words that both have are compared")


def _print_comparison(a: str, b: str, comparison: Comparison) -> None:
    from recognizer.evaluation.evaluation import headline

    for name, model, score in (("A", a, comparison.a), ("B", b, comparison.b)):
        _wrapped(f"{name}, {model}: {headline(score)}", 4)
    typer.echo()
    typer.echo(f"{'':<7}  {'B right':>7}  {'B wrong':>7}")
    typer.echo(f"A right  {comparison.both:>7}  {comparison.only_a:>7}")
    typer.echo(f"A wrong  {comparison.only_b:>7}  {comparison.neither:>7}\n")
    _wrapped(comparison.verdict, 0)
    if discordant := comparison.only_a + comparison.only_b:
        only = counted(discordant, "recording")
        _wrapped(f"(McNemar's exact test on the {only} that only one of them recognised)", 0)
    for what, words in (("better", comparison.gained), ("worse", comparison.lost)):
        if words:
            _item(f"B is {what} at", ", ".join(f"{word} ({count})" for word, count in words.items()))
    if comparison.unreadable:
        typer.echo(f"{counted(len(comparison.unreadable), 'file')} could not be read")
