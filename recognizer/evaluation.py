"""How well a model does on a labelled corpus: accuracy with its interval, rejections, confusions, the worst files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from recognizer.audio import shown
from recognizer.corpus import Utterance
from recognizer.errors import RecognizerError
from recognizer.pictures import lettering, require_matplotlib
from recognizer.recognition import FileResult
from recognizer.writing import replacing

SCORE_COLUMNS = ("correct", "n", "accuracy", "low", "high")
NOTHING = ""  # the column of the confusion matrix for utterances in which no word was heard


@dataclass(frozen=True)
class Score:
    """A proportion of right answers.

    Attributes
    ----------
    correct, n : right answers, and all
    """

    correct: int
    n: int

    @property
    def accuracy(self) -> float | None:
        """Share of right answers, 0 to 1; None without any."""
        return self.correct / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % Wilson interval."""
        return wilson(self.correct, self.n) if self.n else None

    def as_json(self) -> dict:
        """Accuracy, n and interval as plain data."""
        return {"accuracy": self.accuracy, "n": self.n, "interval": self.interval and list(self.interval)}


@dataclass(frozen=True)
class Rate:
    """How often something happened that should not.

    Attributes
    ----------
    count, n : times that it did, and that it could have
    """

    count: int
    n: int

    @property
    def rate(self) -> float | None:
        """Share, 0 to 1; None where it could not happen."""
        return self.count / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % Wilson interval."""
        return wilson(self.count, self.n) if self.n else None

    def as_json(self) -> dict:
        """Rate, count, n and interval as plain data."""
        interval = self.interval and list(self.interval)
        return {"rate": self.rate, "count": self.count, "n": self.n, "interval": interval}


@dataclass(frozen=True)
class Mistake:
    """A file whose best word was not its label; `margin` is how far the label scored behind, nats a frame."""

    path: Path
    word: str
    heard: str | None
    confidence: float
    margin: float | None


@dataclass(frozen=True)
class Evaluation:
    """The outcome of a test.

    Attributes
    ----------
    total : of the forced choice, over all files that could be read and hold a word of the model
    by_word, by_speaker : the same for each word, and for each speaker that is known
    words : rows of the confusion matrix, words that the model lacks among them
    heard : its columns; "" is no word
    confusion : (words, heard) counts of the forced choice
    mistakes : of the forced choice, worst first
    false_rejections : words of the model that were rejected
    false_acceptances : words that the model lacks, taken for one of its own
    unknown : the same for each of these words
    unreadable : files that could not be read, with the reason
    """

    total: Score
    by_word: dict[str, Score]
    by_speaker: dict[str, Score]
    words: tuple[str, ...]
    heard: tuple[str, ...]
    confusion: np.ndarray
    mistakes: tuple[Mistake, ...]
    false_rejections: Rate
    false_acceptances: Rate
    unknown: dict[str, Rate]
    unreadable: dict[str, str]

    def as_json(self) -> dict:
        """Everything as plain JSON data."""
        return {
            **self.total.as_json(),
            "false_rejections": self.false_rejections.as_json(),
            "false_acceptances": self.false_acceptances.as_json(),
            "unknown": {word: rate.as_json() for word, rate in self.unknown.items()},
            "by_word": {word: score.as_json() for word, score in self.by_word.items()},
            "by_speaker": {speaker: score.as_json() for speaker, score in self.by_speaker.items()},
            "confusion": {
                word: {heard: int(n) for heard, n in zip(self.heard, row) if n}
                for word, row in zip(self.words, self.confusion)
            },
            "mistakes": [
                {
                    "file": str(m.path),
                    "word": m.word,
                    "heard": m.heard,
                    "confidence": m.confidence,
                    "margin": m.margin,
                }
                for m in self.mistakes
            ],
            "unreadable": self.unreadable,
        }


def evaluate(
    utterances: Sequence[Utterance], results: Iterable[FileResult], vocabulary: Collection[str] | None = None
) -> Evaluation:
    """Compare what was heard with labels, as a forced choice, and count what should (not) have been rejected.

    The forced choice takes the best word even of what was rejected; an utterance without any counts as wrong.

    Parameters
    ----------
    utterances : what was said
    results : what was heard, in the same order
    vocabulary : the words of the model; whatever was said is one of them when None

    Raises
    ------
    RecognizerError
        if no file at all could be read.
    """
    answered: list[tuple[Utterance, FileResult]] = []
    unreadable: dict[str, str] = {}
    for utterance, result in zip(utterances, results):
        if result.error is None:
            answered.append((utterance, result))
        else:
            unreadable[str(utterance.path)] = result.error
    if not answered:
        reason = next(iter(unreadable.values()), "the corpus is empty")
        raise RecognizerError(f"none of the {len(unreadable)} files can be tested: {reason}")
    said = [u.word for u, _ in answered]
    heard = [r.result.nbest[0].word if r.result.nbest else NOTHING for _, r in answered]
    accepted = np.array([r.result.accepted for _, r in answered])
    known = np.array([vocabulary is None or word in vocabulary for word in said])
    words = tuple(sorted(set(said)))
    columns = tuple(sorted(set(said) | set(heard) - {NOTHING})) + ((NOTHING,) if NOTHING in heard else ())
    confusion = np.zeros((len(words), len(columns)), dtype=int)
    np.add.at(confusion, ([words.index(w) for w in said], [columns.index(w) for w in heard]), 1)
    right = np.array(said) == np.array(heard)
    tested = [answer for answer, k in zip(answered, known) if k]
    said, right = np.array(said), right[known]
    return Evaluation(
        Score(int(right.sum()), len(right)),
        _scores([u.word for u, _ in tested], right),
        _scores([u.speaker for u, _ in tested], right),
        words,
        columns,
        confusion,
        tuple(sorted((_mistake(u, r) for (u, r), ok in zip(tested, right) if not ok), key=_badness)),
        _rate(~accepted[known]),
        _rate(accepted[~known]),
        {str(word): _rate(accepted[said == word]) for word in np.unique(said[~known])},
        unreadable,
    )


def wilson(correct: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval for a proportion (Wilson 1927), 95 % by default, within 0 to 1."""
    p = correct / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # The proportion lies inside even after rounding.
    return max(0.0, min(p, float(centre - half))), min(1.0, max(p, float(centre + half)))


