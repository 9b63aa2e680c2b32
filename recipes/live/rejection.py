"""Rejection: how many unknown words and noises the digit model takes for digits, and how sure it should be.

The recipe of the shipped digits is trained without the test speakers of Speech Commands, and without any recording of
other words or of noises: whatever it rejects here it has learned from the digits themselves, each left out of the
vocabulary in turn, and from made-up noises. So all the 20 other words and all noises can be tested. (The shipped file
has learned from these, too.)
"""

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

RECIPES = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(RECIPES), str(RECIPES / "digits")]

import numpy as np
import run as shipped
from protocols import held_out_quarter, load

from recognizer import Recognizer, RecognizerWarning, Result, audio
from recognizer.building import build
from recognizer.corpus import Utterance, audio_files
from recognizer.evaluation import Score
from recognizer.features import FrontEnd
from recognizer.live import Session, listen
from recognizer.source import BLOCK, Block

POINTS = ("strict", "normal", "lenient")
RATE = 16000  # Hz, of the noises
RESULTS = Path(__file__).with_name("REJECTION.md")
COMMAND = "python recipes/live/rejection.py FOLDER"
NOTES = "## What was tried"  # written by hand, and kept


def trained(corpora: dict[str, list[Utterance]]) -> Recognizer:
    """The shipped recipe on these utterances, without unknown recordings."""
    utterances = [
        u for name, part in corpora.items() for u in (shipped.balanced(part) if name == "speech_commands" else part)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecognizerWarning)
        model, _ = build(
            utterances,
            front_end=FrontEnd.for_rate(8000),
            settings=shipped.SETTINGS,
            perturbations=shipped.PERTURBATIONS,
            enough=shipped.ENOUGH,
            jobs=2,
        )
    return Recognizer(model)


def expected_calibration_error(confidence: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """Mean distance of confidence and accuracy over bins of equal width, weighted by their answers."""
    error = 0.0
    for number in range(bins):
        inside = [(c, r) for c, r in zip(confidence, right) if min(int(c * bins), bins - 1) == number]
        error += abs(sum(c - r for c, r in inside))
    return error / len(confidence)


def results(recognizer: Recognizer, utterances: Sequence[Utterance], point: str) -> list[Result]:
    """What is heard in all of them, by the threshold of an operating point."""
    return [answer.result for answer in recognizer.recognize_files([u.path for u in utterances], threshold=point)]


def sounds(recognizer: Recognizer, samples: np.ndarray, point: str) -> list[bool]:
    """Whether each of the sounds that a live session hears is accepted as a word."""
    size = round(BLOCK * RATE)
    blocks = (Block(samples[i : i + size], RATE, i / RATE) for i in range(0, len(samples), size))
    events = [event for events in listen(blocks, Session(recognizer, threshold=point)) for event in events]
    return [event.kind == "result" for event in events if event.kind in ("result", "rejected")]


def row(what: str, point: str, number: int, n: int) -> str:
    """A row of the table of rates."""
    low, high = (100 * p for p in Score(number, n).interval)
    return f"| {what} | {point} | {100 * number / n:.1f} | {number} of {n} | {low:.1f} to {high:.1f} |"


def rates(recognizer: Recognizer, digits: Sequence[Utterance], others: Sequence[Utterance]) -> Iterator[str]:
    """Rows on digits, which should be accepted, and on other words, which should not."""
    for point in POINTS:
        heard = results(recognizer, digits, point)
        best = [bool(r.nbest) and r.nbest[0].word == u.word for u, r in zip(digits, heard)]
        accepted = [r.accepted for r in heard]
        right = sum(b and a for b, a in zip(best, accepted))
        unknown = [r.accepted for r in results(recognizer, others, point)]
        yield row("digits of test speakers rejected", point, len(heard) - sum(accepted), len(heard))
        yield row("of those a forced choice gets right, rejected", point, sum(best) - right, sum(best))
        yield row("answers to digits that are right", point, right, sum(accepted))
        yield row("unknown words accepted", point, sum(unknown), len(unknown))


def noise_rates(recognizer: Recognizer, files: Sequence[Path]) -> tuple[float, list[str]]:
    """Minutes of noise, and rows on what the live path takes for words in it."""
    clips = [audio.load(file, RATE).samples for file in files]
    minutes, rows = sum(map(len, clips)) / RATE / 60, []
    for point in POINTS:
        heard = [accepted for clip in clips for accepted in sounds(recognizer, clip, point)]
        rows.append(f"| {point} | {sum(heard) / minutes:.2f} | {sum(heard)} of {len(heard)} |")
    return minutes, rows


def main(data: Path) -> None:
    """Train, test, write down."""
    corpora = {name: shipped.digits(data / name) for name in shipped.ORIGINS}
    twice = {(u.word, u.path.name) for u in corpora["speech_commands"]}
    corpora["speech_commands_30"] = [u for u in corpora["speech_commands_30"] if (u.word, u.path.name) not in twice]
    corpora["speech_commands"], digits = held_out_quarter(corpora["speech_commands"])
    corpora["speech_commands_30"], _ = held_out_quarter(corpora["speech_commands_30"])
    others = [u for u in load(data / "speech_commands_30") if u.word not in shipped.DIGITS]

    recognizer = trained(corpora)
    table = list(rates(recognizer, digits, others))
    minutes, noisy = noise_rates(recognizer, audio_files([data / "noise"]))
    spoken = [(u.word, r) for u, r in zip(digits, results(recognizer, digits, "normal")) if r.nbest]
    confidence, right = [r.confidence for _, r in spoken], [r.nbest[0].word == word for word, r in spoken]
    heard = zip(others, results(recognizer, others, "normal"))
    taken = Counter(f"{u.word} for {r.word}" for u, r in heard if r.accepted)
    text = "\n\n".join(
        [
            "# Rejection by the digit model",
            f"Made by `{COMMAND}`.",
            __doc__.split("\n\n", 1)[1].strip(),
            "\n".join(["| what | operating point | % | counted | 95 % interval |", "|---|---|---|---|---|", *table]),
            f"Noises taken for a word through the live path ({minutes:.1f} minutes):",
            "\n".join(["| operating point | a minute | of the sounds heard |", "|---|---|---|", *noisy]),
            "Confidence: expected calibration error "
            f"{expected_calibration_error(confidence, right):.3f} over {len(right)} answers to digits of test\n"
            f"speakers (ten bins; mean confidence {np.mean(confidence):.3f}, right {np.mean(right):.3f}).",
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
