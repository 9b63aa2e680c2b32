"""Constrained MLLR against transformed Gaussians, a general optimiser, and sums over single frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from adapting import SUMS, chunks_of, cmllr_auxiliary, heard, random_bank, random_models, seeds, shapes, speech
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from recognizer.acoustics.gaussians import GaussianBank, with_squares
from recognizer.acoustics.recursions import soft_posteriors
from recognizer.acoustics.statistics import Statistics
from recognizer.adaptation import cmllr, mllr
from recognizer.recognition import decoding
from recognizer.training import training

quick = settings(max_examples=25, deadline=None)
DIMS = 3


def random_transform(random, shape="full", dims=DIMS, size=0.15):
    change = np.zeros((dims, dims + 1))
    for row, used in enumerate(mllr.columns(shape, dims)):
        change[row, used] = random.normal(0, size, len(used))
    return mllr.identity(dims) + change


def literal_sums(bank, x, shares):
    """One frame and one component at a time, as Gales 1998 writes them (eq. 22 and 23)."""
    dims = x.shape[1]
    outer, linear, count = np.zeros((dims, dims + 1, dims + 1)), np.zeros((dims, dims + 1)), 0.0
    for j, k in np.ndindex(bank.weights.shape):
        for t in range(len(x)):
            xi = np.concatenate([[1.0], x[t]])
            for i in range(dims):
                outer[i] += shares[k, j, t] / bank.variances[j, k, i] * np.outer(xi, xi)
                linear[i] += shares[k, j, t] * bank.means[j, k, i] / bank.variances[j, k, i] * xi
            count += shares[k, j, t]
    return cmllr.FeatureStatistics(outer, linear, count)


def same_sums(one, other, tolerance=1e-9):
    for name in ("outer", "linear", "count"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=tolerance, atol=tolerance)


def some_sums(random, bank, frames=30):
    _, x, shares = heard(random, bank, frames, silent=0.0)
    return literal_sums(bank, x, shares)


# What a transform of the features means


@quick
@given(seeds)
def test_a_diagonal_transform_of_the_features_is_one_of_means_and_variances(seed):
    random = np.random.default_rng(seed)
    bank, x = random_bank(random, 4, 2, DIMS), random.normal(0, 3, (6, DIMS))
    transform = random_transform(random, "diagonal")
    models = replace(random_models(random), bank=bank, transform=transform)
    offset, scale = transform[:, 0], np.diag(transform[:, 1:])
    moved = GaussianBank(bank.weights, (bank.means - offset) / scale, bank.variances / scale**2)
    features, log_determinant = models.transformed(x)
    np.testing.assert_allclose(bank.log_density(features) + log_determinant, moved.log_density(x), rtol=1e-9)


@quick
@given(seeds, shapes)
def test_a_transform_of_the_features_has_the_density_of_full_gaussians(seed, shape):
    random = np.random.default_rng(seed)
    bank, x = random_bank(random, 3, 2, DIMS, unused=0), random.normal(0, 3, (6, DIMS))
    transform = random_transform(random, shape)
    inverse, offset = np.linalg.inv(transform[:, 1:]), transform[:, 0]
    models = replace(random_models(random), bank=bank, transform=transform)
    features, log_determinant = models.transformed(x)
    found = bank.log_density(features) + log_determinant
    for j in range(3):
        parts = [
            np.log(bank.weights[j, k])
            + multivariate_normal(
                inverse @ (bank.means[j, k] - offset), inverse @ np.diag(bank.variances[j, k]) @ inverse.T
            ).logpdf(x)
            for k in range(2)
        ]
        np.testing.assert_allclose(found[:, j], logsumexp(parts, axis=0), rtol=1e-8, atol=1e-8)


@quick
@given(seeds, shapes, shapes)
def test_composed_does_the_first_and_then_the_second(seed, one, other):
    random = np.random.default_rng(seed)
    first, second = random_transform(random, one), random_transform(random, other)
    x = random.normal(0, 3, (6, DIMS))
    step = x @ first[:, 1:].T + first[:, 0]
    both = cmllr.composed(second, first)
    np.testing.assert_allclose(
        x @ both[:, 1:].T + both[:, 0], step @ second[:, 1:].T + second[:, 0], rtol=1e-9, atol=1e-9
    )
    np.testing.assert_array_equal(cmllr.composed(second, None), second)
    determinants = [np.linalg.slogdet(w[:, 1:])[1] for w in (first, second, both)]
    assert determinants[2] == pytest.approx(determinants[0] + determinants[1])


# The estimate


@quick
@given(seeds)
def test_the_auxiliary_function_is_the_expected_log_density_but_for_a_constant(seed):
    random = np.random.default_rng(seed)
    bank = random_bank(random, 3, 2, DIMS)
    _, x, shares = heard(random, bank, 8, silent=0.0)
    statistics = literal_sums(bank, x, shares)

    def literal(transform):
        moved = x @ transform[:, 1:].T + transform[:, 0]
        value = shares.sum() * np.log(abs(np.linalg.det(transform[:, 1:])))
        for j, k in np.ndindex(bank.weights.shape):
            value -= 0.5 * (shares[k, j] @ ((moved - bank.means[j, k]) ** 2 / bank.variances[j, k])).sum()
        return value

    one, other = random_transform(random), random_transform(random)
    ours = cmllr_auxiliary(statistics, other) - cmllr_auxiliary(statistics, one)
    assert ours == pytest.approx(literal(other) - literal(one), rel=1e-8, abs=1e-8)


@settings(max_examples=16, deadline=None)
@given(seeds, shapes, st.sampled_from([5.0, 50.0]))
@example(100000000, "full", 5.0)  # more than fifty rounds over the rows
def test_a_general_optimiser_finds_no_better_transform(seed, shape, frames):
    random = np.random.default_rng(seed)
    bank = random_bank(random, 6, 2, DIMS)
    statistics = some_sums(random, bank) + cmllr.prior(bank, frames)
    found = cmllr.estimate(statistics, shape)
    start = mllr.identity(DIMS)
    free = np.zeros(start.shape, dtype=bool)
    for row, used in enumerate(mllr.columns(shape, DIMS)):
        free[row, used] = True

    def loss(values):
        transform = start.copy()
        transform[free] = values
        if np.linalg.det(transform[:, 1:]) <= 0:  # a mirror image is none of the choices
            return 1e6
        return -cmllr_auxiliary(statistics, transform)

    np.testing.assert_array_equal(found[~free], start[~free])
    ours = loss(found[free])
    for origin in (start[free], found[free]):
        best = minimize(loss, origin, method="BFGS", options={"gtol": 1e-6})
        assert ours <= best.fun + 1e-5 * abs(best.fun)
    np.testing.assert_allclose(found[free], best.x, rtol=1e-2, atol=1e-2)


@settings(max_examples=60, deadline=None)
@given(seeds, shapes, st.sampled_from([1.0, 20.0, 200.0, 1e4]), st.sampled_from([1, 5, 40]))
def test_the_auxiliary_function_never_falls_below_that_of_no_transform(seed, shape, frames, heard_frames):
    random = np.random.default_rng(seed)
    bank = random_bank(random, int(random.integers(1, 8)), 2, DIMS)
    statistics = some_sums(random, bank, heard_frames) + cmllr.prior(bank, frames)
    found = cmllr.estimate(statistics, shape)
    assert np.isfinite(found).all()
    best = cmllr_auxiliary(statistics, found)
    assert best >= cmllr_auxiliary(statistics, mllr.identity(DIMS)) - 1e-8 * abs(best)
    assert np.linalg.det(found[:, 1:]) > 0, "no mirror image"
    if shape == "diagonal":
        assert (np.diag(found[:, 1:]) > 0).all()


@quick
@given(seeds, shapes, st.sampled_from([0.5, 200.0]))
def test_the_prior_alone_asks_for_no_transform(seed, shape, frames):
    random = np.random.default_rng(seed)
    bank = random_bank(random, 5, 2, DIMS)
    prior = cmllr.prior(bank, frames)
    assert prior.count == pytest.approx(frames)
    np.testing.assert_allclose(cmllr.estimate(prior, shape), mllr.identity(DIMS), atol=1e-5)


@quick
@given(seeds, shapes, st.sampled_from([0.5, 200.0]))
def test_what_the_prior_of_a_shape_leaves_out_is_not_needed(seed, shape, frames):
    random = np.random.default_rng(seed)
    bank = random_bank(random, 5, 2, DIMS)
    heard = some_sums(random, bank)
    own, whole = (
        cmllr.estimate(heard + prior, shape) for prior in (cmllr.prior(bank, frames, shape), cmllr.prior(bank, frames))
    )
    np.testing.assert_allclose(own, whole, rtol=1e-7, atol=1e-7)


def test_the_prior_is_what_frames_drawn_from_the_bank_sum_up_to():
    random = np.random.default_rng(3)
    bank = random_bank(random, 2, 2, DIMS, unused=0)
    n, drawn = 40_000, None
    for j, k in np.ndindex(2, 2):
        x = random.normal(bank.means[j, k], np.sqrt(bank.variances[j, k]), (n, DIMS))
        weight = bank.weights[j, k] / 2 / n * 100.0
        xi = np.column_stack([np.ones(n), x])
        outer = weight / bank.variances[j, k][:, None, None] * (xi.T @ xi)
        linear = weight * (bank.means[j, k] / bank.variances[j, k])[:, None] * xi.sum(0)
        part = cmllr.FeatureStatistics(outer, linear, weight * n)
        drawn = part if drawn is None else drawn + part
    expected = cmllr.prior(bank, 100.0)
    scale = np.abs(expected.outer).max()
    np.testing.assert_allclose(drawn.outer, expected.outer, atol=0.02 * scale)
    np.testing.assert_allclose(drawn.linear, expected.linear, atol=0.02 * np.abs(expected.linear).max())
    assert drawn.count == pytest.approx(expected.count)


@pytest.mark.parametrize("shape", mllr.SHAPES)
def test_a_known_transform_of_the_features_is_undone(shape):
    random = np.random.default_rng(4)
    bank = random_bank(random, 8, 2, DIMS, unused=0)
    true = random_transform(random, shape, size=0.3)
    statistics = cmllr.prior(bank, 10.0)
    for j, k in np.ndindex(bank.weights.shape):
        known = random.normal(bank.means[j, k], np.sqrt(bank.variances[j, k]), (1500, DIMS))
        x = np.linalg.solve(true[:, 1:], (known - true[:, 0]).T).T
        share = np.zeros((2, 8, 1500))
        share[k, j] = 1.0
        part = cmllr.FeatureStatistics(*_sums_of_one(bank, j, k, x))
        statistics = statistics + part
    np.testing.assert_allclose(cmllr.estimate(statistics, shape), true, atol=0.05)


def _sums_of_one(bank, j, k, x):
    """Sums of frames that all are of one component."""
    xi = np.column_stack([np.ones(len(x)), x])
    outer = (1 / bank.variances[j, k])[:, None, None] * (xi.T @ xi)
    return outer, (bank.means[j, k] / bank.variances[j, k])[:, None] * xi.sum(0), float(len(x))


# The sums


def expectations_of(random, models, words, transform=None):
    chunks = chunks_of(speech(random, models, words, transform), words)
    return [training.expect(models, chunk) for chunk in chunks]


def by_frame(models, expectations):
    """Frames and shares of the whole bank, (T, D) and (K, S, T), from the chunks'."""
    states, mixtures = models.bank.weights.shape
    x, shares = [], []
    for found in expectations:
        for rows, own, frames in zip(found.rows, found.frames.shares(found.occupation), found.features):
            heard = own.sum((0, 1)) > 0  # the others fill up
            part = np.zeros((mixtures, states, heard.sum()))
            part[:, rows] = own[..., heard]
            x.append(frames[heard])
            shares.append(part)
    return np.concatenate(x), np.concatenate(shares, axis=2)


