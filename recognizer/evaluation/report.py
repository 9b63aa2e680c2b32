"""An evaluation as files: JSON, CSV tables and pictures."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np

from recognizer.errors import RecognizerError, shown
from recognizer.evaluation.evaluation import Evaluation, headline
from recognizer.files.pictures import lettering, require_matplotlib
from recognizer.files.writing import remedy, replacing
from recognizer.intervals import Proportion

INTERVALS = ("low", "high", "over", "bootstrap_low", "bootstrap_high")
SCORE_COLUMNS = ("correct", "n", "accuracy", *INTERVALS)


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
        what_to_do = remedy(error, "write the report elsewhere")
        raise RecognizerError(f"{shown(folder)} cannot be written: {error.strerror}; {what_to_do}") from None


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """A text file, whole or not at all; file names that are no text are written as escapes."""
    with (
        replacing(path) as temporary,
        open(temporary, "x", newline="", encoding="utf-8", errors="backslashreplace") as f,
    ):
        yield f


def score_rows(evaluation: Evaluation) -> list[list]:
    """The scores as one table with a head: over all, by word, by speaker; then what was (not) rejected."""
    kinds = {"all": {"": evaluation.total}, "word": evaluation.by_word, "speaker": evaluation.by_speaker}
    return [
        ["of", "name", *SCORE_COLUMNS],
        *([kind, name, *_row(score)] for kind, scores in kinds.items() for name, score in scores.items() if score.n),
        *([kind, name, *row] for kind, name, *row in _rejection_rows(evaluation)),
    ]


def _rejection_rows(evaluation: Evaluation) -> list[list]:
    """What was rejected and should not have been, what was accepted and should not have been, by word too."""
    rates = [("false rejections", "", evaluation.false_rejections)]
    rates.append(("false acceptances", "", evaluation.false_acceptances))
    rates += [("false acceptances", word, rate) for word, rate in evaluation.unknown.items()]
    return [[of, name, *_row(rate)] for of, name, rate in rates if rate.n]


def _row(proportion: Proportion) -> list:
    """Counts, share and both intervals."""
    p = proportion
    return [p.count, p.n, p.share, *p.interval, p.over, *p.bootstrap]


def _tables(evaluation: Evaluation) -> dict[str, list[list]]:
    def rows(name: str, scores: dict[str, Proportion]) -> list[list]:
        return [[name, *SCORE_COLUMNS], *([key, *_row(score)] for key, score in scores.items())]

    counts = ([word, *map(int, row)] for word, row in zip(evaluation.words, evaluation.confusion))
    return {
        "by_word": rows("word", evaluation.by_word),
        "by_speaker": rows("speaker", evaluation.by_speaker),
        "rejection": [["of", "word", "count", "n", "rate", *INTERVALS], *_rejection_rows(evaluation)],
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
    figure.suptitle(headline(evaluation.total), fontsize=9, wrap=True)
    written = [folder / "confusion.png"]
    figure.savefig(written[0], dpi=120)
    for name, scores in (("by_word", evaluation.by_word), ("by_speaker", evaluation.by_speaker)):
        if scores:
            written.append(folder / f"{name}.png")
            _bars(scores, name.removeprefix("by_"), drawable).savefig(written[-1], dpi=120)
    return written


def _bars(scores: dict[str, Proportion], label: str, drawable: Callable[[str], str]):
    from matplotlib.figure import Figure

    ordered = sorted(scores.items(), key=lambda item: item[1].share)[:60]
    accuracy = np.array([s.share for _, s in ordered]) * 100
    interval = np.array([s.interval for _, s in ordered]) * 100
    figure = Figure(figsize=(6, 1.2 + 0.25 * len(ordered)), layout="constrained")
    axes = figure.subplots()
    error = np.abs(interval.T - accuracy)
    axes.barh(range(len(ordered)), accuracy, xerr=error, color="#5b8db8", ecolor="#444444", capsize=2)
    axes.set_yticks(range(len(ordered)), [f"{drawable(key)} ({s.n})" for key, s in ordered])
    axes.set(xlabel="accuracy, %, with 95 % interval", ylabel=label, xlim=(min(interval.min(), 90) - 2, 100.5))
    return figure
