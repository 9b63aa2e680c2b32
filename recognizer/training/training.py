"""Word models from recordings, in the order of the theory.

Uniform cut, k-means in every state, Viterbi training until it converges, Baum-Welch until it converges. Every
step is the same: statistics in, models out. All words are trained side by side because they share one
density, that of silence.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from recognizer.acoustics import recursions
from recognizer.acoustics.chain import Chain
from recognizer.acoustics.density import KINDS, Density, Shares
from recognizer.acoustics.gaussians import MIN_FRAMES, Sizes, WeightedFrames
from recognizer.acoustics.recursions import Batch
from recognizer.acoustics.statistics import Statistics
from recognizer.acoustics.word_models import WordModels
from recognizer.errors import RecognizerWarning, TrainingError
from recognizer.parallel import Workers, workers_of
from recognizer.parallel.here import in_one_thread
from recognizer.training.checkpoints import NOT_KEPT, Checkpoint, Reached
from recognizer.training.settings import TrainingSettings
from recognizer.training.tying import tied

CHUNK_FRAMES = 8192  # frames whose densities are computed at once: small enough to stay in the cache
PADDING = 4  # times the frames of a chunk that its utterances may take, each as long as the longest
TOGETHER = 64  # utterances read at once where chunks are of no use
ALIGNED = 5  # iterations of Viterbi training before it is decided which states are tied
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
    utterances : their features, of one word after the other, (T, D) together; read when they are needed
    place : (T,), where each frame is in a stack of the words' frames, `stacked` for each word; None of a single word
    stacked : frames of the word that has the most
    batch : the utterances' layout in this stack
    word_of : (U,), of each place in the batch its word, as an index of `words`
    weights : (U,), of each place in the batch, as how many utterances it counts
    """

    words: np.ndarray
    utterances: Sequence[np.ndarray]
    place: np.ndarray | None
    stacked: int
    batch: Batch
    word_of: np.ndarray
    weights: np.ndarray

    @property
    def features(self) -> np.ndarray:
        """Frames of the utterances end to end, (T, D)."""
        found = [np.asarray(features) for features in self.utterances]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def stack(self, values: np.ndarray) -> np.ndarray:
        """Values by frame, (T, N), word by word, (G, stacked, N); zeros fill up."""
        if self.place is None:
            return values[None]
        stack = np.zeros((len(self.words) * self.stacked, values.shape[1]), dtype=values.dtype)
        stack[self.place] = values
        return stack.reshape(len(self.words), self.stacked, -1)


@in_one_thread
def train(
    features: Sequence[np.ndarray],
    words: np.ndarray,
    spans: Sequence[tuple[int, int]],
    settings: TrainingSettings = TrainingSettings(),
    *,
    weights: np.ndarray | None = None,
    jobs: int | Workers = 1,
    checkpoint: Checkpoint = NOT_KEPT,
    after_iteration: AfterIteration = lambda stage, iteration, log_likelihood: None,
) -> WordModels:
    """Estimate the models of all words.

    Parameters
    ----------
    features : one (T, D) array an utterance, or what gives one when it is asked, see `features.store`
    words : (U,), index of each utterance's word, 0 to W - 1, each with at least one utterance
    spans : first and past-the-last frame of the speech in each utterance; the rest starts as silence
    settings : sizes and limits
    weights : (U,), how much each utterance counts, over 0, relative to the mean of all; alike when None. One of
        weight two counts as two of weight one would; nothing is copied
    jobs : processes, or what else works; the result does not depend on it
    checkpoint : where it goes on from, if something is there, and what it leaves for another time
    after_iteration : called with stage, iteration and log likelihood per frame

    Returns
    -------
    WordModels

    Raises
    ------
    TrainingError
        if an utterance has fewer frames than a word has states, a feature is not finite, or a weight is not over 0; if
        the checkpoint is of another training.

    Warns
    -----
    RecognizerWarning
        if states keep fewer Gaussians than asked, for lack of frames.
    """
    _check(features, settings)
    words = np.asarray(words)
    # With a mean of one, the weights leave to all counts their meaning, as to how many frames a Gaussian needs.
    weights = np.ones(len(features)) if weights is None else relative(weights)
    speech = laid_out(features, words, weights)
    floor = variance_floor(features, settings, weights)
    jobs = workers_of(jobs, len(features))
    chunks = jobs.hold(speech.chunks, _read_in)
    if (reached := checkpoint.load()) is None:
        tying = _tying(speech, chunks, words, spans, settings, floor, jobs, after_iteration)
        start = WordModels(*cut_and_cluster(speech, words, spans, settings, floor, tying, jobs), tying=tying)
        reached = Reached(start, next(iter(STAGES)), [])
    models, how = reached.models, {"jobs": jobs, "checkpoint": checkpoint, "after_iteration": after_iteration}
    for stage in STAGES:
        if stage not in models.history:
            curve = reached.curve if stage == reached.stage else []
            models = converge(models, chunks, stage, settings, floor, curve=curve, **how)
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


