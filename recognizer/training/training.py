"""Word models from recordings, in the order of the theory.

Uniform cut, k-means in every state, Viterbi training until it converges, Baum-Welch until it converges. Every
step is the same: statistics in, models out. All words are trained side by side because they share one
density, that of silence.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recognizer.acoustics import recursions
from recognizer.acoustics.chain import Chain
from recognizer.acoustics.density import KINDS, Density, Shares
from recognizer.acoustics.gaussians import MIN_FRAMES, BorrowedVariance, GaussianBank, Sizes
from recognizer.acoustics.mixture import of_sample
from recognizer.acoustics.recursions import Batch
from recognizer.acoustics.statistics import Statistics
from recognizer.acoustics.word_models import WordModels, position_rows
from recognizer.errors import RecognizerWarning, TrainingError
from recognizer.training.settings import TrainingSettings

CHUNK_FRAMES = 8192  # frames whose densities are computed at once: small enough to stay in the cache
NEGLIGIBLE = 1e-100  # occupation; products with less would be denormal numbers, fifty times slower than others
ABSOLUTE_VARIANCE_FLOOR = 1e-4  # for features that do not vary at all in the training data


Progress = Callable[[str, int, float], None]


@dataclass(frozen=True)
class Chunk:
    """Some utterances of one word: frames end to end, and their layout."""

    word: int
    features: np.ndarray
    batch: Batch


def train(
    features: Sequence[np.ndarray],
    words: np.ndarray,
    spans: Sequence[tuple[int, int]],
    settings: TrainingSettings = TrainingSettings(),
    *,
    jobs: int = 1,
    progress: Progress = lambda stage, iteration, log_likelihood: None,
) -> WordModels:
    """Estimate the models of all words.

    Parameters
    ----------
    features : one (T, D) array an utterance
    words : (U,), index of each utterance's word, 0 to W - 1, each with at least one utterance
    spans : first and past-the-last frame of the speech in each utterance; the rest starts as silence
    settings : sizes and limits
    jobs : threads; the result does not depend on it
    progress : called with stage, iteration and log likelihood per frame

    Returns
    -------
    WordModels

    Raises
    ------
    TrainingError
        if an utterance has fewer frames than a word has states, or a feature is not finite.

    Warns
    -----
    RecognizerWarning
        if states keep fewer Gaussians than asked, for lack of frames.
    """
    _check(features, settings)
    words = np.asarray(words)
    everything = np.concatenate(features)
    floor = variance_floor(everything, settings)
    background = of_sample(everything, settings.background_mixtures, floor)
    bank, chain = cut_and_cluster(features, words, spans, settings, floor, _borrowed(background, settings))
    models = WordModels(bank, chain, background)
    chunks = list(chunks_by_word(features, words))
    for stage in STAGES:
        models = converge(models, chunks, stage, settings, floor, jobs=jobs, progress=progress)
    # Borrowed frames say that few recordings are expected.
    if not settings.borrowed_frames and (shortage := settings.shortage(models.bank)):
        warnings.warn(shortage, RecognizerWarning, stacklevel=2)
    return models


def variance_floor(frames: np.ndarray, settings: TrainingSettings) -> np.ndarray:
    """Smallest variance of a Gaussian, (D,), from all training frames, (T, D)."""
    return np.maximum(settings.variance_floor * frames.var(0, dtype=np.float64), ABSOLUTE_VARIANCE_FLOOR)


def converge(
    models: WordModels,
    chunks: Sequence[Chunk],
    stage: str,
    settings: TrainingSettings,
    variance_floor: np.ndarray,
    *,
    jobs: int = 1,
    progress: Progress = lambda stage, iteration, log_likelihood: None,
) -> WordModels:
    """Re-estimate all parameters until the log likelihood has converged, then drop what has starved.

    Parameters
    ----------
    models : the start
    chunks : the training utterances
    stage : one of STAGES
    variance_floor : (D,)
    """
    curve: list[float] = []
    borrowed = _borrowed(models.background, settings)
    while len(curve) < settings.max_iterations:
        statistics = accumulate(models, chunks, STAGES[stage], jobs)
        curve.append(statistics.log_likelihood / statistics.frames)
        progress(stage, len(curve), curve[-1])
        if len(curve) > 1 and curve[-1] - curve[-2] < settings.tolerance:
            break
        bank = models.bank.update(statistics, variance_floor, borrowed)
        models = replace(models, bank=bank, chain=models.chain.update(statistics.transition_counts))
    bank = models.bank.drop_starved(statistics, MIN_FRAMES / 2)
    return replace(models, bank=bank, history={**models.history, stage: curve})


def _borrowed(background: GaussianBank, settings: TrainingSettings) -> BorrowedVariance | None:
    if not settings.borrowed_frames:
        return None
    spread = (background.weights[0, :, None] * background.variances[0]).sum(0)
    return BorrowedVariance(spread, settings.borrowed_frames)


def viterbi_occupation(log_density: np.ndarray, batch: Batch, chain: Chain) -> tuple:
    """Occupation, transition counts and score of the best paths: the E-step of Viterbi training."""
    score, path = recursions.viterbi(log_density, batch, chain)
    return *recursions.path_posteriors(path, batch, chain), score


STAGES = {"viterbi": viterbi_occupation, "baum-welch": recursions.soft_posteriors}


@dataclass(frozen=True)
class Expectation:
    """What the E-step finds in one chunk: which frame came from where.

    Attributes
    ----------
    word : of the chunk
    rows : (P,) of the bank: the silence first, then the word's states
    features : (T, D), the frames, transformed if the models say so
    frames : the same frames under these rows of the bank
    occupation : (P, T), the probability that a frame came from one of these rows
    transition_counts : (positions, 4 + J)
    log_likelihood : of all the chunk's utterances
    """

    word: int
    rows: np.ndarray
    features: np.ndarray
    frames: Shares
    occupation: np.ndarray
    transition_counts: np.ndarray
    log_likelihood: float


def accumulate(models: WordModels, chunks: Sequence[Chunk], occupation: Callable, jobs: int = 1) -> Statistics:
    """E-step over all chunks: each on its own, then summed in order."""
    total = models.bank.statistics()
    moves = 4 + len(models.chain.log_jumps)
    total.transition_counts = np.zeros((*models.chain.log_stay.shape, moves))
    for chunk, part in zip(chunks, _map(lambda c: _sums(expect(models, c, occupation)), chunks, jobs)):
        total.add(part, models.rows(chunk.word)[:-1], chunk.word)
    return total


def _sums(expectation: Expectation) -> Statistics:
    statistics = expectation.frames.statistics(expectation.occupation)
    statistics.transition_counts = expectation.transition_counts
    statistics.log_likelihood = expectation.log_likelihood
    return statistics


def expect(models: WordModels, chunk: Chunk, occupation: Callable = recursions.soft_posteriors) -> Expectation:
    """E-step over one chunk under its word, by all paths or, with `viterbi_occupation`, the best ones."""
    batch, rows = chunk.batch, models.rows(chunk.word)[:-1]
    features, log_determinant = models.transformed(chunk.features)
    frames = models.bank.take(rows).expect(features)
    log_density = frames.log_density + log_determinant
    positions = np.concatenate([log_density, log_density[:1]]).T  # the trailing silence is the leading one
    occupied, counts, score = occupation(positions[batch.frame], batch, models.chain.word(chunk.word))
    inside = batch.inside
    by_frame = np.empty((len(features), occupied.shape[-1]))
    by_frame[batch.frame[inside]] = occupied[inside]
    by_frame[:, 0] += by_frame[:, -1]
    by_frame[by_frame < NEGLIGIBLE] = 0.0
    return Expectation(chunk.word, rows, features, frames, by_frame[:, :-1].T, counts, float(score.sum()))


def _map(function: Callable, items: Sequence, jobs: int) -> Iterator:
    if jobs == 1:
        return map(function, items)
    from joblib import Parallel, delayed

    return iter(Parallel(n_jobs=jobs, prefer="threads")(delayed(function)(item) for item in items))


def chunks_by_word(features: Sequence[np.ndarray], words: np.ndarray) -> Iterator[Chunk]:
    """Utterances of one word and of similar length, up to CHUNK_FRAMES frames a chunk."""
    lengths = np.array([len(f) for f in features])
    for word in range(words.max() + 1):
        members = np.flatnonzero(words == word)
        for place in recursions.groups(lengths[members], CHUNK_FRAMES):
            group = members[place]
            yield Chunk(word, np.concatenate([features[i] for i in group]), Batch.of(lengths[group]))


def uniform_cut(frames: int, span: tuple[int, int], states: int) -> np.ndarray:
    """Position of every frame when the speech is cut into equal parts, (T,): 0 and states + 1 are silence.

    The span is widened where it holds fewer frames than there are states.
    """
    start, end = span
    missing = states - (end - start)
    if missing > 0:
        start = max(0, min(start - missing // 2, frames - states))
        end = min(frames, start + states)
    position = np.zeros(frames, dtype=np.intp)
    position[start:end] = 1 + np.arange(end - start) * states // (end - start)
    position[end:] = states + 1
    return position


def cut_and_cluster(
    features: Sequence[np.ndarray],
    words: np.ndarray,
    spans: Sequence[tuple[int, int]],
    settings: TrainingSettings,
    variance_floor: np.ndarray,
    borrowed: BorrowedVariance | None = None,
) -> tuple[Density, Chain]:
    """The start: uniform cut, then k-means over the frames of the states of all words, and of silence."""
    states, mixtures = settings.states, settings.mixtures
    count = words.max() + 1
    row = np.concatenate(
        [
            position_rows(word, states, count * states)[uniform_cut(len(f), span, states)]
            for f, word, span in zip(features, words, spans)
        ]
    )
    everything = np.concatenate(features)
    by_row = np.argsort(row, kind="stable")
    groups = np.split(everything[by_row], np.searchsorted(row[by_row], np.arange(1, count * states + 1)))
    if len(groups[-1]) < MIN_FRAMES * mixtures:  # trimmed recordings: the quietest frames stand in for silence
        quiet = np.argsort(everything[:, 0], kind="stable")[: max(MIN_FRAMES * mixtures, len(everything) // 50)]
        groups[-1] = np.concatenate([groups[-1], everything[quiet]])
    bank = KINDS[settings.density].start(groups, Sizes(mixtures, settings.codebook, variance_floor, borrowed))
    return bank, Chain.of_topology(count, states, settings.topology)


def _check(features: Sequence[np.ndarray], settings: TrainingSettings) -> None:
    if not features:
        raise TrainingError("there is nothing to train from; give at least one recording a word")
    for number, f in enumerate(features):
        if len(f) < settings.states:
            raise TrainingError(
                f"utterance {number} has {len(f)} frames, fewer than the {settings.states} states of a word; "
                "leave it out, record it longer, or train with fewer --states"
            )
        if not np.isfinite(f).all():
            raise TrainingError(f"utterance {number} has features that are not finite; leave it out")
