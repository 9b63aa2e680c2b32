"""Every recursion against the enumeration of every path, on models small enough to enumerate."""

from __future__ import annotations

import itertools
from collections import Counter
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
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
from recognizer.acoustics.recursions import (
    LEAST_LOG_SCALE,
    Batch,
    backward,
    forward,
    free_loop,
    log_likelihood,
    log_posteriors,
    path_posteriors,
    scaled_posteriors,
    soft_posteriors,
    viterbi,
    viterbi_score,
)

seeds = st.integers(0, 2**32 - 1)
positions_ = st.integers(1, 4)
lengths_ = st.lists(st.integers(1, 7), min_size=1, max_size=4)
thorough = settings(max_examples=60, deadline=None)
PARTS = ("log_entry", "log_stay", "log_next", "log_exit")


def logs(probabilities):
    with np.errstate(divide="ignore"):
        return np.log(probabilities)


def random_chain(seed, positions, words=(), blocked=0.3, silence=False):
    """Random transitions of which some are impossible; with silence, those of `of_topology` instead."""
    random = np.random.default_rng(seed)
    entry = random.dirichlet(np.ones(positions), words)
    moves = random.dirichlet(np.ones(3), (*words, positions))
    if silence:
        form = Chain.of_topology(1, positions - 2)
        entry = entry * (form.log_entry[0] > -np.inf)
        moves = moves * (np.stack([form.log_stay[0], form.log_next[0], form.log_exit[0]], -1) > -np.inf)
    else:
        entry[..., 1:][random.random(entry[..., 1:].shape) < blocked] = 0
        moves[random.random(moves.shape) < blocked] = 0
    moves[..., -1, 1] = 0
    moves[..., -1, 2] += 1e-3
    entry /= entry.sum(-1, keepdims=True)
    moves /= np.maximum(moves.sum(-1, keepdims=True), 1e-300)
    return Chain(logs(entry), *np.moveaxis(logs(moves), -1, 0))


def random_densities(seed, lengths, *shape):
    """One array of log densities an utterance."""
    random = np.random.default_rng(seed)
    return [random.normal(-3, 2, (length, *shape)) for length in lengths]


def laid_out(densities):
    """All utterances as one time-major array, and its layout."""
    batch = Batch.of([len(d) for d in densities])
    return np.concatenate(densities)[batch.frame], batch


def paths(length, positions, start=None):
    """All paths that stay or move on by one, as tuples of positions."""
    todo = [(p,) for p in (range(positions) if start is None else [start])]
    while todo:
        path = todo.pop()
        if len(path) == length:
            yield path
        else:
            todo += [(*path, p) for p in (path[-1], path[-1] + 1) if p < positions]


def moves_log_probability(path, chain):
    return sum(chain.log_stay[a] if a == b else chain.log_next[a] for a, b in itertools.pairwise(path))


def path_log_probability(path, density, chain):
    emitted = sum(density[t, p] for t, p in enumerate(path))
    return chain.log_entry[path[0]] + moves_log_probability(path, chain) + emitted + chain.log_exit[path[-1]]


def enumerated(density, chain):
    """Every path that is possible, with its log probability together with the observations."""
    everything = {path: path_log_probability(path, density, chain) for path in paths(len(density), density.shape[1])}
    return {path: p for path, p in everything.items() if p > -np.inf}


def log_sum(values):
    values = list(values)
    return np.logaddexp.reduce(values) if values else -np.inf


def counts_of(path, positions):
    """Entered, kept, left for the next, left for the exit, (P, 4), by walking along the path."""
    counts = np.zeros((positions, 4))
    counts[path[0], 0] += 1
    counts[path[-1], 3] += 1
    for a, b in itertools.pairwise(path):
        counts[a, 1 if a == b else 2] += 1
    return counts


def in_order(densities, batch):
    """The utterances as they stand in the batch: place, densities."""
    return [(place, densities[number]) for place, number in enumerate(batch.order)]


@st.composite
def models(draw, possible=False):
    """A chain and the log densities of some utterances; if `possible`, each has a path."""
    seed, positions, silence = draw(seeds), draw(positions_), draw(st.booleans())
    positions += 2 * silence
    chain = random_chain(seed, positions, silence=silence)
    densities = random_densities(seed, draw(lengths_), positions)
    if possible:
        densities = [d for d in densities if enumerated(d, chain)]
        if not densities:
            chain = random_chain(seed, positions, blocked=0)
            densities = random_densities(seed, [positions, positions + 2], positions)
    return chain, densities


