"""Chains of several words, and the best path through a long one, against every path written out word by word."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from enumerating import general_matrices, laid_out, models, random_chain, random_densities, seeds, thorough
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.acoustics.chain import TOPOLOGIES, Chain, joined
from recognizer.acoustics.recursions import long_viterbi, viterbi


def ways_of(entry, moves):
    """Where a sentence may begin, go and end, as dictionaries of probabilities.

    Places are ("silence", i), that before word i or after the last one, and ("word", i, state), states from 1 on.
    """
    words, last = len(entry), entry.shape[1] - 1

    def place(word, position):
        if position in (0, last):
            return ("silence", word + (position == last))
        return ("word", word, position)

    begins = {place(0, p): entry[0, p] for p in range(last)}
    goes, ends = {}, {}
    for word in range(words):
        follows = entry[word + 1, 1:last] / entry[word + 1, 1:last].sum() if word + 1 < words else None
        for p in range(last):
            for q in range(last + 1):
                way = place(word, p), place(word, q)
                goes[way] = goes.get(way, 0.0) + moves[word, p, q]
            if follows is None:
                ends[place(word, p)] = moves[word, p, -1]
            else:
                for q, share in enumerate(follows, 1):
                    goes[place(word, p), place(word + 1, q)] = moves[word, p, -1] * share
    final = ("silence", words)
    goes[final, final], ends[final] = moves[-1, last, last], moves[-1, last, -1]
    return begins, goes, ends


def position(place, states):
    return place[1] * (states + 1) + (place[2] if place[0] == "word" else 0)


def best_of_all(begins, goes, ends, density, states):
    """The largest probability of any path, and the paths that have it."""
    after = {}
    for (a, b), p in goes.items():
        if p > 0:
            after.setdefault(a, []).append((b, p))
    found = {}

    def walk(path, p):
        if len(path) == len(density):
            if (p := p * ends.get(path[-1], 0.0)) > 0:
                found[path] = p
            return
        for b, q in after.get(path[-1], []):
            walk((*path, b), p * q * density[len(path), position(b, states)])

    for a, p in begins.items():
        if p > 0:
            walk((a,), p * density[0, position(a, states)])
    return found


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 3), st.integers(1, 2), st.integers(1, 6))
def test_a_sentence_has_the_best_of_all_paths_through_its_words(seed, words, states, frames):
    entry, moves = general_matrices(seed, states + 2, (words,))
    chain = joined(Chain.of_matrices(entry, moves))
    log_density = random_densities(seed, [frames], words * (states + 1) + 1)[0]
    found = best_of_all(*ways_of(entry, moves), np.exp(log_density), states)
    score, path = long_viterbi(log_density, np.arange(log_density.shape[1]), chain)
    if not found:
        assert score == -np.inf
        return
    assert score == pytest.approx(np.log(max(found.values())))
    walked = {tuple(position(place, states) for place in places): p for places, p in found.items()}
    assert np.log(walked[tuple(path)]) == pytest.approx(score)


@thorough
@given(seeds, st.integers(1, 4), st.integers(1, 5), st.sampled_from(TOPOLOGIES))
def test_a_sentence_shares_out_all_that_its_words_do(seed, words, states, topology):
    """Nothing is lost between words, and a sentence of one word is that word."""
    chain = Chain.of_topology(words, states, topology)
    counts = np.random.default_rng(seed).uniform(1, 9, (words, states + 2, 4 + len(chain.log_jumps)))
    chain = chain.update(counts)
    entry, moves = joined(chain).matrices()
    assert entry.sum() == pytest.approx(1)
    assert moves.sum(1) == pytest.approx(np.ones(len(moves)))
    alone = joined(chain.word(slice(0, 1))).matrices()
    for mine, own in zip(alone, chain.word(0).matrices()):
        assert mine == pytest.approx(own)


@thorough
@given(models())
def test_a_long_path_is_the_path(drawn):
    chain, densities = drawn
    for density in densities:
        time_major, batch = laid_out([density])
        [expected], path = viterbi(time_major, batch, chain)
        score, found = long_viterbi(density, np.arange(density.shape[1]), chain)
        assert score == pytest.approx(expected) if np.isfinite(expected) else score == -np.inf
        if np.isfinite(expected):
            assert found.tolist() == path[:, 0].tolist()


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(1, 400), st.integers(2, 5))
def test_a_path_is_traced_over_any_number_of_stretches(seed, frames, positions):
    chain = random_chain(seed, positions, blocked=0)
    [shared] = random_densities(seed, [frames], 3)
    rows = np.random.default_rng(seed).integers(0, 3, positions)
    time_major, batch = laid_out([shared[:, rows]])
    [expected], path = viterbi(time_major, batch, chain)
    score, found = long_viterbi(shared, rows, chain)
    assert score == pytest.approx(expected)
    assert found.tolist() == path[:, 0].tolist()


def test_a_long_path_through_many_words_takes_little_memory():
    """Ten thousand frames through 200 words of 5 states: all scores would be 96 MB, all moves 12."""
    frames, words, states = 10_000, 200, 5
    chain = joined(Chain.of_topology(words, states))
    rows = np.arange(words * (states + 1) + 1) % 7
    log_density = np.random.default_rng(0).normal(-3, 2, (frames, 7))
    tracemalloc.start()
    score, path = long_viterbi(log_density, rows, chain)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.isfinite(score)
    assert peak < 2e6
    assert (np.diff(path) >= 0).all()
    assert set(range(words)) == {int(word) for word, p in zip(path // (states + 1), path % (states + 1)) if p}
    assert all(step <= 2 for step in np.diff(path))


def test_words_stand_one_after_the_other():
    """Where the densities say clearly which place it is, the path is there, with a silence or without."""
    states, order = 2, [0, 1, 2, 3, 4, 5, 7, 8, 9]  # no silence before the third word
    chain = joined(Chain.of_topology(3, states))
    spelled = list(itertools.chain.from_iterable([place] * 3 for place in order))
    log_density = np.where(np.arange(10) == np.array(spelled)[:, None], 0.0, -50.0)
    _, path = long_viterbi(log_density, np.arange(10), chain)
    assert path.tolist() == spelled
