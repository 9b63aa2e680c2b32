"""Left-to-right hidden Markov models with a non-emitting entry and exit, many utterances at a time.

A word is a chain of P emitting positions: an optional leading silence, the word's own states, an optional
trailing silence. From the entry a path may start in the silence or in the first state of the word; from the
last state it may go to the silence or to the exit. All words share the silence's density, so recordings need
not be trimmed. Recursions loop over frames only, on arrays of (utterances x words x positions); utterances
stand in order of falling length, so those still running at frame t are the first `running[t]`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recognizer.gmm import floored_distribution

TRANSITION_FLOOR = 1e-4  # no allowed transition becomes impossible for lack of an example
MIN_VISITS = 1e-3  # frames below which a state's transitions have no data of their own


@dataclass(frozen=True)
class Chain:
    """Natural log transition probabilities of W words over P positions.

    Attributes
    ----------
    log_entry : (W, P) or (P,), from the non-emitting entry
    log_stay : same shape, to the position itself
    log_next : same shape, to the following position; -inf in the last
    log_exit : same shape, to the non-emitting exit
    """

    log_entry: np.ndarray
    log_stay: np.ndarray
    log_next: np.ndarray
    log_exit: np.ndarray

    @classmethod
    def left_to_right(cls, words: int, states: int, stay: float = 0.8, silence_stay: float = 0.9) -> Chain:
        """`states` states a word between two optional silences, all words alike.

        Parameters
        ----------
        words : W
        states : emitting states of a word, so P = states + 2
        stay : probability of staying in a state of the word
        silence_stay : probability of staying in a silence, which is never re-estimated
        """
        positions = states + 2
        entry, exit_ = np.zeros(positions), np.zeros(positions)
        keep = np.array([silence_stay, *[stay] * states, silence_stay])
        advance = 1.0 - keep
        entry[:2] = 0.5
        exit_[-1] = advance[-1]
        exit_[-2] = advance[-2] = advance[-2] / 2
        advance[-1] = 0.0
        with np.errstate(divide="ignore"):
            rows = [np.log(row) for row in (entry, keep, advance, exit_)]
        return cls(*(np.tile(row, (words, 1)) for row in rows))

    def word(self, index: object) -> Chain:
        """The chain of one word, arrays (P,), or of several."""
        return Chain(self.log_entry[index], self.log_stay[index], self.log_next[index], self.log_exit[index])

    def update(self, counts: np.ndarray) -> Chain:
        """M-step: how long to stay in each state of the words, the maximum likelihood given the counts.

        The silences keep their transitions, and so does the choice to enter or skip them: how much silence is
        around a word is the recording's doing, and a word whose recordings happened to be trimmed must not
        resist silence more than the others do. A state without visits keeps its transitions too.

        Parameters
        ----------
        counts : (W, P, 4), entered, kept, left for the next position, left for the exit
        """
        kept, left = counts[..., 1], counts[..., 2:].sum(-1)
        old_stay = np.exp(self.log_stay)
        fallback = np.stack([old_stay, 1.0 - old_stay], axis=-1)
        fixed = np.zeros_like(fallback, dtype=bool)
        fixed[..., [0, -1], :] = True
        fixed[kept + left < MIN_VISITS] = True
        both = np.where(fixed, 0.0, np.stack([kept, left], axis=-1))
        moves = floored_distribution(both, fallback > 0, TRANSITION_FLOOR, fallback)
        with np.errstate(divide="ignore"):
            log_stay, log_leave = np.moveaxis(np.log(moves), -1, 0)
            log_left = np.where(fallback[..., 1] > 0, np.log1p(-old_stay), 0.0)
        change = np.where(fallback[..., 1] > 0, log_leave - log_left, 0.0)
        return Chain(self.log_entry, log_stay, self.log_next + change, self.log_exit + change)


@dataclass(frozen=True)
class Batch:
    """How utterances laid end to end become a time-major array.

    Attributes
    ----------
    lengths : (U,) frames, falling
    order : (U,), which utterance of the input stands at each place
    frame : (T, U), where in the concatenated frames each one is; past an utterance's end, its last frame
    running : (T,), how many utterances have a frame t
    """

    lengths: np.ndarray
    order: np.ndarray
    frame: np.ndarray
    running: np.ndarray

    @classmethod
    def of(cls, lengths: np.ndarray) -> Batch:
        """Arrange utterances of the given lengths (frames, each at least one), laid end to end."""
        lengths = np.asarray(lengths)
        order = np.argsort(-lengths, kind="stable")
        starts = (np.cumsum(lengths) - lengths)[order]
        lengths = lengths[order]
        time = np.arange(lengths[0])[:, None]
        frame = starts + np.minimum(time, lengths - 1)
        return cls(lengths, order, frame, (time < lengths).sum(1))

    @property
    def inside(self) -> np.ndarray:
        """(T, U) bool, whether utterance u has a frame t."""
        return np.arange(len(self.frame))[:, None] < self.lengths

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


def forward(log_density: np.ndarray, batch: Batch, chain: Chain) -> np.ndarray:
    """Forward variables, ln alpha_t(j) (Rabiner 1989, eq. 19-20).

    Parameters
    ----------
    log_density : (T, U, ..., P), ln b_j(o_t); T, U as in `batch`, any word axes as in `chain`
    batch : the utterances' layout
    chain : transitions, arrays (..., P)

    Returns
    -------
    (T, U, ..., P), -inf where no path can be, and after an utterance's end
    """
    log_forward = np.full_like(log_density, -np.inf)
    log_forward[0] = chain.log_entry + log_density[0]
    for t in range(1, len(log_density)):
        running = batch.running[t]
        before = log_forward[t - 1, :running]
        arriving = before + chain.log_stay
        arriving[..., 1:] = np.logaddexp(arriving[..., 1:], before[..., :-1] + chain.log_next[..., :-1])
        np.add(arriving, log_density[t, :running], out=log_forward[t, :running])
    return log_forward


def backward(log_density: np.ndarray, batch: Batch, chain: Chain) -> np.ndarray:
    """Backward variables, ln beta_t(j) (Rabiner 1989, eq. 24-25); shapes as in `forward`."""
    log_backward = np.full_like(log_density, -np.inf)
    log_backward[batch.last] = chain.log_exit
    for t in range(len(log_density) - 2, -1, -1):
        running = batch.running[t + 1]
        after = log_backward[t + 1, :running] + log_density[t + 1, :running]
        leaving = after + chain.log_stay
        leaving[..., :-1] = np.logaddexp(leaving[..., :-1], after[..., 1:] + chain.log_next[..., :-1])
        log_backward[t, :running] = leaving
    return log_backward


def log_likelihood(log_forward: np.ndarray, batch: Batch, chain: Chain) -> np.ndarray:
    """ln P(O | word) of every utterance, (U, ...), from the forward variables."""
    return np.logaddexp.reduce(log_forward[batch.last] + chain.log_exit, axis=-1)


def viterbi_score(log_density: np.ndarray, batch: Batch, chain: Chain) -> np.ndarray:
    """Log likelihood of the best path of every utterance, (U, ...); -inf where it is too short for any.

    Parameters as in `forward`; nothing is kept for tracing the path back, see `viterbi`.
    """
    score = np.empty(log_density.shape[1:-1])
    best = chain.log_entry + log_density[0]
    advance = chain.log_next[..., :-1]
    for t in range(1, len(log_density) + 1):
        running = batch.running[t] if t < len(log_density) else 0
        score[running : len(best)] = (best[running:] + chain.log_exit).max(-1)
        if not running:
            break
        before = best[:running]
        best = before + chain.log_stay
        np.maximum(best[..., 1:], before[..., :-1] + advance, out=best[..., 1:])
        best += log_density[t, :running]
    return score


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
    stay, advance, out = np.broadcast_arrays(chain.log_stay, chain.log_next, chain.log_exit)
    stay, advance, out = (np.broadcast_to(x, (utterances, positions)) for x in (stay, advance, out))
    best = chain.log_entry + log_density[0]
    final = np.empty((utterances, positions))
    moved = np.zeros(log_density.shape, dtype=bool)
    for t in range(1, frames + 1):
        running = batch.running[t] if t < frames else 0
        final[running : len(best)] = best[running:] + out[running : len(best)]
        if not running:
            break
        before = best[:running]
        best = before + stay[:running]
        advancing = before[:, :-1] + advance[:running, :-1]
        moved[t, :running, 1:] = advancing > best[:, 1:]
        np.maximum(best[:, 1:], advancing, out=best[:, 1:])
        best += log_density[t, :running]
    position = final.argmax(-1)
    path = np.zeros((frames, utterances), dtype=np.intp)
    everyone = np.arange(utterances)
    for t in range(frames - 1, -1, -1):
        running = batch.running[t]
        path[t, :running] = position[:running]
        position[:running] -= moved[t, everyone[:running], position[:running]]
    return final.max(-1), path


def free_loop(log_density: np.ndarray, batch: Batch, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Best path through states in any order, staying as long as it likes, at a price for every change.

    Parameters
    ----------
    log_density : (T, U, S), -inf for states that may not be visited; at least one may
    batch : the utterances' layout
    penalty : what a change of state costs, nats

    Returns
    -------
    score : (U,), log likelihood of the best path
    along : (T, U), log density of the state it is in; meaningless after an utterance's end
    """
    frames, utterances, _ = log_density.shape
    best = log_density[0]
    source = np.zeros((frames, utterances), dtype=np.intp)
    changed = np.zeros(log_density.shape, dtype=bool)
    score, state = np.empty(utterances), np.empty(utterances, dtype=np.intp)
    everyone = np.arange(utterances)
    for t in range(1, frames + 1):
        running = batch.running[t] if t < frames else 0
        ending = best[running:]
        state[running : len(best)] = ending.argmax(1)
        score[running : len(best)] = ending.max(1)
        if not running:
            break
        before = best[:running]
        source[t, :running] = peak = before.argmax(1)
        change = before[everyone[:running], peak, None] - penalty
        changed[t, :running] = change > before
        best = np.maximum(before, change) + log_density[t, :running]
    along = np.zeros((frames, utterances))
    for t in range(frames - 1, -1, -1):
        running = batch.running[t]
        now, who = state[:running], everyone[:running]
        along[t, :running] = log_density[t, who, now]
        state[:running] = np.where(changed[t, who, now], source[t, :running], now)
    return score, along