# Layout


@thorough
@given(lengths_)
def test_layout_gathers_every_utterance_whole(lengths):
    frames = [[(number, t) for t in range(length)] for number, length in enumerate(lengths)]
    flat = [frame for utterance in frames for frame in utterance]
    batch = Batch.of(np.array(lengths))
    assert sorted(batch.order) == list(range(len(lengths)))
    assert list(batch.lengths) == sorted(lengths, reverse=True)
    assert batch.frame.shape == (max(lengths), len(lengths)) == batch.inside.shape
    for place, number in enumerate(batch.order):
        column = [flat[i] for i in batch.frame[:, place]]
        assert column[: lengths[number]] == frames[number]
        assert set(column[lengths[number] :]) <= {frames[number][-1]}
        assert batch.inside[:, place].sum() == lengths[number] == batch.lengths[place]
        assert batch.inside[: lengths[number], place].all()
    for t in range(max(lengths)):
        assert batch.running[t] == sum(length > t for length in lengths)
    assert [flat[i] for i in batch.frame[batch.last]] == [frames[number][-1] for number in batch.order]


@given(st.integers(1, 100))
def test_utterances_of_one_length_keep_their_order(count):
    assert list(Batch.of(np.full(count, 3)).order) == list(range(count))


# Recursions


@thorough
@given(models())
def test_forward_is_the_sum_over_all_beginnings(model):
    chain, densities = model
    log_density, batch = laid_out(densities)
    log_forward = forward(log_density, batch, chain)
    ends_anywhere = Chain(chain.log_entry, chain.log_stay, chain.log_next, np.zeros(len(chain.log_exit)))
    for place, density in in_order(densities, batch):
        for t in range(len(density)):
            beginnings = enumerated(density[: t + 1], ends_anywhere)
            for j in range(density.shape[1]):
                expected = log_sum(p for path, p in beginnings.items() if path[-1] == j)
                assert log_forward[t, place, j] == pytest.approx(expected)
        assert (log_forward[len(density) :, place] == -np.inf).all()


@thorough
@given(models())
def test_backward_is_the_sum_over_all_continuations(model):
    chain, densities = model
    log_density, batch = laid_out(densities)
    log_backward = backward(log_density, batch, chain)
    for place, density in in_order(densities, batch):
        length, positions = density.shape
        for t in range(length):
            for j in range(positions):
                expected = log_sum(
                    moves_log_probability(path, chain)
                    + sum(density[t + 1 + i, p] for i, p in enumerate(path[1:]))
                    + chain.log_exit[path[-1]]
                    for path in paths(length - t, positions, j)
                )
                assert log_backward[t, place, j] == pytest.approx(expected)
        assert (log_backward[length:, place] == -np.inf).all()


@thorough
@given(models())
def test_likelihood_is_the_sum_over_all_paths(model):
    chain, densities = model
    log_density, batch = laid_out(densities)
    result = log_likelihood(forward(log_density, batch, chain), batch, chain)
    for place, density in in_order(densities, batch):
        assert result[place] == pytest.approx(log_sum(enumerated(density, chain).values()))


@thorough
@given(models())
def test_viterbi_finds_the_best_of_all_paths(model):
    chain, densities = model
    log_density, batch = laid_out(densities)
    score, path = viterbi(log_density, batch, chain)
    np.testing.assert_allclose(viterbi_score(log_density, batch, chain), score, rtol=1e-12)
    for place, density in in_order(densities, batch):
        found = enumerated(density, chain)
        if not found:
            assert score[place] == -np.inf
            continue
        best = max(found, key=found.get)
        assert score[place] == pytest.approx(found[best])
        assert tuple(path[: len(density), place]) == best


