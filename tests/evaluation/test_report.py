"""Pictures of an evaluation: nothing overlaps, nothing is cut off, no length misleads, however many words there are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from recognizer.evaluation.evaluation import NOTHING, Evaluation
from recognizer.evaluation.report import _accuracies, _confusion
from recognizer.files.pictures import LABELLED
from recognizer.intervals import Proportion

pytest.importorskip("matplotlib")
from matplotlib.patches import Rectangle

NONE = Proportion()


def evaluated(words: tuple[str, ...], heard: tuple[str, ...] | None = None) -> Evaluation:
    """Nine of ten recordings of each word right, the tenth heard as the last column."""
    columns = words if heard is None else heard
    confusion = np.zeros((len(words), len(columns)), dtype=int)
    confusion[np.arange(len(words)), np.arange(len(words))] = 9
    confusion[:, -1] += 1
    scores = {word: Proportion.of(9, 10) for word in words}
    total = sum(scores.values(), NONE)
    return Evaluation(total, scores, {}, words, columns, confusion, (), NONE, NONE, {}, {})


def names(count: int) -> tuple[str, ...]:
    return tuple(f"w{number:04d} a long word" for number in range(count))


def boxes(axis) -> list:
    """Where the labels of an axis stand, those that say something."""
    axis.get_figure().draw_without_rendering()
    labels = [label for label in axis.get_ticklabels() if label.get_text()]
    return sorted((label.get_window_extent() for label in labels), key=lambda box: (box.x0, box.y0))


def told(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in (axes.title, axes.xaxis.label, axes.yaxis.label)]


@pytest.mark.parametrize("count", [1, 12, LABELLED])
def test_names_do_not_overlap(count):
    words = names(count)
    found = evaluated(words, (*words, NOTHING))
    confusion, accuracies = _confusion(found, str), _accuracies(found.by_word, "word", str)
    columns = boxes(confusion.axes[0].xaxis)
    assert len(columns) == count + 1
    assert all(one.x1 <= other.x0 for one, other in pairwise(columns))
    for axes in (confusion.axes[0], accuracies.axes[0]):
        labels = sorted(boxes(axes.yaxis), key=lambda box: box.y0)
        assert len(labels) == count
        assert all(one.y1 <= other.y0 + 1 for one, other in pairwise(labels))


@pytest.mark.parametrize("count", [1, 10, LABELLED + 1])
def test_what_is_written_beside_the_axes_does_not_overlap(count):
    found = evaluated(names(count))
    for figure in (_confusion(found, str), _accuracies(found.by_word, "word", str)):
        figure.draw_without_rendering()
        axes = figure.axes[0]
        title, below, left = (t.get_window_extent() for t in (axes.title, axes.xaxis.label, axes.yaxis.label))
        assert not title.overlaps(left)
        assert not below.overlaps(left)


def test_where_names_have_no_room_it_is_told_where_they_are():
    found = evaluated(names(LABELLED + 1))
    confusion, accuracies = _confusion(found, str), _accuracies(found.by_word, "word", str)
    for figure, file in ((confusion, "confusion.csv"), (accuracies, "by_word.csv")):
        assert boxes(figure.axes[0].yaxis) == []
        assert any(f"{LABELLED + 1} words" in text and file in text for text in told(figure))
    assert max(confusion.get_size_inches()) <= 12


def test_a_confusion_has_a_dot_at_least():
    figure = _confusion(evaluated(names(3000)), str)
    assert min(figure.get_size_inches()) * 120 >= 3000


def test_how_many_recordings_there_are_is_told():
    found = evaluated(names(3))
    for figure in (_confusion(found, str), _accuracies(found.by_word, "word", str)):
        assert any("n = 30" in text for text in told(figure))
    counts = _accuracies(found.by_word, "word", str).axes[0].child_axes[0]
    assert [label.get_text() for label in counts.get_yticklabels()] == ["9 of 10"] * 3


def test_accuracies_are_points_with_their_intervals():
    """No bar is cut off at its foot, as there is none."""
    scores = {"a": Proportion.of(9, 10), "b": Proportion.of(5, 10), "c": Proportion.of(10, 10)}
    [axes] = _accuracies(scores, "word", str).axes
    assert not [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    [errorbar] = axes.containers
    points, _, [lines] = errorbar
    np.testing.assert_allclose(points.get_xdata(), [90, 50, 100])
    ends = np.array([segment[:, 0] for segment in lines.get_segments()])
    np.testing.assert_allclose(ends, [np.multiply(100, score.interval) for score in scores.values()])
    low, high = axes.get_xlim()
    assert low < ends.min()
    assert ends.max() < high
    top, bottom = (axes.transData.transform((0, place))[1] for place in (0, 2))
    assert top > bottom, "the first stands above"


def test_numbers_can_be_read_on_every_colour():
    found = evaluated(("a", "b", "c"))
    axes = _confusion(found, str).axes[0]
    [picture] = axes.images
    for text in axes.texts:
        column, row = map(round, text.get_position())
        shade = picture.cmap(picture.norm(picture.get_array()[row, column]))
        darkness = 1 - np.dot(shade[:3], (0.299, 0.587, 0.114))
        assert abs(darkness - (text.get_color() == "black") * 1.0) > 0.35, (row, column)
