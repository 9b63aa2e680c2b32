"""Chains of positions: topologies, full matrices, updates as the equations are written, durations and walks."""

from __future__ import annotations

import itertools
from unittest import mock

import numpy as np
import pytest
from enumerating import (
    PARTS,
    counts_of,
    enumerated,
    general,
    general_matrices,
    general_models,
    laid_out,
    log_sum,
    models,
    positions_,
    rabiner,
    random_chain,
    random_densities,
    seeds,
    thorough,
    walked,
)
from hypothesis import given
from hypothesis import strategies as st

from recognizer.acoustics.chain import (
    ADVANCED,
    ENTERED,
    JUMPED,
    KEPT,
    MIN_VISITS,
    SKIPPED,
    TOPOLOGIES,
    TRANSITION_FLOOR,
    Chain,
    expected_durations,
    shortest,
    walk,
)
from recognizer.acoustics.recursions import path_posteriors, soft_posteriors, viterbi, viterbi_score

# Transitions


def probabilities(chain):
    return [np.exp(getattr(chain, name)) for name in PARTS]


def is_distribution(chain):
    entry, stay, advance, leave = probabilities(chain)
    np.testing.assert_allclose(entry.sum(-1), 1)
    np.testing.assert_allclose(stay + advance + leave, 1)
    assert (advance[..., -1] == 0).all()


@given(st.integers(1, 3), st.integers(1, 6), st.floats(0.05, 0.95))
def test_left_to_right_is_states_between_optional_silences(words, states, stay):
    chain = Chain.of_topology(words, states, stay=stay)
    is_distribution(chain)
    entry, kept, advance, leave = probabilities(chain)
    assert entry.shape == (words, states + 2)
    np.testing.assert_allclose(kept[:, 1:-1], stay)
    np.testing.assert_allclose(kept[:, [0, -1]], 0.9)
    assert (entry[:, :2] > 0).all()
    assert (entry[:, 2:] == 0).all()
    assert (leave[:, -2:] > 0).all()
    assert (leave[:, :-2] == 0).all()
    assert (advance[:, :-1] > 0).all()


@thorough
@given(seeds, st.integers(1, 3), positions_, st.sampled_from([0.0, 0.5, 1.0]))
def test_updated_transitions_are_distributions_and_impossible_ones_stay_so(seed, words, positions, empty):
    random = np.random.default_rng(seed)
    positions += 2
    chain = random_chain(seed, positions, (words,), silence=True)
    counts = random.uniform(0, 20, (words, positions, 4)) * (random.random((words, positions, 4)) >= empty)
    updated = chain.update(counts)
    is_distribution(updated)
    for name in PARTS:
        before, after = getattr(chain, name), getattr(updated, name)
        np.testing.assert_array_equal(after == -np.inf, before == -np.inf)
        np.testing.assert_allclose(after[:, [0, -1]], before[:, [0, -1]])
    stay = np.exp(updated.log_stay[:, 1:-1])
    assert ((stay >= TRANSITION_FLOOR * (1 - 1e-9)) & (1 - stay >= TRANSITION_FLOOR * (1 - 1e-9))).all() or empty > 0


def test_without_counts_transitions_stay():
    chain = random_chain(3, 5, (2,), silence=True)
    updated = chain.update(np.zeros((2, 5, 4)))
    for name in PARTS:
        np.testing.assert_allclose(getattr(updated, name), getattr(chain, name))


def test_updated_transitions_are_relative_frequencies():
    chain = Chain.of_topology(1, 1)
    counts = np.array([[[3, 6, 3, 0], [7, 10, 4, 6], [0, 9, 0, 4]]], dtype=float)
    before = [x[0] for x in probabilities(chain)]
    entry, stay, advance, leave = (x[0] for x in probabilities(chain.update(counts)))
    np.testing.assert_allclose(entry, before[0])
    np.testing.assert_allclose(stay, [before[1][0], 0.5, before[1][2]])
    np.testing.assert_allclose(advance + leave, 1 - stay)
    np.testing.assert_allclose(leave[1] / advance[1], before[3][1] / before[2][1])