@thorough
@given(models(possible=True))
def test_soft_posteriors_are_expectations_over_all_paths(model):
    chain, densities = model
    log_density, batch = laid_out(densities)
    occupation, counts, score = soft_posteriors(log_density, batch, chain)
    for place, density in in_order(densities, batch):
        length, positions = density.shape
        found = enumerated(density, chain)
        total = log_sum(found.values())
        expected, expected_counts = np.zeros((length, positions)), np.zeros_like(counts[place])
        for path, p in found.items():
            expected[range(length), path] += np.exp(p - total)
            expected_counts += np.exp(p - total) * counts_of(path, positions)
        assert score[place] == pytest.approx(total)
        np.testing.assert_allclose(occupation[:length, place], expected, atol=1e-12)
        np.testing.assert_allclose(occupation[:length, place].sum(-1), 1)
        assert (occupation[length:, place] == 0).all()
        np.testing.assert_allclose(counts[place], expected_counts, atol=1e-12)


@thorough
@given(models(possible=True))
def test_path_posteriors_count_along_the_paths(model):
    chain, densities = model
    log_density, batch = laid_out(densities)
    _, path = viterbi(log_density, batch, chain)
    positions = log_density.shape[-1]
    occupation, counts = path_posteriors(path, batch, chain)
    for place, density in in_order(densities, batch):
        walked = tuple(path[: len(density), place])
        np.testing.assert_array_equal(counts[place], counts_of(walked, positions))
        visits = [[float(p == j) for j in range(positions)] for p in walked]
        np.testing.assert_array_equal(occupation[: len(density), place], visits)
        assert (occupation[len(density) :, place] == 0).all()


@thorough
@given(models(possible=True))
def test_counts_balance(model):
    """Every position is left as often as it is reached, whichever way paths are counted."""
    chain, densities = model
    log_density, batch = laid_out(densities)
    occupation, soft, _ = soft_posteriors(log_density, batch, chain)
    hard_occupation, hard = path_posteriors(viterbi(log_density, batch, chain)[1], batch, chain)
    for counts, occupied in ((soft, occupation), (hard, hard_occupation)):
        entered, kept, moved, left = counts.sum(0).T
        arrived = entered + kept + np.concatenate([[0], moved[:-1]])
        np.testing.assert_allclose(arrived, occupied.sum((0, 1)), atol=1e-9)
        np.testing.assert_allclose(kept + moved + left, occupied.sum((0, 1)), atol=1e-9)
        assert entered.sum() == pytest.approx(len(densities)) == pytest.approx(left.sum())


@thorough
@given(models(possible=True))
def test_a_batch_gives_what_every_utterance_gives_alone(model):
    chain, densities = model
    log_density, batch = laid_out(densities)
    log_forward, log_backward = forward(log_density, batch, chain), backward(log_density, batch, chain)
    score, path = viterbi(log_density, batch, chain)
    occupation, counts, total = soft_posteriors(log_density, batch, chain)
    for place, density in in_order(densities, batch):
        alone, single = laid_out([density])
        length = len(density)
        np.testing.assert_array_equal(log_forward[:length, [place]], forward(alone, single, chain))
        np.testing.assert_array_equal(log_backward[:length, [place]], backward(alone, single, chain))
        score_alone, path_alone = viterbi(alone, single, chain)
        assert score[place] == score_alone[0]
        np.testing.assert_array_equal(path[:length, place], path_alone[:, 0])
        occupation_alone, c, total_alone = soft_posteriors(alone, single, chain)
        np.testing.assert_allclose(occupation[:length, place], occupation_alone[:, 0], atol=1e-12)
        assert total[place] == pytest.approx(total_alone[0])
        np.testing.assert_allclose(counts[place], c[0], atol=1e-9)


@thorough
@given(seeds, positions_, st.integers(1, 3), lengths_)
def test_many_words_at_once_give_what_each_gives_alone(seed, positions, words, lengths):
    chain = random_chain(seed, positions, (words,))
    log_density, batch = laid_out(random_densities(seed, lengths, words, positions))
    log_forward, log_backward = forward(log_density, batch, chain), backward(log_density, batch, chain)
    score, total = viterbi_score(log_density, batch, chain), log_likelihood(log_forward, batch, chain)
    assert score.shape == total.shape == (len(lengths), words)
    for w in range(words):
        alone = log_density[:, :, w]
        word = chain.word(w)
        np.testing.assert_array_equal(log_forward[:, :, w], forward(alone, batch, word))
        np.testing.assert_array_equal(log_backward[:, :, w], backward(alone, batch, word))
        np.testing.assert_array_equal(score[:, w], viterbi_score(alone, batch, word))
        np.testing.assert_allclose(total[:, w], log_likelihood(log_forward[:, :, w], batch, word))


