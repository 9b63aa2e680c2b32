"""What the recipes share: train on some utterances, test on others, write down what came out."""

from __future__ import annotations

import argparse
import platform
import sys
import warnings
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

import numpy as np

from recognizer import Recognizer, RecognizerWarning
from recognizer.corpus import Utterance, find, unknown_files
from recognizer.evaluation.evaluation import Evaluation, evaluate, headline
from recognizer.intervals import Proportion
from recognizer.sound.perturbation import NOISE, Perturbation
from recognizer.training.augmentation import Augmentation
from recognizer.training.building import build
from recognizer.training.settings import TrainingSettings

NARROW_VTLP = (Perturbation(0.9), Perturbation(1.1))  # for speakers of one kind; see recipes/fsdd/choose.py
SERVE_OTHERS = (*NARROW_VTLP, *NOISE)

MODELS = Path(__file__).resolve().parents[1] / "models"
OTHERS = {  # what shipped models learn to reject, as far as it is not their vocabulary
    "speech_commands": "nine words of Speech Commands v0.01, CC BY 4.0, Pete Warden / Google",
    "speech_commands_30": "Speech Commands v0.01, about 8 takes of each of 30 words, likewise",
    "dspspeech20": "DSPSpeech-20, MIT, https://github.com/zhongyuchen/DSPSpeech-20",
    "arabic40": "Arabic Speech Commands, 24 of its speakers, CC BY 4.0, "
    "https://github.com/abdulkaderghandoura/arabic-speech-commands-dataset",
    "wake_words": "alexa, computer, jarvis of wake-word-benchmark, Apache-2.0, Picovoice, "
    "https://github.com/Picovoice/wake-word-benchmark",
    "noise/speech_commands": "background noises of Speech Commands v0.01, likewise",
    "noise/esc10": "ESC-10, CC BY 3.0, https://github.com/karolpiczak/ESC-10 (credits of each clip in its LICENSE)",
}

# Of lines in pictures, for any eyes: colours of Okabe and Ito ("Color universal design", 2008), each with a mark.
LOOKS = tuple(
    zip(
        ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8a8a8a", "#b8a800"),
        ("o", "s", "^", "D", "v", "P", "X", "<", ">"),
    )
)

Fold = tuple[list[Utterance], list[Utterance]]  # to train on, to test on


@dataclass(frozen=True)
class Setup:
    """What a recipe chooses; the rest are the program's defaults.

    Attributes
    ----------
    settings : of the training
    perturbations : copies of every recording
    augmentation : how further copies are drawn; none when None
    """

    settings: TrainingSettings = TrainingSettings()
    perturbations: tuple[Perturbation, ...] = ()
    augmentation: Augmentation | None = None

    def __str__(self) -> str:
        settings = self.settings
        size = f"{settings.mixtures} mixtures" if settings.codebook is None else f"codebook {settings.codebook}"
        parts = [f"{settings.states} states", settings.topology, settings.density, size]
        borrowed = [f"{settings.borrowed_frames:g} frames borrowed"] if settings.borrowed_frames else []
        sizes = ", ".join([*parts, f"floor {settings.variance_floor}", *borrowed])
        drawn = self.augmentation
        copies = [f"{drawn.copies} random copies: {', '.join(drawn.kinds)}"] if drawn else []
        return "; ".join([sizes, *map(described, self.perturbations), *copies])


def described(perturbation: Perturbation) -> str:
    """A perturbation in a few words."""
    noise = "" if perturbation.snr is None else f" with noise at {perturbation.snr:.0f} dB"
    return f"warp {perturbation.warp}{noise}"


def corpus_argument(where: str) -> Path:
    """The folder named on the command line; `where` says where the original is published."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__, epilog=f"The recordings: {where}")
    parser.add_argument("corpus", type=Path, help="folder of the recordings")
    return parser.parse_args().corpus


def train_and_test(fold: Fold, setup: Setup, jobs: int = 2) -> Evaluation:
    """Train on one part, test on the other."""
    training, test = fold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecognizerWarning)
        model, _ = build(
            training,
            settings=setup.settings,
            perturbations=setup.perturbations,
            augmentation=setup.augmentation,
            calibrate=False,
            jobs=jobs,
        )
    return evaluate(test, Recognizer(model).recognize_files([u.path for u in test], jobs=jobs))


def ship(
    name: str, utterances: Sequence[Utterance], setup: Setup, data: Path, known: Collection[str], card: dict
) -> None:
    """Train on everybody, teach what is to be rejected, and write models/NAME.npz.

    Parameters
    ----------
    name : of the model
    utterances, setup : to train on, and how
    data : folder that holds the corpora named in OTHERS
    known : the vocabulary as the corpora spell it, so that none of it is rejected
    card : what to say of the data, their licence and the accuracy
    """
    unknown, _ = unknown_files([data / corpus for corpus in OTHERS], known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecognizerWarning)
        model, _ = build(
            utterances,
            settings=setup.settings,
            perturbations=setup.perturbations,
            augmentation=setup.augmentation,
            unknown=unknown,
            jobs=2,
            card={"rejected": OTHERS, **card},
        )
    model.save(MODELS / f"{name}.npz")


def by_speaker(utterances: Sequence[Utterance], groups: int | None = None) -> list[Fold]:
    """Leave one speaker out, or one of `groups` groups of speakers."""
    speakers = sorted({u.speaker for u in utterances})
    group = {speaker: i % (groups or len(speakers)) for i, speaker in enumerate(speakers)}
    return [
        ([u for u in utterances if group[u.speaker] != g], [u for u in utterances if group[u.speaker] == g])
        for g in range(max(group.values()) + 1)
    ]


def held_out_quarter(utterances: Iterable[Utterance]) -> Fold:
    """Speech Commands' protocol: a speaker is tested if the SHA-1 of the name is a multiple of four."""
    tested = {u.speaker: int(sha1(u.speaker.encode()).hexdigest(), 16) % 4 == 0 for u in utterances}
    return [u for u in utterances if not tested[u.speaker]], [u for u in utterances if tested[u.speaker]]


