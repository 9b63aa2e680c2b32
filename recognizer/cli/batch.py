"""`recognizer batch`: recognise files and folders."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated

import typer

from recognizer.cli.options import (
    AdaptOption,
    ClusterOption,
    CsvOption,
    DebugOption,
    JobsOption,
    JsonOption,
    ModelOption,
    QuietOption,
    RecordingsArgument,
    SpeakerOption,
    ThresholdOption,
    WordsOption,
    at_work,
    check_file,
    checked_speaker,
    threshold_of,
    usage_error,
)
from recognizer.cli.outputs import SPREADSHEETS, spreadsheet_row, written_whole
from recognizer.cli.piped import as_given, read_from, standard_input_kept, told_of
from recognizer.cli.reporting import (
    SOON,
    ExitStatus,
    complain,
    echo_wrapped,
    json_line,
    padded,
    print_csv,
    print_json,
    progress_bar,
    reports_errors,
    say,
    tell_of_adaptations,
    tell_of_channels,
    warn_of_low_rates,
    width_of,
    with_options,
    working,
)
from recognizer.errors import shown
from recognizer.recognition.chosen import chosen_words

if TYPE_CHECKING:
    from recognizer.recognizer import FileResult

COLUMNS = ("file", "word", "confidence", "accepted", "nbest", "start", "end", "duration", "error", "reason", "warnings")
FLAWS = {  # what is told of one recording with each, and of several
    "several words": ("holds", "hold", "several words, of which one is told; for all: `recognizer transcribe {file}`"),
    "clipped": ("is", "are", "clipped; turn the input level down or move back"),
    "too quiet": ("is", "are", "very quiet; turn the input level up or come closer"),
}
LONGEST_NAME, SHORTEST_NAME = 60, 12  # cells of a terminal for a file's name: a path mostly fits, or its end does
WORD_CELLS = 12  # for a word, as most are; the files come one by one, so nobody knows the longest answer
# Of the table: title, cells, and what is between it and the column before.
RIGHT_OF_NAME = (
    ("word", WORD_CELLS, "  "),
    ("confidence", 10, " "),
    ("start", 6, "  "),
    ("end", 6, " "),
    ("runner-up", 14, "  "),
    ("reason", 19, "  "),
)
# What a narrow terminal has no room for, the least needed first.
LEFT_OUT = ((), ("start", "end"), ("start", "end", "runner-up"), ("start", "end", "runner-up", "reason"))
NUMBERS = ("confidence", "start", "end")  # end below each other


@reports_errors
def batch(
    paths: RecordingsArgument,
    model: ModelOption = "digits",
    speaker: SpeakerOption = None,
    adapt: AdaptOption = False,
    words: WordsOption = None,
    threshold: ThresholdOption = "normal",
    as_json: JsonOption = False,
    as_csv: CsvOption = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write the JSON or the CSV to this file; CSV for spreadsheets, with columns for each candidate.",
            metavar="FILE",
            readable=False,
            show_default=False,
        ),
    ] = None,
    jobs: JobsOption = 1,
    cluster: ClusterOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Recognise the word in every recording.

    With --adapt, all recordings must be of one speaker, the one of --speaker if that is given.
    """
    if as_json and as_csv:
        raise usage_error("--json and --csv exclude each other; choose one")
    if output is not None:
        if not (as_json or as_csv):
            raise usage_error(f"--output {shown(output)} is of JSON or CSV; add --json or --csv")
        check_file(output, "--output", recordings=paths)
    least = threshold_of(threshold)
    with ExitStack() as stack:
        kept = stack.enter_context(standard_input_kept(paths))
        with working("reading the model", quiet, SOON):
            from recognizer.recognizer import Recognizer

            recognizer = Recognizer.load(model, None if speaker is None else checked_speaker(speaker))
            files, refused = _listed([read_from(path, kept) for path in paths])
        with working("asking the cluster", quiet or cluster is None, SOON):
            power = stack.enter_context(at_work(jobs, cluster))
        how = {"words": chosen_words(words, recognizer.words), "threshold": least, "jobs": power}
        count = len(refused) + len(files)
        failed, rates, channels, flawed, adaptation = 0, Counter(), {}, {}, None
        if adapt:
            with progress_bar(quiet) as progress:
                found, adaptation = recognizer.recognize_adapted(
                    files, **how, progress=lambda done: progress("reading", done, len(files))
                )
        else:
            found = recognizer.recognize_files(files, **how)
        with working("reading the recordings", quiet, SOON):
            found = chain(list(islice(found, 1)), found)
        progress = stack.enter_context(progress_bar(quiet or (output is None and sys.stdout.isatty())))  # tears tables
        if output is not None:
            check_file(output, "--output", recordings=files)
            from recognizer.recognition.decoding import most_listed

            candidates = min(len(recognizer.indices(how["words"])), most_listed(recognizer.model.acoustics))
            show = stack.enter_context(_to_file(output, as_json, candidates))
        elif as_json or as_csv:
            show = _json_line if as_json else _csv_line()
        else:
            show = _table_line([as_given(path, kept) for path in (*refused, *files)])
        for done, item in enumerate(chain(refused.values(), found), 1):
            if kept:
                error = item.error and told_of(item.error, kept)
                item = replace(item, path=as_given(item.path, kept), error=error)
            progress("recognising", done, count)
            show(item)
            failed += item.error is not None
            rates[item.source_rate] += 1
            for flaw in item.flaws:
                flawed.setdefault(flaw, []).append(item.path)
            if item.result:
                channels[item.path] = item.result.channel
    if not quiet:
        tell_of_adaptations([adaptation] if adaptation else [])
        warn_of_low_rates(rates, recognizer.model.front_end)
        tell_of_channels(channels)
        _tell_of_flaws(flawed, count)
        if output is not None:
            complain(f"written to {shown(output)}")
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
    record = item.record()
    if item.error is not None:
        record["error"] = with_options(item.error)
    return {column: record[column] for column in COLUMNS}


