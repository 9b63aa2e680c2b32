"""The re-estimation formulas as they are written (Rabiner 1989, eq. 40 and 52-54), sum by sum, on any data.

A word whose states may follow each other anyhow, in which no path enters a silence; all kinds of densities, with the
floors lowered to nothing, on speech that is random, constant, repeated, as short as can be, or avoids a state.
"""

from __future__ import annotations

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from test_codebook import literal_terms

from recognizer.acoustics import recursions
from recognizer.acoustics.chain import Chain
from recognizer.acoustics.density import KINDS
from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.word_models import WordModels
from recognizer.training.training import accumulate, chunks_of

DIMS = 3
FLOOR = np.full(DIMS, 1e-3)
FEW = 0.01  # frames, under which no formula says anything
DATA = ("random", "constant", "constant dimension", "identical utterances", "one frame a state", "a state far away")


def random_bank(random, kind, rows):
    """Of three components each."""
    shape = (rows, 3, DIMS)
    weights = random.dirichlet(np.full(3, 4.0), rows)
    if kind is GaussianBank:
        return GaussianBank(weights, random.normal(0, 1, shape), random.uniform(1, 3, shape))
    if kind.name == "semi-continuous":
        means, variances = random.normal(0, 1, (1, *shape[1:])), random.uniform(1, 3, (1, *shape[1:]))
        return kind(weights[:, None], means, variances, np.ones((1, DIMS)))
    weights = random.dirichlet(np.full(3, 4.0), (rows, DIMS))
    return kind(weights, random.normal(0, 1, (DIMS, 3, DIMS)) * np.eye(DIMS)[:, None], np.eye(DIMS))


def random_chain(random, states):
    entry, moves = np.zeros(states + 2), np.zeros((states + 2, states + 3))
    entry[1:-1] = random.dirichlet(np.ones(states)) * (random.random(states) < 0.7)
    entry[1] += 0.1
    ways = random.dirichlet(np.ones(states + 1), states) * (random.random((states, states + 1)) < 0.7)
    ways += 0.1 * np.eye(states, states + 1, 1) + 0.1 * np.eye(states, states + 1)  # every length has a path
    moves[1:-1, 1:-2], moves[1:-1, -1] = ways[:, :-1], ways[:, -1]
    moves[[0, -1], -1] = 1
    return Chain.of_matrices((entry / entry.sum())[None], (moves / moves.sum(-1, keepdims=True))[None])


@st.composite
def material(draw):
    seed, states, kind = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 4)), draw(st.sampled_from(list(KINDS)))
    data, random = draw(st.sampled_from(DATA)), np.random.default_rng(seed)
    models = WordModels(random_bank(random, KINDS[kind], states + 1), random_chain(random, states))
    lengths = [states, *random.integers(states, states + 6, 2)]
    features = [random.normal(0, 1.5, (length, DIMS)) for length in lengths]
    if data == "constant":
        features = [np.full_like(f, 0.7) for f in features]
    elif data == "constant dimension":
        features = [f * [1, 0, 1] for f in features]
    elif data == "identical utterances":
        features = 3 * features[1:2]
    elif data == "one frame a state":
        features = features[:1]
    elif data == "a state far away" and kind == "continuous":
        means = models.bank.means.copy()
        means[-2] += 50
        models = replace(models, bank=replace(models.bank, means=means))
    return models, features


def literal_log_terms(bank, features):
    """ln c_jk b_jk(o_t) in every stream, (T, S, R, K)."""
    if not isinstance(bank, GaussianBank):
        return literal_terms(bank, features)
    terms = np.empty((len(features), len(bank.weights), 1, bank.weights.shape[1]))
    for t, j, _, k in np.ndindex(terms.shape):
        spread = 2 * np.pi * bank.variances[j, k]
        distance = (features[t] - bank.means[j, k]) ** 2 / bank.variances[j, k]
        terms[t, j, 0, k] = np.log(bank.weights[j, k]) - 0.5 * (np.log(spread) + distance).sum()
    return terms


def literal_posteriors(entry, moves, log_density):
    """gamma (T, S), xi (T - 1, S, S), and ln P(O); entry and moves are logs, log_density (T, S)."""
    frames, states = log_density.shape
    log_alpha, log_beta = np.empty((frames, states)), np.empty((frames, states))
    log_alpha[0] = entry + log_density[0]
    for t in range(1, frames):
        for j in range(states):
            log_alpha[t, j] = logsumexp([log_alpha[t - 1, i] + moves[i, j] for i in range(states)]) + log_density[t, j]
    log_beta[-1] = moves[:, -1]
    for t in reversed(range(frames - 1)):
        for i in range(states):
            after = [moves[i, j] + log_density[t + 1, j] + log_beta[t + 1, j] for j in range(states)]
            log_beta[t, i] = logsumexp(after)
    total = logsumexp(log_alpha[-1] + moves[:, -1])
    xi = np.empty((frames - 1, states, states))
    for t, i, j in np.ndindex(xi.shape):
        xi[t, i, j] = np.exp(log_alpha[t, i] + moves[i, j] + log_density[t + 1, j] + log_beta[t + 1, j] - total)
    return np.exp(log_alpha + log_beta - total), xi, total


