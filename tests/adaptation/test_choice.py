"""The choice among methods against explicit refits: what is left out is not used, and no method wins by luck."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from adapting import random_models, seeds, speech
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.acoustics.gaussians import with_squares
from recognizer.acoustics.statistics import Statistics
from recognizer.adaptation import choice, method, mllr
from recognizer.adaptation.choice import (
    ALTERNATIVES,
    TAUS,
    USUAL,
    AdaptationData,
    Outcome,
    choose_method,
    cross_validate,
    cross_validate_words,
    several_takes,
)
from recognizer.adaptation.method import KINDS, Method, adapt, maximise, tree_of
from recognizer.recognition.calibration import Calibration, posteriors
from recognizer.recognition.decoding import score_words
from recognizer.training.training import expect

quick = settings(max_examples=12, deadline=None)
DIMS = 3
VOICE = np.column_stack([[1.2, -0.9, 0.9], np.diag([0.8, 1.2, 0.9])])
EVERY = [Method(kind, shape) for kind in KINDS for shape in mllr.SHAPES]
NONE = Method("none")


def speaker(seed, words, transform=VOICE, copies=1, share=1.0):
    """Models and one speaker's takes, each with noisier readings."""
    random = np.random.default_rng(seed)
    models = random_models(random, words=4)
    takes = speech(random, models, words, transform)
    readings = [[take, *(take + random.normal(0, 0.3, take.shape) for _ in range(copies))] for take in takes]
    return models, AdaptationData(np.array(words), readings, share)


def plain(models, data):
    scores = score_words(models, [readings[0] for readings in data.readings])
    return Outcome(NONE, data.words, scores, data.frames)


@pytest.fixture
def one_round(monkeypatch):
    """`adapt` then makes one step from the base's own posteriors, as the outcomes do."""
    monkeypatch.setattr(method, "ROUNDS", 1)


def refit(models, data, members, how):
    """Models fitted by one step to some takes, the frames given to Gaussians as the base gives them."""
    if not (how.kind == "cmllr-map" and how.shape in ("bias", "diagonal")):
        return adapt(models, data.chunks(members), how, data.share)
    own = adapt(models, data.chunks(members), Method("cmllr", how.shape), data.share)
    total = models.bank.statistics()
    for chunk in data.chunks(members):
        found = expect(models, chunk)
        moved = own.transformed(chunk.stack(chunk.features))[0]
        for rows, shares, x in zip(found.rows, found.frames.shares(found.occupation), moved):
            total.add(Statistics.of_frames(shares, with_squares(x)), rows)
    return maximise(own, total.scaled(data.share), how, tree_of(models))


# Cross-validation


@pytest.mark.parametrize("how", EVERY, ids=lambda how: f"{how.kind}-{how.shape}")
def test_every_take_is_scored_by_models_fitted_to_all_others(one_round, how):
    models, data = speaker(0, [0, 0, 1, 2, 3], share=0.4)
    outcome = cross_validate(models, data, [how])[0]
    for i in range(5):
        others = [j for j in range(5) if j != i]
        own = refit(models, data, others, how)
        expected = score_words(own, [data.readings[i][0]])[0]
        np.testing.assert_allclose(outcome.scores[i], expected, rtol=1e-6)
    assert outcome.method == how
    np.testing.assert_array_equal(outcome.words, data.words)
    np.testing.assert_array_equal(outcome.frames, [len(readings[0]) for readings in data.readings])


@pytest.mark.parametrize("how", EVERY, ids=lambda how: f"{how.kind}-{how.shape}")
def test_a_take_left_out_has_no_say(how):
    models, data = speaker(1, [0, 0, 1, 2])
    before = cross_validate(models, data, [how])[0]
    readings = list(data.readings)
    readings[1] = [f[::-1] * 3 + 5 for f in readings[1]]  # another take that is as long
    changed = replace(data, readings=readings)
    after = cross_validate(models, changed, [how])[0]
    # Its models are the same, so that the old take has the old score under them.
    others = replace(data, readings=[*readings[:1], data.readings[1], *readings[2:]])
    np.testing.assert_allclose(cross_validate(models, others, [how])[0].scores[1], before.scores[1], rtol=1e-12)
    own = adapt(models, changed.chunks([0, 2, 3]), how) if how.kind == "cmllr" and how.shape == "full" else None
    if own is not None:
        np.testing.assert_allclose(score_words(own, [readings[1][0]])[0], after.scores[1], rtol=1e-9)
    same_words = cross_validate(models, replace(data, readings=[*readings[:2], *data.readings[2:]]), [how])[0]
    np.testing.assert_allclose(same_words.scores[1], after.scores[1], rtol=1e-12)
    if how.kind != "none":
        assert (np.abs(after.scores[[0, 2, 3]] - before.scores[[0, 2, 3]]) > 1e-9).any(1).all(), "to the others it has"


