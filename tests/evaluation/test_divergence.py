"""Distances between models against Kullback and Leibler's, where that is known."""

from __future__ import annotations

import numpy as np
import pytest

from recognizer.acoustics.chain import Chain
from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.word_models import WordModels
from recognizer.evaluation import divergence as module
from recognizer.evaluation.divergence import closest_pairs, divergence


def gaussian_words(means: np.ndarray, variances: np.ndarray) -> WordModels:
    """Words of (W, states, D) means and variances, one Gaussian a state, with a silence far from all."""
    words, states, dims = means.shape
    silence = np.full((1, dims), 1e3)
    bank = GaussianBank(
        np.ones((words * states + 1, 1)),
        np.concatenate([means.reshape(-1, dims), silence])[:, None],
        np.concatenate([variances.reshape(-1, dims), np.ones((1, dims))])[:, None],
    )
    return WordModels(bank, Chain.of_topology(words, states), bank.take(np.array([0])))


def kullback_leibler(mean, variance, other_mean, other_variance):
    """D(N(mean, variance) || N(other)) of diagonal Gaussians, nats."""
    ratio = variance / other_variance
    return 0.5 * (ratio - 1 - np.log(ratio) + (mean - other_mean) ** 2 / other_variance).sum(-1)


def test_words_of_one_state_are_as_far_apart_as_their_gaussians():
    random = np.random.default_rng(0)
    means, variances = random.normal(0, 1, (4, 1, 3)), random.uniform(0.5, 2, (4, 1, 3))
    both = kullback_leibler(means, variances, means.transpose(1, 0, 2), variances.transpose(1, 0, 2))
    found = divergence(gaussian_words(means, variances))
    np.testing.assert_allclose(found, (both + both.T) / 2, rtol=0.06, atol=0.02)


def test_a_state_that_differs_counts_by_its_share_of_the_word():
    """Two words that differ in one of four states, each as long; the other model may shift its boundaries a little."""
    means = np.stack([np.arange(4.0) * 20, np.arange(4.0) * 20])[..., None]
    means[1, 2] += 3
    found = divergence(gaussian_words(means, np.ones_like(means)))
    assert found[0, 1] == pytest.approx(9 / 2 / 4, rel=0.1)


def test_distances_are_symmetric_and_repeatable(built):
    first = divergence(built.acoustics)
    assert first.shape == (4, 4)
    np.testing.assert_array_equal(first, first.T)
    np.testing.assert_array_equal(np.diag(first), 0)
    assert (first[np.triu_indices(4, 1)] > 0).all()
    np.testing.assert_array_equal(first, divergence(built.acoustics))
    assert (first != divergence(built.acoustics, seed=1)).any()
    np.testing.assert_allclose(first, divergence(built.acoustics, seed=1), rtol=0.1)


def test_some_of_the_words(built):
    whole, some = divergence(built.acoustics), divergence(built.acoustics, np.array([3, 1]))
    assert some[0, 1] == pytest.approx(whole[3, 1], rel=0.1)


def test_the_closest_pairs_come_first(built):
    distance = divergence(built.acoustics)
    pairs = closest_pairs(built.acoustics, 3)
    first, second = np.triu_indices(4, 1)
    assert [d for *_, d in pairs] == sorted(distance[first, second])[:3]
    assert all(distance[i, j] == d and i < j for i, j, d in pairs)
    assert len(closest_pairs(built.acoustics, 100)) == 6


def test_one_word_has_no_pairs():
    assert closest_pairs(gaussian_words(np.zeros((1, 2, 3)), np.ones((1, 2, 3))), 5) == []


def test_close_words_are_found_in_a_large_vocabulary(monkeypatch):
    monkeypatch.setattr(module, "FRAMES", 2000)
    random = np.random.default_rng(0)
    means = random.normal(0, 2, (60, 3, 4))
    for one, other, apart in ((7, 41, 0.1), (3, 59, 0.3), (12, 13, 0.5)):
        means[other] = means[one] + apart
    assert len(means) > module.COMPARED
    pairs = closest_pairs(gaussian_words(means, np.ones_like(means)), 3)
    assert [(i, j) for i, j, _ in pairs] == [(7, 41), (3, 59), (12, 13)]


def test_silence_is_not_drawn():
    models = gaussian_words(np.zeros((1, 2, 3)), np.ones((1, 2, 3)))
    random = np.random.default_rng(0)
    for _ in range(20):
        assert np.abs(module._drawn(models, 0, random)).max() < 100, "silence is at 1000"


def test_what_is_impossible_to_a_word_is_left_out():
    scores = np.array([[-2.0, -4.0, -np.inf, -np.inf], [-3.0, -6.0, -9.0, -np.inf], [-np.inf, -1.0, -1.0, -np.inf]])
    behind = module._behind(scores, 0, np.array([1, 3, 5]))
    np.testing.assert_allclose(behind, [0, (2 + 1) / 2, 2, np.inf])