@pytest.mark.parametrize("under", [5.0, 15.0, 25.0, 35.0])
def test_transitions_of_a_hardly_visited_position_are_not_rounding_errors(under):
    """They follow from its few expected visits, or from none and stay; silence is `under` all states here."""
    chain = Chain.of_topology(1, 2)
    densities = [d - under * np.array([1, 0, 0, 1]) for d in random_densities(0, [2, 5, 7, 4, 6], 4)]
    counts = soft_posteriors(*laid_out(densities), chain.word(0))[1].sum(0)
    expected = np.zeros((4, 4))
    for density in densities:
        found = enumerated(density, chain.word(0))
        total = log_sum(found.values())
        expected += sum(np.exp(p - total) * counts_of(path, 4) for path, p in found.items())
    for result, exact, before in zip(
        *map(probabilities, (chain.update(c) for c in (counts[None], expected[None]))), probabilities(chain)
    ):
        assert (np.isclose(result, exact, rtol=0.01) | np.isclose(result, before, rtol=0.01)).all()


@thorough
@given(models(possible=True))
def test_updating_on_expected_counts_never_lowers_the_likelihood(model):
    chain, densities = model
    log_density, batch = laid_out(densities)
    least = min(np.exp(getattr(chain, n)[getattr(chain, n) > -np.inf]).min(initial=1) for n in PARTS)
    if least < TRANSITION_FLOOR:  # the start must satisfy the constraint under which the M-step is best
        return
    _, counts, before = soft_posteriors(log_density, batch, chain)
    after = soft_posteriors(log_density, batch, chain.update(counts.sum(0)))[2]
    assert after.sum() >= before.sum() - 1e-9


@general
@given(seeds, st.integers(1, 3), st.integers(1, 5))
def test_matrices_come_back_as_they_were(seed, words, positions):
    entry, moves = general_matrices(seed, positions, (words,))
    chain = Chain.of_matrices(entry, moves)
    back = chain.matrices()
    np.testing.assert_allclose(back[0], entry, atol=1e-15)
    np.testing.assert_allclose(back[1], moves, atol=1e-15)
    assert not {0, 1} & set(chain.log_jumps)
    for w in range(words):
        for one, other in zip(chain.word(w).matrices(), (entry[w], moves[w])):
            np.testing.assert_allclose(one, other, atol=1e-15)


def test_jumps_that_nobody_takes_can_be_kept():
    entry, moves = Chain.of_topology(1, 3).matrices()
    assert set(Chain.of_matrices(entry, moves).log_jumps) == set()
    chain = Chain.of_matrices(entry, moves, (2, -1))
    assert set(chain.log_jumps) == {2, -1}
    assert all((log_jump == -np.inf).all() for log_jump in chain.log_jumps.values())


@general
@given(seeds, st.integers(3, 5), st.integers(1, 3))
def test_the_shortest_path_is_that_of_the_enumeration(seed, positions, words):
    entry, moves = general_matrices(seed, positions, (words,), allowed=0.3)
    for w, least in enumerate(shortest(Chain.of_matrices(entry, moves))):
        lengths = range(1, positions + 1)
        assert least == next(n for n in lengths if walked(entry[w], moves[w], np.ones((n, positions))))
        chain = Chain.of_matrices(entry, moves).word(w)
        for length in range(1, least + 2):
            log_density, batch = laid_out([np.zeros((length, positions))])
            score = viterbi_score(log_density, batch, chain)
            assert np.isfinite(score).all() == bool(walked(entry[w], moves[w], np.ones((length, positions))))


@general
@given(general_models(silence=False))
def test_update_is_reestimation_by_the_equations(model):
    """Initial and transition probabilities are relative frequencies (Rabiner 1989, eq. 40a-40b), with an exit."""
    entry, moves, chain, densities = model
    log_density, batch = laid_out(densities)
    with mock.patch("recognizer.acoustics.chain.TRANSITION_FLOOR", 0.0):
        updated = chain.update(soft_posteriors(log_density, batch, chain)[1].sum(0))
    gammas, xis = zip(*(rabiner(entry, moves, np.exp(d))[2:4] for d in densities))
    began = sum(gamma[0] for gamma in gammas) / len(densities)
    went = sum(xi.sum(0) for xi in xis)
    ended = sum(gamma[-1] for gamma in gammas)
    visits = sum(gamma.sum(0) for gamma in gammas)
    new_entry, new_moves = updated.matrices()
    np.testing.assert_allclose(new_entry, began, atol=1e-8)
    for i, visited in enumerate(visits):
        expected = [*went[i], ended[i]] / visited if visited > 2 * MIN_VISITS else moves[i]
        if not MIN_VISITS / 2 < visited < 2 * MIN_VISITS:
            np.testing.assert_allclose(new_moves[i], expected, atol=1e-6)


