"""From features to an answer: scores, n-best, confidence, rejection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recognizer.acoustics import recursions
from recognizer.acoustics.chain import Chain
from recognizer.acoustics.recursions import Batch
from recognizer.acoustics.word_models import WordModels

CHUNK_VALUES = 4_000_000  # densities held at once, of Gaussians and of states; bounds the memory


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
    for group, score, _ in scored(models, features, words):
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
    for group, score, decoded in scored(models, features, words):
        scores[group] = score
        spans[group] = best_paths(decoded, score.argmax(1))[2]
    return scores, spans


@dataclass(frozen=True)
class Decoded:
    """What the scores of a group of utterances were computed from.

    Attributes
    ----------
    frames : (N, D), the features end to end, as the front end gave them
    log_density : (T, U, W, positions), silence at both ends of a word's positions
    batch : where the frames are in it
    chain : transitions of the words, (W, positions)
    """

    frames: np.ndarray
    log_density: np.ndarray
    batch: Batch
    chain: Chain


def scored(
    models: WordModels, features: Sequence[np.ndarray], words: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray, Decoded]]:
    """Score utterances in groups that bound the memory.

    Parameters
    ----------
    models, features, words : as in `score_words`

    Yields
    ------
    group : (U,) indices of utterances, in the order of their batch
    scores : (U, W) log likelihoods of their best paths
    decoded : what they were computed from
    """
    words = np.arange(len(models.chain.log_stay)) if words is None else words
    rows = models.rows(words).ravel()
    needed, column = np.unique(rows, return_inverse=True)
    whole = len(needed) == len(models.bank.weights)  # which knows already what its densities are computed by
    bank, chain = models.bank if whole else models.bank.take(needed), models.chain.word(words)
    lengths = np.array([len(f) for f in features])
    for group in recursions.groups(lengths, CHUNK_VALUES // (bank.values + 2 * len(rows))):
        frames = np.concatenate([features[i] for i in group])
        transformed, log_determinant = models.transformed(frames)
        log_density = bank.log_density(transformed)[:, column] + log_determinant
        batch = Batch.of(lengths[group])
        by_word = log_density.reshape(len(log_density), len(words), -1)[batch.frame]
        decoded = Decoded(frames, by_word, batch, chain)
        yield group[batch.order], recursions.viterbi_score(by_word, batch, chain), decoded


def best_paths(decoded: Decoded, words: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best path of every utterance through one word each.

    Parameters
    ----------
    decoded : a group of utterances
    words : (U,), which of the words it was scored under

    Returns
    -------
    log_density : (T, U, positions) of the words
    path : (T, U) positions, meaningless after an utterance's end
    spans : (U, 2), first and past-the-last frame in the word's own states
    """
    log_density = decoded.log_density[:, np.arange(len(words)), words]
    _, path = recursions.viterbi(log_density, decoded.batch, decoded.chain.word(words))
    inside = (path > 0) & (path < log_density.shape[-1] - 1) & decoded.batch.inside
    return log_density, path, np.stack([inside.argmax(0), len(path) - inside[::-1].argmax(0)], axis=1)


def along_path(models: WordModels, features: np.ndarray, word: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The best path of one utterance through one word, and how well it fits.

    Parameters
    ----------
    models : the acoustic models
    features : (T, D)
    word : index of the word

    Returns
    -------
    path : (T,) positions, 0 and states + 1 being silence
    log_density : (T,) of each frame in the position that it is given to
        None where the utterance is too short
    """
    transformed, log_determinant = models.transformed(features)
    log_density = models.bank.take(models.rows(word)).log_density(transformed) + log_determinant
    batch = Batch.of(np.array([len(features)]))
    score, paths = recursions.viterbi(log_density[:, None], batch, models.chain.word(word))
    path = paths[:, 0]
    return (path, log_density[np.arange(len(path)), path]) if np.isfinite(score[0]) else None


def align_frames(models: WordModels, features: np.ndarray, word: int) -> np.ndarray | None:
    """The path alone, as `along_path` gives it."""
    found = along_path(models, features, word)
    return None if found is None else found[0]