def write_report(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write the evaluation as JSON, CSV tables and PNG pictures; gives the files written.

    Raises
    ------
    RecognizerError
        if the folder cannot be made or matplotlib, the extra `plot`, is missing.
    """
    require_matplotlib()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / "evaluation.json"]
        with _opened(written[0]) as file:
            file.write(json.dumps(evaluation.as_json(), ensure_ascii=False, indent=2) + "\n")
        for name, rows in _tables(evaluation).items():
            written.append(folder / f"{name}.csv")
            with _opened(written[-1]) as file:
                csv.writer(file).writerows(rows)
        labels = (*evaluation.words, *evaluation.heard, *evaluation.by_speaker)
        with lettering(labels) as drawable:
            return written + _pictures(evaluation, folder, drawable)
    except OSError as error:
        raise RecognizerError(f"{shown(folder)} cannot be written: {error.strerror}; choose another --report") from None


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """A text file, whole or not at all; file names that are no text are written as escapes."""
    with (
        replacing(path) as temporary,
        open(temporary, "x", newline="", encoding="utf-8", errors="backslashreplace") as f,
    ):
        yield f


def _rate(happened: np.ndarray) -> Rate:
    return Rate(int(happened.sum()), len(happened))


def _scores(keys: Sequence[str | None], right: np.ndarray) -> dict[str, Score]:
    keys = np.array([key if key is not None else NOTHING for key in keys])
    return {str(key): Score(int(right[keys == key].sum()), int((keys == key).sum())) for key in np.unique(keys) if key}


def _mistake(utterance: Utterance, answer: FileResult) -> Mistake:
    result = answer.result
    scores = {candidate.word: candidate.score for candidate in result.nbest}
    heard = result.nbest[0].word if result.nbest else None
    margin = scores[heard] - scores[utterance.word] if utterance.word in scores else None
    return Mistake(utterance.path, utterance.word, heard, result.confidence, margin)


def _badness(mistake: Mistake) -> tuple[float, str]:
    return -mistake.confidence, str(mistake.path)


def score_rows(evaluation: Evaluation) -> list[list]:
    """The scores as one table with a head: over all, by word, by speaker; then what was (not) rejected."""
    kinds = {"all": {"": evaluation.total}, "word": evaluation.by_word, "speaker": evaluation.by_speaker}
    return [
        ["of", "name", *SCORE_COLUMNS],
        *(
            [kind, name, *_score_row(score)]
            for kind, scores in kinds.items()
            for name, score in scores.items()
            if score.n
        ),
        *([kind, name, *row] for kind, name, *row in _rejection_rows(evaluation)),
    ]


def _rejection_rows(evaluation: Evaluation) -> list[list]:
    """What was rejected and should not have been, what was accepted and should not have been, by word too."""
    rates = [("false rejections", "", evaluation.false_rejections)]
    rates.append(("false acceptances", "", evaluation.false_acceptances))
    rates += [("false acceptances", word, rate) for word, rate in evaluation.unknown.items()]
    return [[of, name, r.count, r.n, r.rate, *r.interval] for of, name, r in rates if r.n]


def _score_row(score: Score) -> list:
    return [score.correct, score.n, score.accuracy, *score.interval]


def _tables(evaluation: Evaluation) -> dict[str, list[list]]:
    def rows(name: str, scores: dict[str, Score]) -> list[list]:
        return [[name, *SCORE_COLUMNS], *([key, *_score_row(score)] for key, score in scores.items())]

    counts = ([word, *map(int, row)] for word, row in zip(evaluation.words, evaluation.confusion))
    return {
        "by_word": rows("word", evaluation.by_word),
        "by_speaker": rows("speaker", evaluation.by_speaker),
        "rejection": [["of", "word", "count", "n", "rate", "low", "high"], *_rejection_rows(evaluation)],
        "confusion": [["said", *(heard or "(nothing)" for heard in evaluation.heard)], *counts],
        "mistakes": [
            ["file", "word", "heard", "confidence", "margin"],
            *([m.path, m.word, m.heard, m.confidence, m.margin] for m in evaluation.mistakes),
        ],
    }


def _pictures(evaluation: Evaluation, folder: Path, drawable: Callable[[str], str]) -> list[Path]:
    from matplotlib.figure import Figure

    confusion = evaluation.confusion
    size = max(5.0, 2.5 + 0.35 * len(evaluation.heard))  # so that the headline fits
    figure = Figure(figsize=(size, size * 0.9), layout="constrained")
    axes = figure.subplots()
    axes.imshow(confusion / confusion.sum(1, keepdims=True), cmap="Blues", vmin=0, vmax=1)
    for (row, column), n in np.ndenumerate(confusion):
        if n:
            dark = n > confusion[row].sum() / 2
            axes.text(column, row, str(n), ha="center", va="center", color="white" if dark else "black", fontsize=8)
    heard = [drawable(h or "(nothing)") for h in evaluation.heard]
    axes.set_xticks(range(len(heard)), heard, rotation=90)
    axes.set_yticks(range(len(evaluation.words)), map(drawable, evaluation.words))
    axes.set(xlabel="heard", ylabel="said")
    figure.suptitle(headline(evaluation.total), fontsize=9)
    written = [folder / "confusion.png"]
    figure.savefig(written[0], dpi=120)
    for name, scores in (("by_word", evaluation.by_word), ("by_speaker", evaluation.by_speaker)):
        if scores:
            written.append(folder / f"{name}.png")
            _bars(scores, name.removeprefix("by_"), drawable).savefig(written[-1], dpi=120)
    return written


def _bars(scores: dict[str, Score], label: str, drawable: Callable[[str], str]):
    from matplotlib.figure import Figure

    ordered = sorted(scores.items(), key=lambda item: item[1].accuracy)[:60]
    accuracy = np.array([s.accuracy for _, s in ordered]) * 100
    interval = np.array([s.interval for _, s in ordered]) * 100
    figure = Figure(figsize=(6, 1.2 + 0.25 * len(ordered)), layout="constrained")
    axes = figure.subplots()
    error = np.abs(interval.T - accuracy)
    axes.barh(range(len(ordered)), accuracy, xerr=error, color="#5b8db8", ecolor="#444444", capsize=2)
    axes.set_yticks(range(len(ordered)), [f"{drawable(key)} ({s.n})" for key, s in ordered])
    axes.set(xlabel="accuracy, %, with 95 % interval", ylabel=label, xlim=(min(interval.min(), 90) - 2, 100.5))
    return figure


def headline(score: Score) -> str:
    """One line: accuracy, n and interval."""
    if not score.n:
        return "accuracy: none of the recordings is of a word of the model"
    low, high = (100 * p for p in score.interval)
    return f"accuracy {100 * score.accuracy:.2f} % (n = {score.n}, 95 % interval {low:.1f} to {high:.1f})"
