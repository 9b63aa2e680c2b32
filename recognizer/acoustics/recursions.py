"""Hidden Markov models of words with a non-emitting entry and exit, many utterances at a time.

A word is a chain of P emitting positions: an optional leading silence, the word's own states, an optional
trailing silence. From the entry a path may start in the silence or in the word; from the word's end it may go to the
silence or to the exit. All words share the silence's density, so recordings need not be trimmed. Left to right, a
path stays or goes to the next position; a chain may also have jumps, over a position or (in models that were made
elsewhere) back. Recursions loop over frames only, on arrays of (utterances x words x positions); utterances stand in
order of falling length, so those still running at frame t are the first `running[t]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from recognizer.acoustics.chain import Chain

# Of scaled probabilities, ln of what all scales come to: over it, less than e**-48 of a likelihood is lost in
# underflows, which begin at e**-708.
LEAST_LOG_SCALE = -660.0


@dataclass(frozen=True)
class Batch:
    """How utterances laid end to end become a time-major array.

    Attributes
    ----------
    lengths : (U,) frames, falling
    order : (U,), which utterance of the input stands at each place
    starts : (U,), where in the concatenated frames each one begins
    running : (T,), how many utterances have a frame t
    """

    lengths: np.ndarray
    order: np.ndarray
    starts: np.ndarray
    running: np.ndarray

    @classmethod
    def of(cls, lengths: np.ndarray) -> Batch:
        """Arrange utterances of the given lengths (frames, each at least one), laid end to end."""
        lengths = np.asarray(lengths)
        order = np.argsort(-lengths, kind="stable")
        starts = (np.cumsum(lengths) - lengths)[order]
        lengths = lengths[order]
        return cls(lengths, order, starts, (np.arange(lengths[0])[:, None] < lengths).sum(1))

    def take(self, places: np.ndarray) -> Batch:
        """Some of its utterances, by their places, rising."""
        lengths = self.lengths[places]
        running = (np.arange(lengths[0])[:, None] < lengths).sum(1)
        return Batch(lengths, self.order[places], self.starts[places], running)

    @property
    def frame(self) -> np.ndarray:
        """(T, U), where in the concatenated frames each one is; past an utterance's end, its last frame."""
        return self.starts + np.minimum(np.arange(self.lengths[0])[:, None], self.lengths - 1)

    @property
    def inside(self) -> np.ndarray:
        """(T, U) bool, whether utterance u has a frame t."""
        return np.arange(self.lengths[0])[:, None] < self.lengths

    @property
    def last(self) -> tuple[np.ndarray, np.ndarray]:
        """Index of every utterance's last frame in a (T, U, ...) array."""
        return self.lengths - 1, np.arange(len(self.lengths))


def groups(lengths: np.ndarray, frames: int) -> list[np.ndarray]:
    """Indices of utterances of similar length, up to `frames` frames a group counting the padding, at least one.

    Parameters
    ----------
    lengths : (U,), frames of each utterance
    frames : bound on (longest x members) of a group
    """
    order = np.argsort(lengths, kind="stable")
    cuts = [0]
    for place, length in enumerate(np.asarray(lengths)[order]):
        if place > cuts[-1] and length * (place + 1 - cuts[-1]) > frames:
            cuts.append(place)
    return np.split(order, cuts[1:]) if len(order) else []


def _steps(chain: Chain) -> list[tuple[int, slice, slice, np.ndarray]]:
    """Moves to other positions: how far, where they arrive and come from, and the log probability from there."""
    steps = []
    for distance, log_move in chain.moves():
        if distance:
            ahead, behind = slice(abs(distance), None), slice(None, -abs(distance))
            into, out = (ahead, behind) if distance > 0 else (behind, ahead)
            steps.append((distance, into, out, log_move[..., out]))
    return steps