def literal_reestimation(models, features):
    """New entry (S,), moves (S, S + 1), weights (S, R, K) and moments by state (S, R, K, D), with their counts."""
    entry, moves = models.chain.word(0).matrices()
    with np.errstate(divide="ignore"):
        entry, moves = np.log(entry[1:-1]), np.log(np.delete(moves[1:-1], [0, -2], axis=1))
    began, went, counts, first, second, total = 0, 0, 0, 0, 0, 0.0
    for o in features:
        terms = literal_log_terms(models.bank.take(slice(0, -1)), o)
        by_stream = logsumexp(terms, axis=-1, keepdims=True)
        gamma, xi, log_likelihood = literal_posteriors(entry, moves, by_stream.sum((2, 3)))
        by_component = gamma[:, :, None, None] * np.exp(terms - by_stream)
        began = began + gamma[0]
        went = went + np.column_stack([xi.sum(0), gamma[-1]])
        counts = counts + by_component.sum(0)
        for t, frame in enumerate(o):
            first = first + by_component[t, ..., None] * frame
            second = second + by_component[t, ..., None] * frame**2
        total += log_likelihood
    return began, went, counts, first, second, total


@settings(max_examples=60, deadline=None, derandomize=True)
@given(material())
def test_one_iteration_is_the_formulas(data):
    models, features = data
    began, went, counts, first, second, total = literal_reestimation(models, features)
    with (
        mock.patch("recognizer.acoustics.chain.TRANSITION_FLOOR", 0.0),
        mock.patch("recognizer.acoustics.gaussians.WEIGHT_FLOOR", 0.0),
        mock.patch("recognizer.acoustics.discrete.SYMBOL_FLOOR", 0.0),
        mock.patch("recognizer.acoustics.discrete.PRIOR_FRAMES", 0.0),
    ):
        chunks = chunks_of(features, np.zeros(len(features), dtype=int))
        sums = accumulate(models, chunks, recursions.soft_posteriors)
        bank, chain = models.bank.update(sums, FLOOR), models.chain.update(sums.transition_counts)
    assert sums.log_likelihood == pytest.approx(total, abs=1e-7)

    entry, moves = chain.word(0).matrices()
    visits = went.sum(1)
    np.testing.assert_allclose(entry[1:-1], began / len(features), atol=1e-6)
    for i in np.flatnonzero(visits > FEW):
        np.testing.assert_allclose(np.delete(moves[i + 1], [0, -2]), went[i] / visits[i], atol=1e-6)
    for i in np.flatnonzero(visits == 0):
        np.testing.assert_allclose(moves[i + 1], models.chain.word(0).matrices()[1][i + 1])

    weights = bank.weights[:-1].reshape(counts.shape)
    for i in np.flatnonzero(visits > FEW):
        np.testing.assert_allclose(weights[i], counts[i] / visits[i], atol=1e-6)

    if sums.shared:  # one Gaussian for all states: its sums are theirs together
        counts, first, second = (x.sum(0, keepdims=True) for x in (counts, first, second))
    if bank.name != "discrete":
        means, variances = (x.reshape(-1, 1, *x.shape[-2:])[: len(counts)] for x in (bank.means, bank.variances))
        heard = counts > FEW
        mean = first[heard] / counts[heard][:, None]
        variance = second[heard] / counts[heard][:, None] - mean**2
        np.testing.assert_allclose(means[heard], mean, atol=1e-6)
        np.testing.assert_allclose(variances[heard], np.maximum(variance, FLOOR), atol=1e-6)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(material())
def test_iterations_with_floors_stay_sound(data):
    """The likelihood never falls, but for that of a discrete density, which has a prior; see test_density.py."""
    models, features = data
    chunks, last = chunks_of(features, np.zeros(len(features), dtype=int)), -np.inf
    for iteration in range(5):
        sums = accumulate(models, chunks, recursions.soft_posteriors)
        assert np.isfinite(sums.log_likelihood)
        # At first, transitions may be under the floor.
        if iteration > 1 and models.bank.name != "discrete":
            assert sums.log_likelihood >= last - 1e-7
        last = sums.log_likelihood
        models = replace(
            models, bank=models.bank.update(sums, FLOOR), chain=models.chain.update(sums.transition_counts)
        )
        assert models.bank.fault(len(models.bank.weights), DIMS) is None
        for x in models.chain.matrices():
            np.testing.assert_allclose(x.sum(-1), 1)
