"""From features to an answer: scores, n-best, confidence, rejection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recognizer import hmm
from recognizer.hmm import Batch
from recognizer.training import WordModels

CHUNK_FRAMES = 2048  # frames decoded at once; bounds the memory at (frames x Gaussians of all words)


@dataclass(frozen=True)
class Candidate:
    """One word of the n-best list.

    Attributes
    ----------
    word : its label
    score : natural log likelihood per frame
    confidence : probability that this is the word, 0 to 1
    """

    word: str
    score: float
    confidence: float


@dataclass(frozen=True)
class Result:
    """What was heard.

    Attributes
    ----------
    word : the best word, None when nothing was recognised
    confidence : probability that it is right, 0 to 1
    accepted : whether `word` is an answer
    nbest : candidates, best first
    start, end : of the word in the recording, seconds; None without a word
    duration : of the recording, seconds
    reason : why there is no word: "silence", "too short", else None
    """

    word: str | None
    confidence: float
    accepted: bool
    nbest: tuple[Candidate, ...]
    start: float | None
    end: float | None
    duration: float
    reason: str | None = None


@dataclass(frozen=True)
class Calibration:
    """What turns scores into decisions, fitted on speech that the models have not seen.

    Attributes
    ----------
    scale : factor on differences of log likelihoods before they are read as log odds: frames are not
        independent, so unscaled they are far too sure
    """

    scale: float = 0.1


def score_words(models: WordModels, features: Sequence[np.ndarray], words: np.ndarray | None = None) -> np.ndarray:
    """Log likelihood of the best path of every utterance under every word.

    Parameters
    ----------
    models : the acoustic models
    features : one (T, D) array an utterance
    words : indices of the words to score; all when None

    Returns
    -------
    (U, W) float64, -inf where an utterance has fewer frames than the word has states
    """
    words = np.arange(len(models.chain.log_stay)) if words is None else words
    rows = np.concatenate([models.rows(word) for word in words])
    needed, column = np.unique(rows, return_inverse=True)
    bank = models.bank.take(needed)
    chain = models.chain.word(words)
    scores = np.empty((len(features), len(words)))
    lengths = np.array([len(f) for f in features])
    for group in _groups(lengths):
        log_density = bank.log_density(np.concatenate([features[i] for i in group]))[:, column]
        batch = Batch.of(lengths[group])
        by_word = log_density.reshape(len(log_density), len(words), -1)[batch.frame]
        scores[group[batch.order]] = hmm.viterbi_score(by_word, batch, chain)
    return scores


def align(models: WordModels, features: np.ndarray, word: int) -> np.ndarray | None:
    """The best path of one utterance through one word.

    Parameters
    ----------
    models : the acoustic models
    features : (T, D)
    word : index of the word

    Returns
    -------
    (T,) positions, 0 and states + 1 being silence; None where the utterance is too short
    """
    log_density = models.bank.take(models.rows(word)).log_density(features)
    score, path = hmm.viterbi(log_density[:, None], Batch.of(np.array([len(features)])), models.chain.word(word))
    return path[:, 0] if np.isfinite(score[0]) else None


def word_frames(models: WordModels, features: np.ndarray, word: int) -> tuple[int, int]:
    """First and past-the-last frame of the word itself, the silence around it left out.

    Parameters
    ----------
    models : the acoustic models
    features : (T, D), at least as many frames as the word has states
    word : index of the word
    """
    path = align(models, features, word)
    inside = np.flatnonzero((path > 0) & (path <= models.states))
    return int(inside[0]), int(inside[-1]) + 1


def posteriors(scores: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Probability of every word given that one of them was said, (..., W), from finite log likelihoods."""
    relative = np.exp(calibration.scale * (scores - scores.max(-1, keepdims=True)))
    return relative / relative.sum(-1, keepdims=True)


def fit_calibration(scores: np.ndarray, truth: np.ndarray) -> Calibration:
    """The scale under which held-out words are most probable (maximum likelihood, one parameter).

    Parameters
    ----------
    scores : (U, W) log likelihoods under models that have not seen the utterances, finite
    truth : (U,) index of the word that was said
    """
    from scipy.optimize import minimize_scalar

    difference = scores - scores[np.arange(len(truth)), truth][:, None]

    def surprise(log_scale: float) -> float:
        return float(np.logaddexp.reduce(np.exp(log_scale) * difference, axis=1).mean())

    best = minimize_scalar(surprise, bounds=(np.log(1e-3), np.log(1.0)), method="bounded")
    return Calibration(float(np.exp(best.x)))


def _groups(lengths: np.ndarray) -> list[np.ndarray]:
    """Indices of utterances of similar length, CHUNK_FRAMES frames a group or one utterance."""
    order = np.argsort(lengths, kind="stable")
    part = np.cumsum(lengths[order]) // CHUNK_FRAMES
    return np.split(order, np.flatnonzero(np.diff(part)) + 1) if len(order) else []