def forward(log_density: np.ndarray, batch: Batch, chain: Chain) -> np.ndarray:
    """Forward variables, ln alpha_t(j) (Rabiner 1989, eq. 19-20).

    Parameters
    ----------
    log_density : (T, U, ..., P), ln b_j(o_t); T, U as in `batch`, any word axes as in `chain`
    batch : the utterances' layout
    chain : transitions, arrays (..., P), or (U, P) where each utterance is under one word

    Returns
    -------
    (T, U, ..., P), -inf where no path can be, and after an utterance's end
    """
    stay, steps = _beside(chain, log_density)
    log_forward = np.full_like(log_density, -np.inf)
    log_forward[0] = chain.log_entry + log_density[0]
    for t in range(1, len(log_density)):
        running = batch.running[t]
        before = log_forward[t - 1, :running]
        arriving = before + stay[:running]
        for _, into, out, log_move in steps:
            arriving[..., into] = np.logaddexp(arriving[..., into], before[..., out] + log_move[:running])
        np.add(arriving, log_density[t, :running], out=log_forward[t, :running])
    return log_forward


def backward(log_density: np.ndarray, batch: Batch, chain: Chain) -> np.ndarray:
    """Backward variables, ln beta_t(j) (Rabiner 1989, eq. 24-25); shapes as in `forward`."""
    stay, steps = _beside(chain, log_density)
    log_backward = np.full_like(log_density, -np.inf)
    log_backward[batch.last] = chain.log_exit
    for t in range(len(log_density) - 2, -1, -1):
        running = batch.running[t + 1]
        after = log_backward[t + 1, :running] + log_density[t + 1, :running]
        leaving = after + stay[:running]
        for _, into, out, log_move in steps:
            leaving[..., out] = np.logaddexp(leaving[..., out], after[..., into] + log_move[:running])
        log_backward[t, :running] = leaving
    return log_backward


def _beside(chain: Chain, log_density: np.ndarray) -> tuple[np.ndarray, list]:
    """Staying, and `_steps`, for every utterance of (T, U, ..., P)."""
    shape = log_density.shape[1:-1]
    steps = [(*way, np.broadcast_to(move, (*shape, move.shape[-1]))) for *way, move in _steps(chain)]
    return np.broadcast_to(chain.log_stay, (*shape, chain.log_stay.shape[-1])), steps


def log_likelihood(log_forward: np.ndarray, batch: Batch, chain: Chain) -> np.ndarray:
    """ln P(O | word) of every utterance, (U, ...), from the forward variables."""
    return np.logaddexp.reduce(log_forward[batch.last] + chain.log_exit, axis=-1)


