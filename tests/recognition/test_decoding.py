"""Scores against a slow decoder of one word and one utterance, confidences against what they were drawn from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, logsumexp
from scipy.stats import norm

from recognizer.acoustics.chain import Chain
from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.word_models import WordModels
from recognizer.recognition import decoding
from recognizer.recognition.calibration import Calibration, fit_calibration, posteriors
from recognizer.recognition.decoding import align_frames, decode, score_words

seeds = st.integers(0, 2**32 - 1)
lengths_ = st.lists(st.integers(1, 12), min_size=1, max_size=5)
quick = settings(max_examples=30, deadline=None)


def random_models(seed, words, states, mixtures=2, dims=2):
    random = np.random.default_rng(seed)
    rows = words * states + 1
    bank = GaussianBank(
        random.dirichlet(np.ones(mixtures), rows),
        random.normal(0, 2, (rows, mixtures, dims)),
        random.uniform(0.3, 2, (rows, mixtures, dims)),
    )
    chain = Chain.of_topology(words, states).update(random.uniform(0, 9, (words, states + 2, 4)))
    return WordModels(bank, chain)


def utterances(seed, lengths, dims=2):
    random = np.random.default_rng(seed)
    return [random.normal(0, 2, (length, dims)) for length in lengths]


def slow_score(models, features, word):
    """The best path's log likelihood: one frame, one position at a time, over a full transition matrix."""
    states, chain = models.states, models.chain.word(word)
    silence = len(models.bank.weights) - 1
    rows = [silence, *range(word * states, (word + 1) * states), silence]
    moves = np.full((states + 2, states + 2), -np.inf)
    for p in range(states + 2):
        moves[p, p] = chain.log_stay[p]
        if p <= states:
            moves[p, p + 1] = chain.log_next[p]
    best = None
    for frame in features:
        emitted = []
        for row in rows:
            parts = [
                np.log(weight) + norm.logpdf(frame, mean, np.sqrt(variance)).sum()
                for weight, mean, variance in zip(
                    models.bank.weights[row], models.bank.means[row], models.bank.variances[row]
                )
            ]
            emitted.append(logsumexp(parts))
        arriving = chain.log_entry if best is None else (best[:, None] + moves).max(0)
        best = arriving + emitted
    return (best + chain.log_exit).max()


# Scores


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(1, 3), st.integers(1, 3), lengths_)
def test_scores_are_those_of_a_slow_decoder(seed, words, states, lengths):
    models, features = random_models(seed, words, states), utterances(seed, lengths)
    expected = [[slow_score(models, f, word) for word in range(words)] for f in features]
    np.testing.assert_allclose(score_words(models, features), expected, rtol=1e-9)


@quick
@given(seeds, lengths_, st.sampled_from([1, 5, 10**6]))
def test_scores_do_not_depend_on_what_is_decoded_together(seed, lengths, frames):
    models, features = random_models(seed, 3, 2), utterances(seed, lengths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "CHUNK_VALUES", frames * 100)
        together = score_words(models, features)
    alone = np.concatenate([score_words(models, [f]) for f in features])
    np.testing.assert_allclose(together, alone, rtol=1e-12)


@quick
@given(seeds, st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True))
def test_scores_of_some_words_are_those_among_all(seed, chosen):
    models, features = random_models(seed, 4, 2), utterances(seed, [3, 9, 6])
    some = score_words(models, features, np.array(chosen))
    np.testing.assert_allclose(some, score_words(models, features)[:, chosen], rtol=1e-12)


@given(st.integers(1, 5), st.permutations(range(1, 8)))
def test_exactly_the_utterances_shorter_than_the_states_have_no_score(states, lengths):
    scores = score_words(random_models(0, 2, states), utterances(0, lengths))
    short = np.array(lengths) < states
    assert (scores[short] == -np.inf).all()
    assert np.isfinite(scores[~short]).all()


def test_no_utterances_have_no_scores():
    assert score_words(random_models(0, 3, 2), []).shape == (0, 3)


def test_single_precision_features_are_scored_in_double():
    models, features = random_models(0, 3, 2), utterances(0, [9, 4])
    single = [f.astype(np.float32) for f in features]
    scores = score_words(models, single)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, score_words(models, [f.astype(float) for f in single]), rtol=1e-12)


# Confidence


scores_ = st.lists(st.floats(-1e6, 0), min_size=2, max_size=6)
scales_ = st.floats(1e-3, 1.0)


@given(scores_, scales_)
def test_posteriors_are_probabilities_in_the_order_of_the_scores(scores, scale):
    scores = np.array(scores)
    result = posteriors(scores, Calibration(scale=scale))
    assert result.sum() == pytest.approx(1)
    assert ((result >= 0) & (result <= 1)).all()
    np.testing.assert_allclose(result, np.exp(log_softmax(scale * scores)), atol=1e-9)
    assert (np.diff(result[np.argsort(scores, kind="stable")]) >= 0).all()


@given(scores_, scales_, scales_)
def test_a_larger_scale_makes_the_best_word_surer(scores, one, other):
    low, high = (posteriors(np.array(scores), Calibration(scale=s)).max() for s in sorted([one, other]))
    assert low <= high + 1e-12


@given(scores_, st.floats(-1e5, 1e5))
def test_only_differences_of_scores_matter(scores, shift):
    calibration = Calibration(scale=0.01)
    shifted = posteriors(np.array(scores) + shift, calibration)
    np.testing.assert_allclose(shifted, posteriors(np.array(scores), calibration), atol=1e-9)


