"""Intervals against SciPy's, against slow loops, and against what they promise: to hold the truth."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom, norm
from scipy.stats import bootstrap as scipys_bootstrap
from scipy.stats import t as student

from recognizer.intervals import DRAWS, FEW, Proportion, bootstrap, in_words, wilson

# Wilson


@pytest.mark.parametrize("n", [1, 2, 3, 10, 57, 1000, 10**6])
def test_wilson_is_where_the_score_test_rejects(n):
    """Its ends are the proportions from which the measured one lies 1.96 standard errors away (Wilson 1927)."""
    z = norm.ppf(0.975)
    for count in {0, 1, n // 3, n // 2, n - 1, n}:
        low, high = wilson(count, n)
        for end in {low, high} - {0.0, 1.0}:
            assert (count / n - end) ** 2 == pytest.approx(z**2 * end * (1 - end) / n, rel=1e-6)
        assert (low == 0) == (count == 0)
        assert (high == 1) == (count == n)


@settings(deadline=None)
@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_lies_around_the_proportion(counts):
    count, n = counts
    low, high = wilson(count, n)
    assert 0 <= low <= count / n <= high <= 1
    assert high - low > 0, "nothing is certain"
    assert wilson(n - count, n) == pytest.approx((1 - high, 1 - low), abs=1e-9)


# Over speakers

counts_of_speakers = st.lists(
    st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=2, max_size=12
)


def tails(speakers):
    """Quantiles at which the normal interval of a mean is as wide as Student's, its variance over n and not n - 1."""
    reach = np.sqrt(speakers / (speakers - 1)) * student(speakers - 1).ppf([0.025, 0.975])
    return norm.cdf(reach)


def test_the_bootstrap_is_that_of_a_plain_loop():
    """Whole speakers, drawn with replacement; both are draws, so that they agree to what chance leaves open."""
    counts = [(10, 100), (45, 50), (290, 300), (3, 5), (60, 120)]
    rng, shares = np.random.default_rng(1), []
    for _ in range(20_000):
        drawn = [counts[i] for i in rng.integers(len(counts), size=len(counts))]
        shares.append(sum(c for c, _ in drawn) / sum(n for _, n in drawn))
    assert bootstrap(counts) == pytest.approx(np.quantile(shares, tails(5)), abs=0.01)


def test_the_bootstrap_of_equal_speakers_is_scipys():
    counts = [(count, 50) for count in (30, 41, 44, 38, 49, 27, 35)]
    means = [count / n for count, n in counts]
    level = float(np.diff(tails(7))[0])
    expected = scipys_bootstrap(
        (means,), np.mean, method="percentile", n_resamples=20_000, confidence_level=level, rng=0
    ).confidence_interval
    assert bootstrap(counts) == pytest.approx((expected.low, expected.high), abs=0.01)


def test_of_a_few_speakers_of_equal_size_it_is_students_interval():
    counts = [(30, 50), (41, 50), (44, 50), (38, 50)]
    assert len(counts) < FEW
    shares = np.array(counts)[:, 0] / 50
    expected = shares.mean() + student(3).ppf([0.025, 0.975]) * shares.std(ddof=1) / 2
    assert bootstrap(counts) == pytest.approx(expected)


def test_the_bootstrap_of_takes_is_binomial():
    n, count = 400, 380
    expected = binom(n, count / n).ppf(tails(n)) / n
    low, high = bootstrap([(1, 1)] * count + [(0, 1)] * (n - count))
    least, most = wilson(count, n)
    assert (low, high) == pytest.approx((min(expected[0], least), max(expected[1], most)), abs=1.01 / n)


@settings(deadline=None, max_examples=50)
@given(counts_of_speakers, st.randoms())
def test_the_bootstrap_is_never_narrower_than_wilsons_and_knows_no_order(counts, random):
    total, n = map(sum, zip(*counts))
    low, high = bootstrap(counts)
    assert 0 <= low <= wilson(total, n)[0] < wilson(total, n)[1] <= high <= 1
    shuffled = list(counts)
    random.shuffle(shuffled)
    assert bootstrap(shuffled) == (low, high), "the same counts, the same interval"


def test_all_right_is_not_certain_and_all_wrong_not_hopeless():
    assert bootstrap([(20, 20)] * 6) == wilson(120, 120)
    assert bootstrap([(0, 20)] * 6) == wilson(0, 120)


