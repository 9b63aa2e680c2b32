"""Mixtures against scipy's densities, a literal EM, a literal k-means and brute-force constrained maxima."""

from __future__ import annotations

import itertools
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from weighing import each_once

import recognizer.acoustics.kmeans as kmeans_module
from recognizer.acoustics import gaussians
from recognizer.acoustics.gaussians import (
    MIN_FRAMES,
    WEIGHT_FLOOR,
    GaussianBank,
    from_clusters,
    with_squares,
)
from recognizer.acoustics.kmeans import kmeans, kmeans_of_groups, nearest
from recognizer.acoustics.mixture import expectation_maximisation, fit_mixture
from recognizer.acoustics.simplex import floored_distribution
from recognizer.acoustics.statistics import Statistics
from recognizer.errors import RecognizerWarning, TrainingError

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 4)
quick = settings(max_examples=40, deadline=None)


def random_bank(seed, states, mixtures, dims, unused=0.3):
    """Mixtures of which some components, never all of one, have no weight."""
    random = np.random.default_rng(seed)
    weights = random.dirichlet(np.ones(mixtures), states) + 0.01
    weights[:, 1:][random.random((states, mixtures - 1)) < unused] = 0
    shape = (states, mixtures, dims)
    return GaussianBank(
        weights / weights.sum(1, keepdims=True), random.normal(0, 2, shape), random.uniform(0.1, 3, shape)
    )


def oracle_components(bank, features):
    """Log weighted densities (S, K, T), -inf for unused components."""
    states, mixtures, _ = bank.means.shape
    result = np.full((states, mixtures, len(features)), -np.inf)
    for j, k in itertools.product(range(states), range(mixtures)):
        if bank.weights[j, k] > 0:
            normal = multivariate_normal(bank.means[j, k], np.diag(bank.variances[j, k]))
            result[j, k] = np.log(bank.weights[j, k]) + normal.logpdf(features)
    return result


def bank_is_sound(bank, variance_floor):
    np.testing.assert_allclose(bank.weights.sum(1), 1)
    assert (bank.weights >= 0).all()
    assert np.isfinite(bank.means).all()
    assert np.isfinite(bank.variances).all()
    assert (bank.variances[bank.weights > 0] >= variance_floor * (1 - 1e-12)).all()


def awkward_frames(seed, kind, frames=30, dims=3):
    random = np.random.default_rng(seed)
    features = random.normal(random.normal(0, 3, dims), random.uniform(0.1, 3, dims), (frames, dims))
    if kind == "constant dimension":
        features[:, 1] = 7.25
    elif kind == "identical":
        features[:] = features[0]
    elif kind == "one frame":
        features = features[:1]
    elif kind == "few values":
        features = np.round(features / 3)
    return features


KINDS = ("random", "constant dimension", "identical", "one frame", "few values")
kinds = st.sampled_from(KINDS)


# Densities


@quick
@given(seeds, sizes, sizes, sizes, st.sampled_from([1.0, 30.0, 1e4]))
def test_log_densities_are_those_of_scipy_near_and_far(seed, states, mixtures, dims, spread):
    bank = random_bank(seed, states, mixtures, dims)
    features = np.random.default_rng(seed).normal(0, spread, (5, dims))
    expected = logsumexp(oracle_components(bank, features), axis=1).T
    result = bank.log_density(features)
    assert result.shape == (5, states)
    np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-9)


