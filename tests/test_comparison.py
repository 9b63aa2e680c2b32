"""McNemar's test against sums of binomials, and counts against what was put in."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.corpus import Utterance
from recognizer.errors import RecognizerError
from recognizer.evaluation.comparison import OUTCOMES, Comparison, compare, mcnemar
from recognizer.intervals import wilson
from recognizer.recognition.result import Candidate, Result
from recognizer.recognizer import FileResult


def heard(path: Path, word: str | None) -> FileResult:
    nbest = () if word is None else (Candidate(word, -1.0, 0.5), Candidate("other", -2.0, 0.5))
    return FileResult(path, Result(None, 0.5, False, nbest, None, None, 1.0), None, 8000)


def compared(*outcomes: tuple[str, bool, bool]) -> Comparison:
    """Of words that were said, and whether A and B were right."""
    paths = [Path(f"{n}.wav") for n in range(len(outcomes))]
    said = [Utterance(path, word, None) for path, (word, *_) in zip(paths, outcomes)]
    answers = [
        [heard(path, word if right[which] else "wrong") for path, (word, *right) in zip(paths, outcomes)]
        for which in (0, 1)
    ]
    return compare(said, *answers)


# McNemar


@given(st.integers(0, 60), st.integers(0, 60))
@settings(deadline=None)
def test_the_exact_test_is_twice_the_tail_of_the_binomial(only_a, only_b):
    n = only_a + only_b
    tail = sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n
    assert mcnemar(only_a, only_b) == pytest.approx(min(1.0, 2 * tail))
    assert mcnemar(only_a, only_b) == pytest.approx(mcnemar(only_b, only_a))


def test_known_cases():
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(7, 7) == 1.0
    assert mcnemar(0, 1) == 1.0
    assert mcnemar(0, 5) == pytest.approx(2 / 32)
    assert mcnemar(0, 6) == pytest.approx(2 / 64)
    assert mcnemar(1, 9) == pytest.approx(2 * 11 / 1024)


# Counts


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.booleans(), st.booleans()), min_size=1, max_size=30))
@settings(deadline=None)
def test_counts_are_those_that_were_made(outcomes):
    found = compared(*outcomes)
    counts = [found.both, found.only_a, found.only_b, found.neither]
    assert counts == [sum((a, b) == outcome for _, a, b in outcomes) for outcome in OUTCOMES]
    assert found.n == len(outcomes)
    assert found.a.correct == sum(a for _, a, _ in outcomes)
    assert found.b.correct == sum(b for *_, b in outcomes)
    assert set(found.by_word) == {word for word, *_ in outcomes}
    for word in found.by_word:
        more = sum(b - a for w, a, b in outcomes if w == word)
        assert found.gained.get(word, 0) == max(more, 0)
        assert found.lost.get(word, 0) == max(-more, 0)
    record = json.loads(json.dumps(found.as_json()))
    assert [record[key] for key in ("both", "only_a", "only_b", "neither")] == counts
    assert record["a"]["interval"] == pytest.approx(list(wilson(found.a.correct, found.n)))
    assert record["p"] == mcnemar(found.only_a, found.only_b)


def test_words_that_changed_most_come_first():
    found = compared(("x", False, True), *[("y", False, True)] * 3, *[("z", True, False)] * 2)
    assert list(found.gained.items()) == [("y", 3), ("x", 1)]
    assert found.lost == {"z": 2}


def test_nothing_heard_is_wrong_even_of_both():
    path = Path("a.wav")
    found = compare([Utterance(path, "x", None)], [heard(path, None)], [heard(path, "x")])
    assert (found.only_b, found.n) == (1, 1)


@pytest.mark.parametrize("unreadable_for", [(0,), (1,), (0, 1)])
def test_what_one_of_them_cannot_read_is_left_out(unreadable_for):
    paths = Path("a.wav"), Path("b.wav")
    said = [Utterance(path, "x", None) for path in paths]
    answers = [[heard(path, "x") for path in paths] for _ in range(2)]
    for which in unreadable_for:
        answers[which][0] = FileResult(paths[0], None, "a.wav: is empty")
    found = compare(said, *answers, left_out={"z", "y"})
    assert (found.both, found.n) == (1, 1)
    assert found.unreadable == {"a.wav": "a.wav: is empty"}
    assert found.left_out == ("y", "z")


def test_nothing_that_could_be_compared():
    path = Path("a.wav")
    broken = FileResult(path, None, "a.wav: is empty")
    with pytest.raises(RecognizerError, match=r"^none of the 1 recordings can be compared: a\.wav: is empty$"):
        compare([Utterance(path, "x", None)], [broken], [broken])


# In words


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        (
            [("x", True, True), ("x", False, False)],
            "Both are right about the same recordings, so nothing tells them apart.",
        ),
        (
            [("x", True, False), ("x", False, True)],
            "Each recognises 1 that the other does not, so there is no difference to explain.",
        ),
        ([("x", False, True)] * 5, "The difference may well be chance (p = 0.062): more recordings would tell."),
        ([("x", False, True)] * 6, "B is better: chance alone would hardly make such a difference (p = 0.031)."),
        ([("x", True, False)] * 30, "A is better: chance alone would hardly make such a difference (p < 0.0001)."),
    ],
)
def test_the_verdict(outcomes, verdict):
    assert compared(*outcomes).verdict == verdict
