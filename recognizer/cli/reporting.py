"""What commands tell: results, errors and warnings in one line, an exit status, and that something is being done."""

from __future__ import annotations

import csv
import errno
import functools
import io
import json
import os
import re
import shlex
import signal
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

import typer

from recognizer.cli.streams import drop_unwritten, is_closed, send_nowhere
from recognizer.errors import (
    LONGEST_LINE,
    HeaderWarning,
    RecognizerError,
    RecognizerWarning,
    counted,
    in_short,
    printable,
    shown,
)
from recognizer.files.writing import remedy

if TYPE_CHECKING:
    from recognizer.adaptation.enrollment import Doubt
    from recognizer.adaptation.unlabelled import SelfAdaptation
    from recognizer.features.front_end import FrontEnd, GivenFeatures
    from recognizer.live.events import Adapted, Event

NAMED = 5  # refused recordings that are named, which is enough to see what is wrong; the rest are counted
SOON = 0.3  # seconds in which a command answers at once: a person has to wait from half a second on
LEAST_KEY = 8  # cells of a name that is shortened so that what stands beside it need not be
GAP = 2  # cells between two columns
LEAST = 30  # cells of a terminal that lines are wrapped to; less is none that anybody reads
CLOSED = "standard output is closed, and there is nowhere to print to; leave it open, or send it to a file"
WRITTEN = ("output", "report", "textgrid", "plot", "html", "save")  # parameters that name files to write
# What the package advises in its own terms, and how one does that on the command line.
OPTION_FOR = {
    "choose another model": "choose another --model",
    "or let this one take its place": "or add --replace to lose that one",
    "write the model elsewhere": "choose another --output",
    "write the report elsewhere": "choose another --report",
    "train without resuming": "leave --resume out",
    "allow more memory": "allow more with --memory",
    "let fewer processes work": "let fewer work with --jobs",
    "train with fewer states": "train with fewer --states",
    r"train with mixtures of (\d+)": r"train with --mixtures \1",
    r"train with a codebook of (\d+)": r"train with --codebook \1",
    "are the most; cut it up": "are the most; cut it up, or hear it with `recognizer live --from-file`",
    "samples of 16 bits alone and tell their rate": "samples of 16 bits alone with --raw RATE",
    "leave adaptation out": "leave --adapt out",
    "go on from it with a condition": "go on from it with --as CONDITION",
    "name the column of the words": "begin with the header path,words,speaker, or name the column of the words with "
    "--column",
    "record more, or label them": "record more, or label them and use --from",
    "make the profile anew for this one": "make the profile anew for this one with `recognizer speakers refresh NAME "
    "--model MODEL`",
}


class ExitStatus(IntEnum):
    """What the shell is told."""

    OK = 0
    FAILED = 1  # something failed; the rest was done
    USAGE = 2
    INTERRUPTED = 130


def reports_errors(command: Callable, *, answers: bool = True) -> Callable:
    """Turn the package's errors and warnings into one line on stderr, and an exit status.

    A command may return an ExitStatus. `--quiet` silences warnings, `--debug` lets the traceback through.

    Parameters
    ----------
    command : to be called
    answers : whether it is called for what it prints: with standard output closed, there is nothing to be done then
    """

    @functools.wraps(command)
    def wrapped(*args, **kwargs) -> None:
        quiet, debug = kwargs.get("quiet", False), kwargs.get("debug", False)
        if is_closed(sys.stdout):
            if answers and not any(map(kwargs.get, WRITTEN)):
                complain(f"error: {CLOSED}")
                raise typer.Exit(int(ExitStatus.FAILED))
            send_nowhere(sys.stdout)
        status = ExitStatus.OK
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore" if quiet else "always", RecognizerWarning)
                warnings.showwarning = _show_warning(warnings.showwarning)
                status = command(*args, **kwargs) or ExitStatus.OK
            sys.stdout.flush()  # here, where it can still be told that nobody reads it or the disk is full
        except (typer.Exit, typer.BadParameter, Warning):  # a Warning only where the user made it an error
            raise
        except RecognizerError as error:
            if debug:
                raise
            complain(f"error: {error}")
            status = ExitStatus.FAILED
        except KeyboardInterrupt:
            complain("interrupted")
            status = ExitStatus.INTERRUPTED
        except BrokenPipeError:  # the reader, such as `head`, has seen enough
            status = ExitStatus.OK
        except OSError as error:
            if debug:
                raise
            where = "" if error.filename is None else f"{shown(error.filename)}: "
            complain(f"error: {where}{_why_not_written(error)}")
            status = ExitStatus.FAILED
        except Exception as error:  # nobody should ever see this line, but still less a traceback
            if debug:
                raise
            complain(f"error: {type(error).__name__}: {error}; this should not happen, see it whole with --debug")
            status = ExitStatus.FAILED
        drop_unwritten(sys.stdout)
        if status:
            raise typer.Exit(int(status))

    return wrapped