def _json_line(item: FileResult) -> None:
    print_json(as_record(item))


def _csv_line() -> Callable[[FileResult], None]:
    print_csv(COLUMNS)

    def show(item: FileResult) -> None:
        record = as_record(item)
        ranked = " ".join(f"{c['word']}:{c['confidence']}" for c in record["nbest"])
        print_csv((record | _in_cells(record) | {"nbest": ranked})[column] for column in COLUMNS)

    return show


def _in_cells(record: dict) -> dict[str, str]:
    """What of a record is no text or number, as it stands in a cell."""
    return {"accepted": str(record["accepted"]).lower(), "warnings": "; ".join(record["warnings"] or ())}


@contextmanager
def _to_file(path: Path, as_json: bool, candidates: int) -> Iterator[Callable[[FileResult], None]]:
    """Gives a function that writes to a file: lines of JSON, or a table for spreadsheets."""
    columns = [column for column in COLUMNS if column != "nbest"]

    def row(item: FileResult) -> str:
        record = as_record(item)
        ranked = [cell for candidate in record["nbest"] for cell in (candidate["word"], candidate["confidence"])]
        cells = [(record | _in_cells(record))[column] for column in columns]
        return spreadsheet_row([*cells, *ranked, *[None] * (2 * candidates - len(ranked))])

    with written_whole(path, "--output", "utf-8" if as_json else SPREADSHEETS) as write:
        if not as_json:
            places = range(1, candidates + 1)
            write(spreadsheet_row([*columns, *(f"{what}_{n}" for n in places for what in ("word", "confidence"))]))
        yield lambda item: write(json_line(as_record(item)) + "\n" if as_json else row(item))


def _tell_of_flaws(flawed: dict[str, list[Path]], count: int) -> None:
    """One line for all recordings with the same flaw, with an example."""
    for flaw, (is_, are, what) in FLAWS.items():
        if files := flawed.get(flaw):
            one = shown(files[0])
            those = f"{one} {is_}" if len(files) == 1 else f"{len(files)} of {count} recordings, such as {one}, {are}"
            complain(f"warning: {those} {what.format(file=shlex.quote(one))}")


def _table_line(files: Sequence[Path]) -> Callable[[FileResult], None]:
    """Lines of a table; on a terminal too narrow for it, names without their beginnings, and fewer columns."""
    from recognizer.errors import shown

    longest = max(width_of(shown(file)) for file in files)
    room = get_terminal_size().columns if sys.stdout.isatty() else None
    columns, name_cells = _layout(longest, room)

    def named(name: str) -> str:
        over = 0 if room is None else width_of(name) - name_cells
        return padded("…" + name[over + 1 :] if over > 0 else name, name_cells)  # what tells files apart is at the end

    def echo(name: str, values: dict[str, str]) -> None:
        cells = [values.get(title, "") for title, _, _ in columns]
        wide = name_cells + sum(max(width_of(c), size) + len(gap) for c, (_, size, gap) in zip(cells, columns))
        if room is not None and wide > room:
            cells = [_cut(cell, size) for cell, (_, size, _) in zip(cells, columns)]
        padded_cells = (gap + padded(c, size, title in NUMBERS) for c, (title, size, gap) in zip(cells, columns))
        say("".join([named(name), *padded_cells]).rstrip())

    def show(item: FileResult) -> None:
        name, result = shown(item.path), item.result
        if result is None:
            echo_wrapped(f"{named(name)}  error: {with_options(item.error)}", 2)
            return
        if result.word is None and columns == RIGHT_OF_NAME[:2]:
            say(f"{named(name)}  - ({result.reason})")
            return
        ranked = [f"{shown(candidate.word)} {candidate.confidence:.2f}" for candidate in result.nbest]
        values = {"word": "-", "runner-up": "".join(ranked[:1]), "reason": result.reason or ""}
        if result.word is not None:
            values |= {"word": shown(result.word), "confidence": f"{result.confidence:.2f}"}
            values["runner-up"] = "".join(ranked[1:2])
        if ranked:
            values |= {"start": f"{result.start:.2f}", "end": f"{result.end:.2f}"}
        echo(name, values)

    echo("file", {title: title for title, _, _ in RIGHT_OF_NAME})
    return show


def _layout(longest: int, room: int | None) -> tuple[Sequence[tuple[str, int, str]], int]:
    """The columns that there is room for beside the names, and the cells of a name."""
    for left_out in LEFT_OUT:
        columns = tuple(column for column in RIGHT_OF_NAME if column[0] not in left_out)
        rest = sum(cells + len(gap) for _, cells, gap in columns)
        if room is None:
            return columns, min(LONGEST_NAME, longest)
        if rest + min(longest, SHORTEST_NAME) <= room:
            break
    return columns, min(longest, max(SHORTEST_NAME, room - rest))


def _cut(text: str, cells: int) -> str:
    """The beginning of a text that is too wide for its column."""
    while width_of(text) > cells:
        text = text.removesuffix("…")[:-1] + "…"
    return text
