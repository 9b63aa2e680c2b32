"""Rejection: how many unknown words and noises the digit model takes for digits, and how sure it should be.

The recipe of the shipped digits is trained without the test speakers of Speech Commands. The 20 words that are no
digits, and the kinds of noise, are dealt to two halves by the hash of their names: a model learns to reject one half
(beside words of other corpora, as the shipped one does) and is tested on the other. Then the halves change
places, and both tests are pooled.
"""

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha1
from pathlib import Path

RECIPES = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(RECIPES), str(RECIPES / "digits")]

import numpy as np
import run as shipped
from protocols import calibration_error, held_out_quarter, load, percent

from recognizer import Recognizer, RecognizerWarning, Result
from recognizer.corpus import Utterance, audio_files, unknown_files
from recognizer.features.front_end import FrontEnd
from recognizer.intervals import Proportion
from recognizer.live.events import Answer, Heard
from recognizer.live.session import Session, listen
from recognizer.sound import audio
from recognizer.sound.source import BLOCK, Block
from recognizer.training.building import build

POINTS = ("strict", "normal", "lenient")
RATE = 16000  # Hz, of the noises
RESULTS = Path(__file__).with_name("REJECTION.md")
COMMAND = "python recipes/live/rejection.py FOLDER"
NOTES = "## What was tried"  # written by hand, and kept


def halves(names: Iterable[str]) -> dict[str, int]:
    """Half of the names is 0, the other 1, in the order of their hashes."""
    ordered = sorted(set(names), key=lambda name: sha1(name.encode()).hexdigest())
    return {name: int(2 * i >= len(ordered)) for i, name in enumerate(ordered)}


def kind(file: Path) -> str:
    """What a noise is of: the folder of a collection sorted by kind, else the file."""
    return file.stem if file.parent.name == "speech_commands" else file.parent.name


def source_of(file: Path, data: Path) -> Path:
    """Which of the folders that the shipped recipe names a recording is in."""
    return next(data / name for name in shipped.UNKNOWN if file.is_relative_to(data / name))


