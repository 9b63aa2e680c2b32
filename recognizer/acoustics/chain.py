"""The chain of a word: topology and transition probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from recognizer.acoustics.simplex import floored_distribution

TRANSITION_FLOOR = 1e-4  # no allowed transition becomes impossible for lack of an example
MIN_VISITS = 1e-3  # frames below which a state's transitions have no data of their own
TOPOLOGIES = ("left-right", "skip")
LEAK = 1e-13  # share of all moves that leave a chain, where some never would
SKIPPED = 0.1  # share of the ways out of a state that skip the next one, before it is re-estimated
MOVES, JUMP = ("log_entry", "log_stay", "log_next", "log_exit"), "jump_"  # how a file names its arrays
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
            source, target = moves_by(positions, distance)
            band[..., source] = moves[..., source, target]
            return np.log(band)

        if jumps is None:
            distances = (d for d in range(1 - positions, positions) if d not in (0, 1))
            jumps = [d for d in distances if moves[..., *moves_by(positions, d)].any()]
        with np.errstate(divide="ignore"):
            ends = np.log(entry), np.log(moves[..., -1])
            return cls(ends[0], log_band(0), log_band(1), ends[1], {int(d): log_band(d) for d in jumps})

    def matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """Full matrices of probabilities, as `of_matrices` takes them."""
        positions = self.log_entry.shape[-1]
        moves = np.zeros((*self.log_entry.shape, positions + 1))
        moves[..., -1] = np.exp(self.log_exit)
        for distance, log_move in self.moves():
            source, target = moves_by(positions, distance)
            moves[..., source, target] = np.exp(log_move[..., source])
        return np.exp(self.log_entry), moves

    def moves(self) -> Iterator[tuple[int, np.ndarray]]:
        """All kinds of moves between positions: how far, and the log probability from each position."""
        yield 0, self.log_stay
        yield 1, self.log_next
        yield from self.log_jumps.items()

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All of it by name, for a file."""
        return {name: getattr(self, name) for name in MOVES} | {
            f"{JUMP}{distance}": log_jump for distance, log_jump in self.log_jumps.items()
        }

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> Chain:
        """The chain that has these arrays."""
        jumps = {int(name.removeprefix(JUMP)): array for name, array in arrays.items() if name.startswith(JUMP)}
        return cls(*(arrays[name] for name in MOVES), jumps)

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
            source, target = moves_by(counts.shape[-2], distance)
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


def joined(words: Chain) -> Chain:
    """The chain of a sentence: its words one after the other, an optional silence before, between and behind them.

    A word that is left goes to the silence or to the next word, as it would go to its trailing silence or to the exit;
    the silence between two words is the leading one of the second, and how a word begins is the same after both.

    Parameters
    ----------
    words : of each word of the sentence in turn, arrays (N, P)

    Returns
    -------
    Arrays (N (P - 1) + 1,): for each word a silence and its P - 2 states, then the last silence
    """
    count, positions = words.log_entry.shape
    own = positions - 1  # positions that a word adds
    entry, moves = words.matrices()
    begins = np.zeros((count + 1, own))  # of each word, at which of its positions, for one that skips the silence
    begins[:-1, 1:] = _shares(entry[:, 1:-1])
    bands: dict[int, np.ndarray] = {}

    def add(source: int, distance: int, share: np.ndarray) -> None:
        band = bands.setdefault(distance, np.zeros((count + 1, own)))
        band[:count, source] += share

    for source in range(own):
        for target in range(positions):
            add(source, target - source, moves[:, source, target])
        for target in range(1, own):
            add(source, own + target - source, moves[:, source, -1] * begins[1:, target])
    bands[0][-1, 0] = moves[-1, -1, -2]
    total = count * own + 1
    leaves = np.zeros(total)
    leaves[-1 - own : -1] = moves[-1, :own, -1]
    leaves[-1] = moves[-1, -1, -1]
    starts = np.zeros(total)
    starts[:own] = entry[0, :own]
    with np.errstate(divide="ignore"):
        logs = {distance: np.log(band.ravel()[:total]) for distance, band in bands.items() if band.any()}
        ends = np.log(starts), np.log(leaves)
    nowhere = np.full(total, -np.inf)
    return Chain(ends[0], logs.pop(0), logs.pop(1, nowhere), ends[1], logs)


def moves_by(positions: int, distance: int) -> tuple[np.ndarray, np.ndarray]:
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
            source, target = moves_by(possible.shape[-1], distance)
            reached[:, target] |= possible[:, source] & np.isfinite(log_move[:, source])
        possible = reached
    return frames