@settings(max_examples=10, deadline=None)
@given(seeds, st.booleans())
def test_accumulating_expectations_is_a_sum_over_frames_and_components(seed, with_transform):
    random = np.random.default_rng(seed)
    models = random_models(random)
    words = [0, 1, 0]
    if with_transform:
        models = replace(models, transform=random_transform(random))
    found = expectations_of(random, models, words)
    x, shares = by_frame(models, found)
    np.testing.assert_allclose(shares.sum((0, 1)), 1, rtol=1e-9)
    same_sums(cmllr.accumulate_features(models.bank, found), literal_sums(models.bank, x, shares))


@quick
@given(seeds)
def test_the_diagonal_entries_are_known_from_the_statistics_of_the_models(seed):
    random = np.random.default_rng(seed)
    models = random_models(random)
    words = [0, 1, 1]
    features = speech(random, models, words)
    chunks = chunks_of(features, words)
    whole = cmllr.accumulate_features(models.bank, (training.expect(models, chunk) for chunk in chunks))
    part = cmllr.diagonal(models.bank, training.accumulate(models, chunks, soft_posteriors))
    assert part.count == pytest.approx(whole.count)
    for i in range(DIMS):
        entries = np.ix_([0, i + 1], [0, i + 1])
        np.testing.assert_allclose(part.outer[i][entries], whole.outer[i][entries], rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(part.linear[i, [0, i + 1]], whole.linear[i, [0, i + 1]], rtol=1e-8, atol=1e-8)
    for shape in ("bias", "diagonal"):
        prior = cmllr.prior(models.bank, 20.0)
        np.testing.assert_allclose(
            cmllr.estimate(part + prior, shape), cmllr.estimate(whole + prior, shape), rtol=1e-7, atol=1e-7
        )


@quick
@given(seeds)
def test_statistics_after_a_transform_are_those_of_transformed_frames_with_the_same_shares(seed):
    random = np.random.default_rng(seed)
    bank = random_bank(random)
    statistics, x, shares = heard(random, bank)
    transform = random_transform(random, "diagonal")
    moved = x @ transform[:, 1:].T + transform[:, 0]
    expected = Statistics.of_frames(shares, with_squares(moved))
    found = cmllr.after(statistics, transform)
    for name in SUMS:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9, atol=1e-9)


