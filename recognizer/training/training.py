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
from recognizer.acoustics.gaussians import MIN_FRAMES, Sizes, WeightedFrames, weighted_variance
from recognizer.acoustics.recursions import Batch
from recognizer.acoustics.statistics import Statistics
from recognizer.acoustics.word_models import WordModels
from recognizer.errors import RecognizerWarning, TrainingError
from recognizer.training.settings import TrainingSettings

CHUNK_FRAMES = 8192  # frames whose densities are computed at once: small enough to stay in the cache
PADDING = 4  # times the frames of a chunk that its utterances may take, each as long as the longest
NEGLIGIBLE = 1e-20  # occupation; less is lost in the rounding of any sum that says something
ABSOLUTE_VARIANCE_FLOOR = 1e-4  # for features that do not vary at all in the training data
START_FRAMES = 500_000  # of one state, to start from: half a GB; with a tenth, 0.15 % fewer strangers are understood


AfterIteration = Callable[[str, int, float], None]


@dataclass(frozen=True)
class Chunk:
    """Some utterances of some words, for the E-step.

    Attributes
    ----------
    words : (G,), each once
    features : (T, D), frames of the utterances end to end, of one word after the other; a part of the corpus
    place : (T,), where each frame is in a stack of the words' frames, `stacked` for each word
    stacked : frames of the word that has the most
    batch : the utterances' layout in this stack
    word_of : (U,), of each place in the batch its word, as an index of `words`
    weights : (U,), of each place in the batch, as how many utterances it counts
    """

    words: np.ndarray
    features: np.ndarray
    place: np.ndarray
    stacked: int
    batch: Batch
    word_of: np.ndarray
    weights: np.ndarray

    def stack(self, values: np.ndarray) -> np.ndarray:
        """Values by frame, (T, N), word by word, (G, stacked, N); zeros fill up."""
        if len(self.words) == 1:
            return values[None]
        stack = np.zeros((len(self.words) * self.stacked, values.shape[1]), dtype=values.dtype)
        stack[self.place] = values
        return stack.reshape(len(self.words), self.stacked, -1)


def train(
    features: Sequence[np.ndarray],
    words: np.ndarray,
    spans: Sequence[tuple[int, int]],
    settings: TrainingSettings = TrainingSettings(),
    *,
    weights: np.ndarray | None = None,
    jobs: int = 1,
    after_iteration: AfterIteration = lambda stage, iteration, log_likelihood: None,
) -> WordModels:
    """Estimate the models of all words.

    Parameters
    ----------
    features : one (T, D) array an utterance
    words : (U,), index of each utterance's word, 0 to W - 1, each with at least one utterance
    spans : first and past-the-last frame of the speech in each utterance; the rest starts as silence
    settings : sizes and limits
    weights : (U,), how much each utterance counts, over 0, relative to the mean of all; alike when None. One of
        weight two counts as two of weight one would; nothing is copied
    jobs : threads; the result does not depend on it
    after_iteration : called with stage, iteration and log likelihood per frame

    Returns
    -------
    WordModels

    Raises
    ------
    TrainingError
        if an utterance has fewer frames than a word has states, a feature is not finite, or a weight is not over 0.

    Warns
    -----
    RecognizerWarning
        if states keep fewer Gaussians than asked, for lack of frames.
    """
    _check(features, settings)
    words = np.asarray(words)
    # With a mean of one, the weights leave to all counts their meaning, as to how many frames a Gaussian needs.
    speech = laid_out(features, words, None if weights is None else relative(weights))
    floor = variance_floor(speech.frames, settings, speech.frame_weights)
    models = WordModels(*cut_and_cluster(speech, words, spans, settings, floor))
    for stage in STAGES:
        models = converge(models, speech.chunks, stage, settings, floor, jobs=jobs, after_iteration=after_iteration)
    # Borrowed frames say that few recordings are expected.
    if not settings.borrowed_frames and (shortage := settings.shortage(models.bank)):
        warnings.warn(shortage, RecognizerWarning, stacklevel=2)
    return models


def relative(weights: np.ndarray) -> np.ndarray:
    """Weights, (U,), divided by their mean.

    Raises
    ------
    TrainingError
        if one is not over 0.
    """
    weights = np.asarray(weights, dtype=np.float64)
    wrong = np.flatnonzero(~((weights > 0) & np.isfinite(weights)))
    if len(wrong):
        raise TrainingError(f"utterance {wrong[0]} has a weight of {weights[wrong[0]]:g}; give it one over 0")
    weights = weights / weights.max()  # no sum of finite weights is infinite
    return weights / weights.mean()