def does_work(command: Callable) -> Callable:
    """As `reports_errors`, of a command whose work is in files: it is done even where nobody can be told of it."""
    return reports_errors(command, answers=False)


def complain(line: str) -> None:
    """One line to the person at the terminal; where it cannot be written, the exit status has to do."""
    try:
        typer.echo(in_short(printable(with_options(line)), LONGEST_LINE), err=True)
    except OSError:
        drop_unwritten(sys.stderr)


def say(line: str = "") -> None:
    """One line on standard output, for a person or a program that reads lines."""
    typer.echo(printable(line))


def say_fields(fields: Iterable[str]) -> None:
    """A line of fields on standard output, parted by tabs, for programs that read such."""
    typer.echo("\t".join(map(printable, fields)))


def tell_of_call(error: Exception) -> NoReturn:
    """Tell what is wrong with a call, or that its help cannot be printed.

    Parameters
    ----------
    error : how typer says so, or an OSError

    Raises
    ------
    typer.Exit
        with the status for the shell.
    """
    status = ExitStatus.FAILED
    if not isinstance(error, OSError):
        status = error.exit_code
        if type(error).__name__ != "NoArgsIsHelpError":  # which has many lines, and none is foreign
            message = in_short(printable(error.format_message()), LONGEST_LINE)
            error.format_message = lambda: message
        try:
            error.show()
        except OSError:
            drop_unwritten(sys.stderr)
    elif isinstance(error, BrokenPipeError):
        status = ExitStatus.OK
    else:
        complain(f"error: {_why_not_written(error)}")
    drop_unwritten(sys.stdout)
    raise typer.Exit(int(status)) from error


def _why_not_written(error: OSError) -> str:
    """Why something cannot be written to standard output, and what to do."""
    if error.errno == errno.EBADF:
        return CLOSED
    return f"{error.strerror or error}; {remedy(error, 'see with --debug where it happened')}"


def with_options(message: str) -> str:
    """A message of the package, its remedies as one gives them on the command line."""
    for advice, option in OPTION_FOR.items():
        message = re.sub(advice, option, message)
    return message


def _show_warning(otherwise: Callable) -> Callable:
    headers = []  # of recordings, of which some are read twice, and of which there may be a whole corpus

    def show(message, category, *args, **kwargs) -> None:
        if issubclass(category, HeaderWarning):
            if str(message) in headers or len(headers) > NAMED:
                return
            headers.append(str(message))
            complain("warning: " + ("and so it is with more recordings" if len(headers) > NAMED else str(message)))
        elif issubclass(category, RecognizerWarning):
            complain(f"warning: {message}")
        else:
            otherwise(message, category, *args, **kwargs)

    return show


def json_line(record: object) -> str:
    """A line of JSON, the letters of all scripts as they are; what must not reach a terminal as JSON's escapes."""
    line = json.dumps(record, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in line)


def print_json(record: object) -> None:
    """A line of JSON on standard output."""
    say(json_line(record))


def print_csv(cells: Iterable[object]) -> None:
    """A row of CSV, the cells as they are, which programs need; on a terminal with escapes, as `ls` does it."""
    row = io.StringIO()
    csv.writer(row).writerow(cells)  # with its own end of lines, so that cells which hold a part of that are quoted
    line = row.getvalue().removesuffix("\r\n").encode(errors="backslashreplace").decode()
    sys.stdout.write((printable(line) if sys.stdout.isatty() else line) + "\n")


def print_table(rows: Sequence[Sequence[str]], right: Collection[int] = (), keys: int = 1) -> None:
    """Lines in which the cells of each column stand below each other.

    On a terminal that is too narrow for all columns, as many as fit stand side by side, and the others below, beside
    the first ones once more; a cell that is wider than the terminal lacks its middle.

    Parameters
    ----------
    rows : of cells, each shown as `shown` does; one with fewer cells than the first row is not aligned
    right : columns whose cells end below each other, as numbers do
    keys : how many columns tell which row it is
    """
    rows = [tuple(map(shown, row)) for row in rows]
    whole = [row for row in rows if len(row) == len(rows[0])]
    widths = [max(map(width_of, column)) for column in zip(*whole)]
    bands = _bands(widths, keys)
    for number, band in enumerate(bands):
        if number:
            say()
        for row in rows:
            if len(row) == len(widths):
                cells = (padded(narrowed(row[place], width), width, place in right) for place, width in band.items())
                say("  ".join(cells).rstrip())
            elif not number:
                echo_wrapped("  ".join(row), 2)