def test_speakers_who_differ_make_it_wider_than_wilsons():
    """Half of the speakers always right, half never: 600 takes, but six observations."""
    low, high = bootstrap([(100, 100)] * 3 + [(0, 100)] * 3)
    assert (low, high) == (0, 1), "one draw in 64 has none of either half"
    least, most = wilson(300, 600)
    assert high - low > 8 * (most - least)


def test_a_speaker_of_many_takes_weighs_as_much_as_there_are():
    """One of a thousand takes, all right, and nine of ten, all wrong: draws without the one are all wrong."""
    low, high = bootstrap([(1000, 1000)] + [(0, 10)] * 9)
    assert low == 0
    assert 0.9 < high <= 1


def test_it_holds_the_truth_about_as_often_as_it_says_where_wilsons_does_not():
    """Thirty speakers of whom each has a proportion of their own (beta distributed), 40 takes each."""
    rng, held = np.random.default_rng(0), np.zeros(2, int)
    people = beta(4, 1)
    for _ in range(200):
        counts = [(int(rng.binomial(40, p)), 40) for p in people.rvs(30, random_state=rng)]
        total = sum(c for c, _ in counts)
        for which, (low, high) in enumerate((bootstrap(counts), wilson(total, 1200))):
            held[which] += low <= people.mean() <= high
    assert held[0] >= 0.9 * 200
    assert held[1] < 0.75 * 200


@pytest.mark.parametrize(("speakers", "least"), [(3, 0.85), (6, 0.88), (10, 0.9)])
def test_it_holds_the_truth_with_few_speakers_too(speakers, least):
    rng, held = np.random.default_rng(0), 0
    people = beta(8, 2)
    for _ in range(400):
        counts = [(int(rng.binomial(200, p)), 200) for p in people.rvs(speakers, random_state=rng)]
        low, high = bootstrap(counts)
        held += low <= people.mean() <= high
    assert held >= least * 400


def test_thousands_of_speakers_are_drawn_in_no_time(monkeypatch):
    """No array of draws times speakers: that of 100,000 of them would have 3 GB."""
    rng = np.random.default_rng(0)
    n = rng.integers(1, 5, size=100_000)
    low, high = bootstrap(np.column_stack([rng.binomial(n, 0.9), n]))
    assert 0.89 < low < high < 0.91
    assert DRAWS >= 2000


# Proportions


def test_takes_are_drawn_where_no_two_speakers_are_known():
    known, unknown = Proportion({"anna": (18, 20)}), Proportion.of(18, 20)
    assert (known.over, unknown.over) == ("20 takes of one speaker", "20 takes")
    assert Proportion({"anna": (9, 10), None: (9, 10)}).over == "20 takes"
    assert known.bootstrap == unknown.bootstrap == bootstrap([(1, 1)] * 18 + [(0, 1)] * 2)
    assert Proportion.of(1, 1).over == "1 take"


def test_unknown_speakers_are_drawn_as_one():
    some = Proportion({"anna": (10, 10), "bob": (2, 10), None: (3, 30)})
    assert some.over == "2 speakers and unknown ones"
    assert some.bootstrap == bootstrap([(10, 10), (2, 10), (3, 30)])


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["a", "b", None]))), st.integers(0, 30))
def test_proportions_add_up(takes, cut):
    def counted(some):
        return Proportion.counted([happened for happened, _ in some], [speaker for _, speaker in some])

    whole = counted(takes)
    assert sum([counted(takes[:cut]), counted(takes[cut:])], Proportion()) == whole
    assert (whole.count, whole.n) == (sum(happened for happened, _ in takes), len(takes))
    assert whole.speakers == len({speaker for _, speaker in takes} - {None})


def test_nothing_has_no_share_and_no_interval():
    nothing = Proportion()
    assert nothing == Proportion.of(0, 0)
    assert nothing.as_json() == {
        "accuracy": None,
        "count": 0,
        "n": 0,
        "interval": None,
        "over": "0 takes",
        "bootstrap": None,
    }


def test_in_words():
    record = json.loads(json.dumps(Proportion({"anna": (8, 10), "bob": (10, 10)}).as_json()))
    (low, high), (least, most) = ([100 * p for p in record[key]] for key in ("interval", "bootstrap"))
    first = f"n = 20, 95 % interval {low:.1f} to {high:.1f}"
    assert in_words(record) == f"{first}, over 2 speakers {least:.1f} to {most:.1f}"
    del record["bootstrap"], record["over"]
    assert in_words(record) == first, "of a card that was written before"