def variance_floor(features: Sequence[np.ndarray], settings: TrainingSettings, weights: np.ndarray) -> np.ndarray:
    """Smallest variance of a Gaussian, (D,), from all training utterances, (T, D) each, that weigh (U,).

    Raises
    ------
    TrainingError
        if a feature is not finite.
    """
    total, squares, count, origin = 0.0, 0.0, 0.0, None
    for first in range(0, len(features), TOGETHER):
        part = [np.asarray(f) for f in features[first : first + TOGETHER]]
        by_frame = np.repeat(weights[first : first + TOGETHER], list(map(len, part)))
        frames = np.concatenate(part, dtype=np.float64)
        if not np.isfinite(frames).all():
            wrong = first + next(i for i, f in enumerate(part) if not np.isfinite(f).all())
            raise TrainingError(f"utterance {wrong} has features that are not finite; leave it out")
        if origin is None:
            origin = frames.mean(0)  # so near the mean of all that little is lost in taking its square away
        frames -= origin
        total += by_frame @ frames
        squares += by_frame @ np.square(frames, out=frames)
        count += by_frame.sum()
    variance = squares / count - np.square(total / count)
    return np.maximum(settings.variance_floor * variance, ABSOLUTE_VARIANCE_FLOOR)


def converge(
    models: WordModels,
    chunks: Sequence[Chunk],
    stage: str,
    settings: TrainingSettings,
    variance_floor: np.ndarray,
    *,
    curve: Sequence[float] = (),
    jobs: int | Workers = 1,
    checkpoint: Checkpoint = NOT_KEPT,
    after_iteration: AfterIteration = lambda stage, iteration, log_likelihood: None,
) -> WordModels:
    """Re-estimate all parameters until the log likelihood has converged, then drop what has starved.

    Parameters
    ----------
    models : the start
    chunks : the training utterances
    stage : one of STAGES
    variance_floor : (D,)
    curve : log likelihoods a frame of the iterations that led to this start, if it is none
    """
    curve = list(curve)
    while len(curve) < settings.max_iterations:
        statistics = accumulate(models, chunks, STAGES[stage], jobs, stage)
        curve.append(statistics.log_likelihood / statistics.frames)
        after_iteration(stage, len(curve), curve[-1])
        if len(curve) > 1 and curve[-1] - curve[-2] < settings.tolerance:
            break
        bank = models.bank.update(statistics, variance_floor, settings.borrowed_frames)
        models = replace(models, bank=bank, chain=models.chain.update(statistics.transition_counts))
        if len(curve) < settings.max_iterations:  # else there is no iteration left to go on with
            checkpoint.save(models, stage, curve)
    bank = models.bank.drop_starved(statistics, MIN_FRAMES / 2)
    models = replace(models, bank=bank, history={**models.history, stage: curve})
    checkpoint.save(models, stage, [], ended=True)
    return models


