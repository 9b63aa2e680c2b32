"""Telling the words of the vocabulary from everything else: evidence, the decision, and its calibration.

Whatever is said or falls over, some word fits best. Whether it fits well is judged by what else could explain
the sound: the states of all words in any order (a *free loop*), the same without the word's own, the other words
as a whole, and a mixture of Gaussians over noises. A logistic regression weighs this evidence; it was fitted on
speech held out of the training, where a word that is left out of the vocabulary plays the unknown word.

References: Rose and Paul 1990 (competing loops), Sukkar and Lee 1996 (verification as a classification of its own).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recognizer.acoustics import recursions
from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.mixture import fit_mixture
from recognizer.acoustics.word_models import WordModels
from recognizer.errors import ModelError
from recognizer.recognition.calibration import Calibration, posteriors
from recognizer.recognition.decoding import Decoded, best_paths, decode, scored

EVIDENCE = ("lead", "duration", "loop", "rivals", "noise")
PENALTY = 8.0  # nats that a change of state costs in a free loop: sounds that last pay it, a lucky frame does not
NOISE_MIXTURES = 32  # Gaussians for noises: of the 60 made-up ones trained on, about two share one
# Probability of an accepted word among all words, from which on it is learned from though nobody told it. Adapted to
# their own recordings, with three pairs of FSDD's speakers left out (n = 3000, 87.5 % right before), 96.4 % are right
# at 0.9, 96.3 at 0.8. One bound on the confidence would have to be low where other words are common: 96.4 at 0.5, but
# 95.6 at 0.6 and 93.4 at 0.8.
SURE = 0.9

# Pulls the weights of standardised evidence to zero; 0.3 % of EFFECTIVE, which decides where evidence is collinear.
L2 = 3.0
EFFECTIVE = 1000.0  # observations that all examples count for together, however many: takes of a speaker are alike
REFUSED = {"strict": 0.06, "normal": 0.02, "lenient": 0.005}  # of right answers held out: one in 17, 50 and 200

# For too few recordings to fit them: those of the shipped digits, with more lenient thresholds.
DEFAULT_WEIGHTS = (0.16, 0.87, 0.73, 0.14, 0.17)
DEFAULT_BIAS = -3.9
DEFAULT_THRESHOLDS = {"strict": 0.5, "normal": 0.1, "lenient": 0.02}

NO_WORD = "sounds like no word"
TOO_CLOSE = "two words too close"


@dataclass(frozen=True)
class Examination:
    """What decoding found, with the evidence for and against it.

    Attributes
    ----------
    scores : (U, W) log likelihoods of the words to choose from, -inf where an utterance is too short
    spans : (U, 2), first and past-the-last frame of the best of them, meaningless where there is none
    evidence : (U, len(EVIDENCE)), zero where there is none
    """

    scores: np.ndarray
    spans: np.ndarray
    evidence: np.ndarray


@dataclass(frozen=True)
class Rejection:
    """What tells words of the vocabulary from other sounds, and how sure an answer must be.

    Attributes
    ----------
    noise : one mixture over noises
    weights : (len(EVIDENCE),), of the evidence in the log odds that a word of the vocabulary was said
    bias : of those log odds
    thresholds : by the name of an operating point, how probable an answer must be
    """

    noise: GaussianBank
    weights: np.ndarray
    bias: float
    thresholds: dict[str, float]

    def known(self, evidence: np.ndarray) -> np.ndarray:
        """Probability that a word of the vocabulary was said, (...), if other sounds are as usual as such words.

        Parameters
        ----------
        evidence : (..., len(EVIDENCE))
        """
        # scipy.special.expit is the same, and would make every command 0.15 s of CPU time slower to import.
        return np.exp(-np.logaddexp(0.0, -(evidence @ self.weights + self.bias)))


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
    scores : (..., W), see `Examination`
    evidence : (..., len(EVIDENCE))
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
            raise ModelError(f"threshold {threshold!r} is not {', '.join(REFUSED)} or a number from 0 to 1")
        return rejection.thresholds[threshold] if rejection else 0.0
    if not 0 <= threshold <= 1:
        raise ModelError(f"threshold {threshold} is not from 0 (never reject) to 1")
    return float(threshold)


def examine(
    models: WordModels,
    noise: GaussianBank | None,
    features: Sequence[np.ndarray],
    words: np.ndarray | None = None,
    left_out: np.ndarray | None = None,
) -> Examination:
    """Decode, and gather evidence on the best word.

    Words that are not to be chosen from still speak against those that are.

    Parameters
    ----------
    models : the acoustic models
    noise : one mixture over noises; when None there is no evidence, (U, 0), and `left_out` is not heeded
    features : one (T, D) array an utterance
    words : indices of the words to choose from; all when None
    left_out : (U,) the word that the vocabulary is to lack for each utterance, as if it had never been trained
    """
    if noise is None:
        return Examination(*decode(models, features, words), np.zeros((len(features), 0)))
    everything = np.arange(len(models.chain.log_stay))
    words = everything if words is None else words
    scores = np.full((len(features), len(words)), -np.inf)
    spans = np.zeros((len(features), 2), dtype=np.intp)
    evidence = np.zeros((len(features), len(EVIDENCE)))
    members = np.array([i for i, f in enumerate(features) if len(f) >= models.least_frames], dtype=np.intp)
    for place, all_scores, decoded in scored(models, [features[i] for i in members]):
        group = members[place]
        lacking = np.zeros(all_scores.shape, dtype=bool)
        if left_out is not None:
            lacking[np.arange(len(group)), left_out[group]] = True
        fitting = all_scores.argmax(1)  # stands in where no word to choose from is short enough
        all_scores = np.where(lacking, -np.inf, all_scores)
        scores[group] = all_scores[:, words]
        possible = np.isfinite(scores[group]).any(1)
        best = np.where(possible, words[scores[group].argmax(1)], fitting)
        log_density, path, spans[group] = best_paths(decoded, best)
        found = _evidence(decoded, all_scores, lacking, best, log_density, path, noise)
        evidence[group] = np.where(possible[:, None], found, 0.0)
    return Examination(scores, spans, evidence)


def _evidence(
    decoded: Decoded,
    scores: np.ndarray,
    lacking: np.ndarray,
    best: np.ndarray,
    log_density: np.ndarray,
    path: np.ndarray,
    noise: GaussianBank,
) -> np.ndarray:
    """Evidence on one word of every utterance of a group, (U, len(EVIDENCE)), all but the duration in nats a frame.

    * lead: over the mean of the other words' scores
    * duration: log of the frames in the word's own states
    * loop: over the free loop through all states
    * rivals: over the free loop that lacks the word's own states, the mean of the word's states that the path visits,
      each of them counting the same: an unknown word often shares most of its sounds with a known one, but not all
    * noise: over noise or silence, whichever explains a frame better
    """
    batch, everyone = decoded.batch, np.arange(len(best))
    positions = log_density.shape[-1]
    own = (path[..., None] == np.arange(positions)) & batch.inside[..., None]
    own[..., [0, -1]] = False
    visits = own.sum(0)
    frames = visits.sum(1)
    score = scores[everyone, best]
    # States of all words, and silence once.
    words = scores.shape[1]
    states = decoded.log_density[..., 1:-1].reshape(*path.shape, -1)
    states = np.concatenate([states, decoded.log_density[:, :, 0, :1]], axis=-1)

    def loop(without: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        closed = np.append(np.repeat(without, positions - 2, axis=1), np.zeros((len(best), 1), dtype=bool), axis=1)
        return recursions.free_loop(np.where(closed, -np.inf, states), batch, PENALTY)

    others = ~lacking & np.isfinite(scores)
    others[everyone, best] = False
    others_mean = np.where(others, scores, 0.0).sum(1) / np.maximum(others.sum(1), 1)
    lead = np.where(others.any(1), score - others_mean, 0.0)
    free, _ = loop(lacking)
    _, rival = loop(~others & np.ones(words, dtype=bool))
    on_path = np.take_along_axis(log_density, path[..., None], -1)[..., 0]
    over_rival = np.where(batch.inside, on_path - rival, 0.0)
    visits = visits[:, 1:-1]  # none of a state that the path leaves out
    by_state = np.einsum("tup,tu->up", own, over_rival)[:, 1:-1] / np.maximum(visits, 1)
    rivals = by_state.sum(1) / (visits > 0).sum(1)
    noisy = np.maximum(noise.log_density(decoded.frames)[:, 0][batch.frame], log_density[..., 0])
    over_noise = np.where(batch.inside, on_path - noisy, 0.0).sum(0)
    return np.column_stack([lead / frames, np.log(frames), (score - free) / frames, rivals, over_noise / frames])


def default(noise: GaussianBank) -> Rejection:
    """The rejection of a model with too few recordings to fit one: lenient, as fitted elsewhere."""
    return Rejection(noise, np.array(DEFAULT_WEIGHTS), DEFAULT_BIAS, dict(DEFAULT_THRESHOLDS))


def train_noise(features: Sequence[np.ndarray], variance_floor: np.ndarray) -> GaussianBank:
    """One mixture over the frames of noises, each (T, D)."""
    return fit_mixture(np.concatenate(features), NOISE_MIXTURES, variance_floor)


def fit_rejection(
    noise: GaussianBank, known: np.ndarray, known_weight: np.ndarray, other: np.ndarray, other_weight: np.ndarray
) -> Rejection:
    """Weigh the evidence so that it tells words of the vocabulary from other sounds.

    Parameters
    ----------
    noise : the mixture that the evidence was gathered with
    known : (U, len(EVIDENCE)), on words of the vocabulary that the models have not seen
    known_weight : (U,), how much each of them counts
    other : (N, len(EVIDENCE)), on other words and noises
    other_weight : (N,)

    Returns
    -------
    Rejection without operating points, see `with_operating_points`
    """
    share = np.concatenate([known_weight / known_weight.sum(), other_weight / other_weight.sum()]) / 2
    label = np.concatenate([np.ones(len(known)), -np.ones(len(other))])
    weights, bias = logistic_regression(np.concatenate([known, other]), label, share * EFFECTIVE)
    return Rejection(noise, weights, bias, dict.fromkeys(REFUSED, 0.0))


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


def quantile(values: np.ndarray, weight: np.ndarray, share: float) -> float:
    """The value below which lies `share` of the weight."""
    return float(np.quantile(values, share, weights=weight, method="inverted_cdf"))