@thorough
@given(seeds, positions_, lengths_)
def test_every_utterance_may_have_its_own_chain(seed, positions, lengths):
    chain = random_chain(seed, positions, (len(lengths),))
    densities = random_densities(seed, lengths, positions)
    log_density, batch = laid_out(densities)
    score, path = viterbi(log_density, batch, chain)
    for place, density in in_order(densities, batch):
        alone, path_alone = viterbi(*laid_out([density]), chain.word(place))
        assert score[place] == alone[0]
        if score[place] > -np.inf:
            np.testing.assert_array_equal(path[: len(density), place], path_alone[:, 0])


@given(st.integers(1, 5), seeds)
def test_an_utterance_shorter_than_the_states_has_no_path_and_one_as_long_has(states, seed):
    chain = Chain.of_topology(1, states).word(0)
    lengths = [states, *range(1, states)]
    log_density, batch = laid_out(random_densities(seed, lengths, states + 2))
    scores = (
        viterbi_score(log_density, batch, chain),
        viterbi(log_density, batch, chain)[0],
        log_likelihood(forward(log_density, batch, chain), batch, chain),
    )
    for score in scores:
        np.testing.assert_array_equal(np.isfinite(score), batch.lengths == states)
        assert (score[batch.lengths < states] == -np.inf).all()


def test_a_long_utterance_does_not_underflow():
    chain = Chain.of_topology(1, 3).word(0)
    log_density, batch = laid_out([np.full((3000, 5), -900.0)])
    occupation, _, score = soft_posteriors(log_density, batch, chain)
    assert np.isfinite(score).all()
    np.testing.assert_allclose(occupation.sum(-1), 1, rtol=1e-6)


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


def test_enumeration_counts_the_paths_of_a_chain():
    """The oracle itself: of T frames and P positions there are this many paths, by hand."""
    ends = Counter(path[-1] for path in paths(3, 2, 0))
    assert ends == {0: 1, 1: 2}
    assert sum(1 for _ in paths(3, 2)) == 4


# General transitions: a full matrix, enumerated and summed as the equations are written


def general_matrices(seed, positions, words=(), allowed=0.6, silence=True):
    """Entry and moves of which some are impossible; every position can be reached and left.

    With silence, a word begins alike from the entry and out of the silence, as `Chain.update` has it; without it the
    first and the last position are never visited, and what is between them is any hidden Markov model.
    """
    random = np.random.default_rng(seed)
    possible = random.random((*words, positions, positions + 1)) < allowed
    possible[..., -1] |= ~possible.any(-1)
    possible[..., np.arange(positions), np.minimum(np.arange(positions) + 1, positions - 1)] = True
    possible[..., -1, -1] = True
    moves = (random.dirichlet(np.ones(positions + 1), (*words, positions)) + 0.05) * possible
    entry = (random.dirichlet(np.ones(positions), words) + 0.05) * (random.random((*words, positions)) < allowed)
    entry[..., min(1, positions - 1)] += 0.1
    if not silence:
        entry[..., [0, -1]] = 0
        moves[..., [0, -2]] = 0
        moves[..., -2, -1] += 0.1  # the word's last state can be left
        moves[..., [0, -1], :] = 0
        moves[..., [0, -1], -1] = 1
    entry /= entry.sum(-1, keepdims=True)
    moves /= moves.sum(-1, keepdims=True)
    if silence and positions > 1:
        begins = entry[..., 1:] / entry[..., 1:].sum(-1, keepdims=True)
        moves[..., 0, 1:-1] = begins * moves[..., 0, 1:-1].sum(-1, keepdims=True)
    return entry, moves


def every_path(length, positions):
    return itertools.product(range(positions), repeat=length)


def walked(entry, moves, density):
    """The probability of every possible path together with the observations; b are densities, not logs."""
    length, positions = density.shape
    found = {}
    for path in every_path(length, positions):
        p = entry[path[0]] * moves[path[-1], -1]
        for a, b in itertools.pairwise(path):
            p *= moves[a, b]
        for t, state in enumerate(path):
            p *= density[t, state]
        if p > 0:
            found[path] = p
    return found