def _read_in(chunk: Chunk) -> Chunk:
    """With its features in memory, to be sent."""
    return replace(chunk, utterances=[chunk.features])


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
    jobs: int | Workers = 1,
    stage: str = "statistics",
) -> Statistics:
    """E-step over all chunks: each on its own, then summed."""
    total = models.bank.statistics()
    moves = 4 + len(models.chain.log_jumps)
    total.transition_counts = np.zeros((*models.chain.log_stay.shape, moves))
    found = workers_of(jobs).total(stage, partial(_sums, models, occupation), chunks, _added)
    if found:
        total.add(found.statistics, found.rows, found.words)
    return total


@dataclass(frozen=True)
class Sums:
    """Statistics of some rows of a bank and of some words.

    Attributes
    ----------
    rows, words : which these are, each once
    statistics : of them
    """

    rows: np.ndarray
    words: np.ndarray
    statistics: Statistics


def _sums(models: WordModels, occupation: Callable, chunk: Chunk) -> Sums:
    """E-step over one chunk; all words share the silence, which stands first."""
    found = expect(models, chunk, occupation)
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
    rows, part = part.each_once(rows)  # of tied states there may be several
    return Sums(rows, found.words, part)


def _added(parts: Sequence[Sums]) -> Sums:
    """The sum over all rows and words that are in any of them."""
    if len(parts) == 1:
        return parts[0]
    rows, words = (np.unique(np.concatenate([getattr(p, name) for p in parts])) for name in ("rows", "words"))
    one = parts[0].statistics
    moments = one.first_order.shape if one.shared else (len(rows), *one.first_order.shape[1:])
    total = Statistics.zeros((len(rows), *one.occupancy.shape[1:]), moments, one.shared)
    total.transition_counts = np.zeros((len(words), *one.transition_counts.shape[1:]))
    for part in parts:
        total.add(part.statistics, np.searchsorted(rows, part.rows), np.searchsorted(words, part.words))
    return Sums(rows, words, total)


def expect(models: WordModels, chunk: Chunk, occupation: Callable = recursions.soft_posteriors) -> Expectation:
    """E-step over one chunk under its words, by all paths or, with `viterbi_occupation`, the best ones."""
    batch, rows = chunk.batch, models.rows(chunk.words)[:, :-1]
    frame, inside = batch.frame, batch.inside
    features, log_determinant = models.transformed(chunk.stack(chunk.features))
    frames = models.bank.take(rows).expect(features)
    positions = np.append(np.arange(rows.shape[1]), 0)  # the last silence is the first one
    log_density = frames.log_density.swapaxes(0, 1).reshape(rows.shape[1], -1)[positions] + log_determinant
    words = chunk.words[chunk.word_of]
    occupied, counts, score = occupation(log_density.T.take(frame, axis=0), batch, models.chain.word(words))
    occupied *= chunk.weights[:, None]
    by_position = np.zeros_like(log_density)
    by_position[:, frame[inside]] = occupied.transpose(2, 0, 1)[:, inside]
    by_position[0] += by_position[-1]
    by_position[by_position < NEGLIGIBLE] = 0.0
    by_row = by_position[:-1].reshape(rows.shape[1], len(rows), -1).swapaxes(0, 1)
    owners = (chunk.word_of == np.arange(len(chunk.words))[:, None]) * chunk.weights
    counts = (owners @ counts.reshape(len(words), -1)).reshape(-1, *counts.shape[1:])
    total, count = float((chunk.weights * score).sum()), float((chunk.weights * batch.lengths).sum())
    return Expectation(chunk.words, rows, features, frames, by_row, counts, total, count)


@dataclass(frozen=True)
class LaidOut:
    """A corpus, and the parts of it that are its chunks.

    Attributes
    ----------
    features : of each utterance
    lengths : (U,), frames of each
    weights : (U,)
    chunks : all of them
    """

    features: Sequence[np.ndarray]
    lengths: np.ndarray
    weights: np.ndarray
    chunks: list[Chunk]


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
    chunks = []
    for part in _together(sections, lengths, words):
        of_each, members = [section[0] for section in part], np.concatenate(part)
        own = [lengths[section] for section in part]
        chunks.append(_chunk(words[of_each], [features[i] for i in members], own, weights[members]))
    return LaidOut(features, lengths, weights, chunks)


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