def pooled(evaluations: Sequence[Evaluation]) -> Proportion:
    """Right answers over all folds; files that could not be read count as wrong, of nobody known."""
    unreadable = Proportion.of(0, sum(len(evaluation.unreadable) for evaluation in evaluations))
    return sum((evaluation.total for evaluation in evaluations), unreadable)


def run(name: str, folds: Sequence[Fold], setup: Setup) -> tuple[str, Proportion]:
    """One protocol: a row of the table of results, and the right answers."""
    evaluations = []
    for number, fold in enumerate(folds, 1):
        evaluations.append(train_and_test(fold, setup))
        print(f"{name} {number}/{len(folds)}: {headline(evaluations[-1].total)}", file=sys.stderr, flush=True)
    total = pooled(evaluations)
    return table_row(name, total, str(setup)), total


def choose(folds: Sequence[Fold], setups: Sequence[Setup], inner: Callable[[list[Utterance]], list[Fold]]) -> list[str]:
    """Rows comparing setups on training speakers only: every fold's training part, split again.

    What is returned never saw the test part of the fold whose training part it splits.
    """
    rows = []
    for setup in setups:
        scores = (pooled([train_and_test(fold, setup) for fold in inner(training)]) for training, _ in folds)
        rows.append(table_row("inner split", sum(scores, Proportion()), str(setup)))
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def calibration_error(
    confidence: Sequence[float], right: Sequence[bool], weight: Sequence[float] | None = None, bins: int = 10
) -> float:
    """Mean distance of confidence and share of right answers over bins of equal width (Guo and others 2017).

    Parameters
    ----------
    confidence, right : of each answer
    weight : how much each counts; all the same when None
    """
    confidence, right = np.asarray(confidence), np.asarray(right)
    weight = np.ones(len(right)) if weight is None else np.asarray(weight)
    place = np.minimum((bins * confidence).astype(int), bins - 1)
    apart = np.bincount(place, weight * (confidence - right), minlength=bins)
    return float(np.abs(apart).sum() / weight.sum())


def percent(interval: tuple[float, float]) -> str:
    """An interval as it stands in a table."""
    low, high = (100 * p for p in interval)
    return f"{low:.1f} to {high:.1f}"


def cells(score: Proportion) -> str:
    """Cells of a row: accuracy, n, the interval of Wilson, the one over speakers and how many they are."""
    intervals = f"{percent(score.interval)} | {percent(score.bootstrap)}, {score.over}"
    return f"{100 * score.share:.2f} | {score.n} | {intervals}"


CELLS = "accuracy % | n | 95 % interval | bootstrap over speakers"


def table_row(name: str, score: Proportion, setup: str) -> str:
    """A row: protocol, accuracy, n, intervals, setup."""
    return f"| {name} | {cells(score)} | {setup} |"


TABLE_HEAD = f"| protocol | {CELLS} | setup |\n|---|---|---|---|---|---|"


def speaker_table(total: Proportion) -> str:
    """Accuracy by speaker, worst first."""
    scores = {name: Proportion.of(*counts) for name, counts in total.by_speaker.items() if name is not None}
    ordered = sorted(scores.items(), key=lambda item: item[1].share)
    rows = [f"| {name} | {cells(score)} |" for name, score in ordered]
    return "\n".join([f"| speaker | {CELLS.replace('speakers', 'takes')} |", "|---|---|---|---|---|", *rows])


def write_results(recipe: Path, title: str, command: str, *parts: str) -> None:
    """RESULTS.md beside the recipe."""
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    text = "\n\n".join([f"# {title}", f"Made by `{command}` ({versions}).", *parts]) + "\n"
    (recipe.parent / "RESULTS.md").write_text(text, encoding="utf-8")
    print(text)


def measured(rows: Iterable[str]) -> str:
    """A table of two columns, each row shown when it is there."""
    table = ["| what | measured |", "|---|---|"]
    for row in rows:
        table.append(row)
        print(row, file=sys.stderr, flush=True)
    return "\n".join(table)


def load(corpus: Path) -> list[Utterance]:
    """All utterances of a corpus, with speakers known."""
    return [u for u in find(corpus) if u.speaker]