@quick
@given(seeds)
def test_sums_add_subtract_and_scale(seed):
    random = np.random.default_rng(seed)
    bank = random_bank(random)
    one, other = some_sums(random, bank), some_sums(random, bank)
    same_sums((one + other) - other, one)
    same_sums(one.scaled(0.5) + one.scaled(0.5), one)


# In use


def test_scores_alignment_and_training_see_the_transformed_features_and_the_determinant():
    random = np.random.default_rng(5)
    models, words = random_models(random), [0, 1, 2, 2]
    transform = random_transform(random)
    transformed = replace(models, transform=transform)
    features = speech(random, models, words)
    moved = [f @ transform[:, 1:].T + transform[:, 0] for f in features]
    gain = np.array([len(f) for f in features]) * np.linalg.slogdet(transform[:, 1:])[1]
    expected = decoding.score_words(models, moved) + gain[:, None]
    np.testing.assert_allclose(decoding.score_words(transformed, features), expected, rtol=1e-9)
    scores, spans = decoding.decode(transformed, features)
    np.testing.assert_allclose(scores, expected, rtol=1e-9)
    np.testing.assert_array_equal(spans, decoding.decode(models, moved)[1])
    for f, m, word in zip(features, moved, words):
        np.testing.assert_array_equal(
            decoding.align_frames(transformed, f, word), decoding.align_frames(models, m, word)
        )
    ours = training.accumulate(transformed, chunks_of(features, words), soft_posteriors)
    theirs = training.accumulate(models, chunks_of(moved, words), soft_posteriors)
    for name in (*SUMS, "transition_counts"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-8, atol=1e-8)
    assert ours.log_likelihood == pytest.approx(theirs.log_likelihood + gain.sum())


def test_a_mirror_image_has_the_determinant_of_its_size():
    models = replace(random_models(np.random.default_rng(6)), transform=-2 * mllr.identity(DIMS))
    assert models.transformed(np.ones((1, DIMS)))[1] == pytest.approx(DIMS * np.log(2))
