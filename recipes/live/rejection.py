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
from pathlib import Path

RECIPES = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(RECIPES), str(RECIPES / "digits")]

import run as shipped
from protocols import held_out_quarter, load

from recognizer import Recognizer, RecognizerWarning, audio
from recognizer.building import build
from recognizer.corpus import Utterance, audio_files
from recognizer.evaluation import Score
from recognizer.features import FrontEnd

POINTS = ("strict", "normal", "lenient")
PIECES = (5.0, 2.0, 1.0)  # seconds of noise at a time
RESULTS = Path(__file__).with_name("REJECTION.md")
COMMAND = "python recipes/live/rejection.py FOLDER"


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


def accepted(recognizer: Recognizer, files: list[Path], point: str | float) -> list:
    """Results of all files."""
    return [answer.result for answer in recognizer.recognize_files(files, threshold=point, jobs=1)]


def expected_calibration_error(confidence: list[float], right: list[bool], bins: int = 10) -> float:
    """Mean distance of confidence and accuracy over bins of equal width, weighted by their answers."""
    error = 0.0
    for number in range(bins):
        inside = [(c, r) for c, r in zip(confidence, right) if min(int(c * bins), bins - 1) == number]
        error += abs(sum(c - r for c, r in inside))
    return error / len(confidence)


def row(what: str, point: str, score: Score) -> str:
    """A row of the table of rates."""
    low, high = (100 * p for p in score.interval)
    return f"| {what} | {point} | {100 * score.accuracy:.1f} | {score.correct} of {score.n} | {low:.1f} to {high:.1f} |"


def main(data: Path) -> None:
    corpora = {name: shipped.digits(data / name) for name in shipped.ORIGINS}
    twice = {(u.word, u.path.name) for u in corpora["speech_commands"]}
    corpora["speech_commands_30"] = [u for u in corpora["speech_commands_30"] if (u.word, u.path.name) not in twice]
    corpora["speech_commands"], test = held_out_quarter(corpora["speech_commands"])
    corpora["speech_commands_30"], _ = held_out_quarter(corpora["speech_commands_30"])
    others = [u for u in load(data / "speech_commands_30") if u.word not in shipped.DIGITS]
    noises = audio_files([data / "noise"])

    recognizer = trained(corpora)
    counts: Counter[tuple] = Counter()
    confidence: list[float] = []
    right: list[bool] = []
    taken: Counter[str] = Counter()
    for point in POINTS:
        for name, part in (("digits", test), ("words", others)):
            results = accepted(recognizer, [u.path for u in part], point)
            counts[name, point, "n"] = len(part)
            counts[name, point, "accepted"] = sum(r.accepted for r in results)
            if name == "words" and point == "normal":
                taken.update(f"{u.word} for {r.word}" for u, r in zip(part, results) if r.accepted)
            if name == "digits":
                counts["answers", point, "n"] = sum(r.accepted for r in results)
                counts["answers", point, "right"] = sum(r.word == u.word for u, r in zip(part, results))
            if name == "digits" and point == "normal":
                confidence = [r.confidence for r in results if r.nbest]
                right = [r.nbest[0].word == u.word for u, r in zip(part, results) if r.nbest]
    seconds = 0.0
    for file in noises:
        loaded = audio.load(file, 16000)
        seconds += len(loaded.samples) / 16000
        for piece in PIECES:
            size = round(piece * 16000)
            for begin in range(0, len(loaded.samples) - size // 2, size):
                samples = loaded.samples[begin : begin + size]
                for point in POINTS:
                    counts["noise", piece, point] += recognizer.recognize(samples, 16000, threshold=point).accepted

    minutes = seconds / 60
    rates = [
        row("digits of test speakers rejected", point, Score(n - counts["digits", point, "accepted"], n))
        for point in POINTS
        if (n := counts["digits", point, "n"])
    ]
    rates += [
        row("unknown words accepted", point, Score(counts["words", point, "accepted"], counts["words", point, "n"]))
        for point in POINTS
    ]
    rates += [
        row("answers to digits that are right", point, Score(counts["answers", point, "right"], n))
        for point in POINTS
        if (n := counts["answers", point, "n"])
    ]
    per_minute = [
        f"| {piece:.0f} s at a time | "
        + " | ".join(f"{counts['noise', piece, p] / minutes:.2f} ({counts['noise', piece, p]})" for p in POINTS)
        + " |"
        for piece in PIECES
    ]
    mistaken = ", ".join(f"{what} {n}" for what, n in taken.most_common())
    ece = expected_calibration_error(confidence, right)
    parts = [
        "# Rejection by the digit model",
        f"Made by `{COMMAND}`.",
        __doc__.split("\n\n", 1)[1].strip(),
        "| what | operating point | % | counted | 95 % interval |\n|---|---|---|---|---|\n" + "\n".join(rates),
        f"Noises accepted as a word, per minute of noise ({minutes:.1f} minutes, cut into pieces):",
        "| pieces | " + " | ".join(POINTS) + " |\n|---|---|---|---|\n" + "\n".join(per_minute),
        f"Confidence: expected calibration error {ece:.3f} over {len(right)} answers to digits of test speakers\n"
        f"(ten bins; mean confidence {sum(confidence) / len(right):.3f}, right {sum(right) / len(right):.3f}).",
        f"Unknown words taken for digits at normal: {mistaken}.",
    ]
    text = "\n\n".join(parts) + "\n"
    kept = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    notes = kept[kept.index(NOTES) :] if NOTES in kept else ""
    RESULTS.write_text(text + ("\n" + notes if notes else ""), encoding="utf-8")
    print(text)


NOTES = "## What was tried"  # written by hand, and kept

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds the corpora and noises")
    main(parser.parse_args().data)