def test_posteriors_of_many_utterances_are_those_of_each():
    scores = np.random.default_rng(0).normal(-100, 30, (5, 4))
    together = posteriors(scores, Calibration(scale=0.1))
    np.testing.assert_allclose(together, [posteriors(row, Calibration(scale=0.1)) for row in scores])


def test_a_word_that_cannot_be_has_no_probability():
    np.testing.assert_allclose(posteriors(np.array([-5.0, -np.inf]), Calibration(scale=0.1)), [1, 0])


def test_where_no_word_can_be_none_has_a_probability():
    scores = np.array([[-np.inf, -np.inf], [-3.0, -3.0], [-np.inf, -4.0]])
    np.testing.assert_array_equal(posteriors(scores, Calibration(scale=0.1)), [[0, 0], [0.5, 0.5], [0, 1]])


@pytest.mark.parametrize("scale", [0.01, 0.05, 0.3])
def test_calibration_finds_the_scale_the_words_were_drawn_with(scale):
    random = np.random.default_rng(7)
    scores = random.normal(-3000, 2 / scale, (4000, 6))
    chances = posteriors(scores, Calibration(scale=scale))
    truth = (chances.cumsum(1) < random.random((4000, 1))).sum(1)
    assert fit_calibration(scores, truth).scale == pytest.approx(scale, rel=0.1)


@settings(max_examples=20, deadline=None)
@given(seeds, st.floats(0.005, 0.5))
def test_no_other_scale_makes_the_truth_more_probable(seed, scale):
    random = np.random.default_rng(seed)
    scores = random.normal(-500, 1 / scale, (60, 4))
    truth = (posteriors(scores, Calibration(scale=scale)).cumsum(1) < random.random((60, 1))).sum(1)

    def surprise(calibration):
        return -np.log(posteriors(scores, calibration)[np.arange(60), truth]).mean()

    fitted = fit_calibration(scores, truth)
    for factor in (0.5, 0.8, 0.95, 1.05, 1.25, 2.0):
        if 1e-3 <= factor * fitted.scale <= 1.0:
            assert surprise(fitted) <= surprise(Calibration(scale=factor * fitted.scale)) + 1e-6


@pytest.mark.parametrize("right", [True, False])
def test_calibration_on_words_all_right_or_all_wrong_is_finite(right):
    scores = np.tile([-10.0, -500.0], (20, 1))
    scale = fit_calibration(scores, np.full(20, 0 if right else 1)).scale
    assert 0 < scale <= 1


# Alignment


def staircase(seed, words=2, states=3, dims=2):
    """Models whose states lie far apart, silence at the origin."""
    places = np.arange(1, words * states + 1)[:, None, None] * np.full((1, 1, dims), 20.0)
    means = np.concatenate([places, np.zeros((1, 1, dims))])
    bank = GaussianBank(np.ones((len(means), 1)), means, np.ones_like(means))
    return WordModels(bank, Chain.of_topology(words, states))


def spoken(models, word, durations, seed=0):
    """Frames that stay in each position for so long, and the position behind each."""
    position = np.repeat(np.arange(models.states + 2), durations)
    means = models.bank.means[models.rows(word)[position], 0]
    return means + np.random.default_rng(seed).normal(size=means.shape), position


@quick
@given(
    seeds,
    st.integers(0, 1),
    st.integers(0, 6),
    st.lists(st.integers(1, 6), min_size=3, max_size=3),
    st.integers(0, 6),
)
def test_alignment_finds_where_states_begin_and_end(seed, word, lead, durations, trail):
    models = staircase(seed)
    features, position = spoken(models, word, [lead, *durations, trail], seed)
    np.testing.assert_array_equal(align_frames(models, features, word), position)
    scores, spans = decode(models, [features])
    assert tuple(spans[0]) == (lead, lead + sum(durations))
    assert scores.argmax() == word


def test_decoding_many_gives_the_scores_and_the_alignment_of_each():
    models = random_models(7, 3, 2)
    features = utterances(7, [9, 2, 30, 5, 5, 12])
    for words in (np.arange(3), np.array([2, 0])):
        scores, spans = decode(models, features, words)
        np.testing.assert_array_equal(scores, score_words(models, features, words))
        for f, score, span in zip(features, scores, spans):
            inside = np.flatnonzero(np.isin(align_frames(models, f, words[score.argmax()]), [1, 2]))
            assert tuple(span) == (inside[0], inside[-1] + 1)


@quick
@given(seeds, st.integers(1, 4), st.integers(0, 12))
def test_any_alignment_passes_through_every_state_in_order(seed, states, more):
    models = random_models(seed, 2, states)
    features = utterances(seed, [states + more])[0]
    path = align_frames(models, features, 1)
    assert path[0] in (0, 1)
    assert path[-1] in (states, states + 1)
    assert set(np.diff(path)) <= {0, 1}
    first, last = decode(models, [features], np.array([1]))[1][0]
    assert last - first >= states
    np.testing.assert_array_equal(path[first:last] % (states + 1) > 0, True)


def test_an_utterance_shorter_than_the_states_has_no_alignment():
    models = staircase(0)
    assert align_frames(models, np.zeros((2, 2)), 0) is None
    assert align_frames(models, np.zeros((3, 2)), 0) is not None
