"""Shared codebooks against sums written out literally, and what must hold of them on any data."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.vq import vq
from scipy.special import logsumexp
from scipy.stats import norm
from weighing import each_once

from recognizer.acoustics import codebook
from recognizer.acoustics.discrete import PRIOR_FRAMES, STREAMS, SYMBOL_FLOOR, DiscreteBank
from recognizer.acoustics.gaussians import MIN_OCCUPANCY, GaussianBank, Sizes
from recognizer.acoustics.tied import TiedBank
from recognizer.errors import TrainingError
from recognizer.evaluation.densities import draw

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 4)
quick = settings(max_examples=30, deadline=None)
BANKS = (TiedBank, DiscreteBank)


def tied_bank(seed, states=3, entries=4, dims=3, streams=1):
    """Gaussians in streams, to which the dimensions are dealt out in turn."""
    random = np.random.default_rng(seed)
    shape = (streams, entries, dims)
    own = (np.arange(dims) % streams == np.arange(streams)[:, None]).astype(float)
    weights = random.dirichlet(np.full(entries, 3.0), (states, streams))
    return TiedBank(weights, random.normal(0, 2, shape), random.uniform(0.2, 3, shape), own)


def discrete_bank(seed, states=3, cells=4, width=2):
    random = np.random.default_rng(seed)
    dims = STREAMS * width
    own = np.arange(dims) // width == np.arange(STREAMS)[:, None]
    centres = random.normal(0, 2, (STREAMS, cells, dims)) * own[:, None]
    weights = random.dirichlet(np.full(cells, 3.0), (states, STREAMS))
    return DiscreteBank(weights, centres, own * random.uniform(0.3, 3, dims))


def bank_of(kind, seed, states=3, entries=4):
    return tied_bank(seed, states, entries, 6, 2) if kind is TiedBank else discrete_bank(seed, states, entries)


def frames_for(seed, bank, frames=12):
    return np.random.default_rng(seed + 1).normal(0, 2.5, (frames, bank.dims))


def literal_entry(bank, stream, entry, frame):
    """ln e_rn(o), one number at a time."""
    if isinstance(bank, TiedBank):
        return sum(
            norm.logpdf(frame[d], bank.means[stream, entry, d], np.sqrt(bank.variances[stream, entry, d]))
            for d in range(bank.dims)
            if bank.streams[stream, d]
        )
    distances = [
        sum(p * (o - c) ** 2 for p, o, c in zip(bank.precision[stream], frame, centre))
        for centre in bank.centres[stream]
    ]
    return 0.0 if min(range(len(distances)), key=distances.__getitem__) == entry else -np.inf


def literal_terms(bank, features):
    """ln c_jrn e_rn(o_t), (T, S, R, N)."""
    states, streams, entries = bank.weights.shape
    terms = np.empty((len(features), states, streams, entries))
    for t, r, n in np.ndindex(len(features), streams, entries):
        terms[t, :, r, n] = np.log(bank.weights[:, r, n]) + literal_entry(bank, r, n, features[t])
    return terms


def literal_statistics(bank, features, occupation):
    """Occupancy (S, R, N) and moments (R, N, D), frame by frame."""
    terms = literal_terms(bank, features)
    occupancy = np.zeros(bank.weights.shape)
    first, second = (np.zeros((*bank.weights.shape[1:], bank.dims)) for _ in range(2))
    for t, j, r in np.ndindex(*terms.shape[:3]):
        for n in range(terms.shape[3]):
            share = occupation[j, t] * np.exp(terms[t, j, r, n] - logsumexp(terms[t, j, r]))
            occupancy[j, r, n] += share
            first[r, n] += share * features[t]
            second[r, n] += share * features[t] ** 2
    return occupancy, first, second


def occupations(seed, states, frames):
    return np.random.default_rng(seed).dirichlet(np.ones(states + 1), frames)[:, :states].T


# Both


@quick
@given(seeds, sizes, sizes, st.sampled_from(BANKS))
def test_log_density_is_the_sum_over_streams_of_the_log_of_weighted_sums(seed, states, entries, kind):
    bank = bank_of(kind, seed, states, entries)
    features = frames_for(seed, bank)
    expected = logsumexp(literal_terms(bank, features), axis=-1).sum(-1)
    np.testing.assert_allclose(bank.log_density(features), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(bank.expect(features).log_density.T, bank.log_density(features))


@quick
@given(seeds, sizes, sizes, st.sampled_from(BANKS))
def test_statistics_are_the_literal_sums(seed, states, entries, kind):
    bank = bank_of(kind, seed, states, entries)
    features, occupation = frames_for(seed, bank), occupations(seed, states, 12)
    shares = bank.expect(features)
    sums = shares.statistics(occupation)
    occupancy, first, second = literal_statistics(bank, features, occupation)
    np.testing.assert_allclose(sums.occupancy, occupancy, atol=1e-9)
    np.testing.assert_allclose(sums.occupancy.sum(-1), occupation.sum(1)[:, None].repeat(bank.weights.shape[1], 1))
    assert sums.frames == len(features)
    by_entry = shares.shares(occupation)
    assert by_entry.shape == (bank.weights[0].size, 1, len(features))
    np.testing.assert_allclose(by_entry.sum(-1)[:, 0], occupancy.sum(0).ravel(), atol=1e-9)
    if kind is TiedBank:
        np.testing.assert_allclose(sums.first_order[0], first, atol=1e-9)
        np.testing.assert_allclose(sums.second_order[0], second, atol=1e-9)
    else:
        assert sums.first_order.size == sums.second_order.size == 0


@quick
@given(seeds, st.sampled_from(BANKS), st.permutations(range(4)), st.integers(1, 4))
def test_taking_states_and_putting_them_back(seed, kind, order, count):
    bank, rows = bank_of(kind, seed, 4), np.array(order[:count])
    features = frames_for(seed, bank)
    part = bank.take(rows)
    np.testing.assert_allclose(part.log_density(features), bank.log_density(features)[:, rows])
    other = replace(part, weights=part.weights[..., ::-1])
    result = bank.put(rows, other).log_density(features)
    np.testing.assert_allclose(result[:, rows], other.log_density(features))
    rest = np.setdiff1d(np.arange(4), rows)
    np.testing.assert_allclose(result[:, rest], bank.log_density(features)[:, rest])


@pytest.mark.parametrize("kind", BANKS)
def test_parts_of_the_statistics_add_up_to_the_whole(kind):
    bank = bank_of(kind, 5)
    features, occupation = frames_for(5, bank, 20), occupations(5, 3, 20)
    whole = bank.expect(features).statistics(occupation)
    total = bank.statistics()
    for rows, frames in itertools.product(([0, 2], [1]), (slice(0, 7), slice(7, 20))):
        part = bank.take(np.array(rows)).expect(features[frames])
        total.add(part.statistics(occupation[rows][:, frames]), np.array(rows))
    for name in ("occupancy", "first_order", "second_order"):
        np.testing.assert_allclose(getattr(total, name), getattr(whole, name), atol=1e-9)


@pytest.mark.parametrize("kind", BANKS)
def test_nothing_is_dropped_from_a_codebook_that_others_use(kind):
    bank = bank_of(kind, 1)
    assert bank.drop_starved(bank.statistics(), 3.0) is bank


# Semi-continuous


@quick
@given(seeds, sizes, sizes, st.sampled_from([1, 3]))
def test_an_updated_codebook_has_the_weighted_moments_of_all_states_frames(seed, states, entries, streams):
    bank = tied_bank(seed, states, entries, 3, streams)
    features, occupation = frames_for(seed, bank, 40), occupations(seed, states, 40)
    updated = bank.update(bank.expect(features).statistics(occupation), np.full(3, 1e-6))
    occupancy, first, second = literal_statistics(bank, features, occupation)
    for r, n in np.ndindex(*bank.means.shape[:2]):
        count = occupancy[:, r, n].sum()
        if count <= 2 * MIN_OCCUPANCY:
            continue
        mean = first[r, n] / count
        np.testing.assert_allclose(updated.means[r, n], mean, atol=1e-7)
        np.testing.assert_allclose(
            updated.variances[r, n], np.maximum(second[r, n] / count - mean**2, 1e-6), rtol=1e-6, atol=1e-6
        )
    shares = occupancy / occupancy.sum(-1, keepdims=True)
    unfloored = (shares > 0.03).all(-1)  # for others see test_gaussians.py
    np.testing.assert_allclose(updated.weights[unfloored], shares[unfloored], atol=1e-9)
    np.testing.assert_allclose(updated.weights.sum(-1), 1)
    np.testing.assert_array_equal(updated.streams, bank.streams)


def test_a_gaussian_that_nothing_falls_to_stays_where_it_is():
    bank = tied_bank(2)
    sums = bank.statistics()
    updated = bank.update(sums, np.full(3, 1e-3))
    np.testing.assert_array_equal(updated.means, bank.means)
    np.testing.assert_array_equal(updated.variances, bank.variances)
    np.testing.assert_array_equal(updated.weights, bank.weights)


@quick
@given(seeds, st.integers(1, 3), st.integers(1, 4), st.sampled_from([1, 3]))
def test_em_of_a_shared_codebook_never_lowers_the_likelihood(seed, states, entries, streams):
    bank, floor = tied_bank(seed, states, entries, 3, streams), np.full(3, 0.2)
    features, occupation = frames_for(seed, bank, 30), occupations(seed, states, 30)
    last = -np.inf
    for _ in range(6):
        shares = bank.expect(features)
        likelihood = (occupation * shares.log_density).sum()
        assert likelihood >= last - 1e-9
        last = likelihood
        bank = bank.update(shares.statistics(occupation), floor)


@pytest.mark.parametrize("entries", [8, 32, 128])
def test_not_even_the_first_step_from_the_start_lowers_the_likelihood(entries):
    random, floor = np.random.default_rng(0), np.full(6, 0.3)
    groups = [random.normal(place, 1, (60, 6)) for place in range(-9, 12, 3)]
    bank, features = TiedBank.start(each_once(groups), Sizes(1, entries, floor)), np.concatenate(groups)
    occupation = np.repeat(np.eye(len(groups)), 60, axis=1)
    first = bank.expect(features)
    second = bank.update(first.statistics(occupation), floor).expect(features)
    assert (occupation * second.log_density).sum() >= (occupation * first.log_density).sum()


@quick
@given(seeds, sizes, sizes)
def test_states_of_equal_weights_are_one_ordinary_mixture(seed, states, entries):
    bank = tied_bank(seed, 1, entries)
    bank = replace(bank, weights=bank.weights.repeat(states, 0))
    features = frames_for(seed, bank)
    mixture = GaussianBank(bank.weights[:1, 0], bank.means, bank.variances)
    np.testing.assert_allclose(bank.log_density(features), mixture.log_density(features).repeat(states, 1))


@quick
@given(seeds, sizes, sizes)
def test_it_is_the_ordinary_bank_of_the_same_gaussians_in_every_state_with_moments_pooled(seed, states, entries):
    bank = tied_bank(seed, states, entries)
    features, occupation = frames_for(seed, bank), occupations(seed, states, 12)
    ordinary = GaussianBank(bank.weights[:, 0], bank.means.repeat(states, 0), bank.variances.repeat(states, 0))
    one, other = (b.expect(features) for b in (bank, ordinary))
    np.testing.assert_allclose(one.log_density, other.log_density)
    pooled, own = one.statistics(occupation), other.statistics(occupation)
    np.testing.assert_allclose(pooled.occupancy[:, 0], own.occupancy, atol=1e-9)
    np.testing.assert_allclose(pooled.first_order[0, 0], own.first_order.sum(0), atol=1e-9)
    np.testing.assert_allclose(pooled.second_order[0, 0], own.second_order.sum(0), atol=1e-9)
    np.testing.assert_allclose(pooled.component_occupancy[0, 0], own.occupancy.sum(0), atol=1e-9)


def test_a_frame_far_from_every_gaussian_has_a_finite_density():
    bank = tied_bank(1)
    for distance in (1e2, 1e4, 1e6):
        shares = bank.expect(np.full((1, 3), distance))
        assert np.isfinite(shares.log_density).all()
        assert np.isfinite(shares.statistics(np.ones((3, 1))).occupancy).all()


@pytest.mark.parametrize("streams", [1, 3])
def test_frames_drawn_have_the_moments_of_their_state_and_its_density(streams):
    bank, draws = tied_bank(4, 2, 3, 3, streams), 40_000
    means, variances = bank.moments(np.arange(2))
    for state, other in ((0, 1), (1, 0)):
        frames = draw(bank, np.full(draws, state), np.random.default_rng(0))
        assert frames.shape == (draws, 3)
        np.testing.assert_allclose(frames.mean(0), means[state], atol=5 * frames.std(0).max() / draws**0.5)
        squares = (frames - frames.mean(0)) ** 2
        np.testing.assert_allclose(squares.mean(0), variances[state], atol=5 * squares.std(0).max() / draws**0.5)
        # The mean of a ratio of densities over draws from the lower one is one, whatever the densities are.
        log_density = bank.log_density(frames)
        ratio = np.exp(log_density[:, other] - log_density[:, state])
        assert ratio.mean() == pytest.approx(1, abs=5 * ratio.std() / draws**0.5)


@quick
@given(seeds, sizes, sizes, st.integers(1, 3), st.data())
def test_moments_are_those_of_the_mixture_in_the_stream_of_each_dimension(seed, states, entries, streams, data):
    """By the mean of the squares, less the square of the mean, one number at a time."""
    bank = tied_bank(seed, states, entries, 4, streams)
    chosen = data.draw(st.lists(st.integers(0, states - 1), max_size=5))
    mean, variance = bank.moments(np.array(chosen, dtype=int))
    assert mean.shape == variance.shape == (len(chosen), 4)
    for i, j in enumerate(chosen):
        for d in range(4):
            weights, means, variances = bank.weights[j, d % streams], bank.means[d % streams], bank.variances
            of_x = sum(weights[n] * means[n, d] for n in range(entries))
            of_square = sum(weights[n] * (variances[d % streams, n, d] + means[n, d] ** 2) for n in range(entries))
            assert mean[i, d] == pytest.approx(of_x, abs=1e-12)
            assert variance[i, d] == pytest.approx(of_square - of_x**2, abs=1e-9)


# Discrete


@quick
@given(seeds, st.integers(1, 8), st.integers(1, 3))
def test_symbols_are_those_of_scipy(seed, cells, width):
    bank = discrete_bank(seed, 2, cells, width)
    features = frames_for(seed, bank, 30)
    symbols = bank.symbols(features)
    for r, scale in enumerate(np.sqrt(bank.precision)):
        np.testing.assert_array_equal(symbols[:, r], vq(features * scale, bank.centres[r] * scale)[0])
    entries, peak = bank.entries(features)
    assert (entries.sum(1) == 1).all()
    assert (peak == 0).all()
    np.testing.assert_array_equal(entries.argmax(1).T, symbols)


@quick
@given(seeds, sizes, st.integers(1, 6), st.sampled_from([0.0, 0.5, 0.95]))
def test_output_probabilities_are_relative_frequencies_with_a_few_frames_of_all_states(seed, states, cells, empty):
    random = np.random.default_rng(seed)
    bank = discrete_bank(seed, states, cells)
    counts = random.uniform(0, 50, bank.weights.shape) * (random.random(bank.weights.shape) >= empty)
    updated = bank.update(replace(bank.statistics(), occupancy=counts), np.ones(bank.dims)).weights
    assert (updated > 0).all()
    np.testing.assert_allclose(updated.sum(-1), 1)
    for j, r in np.ndindex(states, STREAMS):
        overall = counts[:, r].sum(0)
        if not overall.sum():
            np.testing.assert_array_equal(updated[j, r], bank.weights[j, r])
            continue
        overall = overall / overall.sum()
        expected = (counts[j, r] + PRIOR_FRAMES * overall) / (counts[j, r].sum() + PRIOR_FRAMES)
        np.testing.assert_allclose(updated[j, r], expected, atol=cells * SYMBOL_FLOOR)


def test_many_frames_outweigh_the_prior_and_none_leave_it_alone():
    bank = discrete_bank(0, 2, 3)
    counts = np.zeros(bank.weights.shape)
    counts[0] = [6, 3, 1]
    few, many = (bank.update(replace(bank.statistics(), occupancy=n * counts), np.ones(6)).weights for n in (1, 1e7))
    np.testing.assert_allclose(many[0], np.tile([0.6, 0.3, 0.1], (STREAMS, 1)), rtol=1e-6)
    np.testing.assert_allclose(few[1], np.tile([0.6, 0.3, 0.1], (STREAMS, 1)), rtol=1e-6)  # what all states have


@quick
@given(seeds, st.integers(1, 3), st.integers(1, 5))
def test_output_probabilities_maximise_the_posterior(seed, states, cells):
    """Of the counts and of PRIOR_FRAMES frames as all states have them; any other distribution is worse."""
    random = np.random.default_rng(seed)
    bank = discrete_bank(seed, states, cells)
    counts = random.uniform(1, 9, bank.weights.shape)
    updated = bank.update(replace(bank.statistics(), occupancy=counts), np.ones(bank.dims)).weights
    overall = counts.sum(0) / counts.sum((0, 2))[:, None]

    def posterior(weights):
        return ((counts + PRIOR_FRAMES * overall) * np.log(weights)).sum(-1)

    for _ in range(10):
        other = random.dirichlet(np.ones(cells), bank.weights.shape[:2]) * 0.3 + updated * 0.7
        assert (posterior(other) <= posterior(updated) + 1e-9).all()


def test_cells_are_drawn_as_often_as_they_are_probable():
    bank, draws = discrete_bank(3, 2, 4), 20_000
    for state in range(2):
        frames = draw(bank, np.full(draws, state), np.random.default_rng(0))
        symbols = bank.symbols(frames)
        for r in range(STREAMS):
            frequency = np.bincount(symbols[:, r], minlength=4) / draws
            np.testing.assert_allclose(frequency, bank.weights[state, r], atol=5 * 0.5 / draws**0.5)
        expected = np.exp(bank.log_density(frames)[:, state])
        np.testing.assert_allclose(expected, bank.weights[state, np.arange(STREAMS), symbols].prod(-1))


def test_moments_are_the_mean_of_the_centres_and_the_variance_of_all_frames():
    random = np.random.default_rng(5)
    groups = [random.normal(random.normal(0, 3, 6), random.uniform(0.5, 2, 6), (60, 6)) for _ in range(3)]
    bank = DiscreteBank.start(each_once(groups), Sizes(1, 5, np.full(6, 1e-3)))
    chosen = [2, 0, 2, 1]
    mean, variance = bank.moments(np.array(chosen))
    for i, state in enumerate(chosen):
        for d in range(6):
            stream = d // 2
            of_x = sum(bank.weights[state, stream, n] * bank.centres[stream, n, d] for n in range(5))
            assert mean[i, d] == pytest.approx(of_x, abs=1e-12)
            assert variance[i, d] == pytest.approx(np.concatenate(groups)[:, d].var(), rel=1e-9)


@pytest.mark.parametrize("dims", [1, 4, 14])
def test_dimensions_that_make_no_three_streams_are_refused(dims):
    with pytest.raises(TrainingError) as caught:
        DiscreteBank.start(each_once([np.zeros((9, dims))]), Sizes(1, 4, np.ones(dims)))
    assert str(caught.value) == (
        f"{dims} values a frame are not 3 streams of equal width; a discrete density needs statics, deltas and "
        "accelerations"
    )


# The start

GROUPS = {
    "plenty": lambda random: [random.normal(3 * j, 1, (40, 6)) for j in range(3)],
    "constant": lambda random: [np.full((9, 6), 7.25) for _ in range(3)],
    "constant dimension": lambda random: [random.normal(0, 1, (20, 6)) * [1, 0, 1, 1, 1, 0] for _ in range(3)],
    "fewer frames than entries": lambda random: [random.normal(0, 1, (2, 6)) for _ in range(3)],
    "one frame a state": lambda random: [random.normal(0, 1, (1, 6)) for _ in range(3)],
    "one frame": lambda random: [random.normal(0, 1, (1, 6))],
    "few values": lambda random: [np.round(random.normal(0, 1, (30, 6))) for _ in range(3)],
}


@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("entries", [1, 8, None])
@pytest.mark.parametrize("kind", BANKS)
def test_a_start_is_sound_whatever_the_frames(kind, entries, groups):
    groups = GROUPS[groups](np.random.default_rng(0))
    floor = np.full(6, 0.1)
    bank = kind.start(each_once(groups), Sizes(1, entries, floor))
    assert bank.fault(len(groups), 6) is None
    assert bank.dims == 6
    assert 1 <= bank.weights.shape[-1] <= min(entries or 10_000, sum(map(len, groups)))
    features = np.concatenate(groups)
    owner = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    occupation = (owner == np.arange(len(groups))[:, None]).astype(float)
    for _ in range(3):
        shares = bank.expect(features)
        assert np.isfinite(shares.log_density).all()
        bank = bank.update(shares.statistics(occupation), floor)
        assert bank.fault(len(groups), 6) is None
        assert (bank.weights > 0).all()


@pytest.mark.parametrize("kind", BANKS)
def test_a_start_tells_states_apart(kind):
    random = np.random.default_rng(1)
    groups = [random.normal(place, 1, (60, 6)) for place in (-4, 0, 4)]
    bank = kind.start(each_once(groups), Sizes(1, 6, np.full(6, 0.1)))
    for state, group in enumerate(groups):
        assert (bank.log_density(group).argmax(1) == state).mean() > 0.95
    np.testing.assert_allclose(bank.moments(np.arange(len(groups)))[0], [group.mean(0) for group in groups], atol=0.6)


def test_a_large_corpus_is_thinned_out_evenly(monkeypatch):
    monkeypatch.setattr(codebook, "FRAMES", 30)
    random = np.random.default_rng(2)
    groups = [random.normal(place, 1, (60, 3)) for place in (-9, 9)]
    bank = DiscreteBank.start(each_once(groups), Sizes(1, 200, np.full(3, 0.1)))
    assert bank.weights.shape[-1] <= 30
    assert {np.sign(c) for c in bank.centres[0, :, 0]} == {-1, 1}
