"""Another implementation of the same theory, hmmlearn's, must find the same numbers; and scikit-learn's of mixtures.

hmmlearn has no exit: its paths may end in any state, at no cost. So every sequence gets one more frame, a full stop,
far from all others, and the models one more state, which alone emits it and comes after the exit. Being in another
state then, or in this one before, has a probability of e to the -10**5 and less: zero in double precision. What is left
is a model whose paths end as ours do, and whose likelihood is ours times the density of the full stop, which is known.

Ours have a silence before and after the word. Here no path enters them, and what is between is any hidden Markov model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hmmlearn.hmm import GMMHMM, CategoricalHMM, GaussianHMM
from scipy.stats import norm
from sklearn.mixture import GaussianMixture

from recognizer.acoustics import recursions
from recognizer.acoustics.chain import Chain
from recognizer.acoustics.discrete import STREAMS, DiscreteBank
from recognizer.acoustics.gaussians import GaussianBank, from_clusters, with_squares
from recognizer.acoustics.mixture import expectation_maximisation
from recognizer.acoustics.recursions import Batch
from recognizer.acoustics.statistics import Statistics
from recognizer.acoustics.word_models import WordModels
from recognizer.training.training import accumulate, chunks_of, viterbi_occupation

STOP = 1000.0  # where the full stop is
NO_FLOOR = np.full(3, 1e-12)
LENGTHS = (9, 4, 14, 6, 4, 11)
EXACT = {"rtol": 1e-6, "atol": 1e-6}
CASES = pytest.mark.parametrize(("seed", "states"), [(0, 1), (1, 2), (2, 3), (3, 4), (4, 3), (5, 5)])


@pytest.fixture(autouse=True)
def no_floors(monkeypatch):
    """hmmlearn has none."""
    monkeypatch.setattr("recognizer.acoustics.chain.TRANSITION_FLOOR", 0.0)
    monkeypatch.setattr("recognizer.acoustics.gaussians.WEIGHT_FLOOR", 0.0)
    monkeypatch.setattr("recognizer.acoustics.discrete.SYMBOL_FLOOR", 0.0)
    monkeypatch.setattr("recognizer.acoustics.discrete.PRIOR_FRAMES", 0.0)


def random_chain(random, states):
    """One word in which any state may follow any, and which may begin and end anywhere; no path enters a silence."""
    entry, moves = np.zeros((1, states + 2)), np.zeros((1, states + 2, states + 3))
    entry[0, 1:-1] = random.dirichlet(np.full(states, 2.0))
    moves[0, 1:-1, [*range(1, states + 1), -1]] = random.dirichlet(np.full(states + 1, 2.0), states).T
    moves[0, [0, -1], -1] = 1
    return Chain.of_matrices(entry, moves)


def utterances(random, states, dims=3):
    """Of different lengths, a few about as many frames as there are states."""
    return [np.cumsum(random.normal(0, 1.5, (length, dims)), 0) for length in (*LENGTHS, states)]


def random_words(seed, states, mixtures, dims=3):
    random = np.random.default_rng(seed)
    shape = (states + 1, mixtures, dims)
    weights = random.dirichlet(np.full(mixtures, 4.0), states + 1)
    bank = GaussianBank(weights, random.normal(0, 2, shape), random.uniform(1, 4, shape))
    return WordModels(bank, random_chain(random, states), bank.take([0])), utterances(random, states, dims)


@dataclass(frozen=True)
class Stopped:
    """hmmlearn's form of a word: initial and transition probabilities with the state of the full stop as the last."""

    initial: np.ndarray
    transitions: np.ndarray

    @classmethod
    def of(cls, chain):
        entry, moves = chain.word(0).matrices()
        transitions = np.zeros((len(entry) - 1, len(entry) - 1))
        transitions[:-1, :-1], transitions[:-1, -1] = moves[1:-1, 1:-2], moves[1:-1, -1]
        transitions[-1, -1] = 1
        return cls(np.append(entry[1:-1], 0), transitions)

    def same(self, theirs, **tolerance):
        np.testing.assert_allclose(theirs.startprob_, self.initial, **tolerance)
        np.testing.assert_allclose(theirs.transmat_[:-1], self.transitions[:-1], **tolerance)


