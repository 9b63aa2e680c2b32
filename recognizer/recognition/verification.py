"""Telling the words of the vocabulary from everything else: what evidence is worth, the decision, its calibration.

How probable it is that a word of the vocabulary was said is learned from speech held out of the training, where a word
that is left out of the vocabulary plays the unknown word, and from whatever else is to be rejected. Much of it teaches
a network of one hidden layer to weigh all the evidence; little of it teaches a logistic regression to weigh its
summary.

Reference: Sukkar and Lee 1996 (verification as a classification of its own).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recognizer.acoustics.density import in_single_precision
from recognizer.acoustics.gaussians import GaussianBank
from recognizer.errors import ModelError, cited
from recognizer.recognition.calibration import Calibration, posteriors
from recognizer.recognition.evidence import SUMMARY, stays

NOISE_MIXTURES = 32  # Gaussians for noises: of the 60 made-up ones trained on, about two share one
# Probability of an accepted word among all words, from which on it is learned from though nobody told it. Adapted to
# their own recordings, with three pairs of FSDD's speakers left out (n = 3000, 87.5 % right before), 96.4 % are right
# at 0.9, 96.3 at 0.8. One bound on the confidence would have to be low where other words are common: 96.4 at 0.5, but
# 95.6 at 0.6 and 93.4 at 0.8.
SURE = 0.9

# Pulls the weights of standardised evidence to zero; 0.3 % of EFFECTIVE, which decides where evidence is collinear.
L2 = 3.0
EFFECTIVE = 1000.0  # observations that all examples count for together, however many: takes of a speaker are alike
# A network learns from at least so many known words, and as many other sounds; from 300 of each, made up with classes
# two standard deviations apart, the regression tells them better, from 1000 only where its five are all there is.
ENOUGH_FOR_NETWORK = 1000
NETWORKS, HIDDEN = 3, 32  # averaged, each of so many units and fitted to a sample of its own (Breiman 1996)
DECAY = 10.0  # of the networks' weights, scikit-learn's alpha for batches of BATCH
BATCH, EPOCHS = 256, 10
STEPS = 400  # at least: with few examples, ten times through them are too few for the weights to grow
FARTHEST = 5.0  # standard deviations from its mean to which evidence is held: farther out nothing was learned
# Of right answers held out: what a person may be refused, one in eight, in twenty, in a hundred.
REFUSED = {"strict": 0.12, "normal": 0.05, "lenient": 0.01}

ALIKE = 0.9  # that two sounds in one breath are both words, or both none

NO_WORD = "sounds like no word"
TOO_CLOSE = "two words too close"
NO_NUMBER = "no finite score"


@dataclass(frozen=True)
class Rejection:
    """What tells words of the vocabulary from other sounds, and how sure an answer must be.

    Attributes
    ----------
    noise : one mixture over noises
    least, most : (E,), the range of the evidence that it was fitted to; what lies outside is brought to its ends
    weights : (E,), of the evidence in the log odds that a word of the vocabulary was said
    bias : of those log odds
    hidden : (E + 1, H), weights of the evidence, and of one, in the units of the network; H is 0 without one
    output : (H,), weights of what the units have over zero, in the log odds
    thresholds : by the name of an operating point, how probable an answer must be
    """

    noise: GaussianBank
    least: np.ndarray
    most: np.ndarray
    weights: np.ndarray
    bias: float
    hidden: np.ndarray
    output: np.ndarray
    thresholds: dict[str, float]

    @property
    def size(self) -> int:
        """Numbers of evidence that it weighs: all there are, or the first of them."""
        return len(self.weights)

    def known(self, evidence: np.ndarray) -> np.ndarray:
        """Probability that a word of the vocabulary was said, (...), if other sounds are as usual as such words.

        Parameters
        ----------
        evidence : (..., E or more), of which the first are weighed
        """
        evidence = np.clip(evidence[..., : self.size], self.least, self.most)
        units = np.maximum(evidence @ self.hidden[:-1] + self.hidden[-1], 0.0)
        log_odds = evidence @ self.weights + self.bias + units @ self.output
        # scipy.special.expit is the same, and would make every command 0.15 s of CPU time slower to import.
        return np.exp(-np.logaddexp(0.0, -log_odds))


@dataclass(frozen=True)
class Belief:
    """How probable it is what was found, where other sounds are as usual as words of the vocabulary.

    Attributes
    ----------
    known : (...), that a word of the vocabulary was said
    among_words : (..., W), that it was this one, if one was; zeros where an utterance is too short for all
    """

    known: np.ndarray
    among_words: np.ndarray

    @property
    def confidence(self) -> np.ndarray:
        """That this word was said, (..., W)."""
        return self.known[..., None] * self.among_words

    @property
    def lesser(self) -> np.ndarray:
        """The lesser of the two probabilities, of the best word, (...): what a threshold is compared with."""
        return np.minimum(self.known, self.among_words.max(-1))


def belief(scores: np.ndarray, evidence: np.ndarray, calibration: Calibration, rejection: Rejection | None) -> Belief:
    """Scores and evidence read as probabilities.

    Parameters
    ----------
    scores : (..., W), see `evidence.Examination`
    evidence : (..., E), see `evidence.examine`
    calibration : of the scores
    rejection : of the model; without it, whatever was said is one of its words
    """
    known = rejection.known(evidence) if rejection else np.ones(scores.shape[:-1])
    return Belief(known, posteriors(scores, calibration))


def is_sure(believed: Belief, least: float) -> np.ndarray:
    """Whether the best word may be learned from, though nobody told it, (...).

    Parameters
    ----------
    believed : of what was heard
    least : see `least_probability`; an answer that is none is not learned from
    """
    return (believed.lesser >= least) & (believed.among_words.max(-1) >= SURE)


def least_probability(threshold: str | float, rejection: Rejection | None) -> float:
    """The number that a threshold stands for.

    An answer needs two probabilities of at least this: that a word of the vocabulary was said, where such
    words and other sounds are taken to be equally likely beforehand; and that it was this word, if it was one.

    Parameters
    ----------
    threshold : an operating point by its name, or the number itself, 0 (never reject) to 1
    rejection : of the model; without it, the operating points reject nothing

    Raises
    ------
    ModelError
        if it is neither.
    """
    if isinstance(threshold, str):
        if threshold not in REFUSED:
            raise ModelError(f"threshold {cited(threshold)} is not {', '.join(REFUSED)} or a number from 0 to 1")
        return rejection.thresholds[threshold] if rejection else 0.0
    if not 0 <= threshold <= 1:
        raise ModelError(f"threshold {threshold} is not from 0 (never reject) to 1")
    return float(threshold)


def least_beside(least: float, known: float) -> float:
    """How probable an answer must be where the sound just before it was no word.

    Sentences are no words either, and a pause in one leaves a piece that sounds like a word. Two sounds that close are
    of one kind with the probability ALIKE, and else nothing is known of the second; the odds that a threshold stands
    for are to be reached with this beforehand instead of evens (Bayes), if it is less.

    Parameters
    ----------
    least : see `least_probability`
    known : how probable it is that the sound before was a word of the vocabulary
    """
    prior = min(0.5, ALIKE * known + (1 - ALIKE) / 2)
    return least * (1 - prior) / (least * (1 - prior) + (1 - least) * prior)


@dataclass(frozen=True)
class Taught:
    """What others teach of rejection, whatever the words, the states and the features of a model are.

    Attributes
    ----------
    weights : (len(SUMMARY),), of the summary in the log odds
    evenness : weight of the mean over the word's states of the log of the frames in each, which says how evenly they
        share the word
    against_noise : of each nat a frame by which noise explains the sound better than the word does
    bias : of the log odds
    thresholds : by the name of an operating point
    """

    weights: tuple[float, ...]
    evenness: float
    against_noise: float
    bias: float
    thresholds: dict[str, float]


# For too few recordings to fit anything better to: recipes/owners learns these from owners of few recordings, drawn at
# random from four corpora of people and one of synthetic voices. The thresholds reject 10, 3 and 1 % of right answers
# to speakers whom the models have not heard, fewer to those whom they have.
BY_OTHERS = Taught(
    (0.117, -1.501, 0.300, 0.087, 0.037), 3.210, 0.056, -1.104, {"strict": 0.378, "normal": 0.148, "lenient": 0.058}
)


def default(noise: GaussianBank, states: int, taught: Taught = BY_OTHERS) -> Rejection:
    """The rejection of a model with too few recordings to fit one: as others taught it.

    Parameters
    ----------
    noise : the mixture that the evidence is gathered with
    states : of each word
    taught : by whom
    """
    weights = np.zeros(stays(states).stop)
    weights[: len(SUMMARY)] = taught.weights
    weights[stays(states)] = taught.evenness / states
    anything = np.full(len(weights), float(np.finfo(np.float32).max))
    noisy = np.zeros((len(weights) + 1, 1))
    noisy[SUMMARY.index("noise")] = -1.0
    network = noisy, np.array([-taught.against_noise])
    return Rejection(noise, -anything, anything, weights, taught.bias, *network, dict(taught.thresholds))


def train_noise(features: Sequence[np.ndarray], variance_floor: np.ndarray) -> GaussianBank:
    """One mixture over the frames of noises, each (T, D)."""
    from recognizer.acoustics.mixture import fit_mixture  # here, for who recognises needs no training

    return fit_mixture(np.concatenate(features), NOISE_MIXTURES, variance_floor)


def fit_rejection(
    noise: GaussianBank, known: np.ndarray, known_weight: np.ndarray, other: np.ndarray, other_weight: np.ndarray
) -> Rejection:
    """Weigh the evidence so that it tells words of the vocabulary from other sounds.

    Parameters
    ----------
    noise : the mixture that the evidence was gathered with
    known : (U, E), on words of the vocabulary that the models have not seen
    known_weight : (U,), how much each of them counts
    other : (N, E), on other words and noises
    other_weight : (N,)

    Returns
    -------
    Rejection without operating points, see `with_operating_points`
    """
    share = np.concatenate([known_weight / known_weight.sum(), other_weight / other_weight.sum()]) / 2
    label = np.concatenate([np.ones(len(known)), -np.ones(len(other))])
    much = min(len(known), len(other)) >= ENOUGH_FOR_NETWORK
    evidence = np.concatenate([known, other])[:, : None if much else len(SUMMARY)]
    centre = np.average(evidence, axis=0, weights=share)
    spread = np.sqrt(np.average((evidence - centre) ** 2, axis=0, weights=share))
    spread = np.where(spread > 1e-9, spread, 1.0)
    least, most = centre - FARTHEST * spread, centre + FARTHEST * spread
    evidence = np.clip(evidence, least, most)
    if much:
        hidden, output, bias = networks((evidence - centre) / spread, label, share)
        hidden[:-1] /= spread[:, None]
        hidden[-1] -= centre @ hidden[:-1]
        network = in_single_precision(hidden), in_single_precision(output)
        return Rejection(noise, least, most, np.zeros(len(centre)), bias, *network, dict.fromkeys(REFUSED, 0.0))
    weights, bias = logistic_regression(evidence, label, share * EFFECTIVE)
    return Rejection(noise, least, most, weights, bias, *_no_network(weights), dict.fromkeys(REFUSED, 0.0))


def _no_network(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The hidden layer of a rejection that has none, and its output."""
    return np.zeros((len(weights) + 1, 0)), np.zeros(0)


