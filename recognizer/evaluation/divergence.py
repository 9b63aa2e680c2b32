"""How alike the models of words are: pairs that are close are easily taken for each other.

The distance is that of Juang and Rabiner, "A probabilistic distance measure for hidden Markov models" (AT&T
Technical Journal 64, 1985): D(A, B) is by how much what model A says, O of T frames, is less probable to B,
(ln P(O | A) - ln P(O | B)) / T, on average over sequences drawn from A; made symmetric as (D(A, B) + D(B, A)) / 2.
P is that of the best path, as in recognition.
"""

from __future__ import annotations

import numpy as np

from recognizer.acoustics.chain import expected_durations, walk
from recognizer.acoustics.word_models import WordModels
from recognizer.evaluation.densities import draw
from recognizer.recognition.decoding import score_words

FRAMES = 40_000  # drawn in all; with ten words of a third of a second, a distance is then right to about 1 %
COMPARED = (
    40  # words whose distances are measured, for the time grows with their number: of more, those that seem closest
)


def divergence(models: WordModels, words: np.ndarray | None = None, *, seed: int = 0) -> np.ndarray:
    """Distances between the models of words.

    Silence is left out of the sequences, for all words have the same: it would say nothing of them, and bring
    pairs with long silences closer. The same seed gives the same distances.

    Parameters
    ----------
    models : the word models
    words : (W,) indices; all when None. The time it takes grows with their number
    seed : of the random numbers

    Returns
    -------
    (W, W) nats a frame, symmetric, zero on the diagonal; infinite where nothing that one says is possible to the
        other; it may be a little under zero between models that are the same but for chance
    """
    words = np.arange(len(models.chain.log_stay)) if words is None else words
    random = np.random.default_rng(seed)
    durations = expected_durations(models.chain.word(words))[:, 1:-1].sum(1)
    distance = np.zeros((len(words), len(words)))
    for place, word in enumerate(words):
        sequences = max(1, int(FRAMES / len(words) / max(durations[place], 1.0)))
        drawn = [_drawn(models, word, random) for _ in range(sequences)]
        scores = score_words(models, drawn, words)
        distance[place] = _behind(scores, place, np.array([len(frames) for frames in drawn]))
    return (distance + distance.T) / 2


def closest_pairs(models: WordModels, count: int) -> list[tuple[int, int, float]]:
    """The pairs of words that are most alike.

    In a large vocabulary, only the words that seem closest are compared: the frames of a word are first taken to be
    the means of its states, one each, instead of many drawn at random.

    Parameters
    ----------
    models : the word models
    count : of pairs, at most

    Returns
    -------
    Indices of two words and their distance, see `divergence`; the closest first.
    """
    words = np.arange(len(models.chain.log_stay))
    if len(words) > COMPARED:
        words = np.sort(_likely(models)[:COMPARED])
    pairs = [(words[i], words[j], distance) for i, j, distance in _ranked(divergence(models, words))]
    return [(int(i), int(j), float(distance)) for i, j, distance in pairs[:count] if np.isfinite(distance)]


def _drawn(models: WordModels, word: int, random: np.random.Generator) -> np.ndarray:
    """One utterance of a word, (T, D), without silence."""
    path = walk(models.chain.word(word), random)
    path = path[(path > 0) & (path <= models.states)]
    return draw(models.bank, models.rows(word)[path], random)


def _behind(scores: np.ndarray, own: int, lengths: np.ndarray) -> np.ndarray:
    """How far each word scores behind the one that the utterances are of, (W,), where any of them is possible."""
    possible = np.isfinite(scores) & np.isfinite(scores[:, [own]])
    behind = np.subtract(scores[:, [own]], scores, out=np.zeros_like(scores), where=possible)
    total = (behind / lengths[:, None]).sum(0)
    return np.divide(total, possible.sum(0), out=np.full(len(total), np.inf), where=possible.any(0))


def _ranked(distance: np.ndarray) -> list[tuple[int, int, float]]:
    first, second = np.triu_indices(len(distance), 1)
    order = np.argsort(distance[first, second], kind="stable")
    return list(zip(first[order], second[order], distance[first, second][order]))


def _likely(models: WordModels) -> np.ndarray:
    """Words in the order in which they first appear in close pairs, by the means of their states alone."""
    words = range(len(models.chain.log_stay))
    typical = [models.bank.moments(models.rows(word)[1:-1])[0] for word in words]
    scores = score_words(models, typical)
    distance = np.stack([_behind(scores[[word]], word, np.array([models.states])) for word in words])
    pairs = [word for i, j, _ in _ranked((distance + distance.T) / 2) for word in (i, j)]
    return np.array(list(dict.fromkeys(pairs)))