def with_stops(features):
    """Sequences laid end to end with a full stop after each, and their lengths; no two stops are quite the same."""
    random = np.random.default_rng(9)
    parts = [np.vstack([f, STOP + random.normal(0, 1, f.shape[1])]) for f in features]
    return np.vstack(parts), [len(part) for part in parts]


def stop_log_density(x, lengths):
    return norm.logpdf(x[np.cumsum(lengths) - 1], STOP, 1).sum()


def theirs_of(models, kind, **options):
    """The same model in hmmlearn, that fits in single iterations and knows no priors."""
    bank, form = models.bank.take(slice(0, -1)), Stopped.of(models.chain)
    states, mixtures, dims = bank.means.shape
    means = np.concatenate([bank.means, np.full((1, mixtures, dims), STOP)])
    variances = np.concatenate([bank.variances, np.ones((1, mixtures, dims))])
    common = {"n_components": states + 1, "covariance_type": "diag", "n_iter": 1, "init_params": "", **options}
    if kind is GaussianHMM:
        other = GaussianHMM(covars_prior=0, covars_weight=1, **common)
        other.means_, other.covars_ = means[:, 0], variances[:, 0]
    else:
        other = GMMHMM(n_mix=mixtures, **common)
        other.means_, other.covars_ = means, variances
        other.weights_ = np.vstack([bank.weights, np.full(mixtures, 1 / mixtures)])
    other.startprob_, other.transmat_ = form.initial, form.transitions
    return other


def fitted(other, x, lengths):
    """hmmlearn after one iteration; from the full stop nothing follows, but it must have somewhere to go."""
    other.fit(x, lengths)
    other.transmat_[-1, -1] = 1
    return other


def expected(models, features, occupation=recursions.soft_posteriors):
    return accumulate(models, chunks_of(features, np.zeros(len(features), dtype=int)), occupation)


def reestimated(models, features):
    sums = expected(models, features)
    bank = models.bank.update(sums, NO_FLOOR[: models.bank.dims])
    return replace(models, bank=bank, chain=models.chain.update(sums.transition_counts))


def laid_out(models, features):
    """Log densities of the word's positions, the silences' among them, and the layout."""
    batch = Batch.of(np.array([len(f) for f in features]))
    return models.bank.log_density(np.concatenate(features))[:, models.rows(0)][batch.frame], batch


@CASES
@pytest.mark.parametrize("mixtures", [1, 3])
def test_likelihood_and_posteriors(seed, states, mixtures):
    models, features = random_words(seed, states, mixtures)
    other = theirs_of(models, GMMHMM)
    log_density, batch = laid_out(models, features)
    occupation, _, score = recursions.soft_posteriors(log_density, batch, models.chain.word(0))
    forward = recursions.forward(log_density, batch, models.chain.word(0))
    np.testing.assert_allclose(recursions.log_likelihood(forward, batch, models.chain.word(0)), score)
    for place, number in enumerate(batch.order):
        x, lengths = with_stops([features[number]])
        log_likelihood, gamma = other.score_samples(x)
        assert score[place] == pytest.approx(log_likelihood - stop_log_density(x, lengths), abs=1e-6)
        own = occupation[: len(x) - 1, place]
        np.testing.assert_allclose(own[:, 1:-1], gamma[:-1, :-1], **EXACT)
        assert (own[:, [0, -1]] == 0).all()
        np.testing.assert_allclose(gamma[-1, -1], 1)
    x, lengths = with_stops(features)
    total = other.score(x, lengths) - stop_log_density(x, lengths)
    assert expected(models, features).log_likelihood == pytest.approx(total, abs=1e-6)