def viterbi_score(log_density: np.ndarray, batch: Batch, chain: Chain) -> np.ndarray:
    """Log likelihood of the best path of every utterance, (U, ...); -inf where it is too short for any.

    Parameters as in `forward`; nothing is kept for tracing the path back, see `viterbi`.
    """
    frames, *shape, _ = log_density.shape
    density = log_density.reshape(frames, -1)
    entry, stay, exit_, steps = _end_to_end(chain, log_density.shape[1:])
    reach = batch.running * (len(stay) // shape[0])
    best, final = entry + density[0], exit_.copy()
    for t in range(1, frames):
        final[reach[t] : len(best)] += best[reach[t] :]
        before = best[: reach[t]]
        best = before + stay[: reach[t]]
        for _, into, out, log_move in steps:
            arrived = best[into]
            np.maximum(arrived, before[out] + log_move[: reach[t]][out], out=arrived)
        best += density[t, : reach[t]]
    final[: len(best)] += best
    return final.reshape(*shape, -1).max(-1)


def viterbi(log_density: np.ndarray, batch: Batch, chain: Chain) -> tuple[np.ndarray, np.ndarray]:
    """Best paths (Rabiner 1989, eq. 32-35).

    Parameters
    ----------
    log_density : (T, U, P), each utterance under one word
    batch : the utterances' layout
    chain : transitions, arrays (P,) or (U, P)

    Returns
    -------
    score : (U,), log likelihood of the best path, -inf where there is none
    path : (T, U), its positions; meaningless after an utterance's end and where there is no path
    """
    frames, utterances, positions = log_density.shape
    density = log_density.reshape(frames, -1)
    entry, stay, exit_, steps = _end_to_end(chain, log_density.shape[1:])
    reach = batch.running * positions
    best, final = entry + density[0], exit_.copy()
    moved = np.zeros(density.shape, dtype=np.int8 if positions < 128 else np.int32)  # how far, to arrive
    for t in range(1, frames):
        final[reach[t] : len(best)] += best[reach[t] :]
        before = best[: reach[t]]
        best = before + stay[: reach[t]]
        for distance, into, out, log_move in steps:
            arriving, arrived = before[out] + log_move[: reach[t]][out], best[into]
            np.copyto(moved[t, : reach[t]][into], distance, where=arriving > arrived)
            np.maximum(arrived, arriving, out=arrived)
        best += density[t, : reach[t]]
    final[: len(best)] += best
    final = final.reshape(utterances, positions)
    position, first = final.argmax(1), positions * np.arange(utterances)
    path = np.zeros((frames, utterances), dtype=np.intp)
    for t in range(frames - 1, -1, -1):
        running = batch.running[t]
        path[t, :running] = position[:running]
        position[:running] -= moved[t].take(first[:running] + position[:running])
    return final.max(1), path


def long_viterbi(log_density: np.ndarray, rows: np.ndarray, chain: Chain) -> tuple[float, np.ndarray]:
    """The best path of one long utterance through one long chain, in little memory.

    Scores are kept at the begin of every stretch of frames only; from the last stretch to the first, each is gone
    through once more to trace the path back in it (checkpoints; Grice, Hughey and Speck 1997). That costs twice the
    time, and memory that grows with the root of the frames.

    Parameters
    ----------
    log_density : (T, S), of the densities
    rows : (P,), which of them each position has
    chain : transitions, arrays (P,)

    Returns
    -------
    score : log likelihood of the best path, -inf where there is none
    path : (T,), its positions; meaningless where there is none
    """
    frames, stretch = len(log_density), max(1, round((8 * len(log_density)) ** 0.5))  # a score takes 8 bytes, a move 1
    _, stay, exit_, steps = _end_to_end(chain, rows.shape)
    wide = max(abs(distance) for distance, *_ in steps) if steps else 0

    def advance(best: np.ndarray, t: int, moved: np.ndarray | None = None) -> np.ndarray:
        after = best + stay
        for distance, into, out, log_move in steps:
            arriving, arrived = best[out] + log_move[out], after[into]
            if moved is not None:
                np.copyto(moved[into], distance, where=arriving > arrived)
            np.maximum(arrived, arriving, out=arrived)
        after += log_density[t, rows]
        return after

    best = chain.log_entry + log_density[0, rows]
    kept = [best]  # before frame 1, and every stretch after
    for t in range(1, frames):
        best = advance(best, t)
        if t % stretch == 0:
            kept.append(best)
    final = best + exit_
    path = np.empty(frames, dtype=np.intp)
    path[-1] = final.argmax()
    for start in range((len(kept) - 1) * stretch, -1, -stretch):
        best, last = kept[start // stretch], min(start + stretch, frames - 1)
        moved = np.zeros((last - start, len(rows)), dtype=np.int8 if wide < 128 else np.int32)
        for t in range(start + 1, last + 1):
            best = advance(best, t, moved[t - start - 1])
        for t in range(last, start, -1):
            path[t - 1] = path[t] - moved[t - start - 1, path[t]]
    return float(final.max()), path


def _end_to_end(chain: Chain, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray, list]:
    """Entry, stay, exit and moves, as logarithms, for the positions of all utterances end to end.

    A step of a recursion is then a few operations on contiguous rows, which takes a third of the time. A move is how
    far, where it arrives and comes from, and its log probability by where it comes from, -inf where it would lead out
    of the chain.

    Parameters
    ----------
    chain : transitions, as in `forward`
    shape : (U, ..., P)
    """

    def laid(x: np.ndarray) -> np.ndarray:
        return np.broadcast_to(x, shape).ravel()

    steps = []
    for distance, into, out, log_move in _steps(chain):
        inside = np.full(shape, -np.inf)
        inside[..., out] = log_move
        steps.append((distance, into, out, inside.ravel()))
    return laid(chain.log_entry), laid(chain.log_stay), laid(chain.log_exit), steps


def free_loop(log_density: np.ndarray, batch: Batch, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Best path through states in any order, staying as long as it likes, at a price for every change.

    Parameters
    ----------
    log_density : (T, U, ..., S), -inf for states that may not be visited; at least one may
    batch : the utterances' layout
    penalty : what a change of state costs, nats

    Returns
    -------
    score : (U, ...), log likelihood of the best path
    along : (T, U, ...), log density of the state it is in; meaningless after an utterance's end
    """
    frames, *shape, states = log_density.shape
    density = log_density.reshape(frames, -1, states)
    rows = np.arange(density.shape[1])
    reach = batch.running * (len(rows) // shape[0])
    best = density[0]
    source = np.zeros(density.shape[:2], dtype=np.intp)
    changed = np.zeros(density.shape, dtype=bool)
    score, state = np.empty(len(rows)), np.empty(len(rows), dtype=np.intp)
    for t in range(1, frames + 1):
        running = reach[t] if t < frames else 0
        ending = best[running:]
        state[running : len(best)] = ending.argmax(1)
        score[running : len(best)] = ending.max(1)
        if not running:
            break
        before = best[:running]
        source[t, :running] = peak = before.argmax(1)
        change = before[rows[:running], peak, None] - penalty
        changed[t, :running] = change > before
        best = np.maximum(before, change) + density[t, :running]
    along = np.zeros(density.shape[:2])
    for t in range(frames - 1, -1, -1):
        running = reach[t]
        now, who = state[:running], rows[:running]
        along[t, :running] = density[t, who, now]
        state[:running] = np.where(changed[t, who, now], source[t, :running], now)
    return score.reshape(shape), along.reshape(frames, *shape)


def path_posteriors(path: np.ndarray, batch: Batch, chain: Chain) -> tuple[np.ndarray, np.ndarray]:
    """Hard occupation of positions by given paths, as Viterbi training counts it.

    Parameters
    ----------
    path : (T, U)
    chain : transitions, arrays (P,) or (U, P)

    Returns
    -------
    occupation : (T, U, P), one or zero
    transition_counts : (U, P, 4 + J), columns as for `Chain.update`
    """
    positions, inside = chain.log_entry.shape[-1], batch.inside
    utterances = np.arange(path.shape[1])
    cell = utterances * positions + path  # one for each position of each utterance

    def counted(cells: np.ndarray) -> np.ndarray:
        return np.bincount(cells, minlength=len(utterances) * positions).reshape(-1, positions)

    distance = np.where(inside[1:], path[1:] - path[:-1], 2 * positions)  # which is no move
    kept, *leaps = (counted(cell[:-1][distance == d]) for d, _ in chain.moves())
    counts = [counted(cell[0]), kept, leaps[0], counted(cell[batch.last]), *leaps[1:]]
    occupation = (path[..., None] == np.arange(positions)) & inside[..., None]
    return occupation.astype(np.float64), np.stack(counts, axis=-1).astype(np.float64)


def soft_posteriors(log_density: np.ndarray, batch: Batch, chain: Chain) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expected occupation of positions over all paths, as Baum-Welch counts it (Rabiner 1989, eq. 27, 37).

    Probabilities that are scaled frame by frame (Rabiner 1989, section V.A), by the largest density, are ten times as
    fast as their logarithms; where they could lose a path that matters, the logarithms are taken.

    Parameters
    ----------
    log_density : (T, U, P), each utterance under one word; every utterance must have a path
    batch : the utterances' layout
    chain : transitions, arrays (P,) or (U, P)

    Returns
    -------
    occupation : (T, U, P), gamma_t(j), summing to one over j inside an utterance and zero after it
    transition_counts : (U, P, 4 + J), the sums over t of xi_t(i, j), columns as for `Chain.update`
    score : (U,), ln P(O | word)
    """
    occupation, counts, score, scale = scaled_posteriors(log_density, batch, chain)
    if len(lost := np.flatnonzero(~(scale > LEAST_LOG_SCALE))):
        own = chain.word(lost) if chain.log_entry.ndim > 1 else chain
        part = batch.take(lost)
        frames = part.lengths[0]
        occupation[:, lost] = 0.0
        occupation[:frames, lost], counts[lost], score[lost] = log_posteriors(log_density[:frames, lost], part, own)
    return occupation, counts, score


def log_posteriors(log_density: np.ndarray, batch: Batch, chain: Chain) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `soft_posteriors` gives, from logarithms all through; nothing can underflow."""
    log_forward = forward(log_density, batch, chain)
    log_backward = backward(log_density, batch, chain)
    score = log_likelihood(log_forward, batch, chain)
    occupation = np.exp(log_forward + log_backward - score[:, None])
    left = np.exp(log_forward[batch.last] + chain.log_exit - score[:, None])
    after = log_density[1:] + log_backward[1:] - score[:, None]
    kept = np.exp(log_forward[:-1] + chain.log_stay + after).sum(0)
    leaps = []
    for _, into, out, log_move in _steps(chain):
        leaps.append(np.zeros_like(kept))
        leaps[-1][:, out] = np.exp(log_forward[:-1, :, out] + log_move + after[..., into]).sum(0)
    counts = [occupation[0], kept, leaps[0], left, *leaps[1:]]
    return occupation, np.stack(counts, axis=-1), score


def scaled_posteriors(log_density: np.ndarray, batch: Batch, chain: Chain) -> tuple[np.ndarray, ...]:
    """What `soft_posteriors` gives, from probabilities, and how small they become.

    Densities are relative to the largest of their frame, so that no factor of a path exceeds one. What underflows,
    under 1e-308, is then a part 1e-308 / `scale` of P(O | word) at most, where `scale` is the sum over all paths.

    Returns
    -------
    occupation, transition_counts, score : as of `soft_posteriors`, right where ln `scale` is over LEAST_LOG_SCALE
    log_scale : (U,)
    """
    frames, utterances, positions = log_density.shape
    # Position by position, for a reduction over so few of them is slow.
    peak = np.where(batch.inside, reduce(np.maximum, np.moveaxis(log_density, -1, 0)), np.inf)
    density = np.exp(log_density - peak[..., None]).reshape(frames, -1)
    entry, stay, exit_, steps = _end_to_end(chain, log_density.shape[1:])
    entry, stay, exit_ = np.exp(entry), np.exp(stay), np.exp(exit_)
    steps = [(into, out, np.exp(log_move)) for _, into, out, log_move in steps]
    reach = batch.running * positions
    alpha, beta = np.zeros_like(density), np.zeros_like(density)

    def by_utterance(x: np.ndarray) -> np.ndarray:
        return x.reshape(*x.shape[:-1], utterances, positions)

    np.multiply(entry, density[0], out=alpha[0])
    for t in range(1, frames):
        before, now = alpha[t - 1, : reach[t]], alpha[t, : reach[t]]
        np.multiply(before, stay[: reach[t]], out=now)
        for into, out, move in steps:
            arrived = now[into]
            arrived += before[out] * move[: reach[t]][out]
        now *= density[t, : reach[t]]
    left = by_utterance(alpha)[batch.last] * by_utterance(exit_)
    total = left.sum(1, keepdims=True)
    with np.errstate(divide="ignore"):
        log_scale = np.log(total[:, 0])
    # Where the scale is too small nothing is counted: infinities would reach the utterances beside it.
    counted = (log_scale > LEAST_LOG_SCALE)[:, None]
    left = np.divide(left, total, out=np.zeros_like(left), where=counted)
    by_utterance(beta)[batch.last] = np.divide(by_utterance(exit_), total, out=np.zeros_like(left), where=counted)
    for t in range(frames - 2, -1, -1):
        after = density[t + 1, : reach[t + 1]]  # becomes b_j(o_t+1) beta_t+1(j)
        after *= beta[t + 1, : reach[t + 1]]
        now = np.multiply(after, stay[: reach[t + 1]], out=beta[t, : reach[t + 1]])
        for into, out, move in steps:
            leaving = now[out]
            leaving += after[into] * move[: reach[t + 1]][out]
    kept = stay * np.einsum("tp,tp->p", alpha[:-1], density[1:])
    leaps = []
    for into, out, move in steps:
        leaps.append(np.zeros_like(kept))
        leaps[-1][out] = move[out] * np.einsum("tp,tp->p", alpha[:-1, out], density[1:, into])
    occupation = by_utterance(np.multiply(alpha, beta, out=alpha))
    kept, *leaps = map(by_utterance, (kept, *leaps))
    counts = np.stack([occupation[0], kept, leaps[0], left, *leaps[1:]], axis=-1)
    return occupation, counts, log_scale + np.where(batch.inside, peak, 0.0).sum(0), log_scale
