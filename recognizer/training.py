"""Word models from recordings, in the order of the theory.

Uniform cut, k-means in every state, Viterbi training until it converges, Baum-Welch until it converges. Every
step is the same: statistics in, models out. All words are trained side by side because they share one
density, that of silence.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from recognizer import hmm
from recognizer.density import KINDS, Density, Shares
from recognizer.errors import RecognizerWarning, TrainingError
from recognizer.gmm import MIN_FRAMES, BorrowedVariance, GaussianBank, Sizes, grow
from recognizer.hmm import Batch, Chain
from recognizer.statistics import Statistics

CHUNK_FRAMES = 8192  # frames whose densities are computed at once: small enough to stay in the cache
NEGLIGIBLE = 1e-100  # occupation; products with less would be denormal numbers, fifty times slower than others
ABSOLUTE_VARIANCE_FLOOR = 1e-4  # for features that do not vary at all in the training data
BACKGROUND_FRAMES = 50_000  # more frames than this no longer change a background of 64 Gaussians

Progress = Callable[[str, int, float], None]


@dataclass(frozen=True)
class TrainingSettings:
    """What a user may choose of the training.

    Attributes
    ----------
    states : emitting states of a word
    topology : how a path may go through a word, one of `hmm.TOPOLOGIES`
    density : kind of the states' densities, a name in `density.KINDS`
    mixtures : Gaussians of a state of its own, fewer where the data do not support them
    codebook : Gaussians that all states share, or cells of each stream; as is usual for the density when None
    background_mixtures : Gaussians of the background model
    variance_floor : smallest variance, as a fraction of the variance of all training frames
    borrowed_frames : that every Gaussian counts as having seen, which spread about its mean as the Gaussians of
        the background model spread: with a few recordings of a word, what a state lacks is known from all words
    tolerance : a stage has converged when the log likelihood per frame rises by less
    max_iterations : of either stage
    """

    states: int = 5
    topology: str = "left-right"
    density: str = "continuous"
    mixtures: int = 8
    codebook: int | None = None
    background_mixtures: int = 64
    variance_floor: float = 0.3
    borrowed_frames: float = 0.0
    tolerance: float = 0.01
    max_iterations: int = 20

    def __post_init__(self) -> None:
        if self.topology not in hmm.TOPOLOGIES:
            raise TrainingError(f"topology {self.topology!r} is not {' or '.join(hmm.TOPOLOGIES)}")
        if self.density not in KINDS:
            raise TrainingError(f"density {self.density!r} is not {', '.join(KINDS)}")
        KINDS[self.density].check_codebook(self.codebook)
        for name in ("states", "mixtures", "background_mixtures", "max_iterations"):
            if getattr(self, name) < 1:
                raise TrainingError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if not self.borrowed_frames >= 0:
            raise TrainingError(f"borrowed_frames is {self.borrowed_frames}; it must be 0 or more")
        if not self.variance_floor > 0:
            raise TrainingError(f"variance_floor is {self.variance_floor}; it must be over 0")


@dataclass(frozen=True)
class WordModels:
    """The trained acoustic models.

    Attributes
    ----------
    bank : densities of all states: word w has rows w * states to (w + 1) * states, silence has the last row
    chain : transitions, (W, states + 2)
    background : one mixture over all training speech, to compare the words with
    history : per stage its name and the log likelihood per frame before each of its updates
    transform : [b A], (D, D + 1), which takes a speaker's features to those that the bank knows (constrained
        MLLR); None leaves them as they are
    """

    bank: Density
    chain: Chain
    background: GaussianBank
    history: dict[str, list[float]] = field(default_factory=dict)
    transform: np.ndarray | None = None

    @property
    def states(self) -> int:
        """Emitting states of a word."""
        return self.chain.log_stay.shape[1] - 2

    @cached_property
    def least_frames(self) -> int:
        """Frames that an utterance must have for a path through any word."""
        return int(hmm.shortest(self.chain).min())

    def rows(self, word: int) -> np.ndarray:
        """Rows of the bank that the positions of a word stand on, (P,): silence, the states, silence."""
        return position_rows(word, self.states, len(self.bank.weights) - 1)

    def transformed(self, features: np.ndarray) -> tuple[np.ndarray, float]:
        """Features as the bank knows them, (T, D), and ln |det A|, which every log density of them gains."""
        if self.transform is None:
            return features, 0.0
        offset, matrix = self.transform[:, 0], self.transform[:, 1:]
        return features @ matrix.T + offset, float(np.linalg.slogdet(matrix)[1])


def position_rows(word: int, states: int, silence: int) -> np.ndarray:
    """Rows of the bank under the positions of one word: silence, the word's states, silence."""
    return np.concatenate([[silence], word * states + np.arange(states), [silence]])


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
    background = train_background(everything, settings.background_mixtures, floor)
    bank, chain = cut_and_cluster(features, words, spans, settings, floor, _borrowed(background, settings))
    models = WordModels(bank, chain, background)
    chunks = list(chunks_by_word(features, words))
    for stage in STAGES:
        models = converge(models, chunks, stage, settings, floor, jobs=jobs, progress=progress)
    # Borrowed frames say that few recordings are expected.
    if not settings.borrowed_frames and (shortage := models.bank.shortage(settings.mixtures, settings.codebook)):
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


def train_background(frames: np.ndarray, mixtures: int, variance_floor: np.ndarray) -> GaussianBank:
    """One mixture over all speech, grown by splitting, from an even sample of the frames (T, D)."""
    sample = frames[:: max(1, len(frames) // BACKGROUND_FRAMES)]
    mixtures = max(1, min(mixtures, len(sample) // MIN_FRAMES))
    return grow(sample, mixtures, variance_floor, tolerance=0.02, max_iterations=100)


def viterbi_occupation(log_density: np.ndarray, batch: Batch, chain: Chain) -> tuple:
    """Occupation, transition counts and score of the best paths: the E-step of Viterbi training."""
    score, path = hmm.viterbi(log_density, batch, chain)
    return *hmm.path_posteriors(path, batch, chain), score


STAGES = {"viterbi": viterbi_occupation, "baum-welch": hmm.soft_posteriors}


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


def expect(models: WordModels, chunk: Chunk, occupation: Callable = hmm.soft_posteriors) -> Expectation:
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
        for place in hmm.groups(lengths[members], CHUNK_FRAMES):
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