def rabiner(entry, moves, density):
    """alpha, beta, gamma, xi and P(O) (Rabiner 1989, eq. 19-27, 36-37), with an exit in place of eq. 21."""
    length, positions = density.shape
    everywhere = range(positions)
    alpha, beta = np.zeros((length, positions)), np.zeros((length, positions))
    for i in everywhere:
        alpha[0, i] = entry[i] * density[0, i]
    for t in range(length - 1):
        for j in everywhere:
            alpha[t + 1, j] = sum(alpha[t, i] * moves[i, j] for i in everywhere) * density[t + 1, j]
    for i in everywhere:
        beta[-1, i] = moves[i, -1]
    for t in reversed(range(length - 1)):
        for i in everywhere:
            beta[t, i] = sum(moves[i, j] * density[t + 1, j] * beta[t + 1, j] for j in everywhere)
    total = sum(alpha[-1, i] * moves[i, -1] for i in everywhere)
    gamma = alpha * beta / total
    xi = np.zeros((length - 1, positions, positions))
    for t, i, j in np.ndindex(*xi.shape):
        xi[t, i, j] = alpha[t, i] * moves[i, j] * density[t + 1, j] * beta[t + 1, j] / total
    return alpha, beta, gamma, xi, total


def as_columns(chain, entered, pairs, left):
    """Counts of pairs (P, P) in the columns of `Chain.update`."""
    positions = len(entered)
    by_distance = [
        np.array([pairs[p, p + d] if 0 <= p + d < positions else 0.0 for p in range(positions)])
        for d, _ in chain.moves()
    ]
    kept, advanced, *jumped = by_distance
    return np.stack([entered, kept, advanced, left, *jumped], -1)


@st.composite
def general_models(draw, silence=None):
    """Entry, moves, chain, and the densities of utterances from the shortest possible up."""
    seed, positions = draw(seeds), draw(st.integers(3, 4))
    silent = draw(st.booleans()) if silence is None else silence
    entry, moves = general_matrices(seed, positions, silence=silent)
    chain = Chain.of_matrices(entry, moves)
    [least] = shortest(Chain.of_matrices(entry[None], moves[None]))
    lengths = [least, *draw(st.lists(st.integers(least, max(least, 5)), max_size=2))]
    densities = random_densities(seed, lengths, positions)
    return entry, moves, chain, [d for d in densities if walked(entry, moves, np.exp(d))]  # the shortest at least


general = settings(max_examples=30, deadline=None)


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
@given(general_models())
def test_general_recursions_are_the_equations(model):
    entry, moves, chain, densities = model
    log_density, batch = laid_out(densities)
    log_forward, log_backward = forward(log_density, batch, chain), backward(log_density, batch, chain)
    occupation, counts, score = soft_posteriors(log_density, batch, chain)
    for place, density in in_order(densities, batch):
        alpha, beta, gamma, xi, total = rabiner(entry, moves, np.exp(density))
        length = len(density)
        np.testing.assert_allclose(np.exp(log_forward[:length, place]), alpha, rtol=1e-9)
        np.testing.assert_allclose(np.exp(log_backward[:length, place]), beta, rtol=1e-9)
        np.testing.assert_allclose(occupation[:length, place], gamma, atol=1e-10)
        assert score[place] == pytest.approx(np.log(total))
        expected = as_columns(chain, gamma[0], xi.sum(0), gamma[-1])
        np.testing.assert_allclose(counts[place], expected, atol=1e-9)


