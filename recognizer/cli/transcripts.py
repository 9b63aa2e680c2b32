"""The forms in which the words of a recording are written down, line by line.

Sounds that are no word are told of where there is room for a reason, and left out of what other programs show as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recognizer.cli.outputs import SPREADSHEETS, spreadsheet_row
from recognizer.cli.reporting import (
    echo_wrapped,
    json_line,
    padded,
    print_csv,
    print_json,
    say,
    say_fields,
    with_options,
)
from recognizer.errors import printable, shown
from recognizer.files.textgrid import textgrid

if TYPE_CHECKING:
    from recognizer.live.events import Answer

COLUMNS = (
    *("file", "word", "confidence", "accepted", "runner_up", "runner_up_confidence", "start", "end", "error"),
    "reason",
)
KEYS = ("file", "word", "confidence", "accepted", "nbest", "start", "end", "error", "reason")  # of a line of JSON
WORD_CELLS = 12  # of a terminal, for a word, as most are
BELOW = 19  # cells before the word: there stands what has no room beside it
MILLISECOND = 0.001

Duration = Callable[[], float]  # seconds of the recording, once all of it was heard


@dataclass(frozen=True)
class Form:
    """A way to write answers down.

    Attributes
    ----------
    suffix : of files
    items : of the name of a recording, its answers, and its duration: what is written, one after the other
    show : prints an item
    text : of an item, as it is in a file
    refused : of the name of a recording that cannot be read, and why: an item that says so; None where none can
    head : an item before all others
    encoding : of files
    """

    suffix: str
    items: Callable[[str, Iterable[Answer], Duration], Iterator]
    show: Callable[[object], None] = say
    text: Callable[[object], str] = "{}\n".format
    refused: Callable[[str, str], object] | None = None
    head: object | None = None
    encoding: str = "utf-8"

    @property
    def of_many(self) -> bool:
        """Whether several recordings can be told of one after the other."""
        return self.refused is not None


def _table(name: str, answers: Iterable[Answer], duration: Duration) -> Iterator[str]:
    yield shown(name)
    yield f"{'start':>8} {'end':>8}  {'word':<{WORD_CELLS}} confidence  runner-up"
    for answer in answers:
        result, times = answer.result, f"{answer.start:8.2f} {answer.end:8.2f}"
        ranked = [f"{shown(candidate.word)} {candidate.confidence:.2f}" for candidate in result.nbest]
        if result.accepted:
            word, sure, beside = padded(shown(result.word), WORD_CELLS), f"{result.confidence:10.2f}", ranked[1:2]
        else:
            word, sure, beside = padded("-", WORD_CELLS), " " * 10, [*ranked[:1], f"({result.reason})"]
        yield f"{times}  {word} {sure}  {' '.join(beside)}".rstrip()


def _table_refused(name: str, error: str) -> str:
    return f"{shown(name)}  error: {with_options(error)}"


def answer_record(name: str, answer: Answer) -> dict:
    """An answer as plain data."""
    times = {"start": round(answer.start, 3), "end": round(answer.end, 3)}
    found = {"file": name, "error": None} | answer.result.record() | times
    return {key: found[key] for key in KEYS}


def _json(name: str, answers: Iterable[Answer], duration: Duration) -> Iterator[dict]:
    return (answer_record(name, answer) for answer in answers)


def _json_refused(name: str, error: str) -> dict:
    return dict.fromkeys(KEYS) | {"file": name, "accepted": False, "nbest": [], "error": with_options(error)}


def _csv_cells(found: dict) -> list:
    second = found["nbest"][1] if len(found["nbest"]) > 1 else {}
    beside = {"runner_up": second.get("word"), "runner_up_confidence": second.get("confidence")}
    row = found | beside | {"accepted": str(found["accepted"]).lower()}
    return [row[column] for column in COLUMNS]


def _csv(name: str, answers: Iterable[Answer], duration: Duration) -> Iterator[list]:
    return (_csv_cells(answer_record(name, answer)) for answer in answers)


def _csv_refused(name: str, error: str) -> list:
    return _csv_cells(_json_refused(name, error))


def _spans(answers: Iterable[Answer]) -> Iterator[tuple[float, float, str]]:
    """Where the words are, seconds, to the millisecond; none overlaps with the next, and none is empty."""
    position = 0.0
    for answer in answers:
        if answer.result.accepted:
            start = max(position, round(answer.start, 3))
            end = position = max(round(start + MILLISECOND, 3), round(answer.end, 3))
            yield start, end, printable(answer.result.word)


def _textgrid(name: str, answers: Iterable[Answer], duration: Duration) -> Iterator[str]:
    words = list(_spans(answers))
    end = max([duration(), *(end for _, end, _ in words)])
    yield textgrid({"words": words}, end).removesuffix("\n")


def _srt(name: str, answers: Iterable[Answer], duration: Duration) -> Iterator[str]:
    for number, (start, end, word) in enumerate(_spans(answers), 1):
        yield f"{number}\n{_clock(start)} --> {_clock(end)}\n{word}\n"


def _clock(seconds: float) -> str:
    """A time as subtitles have it."""
    minutes, milliseconds = divmod(round(1000 * seconds), 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02}:{minutes:02}:{whole:02},{milliseconds:03}"


def _labels(name: str, answers: Iterable[Answer], duration: Duration) -> Iterator[tuple[str, str, str]]:
    return ((f"{start:.3f}", f"{end:.3f}", word) for start, end, word in _spans(answers))


def _say_lines(text: str) -> None:
    for line in text.split("\n"):
        say(line)


TABLE = Form(".txt", _table, lambda line: echo_wrapped(line, BELOW), refused=_table_refused)
FORMS = {
    "--json": Form(".jsonl", _json, print_json, lambda found: json_line(found) + "\n", _json_refused),
    "--csv": Form(".csv", _csv, print_csv, spreadsheet_row, _csv_refused, COLUMNS, SPREADSHEETS),
    "--textgrid": Form(".TextGrid", _textgrid, _say_lines),
    "--srt": Form(".srt", _srt, _say_lines),
    "--labels": Form(".txt", _labels, say_fields, lambda fields: "\t".join(fields) + "\n"),
}