@CASES
@pytest.mark.parametrize("mixtures", [1, 3])
def test_viterbi(seed, states, mixtures):
    models, features = random_words(seed, states, mixtures)
    other = theirs_of(models, GMMHMM)
    log_density, batch = laid_out(models, features)
    score, path = recursions.viterbi(log_density, batch, models.chain.word(0))
    np.testing.assert_allclose(recursions.viterbi_score(log_density, batch, models.chain.word(0)), score)
    for place, number in enumerate(batch.order):
        x, lengths = with_stops([features[number]])
        log_likelihood, decoded = other.decode(x, algorithm="viterbi")
        assert score[place] == pytest.approx(log_likelihood - stop_log_density(x, lengths), abs=1e-6)
        np.testing.assert_array_equal(path[: len(x) - 1, place] - 1, decoded[:-1])
    assert expected(models, features, viterbi_occupation).log_likelihood == pytest.approx(score.sum())


@CASES
def test_iterations_of_baum_welch(seed, states):
    """Five in a row, each from what the one before it found, on either side."""
    models, features = random_words(seed, states, 1)
    x, lengths = with_stops(features)
    other = theirs_of(models, GaussianHMM)
    for _ in range(5):
        models, other = reestimated(models, features), fitted(other, x, lengths)
        Stopped.of(models.chain).same(other, **EXACT)
        np.testing.assert_allclose(other.means_[:-1], models.bank.means[:-1, 0], **EXACT)
        variances = np.diagonal(other.covars_[:-1], axis1=1, axis2=2)
        np.testing.assert_allclose(variances, models.bank.variances[:-1, 0], **EXACT)


DEGENERATE = {
    "one frame a state": lambda features, states: [f[:states] for f in features],
    "identical utterances": lambda features, states: 4 * features[:1],
    "constant": lambda features, states: [np.full_like(f, 0.7) for f in features],
    "constant dimension": lambda features, states: [f * [1, 0, 1] for f in features],
    "two utterances of one frame": lambda features, states: [f[:1] for f in features[:2]],
}


@CASES
@pytest.mark.parametrize("data", DEGENERATE)
def test_one_iteration_on_degenerate_data(seed, states, data):
    """No more than one, for hmmlearn's variances may then be zero. States that are as good as never visited differ."""
    models, features = random_words(seed, states, 1)
    features = DEGENERATE[data](features, states)
    x, lengths = with_stops(features)
    other = theirs_of(models, GaussianHMM)
    sums = expected(models, features)
    assert sums.log_likelihood == pytest.approx(other.score(x, lengths) - stop_log_density(x, lengths), abs=1e-6)
    models, other = reestimated(models, features), fitted(other, x, lengths)
    visited = sums.occupancy[:-1, 0] > 0.01
    assert visited.any()
    form = Stopped.of(models.chain)
    np.testing.assert_allclose(other.startprob_, form.initial, **EXACT)
    np.testing.assert_allclose(other.transmat_[:-1][visited], form.transitions[:-1][visited], **EXACT)
    np.testing.assert_allclose(other.means_[:-1][visited], models.bank.means[:-1, 0][visited], **EXACT)
    variances = np.diagonal(other.covars_[:-1], axis1=1, axis2=2)
    np.testing.assert_allclose(variances[visited], models.bank.variances[:-1, 0][visited], **EXACT)


@CASES
def test_iterations_of_baum_welch_with_mixtures(seed, states):
    """Three, but hmmlearn takes the variances about the old means, so that each starts from ours."""
    models, features = random_words(seed, states, 2)
    x, lengths = with_stops(features)
    for _ in range(3):
        new, other = reestimated(models, features), fitted(theirs_of(models, GMMHMM), x, lengths)
        Stopped.of(new.chain).same(other, **EXACT)
        np.testing.assert_allclose(other.weights_[:-1], new.bank.weights[:-1], **EXACT)
        np.testing.assert_allclose(other.means_[:-1], new.bank.means[:-1], **EXACT)
        about_old = new.bank.variances + (new.bank.means - models.bank.means) ** 2
        np.testing.assert_allclose(other.covars_[:-1], about_old[:-1], **EXACT)
        models = new


