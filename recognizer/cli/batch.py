"""`recognizer batch`: recognise files and folders."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recognizer.cli.options import (
    AdaptOption,
    CsvOption,
    DebugOption,
    JobsOption,
    JsonOption,
    ModelOption,
    QuietOption,
    SpeakerOption,
    ThresholdOption,
    WordsOption,
    checked_speaker,
    chosen_words,
    threshold_of,
    usage_error,
    workers,
)
from recognizer.cli.reporting import (
    ExitStatus,
    complain,
    progress_bar,
    reports_errors,
    tell_of_adaptations,
    warn_of_low_rates,
)

if TYPE_CHECKING:
    from recognizer.recognizer import FileResult

COLUMNS = ("file", "word", "confidence", "accepted", "nbest", "start", "end", "duration", "error", "reason")


@reports_errors
def batch(
    paths: Annotated[
        list[Path], typer.Argument(help="Recordings, or folders of them.", readable=False, metavar="PATH")
    ],
    model: ModelOption = "digits",
    speaker: SpeakerOption = None,
    adapt: AdaptOption = False,
    words: WordsOption = None,
    threshold: ThresholdOption = "normal",
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
    jobs: JobsOption = 1,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Recognise the word in every recording.

    With --adapt, all recordings must be of one speaker, the one of --speaker if that is given.
    """
    if as_json and as_csv:
        raise usage_error("--json and --csv exclude each other; choose one")
    least = threshold_of(threshold)
    from recognizer.recognizer import Recognizer

    recognizer = Recognizer.load(model, None if speaker is None else checked_speaker(speaker))
    files, refused = _listed(paths)
    how = {"words": chosen_words(words), "threshold": least, "jobs": workers(jobs)}
    count = len(refused) + len(files)
    failed, rates, adaptation = 0, Counter(), None
    with progress_bar(quiet or sys.stdout.isatty()) as progress:
        if adapt:
            found, adaptation = recognizer.recognize_adapted(
                files, **how, progress=lambda done: progress("reading", done, len(files))
            )
        else:
            found = recognizer.recognize_files(files, **how)
        show = _json_line if as_json else _csv_line() if as_csv else _table_line([*refused, *files])
        for done, item in enumerate(chain(refused.values(), found), 1):
            progress("recognising", done, count)
            show(item)
            failed += item.error is not None
            rates[item.source_rate] += 1
    if not quiet:
        tell_of_adaptations([adaptation] if adaptation else [])
        warn_of_low_rates(rates, recognizer.model.front_end)
    if failed and not quiet:
        complain(f"{failed} of {count} files could not be read")
    return ExitStatus.FAILED if failed else ExitStatus.OK


def _listed(paths: Sequence[Path]) -> tuple[list[Path], dict[Path, FileResult]]:
    """All files, and the folders in which there are none or that cannot be opened, with the error."""
    from recognizer.corpus import audio_files
    from recognizer.errors import CorpusError
    from recognizer.recognizer import FileResult

    files, refused = [], {}
    for path in paths:
        try:
            files += audio_files([path])
        except CorpusError as error:
            refused[path] = FileResult(path, None, str(error))
    return files, refused


def as_record(item: FileResult) -> dict:
    """One file's outcome as plain data, see COLUMNS."""
    result = item.result
    if result is None:
        return dict.fromkeys(COLUMNS) | {
            "file": str(item.path),
            "accepted": False,
            "nbest": [],
            "error": item.error,
        }
    return {
        "file": str(item.path),
        "word": result.word,
        "confidence": round(result.confidence, 4),
        "accepted": result.accepted,
        "nbest": [
            {"word": c.word, "score": round(c.score, 4), "confidence": round(c.confidence, 4)} for c in result.nbest
        ],
        "start": _seconds(result.start),
        "end": _seconds(result.end),
        "duration": _seconds(result.duration),
        "error": None,
        "reason": result.reason,
    }


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _json_line(item: FileResult) -> None:
    typer.echo(json.dumps(as_record(item), ensure_ascii=False))


def _csv_line() -> Callable[[FileResult], None]:
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()

    def show(item: FileResult) -> None:
        record = as_record(item)
        ranked = " ".join(f"{c['word']}:{c['confidence']}" for c in record["nbest"])
        writer.writerow(record | {"nbest": ranked, "accepted": str(record["accepted"]).lower()})

    return show


def _table_line(files: Sequence[Path]) -> Callable[[FileResult], None]:
    from recognizer.errors import shown

    width = min(60, max(len(shown(file)) for file in files))
    typer.echo(f"{'file':<{width}}  {'word':<12} {'confidence':>10}  {'start':>6} {'end':>6}  runner-up")

    def show(item: FileResult) -> None:
        name, result = f"{shown(item.path):<{width}}", item.result
        if result is None:
            typer.echo(f"{name}  error: {item.error}")
        elif not result.nbest:
            typer.echo(f"{name}  -            ({result.reason})")
        elif result.word is None:
            times = f"{result.start:>6.2f} {result.end:>6.2f}"
            best = f"{result.nbest[0].word} {result.nbest[0].confidence:.2f}"
            typer.echo(f"{name}  {'-':<12} {'':>10}  {times}  {best} ({result.reason})")
        else:
            runner_up = f"{result.nbest[1].word} {result.nbest[1].confidence:.2f}" if len(result.nbest) > 1 else ""
            times = f"{result.start:>6.2f} {result.end:>6.2f}"
            typer.echo(f"{name}  {result.word:<12} {result.confidence:>10.2f}  {times}  {runner_up}".rstrip())

    return show