def variance_floor(frames: np.ndarray, settings: TrainingSettings, weights: np.ndarray) -> np.ndarray:
    """Smallest variance of a Gaussian, (D,), from all training frames, (T, D), that weigh (T,)."""
    return np.maximum(settings.variance_floor * weighted_variance(frames, weights), ABSOLUTE_VARIANCE_FLOOR)


def converge(
    models: WordModels,
    chunks: Sequence[Chunk],
    stage: str,
    settings: TrainingSettings,
    variance_floor: np.ndarray,
    *,
    jobs: int = 1,
    after_iteration: AfterIteration = lambda stage, iteration, log_likelihood: None,
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
    while len(curve) < settings.max_iterations:
        statistics = accumulate(models, chunks, STAGES[stage], jobs)
        curve.append(statistics.log_likelihood / statistics.frames)
        after_iteration(stage, len(curve), curve[-1])
        if len(curve) > 1 and curve[-1] - curve[-2] < settings.tolerance:
            break
        bank = models.bank.update(statistics, variance_floor, settings.borrowed_frames)
        models = replace(models, bank=bank, chain=models.chain.update(statistics.transition_counts))
    bank = models.bank.drop_starved(statistics, MIN_FRAMES / 2)
    return replace(models, bank=bank, history={**models.history, stage: curve})


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
    words : (G,), of the chunk
    rows : (G, P) of the bank: the silence first, then the word's states
    features : (G, T, D), the frames word by word, transformed if the models say so; zeros or anything fill up
    frames : the same frames, those of each word under its rows of the bank
    occupation : (G, P, T), the probability that a frame came from one of these rows; zero where there is none
    transition_counts : (G, positions, 4 + J)
    log_likelihood : of all the chunk's utterances
    count : frames that there are; this and the sums before it as the utterances weigh
    """

    words: np.ndarray
    rows: np.ndarray
    features: np.ndarray
    frames: Shares
    occupation: np.ndarray
    transition_counts: np.ndarray
    log_likelihood: float
    count: float


def accumulate(
    models: WordModels,
    chunks: Sequence[Chunk],
    occupation: Callable = recursions.soft_posteriors,
    jobs: int = 1,
) -> Statistics:
    """E-step over all chunks: each on its own, then summed in order."""
    total = models.bank.statistics()
    moves = 4 + len(models.chain.log_jumps)
    total.transition_counts = np.zeros((*models.chain.log_stay.shape, moves))
    for rows, words, part in _map(lambda chunk: _sums(expect(models, chunk, occupation)), chunks, jobs):
        total.add(part, rows, words)
    return total


def _sums(found: Expectation) -> tuple[np.ndarray, np.ndarray, Statistics]:
    """Rows of the bank, words, and their statistics; all words share the silence, which stands first."""
    sums = found.frames.statistics(found.occupation)

    def by_row(x: np.ndarray) -> np.ndarray:
        return np.concatenate([x[:, 0].sum(0, keepdims=True), x[:, 1:].reshape(-1, *x.shape[2:])])

    moments = (sums.first_order, sums.second_order)
    first, second = moments if sums.shared else map(by_row, moments)
    rows = np.concatenate([found.rows[0, :1], found.rows[:, 1:].ravel()])
    part = Statistics(
        by_row(sums.occupancy),
        first,
        second,
        found.transition_counts,
        found.log_likelihood,
        found.count,
        sums.shared,
    )
    return rows, found.words, part


def expect(models: WordModels, chunk: Chunk, occupation: Callable = recursions.soft_posteriors) -> Expectation:
    """E-step over one chunk under its words, by all paths or, with `viterbi_occupation`, the best ones."""
    batch, rows = chunk.batch, models.rows(chunk.words)[:, :-1]
    features, log_determinant = models.transformed(chunk.stack(chunk.features))
    frames = models.bank.take(rows).expect(features)
    positions = np.append(np.arange(rows.shape[1]), 0)  # the last silence is the first one
    log_density = frames.log_density.swapaxes(0, 1).reshape(rows.shape[1], -1)[positions] + log_determinant
    words = chunk.words[chunk.word_of]
    occupied, counts, score = occupation(log_density.T.take(batch.frame, axis=0), batch, models.chain.word(words))
    occupied *= chunk.weights[:, None]
    inside = batch.inside
    by_position = np.zeros_like(log_density)
    by_position[:, batch.frame[inside]] = occupied.transpose(2, 0, 1)[:, inside]
    by_position[0] += by_position[-1]
    by_position[by_position < NEGLIGIBLE] = 0.0
    by_row = by_position[:-1].reshape(rows.shape[1], len(rows), -1).swapaxes(0, 1)
    owners = (chunk.word_of == np.arange(len(chunk.words))[:, None]) * chunk.weights
    counts = (owners @ counts.reshape(len(words), -1)).reshape(-1, *counts.shape[1:])
    total, count = float((chunk.weights * score).sum()), float((chunk.weights * batch.lengths).sum())
    return Expectation(chunk.words, rows, features, frames, by_row, counts, total, count)


def _map(function: Callable, items: Sequence, jobs: int) -> Iterator:
    if jobs == 1:
        return map(function, items)
    from joblib import Parallel, delayed

    return iter(Parallel(n_jobs=jobs, prefer="threads")(delayed(function)(item) for item in items))


@dataclass(frozen=True)
class LaidOut:
    """A corpus in one array, and the parts of it that are its chunks.

    Attributes
    ----------
    frames : (T, D), of all utterances end to end
    order : (U,), which utterance of the input is where
    lengths : (U,), frames of each, in this order
    weights : (U,), in this order
    chunks : all of them, one after the other
    """

    frames: np.ndarray
    order: np.ndarray
    lengths: np.ndarray
    weights: np.ndarray
    chunks: list[Chunk]

    @property
    def frame_weights(self) -> np.ndarray:
        """Of each frame the weight of its utterance, (T,)."""
        return np.repeat(self.weights, self.lengths)


def chunks_of(features: Sequence[np.ndarray], words: np.ndarray) -> list[Chunk]:
    """The chunks of utterances, (T, D) each, of the given words, (U,)."""
    return laid_out(features, np.asarray(words)).chunks


def laid_out(features: Sequence[np.ndarray], words: np.ndarray, weights: np.ndarray | None = None) -> LaidOut:
    """Utterances, (T, D) each, of the given words, (U,), in chunks of up to CHUNK_FRAMES frames.

    They count as the weights say, (U,), or alike when None.

    A word with few frames shares a chunk with others that have about as many; one with many has chunks of its own,
    each of utterances of similar length.
    """
    lengths = np.array([len(f) for f in features])
    weights = np.ones(len(lengths)) if weights is None else weights
    by_word = np.argsort(words, kind="stable")
    sections = []  # of one word each
    for members in np.split(by_word, np.flatnonzero(np.diff(words[by_word])) + 1):
        sections += [members[part] for part in recursions.groups(lengths[members], CHUNK_FRAMES)]
    together = _together(sections, lengths, words)
    order = np.concatenate([section for part in together for section in part])
    frames, in_order = np.concatenate([features[i] for i in order]), lengths[order]
    chunks, start = [], 0
    for part in together:
        own = [lengths[section] for section in part]
        end = start + sum(map(np.sum, own))
        of_each = [section[0] for section in part]
        chunks.append(_chunk(words[of_each], frames[start:end], own, weights[np.concatenate(part)]))
        start = end
    return LaidOut(frames, order, in_order, weights[order], chunks)


def _together(sections: Sequence[np.ndarray], lengths: np.ndarray, words: np.ndarray) -> list[list[np.ndarray]]:
    """Sections of similar size, each of another word, that a chunk has room for."""
    frames = np.array([lengths[section].sum() for section in sections])
    parts, inside, longest, utterances = [], set(), 0, 0
    for place in np.argsort(-frames, kind="stable"):
        section = sections[place]
        word, longest = words[section[0]], max(longest, lengths[section].max())
        utterances += len(section)
        room = parts and (len(parts[-1]) + 1) * lengths[np.concatenate(parts[-1][:1])].sum() <= CHUNK_FRAMES
        if room and word not in inside and longest * utterances <= PADDING * CHUNK_FRAMES:
            parts[-1].append(section)
            inside.add(word)
        else:
            parts.append([section])
            inside, longest, utterances = {word}, lengths[section].max(), len(section)
    return parts


def _chunk(words: np.ndarray, features: np.ndarray, lengths: Sequence[np.ndarray], weights: np.ndarray) -> Chunk:
    """Of frames end to end, the lengths of the utterances of each word, and the weights of all, (U,)."""
    frames = np.array([own.sum() for own in lengths])
    stacked = int(frames.max())
    starts = np.arange(len(words)) * stacked - (np.cumsum(frames) - frames)
    place = np.arange(len(features)) + np.repeat(starts, frames)
    batch = Batch.of(np.concatenate(lengths))
    batch = replace(batch, frame=place[batch.frame])
    word_of = np.repeat(np.arange(len(words)), [len(own) for own in lengths])[batch.order]
    return Chunk(words, features, place, stacked, batch, word_of, weights[batch.order])


def uniform_cut(lengths: np.ndarray, spans: np.ndarray, states: int) -> np.ndarray:
    """Position of every frame when the speech is cut into equal parts: 0 and states + 1 are silence.

    A span is widened where it holds fewer frames than there are states.

    Parameters
    ----------
    lengths : (U,), frames of each utterance
    spans : (U, 2), first and past-the-last frame of its speech

    Returns
    -------
    (T,), of all frames, end to end
    """
    start, end = np.asarray(spans).T
    missing = states - (end - start)
    wider = np.maximum(0, np.minimum(start - missing // 2, lengths - states))
    start = np.where(missing > 0, wider, start)
    end = np.where(missing > 0, np.minimum(lengths, start + states), end)
    time = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    start, end = np.repeat(start, lengths), np.repeat(end, lengths)
    position = 1 + (time - start) * states // (end - start)
    return np.where(time < start, 0, np.where(time < end, position, states + 1))


@dataclass(frozen=True)
class Groups(Sequence):
    """Frames of each state, got when they are asked for.

    Attributes
    ----------
    every : of all states
    members : of each state, which they are
    """

    every: WeightedFrames
    members: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, state: int) -> WeightedFrames:
        return self.every[self.members[state]]


def cut_and_cluster(
    speech: LaidOut,
    words: np.ndarray,
    spans: np.ndarray,
    settings: TrainingSettings,
    variance_floor: np.ndarray,
) -> tuple[Density, Chain]:
    """The start: uniform cut, then k-means over the frames of the states of all words, and of silence.

    Parameters
    ----------
    speech : the corpus
    words, spans : (U,) and (U, 2), of the utterances as they were given
    """
    states, mixtures = settings.states, settings.mixtures
    count, order, frames = words.max() + 1, speech.order, speech.frames
    position = uniform_cut(speech.lengths, np.asarray(spans)[order], states)
    first = np.repeat(words[order] * states, speech.lengths)
    row = np.where((position > 0) & (position <= states), first + position - 1, count * states)
    by_row = np.lexsort((np.repeat(order, speech.lengths), row))
    members = np.split(by_row, np.searchsorted(row[by_row], np.arange(1, count * states + 1)))
    if len(members[-1]) < MIN_FRAMES * mixtures:  # trimmed recordings: the quietest frames stand in for silence
        quiet = np.argsort(frames[:, 0], kind="stable")[: max(MIN_FRAMES * mixtures, len(frames) // 50)]
        members[-1] = np.concatenate([members[-1], quiet])
    every = WeightedFrames(frames, speech.frame_weights)
    groups = Groups(every, [m[:: -(-len(m) // START_FRAMES) or 1] for m in members])
    sizes = Sizes(mixtures, settings.codebook, variance_floor, settings.borrowed_frames)
    bank = KINDS[settings.density].start(groups, sizes)
    return bank, Chain.of_topology(count, states, settings.topology)


def _check(features: Sequence[np.ndarray], settings: TrainingSettings) -> None:
    if not features:
        raise TrainingError("there is nothing to train from; give at least one recording a word")
    for number, f in enumerate(features):
        if len(f) < settings.states:
            raise TrainingError(
                f"utterance {number} has {len(f)} frames, fewer than the {settings.states} states of a word; "
                "leave it out, record it longer, or train with fewer states"
            )
        if not np.isfinite(f).all():
            raise TrainingError(f"utterance {number} has features that are not finite; leave it out")
