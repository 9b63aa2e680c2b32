"""Every recursion against the enumeration of every path, on models small enough to enumerate."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from enumerating import (
    as_columns,
    counts_of,
    enumerated,
    general,
    general_matrices,
    general_models,
    in_order,
    laid_out,
    lengths_,
    log_sum,
    models,
    moves_log_probability,
    paths,
    positions_,
    rabiner,
    random_chain,
    random_densities,
    seeds,
    thorough,
    walked,
)
from hypothesis import example, given
from hypothesis import strategies as st

from recognizer.acoustics.chain import Chain
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


def test_enumeration_counts_the_paths_of_a_chain():
    """The oracle itself: of T frames and P positions there are this many paths, by hand."""
    ends = Counter(path[-1] for path in paths(3, 2, 0))
    assert ends == {0: 1, 1: 2}
    assert sum(1 for _ in paths(3, 2)) == 4


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
    both = np.stack([log_density, -log_density[..., ::-1]], axis=2)
    both[:, 2, 1] = log_density[:, 2]  # where some state may be visited
    scores, alongs = free_loop(both, batch, penalty)
    for n in range(2):
        alone = free_loop(both[:, :, n], batch, penalty)
        np.testing.assert_array_equal(scores[:, n], alone[0])
        np.testing.assert_array_equal(alongs[:, :, n][batch.inside], alone[1][batch.inside])