def test_the_label_of_a_take_left_out_has_no_say():
    models, data = speaker(2, [0, 1, 2, 3])
    before = cross_validate(models, data, [USUAL])[0]
    words = data.words.copy()
    words[2] = 0
    after = cross_validate(models, replace(data, words=words), [USUAL])[0]
    np.testing.assert_allclose(after.scores[2], before.scores[2], rtol=1e-9)


@quick
@given(seeds, st.integers(2, 25), st.integers(1, 8))
def test_takes_are_dealt_out_evenly_and_each_once(seed, count, groups):
    items = np.random.default_rng(seed).permutation(count)
    dealt = choice._shared_out(items, groups)
    assert sorted(np.concatenate(dealt)) == list(range(count))
    sizes = [len(group) for group in dealt]
    assert max(sizes) - min(sizes) <= 1
    assert len(dealt) == min(groups, count)


def test_with_more_takes_than_folds_a_fold_is_left_out_at_once(one_round):
    words = np.repeat(np.arange(4), 6)
    models, data = speaker(3, words, copies=0)
    outcome = cross_validate(models, data, [USUAL])[0]
    folds = [set(range(24)[start :: choice.FOLDS]) for start in range(choice.FOLDS)]
    for fold in folds:
        own = adapt(models, data.chunks([i for i in range(24) if i not in fold]), USUAL)
        for i in fold:
            expected = score_words(own, [data.readings[i][0]])[0]
            np.testing.assert_allclose(outcome.scores[i], expected, rtol=1e-6)


@pytest.mark.parametrize("how", [NONE, USUAL, Method("map"), Method("cmllr-map", "diagonal"), Method("cmllr", "full")])
@pytest.mark.parametrize("words", [[0, 1, 2], [0, 2, 2, 3]])
def test_words_with_one_take_are_compared_by_models_that_know_neither(one_round, how, words):
    models, data = speaker(4, words, share=0.4)
    outcome = cross_validate_words(models, data, how)
    there = sorted(set(words))
    for i, said in enumerate(words):
        for other in range(4):
            leads = []
            for pair in combinations(there, 2):  # three words at most, so that every group is one word
                if said not in pair or (other in there and other not in pair):
                    continue
                rest = [j for j, word in enumerate(words) if word not in pair]
                own = refit(models, data, rest, how)
                scores = score_words(own, [data.readings[i][0]])[0]
                leads.append(scores[other] - scores[said])
            assert outcome.scores[i, other] == pytest.approx(np.mean(leads), rel=1e-6, abs=1e-6)


def test_no_method_at_all_has_the_same_leads_in_both_trials():
    models, data = speaker(5, [0, 1, 2, 3])
    one, other = cross_validate(models, data, [NONE])[0], cross_validate_words(models, data, NONE)
    np.testing.assert_allclose(one.scores, plain(models, data).scores, rtol=1e-12)
    np.testing.assert_allclose(one.scores - one.scores[np.arange(4), one.words][:, None], other.scores, atol=1e-9)
    assert one.correct == other.correct


# What an outcome tells


def test_a_trial_counts_what_is_right_and_how_sure_it_is():
    scores = np.array([[-10.0, -12.0, -30.0], [-20.0, -25.0, -21.0], [-9.0, -9.5, -8.0]])
    outcome = Outcome(NONE, np.array([0, 2, 2]), scores, np.array([5, 10, 4]))
    assert outcome.correct == 2
    np.testing.assert_allclose(outcome.said, [-2.0, -2.1, -2.0])
    calibration = Calibration(0.3)
    expected = np.mean([np.exp(0.3 * s[w]) / np.exp(0.3 * s).sum() for s, w in zip(scores, outcome.words)])
    assert outcome.confidence(calibration) == pytest.approx(expected)
    assert expected == pytest.approx(posteriors(scores, calibration)[[0, 1, 2], outcome.words].mean())


def test_a_gain_is_a_mean_with_its_standard_error():
    words, frames = np.zeros(4, dtype=int), np.full(4, 10)
    base = Outcome(NONE, words, np.full((4, 2), -100.0), frames)
    better = replace(base, scores=base.scores + np.array([10.0, 20.0, 30.0, 40.0])[:, None])
    gain, error = better.gain(base)
    assert gain == pytest.approx(2.5)
    assert error == pytest.approx(np.std([1.0, 2.0, 3.0, 4.0], ddof=1) / 2)
    assert base.gain(base) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("words", "several"),
    [([0, 1, 2], False), ([0, 0, 1], True), ([0, 0, 1, 2], False), ([0, 0, 1, 1, 2], True), ([3], False)],
)
def test_several_takes_are_most_takes_of_words_with_more_than_one(words, several):
    assert several_takes(np.array(words)) is several


# The choice


def method_of(models, data, base):
    """What is chosen, and why."""
    outcome, why = choose_method(models, data, base)
    return outcome.method, why


@pytest.mark.parametrize("words", [np.arange(4), np.repeat(np.arange(4), 3)])
def test_the_usual_method_is_chosen_for_a_speaker_who_is_shifted(words):
    models, data = speaker(6, words)
    chosen, why = method_of(models, data, plain(models, data))
    assert chosen.kind != "none"
    assert chosen == USUAL or "than the usual method" in why or "no transform" in why
    assert why.startswith(str(chosen))
    assert "nats a frame" in why
    assert method_of(models, data, plain(models, data)) == (chosen, why)