def path_posteriors(path: np.ndarray, batch: Batch, positions: int) -> tuple[np.ndarray, np.ndarray]:
    """Hard occupation of positions by given paths, as Viterbi training counts it.

    Parameters
    ----------
    path : (T, U)
    positions : P

    Returns
    -------
    occupation : (T, U, P), one or zero
    transition_counts : (P, 4)
    """
    inside = batch.inside
    occupation = (path[..., None] == np.arange(positions)) & inside[..., None]
    kept = occupation[1:] & occupation[:-1]
    counts = np.stack(
        [
            occupation[0].sum(0),
            kept.sum((0, 1)),
            (occupation[:-1] & inside[1:, :, None] & ~kept).sum((0, 1)),
            occupation[batch.last].sum(0),
        ],
        axis=-1,
    )
    return occupation.astype(np.float64), counts.astype(np.float64)


def soft_posteriors(log_density: np.ndarray, batch: Batch, chain: Chain) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expected occupation of positions over all paths, as Baum-Welch counts it (Rabiner 1989, eq. 27, 37).

    Parameters
    ----------
    log_density : (T, U, P), each utterance under one word; every utterance must have a path
    chain : transitions, arrays (P,)

    Returns
    -------
    occupation : (T, U, P), gamma_t(j), summing to one over j inside an utterance and zero after it
    transition_counts : (P, 4), the sums of xi_t(i, j)
    score : (U,), ln P(O | word)
    """
    log_forward = forward(log_density, batch, chain)
    log_backward = backward(log_density, batch, chain)
    score = log_likelihood(log_forward, batch, chain)
    occupation = np.exp(log_forward + log_backward - score[:, None])
    entered = occupation[0].sum(0)
    left = np.exp(log_forward[batch.last] + chain.log_exit - score[:, None]).sum(0)
    # What enters a position leaves it, so in a chain the sums of xi follow from those of gamma: from p to p + 1
    # goes whatever came in at or before p and did not leave for the exit there.
    advanced = np.maximum(np.cumsum(entered - left), 0.0)
    arrived = entered + np.concatenate([[0.0], advanced[:-1]])
    kept = np.maximum(occupation.sum((0, 1)) - arrived, 0.0)
    counts = np.stack([entered, kept, advanced, left], axis=-1)
    return occupation, counts, score
