"""A small machine: a quarter of a gigabyte of memory, and a tenth of one core.

`recognizer live`, `enroll` and `batch` run in control groups with these limits, as root on Linux, and once more
without. What `live` hears are digits of FSDD with pauses, as slowly as they were spoken: from a file, and through a
pipe into which somebody speaks from the moment on that the program is started. All modules were compiled before.
"""

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # as on a machine of one core
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from box import Limits, Run, boxed
from protocols import load, write_results

from recognizer.corpus import Utterance
from recognizer.sound import audio
from recognizer.sound.source import BLOCK

COMMAND = "python recipes/small/run.py FOLDER"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SMALL = Limits(memory=256 << 20, share=0.1)
RATE = 8000  # Hz, of FSDD and of the model
SAID, PAUSE = 2, 1.0  # takes of each digit by each speaker, and seconds before each of them
ROOM = 3e-4  # RMS of the quiet between words, full scale 1
SPEAKER, TAKES, FILES = "theo", 3, 10  # who enrolls, with how many takes of each digit; and files of `batch`
RUNS = 3  # of what takes seconds
MINUTE = 60.0
HELD = 0.5  # seconds of sound that the system keeps for a program such as arecord while the pipe after it is full


@dataclass(frozen=True)
class Word:
    """A digit, and from when to when it was said, seconds."""

    said: str
    start: float
    end: float


@dataclass(frozen=True)
class Answer:
    """What was heard, None where it was rejected; from when to when, seconds; how long after that it was told."""

    heard: str | None
    start: float
    end: float
    behind: float


def stream(utterances: Sequence[Utterance]) -> tuple[np.ndarray, list[Word]]:
    """Digits in a quiet room, (n,) float32 at RATE, and where they are in it."""
    random, parts, words, position = np.random.default_rng(0), [], [], 0.0
    for place in random.permutation(len(utterances)):
        utterance = utterances[place]
        samples = audio.load(utterance.path, RATE).samples
        start, position = position + PAUSE, position + PAUSE + len(samples) / RATE
        parts += [np.zeros(round(PAUSE * RATE), np.float32), samples]
        words.append(Word(DIGITS[int(utterance.word)], start, position))
    sound = np.concatenate([*parts, np.zeros(round(PAUSE * RATE), np.float32)])
    return (sound + ROOM * random.standard_normal(len(sound))).astype(np.float32), words


class Voice:
    """Speaks into a pipe as slowly as life; `late` has of every block when it was said, and how long it then waited."""

    def __init__(self, sound: np.ndarray) -> None:
        self._sound = np.round(sound * 32768).astype("<i2")  # as in a file
        self.late: list[tuple[float, float]] = []

    def __call__(self, pipe: int, began: float) -> None:
        size = round(BLOCK * RATE)
        for first in range(0, len(self._sound), size):
            said = (first + size) / RATE
            time.sleep(max(0.0, began + said - time.perf_counter()))
            os.write(pipe, self._sound[first : first + size].tobytes())
            self.late.append((said, time.perf_counter() - began - said))

    def longest_wait(self, since: float) -> float:
        """Seconds that a block said since then waited for room in the pipe, at most."""
        return max(late for said, late in self.late if said >= since)


def recognizer(*arguments: object) -> list[str]:
    """A command."""
    return [sys.executable, "-m", "recognizer", *map(str, arguments)]


def listens(run: Run) -> float:
    """Seconds from the start until `live` says that it listens."""
    return next(line.moment for line in run.lines if json.loads(line.text)["event"] == "calibrated")


def answers(run: Run, began: float | None) -> list[Answer]:
    """What `live --json` answered to a stream that began so many seconds after the program; at None, when it listened.

    A file is played once all else is done: what it calls its first quarter of a second is then heard in time.
    """
    events = [(json.loads(line.text), line.moment) for line in run.lines]
    if began is None:
        began = listens(run) - next(event["time"] for event, _ in events if event["event"] == "calibrated")
    return [
        Answer(event["word"], event["start"], event["end"], moment - began - event["end"])
        for event, moment in events
        if event["event"] in ("result", "rejected")
    ]


def told(words: Sequence[Word], heard: Sequence[Answer]) -> str:
    """How many words were answered, and how many rightly."""
    near = [[a for a in heard if a.start < word.end and a.end > word.start] for word in words]
    right = sum(any(a.heard == word.said for a in found) for word, found in zip(words, near))
    missed = sum(not found for found in near)
    return f"{len(words)} words: {right} right, {missed} without an answer"


def behind(heard: Sequence[Answer], first: float, last: float) -> str:
    """Seconds from the end of a word to its answer, median, of those said in a part of a stream."""
    return f"{median(a.behind for a in heard if first <= a.end < last):.2f} s"


def same(some: Sequence[Answer], others: Sequence[Answer]) -> str:
    """How many answers are the same, times included."""
    alike = sum((a.heard, a.start, a.end) == (b.heard, b.start, b.end) for a, b in zip(some, others))
    return f"{alike} of {max(len(some), len(others))}"


def live_row(what: str, run: Run, words: Sequence[Word], heard: Sequence[Answer]) -> str:
    """A row about a stream."""
    length = words[-1].end + PAUSE
    return (
        f"| {what} | {listens(run):.1f} s | {told(words, heard)} | {behind(heard, 0, MINUTE)} "
        f"| {behind(heard, length - MINUTE, length)} | {max(a.behind for a in heard):.2f} s "
        f"| {100 * run.cpu / length:.1f} % |"
    )