def outcomes_with(gains, spread=0.0):
    """What cross-validation would find if methods gained so much a frame on eight takes."""

    def of(models, data, methods):
        noise = spread * np.resize([1, -1], len(data.words))
        return [Outcome(m, data.words, np.tile(10 * (gains(m) + noise), (6, 1)).T, data.frames) for m in methods]

    return of


def chosen_by(monkeypatch, gains, spread=0.0, words=(0, 0, 1, 1, 2, 2, 3, 3)):
    data = AdaptationData(np.array(words), [[np.zeros((10, DIMS))]] * len(words), 1.0)
    base = Outcome(NONE, data.words, np.zeros((len(words), 6)), data.frames)
    monkeypatch.setattr(choice, "cross_validate", outcomes_with(gains, spread))
    return method_of(random_models(np.random.default_rng(0)), data, base)


def test_none_is_chosen_when_nothing_helps(monkeypatch):
    chosen, why = chosen_by(monkeypatch, lambda m: -0.5)
    assert chosen == NONE
    assert why.startswith("no adaptation: no method makes takes left out likelier than the base (")
    assert chosen_by(monkeypatch, lambda m: 0.0)[0] == NONE


def test_the_usual_is_kept_unless_another_is_clearly_better(monkeypatch):
    block = ALTERNATIVES[2]
    assert chosen_by(monkeypatch, lambda m: 1.0)[0] == USUAL
    assert chosen_by(monkeypatch, lambda m: 1.1 if m == block else 1.0)[0] == block

    def by_takes(m):  # better on average by a tenth, but on three takes of eight only
        return np.where(np.arange(8) < 3, 1.9, 0.7) if m == block else np.ones(8)

    assert chosen_by(monkeypatch, by_takes)[0] == USUAL


def test_the_first_that_helps_is_taken_when_the_usual_harms(monkeypatch):
    chosen, why = chosen_by(monkeypatch, lambda m: 0.3 if m.kind == "map" else -1.0)
    assert chosen.kind == "map"
    assert "1.00 nats a frame" not in why
    assert "than the usual method" in why
    assert why.endswith("by 1.30")


def test_other_taus_are_tried_only_where_words_have_several_takes(monkeypatch):
    best = max(TAUS)
    assert chosen_by(monkeypatch, lambda m: 1.0 + m.tau)[0].tau == best
    assert chosen_by(monkeypatch, lambda m: 1.0 + m.tau, words=(0, 0, 0, 1, 2, 3, 4, 5))[0] == USUAL


def test_takes_like_the_base_are_not_made_less_likely_by_what_is_chosen():
    """Nobody is made worse: a speaker who is just like the base gets no method that harms."""
    for seed in range(3):
        models, data = speaker(seed, [0, 1, 2, 3], transform=None, copies=0)
        base = plain(models, data)
        chosen, _ = method_of(models, data, base)
        if chosen.transforms:
            assert cross_validate(models, data, [chosen])[0].gain(base)[0] > 0
        for outcome in cross_validate(models, data, [USUAL, *ALTERNATIVES]):
            assert outcome.gain(base)[0] > -0.3, "priors keep what is at stake small"


@pytest.mark.parametrize("seed", range(4))
def test_takes_with_nothing_in_common_choose_no_transform(seed):
    """Every take is shifted to where the others are not, so that they mislead about each other."""
    random = np.random.default_rng(seed)
    models = random_models(random, words=4)
    shifts = [(1, 1, 1), (-1, -1, 1), (1, -1, -1), (-1, 1, -1)]
    takes = [f + np.array(shift) for f, shift in zip(speech(random, models, [0, 1, 2, 3]), shifts)]
    data = AdaptationData(np.arange(4), [[f] for f in takes], 1.0)
    chosen, why = method_of(models, data, plain(models, data))
    assert chosen == Method("map"), why
    assert "no transform makes takes left out likelier" in why


def test_none_is_chosen_for_takes_of_a_word_with_nothing_in_common(monkeypatch):
    chosen, why = chosen_by(monkeypatch, lambda m: -0.1)
    assert (chosen, why.startswith("no adaptation")) == (NONE, True)
    chosen, why = chosen_by(monkeypatch, lambda m: -0.1, words=range(6))
    assert chosen == Method("map")


# AdaptationData


def test_chunks_hold_every_reading_of_the_takes_asked_for():
    _, data = speaker(8, [2, 0, 0, 1], copies=2)
    assert sum(len(c.batch.lengths) for c in data.chunks()) == 12
    some = data.chunks([1, 3])
    assert sorted(int(word) for c in some for word in c.words[c.word_of]) == [0, 0, 0, 1, 1, 1]
    frames = sum(len(f) for i in (1, 3) for f in data.readings[i])
    assert sum(len(c.features) for c in some) == frames