@general
@given(general_models(), st.booleans())
def test_general_update_never_lowers_the_likelihood(model, hard):
    _, _, chain, densities = model
    log_density, batch = laid_out(densities)
    last = -np.inf
    for _ in range(4):
        if hard:
            score, path = viterbi(log_density, batch, chain)
            counts = path_posteriors(path, batch, chain)[1]
        else:
            _, counts, score = soft_posteriors(log_density, batch, chain)
        assert score.sum() >= last - 1e-9
        last, chain = score.sum(), chain.update(counts.sum(0))


@general
@given(seeds, st.integers(1, 3), st.integers(3, 5), st.sampled_from([0.0, 0.5, 1.0]))
def test_general_update_keeps_the_silences_and_what_is_impossible(seed, words, positions, empty):
    random = np.random.default_rng(seed)
    entry, moves = general_matrices(seed, positions, (words,))
    chain = Chain.of_matrices(entry, moves)
    shape = (words, positions, 4 + len(chain.log_jumps))
    updated = chain.update(random.uniform(0, 20, shape) * (random.random(shape) >= empty))
    assert list(updated.log_jumps) == list(chain.log_jumps)
    new_entry, new_moves = updated.matrices()
    for before, after in ((entry, new_entry), (moves, new_moves)):
        np.testing.assert_allclose(after.sum(-1), 1)
        np.testing.assert_array_equal(after > 0, before > 0)
        if empty == 1:
            np.testing.assert_allclose(after, before, atol=1e-12)
    np.testing.assert_allclose(new_entry[:, 0], entry[:, 0])
    np.testing.assert_allclose(new_moves[:, 0, [0, -1]], moves[:, 0, [0, -1]])
    np.testing.assert_allclose(new_moves[:, -1], moves[:, -1])
    known = moves[:, 1:-1, -2:].sum(-1) > 0
    before, after = (x[:, 1:-1, -2:][known] for x in (moves, new_moves))
    np.testing.assert_allclose(after * before.sum(-1, keepdims=True), before * after.sum(-1, keepdims=True))


# Durations and walks


@general
@given(seeds, st.integers(1, 2), st.integers(1, 4))
def test_expected_durations_are_sums_over_walks_of_every_length(seed, words, positions):
    """Frames in a position are the probabilities of being there at each time, summed until nobody is left."""
    entry, moves = general_matrices(seed, positions, (words,))
    moves[..., -1] += 0.2
    moves /= moves.sum(-1, keepdims=True)
    durations = expected_durations(Chain.of_matrices(entry, moves))
    for w in range(words):
        there, total = entry[w], np.zeros(positions)
        while there.sum() > 1e-13:
            total += there
            there = np.array([sum(there[i] * moves[w, i, j] for i in range(positions)) for j in range(positions)])
        np.testing.assert_allclose(durations[w], total, rtol=1e-9)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_expected_durations_are_those_of_walks(topology):
    chain, random, walks = Chain.of_topology(1, 3, topology, stay=0.6, silence_stay=0.5), np.random.default_rng(0), 2000
    frames = np.array([np.bincount(walk(chain.word(0), random), minlength=5) for _ in range(walks)])
    error = frames.std(0) / walks**0.5
    assert (np.abs(frames.mean(0) - expected_durations(chain)[0]) < 4 * error).all()


def test_a_state_is_stayed_in_for_a_geometric_time():
    chain = Chain.of_topology(1, 4, stay=0.75, silence_stay=0.5)
    np.testing.assert_allclose(expected_durations(chain)[0, 1:-1], 4)