def cost_row(what: str, limits: Limits | None, runs: Sequence[Run]) -> str:
    """A row about a command: of several runs the greatest memory, and the medians of the times."""
    charged = "-" if runs[0].charged is None else megabytes(max(run.charged for run in runs))
    throttled = "-" if runs[0].throttled is None else f"{median(run.throttled for run in runs):.1f} s"
    line = (
        f"| {what} | {'in the box' if limits else 'without limits'} | {charged} "
        f"| {megabytes(max(run.resident for run in runs))} | {median(run.cpu for run in runs):.2f} s "
        f"| {median(run.seconds for run in runs):.1f} s | {throttled} |"
    )
    print(line, file=sys.stderr, flush=True)
    return line


def megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB"


def succeeded(run: Run) -> Run:
    """The run, if the command did what it should."""
    if run.status:
        raise SystemExit(f"a command ended with {run.status}")
    return run


def small_corpus(utterances: Sequence[Utterance], folder: Path) -> Path:
    """Takes of one speaker, in a folder for each word."""
    for digit, word in enumerate(DIGITS):
        takes = [u for u in utterances if u.speaker == SPEAKER and u.word == str(digit)][:TAKES]
        (folder / word).mkdir(parents=True)
        for take in takes:
            shutil.copy(take.path, folder / word)
    return folder


def commands(utterances: Sequence[Utterance], limits: Limits | None, work: Path) -> list[str]:
    """Rows: what takes seconds."""
    takes = small_corpus(utterances, work / f"takes-{limits is None}")
    some = [u.path for u in utterances[:: len(utterances) // FILES]][:FILES]
    numbers = count()

    def row(what: str, command: Callable[[], list[str]]) -> str:
        succeeded(boxed(command(), None, work))  # compiles what it imports
        return cost_row(what, limits, [succeeded(boxed(command(), limits, work)) for _ in range(RUNS)])

    return [
        row("`batch`, one file", lambda: recognizer("batch", some[0])),
        row(f"`batch`, {FILES} files", lambda: recognizer("batch", *some)),
        row(
            f"`enroll NAME --from FOLDER`, {len(DIGITS)} words, {TAKES} takes each",
            lambda: recognizer("enroll", f"one{limits is None}{next(numbers)}", "--from", takes, "--quiet"),
        ),
    ]


def boxes(limits: Limits, work: Path) -> Limits | None:
    """The limits where they can be set, and None where not."""
    try:
        succeeded(boxed([sys.executable, "-c", ""], limits, work))
    except OSError as error:
        print(f"no control group can be made: {error}", file=sys.stderr)
        return None
    return limits


def main(folder: Path, work: Path) -> None:
    """Measure everything, and write it down."""
    os.environ |= {"RECOGNIZER_HOME": str(work / "home"), "PYTHONPYCACHEPREFIX": str(work / "compiled")}
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    utterances = sorted(load(folder / "fsdd"), key=lambda u: u.path)
    limits = boxes(SMALL, work)
    costs = [row for each in dict.fromkeys((limits, None)) for row in commands(utterances, each, work)]
    said = [u for u in utterances if int(u.path.stem.split("_")[2]) < SAID]
    sound, words = stream(said)
    audio.save(work / "words.wav", sound, RATE)
    play = recognizer("live", "--json", "--from-file", work / "words.wav")
    succeeded(boxed(recognizer("live", "--json", "--from-file", said[0].path), None, work))  # compiles
    rows, heard = [], {}
    for each in dict.fromkeys((limits, None)):
        where = "in the box" if each else "without limits"
        run = succeeded(boxed(play, each, work))
        heard[each] = answers(run, None)
        rows.append(live_row(f"a file in real time, {where}", run, words, heard[each]))
        costs.append(cost_row(f"`live`, {len(sound) / RATE:.0f} s of sound", each, [run]))
    voice = Voice(sound)
    run = succeeded(boxed(recognizer("live", "--json", "-", "--raw", RATE), limits, work, voice))
    piped = answers(run, 0.0)
    rows.append(live_row(f"a pipe, {'in the box' if limits else 'without limits'}", run, words, piped))
    wait = voice.longest_wait(listens(run))
    how = (
        f"In the box: {limits.memory >> 20} MB, no swap, and {100 * limits.share:.0f} % of one core, by control groups "
        f"of Linux on {platform.machine()}."
        if limits
        else "No control groups could be made: nothing was limited but the cores, of which there was one."
    )
    write_results(
        Path(__file__),
        "A small machine",
        COMMAND,
        f"{how}\nCPU time is user and system, of one thread; the greatest memory and the median times of {RUNS} runs, "
        "`live` of one.",
        "\n".join(
            [
                "| command | | its own memory | with shared libraries | CPU | wall | kept from running |",
                "|---|---|---|---|---|---|---|",
                *costs,
            ]
        ),
        f"`live` hears {len(words)} digits of FSDD, whose speakers the model knows, {PAUSE:g} s apart. From the end of "
        "a word to its answer:",
        "\n".join(
            [
                "| sound | listens after | answers | in the first minute | in the last | at most | CPU of real time |",
                "|---|---|---|---|---|---|---|",
                *rows,
            ]
        ),
        f"The same answers, at the same times, in the box and without limits: {same(heard[limits], heard[None])}; "
        f"through the pipe and without limits: {same(piped, heard[None])}.\n"
        f"Once it listens, no block waits longer than {wait:.2f} s for room in the pipe; {HELD} s are kept by the "
        "system for the program before it.",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="https://github.com/Jakobovski/free-spoken-digit-dataset"
    )
    parser.add_argument("folder", type=Path, help="holds the corpus fsdd")
    with tempfile.TemporaryDirectory() as work:
        main(parser.parse_args().folder.resolve(), Path(work).resolve())
