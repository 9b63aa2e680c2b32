"""From features to an answer: scores, n-best, confidence, rejection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recognizer.acoustics import recursions
from recognizer.acoustics.chain import Chain
from recognizer.acoustics.recursions import Batch
from recognizer.acoustics.word_models import WordModels, position_rows

CHUNK_VALUES = 4_000_000  # densities held at once, of Gaussians and of states; bounds the memory
LARGE = 300  # words; over so many a fast match costs less than it saves, see recipes/vocabulary
SHORTLIST = 150  # words that it leaves to be scored exactly
TYPICAL = 30  # words that are scored whatever is said: what a vocabulary has that was not said


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
    chain : transitions of the words, (W, positions), or (U, W, positions) where each utterance has words of its own
    words : (U, W), which these are, as indices of the vocabulary
    typical : how many of them, the first ones, stand for all words together
    """

    frames: np.ndarray
    log_density: np.ndarray
    batch: Batch
    chain: Chain
    words: np.ndarray
    typical: int

    def chain_of(self, columns: np.ndarray) -> Chain:
        """The transitions of one word of each utterance, (U, positions), by its column."""
        each = self.chain.log_stay.ndim == 3
        return self.chain.word((np.arange(len(columns)), columns) if each else columns)


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
        every = np.broadcast_to(words, (len(group), len(words)))
        decoded = Decoded(frames, by_word, batch, chain, every, len(words))
        yield group[batch.order], recursions.viterbi_score(by_word, batch, chain), decoded


def is_large(models: WordModels) -> bool:
    """Whether so many words are scored by `shortlisted`."""
    return len(models.chain.log_stay) > LARGE


def positions_scored(models: WordModels) -> int:
    """How many positions every frame of an utterance has a number for, at most, of those words that are scored."""
    words, positions = models.chain.log_stay.shape
    return (2 * SHORTLIST + TYPICAL if is_large(models) else words) * positions


def most_listed(models: WordModels) -> int:
    """Words to choose from that an utterance has a score of, at most."""
    return TYPICAL + SHORTLIST if is_large(models) else len(models.chain.log_stay)


def list_length(models: WordModels, words: np.ndarray | None = None) -> int:
    """Words that `shortlisted` scores every utterance under."""
    typical, *choices = _choices(models, words)
    return len(typical) + sum(min(SHORTLIST, len(part)) for part in choices)


def _choices(models: WordModels, words: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a large vocabulary, words spread over it; and of the rest those to choose from, and the others."""
    everything = np.arange(len(models.chain.log_stay))
    typical = np.linspace(0, everything[-1], TYPICAL).astype(np.intp)
    rest = np.setdiff1d(everything, typical)
    chosen = np.ones(len(rest), dtype=bool) if words is None else np.isin(rest, words)
    return typical, rest[chosen], rest[~chosen]


def shortlisted(
    models: WordModels,
    features: Sequence[np.ndarray],
    words: np.ndarray | None = None,
    left_out: np.ndarray | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray, Decoded]]:
    """Score utterances as `scored` does, each under a few words of a large vocabulary.

    These are words spread over the vocabulary, the same for every utterance, and behind them those that fit it best by
    a fast match: of the words to choose from, and as many of the others. What an utterance is scored under does not
    depend on the others.

    Parameters
    ----------
    models, features : as in `score_words`
    words : indices of the words to choose from; all when None
    left_out : (U,), a word for each utterance that is not to be shortlisted
    """
    states, (typical, *choices) = models.states, _choices(models, words)
    common = models.bank.take(np.append(models.rows(typical)[:, 1:-1].ravel(), len(models.bank.weights) - 1))
    width = list_length(models, words)
    rows = position_rows(np.arange(width), states, width * states).ravel()
    values = width * states * models.bank.values // len(models.bank.weights)
    lengths = np.array([len(f) for f in features])
    for group in recursions.groups(lengths, CHUNK_VALUES // (values + 2 * len(rows))):
        frames = np.concatenate([features[i] for i in group])
        transformed, log_determinant = models.transformed(frames)
        shared = common.log_density(transformed) + log_determinant
        batch, ends = Batch.of(lengths[group]), np.cumsum(lengths[group])
        own_words, log_density = np.empty((len(group), width), dtype=np.intp), np.empty((len(frames), len(rows)))
        for place, utterance in enumerate(group):
            part = slice(ends[place] - lengths[utterance], ends[place])
            fit = models.fast_match.scores(transformed[part])
            if left_out is not None:
                fit[left_out[utterance]] = -np.inf
            best = [those[np.sort(np.argsort(-fit[those], kind="stable")[:SHORTLIST])] for those in choices]
            own_words[place] = np.concatenate([typical, *best])
            own = models.bank.take(models.rows(own_words[place, TYPICAL:])[:, 1:-1].ravel())
            found = own.log_density(transformed[part]) + log_determinant
            log_density[part] = np.concatenate([shared[part, :-1], found, shared[part, -1:]], axis=1)[:, rows]
        own_words = own_words[batch.order]
        by_word = log_density.reshape(len(frames), width, -1)[batch.frame]
        decoded = Decoded(frames, by_word, batch, models.chain.word(own_words), own_words, TYPICAL)
        yield group[batch.order], recursions.viterbi_score(by_word, batch, decoded.chain), decoded


def best_paths(decoded: Decoded, words: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best path of every utterance through one word each.

    Parameters
    ----------
    decoded : a group of utterances
    words : (U,), which of the words it was scored under, by its column

    Returns
    -------
    log_density : (T, U, positions) of the words
    path : (T, U) positions, meaningless after an utterance's end
    spans : (U, 2), first and past-the-last frame in the word's own states
    """
    log_density = decoded.log_density[:, np.arange(len(words)), words]
    _, path = recursions.viterbi(log_density, decoded.batch, decoded.chain_of(words))
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
