"""MLLR against a general optimiser, a literal transcription, and its promises on any statistics."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from adapting import heard, mllr_auxiliary, random_bank, same_bank, seeds, shapes
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from recognizer.acoustics.gaussians import GaussianBank, with_squares
from recognizer.acoustics.statistics import Statistics
from recognizer.adaptation import mllr, regression

quick = settings(max_examples=25, deadline=None)
DIMS = 3  # as many blocks of one
SIX = 6  # blocks of two


def random_prior(random, dims):
    return mllr.identity(dims) + random.normal(0, 0.1, (dims, dims + 1))


def free_entries(shape, dims):
    """Where a transform of this shape may differ from its prior, (D, D + 1) bool, written out."""
    free = np.zeros((dims, dims + 1), dtype=bool)
    free[:, 0] = True
    block = dims // 3
    for i in range(dims):
        for j in range(dims):
            together = {"bias": False, "diagonal": i == j, "block": i // block == j // block, "full": True}
            free[i, j + 1] = together[shape]
    return free


# One transform


@pytest.mark.parametrize("dims", [3, 6, 9])
@pytest.mark.parametrize("shape", mllr.SHAPES)
def test_the_columns_of_every_row_are_those_of_the_shape(shape, dims):
    free = free_entries(shape, dims)
    used = mllr.columns(shape, dims)
    assert [list(c) for c in used] == [list(np.flatnonzero(row)) for row in free]


@quick
@given(seeds, st.sampled_from([1, mllr.INPUTS_AT_ONCE, mllr.INPUTS_AT_ONCE + 1, 3 * mllr.INPUTS_AT_ONCE + 7]))
def test_products_are_sums_over_all_inputs(seed, count):
    random = np.random.default_rng(seed)
    weights, inputs = random.uniform(0, 2, (count, 4)), random.normal(0, 1, (count, 5))
    expected = sum(w[:, None, None] * np.outer(x, x) for w, x in zip(weights, inputs))
    np.testing.assert_allclose(mllr.products(weights, inputs), expected, rtol=1e-9, atol=1e-9)


def test_products_of_many_inputs_are_never_held_at_once():
    """Of a minute of speech, they would be as large as all else that the program needs."""
    weights, inputs = np.ones((6000, 39)), np.ones((6000, 40))
    tracemalloc.start()
    try:
        mllr.products(weights, inputs)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20e6 < len(inputs) * 40**2 * 8


@settings(max_examples=12, deadline=None)
@given(seeds, shapes, st.sampled_from([0.5, 20.0]), st.booleans())
def test_a_general_optimiser_finds_the_same_transform(seed, shape, prior_frames, with_prior):
    random = np.random.default_rng(seed)
    bank = random_bank(random, 5, 2, DIMS)
    statistics, _, _ = heard(random, bank)
    prior = random_prior(random, DIMS) if with_prior else None
    start = mllr.identity(DIMS) if prior is None else prior
    free = free_entries(shape, DIMS)

    def loss(values):
        transform = start.copy()
        transform[free] = values
        return -mllr_auxiliary(bank, statistics, transform, prior_frames, prior)

    found = mllr.estimate(bank, statistics, shape, prior_frames, prior)
    np.testing.assert_array_equal(found[~free], start[~free])
    best = minimize(loss, start[free], method="BFGS", options={"gtol": 1e-7})
    assert loss(found[free]) <= best.fun + 1e-7 * abs(best.fun)
    np.testing.assert_allclose(found[free], best.x, rtol=1e-3, atol=1e-3)


def literal_auxiliary(bank, x, shares, transform, prior_frames, prior):
    """The log densities of the frames, and of the frames of the prior, summed one at a time."""
    states, mixtures, _ = bank.means.shape
    value = 0.0
    for j, k in np.ndindex(states, mixtures):
        extended = np.concatenate([[1.0], bank.means[j, k]])
        moved, expected = transform @ extended, prior @ extended
        for t in range(len(x)):
            value -= 0.5 * shares[k, j, t] * ((x[t] - moved) ** 2 / bank.variances[j, k]).sum()
        frames = prior_frames * bank.weights[j, k] / states
        value -= 0.5 * frames * ((moved - expected) ** 2 / bank.variances[j, k]).sum()
    return value


@quick
@given(seeds, st.sampled_from([0.0, 7.0]))
def test_the_auxiliary_function_is_the_log_density_but_for_a_constant(seed, prior_frames):
    random = np.random.default_rng(seed)
    bank = random_bank(random, 3, 2, DIMS)
    statistics, x, shares = heard(random, bank, 8)
    prior, one, other = (random_prior(random, DIMS) for _ in range(3))
    ours = [mllr_auxiliary(bank, statistics, w, prior_frames, prior) for w in (one, other)]
    literal = [literal_auxiliary(bank, x, shares, w, prior_frames, prior) for w in (one, other)]
    assert ours[1] - ours[0] == pytest.approx(literal[1] - literal[0], rel=1e-8, abs=1e-8)


def leggetter_and_woodland(bank, x, shares):
    """Row by row: G(i) = sum over m of v_ii(m) D(m), z = sum of gamma S^-1 o xi', w_i' = G(i)^-1 z_i'."""
    dims = x.shape[1]
    z = np.zeros((dims, dims + 1))
    g = np.zeros((dims, dims + 1, dims + 1))
    for j, k in np.ndindex(bank.weights.shape):
        xi = np.concatenate([[1.0], bank.means[j, k]])
        for t in range(len(x)):
            z += shares[k, j, t] * np.outer(x[t] / bank.variances[j, k], xi)
        for i in range(dims):
            v = sum(shares[k, j]) / bank.variances[j, k, i]
            g[i] += v * np.outer(xi, xi)
    return np.array([np.linalg.solve(g[i], z[i]) for i in range(dims)])


