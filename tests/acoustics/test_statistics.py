"""Sums over frames, checked against loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.acoustics.statistics import Statistics

ARRAYS = ("occupancy", "first_order", "second_order", "transition_counts")
sizes = st.integers(1, 4)
seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=40, deadline=None)


def frames_of(seed, states, mixtures, dims, frames):
    random = np.random.default_rng(seed)
    return random.random((mixtures, states, frames)), random.normal(size=(frames, dims))


def of_frames(posteriors, features, log_likelihood=0.0):
    return Statistics.of_frames(posteriors, np.hstack([features, features**2]), log_likelihood)


def random_statistics(seed, states, mixtures, dims, words, positions):
    random = np.random.default_rng(seed)
    return Statistics(
        random.random((states, mixtures)),
        random.normal(size=(states, mixtures, dims)),
        random.random((states, mixtures, dims)),
        random.random((words, positions, 4)),
        float(random.normal()),
        int(random.integers(100)),
    )


@quick
@given(seeds, sizes, sizes, sizes, st.integers(0, 6))
def test_sums_of_frames_equal_loops(seed, states, mixtures, dims, frames):
    posteriors, features = frames_of(seed, states, mixtures, dims, frames)
    expected = Statistics.zeros((states, mixtures), (states, mixtures, dims))
    for t in range(frames):
        for j in range(states):
            for k in range(mixtures):
                expected.occupancy[j, k] += posteriors[k, j, t]
                for d in range(dims):
                    expected.first_order[j, k, d] += posteriors[k, j, t] * features[t, d]
                    expected.second_order[j, k, d] += posteriors[k, j, t] * features[t, d] ** 2
    result = of_frames(posteriors, features, -3.5)
    for name in ARRAYS:
        np.testing.assert_allclose(getattr(result, name), getattr(expected, name), rtol=1e-12, atol=1e-12)
    assert result.frames == frames
    assert result.log_likelihood == -3.5


@quick
@given(seeds, sizes, sizes, sizes, st.lists(st.integers(0, 12), max_size=4))
def test_parts_of_any_split_add_up_to_the_whole(seed, states, mixtures, dims, cuts):
    posteriors, features = frames_of(seed, states, mixtures, dims, 12)
    whole = of_frames(posteriors, features, 12.0)
    total = Statistics.zeros((states, mixtures), (states, mixtures, dims))
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), 12]):
        total.add(of_frames(posteriors[..., start:end], features[start:end], float(end - start)))
    for name in ARRAYS:
        np.testing.assert_allclose(getattr(total, name), getattr(whole, name), rtol=1e-12, atol=1e-12)
    assert (total.frames, total.log_likelihood) == (12, pytest.approx(12.0))


@quick
@given(seeds, st.permutations(range(5)), st.integers(1, 5), st.integers(0, 2))
def test_a_part_lands_on_its_rows_and_its_word_only(seed, order, count, word):
    rows = np.array(order[:count])
    total = random_statistics(seed, 5, 2, 3, 3, 4)
    before = random_statistics(seed, 5, 2, 3, 3, 4)
    part = random_statistics(seed + 1, count, 2, 3, 1, 4)
    part.transition_counts = part.transition_counts[0]
    total.add(part, rows, word)
    for name in ARRAYS[:3]:
        for row in range(5):
            added = getattr(part, name)[order.index(row)] if order.index(row) < count else 0
            np.testing.assert_array_equal(getattr(total, name)[row], getattr(before, name)[row] + added)
    for other in range(3):
        added = part.transition_counts if other == word else 0
        np.testing.assert_array_equal(total.transition_counts[other], before.transition_counts[other] + added)
    assert total.frames == before.frames + part.frames
    assert total.log_likelihood == before.log_likelihood + part.log_likelihood


def test_a_part_without_transitions_leaves_those_of_the_words_alone():
    total = random_statistics(1, 2, 2, 2, 3, 4)
    counts = total.transition_counts.copy()
    total.add(of_frames(*frames_of(2, 2, 2, 2, 5)))
    np.testing.assert_array_equal(total.transition_counts, counts)


def test_zeros_are_neutral():
    total = Statistics.zeros((3, 2), (3, 2, 4))
    total.transition_counts = np.zeros((2, 5, 4))
    part = random_statistics(3, 3, 2, 4, 2, 5)
    total.add(part)
    for name in (*ARRAYS, "log_likelihood", "frames"):
        np.testing.assert_array_equal(getattr(total, name), getattr(part, name))
