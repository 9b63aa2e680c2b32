"""McNemar's test against sums of binomials, and counts against what was put in."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from recognizer.corpus import Utterance
from recognizer.errors import RecognizerError
from recognizer.evaluation.comparison import FEW_SPEAKERS, OUTCOMES, Comparison, compare, mcnemar, sign_flips
from recognizer.intervals import wilson
from recognizer.recognition.result import Candidate, Result
from recognizer.recognizer import FileResult


def heard(path: Path, word: str | None) -> FileResult:
    nbest = () if word is None else (Candidate(word, -1.0, 0.5), Candidate("other", -2.0, 0.5))
    return FileResult(path, Result(None, 0.5, False, nbest, None, None, 1.0), None, 8000)


def compared(*outcomes: tuple[str, bool, bool], speakers: Sequence[str | None] | None = None) -> Comparison:
    """Of words that were said, whether A and B were right, and who spoke."""
    paths = [Path(f"{n}.wav") for n in range(len(outcomes))]
    speakers = speakers or [None] * len(outcomes)
    said = [Utterance(path, word, speaker) for path, (word, *_), speaker in zip(paths, outcomes, speakers)]
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


# Over speakers


@given(st.lists(st.integers(-6, 6), max_size=9))
@settings(deadline=None)
def test_all_signs_are_counted(change):
    flipped = [abs(sum(signs)) for signs in product(*((size, -size) for size in change))]
    assert sign_flips(change) == pytest.approx(np.mean(np.array(flipped) >= abs(sum(change))))


@given(st.integers(0, 40), st.integers(0, 40))
@settings(deadline=None)
def test_speakers_of_one_recording_each_are_mcnemars(only_a, only_b):
    assert sign_flips([-1] * only_a + [1] * only_b + [0] * 7) == pytest.approx(mcnemar(only_a, only_b))


def test_sign_flips_of_thousands_are_the_normal_law():
    change = np.random.default_rng(0).integers(-3, 4, size=3000)
    deviation = np.sqrt((change.astype(float) ** 2).sum())
    # Sums move in steps of two, of which half a step belongs to the tail.
    assert sign_flips(change.tolist()) == pytest.approx(2 * norm.sf((abs(change.sum()) - 1) / deviation), abs=1e-3)


def test_many_recordings_of_one_speaker_are_no_proof_for_others():
    """Sixty gained with one of six speakers, of the others one more here and one less there."""
    gained = [("x", False, True)] * 60 + [("x", False, True), ("x", True, False)] * 2 + [("x", True, True)]
    found = compared(*gained, speakers=["anna"] * 60 + ["bob", "carl", "dora", "eve", "fred"])
    assert found.p < 1e-9
    assert found.speakers == (2, 3, 1)
    assert found.p_over_speakers == 11 / 16, "anna's sixty either way, and the four ones not against them"
    assert not found.significant
    assert found.verdict == "B is better at these recordings (p < 0.0001), but may not be for other speakers."
    told = "Of 6 speakers, A is better for 2, B for 3, neither for 1 (p = 0.69, over speakers)."
    assert found.caution == f"{told} So few tell little of others: recordings of one speaker are alike."
    record = json.loads(json.dumps(found.as_json()))
    assert record["speakers"] == {"better_a": 2, "better_b": 3, "alike": 1}
    assert (record["p_over_speakers"], record["significant"]) == (11 / 16, False)
    assert record["by_speaker"]["anna"] == {"both": 0, "only_a": 0, "only_b": 60, "neither": 0}
    assert record["b"]["over"] == "6 speakers"


def test_speakers_who_agree_are_proof():
    speakers = [f"s{n}" for n in range(FEW_SPEAKERS)] * 2
    found = compared(*[("x", False, True)] * len(speakers), speakers=speakers)
    assert found.p_over_speakers == pytest.approx(2 / 2**FEW_SPEAKERS)
    assert found.significant
    assert found.verdict.startswith("B is better: chance alone would hardly make such a difference")
    assert found.caution == "Of 10 speakers, A is better for 0, B for 10, neither for 0 (p = 0.002, over speakers)."


@pytest.mark.parametrize(
    ("speaker", "caution"),
    [
        (
            None,
            "It is not known who spoke: recordings of one speaker are alike, "
            "so that p is too small if the speakers are few.",
        ),
        ("anna", "Only one speaker is known: recordings of one speaker are alike, so that this holds for one voice."),
    ],
)
def test_one_speaker_or_nobody_known(speaker, caution):
    found = compared(*[("x", False, True)] * 6, speakers=[speaker] * 6)
    assert found.p_over_speakers is None
    assert found.significant
    assert found.caution == caution


def test_unknown_speakers_are_counted_but_not_tested():
    found = compared(*[("x", False, True)] * 3, speakers=["anna", "bob", None])
    assert (found.only_b, found.speakers) == (3, (0, 2, 0))
    assert found.p_over_speakers == 0.5
    assert list(found.by_speaker) == ["anna", "bob", None]


def test_nothing_that_differs_needs_no_caution():
    assert compared(("x", True, True), speakers=["anna"]).caution is None


# Counts


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.booleans(), st.booleans()), min_size=1, max_size=30))
@settings(deadline=None)
def test_counts_are_those_that_were_made(outcomes):
    found = compared(*outcomes)
    counts = [found.both, found.only_a, found.only_b, found.neither]
    assert counts == [sum((a, b) == outcome for _, a, b in outcomes) for outcome in OUTCOMES]
    assert found.n == len(outcomes)
    assert found.a.count == sum(a for _, a, _ in outcomes)
    assert found.b.count == sum(b for *_, b in outcomes)
    assert set(found.by_word) == {word for word, *_ in outcomes}
    for word in found.by_word:
        more = sum(b - a for w, a, b in outcomes if w == word)
        assert found.gained.get(word, 0) == max(more, 0)
        assert found.lost.get(word, 0) == max(-more, 0)
    record = json.loads(json.dumps(found.as_json()))
    assert [record[key] for key in ("both", "only_a", "only_b", "neither")] == counts
    assert record["a"]["interval"] == pytest.approx(list(wilson(found.a.count, found.n)))
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
