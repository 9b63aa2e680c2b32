"""From features to an answer: scores, n-best, confidence, rejection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recognizer import hmm
from recognizer.hmm import Batch
from recognizer.training import WordModels

CHUNK_VALUES = 4_000_000  # densities held at once, of Gaussians and of states; bounds the memory


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
    scores = np.empty((len(features), len(models.chain.log_stay) if words is None else len(words)))
    for group, score, _ in _scored(models, features, words):
        scores[group] = score
    return scores


def decode(
    models: WordModels, features: Sequence[np.ndarray], words: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Scores as `score_words` gives them, and where the best word is.

    Parameters
    ----------
    models, features, words : as in `score_words`

    Returns
    -------
    scores : (U, W) float64
    spans : (U, 2), first and past-the-last frame of the best word itself, the silence around it left out;
        meaningless where no word has a path
    """
    scores = np.empty((len(features), len(models.chain.log_stay) if words is None else len(words)))
    spans = np.empty((len(features), 2), dtype=np.intp)
    for group, score, (log_density, batch, chain) in _scored(models, features, words):
        scores[group] = score
        best = score.argmax(1)
        own = log_density[:, np.arange(len(group)), best]
        _, path = hmm.viterbi(own, batch, chain.word(best))
        inside = (path > 0) & (path <= models.states) & batch.inside
        spans[group] = np.stack([inside.argmax(0), len(path) - inside[::-1].argmax(0)], axis=1)
    return scores, spans


def _scored(models: WordModels, features: Sequence[np.ndarray], words: np.ndarray | None) -> Iterator[tuple]:
    """Groups of utterances, in the order of their batch: indices, scores, and what they were computed from."""
    words = np.arange(len(models.chain.log_stay)) if words is None else words
    rows = np.concatenate([models.rows(word) for word in words])
    needed, column = np.unique(rows, return_inverse=True)
    bank, chain = models.bank.take(needed), models.chain.word(words)
    lengths = np.array([len(f) for f in features])
    for group in hmm.groups(lengths, CHUNK_VALUES // (bank.weights.size + 2 * len(rows))):
        log_density = bank.log_density(np.concatenate([features[i] for i in group]))[:, column]
        batch = Batch.of(lengths[group])
        by_word = log_density.reshape(len(log_density), len(words), -1)[batch.frame]
        yield group[batch.order], hmm.viterbi_score(by_word, batch, chain), (by_word, batch, chain)


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