@general
@given(seeds, st.integers(3, 6), st.lists(st.integers(6, 40), min_size=1, max_size=5), st.sampled_from([1, 30, 300]))
@example(0, 3, [6, 6, 6], 300)  # one underflows entirely, between others that do not
def test_scaled_probabilities_give_what_logarithms_give(seed, positions, lengths, spread):
    """Each utterance under a word of its own, densities of which many are zero beside others."""
    chain = Chain.of_matrices(*general_matrices(seed, positions, (len(lengths),)))
    random = np.random.default_rng(seed)
    log_density, batch = laid_out([random.normal(-500, spread, (n, positions)) for n in lengths])
    own = chain.word(batch.order)
    expected = log_posteriors(log_density, batch, own)
    for found, wanted in zip(soft_posteriors(log_density, batch, own), expected):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)
    log_scale = scaled_posteriors(log_density, batch, own)[-1]
    if spread == 1:
        assert (log_scale > LEAST_LOG_SCALE).all(), "logarithms are for what is rare"
    for place, word in enumerate(batch.order):
        alone, single = laid_out([log_density[: batch.lengths[place], place]])
        occupation, counts, score = log_posteriors(alone, single, chain.word(word))
        np.testing.assert_allclose(expected[0][: batch.lengths[place], place], occupation[:, 0], atol=1e-9)
        np.testing.assert_allclose(expected[1][place], counts[0], atol=1e-9)
        assert expected[2][place] == pytest.approx(score[0])


def test_a_path_through_states_that_nothing_speaks_for_is_not_lost():
    """The only paths lead through densities that are zero beside those of states that lead nowhere."""
    chain = Chain.of_matrices(np.array([1.0, 0.0]), np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]))
    density = np.zeros((6, 2))
    density[:3, 0], density[3:, 1] = -1e4, -1e4  # the first state is wanted late, the last one early
    log_density, batch = laid_out([density, np.zeros((4, 2))])
    occupation, counts, score = soft_posteriors(log_density, batch, chain)
    assert score[0] == pytest.approx(viterbi_score(log_density, batch, chain)[0], abs=2)
    assert np.isfinite(counts).all()
    np.testing.assert_allclose(occupation[batch.inside].sum(-1), 1)


@general
@given(general_models())
def test_general_sums_and_maxima_are_those_over_all_paths(model):
    entry, moves, chain, densities = model
    log_density, batch = laid_out(densities)
    total = log_likelihood(forward(log_density, batch, chain), batch, chain)
    score, path = viterbi(log_density, batch, chain)
    np.testing.assert_allclose(viterbi_score(log_density, batch, chain), score, rtol=1e-12)
    for place, density in in_order(densities, batch):
        found = walked(entry, moves, np.exp(density))
        assert total[place] == pytest.approx(np.log(sum(found.values())))
        best = max(found, key=found.get)
        assert score[place] == pytest.approx(np.log(found[best]))
        assert tuple(path[: len(density), place]) == best


@general
@given(general_models())
def test_general_paths_are_counted_as_they_are_walked(model):
    _, _, chain, densities = model
    log_density, batch = laid_out(densities)
    _, path = viterbi(log_density, batch, chain)
    occupation, counts = path_posteriors(path, batch, chain)
    positions = log_density.shape[-1]
    entered, pairs, left = np.zeros(positions), np.zeros((positions, positions)), np.zeros(positions)
    for place, density in in_order(densities, batch):
        states = path[: len(density), place]
        entered[states[0]] += 1
        left[states[-1]] += 1
        for a, b in itertools.pairwise(states):
            pairs[a, b] += 1
        np.testing.assert_array_equal(occupation[: len(density), place], np.eye(positions)[states])
    np.testing.assert_array_equal(counts.sum(0), as_columns(chain, entered, pairs, left))


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


# The free loop


@pytest.mark.parametrize("penalty", [0.0, 2.0, 50.0])
def test_the_free_loop_is_the_best_of_all_paths(penalty):
    random = np.random.default_rng(0)
    lengths, states = np.array([5, 1, 4, 3]), 3
    log_density = random.normal(0, 3, (5, 4, states))
    log_density[:, 2, 1] = -np.inf  # a state that one utterance may not visit
    batch = Batch.of(lengths)
    score, along = free_loop(log_density, batch, penalty)
    for u, length in enumerate(batch.lengths):
        paths = {
            path: sum(log_density[t, u, s] for t, s in enumerate(path))
            - penalty * sum(a != b for a, b in itertools.pairwise(path))
            for path in itertools.product(range(states), repeat=int(length))
        }
        best = max(paths, key=paths.get)
        assert score[u] == pytest.approx(paths[best])
        np.testing.assert_allclose(along[:length, u], [log_density[t, u, s] for t, s in enumerate(best)])
    if penalty == 0:
        np.testing.assert_allclose(along[: batch.lengths[-1]], log_density.max(-1)[: batch.lengths[-1]])


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