def _chunk(
    words: np.ndarray, features: Sequence[np.ndarray], lengths: Sequence[np.ndarray], weights: np.ndarray
) -> Chunk:
    """Of utterances, their lengths by word, and the weights of all, (U,)."""
    frames = np.array([own.sum() for own in lengths])
    stacked = int(frames.max())
    batch, place = Batch.of(np.concatenate(lengths)), None
    if len(words) > 1:
        starts = np.arange(len(words)) * stacked - (np.cumsum(frames) - frames)
        place = np.arange(frames.sum()) + np.repeat(starts, frames)
        batch = replace(batch, starts=place[batch.starts])
    word_of = np.repeat(np.arange(len(words)), [len(own) for own in lengths])[batch.order]
    return Chunk(words, features, place, stacked, batch, word_of, weights[batch.order])


def uniform_cut(lengths: np.ndarray, spans: np.ndarray, states: int) -> np.ndarray:
    """Where each state begins when the speech is cut into equal parts, and the last one ends; the rest is silence.

    A span is widened where it holds fewer frames than there are states.

    Parameters
    ----------
    lengths : (U,), frames of each utterance
    spans : (U, 2), first and past-the-last frame of its speech

    Returns
    -------
    (U, states + 1), frames of the utterance
    """
    start, end = np.asarray(spans).T
    missing = states - (end - start)
    wider = np.maximum(0, np.minimum(start - missing // 2, lengths - states))
    start = np.where(missing > 0, wider, start)
    end = np.where(missing > 0, np.minimum(lengths, start + states), end)
    return start[:, None] - (-np.arange(states + 1) * (end - start)[:, None]) // states


@dataclass(frozen=True)
class Group:
    """Frames of a state, read when they are asked for.

    Attributes
    ----------
    features : of all utterances
    utterance_weights : (U,)
    pieces : (N, 3), each an utterance with its first and past-the-last frame; none is empty
    step : of all these frames, each so many-th is in the group
    """

    features: Sequence[np.ndarray]
    utterance_weights: np.ndarray
    pieces: np.ndarray
    step: int = 1

    @property
    def dims(self) -> int:
        """D."""
        return self.features[0].shape[1]

    @property
    def dtype(self) -> np.dtype:
        """Of the frames."""
        return self.features[0].dtype

    def __len__(self) -> int:
        return -(-int(self._sizes.sum()) // self.step)

    @property
    def _sizes(self) -> np.ndarray:
        return self.pieces[:, 2] - self.pieces[:, 1]

    @property
    def _firsts(self) -> np.ndarray:
        """Of each piece, which of its frames is the first in the group."""
        return -(np.cumsum(self._sizes) - self._sizes) % self.step

    @property
    def frames(self) -> np.ndarray:
        """(T, D)."""
        firsts = self.pieces[:, 1] + self._firsts
        pieces = zip(*(column.tolist() for column in (self.pieces[:, 0], firsts, self.pieces[:, 2])))
        return np.concatenate([self.features[one][first : last : self.step] for one, first, last in pieces])

    @property
    def weights(self) -> np.ndarray:
        """(T,), as how many frames each counts."""
        counts = np.maximum(0, -(-(self._sizes - self._firsts) // self.step))
        return np.repeat(self.utterance_weights[self.pieces[:, 0]], counts)

    def __getitem__(self, part: slice) -> WeightedFrames:
        return WeightedFrames(self.frames[part], self.weights[part])


def cut_and_cluster(
    speech: LaidOut,
    words: np.ndarray,
    spans: np.ndarray,
    settings: TrainingSettings,
    variance_floor: np.ndarray,
    tying: np.ndarray | None = None,
    jobs: int | Workers = 1,
) -> tuple[Density, Chain]:
    """The start: uniform cut, then k-means over the frames of the states of all words, and of silence.

    Parameters
    ----------
    speech : the corpus
    words, spans : (U,) and (U, 2), of the utterances
    tying : (W, states), see `WordModels`; the frames of tied states are clustered together
    """
    states, mixtures, features = settings.states, settings.mixtures, speech.features
    count, everyone = words.max() + 1, np.arange(len(words))
    cuts = uniform_cut(speech.lengths, np.asarray(spans), states)
    by_word = np.split(np.argsort(words, kind="stable"), np.cumsum(np.bincount(words))[:-1])
    pieces = [np.stack([m, *cuts[m, s : s + 2].T], 1) for m in by_word for s in range(states)]
    if tying is not None:
        pieces = [np.concatenate(alike) for alike in _by_row(pieces, tying.ravel())]
    before = np.stack([everyone, np.zeros_like(everyone), cuts[:, 0]], 1)
    after = np.stack([everyone, cuts[:, -1], speech.lengths], 1)
    silence = np.stack([before, after], 1).reshape(-1, 3)
    silence = silence[silence[:, 2] > silence[:, 1]]
    if np.diff(silence[:, 1:]).sum() < MIN_FRAMES * mixtures:
        silence = np.concatenate([silence, _quietest(speech, MIN_FRAMES * mixtures)])
    groups = []
    for own in (*pieces, silence):
        group = Group(features, speech.weights, own)
        groups.append(replace(group, step=-(-len(group) // START_FRAMES) or 1))
    sizes = Sizes(mixtures, settings.codebook, variance_floor, settings.borrowed_frames)
    mapped = partial(workers_of(jobs, len(words)).map, "start")
    bank = KINDS[settings.density].start(groups, sizes, mapped)
    return bank, Chain.of_topology(count, states, settings.topology)


def _by_row(pieces: Sequence[np.ndarray], rows: np.ndarray) -> list[list[np.ndarray]]:
    """Of every row of the bank, the pieces of the states that have it."""
    shared: list[list[np.ndarray]] = [[] for _ in range(rows.max() + 1)]
    for own, row in zip(pieces, rows, strict=True):
        shared[row].append(own)
    return shared


def _tying(
    speech: LaidOut,
    chunks: Sequence[Chunk],
    words: np.ndarray,
    spans: np.ndarray,
    settings: TrainingSettings,
    floor: np.ndarray,
    jobs: int | Workers,
    after_iteration: AfterIteration,
) -> np.ndarray | None:
    """Which states are tied, (W, states), by what single Gaussians make of them; None where each has its own."""
    count = (words.max() + 1) * settings.states
    if settings.tie is None or settings.tie >= count:
        return None
    single = replace(settings, density="continuous", mixtures=1, codebook=None, tie=None, max_iterations=ALIGNED)
    models = WordModels(*cut_and_cluster(speech, words, spans, single, floor, jobs=jobs))

    def report(stage: str, iteration: int, log_likelihood: float) -> None:
        after_iteration("tying", iteration, log_likelihood)

    models = converge(models, chunks, "viterbi", single, floor, jobs=jobs, after_iteration=report)
    statistics = accumulate(models, chunks, viterbi_occupation, jobs)
    return tied(statistics.take(slice(0, -1)), settings.tie, floor).reshape(-1, settings.states)


def _quietest(speech: LaidOut, least: int) -> np.ndarray:
    """Pieces, (N, 3), of the quietest frames: of trimmed recordings, they stand in for silence.

    Parameters
    ----------
    least : how many
    """
    energy = np.concatenate([np.asarray(features)[:, 0].copy() for features in speech.features])  # no view of all
    quiet = np.argsort(energy, kind="stable")[: max(least, len(energy) // 50)]
    ends = np.cumsum(speech.lengths)
    utterance = np.searchsorted(ends, quiet, side="right")
    frame = quiet - (ends - speech.lengths)[utterance]
    return np.stack([utterance, frame, frame + 1], 1)


def _check(features: Sequence[np.ndarray], settings: TrainingSettings) -> None:
    if not features:
        raise TrainingError("there is nothing to train from; give at least one recording a word")
    for number, f in enumerate(features):
        if len(f) < settings.states:
            raise TrainingError(
                f"utterance {number} has {len(f)} frames, fewer than the {settings.states} states of a word; "
                "leave it out, record it longer, or train with fewer states"
            )
