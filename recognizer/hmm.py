"""Hidden Markov models of words with a non-emitting entry and exit, many utterances at a time.

A word is a chain of P emitting positions: an optional leading silence, the word's own states, an optional
trailing silence. From the entry a path may start in the silence or in the word; from the word's end it may go to the
silence or to the exit. All words share the silence's density, so recordings need not be trimmed. Left to right, a
path stays or goes to the next position; a chain may also have jumps, over a position or (in models that were made
elsewhere) back. Recursions loop over frames only, on arrays of (utterances x words x positions); utterances stand in
order of falling length, so those still running at frame t are the first `running[t]`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from recognizer.gmm import floored_distribution

TRANSITION_FLOOR = 1e-4  # no allowed transition becomes impossible for lack of an example
MIN_VISITS = 1e-3  # frames below which a state's transitions have no data of their own
TOPOLOGIES = ("left-right", "skip")
LEAK = 1e-13  # share of all moves that leave a chain, where some never would
SKIPPED = 0.1  # share of the ways out of a state that skip the next one, before it is re-estimated
ENTERED, KEPT, ADVANCED, LEFT, JUMPED = range(5)  # columns of transition counts; one a jump, from JUMPED on


@dataclass(frozen=True)
class Chain:
    """Natural log transition probabilities of W words over P positions.

    Attributes
    ----------
    log_entry : (W, P) or (P,), from the non-emitting entry
    log_stay : same shape, to the position itself
    log_next : same shape, to the following position; -inf in the last
    log_exit : same shape, to the non-emitting exit
    log_jumps : by distance, same shape, to the position so far away: 2 skips one, -1 goes back
    """

    log_entry: np.ndarray
    log_stay: np.ndarray
    log_next: np.ndarray
    log_exit: np.ndarray
    log_jumps: dict[int, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of_topology(
        cls, words: int, states: int, topology: str = "left-right", stay: float = 0.8, silence_stay: float = 0.9
    ) -> Chain:
        """`states` states a word between two optional silences, all words alike.

        Parameters
        ----------
        words : W
        states : emitting states of a word, so P = states + 2
        topology : one of TOPOLOGIES: "left-right" goes through every state; "skip" may leave out any one of
            neighbours, the first and the last among them
        stay : probability of staying in a state of the word
        silence_stay : probability of staying in a silence, which is never re-estimated
        """
        last = states + 1
        steps = ((1, 1.0),) if topology == "left-right" or states == 1 else ((1, 1 - SKIPPED), (2, SKIPPED))
        entry, moves = np.zeros(last + 1), np.zeros((last + 1, last + 2))
        entry[0] = 0.5
        for position in range(last + 1):
            keep = stay if 0 < position < last else silence_stay
            moves[position, position] = keep
            for step, share in steps:
                way = [last, last + 1] if position + step >= last else [position + step]
                way = [last + 1] if position == last else way
                moves[position, way] += share * (1 - keep) / len(way)
        for step, share in steps:
            entry[step] = 0.5 * share
        return cls.of_matrices(np.tile(entry, (words, 1)), np.tile(moves, (words, 1, 1)))

    @classmethod
    def of_matrices(cls, entry: np.ndarray, moves: np.ndarray, jumps: Sequence[int] | None = None) -> Chain:
        """From full matrices of probabilities.

        Parameters
        ----------
        entry : (W, P) or (P,), from the entry
        moves : (W, P, P + 1) or (P, P + 1), from each position to every position, and to the exit
        jumps : distances other than 0 and 1 to keep; when None, those that some word has
        """
        positions = entry.shape[-1]

        def log_band(distance: int) -> np.ndarray:
            band = np.zeros(entry.shape)
            source, target = _band(positions, distance)
            band[..., source] = moves[..., source, target]
            return np.log(band)

        if jumps is None:
            distances = (d for d in range(1 - positions, positions) if d not in (0, 1))
            jumps = [d for d in distances if moves[..., *_band(positions, d)].any()]
        with np.errstate(divide="ignore"):
            ends = np.log(entry), np.log(moves[..., -1])
            return cls(ends[0], log_band(0), log_band(1), ends[1], {int(d): log_band(d) for d in jumps})

    def matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """Full matrices of probabilities, as `of_matrices` takes them."""
        positions = self.log_entry.shape[-1]
        moves = np.zeros((*self.log_entry.shape, positions + 1))
        moves[..., -1] = np.exp(self.log_exit)
        for distance, log_move in self.moves():
            source, target = _band(positions, distance)
            moves[..., source, target] = np.exp(log_move[..., source])
        return np.exp(self.log_entry), moves

    def moves(self) -> Iterator[tuple[int, np.ndarray]]:
        """All kinds of moves between positions: how far, and the log probability from each position."""
        yield 0, self.log_stay
        yield 1, self.log_next
        yield from self.log_jumps.items()

    def word(self, index: object) -> Chain:
        """The chain of one word, arrays (P,), or of several."""
        jumps = {distance: log_jump[index] for distance, log_jump in self.log_jumps.items()}
        return Chain(self.log_entry[index], self.log_stay[index], self.log_next[index], self.log_exit[index], jumps)

    def update(self, counts: np.ndarray) -> Chain:
        """M-step: where to go from each state of the words, the maximum likelihood given the counts.

        The silences keep their transitions, and so does the choice to enter or skip them: how much silence is
        around a word is the recording's doing, and a word whose recordings happened to be trimmed must not
        resist silence more than the others do. At which state a word begins is re-estimated: from what comes out of
        the entry and out of the silence together, where it begins alike after both. A state without visits keeps
        its transitions.

        Parameters
        ----------
        counts : (W, P, 4 + J), entered, kept, left for the next position, left for the exit, and by jump
        """
        entry, moves = self.matrices()
        counted = np.zeros_like(moves)
        counted[..., -1] = counts[..., LEFT]
        for column, (distance, _) in zip((KEPT, ADVANCED, *range(JUMPED, counts.shape[-1])), self.moves()):
            source, target = _band(counts.shape[-2], distance)
            counted[..., source, target] = counts[..., source, column]
        ways = np.stack([entry[..., 1:], moves[..., 0, 1:-1]])
        begins = np.stack([counts[..., 1:, ENTERED], counted[..., 0, 1:-1]])
        alike = np.isclose(*_shares(ways)).all(-1, keepdims=True)
        entry[..., 1:], moves[..., 0, 1:-1] = _reestimated(ways, np.where(alike, begins.sum(0), begins))
        # Of its end, a state knows how often it comes, not whether silence follows.
        ways, seen = moves[..., 1:-1, :], counted[..., 1:-1, :]
        shares = _shares(ways[..., -2:])
        whole = [np.concatenate([x[..., :-2], x[..., -2:].sum(-1, keepdims=True)], axis=-1) for x in (ways, seen)]
        fitted = _reestimated(*whole)
        moves[..., 1:-1, :] = np.concatenate([fitted[..., :-1], fitted[..., -1:] * shares], axis=-1)
        return Chain.of_matrices(entry, moves, tuple(self.log_jumps))


def _band(positions: int, distance: int) -> tuple[np.ndarray, np.ndarray]:
    """Where moves of a distance start and where they arrive, of those that stay inside the chain."""
    source = np.arange(max(0, -distance), positions - max(0, distance))
    return source, source + distance


def _shares(ways: np.ndarray) -> np.ndarray:
    """Parts of their sum, (..., N); zero where that is zero."""
    total = ways.sum(-1, keepdims=True)
    return np.divide(ways, total, out=np.zeros_like(ways), where=total > 0)


def _reestimated(ways: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Probabilities (..., N) that share out the same sum by the counts; as they are where there are too few."""
    total, shares = ways.sum(-1, keepdims=True), _shares(ways)
    counts = np.where(counts.sum(-1, keepdims=True) < MIN_VISITS, 0.0, counts)
    return total * floored_distribution(counts, shares > 0, TRANSITION_FLOOR, shares)


