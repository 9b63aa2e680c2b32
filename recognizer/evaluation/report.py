"""An evaluation as files: a page, JSON, CSV tables and pictures."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from recognizer.errors import RecognizerError, shown
from recognizer.evaluation.evaluation import NOTHING, Evaluation, headline
from recognizer.evaluation.report_page import report_page
from recognizer.files.pictures import LABELLED, lettering, require_matplotlib
from recognizer.files.writing import remedy, replacing
from recognizer.intervals import Proportion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INTERVALS = ("low", "high", "over", "bootstrap_low", "bootstrap_high")
LARGEST, UNLABELLED = 20.0, 10.0  # inches of a picture of many words, with their names and without
CELL, LINE = 0.35, 0.25  # inches of a word, where there is room
DOTS = 120  # an inch
SCORE_COLUMNS = ("correct", "n", "accuracy", *INTERVALS)


def write_report(evaluation: Evaluation, folder: Path, sample_rate: int | None = None) -> list[Path]:
    """Write the evaluation as a page, JSON, CSV tables and PNG pictures; gives the files written.

    Parameters
    ----------
    evaluation : what was found
    folder : which is made where there is none
    sample_rate : to which the model brings recordings, Hz; each has its own when None

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
        written.append(folder / "index.html")
        with _opened(written[-1], private=True) as file:  # for it has what people said
            file.write(report_page(evaluation, sample_rate))
        labels = (*evaluation.words, *evaluation.heard, *evaluation.by_speaker)
        with lettering(labels) as drawable:
            return written + _pictures(evaluation, folder, drawable)
    except OSError as error:
        what_to_do = remedy(error, "write the report elsewhere")
        raise RecognizerError(f"{shown(folder)} cannot be written: {error.strerror}; {what_to_do}") from None


@contextmanager
def _opened(path: Path, *, private: bool = False) -> Iterator[TextIO]:
    """A text file, whole or not at all; file names that are no text are written as escapes."""
    with (
        replacing(path, private=private) as temporary,
        open(temporary, "w", newline="", encoding="utf-8", errors="backslashreplace") as f,
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
    figures = {"confusion": _confusion(evaluation, drawable)}
    for name, scores in (("word", evaluation.by_word), ("speaker", evaluation.by_speaker)):
        if scores:
            figures[f"by_{name}"] = _accuracies(scores, name, drawable)
    written = [folder / f"{name}.png" for name in figures]
    for path, figure in zip(written, figures.values()):
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=DOTS, format="png", bbox_inches="tight", pad_inches=0.15)
    return written


def _sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """Axes of so many inches; the figure is as large as they and what is written around them when it is saved."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.add_axes((0, 0, 1, 1))


def _confusion(evaluation: Evaluation, drawable: Callable[[str], str]) -> Figure:
    """What was heard of each word that was said, words in the same order on both axes."""
    rows, columns = evaluation.confusion.shape
    nothing = NOTHING in evaluation.heard
    words = columns - nothing  # those that were heard, and those that were said are among them
    inch = max(_room(words, CELL), 1.5 / rows)
    figure, axes = _sheet(columns * inch, rows * inch)
    share = evaluation.confusion / evaluation.confusion.sum(1, keepdims=True)
    seen = np.where(share, 0.2 + 0.8 * share, 0)  # also where it is one of many
    axes.imshow(seen, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    measured = headline(evaluation.total).replace(" (", "\n").removesuffix(")")
    if words > LABELLED:
        axes.set_title(measured, fontsize=9)
        axes.set(xticks=[], yticks=[], ylabel=f"said: {rows} words, A to Z, named in confusion.csv")
        axes.set(xlabel=f"heard: {words} words, A to Z{' and nothing' if nothing else ''}")
        return figure
    axes.set_title(f"{measured}\nnumbers are recordings, colours their share of a row", fontsize=9)
    for (row, column), n in np.ndenumerate(evaluation.confusion):
        if n:
            colour = "white" if seen[row, column] > 0.5 else "black"
            axes.text(column, row, str(n), ha="center", va="center", color=colour, fontsize=min(8, 30 * inch))
    size = min(10, 40 * inch)
    axes.set_xticks(range(columns), [drawable(h or "(nothing)") for h in evaluation.heard], rotation=90, fontsize=size)
    axes.set_yticks(range(rows), map(drawable, evaluation.words), fontsize=size)
    axes.set(xlabel="heard", ylabel="said")
    return figure


def _accuracies(scores: dict[str, Proportion], what: str, drawable: Callable[[str], str]) -> Figure:
    """A point and an interval for each word or speaker: by name; where there is no room for names, the worst first."""
    number, labelled = len(scores), len(scores) <= LABELLED
    ordered = list(scores.values()) if labelled else sorted(scores.values(), key=lambda score: score.share)
    figure, axes = _sheet(5, max(number, 2) * _room(number, LINE))
    accuracy = np.array([score.share for score in ordered]) * 100
    interval = np.array([score.interval for score in ordered]) * 100
    ends, places = np.abs(interval.T - accuracy), range(number)
    point = {"markersize": 5, "capsize": 2, "elinewidth": 1} if labelled else {"markersize": 2, "elinewidth": 0.4}
    axes.errorbar(accuracy, places, xerr=ends, fmt="o", color="#1f5f99", ecolor="#777777", **point)
    axes.set(xlabel="accuracy, %, with 95 % interval", xlim=(10 * (interval.min() // 10) - 1, 101))
    axes.set_ylim(number - 0.4, -0.6)
    axes.set_title(f"accuracy by {what}, n = {sum(score.n for score in ordered)}", fontsize=10)
    axes.grid(axis="x", alpha=0.3)
    if labelled:
        axes.set_yticks(places, map(drawable, scores))
        counts = axes.secondary_yaxis("right")
        counts.set_yticks(places, [f"{score.count} of {score.n}" for score in ordered])
        counts.tick_params(length=0)
    else:
        axes.set(yticks=[], ylabel=f"{number} {what}s, the worst first, named in by_{what}.csv")
    return figure


def _room(number: int, inches: float) -> float:
    """Inches for each of so many words: as many as are given, fewer where they are many, and a dot at the least."""
    return max(min(inches, (LARGEST if number <= LABELLED else UNLABELLED) / number), 1 / DOTS)
