"""MAP against a literal transcription, its limits, and its promises on any statistics."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from adapting import GAUSSIANS, heard, random_bank, same_bank, seeds, sound_bank
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.acoustics.gaussians import GaussianBank, with_squares
from recognizer.acoustics.statistics import Statistics
from recognizer.adaptation.map import LEAST_VARIANCE, adapt_gaussians, interpolate

quick = settings(max_examples=40, deadline=None)
taus = st.sampled_from([0.0, 0.5, 3.0, 7.0, 20.0, np.inf])


def literal(bank, x, shares, tau, variance_tau, weight_tau):
    """One number at a time, from the frames themselves."""
    weights, means, variances = (getattr(bank, name).copy() for name in GAUSSIANS)
    states, mixtures, dims = means.shape
    for j in range(states):
        of_mixture = sum(shares[k, j, t] for k in range(mixtures) for t in range(len(x)))
        for k in range(mixtures):
            count = sum(shares[k, j])
            if np.isfinite(weight_tau) and of_mixture > 0:
                weights[j, k] = (weight_tau * bank.weights[j, k] + count) / (weight_tau + of_mixture)
            if count == 0:
                continue
            for d in range(dims):
                if np.isfinite(tau):
                    total = sum(shares[k, j, t] * x[t, d] for t in range(len(x)))
                    means[j, k, d] = (tau * bank.means[j, k, d] + total) / (tau + count)
                if np.isfinite(variance_tau):
                    about = sum(shares[k, j, t] * (x[t, d] - means[j, k, d]) ** 2 for t in range(len(x)))
                    new = (variance_tau * bank.variances[j, k, d] + about) / (variance_tau + count)
                    variances[j, k, d] = max(new, LEAST_VARIANCE * bank.variances[j, k, d])
    return GaussianBank(weights, means, variances)


@quick
@given(seeds, taus, taus, taus, st.integers(1, 3), st.integers(1, 3))
def test_every_parameter_is_the_literal_one(seed, tau, variance_tau, weight_tau, states, mixtures):
    random = np.random.default_rng(seed)
    bank = random_bank(random, states, mixtures, 2)
    statistics, x, shares = heard(random, bank, 8)
    result = adapt_gaussians(bank, statistics, tau, variance_tau=variance_tau, weight_tau=weight_tau)
    same_bank(result, literal(bank, x, shares, tau, variance_tau, weight_tau), rtol=1e-9, atol=1e-9)


@quick
@given(seeds, taus, taus, taus)
def test_what_was_not_heard_stays_to_the_last_bit(seed, tau, variance_tau, weight_tau):
    random = np.random.default_rng(seed)
    bank = random_bank(random, 6, 2, 3)
    statistics, _, _ = heard(random, bank, silent=0.5)
    result = adapt_gaussians(bank, statistics, tau, variance_tau=variance_tau, weight_tau=weight_tau)
    unheard = statistics.occupancy.sum(1) == 0
    for name in GAUSSIANS:
        np.testing.assert_array_equal(getattr(result, name)[unheard], getattr(bank, name)[unheard], name)
    nothing = statistics.occupancy == 0
    np.testing.assert_array_equal(result.means[nothing], bank.means[nothing])
    np.testing.assert_array_equal(result.variances[nothing], bank.variances[nothing])


@quick
@given(seeds)
def test_an_infinite_prior_is_the_base_and_a_huge_one_nearly(seed):
    random = np.random.default_rng(seed)
    bank = random_bank(random)
    statistics, _, _ = heard(random, bank)
    same_bank(adapt_gaussians(bank, statistics, np.inf), bank)
    same_bank(adapt_gaussians(bank, statistics, 1e12, variance_tau=1e12, weight_tau=1e12), bank, rtol=1e-9, atol=1e-9)


@quick
@given(seeds)
def test_no_prior_is_maximum_likelihood_where_there_are_data(seed):
    random = np.random.default_rng(seed)
    bank = random_bank(random)
    statistics, x, shares = heard(random, bank)
    result = adapt_gaussians(bank, statistics, 0.0, variance_tau=0.0, weight_tau=0.0)
    for j, k in np.argwhere(statistics.occupancy > 0):
        mean = np.average(x, axis=0, weights=shares[k, j])
        variance = np.average((x - mean) ** 2, axis=0, weights=shares[k, j])
        np.testing.assert_allclose(result.means[j, k], mean)
        np.testing.assert_allclose(
            result.variances[j, k], np.maximum(variance, LEAST_VARIANCE * bank.variances[j, k]), rtol=1e-9
        )
        share = statistics.occupancy[j, k] / statistics.occupancy[j].sum()
        assert result.weights[j, k] == pytest.approx(share)


@quick
@given(seeds, st.floats(0, 50))
def test_a_mean_lies_between_the_prior_and_the_data_and_nearer_to_the_prior_the_more_that_counts(seed, tau):
    random = np.random.default_rng(seed)
    bank = random_bank(random)
    statistics, _, _ = heard(random, bank)
    data, less, more = (adapt_gaussians(bank, statistics, t).means for t in (0.0, tau, tau + 1))
    low, high = np.minimum(bank.means, data) - 1e-9, np.maximum(bank.means, data) + 1e-9
    assert ((low <= less) & (less <= high)).all()
    assert (np.abs(more - bank.means) <= np.abs(less - bank.means) + 1e-9).all()


def log_posterior(bank, prior, statistics, tau, weight_tau):
    """Expected log density with the log priors of means and weights, variances being those of the prior."""
    squares = statistics.second_order - 2 * bank.means * statistics.first_order
    squares += statistics.occupancy[..., None] * bank.means**2
    value = -0.5 * ((squares + tau * (bank.means - prior.means) ** 2) / prior.variances).sum()
    used = prior.weights > 0
    return value + ((weight_tau * prior.weights + statistics.occupancy)[used] * np.log(bank.weights[used])).sum()


@quick
@given(seeds, st.sampled_from([0.0, 2.0, 20.0]), st.sampled_from([1.0, 5.0]))
def test_no_other_means_and_weights_have_a_higher_posterior(seed, tau, weight_tau):
    random = np.random.default_rng(seed)
    prior = random_bank(random)
    statistics, _, _ = heard(random, prior)
    found = adapt_gaussians(prior, statistics, tau, weight_tau=weight_tau)
    best = log_posterior(found, prior, statistics, tau, weight_tau)
    for size in (1e-3, 0.1, 1.0):
        weights = found.weights * np.exp(random.normal(0, size, found.weights.shape))
        means = found.means + random.normal(0, size, found.means.shape)
        other = GaussianBank(weights / weights.sum(1, keepdims=True), means, prior.variances)
        assert log_posterior(other, prior, statistics, tau, weight_tau) <= best + 1e-9


def test_one_frame_moves_a_mean_by_its_share_and_narrows_no_variance_far():
    bank = GaussianBank(np.ones((1, 1)), np.zeros((1, 1, 1)), np.ones((1, 1, 1)))
    statistics = Statistics.of_frames(np.ones((1, 1, 1)), with_squares(np.array([[10.0]])))
    result = adapt_gaussians(bank, statistics, 4.0, variance_tau=20.0)
    assert result.means[0, 0, 0] == pytest.approx(2.0)
    assert result.variances[0, 0, 0] == pytest.approx((20 + 8**2) / 21)


def test_a_variance_stays_over_its_least_share_of_the_base():
    bank = random_bank(np.random.default_rng(0), 1, 1, 2)
    x = np.full((1000, 2), 3.0)
    statistics = Statistics.of_frames(np.ones((1, 1, 1000)), with_squares(x))
    result = adapt_gaussians(bank, statistics, 0.0, variance_tau=0.0)
    np.testing.assert_allclose(result.variances, LEAST_VARIANCE * bank.variances)


DEGENERATE = {
    "nothing": lambda random, shape: Statistics.zeros(shape[:2], shape),
    "tiny counts": lambda random, shape: scaled_frames(random, shape, 1e-15, 1.0),
    "denormal counts": lambda random, shape: scaled_frames(random, shape, 1e-310, 1.0),
    "huge counts": lambda random, shape: scaled_frames(random, shape, 1e15, 1.0),
    "far away": lambda random, shape: scaled_frames(random, shape, 1.0, 1e8),
    "constant": lambda random, shape: scaled_frames(random, shape, 1.0, 0.0),
}


def scaled_frames(random, shape, count, size):
    states, mixtures, dims = shape
    shares = count * random.random((mixtures, states, 5))
    return Statistics.of_frames(shares, with_squares(size * random.normal(7, 1, (5, dims))))


@pytest.mark.parametrize("kind", DEGENERATE)
@pytest.mark.parametrize("tau", [0.0, 1e-12, 4.0, np.inf])
def test_whatever_the_statistics_the_bank_is_sound(kind, tau):
    random = np.random.default_rng(1)
    bank = random_bank(random, 3, 2, 4, unused=0)
    statistics = DEGENERATE[kind](random, bank.means.shape)
    for variance_tau, weight_tau in itertools.product([0.0, 20.0, np.inf], [0.0, 5.0, np.inf]):
        result = adapt_gaussians(bank, statistics, tau, variance_tau=variance_tau, weight_tau=weight_tau)
        sound_bank(result)
        assert (result.variances >= LEAST_VARIANCE * bank.variances * (1 - 1e-12)).all()


@quick
@given(seeds)
def test_the_statistics_and_the_base_are_left_as_they_were(seed):
    random = np.random.default_rng(seed)
    bank = random_bank(random)
    statistics, _, _ = heard(random, bank)
    before = [x.copy() for x in (bank.means, bank.variances, bank.weights, statistics.first_order)]
    adapt_gaussians(bank, statistics, 2.0, variance_tau=2.0, weight_tau=2.0)
    for old, now in zip(before, (bank.means, bank.variances, bank.weights, statistics.first_order)):
        np.testing.assert_array_equal(old, now)


# Interpolation


@quick
@given(seeds)
def test_interpolation_has_its_ends_and_its_middle(seed):
    random = np.random.default_rng(seed)
    speaker, base = random_bank(random), random_bank(random)
    same_bank(interpolate(speaker, base, 0.0), base)
    same_bank(interpolate(speaker, base, 1.0), speaker)
    middle = interpolate(speaker, base, 0.5)
    sound_bank(middle)
    for name in GAUSSIANS:
        mean = (getattr(speaker, name) + getattr(base, name)) / 2
        np.testing.assert_allclose(getattr(middle, name), mean, rtol=1e-12, atol=1e-12)
    same_bank(interpolate(base, base, 0.3), base, rtol=1e-12)