def _bands(widths: Sequence[int], keys: int) -> list[dict[int, int]]:
    """Columns that stand side by side, with their widths: all of them, unless a terminal is too narrow."""
    room = _terminal_width()
    if room is None or sum(widths) + GAP * (len(widths) - 1) <= room:
        return [dict(enumerate(widths))]
    most = max(LEAST_KEY, min(room // 2, room - GAP * keys - max(widths[keys:], default=0)))
    known = {place: min(width, most) for place, width in enumerate(widths[:keys])}
    left = room - sum(known.values()) - GAP * keys  # for the others
    bands: list[dict[int, int]] = []
    for place, width in list(enumerate(widths))[keys:]:
        width = min(width, left)
        taken = sum(bands[-1].values()) + GAP * len(bands[-1]) if bands else room
        if taken + width > room:
            bands.append(dict(known))
        bands[-1][place] = width
    return bands


def narrowed(text: str, cells: int) -> str:
    """A text that takes no more than so many cells of a terminal, without its middle where it would."""
    if width_of(text) <= cells:
        return text
    head, tail = text[: len(text) // 2], text[len(text) // 2 :]
    while width_of(head) + width_of(tail) >= cells and head + tail:
        head, tail = (head[:-1], tail) if width_of(head) >= width_of(tail) else (head, tail[1:])
    return f"{head}…{tail}"


def echo_wrapped(line: str, hanging: int) -> None:
    """A line, wrapped between words where a terminal limits it; what follows is indented by so many cells."""
    line, width = printable(line), _terminal_width()
    for part in [line] if width is None else _wrapped(line, width, hanging):
        say(part)


def _wrapped(line: str, width: int, hanging: int) -> list[str]:
    """A line in parts of no more than so many cells, as far as words allow it."""
    parts = [""]
    for word in re.findall(r"\s*\S+", line):
        if parts[-1] and width_of(parts[-1] + word) > width:
            parts.append(" " * hanging + word.lstrip())
        else:
            parts[-1] += word
    return parts


def _terminal_width() -> int | None:
    """The cells that a line may take on standard output; None where no terminal limits it."""
    if not sys.stdout.isatty():
        return None
    from shutil import get_terminal_size

    return max(LEAST, get_terminal_size().columns)


def padded(text: str, cells: int, right: bool = False) -> str:
    """A text as wide as so many cells of a terminal, or wider: Chinese letters take two cells, marks none."""
    blank = " " * (cells - width_of(text))
    return blank + text if right else text + blank


def width_of(text: str) -> int:
    """The cells that a text takes on a terminal."""
    if text.isascii():  # without the time that rich takes to load
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def in_turn(show: Callable[[Event], None]) -> Callable[[list[Event]], None]:
    """Gives a function that shows events one after the other, while they are news to a program that reads them."""

    def show_all(events: list[Event]) -> None:
        for event in events:
            show(event)
        if events:
            sys.stdout.flush()

    return show_all


def doubted(name: str, doubt: Doubt) -> str:
    """A take of a speaker that may be another word, and what to do about it."""
    speaker, take = shlex.quote(name), shlex.quote(f"{doubt.path.parent.name}/{doubt.path.name}")
    return (
        f"{doubt}; if that is what was said, `recognizer speakers forget {speaker} {take}`, and then "
        f"`recognizer enroll {speaker}` to say it again"
    )


def gain_of(name: str, before: dict, after: dict | None) -> list[str]:
    """What a profile is good for, in lines for a person: trials of the takes without it, and with it if there were."""
    right = f"before: {before['correct']} of {before['n']} words right"
    if after is None:
        remedy = f"with two of each word it can be: recognizer enroll {shlex.quote(name)}"
        return [right, f"now: too few takes to tell; {remedy}"]
    told = "each take recognised by a model that had not heard it"
    return [
        f"{right}; now: {after['correct']} of {after['n']} ({told})",
        f"how sure: {before['confidence']:.2f} before, {after['confidence']:.2f} now, of at most 1",
    ]


def details_of(record: dict) -> list[str]:
    """How a profile was made, in lines for those who know the methods."""
    lines = [f"method: {record['why']}"]
    if "passes" in record:
        lines[0] += f"; {counted(record['passes'], 'pass', 'passes')}"
    if record.get("vtln"):
        none = "none, for none makes takes left out likelier"
        lines.append(f"warp of the frequency axis: {none if record['warp'] == 1 else format(record['warp'], 'g')}")
    return lines


def warn_of_low_rates(rates: Counter[int | None], front_end: FrontEnd | GivenFeatures) -> None:
    """One warning for all the recordings whose rate is under the model's, given how many files have which rate."""
    from recognizer.features.analysis import low_rate

    low = sorted(rate for rate in rates if rate and rate < front_end.sample_rate)
    if low:
        count = sum(rates[rate] for rate in low)
        told = low_rate(", ".join(map(str, low)), front_end.sample_rate)
        complain(f"warning: {count} of {rates.total()} files: {told}")


def tell_of_channels(channels: Mapping[Path, int | None]) -> None:
    """One line for all the recordings of which a single channel was heard, given that of each, if there are any."""
    from recognizer.sound.channels import told

    if taken := [(path, channel) for path, channel in channels.items() if channel]:
        complain(f"note: {told(taken)}")


def tell_of_adaptations(adaptations: Sequence[SelfAdaptation]) -> None:
    """One line for all speakers whose recordings were adapted to, if any were."""
    if not adaptations:
        return
    learned = sum(int((adaptation.words >= 0).sum()) for adaptation in adaptations)
    recordings = sum(len(adaptation.words) for adaptation in adaptations)
    passes = max(adaptation.passes for adaptation in adaptations)
    speakers = f" of {len(adaptations)} speakers, each in up to" if len(adaptations) > 1 else " in"
    complain(f"adapted to {learned} of {recordings} recordings{speakers} {passes} pass{'' if passes == 1 else 'es'}")


def tell_of_refusals(reasons: Sequence[str]) -> None:
    """What was left out and why: the first few, and how many more."""
    for reason in reasons[:NAMED]:
        complain(f"left out: {reason}")
    if len(reasons) > NAMED:
        complain(f"left out: {len(reasons) - NAMED} more")


def adapted_to(event: Adapted) -> str:
    """How many words a session is adapted to, and how to take the last one back, or what was taken back."""
    words = f"adapted to {counted(event.learned, 'word')}"
    return f"{event.note}; {words}" if event.note else f"{words}; u and Enter takes the last back"


@contextmanager
def writing(path: Path, option: str) -> Iterator[None]:
    """Say of a file that cannot be written which one it is, and which option names it."""
    try:
        yield
    except OSError as error:
        what_to_do = remedy(error, f"choose another {option}")
        raise RecognizerError(f"{shown(path)} cannot be written: {error.strerror}; {what_to_do}") from error


@contextmanager
def native_messages_hidden(debug: bool) -> Iterator[None]:
    """Keep what sound libraries print to stderr on their own away from the screen; ours still comes through."""
    if debug:
        yield
        return
    sys.stderr.flush()
    true_stderr, python_stderr = os.dup(2), sys.stderr
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        if descriptor(python_stderr) == 2:
            sys.stderr = os.fdopen(true_stderr, "w", 1, "utf-8", "backslashreplace", closefd=False)
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = python_stderr
        os.dup2(true_stderr, 2)
        os.close(true_stderr)


def descriptor(stream: TextIO) -> int | None:
    """Number of the file behind a stream; None where it is a buffer in memory."""
    try:
        return stream.fileno()
    except OSError:
        return None


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, so that what was begun is ended well."""
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Callable[[str, int, int, str], None]]:
    """A bar on stderr, if that is a terminal: gives a function of stage, steps done, steps in all, note."""
    if quiet or not sys.stderr.isatty():
        yield lambda stage, done, total, note="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:>14}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, int] = {}

        def show(stage: str, done: int, total: int, note: str = "") -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total, note=note)
            bar.update(tasks[stage], completed=done, total=total, note=note)

        yield show


@contextmanager
def working(what: str, quiet: bool, after: float = 0.0) -> Iterator[None]:
    """Something moves on stderr, if that is a terminal, while something is done of which nobody knows how long.

    Parameters
    ----------
    what : is done
    quiet : say nothing
    after : seconds that it may take without a word: SOON where most take less, so that these need not load what draws
    """
    if quiet or not sys.stderr.isatty():
        yield
        return
    over = threading.Event()

    def show() -> None:
        if after and over.wait(after):
            return
        from rich.console import Console
        from rich.text import Text

        # It is a terminal; asked now, it may be none, while the other thread reads sound and a library is kept silent.
        with Console(stderr=True, force_terminal=True).status(Text(printable(what))):  # names may look like markup
            over.wait()

    shown = threading.Thread(target=show, daemon=True)
    shown.start()
    try:
        yield
    finally:
        over.set()
        shown.join()