def test_iterations_of_weights_and_transitions_in_a_row():
    """What hmmlearn does not take about the old means, it may go on with by itself."""
    models, features = random_words(6, 3, 2)
    x, lengths = with_stops(features)
    other, bank = theirs_of(models, GMMHMM, params="stmw"), models.bank
    for _ in range(5):
        new = reestimated(models, features)
        models, other = replace(new, bank=replace(new.bank, variances=bank.variances)), fitted(other, x, lengths)
        Stopped.of(models.chain).same(other, **EXACT)
        np.testing.assert_allclose(other.weights_[:-1], models.bank.weights[:-1], **EXACT)
        np.testing.assert_allclose(other.means_[:-1], models.bank.means[:-1], **EXACT)


@pytest.mark.parametrize("seed", range(3))
def test_left_to_right(seed):
    """What is impossible stays so: a word as it is trained here, without its silences."""
    models, features = random_words(seed, 3, 1)
    entry, moves = models.chain.matrices()
    entry[:] = [0, 1, 0, 0, 0]
    moves[0, 1:-1] = [[0, 0.6, 0.4, 0, 0, 0], [0, 0, 0.7, 0.3, 0, 0], [0, 0, 0, 0.8, 0, 0.2]]
    models = replace(models, chain=Chain.of_matrices(entry, moves))
    assert not models.chain.log_jumps
    x, lengths = with_stops(features)
    other = theirs_of(models, GaussianHMM)
    for _ in range(5):
        models, other = reestimated(models, features), fitted(other, x, lengths)
        Stopped.of(models.chain).same(other, **EXACT)
        np.testing.assert_allclose(other.means_[:-1], models.bank.means[:-1, 0], **EXACT)
        variances = np.diagonal(other.covars_[:-1], axis1=1, axis2=2)
        np.testing.assert_allclose(variances, models.bank.variances[:-1, 0], **EXACT)


# Discrete densities: the full stop is a symbol of its own, which the other states cannot emit


def discrete_words(seed, states, cells):
    """Three streams, of which hmmlearn has none: a symbol of its own for every combination of cells."""
    random = np.random.default_rng(seed)
    centres = np.zeros((STREAMS, cells, STREAMS))
    centres[np.arange(STREAMS), :, np.arange(STREAMS)] = np.arange(cells)
    weights = random.dirichlet(np.full(cells, 4.0), (states + 1, STREAMS))
    bank = DiscreteBank(weights, centres, np.eye(STREAMS))
    features = [random.integers(0, cells, (length, STREAMS)).astype(float) for length in (*LENGTHS, states)]
    return WordModels(bank, random_chain(random, states), None), features


def combined(weights):
    """The probability of every combination of cells, (S, N ** STREAMS)."""
    products = np.einsum("sa,sb,sc->sabc", *weights.swapaxes(0, 1))
    return products.reshape(len(weights), -1)


def symbols_of(bank, features):
    cells = bank.weights.shape[-1]
    parts = [[*(bank.symbols(f) @ [cells**2, cells, 1]), cells**STREAMS] for f in features]
    return np.concatenate(parts).astype(int)[:, None], [len(part) for part in parts]


def categorical_of(models):
    form, probabilities = Stopped.of(models.chain), combined(models.bank.weights[:-1])
    states, symbols = probabilities.shape
    other = CategoricalHMM(states + 1, n_iter=1, init_params="")
    other.n_features = symbols + 1
    other.startprob_, other.transmat_ = form.initial, form.transitions
    other.emissionprob_ = np.zeros((states + 1, symbols + 1))
    other.emissionprob_[:-1, :-1], other.emissionprob_[-1, -1] = probabilities, 1
    return other