@quick
@given(seeds)
def test_a_full_transform_without_a_prior_is_that_of_leggetter_and_woodland(seed):
    random = np.random.default_rng(seed)
    bank = random_bank(random, 12, 2, DIMS)
    statistics, x, shares = heard(random, bank, 40, silent=0.0)
    found = mllr.estimate(bank, statistics, "full", 0.0)
    np.testing.assert_allclose(found, leggetter_and_woodland(bank, x, shares), rtol=1e-5, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(seeds, shapes, st.sampled_from([0.0, 0.1, 20.0, 1e4]), st.booleans())
def test_the_auxiliary_function_never_falls_and_nothing_near_is_better(seed, shape, prior_frames, with_prior):
    random = np.random.default_rng(seed)
    bank = random_bank(random, int(random.integers(1, 8)), 2, DIMS)
    statistics, _, _ = heard(random, bank, int(random.integers(1, 40)))
    prior = random_prior(random, DIMS) if with_prior else None
    before = mllr.identity(DIMS) if prior is None else prior
    found = mllr.estimate(bank, statistics, shape, prior_frames, prior)
    assert np.isfinite(found).all()
    best = mllr_auxiliary(bank, statistics, found, prior_frames, prior)
    slack = 1e-7 * (1 + abs(best))
    assert best >= mllr_auxiliary(bank, statistics, before, prior_frames, prior) - slack
    free = free_entries(shape, DIMS)
    for size in (1e-3, 0.1):
        other = found + np.where(free, random.normal(0, size, found.shape), 0.0)
        assert mllr_auxiliary(bank, statistics, other, prior_frames, prior) <= best + slack


@quick
@given(seeds, shapes)
def test_a_huge_prior_leaves_everything_as_it_is(seed, shape):
    random = np.random.default_rng(seed)
    bank = random_bank(random, 6, 2, DIMS)
    statistics, _, _ = heard(random, bank)
    found = mllr.estimate(bank, statistics, shape, 1e12)
    moved = mllr.move(bank, found[None], np.zeros(6, dtype=int))
    same_bank(moved, bank, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", mllr.SHAPES)
@pytest.mark.parametrize("prior_frames", [0.0, 20.0])
def test_no_data_are_no_transform(shape, prior_frames):
    bank = random_bank(np.random.default_rng(3), 6, 2, DIMS)
    found = mllr.estimate(bank, bank.statistics(), shape, prior_frames)
    np.testing.assert_array_equal(found, mllr.identity(DIMS))
    same_bank(mllr.move(bank, found[None], np.zeros(6, dtype=int)), bank)


@settings(max_examples=60, deadline=None)
@given(seeds, shapes, st.sampled_from([5.0, 20.0, 200.0]), st.sampled_from([1.0, 10.0, 1000.0]))
def test_one_frame_moves_no_mean_further_than_the_prior_allows(seed, shape, prior_frames, size):
    """At the maximum the prior has lost no more than the data gained, row by row.

    The data of row i gain at most surprise**2 / 2, where surprise is the frame's distance from its mean in
    deviations; the prior loses P/2 times the mean over the bank of the squared shift in deviations. So the shift
    of component m is at most |surprise| / sqrt(P times its share). (And no more than the frame is away, when it
    is the one that was heard.)
    """
    random = np.random.default_rng(seed)
    bank = random_bank(random, 5, 2, DIMS)
    j, k = 2, 0
    frame = bank.means[j, k] + size * random.normal(0, 1, DIMS)
    shares = np.zeros((2, 5, 1))
    shares[k, j] = 1.0
    statistics = Statistics.of_frames(shares, with_squares(frame[None]))
    found = mllr.estimate(bank, statistics, shape, prior_frames)
    moved = mllr.move(bank, found[None], np.zeros(5, dtype=int))
    surprise = np.abs(frame - bank.means[j, k]) / np.sqrt(bank.variances[j, k])
    shift = np.abs(moved.means - bank.means) / np.sqrt(bank.variances)
    allowed = prior_frames * bank.weights / 5
    used = bank.weights > 0
    assert (shift[used] <= surprise / np.sqrt(allowed[used])[:, None] * (1 + 1e-6)).all()
    assert (shift[j, k] <= surprise * (1 + 1e-6)).all()


@pytest.mark.parametrize("shape", mllr.SHAPES)
def test_a_known_transform_of_the_means_is_found_again(shape):
    random = np.random.default_rng(4)
    bank = random_bank(random, 30, 2, SIX, unused=0)
    free = free_entries(shape, SIX)
    true = mllr.identity(SIX) + np.where(free, random.normal(0, 0.3, free.shape), 0.0)
    target = mllr.move(bank, true[None], np.zeros(30, dtype=int))
    frames, shares = [], []
    for j, k in np.ndindex(bank.weights.shape):
        frames.append(random.normal(target.means[j, k], np.sqrt(bank.variances[j, k]), (400, SIX)))
        share = np.zeros((2, 30, 400))
        share[k, j] = 1.0
        shares.append(share)
    statistics = Statistics.of_frames(np.concatenate(shares, axis=2), with_squares(np.concatenate(frames)))
    found = mllr.estimate(bank, statistics, shape, 20.0)
    np.testing.assert_allclose(found, true, atol=0.05)


def test_statistics_on_the_moved_means_give_the_transform_exactly_whatever_the_shape():
    random = np.random.default_rng(5)
    bank = random_bank(random, 30, 2, SIX, unused=0)
    for shape in mllr.SHAPES:
        free = free_entries(shape, SIX)
        true = mllr.identity(SIX) + np.where(free, random.normal(0, 0.3, free.shape), 0.0)
        target = mllr.move(bank, true[None], np.zeros(30, dtype=int)).means
        count = random.uniform(1, 9, (30, 2))
        statistics = Statistics(count, count[..., None] * target, count[..., None] * target**2, None)
        np.testing.assert_allclose(mllr.estimate(bank, statistics, shape, 0.0), true, rtol=1e-6, atol=1e-6)


def test_fewer_gaussians_than_columns_still_have_a_small_answer():
    random = np.random.default_rng(6)
    bank = random_bank(random, 1, 1, DIMS)
    statistics, x, shares = heard(random, bank, 20, silent=0.0)
    found = mllr.estimate(bank, statistics, "full", 0.0)
    mean = np.average(x, axis=0, weights=shares[0, 0])
    np.testing.assert_allclose(found @ np.concatenate([[1.0], bank.means[0, 0]]), mean, rtol=1e-6)
    assert np.abs(found - mllr.identity(DIMS)).max() < 10


# Classes


def tree_and_statistics(seed, states=7, unheard=0.4):
    random = np.random.default_rng(seed)
    bank = random_bank(random, states, 2, DIMS)
    return bank, regression.grow(bank), heard(random, bank, 40, silent=unheard)[0]


@quick
@given(seeds, shapes, st.sampled_from([0.0, 3.0, 12.0]))
def test_a_class_opens_only_if_it_was_heard_enough(seed, shape, enough):
    bank, tree, statistics = tree_and_statistics(seed)
    _, opened = mllr.estimate_classes(bank, statistics, tree, shape, 5.0, enough)
    for number in range(len(tree.parent)):
        states = tree.order[tree.first[number] : tree.last[number]]
        frames = statistics.occupancy[states].sum()
        if abs(frames - enough) > 1e-9:
            assert opened[number] == (number == 0 or (frames > 0 and frames > enough))
        if opened[number] and number:
            assert opened[tree.parent[number]], "what holds an opened class has heard at least as much"


@quick
@given(seeds, shapes)
def test_every_class_is_an_estimate_with_the_one_above_as_its_prior(seed, shape):
    bank, tree, statistics = tree_and_statistics(seed)
    transforms, opened = mllr.estimate_classes(bank, statistics, tree, shape, 5.0, 2.0)
    for number in np.flatnonzero(opened):
        states = tree.order[tree.first[number] : tree.last[number]]
        above = transforms[tree.parent[number]] if number else None
        expected = mllr.estimate(bank.take(states), statistics.take(states), shape, 5.0, above)
        np.testing.assert_allclose(transforms[number], expected, rtol=1e-6, atol=1e-6)


@quick
@given(seeds)
def test_states_of_classes_that_are_not_opened_go_by_the_class_above(seed):
    bank, tree, statistics = tree_and_statistics(seed)
    transforms, opened = mllr.estimate_classes(bank, statistics, tree, "bias", 5.0, 4.0)
    classes = tree.smallest(opened)
    for state in range(len(bank.means)):
        mine = [n for n in np.flatnonzero(opened) if state in tree.order[tree.first[n] : tree.last[n]]]
        smallest = min(mine, key=lambda n: tree.last[n] - tree.first[n])
        moved = mllr.move(bank, transforms, classes).means[state]
        np.testing.assert_allclose(moved, bank.means[state] + transforms[smallest][:, 0])


@pytest.mark.parametrize("frames", [1, 10])
@pytest.mark.parametrize("states", [1, 2, 9])
def test_each_level_of_the_tree_goes_a_part_of_the_way_to_what_one_state_heard(frames, states):
    """Where one state alone was heard, every class above it hears the same frames.

    Of the distance that is left to them, each goes n / (n + P) of the way, when all variances are one.
    """
    random, prior_frames = np.random.default_rng(states), 20.0
    means = random.normal(0, 3, (states, 1, DIMS))
    bank = GaussianBank(np.ones((states, 1)), means, np.ones((states, 1, DIMS)))
    tree, count = regression.grow(bank), np.zeros((states, 1))
    count[0] = frames
    surprise = np.array([3.0, -2.0, 100.0])
    first = count[..., None] * (means + surprise)
    transforms, opened = mllr.estimate_classes(
        bank, Statistics(count, first, first**2, None), tree, "bias", prior_frames
    )
    levels = sum(0 in tree.order[first:last] for first, last in zip(tree.first, tree.last))
    left = (prior_frames / (prior_frames + frames)) ** levels
    moved = mllr.move(bank, transforms, tree.smallest(opened)).means[0, 0] - means[0, 0]
    np.testing.assert_allclose(moved, surprise * (1 - left), rtol=1e-9)


def test_an_unheard_half_of_the_words_is_moved_by_what_the_others_tell():
    random = np.random.default_rng(8)
    bank = random_bank(random, 8, 1, DIMS)
    shift = np.array([2.0, -1.0, 0.5])
    count = np.where(np.arange(8) < 4, 200.0, 0.0)[:, None]
    moved = bank.means + shift
    statistics = Statistics(count, count[..., None] * moved, count[..., None] * moved**2, None)
    transforms, opened = mllr.estimate_classes(bank, statistics, regression.grow(bank), "bias", 5.0)
    found = mllr.move(bank, transforms, regression.grow(bank).smallest(opened))
    assert np.abs(found.means[4:] - moved[4:]).max() < 0.2


@quick
@given(seeds, st.sampled_from([0.1, 5.0, 100.0]))
def test_a_hostile_amount_of_data_elsewhere_does_not_spoil_a_small_class(seed, prior_frames):
    """Sums over the tree are differences of running sums; a class of few frames beside one of many must survive."""
    bank, tree, statistics = tree_and_statistics(seed, unheard=0.0)
    loud = Statistics(
        *(x.copy() for x in (statistics.occupancy, statistics.first_order, statistics.second_order)), None
    )
    for sums in (loud.occupancy, loud.first_order, loud.second_order):
        sums[0] *= 1e6
    transforms, opened = mllr.estimate_classes(bank, loud, tree, "bias", prior_frames)
    for number in np.flatnonzero(opened):
        states = tree.order[tree.first[number] : tree.last[number]]
        above = transforms[tree.parent[number]] if number else None
        expected = mllr.estimate(bank.take(states), loud.take(states), "bias", prior_frames, above)
        np.testing.assert_allclose(transforms[number], expected, rtol=1e-5, atol=1e-5)


@quick
@given(seeds, st.integers(1, 4))
def test_moving_is_a_product_with_the_extended_mean(seed, classes):
    random = np.random.default_rng(seed)
    bank = random_bank(random, 5, 2, DIMS)
    transforms = random.normal(0, 1, (classes, DIMS, DIMS + 1))
    own = random.integers(0, classes, 5)
    moved = mllr.move(bank, transforms, own)
    for j, k in np.ndindex(5, 2):
        expected = transforms[own[j]] @ np.concatenate([[1.0], bank.means[j, k]])
        np.testing.assert_allclose(moved.means[j, k], expected, atol=1e-12)
    np.testing.assert_array_equal(moved.weights, bank.weights)
    np.testing.assert_array_equal(moved.variances, bank.variances)


# Variances


@quick
@given(seeds, st.sampled_from([0.5, 100.0]))
def test_the_scale_of_the_variances_is_the_mean_square_in_units_of_the_banks(seed, prior_frames):
    random = np.random.default_rng(seed)
    bank = random_bank(random, 4, 2, DIMS)
    statistics, x, shares = heard(random, bank, 9)
    total, count = np.zeros(DIMS), 0.0
    for j, k in np.ndindex(4, 2):
        for t in range(len(x)):
            total += shares[k, j, t] * (x[t] - bank.means[j, k]) ** 2 / bank.variances[j, k]
            count += shares[k, j, t]
    expected = (prior_frames + total) / (prior_frames + count)
    np.testing.assert_allclose(mllr.variance_scale(bank, statistics, prior_frames), expected, rtol=1e-9)


def test_frames_that_spread_twice_as_wide_have_a_scale_of_four():
    random = np.random.default_rng(9)
    bank = GaussianBank(np.ones((1, 1)), np.zeros((1, 1, DIMS)), random.uniform(0.5, 2, (1, 1, DIMS)))
    x = random.normal(0, 2 * np.sqrt(bank.variances[0, 0]), (20_000, DIMS))
    statistics = Statistics.of_frames(np.ones((1, 1, len(x))), with_squares(x))
    np.testing.assert_allclose(mllr.variance_scale(bank, statistics, 10.0), 4.0, rtol=0.05)