def trained(corpora: dict[str, list[Utterance]], unknown: dict[Path, Path]) -> Recognizer:
    """The shipped recipe on these utterances, with these unknown recordings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecognizerWarning)
        model, _ = build(
            shipped.chosen(corpora),
            front_end=FrontEnd.for_rate(8000),
            settings=shipped.SETTINGS,
            perturbations=shipped.PERTURBATIONS,
            unknown=unknown,
            enough=shipped.ENOUGH,
            jobs=2,
        )
    return Recognizer(model)


def results(recognizer: Recognizer, utterances: Sequence[Utterance], point: str) -> list[Result]:
    """What is heard in all of them, by the threshold of an operating point."""
    return [answer.result for answer in recognizer.recognize_files([u.path for u in utterances], threshold=point)]


def sounds(recognizer: Recognizer, samples: np.ndarray, point: str) -> list[bool]:
    """Whether each of the sounds that a live session hears is accepted as a word."""
    size = round(BLOCK * RATE)
    blocks = (Block(samples[i : i + size], RATE, i / RATE) for i in range(0, len(samples), size))
    events = [event for events in listen(blocks, Session(recognizer, threshold=point)) for event in events]
    return [isinstance(event, Heard) for event in events if isinstance(event, Answer)]


def test(
    recognizer: Recognizer, digits: Sequence[Utterance], others: Sequence[Utterance], noises: Sequence[Path]
) -> Iterator[tuple[str, str, Proportion]]:
    """What is counted, at which operating point, how often, of how many."""
    spoken_by = [u.speaker for u in digits]
    clips = [audio.load(file, RATE).samples for file in noises]
    for point in POINTS:
        heard = results(recognizer, digits, point)
        best = [bool(r.nbest) and r.nbest[0].word == u.word for u, r in zip(digits, heard)]
        accepted = [r.accepted for r in heard]
        yield "digits of test speakers rejected", point, Proportion.counted([not a for a in accepted], spoken_by)
        right = [(not a, speaker) for a, b, speaker in zip(accepted, best, spoken_by) if b]
        yield "of those a forced choice gets right, rejected", point, Proportion.counted(*zip(*right))
        answered = [(b, speaker) for a, b, speaker in zip(accepted, best, spoken_by) if a]
        yield "answers to digits that are right", point, Proportion.counted(*zip(*answered))
        unknown = [r.accepted for r in results(recognizer, others, point)]
        yield "unknown words accepted", point, Proportion.counted(unknown, [u.speaker for u in others])
        taken = [accepted for clip in clips for accepted in sounds(recognizer, clip, point)]
        yield "sounds in noise accepted", point, Proportion.of(sum(taken), len(taken))


def row(what: str, point: str, rate: Proportion) -> str:
    """A row of the table of rates."""
    intervals = f"{percent(rate.interval)} | {percent(rate.bootstrap)}, {rate.over}"
    return f"| {what} | {point} | {100 * rate.share:.1f} | {rate.count} of {rate.n} | {intervals} |"


def main(data: Path) -> None:
    """Train, test, write down."""
    corpora = shipped.read(data).takes
    corpora["speech_commands"], digits = held_out_quarter(corpora["speech_commands"])
    corpora["speech_commands_30"], _ = held_out_quarter(corpora["speech_commands_30"])
    others = [u for u in load(data / "speech_commands_30") if u.word not in shipped.DIGITS]
    more, _ = held_out_quarter([u for u in load(data / "speech_commands") if u.word not in shipped.DIGITS])
    noises = audio_files([data / "noise"])
    half = halves(u.word for u in others) | halves(map(kind, noises))
    always, _ = unknown_files([data / name for name in shipped.TAUGHT], set(shipped.DIGITS))

    counts: dict[tuple[str, str], Proportion] = {}
    answers: list[tuple[float, bool]] = []
    taken: Counter[str] = Counter()
    for tested in (0, 1):
        unknown = {u.path: source_of(u.path, data) for u in (*others, *more) if half[u.word] != tested}
        unknown |= {file: source_of(file, data) for file in noises if half[kind(file)] != tested}
        recognizer = trained(corpora, unknown | always)
        strangers = [u for u in others if half[u.word] == tested]
        for what, point, rate in test(
            recognizer, digits, strangers, [file for file in noises if half[kind(file)] == tested]
        ):
            counts[what, point] = counts.get((what, point), Proportion()) + rate
        heard = zip(digits, results(recognizer, digits, "normal"))
        answers += [(r.confidence, r.nbest[0].word == u.word) for u, r in heard if r.nbest]
        heard = zip(strangers, results(recognizer, strangers, "normal"))
        taken.update(f"{u.word} for {r.word}" for u, r in heard if r.accepted)
        print(f"half {tested + 1} tested", file=sys.stderr, flush=True)

    minutes = sum(len(audio.load(file, RATE).samples) for file in noises) / RATE / 60
    a_minute = "; ".join(f"{p} {counts['sounds in noise accepted', p].count / minutes:.2f}" for p in POINTS)
    confidence, right = zip(*answers)
    text = "\n\n".join(
        [
            "# Rejection by the digit model",
            f"Made by `{COMMAND}`.",
            __doc__.split("\n\n", 1)[1].strip(),
            "\n".join(
                [
                    "| what | operating point | % | counted | 95 % interval | bootstrap over speakers |",
                    "|---|---|---|---|---|---|",
                    *(row(*key, counts[key]) for key in sorted(counts)),
                ]
            ),
            f"False words a minute in {minutes:.1f} minutes of noise through the live path: {a_minute}.",
            f"Confidence: expected calibration error {calibration_error(confidence, right):.3f} over "
            f"{len(right)} answers to digits of test\n"
            f"speakers (ten bins; mean confidence {np.mean(confidence):.3f}, right {np.mean(right):.3f}). "
            "It is too low here by design:\nonly digits are said, and it takes other sounds to be as usual as digits.",
            f"Unknown words taken for digits at normal: {', '.join(f'{what} {n}' for what, n in taken.most_common())}.",
        ]
    )
    kept = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    notes = "\n\n" + kept[kept.index(NOTES) :] if NOTES in kept else "\n"
    RESULTS.write_text(text + notes, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="; ".join([*shipped.ORIGINS.values(), *shipped.UNKNOWN.values()])
    )
    parser.add_argument("data", type=Path, help="folder that holds the corpora and noises")
    main(parser.parse_args().data)