@CASES
def test_discrete_likelihood_and_best_score(seed, states):
    """Where a symbol comes twice in a row, several paths may be the best."""
    models, features = discrete_words(seed, states, 3)
    other = categorical_of(models)
    x, lengths = symbols_of(models.bank, features)
    assert expected(models, features).log_likelihood == pytest.approx(other.score(x, lengths), abs=1e-6)
    log_density, batch = laid_out(models, features)
    score, _ = recursions.viterbi(log_density, batch, models.chain.word(0))
    for place, number in enumerate(batch.order):
        x, _ = symbols_of(models.bank, [features[number]])
        assert score[place] == pytest.approx(other.decode(x, algorithm="viterbi")[0], abs=1e-6)


@CASES
def test_discrete_iterations_of_baum_welch(seed, states):
    """Of several streams, hmmlearn's probability of a cell is the sum over the symbols that have it."""
    models, features = discrete_words(seed, states, 3)
    x, lengths = symbols_of(models.bank, features)
    for _ in range(3):
        other, models = fitted(categorical_of(models), x, lengths), reestimated(models, features)
        Stopped.of(models.chain).same(other, **EXACT)
        found = other.emissionprob_[:-1, :-1].reshape(states, 3, 3, 3)
        for stream, axes in enumerate(((2, 3), (1, 3), (1, 2))):
            np.testing.assert_allclose(found.sum(axes), models.bank.weights[:-1, stream], **EXACT)


# Mixtures alone


@pytest.mark.parametrize(("seed", "mixtures"), [(0, 1), (1, 2), (2, 3), (3, 5)])
@pytest.mark.parametrize("iterations", [1, 2, 10])
def test_em_of_a_mixture_is_that_of_scikit_learn(seed, mixtures, iterations):
    random = np.random.default_rng(seed)
    features = np.concatenate([random.normal(place, 1, (40, 3)) for place in (-3, 0, 2)])
    start = from_clusters(features, mixtures, NO_FLOOR)
    other = GaussianMixture(
        mixtures,
        covariance_type="diag",
        reg_covar=0,
        tol=0,
        max_iter=iterations,
        weights_init=start.weights[0],
        means_init=start.means[0],
        precisions_init=1 / start.variances[0],
    )
    with pytest.warns(match="did not converge"):
        other.fit(features)
    bank = start
    for _ in range(iterations):
        shares, _ = bank.posteriors(with_squares(features))
        bank = bank.update(Statistics.of_frames(shares, with_squares(features)), NO_FLOOR)
    np.testing.assert_allclose(bank.weights[0], other.weights_, **EXACT)
    np.testing.assert_allclose(bank.means[0], other.means_, **EXACT)
    np.testing.assert_allclose(bank.variances[0], other.covariances_, **EXACT)
    np.testing.assert_allclose(bank.log_density(features)[:, 0], other.score_samples(features), **EXACT)
    shares, _ = bank.posteriors(with_squares(features))
    np.testing.assert_allclose(shares[:, 0].T, other.predict_proba(features), **EXACT)


def test_em_converges_where_scikit_learn_converges():
    random = np.random.default_rng(5)
    features = np.concatenate([random.normal(place, 1, (80, 3)) for place in (-5, 0, 6)])
    start = from_clusters(features, 3, NO_FLOOR)
    bank, _ = expectation_maximisation(start, features, NO_FLOOR, tolerance=1e-10, max_iterations=500)
    other = GaussianMixture(
        3,
        covariance_type="diag",
        reg_covar=0,
        tol=1e-10,
        max_iter=500,
        weights_init=start.weights[0],
        means_init=start.means[0],
        precisions_init=1 / start.variances[0],
    ).fit(features)
    np.testing.assert_allclose(bank.means[0], other.means_, atol=1e-3)
    np.testing.assert_allclose(bank.variances[0], other.covariances_, atol=1e-3)
    assert bank.log_density(features).mean() == pytest.approx(other.score(features), abs=1e-6)
