"""Banks, models and speech drawn at random, for the tests of the adaptation."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from recognizer.acoustics.chain import Chain
from recognizer.acoustics.gaussians import GaussianBank, with_squares
from recognizer.acoustics.statistics import Statistics
from recognizer.acoustics.word_models import WordModels
from recognizer.adaptation import mllr
from recognizer.adaptation.cmllr import FeatureStatistics
from recognizer.training import training

GAUSSIANS = ("weights", "means", "variances")
SUMS = ("occupancy", "first_order", "second_order")
seeds = st.integers(0, 2**32 - 1)
shapes = st.sampled_from(mllr.SHAPES)


def random_bank(random, states=4, mixtures=2, dims=3, unused=0.2) -> GaussianBank:
    """Mixtures of which some components, never all of one, have no weight."""
    weights = random.dirichlet(np.ones(mixtures), states) + 0.05
    weights[:, 1:][random.random((states, mixtures - 1)) < unused] = 0
    shape = (states, mixtures, dims)
    return GaussianBank(
        weights / weights.sum(1, keepdims=True), random.normal(0, 2, shape), random.uniform(0.2, 3, shape)
    )


def heard(random, bank, frames=30, silent=0.3) -> tuple[Statistics, np.ndarray, np.ndarray]:
    """Statistics of frames that belong to components anyhow, with the frames (T, D) and the shares (K, S, T).

    Some of the mixtures are not heard at all.
    """
    states, mixtures, dims = bank.means.shape
    shares = random.random((mixtures, states, frames)) * (bank.weights.T > 0)[..., None]
    shares[:, random.random(states) < silent] = 0.0
    shares /= np.maximum(shares.sum((0, 1)), 1e-300)
    x = random.normal(random.normal(0, 2, dims), random.uniform(0.3, 3, dims), (frames, dims))
    return Statistics.of_frames(shares, with_squares(x)), x, shares


def random_models(random, words=3, states=2, mixtures=2, dims=3, apart=3.0) -> WordModels:
    """Words whose Gaussians are so many standard deviations apart, about, and silence."""
    bank = random_bank(random, words * states + 1, mixtures, dims, unused=0.1)
    means = random.normal(0, apart, (words * states + 1, 1, dims)) + random.normal(0, 0.7, bank.means.shape)
    bank = GaussianBank(bank.weights, means, random.uniform(0.5, 1.5, bank.means.shape))
    return WordModels(bank, Chain.of_topology(words, states, stay=0.6))


def utterance(random, models, word, transform=None, stay=(2, 6)) -> np.ndarray:
    """Frames of a word as the models would say it, (T, D), then moved by [b A] when there is a transform."""
    rows = np.repeat(models.rows(word), random.integers(*stay, models.states + 2))
    bank = models.bank
    component = [random.choice(bank.weights.shape[1], p=bank.weights[row]) for row in rows]
    frames = random.normal(bank.means[rows, component], np.sqrt(bank.variances[rows, component]))
    return frames if transform is None else frames @ transform[:, 1:].T + transform[:, 0]


def speech(random, models, words, transform=None) -> list[np.ndarray]:
    return [utterance(random, models, word, transform) for word in words]


def chunks_of(features, words) -> list[training.Chunk]:
    return training.chunks_of(features, np.asarray(words))


def same_bank(one, other, rtol=0.0, atol=0.0):
    for name in GAUSSIANS:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=rtol, atol=atol, err_msg=name)


def sound_bank(bank):
    np.testing.assert_allclose(bank.weights.sum(1), 1, rtol=1e-9)
    assert (bank.weights >= 0).all()
    assert np.isfinite(bank.means).all()
    assert np.isfinite(bank.variances).all()
    assert (bank.variances > 0).all()


def mllr_auxiliary(
    bank: GaussianBank,
    statistics: Statistics,
    transform: np.ndarray,
    prior_frames: float = 0.0,
    prior: np.ndarray | None = None,
) -> float:
    """What a transform is chosen to maximise: the expected log density, but for what no transform changes.

    Parameters
    ----------
    bank, statistics, prior_frames, prior : as in `mllr.estimate`
    transform : (D, D + 1)
    """
    dims = bank.means.shape[-1]
    mean, precision = mllr.extended(bank.means.reshape(-1, dims)), 1.0 / bank.variances.reshape(-1, dims)
    count, shares = statistics.occupancy.reshape(-1, 1), (bank.weights / len(bank.weights)).reshape(-1, 1)
    expected, moved = mean @ (mllr.identity(dims) if prior is None else prior).T, mean @ transform.T
    of_data = moved * (2 * statistics.first_order.reshape(-1, dims) - count * moved)
    of_prior = -prior_frames * shares * (moved - expected) ** 2
    return float(0.5 * (precision * (of_data + of_prior)).sum())


def cmllr_auxiliary(statistics: FeatureStatistics, transform: np.ndarray) -> float:
    """Expected log density of the transformed features with ln |det A|, but for what no transform changes."""
    squares = np.einsum("ip,ipq,iq->", transform, statistics.outer, transform)
    determinant = np.linalg.slogdet(transform[:, 1:])[1]
    return float(statistics.count * determinant + (transform * statistics.linear).sum() - 0.5 * squares)