def with_operating_points(rejection: Rejection, probable: np.ndarray, weight: np.ndarray) -> Rejection:
    """Set the thresholds so that the shares in REFUSED of the held-out words fall below them.

    Parameters
    ----------
    rejection : as fitted
    probable : (U,), how probable the best word of each held-out utterance is, see `Belief.lesser`, by weights that
        were fitted without it: its own would let it look more probable than a word still to come
    weight : (U,), how much each of them counts
    """
    thresholds = {name: quantile(probable, weight, share) for name, share in REFUSED.items()}
    return replace(rejection, thresholds=thresholds)


def logistic_regression(evidence: np.ndarray, label: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights and bias of the log odds, maximum posterior under a Gaussian prior on standardised evidence.

    Parameters
    ----------
    evidence : (N, E)
    label : (N,), 1 or -1
    weight : (N,), how many observations each one counts for

    Returns
    -------
    weights : (E,)
    bias : float
    """
    from sklearn.linear_model import LogisticRegression

    centre = np.average(evidence, axis=0, weights=weight)
    spread = np.sqrt(np.average((evidence - centre) ** 2, axis=0, weights=weight))
    spread = np.where(spread > 1e-9, spread, 1.0)
    # scikit-learn divides the prior by C instead of multiplying by L2, and leaves the bias free, too.
    found = LogisticRegression(C=1.0 / L2, tol=1e-8, max_iter=1000)
    found.fit((evidence - centre) / spread, label, sample_weight=weight)
    weights = found.coef_[0] / spread
    return weights, float(found.intercept_[0] - weights @ centre)


def networks(evidence: np.ndarray, label: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Networks of one hidden layer, each fitted to a sample; side by side they are one, whose output is their mean.

    Parameters
    ----------
    evidence : (N, E), standardised
    label : (N,), 1 or -1
    share : (N,), how often each one is drawn into the samples

    Returns
    -------
    hidden : (E + 1, H), weights of the evidence, and of one, in the units
    output : (H,), weights of the units in the log odds
    bias : of the log odds
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    random = np.random.default_rng(0)
    batch = min(BATCH, len(label))
    epochs = max(EPOCHS, round(STEPS * batch / len(label)))
    found = []
    for number in range(NETWORKS):
        drawn = random.choice(len(label), len(label), p=share / share.sum())
        network = MLPClassifier((HIDDEN,), alpha=DECAY, batch_size=batch, max_iter=epochs, random_state=number)
        with warnings.catch_warnings():  # stopped early on purpose
            warnings.simplefilter("ignore", ConvergenceWarning)
            found.append(network.fit(evidence[drawn], label[drawn]))
    hidden = np.hstack([np.vstack([n.coefs_[0], n.intercepts_[0]]) for n in found])
    output = np.concatenate([n.coefs_[1][:, 0] for n in found]) / NETWORKS
    return hidden, output, float(np.mean([n.intercepts_[1][0] for n in found]))


def quantile(values: np.ndarray, weight: np.ndarray, share: float) -> float:
    """The value below which lies `share` of the weight."""
    return float(np.quantile(values, share, weights=weight, method="inverted_cdf"))