@quick
@given(seeds, sizes, sizes, sizes, st.sampled_from([1.0, 30.0, 1e4]))
def test_posteriors_are_shares_of_the_density(seed, states, mixtures, dims, spread):
    bank = random_bank(seed, states, mixtures, dims)
    features = np.random.default_rng(seed).normal(0, spread, (5, dims))
    components = oracle_components(bank, features)
    shares, log_density = bank.posteriors(with_squares(features))
    expected = np.exp(components - logsumexp(components, axis=1, keepdims=True)).transpose(1, 0, 2)
    np.testing.assert_allclose(shares, expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(shares.sum(0), 1)
    np.testing.assert_allclose(log_density, bank.log_density(features).T)
    assert (shares.transpose(1, 0, 2)[bank.weights == 0] == 0).all()


# The worked example of the course
WEIGHTS = ("0.2", "0.4", "0.3", "0.1")
MEANS = (("3", "7", "4"), ("7", "-2", "-4"), ("1", "3", "-5"), ("2", "4", "5"))
VARIANCES = ((".1", ".2", ".4"), (".4", ".3", ".5"), (".2", ".3", ".6"), (".8", ".2", ".4"))
FRAME = ("-1", "2", "6")
PI = Decimal("3.14159265358979323846264338327950288")


def decimal_densities():
    """Weighted densities of the components, to thirty digits."""
    for weight, mean, variance in zip(WEIGHTS, MEANS, VARIANCES):
        density = Decimal(weight)
        for o, m, v in zip(map(Decimal, FRAME), map(Decimal, mean), map(Decimal, variance)):
            density *= (-((o - m) ** 2) / (2 * v)).exp() / (2 * PI * v).sqrt()
        yield density


def test_a_frame_far_from_every_mean_has_a_finite_right_density():
    weights, means, variances = (np.array([x], dtype=float) for x in (WEIGHTS, MEANS, VARIANCES))
    with localcontext(prec=30):
        components = list(decimal_densities())
        exact = sum(components).ln()
    assert (np.float32(components)[:3] == 0).all(), "the example is meant to underflow in single precision"
    assert np.float32(sum(components) ** 6) == 0, "and a few such frames in a row altogether"
    bank, frame = GaussianBank(weights, means, variances), np.array([FRAME], dtype=float)
    assert bank.log_density(frame) == pytest.approx(float(exact), abs=1e-9)
    assert bank.log_density(frame.repeat(6, 0)).sum() == pytest.approx(6 * float(exact), abs=1e-9)
    shares, _ = bank.posteriors(with_squares(frame))
    np.testing.assert_allclose(shares[:, 0, 0], [float(c / sum(components)) for c in components], rtol=1e-9, atol=1e-99)


def test_single_precision_frames_are_computed_in_double():
    bank = random_bank(1, 3, 2, 4)
    features = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
    assert bank.log_density(features).dtype == np.float64
    np.testing.assert_array_equal(bank.log_density(features), bank.log_density(features.astype(float)))


def test_taking_mixtures_takes_their_densities():
    bank = random_bank(2, 4, 3, 2)
    features = np.random.default_rng(2).normal(size=(6, 2))
    rows = np.array([3, 0, 3])
    np.testing.assert_allclose(bank.take(rows).log_density(features), bank.log_density(features)[:, rows])


# k-means


def literal_lloyd(features, clusters):
    """Equal cut, then nearest centre and new centre until no frame moves."""
    size, extra = divmod(len(features), clusters)
    ends = np.cumsum([size + (i < extra) for i in range(clusters)])
    centres = [features[e - size - (i < extra) : e].mean(0) for i, e in enumerate(ends)]
    labels = None
    while True:
        new = [int(np.argmin([((f - c) ** 2).sum() for c in centres])) for f in features]
        if new == labels:
            return np.array(centres)
        labels = new
        groups = [[f for f, label in zip(features, labels) if label == k] for k in range(len(centres))]
        labels = [sum(1 for g in groups[:label] if g) for label in labels]
        centres = [np.mean(g, axis=0) for g in groups if g]


@quick
@given(seeds, st.integers(1, 6), st.integers(1, 3))
def test_kmeans_is_lloyds(seed, clusters, dims):
    features = np.random.default_rng(seed).normal(size=(24, dims))
    centres, _ = kmeans(features, clusters, tolerance=0.0, max_iterations=1000)
    np.testing.assert_allclose(centres, literal_lloyd(features, clusters), atol=1e-9)


def test_clusters_do_not_depend_on_how_many_distances_are_held_at_once(monkeypatch):
    features = np.random.default_rng(1).normal(size=(60, 3))
    whole, floor = kmeans(features, 5), np.full(3, 1e-3)
    bank = gaussians.from_clusters(features, 5, floor)
    monkeypatch.setattr(kmeans_module, "CHUNK_VALUES", 35)
    for one, other in zip(whole, kmeans(features, 5)):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    parts = gaussians.from_clusters(features, 5, floor)
    for name in ("weights", "means", "variances"):
        np.testing.assert_allclose(getattr(parts, name), getattr(bank, name), rtol=1e-12)


@quick
@given(seeds, st.integers(1, 6), st.integers(1, 4))
def test_weighted_kmeans_is_lloyds_with_weighted_means(seed, clusters, dims):
    random = np.random.default_rng(seed)
    frames, weights = random.normal(0, 1, (60, dims)), random.uniform(0.1, 9, 60)
    centres, distances = kmeans(frames, clusters, weights, tolerance=0.0, max_iterations=1000)
    apart = ((frames[:, None] - centres) ** 2).sum(-1)
    nearest_one = apart.argmin(1)
    for k, centre in enumerate(centres):
        own = nearest_one == k
        np.testing.assert_allclose(centre, np.average(frames[own], axis=0, weights=weights[own]), rtol=1e-9, atol=1e-9)
    assert distances[-1] == pytest.approx(np.average(apart.min(1), weights=weights))
    assert (np.diff(distances) < 1e-12).all()


@quick
@given(seeds, st.floats(1e-6, 1e6))
def test_only_the_ratio_of_weights_moves_centres(seed, scale):
    random = np.random.default_rng(seed)
    frames, weights = random.normal(0, 1, (40, 3)), random.uniform(0.1, 9, 40)
    one, other = (kmeans(frames, 4, w)[0] for w in (weights, scale * weights))
    np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize(("frames", "weight", "kept"), [(60, 1.0, 8), (60, 0.5, 5), (12, 100.0, 2), (60, 1e-6, 1)])
def test_a_mixture_has_no_more_gaussians_than_frames_and_their_weight_support(frames, weight, kept):
    random = np.random.default_rng(0)
    group = gaussians.WeightedFrames(random.normal(0, 1, (frames, 2)), np.full(frames, weight))
    bank = GaussianBank.start([group], gaussians.Sizes(8, None, np.full(2, 1e-3)))
    assert (bank.weights > 0).sum() <= kept
    assert kept - (bank.weights > 0).sum() <= kept // 4  # k-means may lose a cluster


@quick
@given(
    seeds,
    st.sampled_from(["random", "constant dimension"]),  # where no frame is as near to one centre as to another
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.integers(1, 5),
    st.sampled_from([35, 10**6]),
)
def test_groups_at_once_have_the_clusters_that_each_has_alone(seed, kind, lengths, clusters, held):
    frames = awkward_frames(seed, kind, sum(lengths))
    groups = np.split(frames, np.cumsum(lengths)[:-1])
    stack = np.full((len(groups), max(lengths), frames.shape[1]), 7.0)
    for part, group in zip(stack, groups):
        part[: len(group)] = group
    weights = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(float)
    asked = np.minimum(clusters, lengths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kmeans_module, "CHUNK_VALUES", held)
        centres, found, distances = kmeans_of_groups(stack, np.array(lengths), asked, weights)
    floor = np.full(frames.shape[1], 1e-3)
    together = GaussianBank.start(each_once(groups), gaussians.Sizes(clusters, None, floor))
    for number, group in enumerate(groups):
        alone, curve = kmeans(group, asked[number])
        np.testing.assert_allclose(centres[number, found[number]], alone, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(distances[number, : len(curve)], curve, rtol=1e-9, atol=1e-9)
        assert (distances[number, len(curve) :] == np.inf).all()
        bank = from_clusters(group, clusters, floor)
        for name in ("weights", "means", "variances"):
            np.testing.assert_allclose(getattr(together, name)[number], getattr(bank, name)[0], rtol=1e-9, atol=1e-9)


@quick
@given(seeds, kinds, st.integers(1, 40), st.sampled_from([0.0, 1e-3]))
def test_kmeans_distances_never_rise(seed, kind, clusters, tolerance):
    features = awkward_frames(seed, kind)
    centres, distances = kmeans(features, clusters, tolerance=tolerance, max_iterations=200)
    rounding = 1e-12 * (1 + (features**2).sum(1).max())
    assert (np.diff(distances) <= rounding).all()
    assert (distances >= 0).all()
    assert 1 <= len(centres) <= min(clusters, len(features))
    assert np.isfinite(centres).all()


@quick
@given(seeds, st.integers(1, 8))
def test_converged_centres_are_the_means_of_their_clusters(seed, clusters):
    features = np.random.default_rng(seed).normal(size=(40, 2))
    centres, distances = kmeans(features, clusters, tolerance=0.0, max_iterations=1000)
    label, distance = nearest(features, centres)
    assert distance.mean() == pytest.approx(distances[-1])
    for k, centre in enumerate(centres):
        np.testing.assert_allclose(centre, features[label == k].mean(0), atol=1e-12)


@quick
@given(seeds, sizes)
def test_nearest_is_the_nearest(seed, clusters):
    random = np.random.default_rng(seed)
    features, centres = random.normal(5, 2, (9, 3)), random.normal(5, 2, (clusters, 3))
    label, distance = nearest(features, centres)
    table = np.array([[((f - c) ** 2).sum() for c in centres] for f in features])
    np.testing.assert_array_equal(label, table.argmin(1))
    np.testing.assert_allclose(distance, table.min(1), atol=1e-9)


def test_more_clusters_than_frames_gives_every_frame_its_own():
    features = np.random.default_rng(0).normal(size=(5, 2))
    centres, distances = kmeans(features, 9)
    np.testing.assert_allclose(centres, features)
    assert distances[-1] == pytest.approx(0, abs=1e-12)


def test_identical_frames_are_one_cluster():
    centres, distances = kmeans(np.full((20, 2), 3.0), 4)
    np.testing.assert_allclose(centres, np.full((len(centres), 2), 3.0))
    assert distances[-1] == pytest.approx(0, abs=1e-12)


def test_kmeans_without_frames_says_so():
    with pytest.raises(TrainingError, match="no frames; record more"):
        kmeans(np.zeros((0, 3)), 2)


# Mixtures from clusters


def two_clusters(constant=None, seed=0):
    """Frames of two clusters far apart, in the order of their cluster, then perhaps a constant."""
    random = np.random.default_rng(seed)
    features = np.concatenate([random.normal(-4, 1, (60, 2)), random.normal(4, 1, (60, 2))])
    if constant is not None:
        features = np.column_stack([features, np.full(120, constant)])
    return features


@pytest.mark.parametrize("constant", [None, 0.0, 1.0, 1000.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clusters_far_apart_become_components_whatever_a_constant_dimension_is(constant, dtype):
    features = two_clusters(constant)
    shuffled = np.random.default_rng(1).permutation(features).astype(dtype)
    bank = from_clusters(shuffled, 2, np.full(features.shape[1], 1e-4))
    first, second = bank.means[0, bank.means[0, :, 0].argsort()]
    np.testing.assert_allclose(bank.weights, 0.5)
    np.testing.assert_allclose(first, features[:60].mean(0), rtol=1e-4)
    np.testing.assert_allclose(second, features[60:].mean(0), rtol=1e-4)


@quick
@given(seeds, kinds, st.integers(1, 8))
def test_a_mixture_from_clusters_is_sound(seed, kind, mixtures):
    features = awkward_frames(seed, kind)
    floor = np.array([0.01, 0.02, 1e-4])
    bank = from_clusters(features, mixtures, floor)
    bank_is_sound(bank, floor)
    assert bank.means.shape == (1, mixtures, features.shape[1])
    assert 1 <= (bank.weights > 0).sum() <= max(1, len(features) // MIN_FRAMES)
    assert bank.weights[bank.weights > 0].min() >= WEIGHT_FLOOR
    used = np.where(bank.weights[0] > 0, bank.weights[0], 0)
    np.testing.assert_allclose(used @ bank.means[0], features.mean(0), atol=0.05)
    assert np.isfinite(bank.log_density(features)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_bank_is_double_whatever_the_frames_are(dtype):
    features = two_clusters().astype(dtype)
    floor = np.full(2, 1e-4)
    for bank in (
        from_clusters(features, 1, floor),
        from_clusters(features, 2, floor),
        fit_mixture(features, 1, floor),
    ):
        assert {bank.weights.dtype, bank.means.dtype, bank.variances.dtype} == {np.dtype(np.float64)}


# EM


def literal_em(bank, features, floor, iterations):
    """EM of one mixture in plain probabilities, one number at a time."""
    weights, means, variances = (x[0].copy() for x in (bank.weights, bank.means, bank.variances))
    curve = []
    for _ in range(iterations):
        log_likelihood, shares = 0.0, np.zeros((len(features), len(weights)))
        for t, o in enumerate(features):
            for k in range(len(weights)):
                square = ((o - means[k]) ** 2 / variances[k]).sum()
                shares[t, k] = weights[k] * np.exp(-square / 2) / np.sqrt(np.prod(2 * np.pi * variances[k]))
            log_likelihood += np.log(shares[t].sum())
            shares[t] /= shares[t].sum()
        curve.append(log_likelihood / len(features))
        for k in range(len(weights)):
            total = sum(shares[:, k])
            weights[k] = total / len(features)
            means[k] = sum(s * o for s, o in zip(shares[:, k], features)) / total
            variances[k] = sum(s * (o - means[k]) ** 2 for s, o in zip(shares[:, k], features)) / total
            variances[k] = np.maximum(variances[k], floor)
    assert weights.min() > WEIGHT_FLOOR, "the literal EM has no floor under its weights"
    return weights, means, variances, curve


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(1, 3), st.sampled_from([1e-3, 1.0]))
def test_em_is_the_literal_em(seed, mixtures, floor):
    random = np.random.default_rng(seed)
    features = random.normal(random.choice([-2, 0, 2], (40, 1)), 1, (40, 2))
    bank = GaussianBank(
        np.full((1, mixtures), 1 / mixtures), random.normal(0, 1, (1, mixtures, 2)), np.ones((1, mixtures, 2))
    )
    floor = np.full(2, floor)
    with pytest.warns(RecognizerWarning):
        fitted, curve = expectation_maximisation(bank, features, floor, tolerance=-1.0, max_iterations=4)
    weights, means, variances, expected = literal_em(bank, features, floor, 4)
    np.testing.assert_allclose(curve, expected, rtol=1e-9)
    np.testing.assert_allclose(fitted.weights[0], weights, rtol=1e-7)
    np.testing.assert_allclose(fitted.means[0], means, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(fitted.variances[0], variances, rtol=1e-7)


@quick
@given(seeds, kinds, st.integers(1, 5), st.sampled_from([1e-4, 0.5]))
def test_em_never_falls(seed, kind, mixtures, floor):
    features = awkward_frames(seed, kind)
    floor = np.full(3, floor)
    start = from_clusters(features, mixtures, floor)
    fitted, curve = expectation_maximisation(start, features, floor, tolerance=1e-4, max_iterations=1000)
    assert (np.diff(curve) >= -1e-9).all()
    assert fitted.log_density(features).mean() >= curve[-1] - 1e-9
    bank_is_sound(fitted, floor)


def test_em_that_has_not_converged_says_what_to_change():
    bank = from_clusters(two_clusters(), 2, np.full(2, 1e-4))
    text = "EM stopped after 3 iterations, still rising; raise max_iterations or tolerance"
    with pytest.warns(RecognizerWarning, match=f"^{text}$"):
        expectation_maximisation(bank, two_clusters(), np.full(2, 1e-4), tolerance=-1.0, max_iterations=3)


def test_fitting_finds_both_clusters():
    features = two_clusters()
    bank = fit_mixture(features, 2, np.full(2, 1e-4))
    order = bank.means[0, :, 0].argsort()
    np.testing.assert_allclose(bank.weights, 0.5, atol=1e-3)
    np.testing.assert_allclose(bank.means[0, order[0]], features[:60].mean(0), atol=1e-2)
    np.testing.assert_allclose(bank.means[0, order[1]], features[60:].mean(0), atol=1e-2)


@settings(max_examples=20, deadline=None)
@given(seeds, kinds, st.integers(1, 5))
def test_fitting_awkward_frames_is_sound(seed, kind, mixtures):
    features = awkward_frames(seed, kind)
    floor = np.full(3, 0.01)
    bank = fit_mixture(features, mixtures, floor)
    bank_is_sound(bank, floor)
    assert (bank.weights > 0).all()
    assert bank.weights.shape[1] <= max(1, min(mixtures, len(features) // MIN_FRAMES))
    assert np.isfinite(bank.log_density(features)).all()


# M-step


def expected_log_likelihood(bank, statistics):
    """What an M-step maximises: the sum over components of n E[ln(c N(o))], written out."""
    total = 0.0
    for j, k in zip(*np.nonzero(bank.weights)):
        n, mean, variance = statistics.occupancy[j, k], bank.means[j, k], bank.variances[j, k]
        squares = statistics.second_order[j, k] - 2 * mean * statistics.first_order[j, k] + n * mean**2
        total += n * np.log(bank.weights[j, k])
        total -= 0.5 * (n * np.log(2 * np.pi * variance) + squares / variance).sum()
    return total


@quick
@given(seeds, sizes, st.sampled_from([1e-3, 0.5]))
def test_no_allowed_change_of_the_parameters_beats_the_m_step(seed, mixtures, floor):
    random = np.random.default_rng(seed)
    bank = random_bank(seed, 2, mixtures, 3)
    features = random.normal(0, 1, (20, 3))
    statistics = Statistics.of_frames(bank.posteriors(with_squares(features))[0], with_squares(features))
    updated = bank.update(statistics, np.full(3, floor))
    bank_is_sound(updated, floor)
    np.testing.assert_array_equal(updated.weights > 0, bank.weights > 0)
    best = expected_log_likelihood(updated, statistics)
    for size in (1e-3, 0.1, 1.0):
        weights = updated.weights * np.exp(random.normal(0, size, bank.weights.shape))
        weights /= weights.sum(1, keepdims=True)
        if (weights[bank.weights > 0] < WEIGHT_FLOOR).any():
            weights = updated.weights
        changed = GaussianBank(
            weights,
            updated.means + random.normal(0, size, bank.means.shape),
            np.maximum(floor, updated.variances * np.exp(random.normal(0, size, bank.means.shape))),
        )
        assert expected_log_likelihood(changed, statistics) <= best + 1e-9


def test_a_component_without_data_keeps_its_gaussian_and_the_least_weight():
    bank = random_bank(5, 1, 3, 2, unused=0)
    statistics = Statistics(np.array([[8.0, 0.0, 2.0]]), np.ones((1, 3, 2)), np.full((1, 3, 2), 9.0), None)
    updated = bank.update(statistics, np.full(2, 1e-3))
    np.testing.assert_array_equal(updated.means[0, 1], bank.means[0, 1])
    np.testing.assert_array_equal(updated.variances[0, 1], bank.variances[0, 1])
    assert updated.weights[0, 1] == WEIGHT_FLOOR


def test_a_mixture_without_data_stays_as_it_is():
    bank = random_bank(6, 2, 3, 2)
    updated = bank.update(bank.statistics(), np.full(2, 1e-3))
    for name in ("weights", "means", "variances"):
        np.testing.assert_array_equal(getattr(updated, name), getattr(bank, name))


def brute_force_distribution(counts, allowed, floor):
    """The best of all ways to hold some entries at the floor and share the rest by count."""
    best, best_value = None, -np.inf
    members = np.flatnonzero(allowed)
    for held in itertools.product([False, True], repeat=len(members)):
        held, free = members[np.array(held)], members[~np.array(held)]
        candidate = np.zeros(len(counts))
        candidate[held] = floor
        if counts[free].sum() > 0:
            candidate[free] = (1 - floor * len(held)) * counts[free] / counts[free].sum()
        if abs(candidate.sum() - 1) > 1e-9 or (candidate[members] < floor * (1 - 1e-12)).any():
            continue
        positive = members[counts[members] > 0]
        value = (counts[positive] * np.log(candidate[positive])).sum()
        if value > best_value:
            best, best_value = candidate, value
    return best


count = st.one_of(st.just(0.0), st.floats(1e-6, 1.0), st.floats(1.0, 1e4))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(count, st.booleans()), min_size=1, max_size=5), st.sampled_from([1e-4, 0.01, 0.15]))
def test_a_floored_distribution_is_the_constrained_maximum(entries, floor):
    counts, allowed = np.array([c for c, _ in entries]), np.array([a for _, a in entries])
    allowed[0] = True
    fallback = allowed / allowed.sum()
    result = floored_distribution(counts, allowed, floor, fallback)
    assert result.sum() == pytest.approx(1)
    assert (result[~allowed] == 0).all()
    if counts[allowed].sum() == 0:
        np.testing.assert_array_equal(result, fallback)
    else:
        assert (result[allowed] >= floor * (1 - 1e-12)).all()
        np.testing.assert_allclose(result, brute_force_distribution(counts, allowed, floor), rtol=1e-9)


@quick
@given(hnp.arrays(float, (4, 3), elements=st.floats(0, 100)))
def test_distributions_side_by_side_do_not_touch_each_other(counts):
    allowed, fallback = np.ones((4, 3), dtype=bool), np.full((4, 3), 1 / 3)
    together = floored_distribution(counts, allowed, 0.1, fallback)
    for row in range(4):
        alone = floored_distribution(counts[row], allowed[row], 0.1, fallback[row])
        np.testing.assert_allclose(together[row], alone, rtol=1e-12)


@quick
@given(seeds, sizes, sizes, st.floats(0.1, 50))
def test_variances_are_borrowed_from_the_average_state(seed, states, mixtures, borrowed):
    """As if every component had seen more frames, spread about its mean as those of a state are about the state's."""
    random = np.random.default_rng(seed)
    bank = random_bank(seed, states, mixtures, 2)
    frames, floor = random.normal(0, 3, (40, 2)), np.full(2, 1e-6)
    shares = random.dirichlet(np.ones(states * mixtures), len(frames)).T.reshape(mixtures, states, len(frames))
    updated = bank.update(Statistics.of_frames(shares, with_squares(frames)), floor, borrowed)
    by_state = [np.cov(frames.T, aweights=s, ddof=0).diagonal() for s in shares.sum(0)]
    spread = np.mean(by_state, axis=0)
    for j, k in np.ndindex(states, mixtures):
        count, mean = shares[k, j].sum(), np.average(frames, axis=0, weights=shares[k, j])
        own = ((frames - mean) ** 2 * shares[k, j][:, None]).sum(0)
        np.testing.assert_allclose(updated.means[j, k], mean)
        np.testing.assert_allclose(updated.variances[j, k], (own + borrowed * spread) / (count + borrowed))


# Dropping


@quick
@given(seeds, sizes, sizes, st.floats(0, 12))
def test_dropping_keeps_the_fed_and_the_best_of_each_mixture(seed, states, mixtures, least):
    random = np.random.default_rng(seed)
    bank = random_bank(seed, states, mixtures, 2)
    statistics = Statistics.zeros((states, mixtures), (states, mixtures, 2))
    statistics.occupancy[:] = random.uniform(0, 10, (states, mixtures))
    dropped = bank.drop_starved(statistics, least)
    for j in range(states):
        used = [k for k in range(mixtures) if bank.weights[j, k] > 0]
        best = max(used, key=lambda k: statistics.occupancy[j, k])
        kept = [k for k in used if k == best or statistics.occupancy[j, k] >= least]
        assert list(np.flatnonzero(dropped.weights[j])) == kept
        expected = bank.weights[j, kept] / bank.weights[j, kept].sum()
        np.testing.assert_allclose(dropped.weights[j, kept], expected)
    np.testing.assert_array_equal(dropped.means, bank.means)
    np.testing.assert_array_equal(dropped.variances, bank.variances)