def walk(chain: Chain, random: np.random.Generator) -> np.ndarray:
    """A path drawn at random through the chain of one word, (T,) positions."""
    entry, moves = chain.matrices()
    begins, goes = entry.cumsum(), moves.cumsum(1)

    def drawn(cumulated: np.ndarray) -> int:
        return int(np.searchsorted(cumulated, random.random() * cumulated[-1], side="right"))

    path = [drawn(begins)]
    while (following := drawn(goes[path[-1]])) < len(entry):
        path.append(following)
    return np.array(path)


def expected_durations(chain: Chain) -> np.ndarray:
    """Frames that a path through a word spends in each position, on average, (W, P).

    They solve d = entry + d A, the balance of what comes in and what goes out (Kemeny and Snell 1960, ch. 3). A
    position whose probability to stay was rounded to one lasts long, but not for ever.
    """
    entry, moves = chain.matrices()
    balance = np.eye(entry.shape[-1]) - moves[..., :-1] * (1 - LEAK)
    return np.linalg.solve(balance.transpose(0, 2, 1), entry[..., None])[..., 0]


def shortest(chain: Chain) -> np.ndarray:
    """Frames of the shortest path through each word, (W,)."""
    possible = np.isfinite(chain.log_entry)
    frames = np.zeros(len(possible), dtype=np.intp)
    for length in range(1, possible.shape[-1] + 1):
        frames[(frames == 0) & (possible & np.isfinite(chain.log_exit)).any(-1)] = length
        reached = np.zeros_like(possible)
        for distance, log_move in chain.moves():
            source, target = _band(possible.shape[-1], distance)
            reached[:, target] |= possible[:, source] & np.isfinite(log_move[:, source])
        possible = reached
    return frames


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
    chain : transitions, arrays (..., P)

    Returns
    -------
    (T, U, ..., P), -inf where no path can be, and after an utterance's end
    """
    steps = _steps(chain)
    log_forward = np.full_like(log_density, -np.inf)
    log_forward[0] = chain.log_entry + log_density[0]
    for t in range(1, len(log_density)):
        running = batch.running[t]
        before = log_forward[t - 1, :running]
        arriving = before + chain.log_stay
        for _, into, out, log_move in steps:
            arriving[..., into] = np.logaddexp(arriving[..., into], before[..., out] + log_move)
        np.add(arriving, log_density[t, :running], out=log_forward[t, :running])
    return log_forward


def backward(log_density: np.ndarray, batch: Batch, chain: Chain) -> np.ndarray:
    """Backward variables, ln beta_t(j) (Rabiner 1989, eq. 24-25); shapes as in `forward`."""
    steps = _steps(chain)
    log_backward = np.full_like(log_density, -np.inf)
    log_backward[batch.last] = chain.log_exit
    for t in range(len(log_density) - 2, -1, -1):
        running = batch.running[t + 1]
        after = log_backward[t + 1, :running] + log_density[t + 1, :running]
        leaving = after + chain.log_stay
        for _, into, out, log_move in steps:
            leaving[..., out] = np.logaddexp(leaving[..., out], after[..., into] + log_move)
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
    steps = _steps(chain)
    for t in range(1, len(log_density) + 1):
        running = batch.running[t] if t < len(log_density) else 0
        score[running : len(best)] = (best[running:] + chain.log_exit).max(-1)
        if not running:
            break
        before = best[:running]
        best = before + chain.log_stay
        for _, into, out, log_move in steps:
            np.maximum(best[..., into], before[..., out] + log_move, out=best[..., into])
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

    def by_utterance(x: np.ndarray) -> np.ndarray:
        return np.broadcast_to(x, (utterances, x.shape[-1]))

    stay, exit_ = by_utterance(chain.log_stay), by_utterance(chain.log_exit)
    steps = [(distance, into, out, by_utterance(move)) for distance, into, out, move in _steps(chain)]
    best = chain.log_entry + log_density[0]
    final = np.empty((utterances, positions))
    moved = np.zeros(log_density.shape, dtype=np.int8 if positions < 128 else np.int32)  # how far, to arrive
    for t in range(1, frames + 1):
        running = batch.running[t] if t < frames else 0
        final[running : len(best)] = best[running:] + exit_[running : len(best)]
        if not running:
            break
        before = best[:running]
        best = before + stay[:running]
        for distance, into, out, log_move in steps:
            arriving = before[:, out] + log_move[:running]
            moved[t, :running, into][arriving > best[:, into]] = distance
            np.maximum(best[:, into], arriving, out=best[:, into])
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


def path_posteriors(path: np.ndarray, batch: Batch, chain: Chain) -> tuple[np.ndarray, np.ndarray]:
    """Hard occupation of positions by given paths, as Viterbi training counts it.

    Parameters
    ----------
    path : (T, U)
    chain : transitions, arrays (P,)

    Returns
    -------
    occupation : (T, U, P), one or zero
    transition_counts : (P, 4 + J), columns as for `Chain.update`
    """
    positions, inside = chain.log_entry.shape[-1], batch.inside
    occupation = (path[..., None] == np.arange(positions)) & inside[..., None]
    distance = np.where(inside[1:], path[1:] - path[:-1], 2 * positions)  # which is no move
    kept, *leaps = ((occupation[:-1] & (distance == d)[..., None]).sum((0, 1)) for d, _ in chain.moves())
    counts = [occupation[0].sum(0), kept, leaps[0], occupation[batch.last].sum(0), *leaps[1:]]
    return occupation.astype(np.float64), np.stack(counts, axis=-1).astype(np.float64)


def soft_posteriors(log_density: np.ndarray, batch: Batch, chain: Chain) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expected occupation of positions over all paths, as Baum-Welch counts it (Rabiner 1989, eq. 27, 37).

    Parameters
    ----------
    log_density : (T, U, P), each utterance under one word; every utterance must have a path
    chain : transitions, arrays (P,)

    Returns
    -------
    occupation : (T, U, P), gamma_t(j), summing to one over j inside an utterance and zero after it
    transition_counts : (P, 4 + J), the sums of xi_t(i, j), columns as for `Chain.update`
    score : (U,), ln P(O | word)
    """
    log_forward = forward(log_density, batch, chain)
    log_backward = backward(log_density, batch, chain)
    score = log_likelihood(log_forward, batch, chain)
    occupation = np.exp(log_forward + log_backward - score[:, None])
    entered = occupation[0].sum(0)
    left = np.exp(log_forward[batch.last] + chain.log_exit - score[:, None]).sum(0)
    _, *leaps = _steps(chain)
    jumped = np.zeros((len(leaps), len(entered)))
    for taken, (_, into, out, log_jump) in zip(jumped, leaps):
        after = log_density[1:, :, into] + log_backward[1:, :, into] - score[:, None]
        taken[out] = np.exp(log_forward[:-1, :, out] + log_jump + after).sum((0, 1))
    # What enters a position leaves it, so the sums of xi that remain follow from those of gamma: from p to p + 1 goes
    # whatever came in at or before p and neither left for the exit there nor jumped across; the rest stayed.
    place = np.arange(len(entered))
    across, arrived = np.zeros(len(entered)), entered.copy()
    for taken, (distance, *_) in zip(jumped, leaps):
        source, target = _band(len(entered), distance)
        arrived[target] += taken[source]
        for p, q in zip(source, target):
            across += taken[p] * (((p <= place) & (place < q)) * 1.0 - ((q <= place) & (place < p)))
    advanced = np.maximum(np.cumsum(entered - left) - across, 0.0)
    arrived[1:] += advanced[:-1]
    kept = np.maximum(occupation.sum((0, 1)) - arrived, 0.0)
    counts = np.stack([entered, kept, advanced, left, *jumped], axis=-1)
    return occupation, counts, score