@general
@given(seeds)
def test_a_walk_goes_where_it_may_as_often_as_it_is_likely(seed):
    entry, moves = general_matrices(seed, 4)
    chain, random = Chain.of_matrices(entry, moves), np.random.default_rng(seed)
    for _ in range(5):
        path = walk(chain, random)
        assert entry[path[0]] > 0
        assert moves[path[-1], -1] > 0
        assert all(moves[a, b] > 0 for a, b in itertools.pairwise(path))


def test_first_steps_of_walks_are_as_frequent_as_probable():
    entry, moves = general_matrices(7, 4)
    chain, random = Chain.of_matrices(entry, moves), np.random.default_rng(0)
    paths_ = [walk(chain, random) for _ in range(3000)]
    np.testing.assert_allclose(np.bincount([p[0] for p in paths_], minlength=4) / 3000, entry, atol=0.04)
    seen = np.zeros((4, 5))
    for path in paths_:
        for a, b in itertools.pairwise([*path, 4]):
            seen[a, b] += 1
    np.testing.assert_allclose(seen / seen.sum(-1, keepdims=True), moves, atol=0.04)


# Topologies


@given(st.integers(1, 3), st.integers(2, 6), st.floats(0.05, 0.95))
def test_skips_leave_out_any_one_of_neighbours(words, states, stay):
    entry, moves = Chain.of_topology(words, states, "skip", stay=stay).matrices()
    np.testing.assert_allclose(entry.sum(-1), 1)
    np.testing.assert_allclose(moves.sum(-1), 1)
    last = states + 1
    for p in range(1, last):
        possible = {p, *range(p + 1, min(p + 2, last) + 1)}
        if p + 2 >= last:
            possible |= {last, last + 1}  # the end, with and without silence
        assert set(np.flatnonzero(moves[0, p])) == possible
        np.testing.assert_allclose(moves[:, p, p], stay)
    np.testing.assert_allclose(moves[:, [0, last], [0, last]], 0.9)
    assert set(np.flatnonzero(entry[0])) == {0, 1, 2}
    assert set(np.flatnonzero(moves[0, 0])) == {0, 1, 2}
    assert set(np.flatnonzero(moves[0, last])) == {last, last + 1}
    np.testing.assert_allclose(moves[:, 1, 2] / moves[:, 1, 3:].sum(-1), (1 - SKIPPED) / SKIPPED)
    np.testing.assert_allclose(entry[:, 1] / entry[:, 2], (1 - SKIPPED) / SKIPPED)
    np.testing.assert_array_equal(shortest(Chain.of_matrices(entry, moves)), max(1, states // 2))


def test_a_single_state_has_nothing_to_skip():
    for one, other in zip(Chain.of_topology(2, 1, "skip").matrices(), Chain.of_topology(2, 1).matrices()):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("states", [1, 2, 5])
def test_left_to_right_takes_as_many_frames_as_states(states):
    np.testing.assert_array_equal(shortest(Chain.of_topology(3, states)), states)


def test_words_that_begin_otherwise_after_silence_are_reestimated_apart():
    """From the entry also straight to the last position, from the first never: neither is counted for the other."""
    entry = np.array([[0.4, 0.2, 0.4]])
    moves = np.array([[[0.5, 0.5, 0.0, 0.0], [0.0, 0.2, 0.6, 0.2], [0.0, 0.0, 0.5, 0.5]]])
    chain = Chain.of_matrices(entry, moves)
    counts = np.zeros((1, 3, 4))
    counts[0, :, ENTERED] = 1, 9, 1
    counts[0, 0, [KEPT, ADVANCED]] = 5, 30
    begins, after = (x[0] for x in chain.update(counts).matrices())
    np.testing.assert_allclose(begins, [0.4, 0.6 * 0.9, 0.6 * 0.1])
    np.testing.assert_allclose(after[0], moves[0, 0])
    skipping = Chain.of_topology(1, 3, "skip")
    counts = np.zeros((1, 5, 5))
    counts[0, [0, 1, 2], ENTERED] = 7, 1, 3
    counts[0, 0, [KEPT, ADVANCED, JUMPED]] = 5, 5, 1
    begins, after = (x[0] for x in skipping.update(counts).matrices())
    np.testing.assert_allclose(begins[:3], [0.5, 0.5 * 0.6, 0.5 * 0.4])
    np.testing.assert_allclose(after[0, :3], [0.9, 0.1 * 0.6, 0.1 * 0.4])
