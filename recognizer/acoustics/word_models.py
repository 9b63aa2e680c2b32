"""The models of all words: one bank of densities, one chain a word."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from recognizer.acoustics.chain import Chain, shortest
from recognizer.acoustics.density import Density

if TYPE_CHECKING:
    from recognizer.acoustics.fast_match import FastMatch


@dataclass(frozen=True)
class WordModels:
    """The trained acoustic models.

    Attributes
    ----------
    bank : densities of all states; silence has the last row
    chain : transitions, (W, states + 2)
    history : per stage its name and the log likelihood per frame before each of its updates
    transform : [b A], (D, D + 1), which takes a speaker's features to those that the bank knows (constrained
        MLLR); None leaves them as they are
    tying : (W, states), the row of the bank that each state of a word has, which others may have, too (tied states);
        when None, each has its own, word w the rows w * states to (w + 1) * states
    """

    bank: Density
    chain: Chain
    history: dict[str, list[float]] = field(default_factory=dict)
    transform: np.ndarray | None = None
    tying: np.ndarray | None = None

    @property
    def states(self) -> int:
        """Emitting states of a word."""
        return self.chain.log_stay.shape[1] - 2

    @property
    def tied_states(self) -> int | None:
        """How many states all words have together; None where each has its own."""
        return None if self.tying is None else len(self.bank.weights) - 1

    @cached_property
    def least_frames(self) -> int:
        """Frames that an utterance must have for a path through any word."""
        return int(shortest(self.chain).min())

    @cached_property
    def fast_match(self) -> FastMatch:
        """What tells in little time which words fit an utterance best."""
        from recognizer.acoustics.fast_match import FastMatch  # here, for few words need none

        rows, reach = np.arange(len(self.bank.weights)), max(2, *self.chain.log_jumps, 0)
        parts = [self.bank.moments(rows[start : start + 4096]) for start in range(0, len(rows), 4096)]  # little memory
        moments = (np.concatenate(moments) for moments in zip(*parts, strict=True))
        return FastMatch.of(*moments, self.states, reach, self.tying)

    def rows(self, word: int | np.ndarray) -> np.ndarray:
        """Rows of the bank that the positions of a word stand on, (P,): silence, the states, silence.

        Of several words, (..., P).
        """
        silence = len(self.bank.weights) - 1
        return position_rows(word, self.states, silence) if self.tying is None else _around(self.tying[word], silence)

    def transformed(self, features: np.ndarray) -> tuple[np.ndarray, float]:
        """Features as the bank knows them, (..., T, D), and ln |det A|, which every log density of them gains."""
        if self.transform is None:
            return features, 0.0
        offset, matrix = self.transform[:, 0], self.transform[:, 1:]
        return features @ matrix.T + offset, float(np.linalg.slogdet(matrix)[1])


def position_rows(word: int | np.ndarray, states: int, silence: int) -> np.ndarray:
    """Rows of the bank under the positions of a word, or of several: silence, the word's states, silence, (..., P)."""
    return _around(np.asarray(word)[..., None] * states + np.arange(states), silence)


def _around(own: np.ndarray, silence: int) -> np.ndarray:
    """Rows of words' states, (..., states), between those of silence."""
    ends = np.full((*own.shape[:-1], 1), silence)
    return np.concatenate([ends, own, ends], axis=-1)
