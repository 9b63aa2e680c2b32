"""Sufficient statistics: the sums that every estimator eats, and that simply add.

Because they add, a corpus may be visited in chunks of any size, on any number of workers, and the chunks
summed in order give the same model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ROUNDING = 1e-9  # of a sum: what ten million additions in double precision may be off


@dataclass
class Statistics:
    """Expected counts and moments of a bank of S mixtures and the transitions of W words.

    Attributes
    ----------
    occupancy : (S, K), sum over t of gamma_t(j, k); (S, R, K) of mixtures in R streams
    first_order : (S, K, D), sum of gamma o
    second_order : (S, K, D), sum of gamma o**2
    transition_counts : (W, P, 4 + J), how often position p was entered from outside, kept, left for p + 1,
        left for the end of the word, and left by each of the chain's jumps
    log_likelihood : natural log likelihood of all utterances seen
    frames : number of frames seen, as their utterances weigh
    shared : whether the components are the same in all mixtures, so that there is one set of moments, (1, ..., K, D),
        for all of them, or none, (0, ..., K, D)
    """

    occupancy: np.ndarray
    first_order: np.ndarray
    second_order: np.ndarray
    transition_counts: np.ndarray
    log_likelihood: float = 0.0
    frames: float = 0
    shared: bool = False

    @classmethod
    def zeros(cls, occupancy: tuple[int, ...], moments: tuple[int, ...], shared: bool = False) -> Statistics:
        """No frames seen yet, and no transitions to count.

        Parameters
        ----------
        occupancy, moments : shapes
        """
        moments = np.zeros(moments)
        return cls(np.zeros(occupancy), moments, moments.copy(), no_transitions(), shared=shared)

    @property
    def component_occupancy(self) -> np.ndarray:
        """Frames of each component, over all mixtures that it is in, (S, K) or (1, ..., K)."""
        return self.occupancy.sum(0, keepdims=True) if self.shared else self.occupancy

    @classmethod
    def of_frames(cls, posteriors: np.ndarray, observations: np.ndarray, log_likelihood: float = 0.0) -> Statistics:
        """Sums over frames.

        Parameters
        ----------
        posteriors : (K, S, T), the probability that frame t came from component k of mixture s
        observations : (T, 2D), frames beside their squares
        """
        mixtures, states, frames = posteriors.shape
        sums = posteriors.reshape(mixtures * states, frames) @ observations
        sums = sums.reshape(mixtures, states, 2, -1).transpose(2, 1, 0, 3)
        return cls(posteriors.sum(-1).T, sums[0], sums[1], no_transitions(), log_likelihood, frames)

    def add(self, part: Statistics, states: np.ndarray | slice = slice(None), words: object = slice(None)) -> None:
        """Add the statistics of a part of the bank, in place.

        Parameters
        ----------
        part : statistics of the mixtures `states` and of the words `words`
        states : the rows of this bank that the part's mixtures are, each at most once
        words : the words that the part's transitions belong to
        """
        self.occupancy[states] += part.occupancy
        moments = slice(None) if self.shared else states
        self.first_order[moments] += part.first_order
        self.second_order[moments] += part.second_order
        if part.transition_counts.size:
            self.transition_counts[words] += part.transition_counts
        self.log_likelihood += part.log_likelihood
        self.frames += part.frames

    def each_once(self, states: np.ndarray) -> tuple[np.ndarray, Statistics]:
        """Rows of a bank, (S,), each once, and the sums over those of these mixtures that have the same."""
        order = np.argsort(states, kind="stable")
        first = np.flatnonzero(np.diff(states[order], prepend=-1))
        if len(first) == len(states):
            return states, self

        def summed(sums: np.ndarray) -> np.ndarray:
            return np.add.reduceat(sums[order], first)

        moments = (self.first_order, self.second_order)
        moments = moments if self.shared else map(summed, moments)
        rest = (self.transition_counts, self.log_likelihood, self.frames, self.shared)
        return states[order][first], Statistics(summed(self.occupancy), *moments, *rest)

    def scaled(self, share: float) -> Statistics:
        """As if every frame counted for `share` of a frame."""
        return Statistics(
            *(share * part for part in (self.occupancy, self.first_order, self.second_order, self.transition_counts)),
            share * self.log_likelihood,
            self.frames,
            self.shared,
        )

    def take(self, states: np.ndarray | slice) -> Statistics:
        """Those of some mixtures, without the transitions; moments that are shared stay those of all."""
        moments = slice(None) if self.shared else states
        sums = (self.occupancy[states], self.first_order[moments], self.second_order[moments])
        return Statistics(*sums, no_transitions(), self.log_likelihood, self.frames, self.shared)

    def without(self, part: Statistics) -> Statistics:
        """What is left when the statistics of a part of the utterances are taken out.

        Rounding may leave tiny sums where nothing is left; they are cleared, for no sum may be negative.
        """
        left = np.maximum(self.occupancy - part.occupancy, 0.0)
        left[left < ROUNDING * self.occupancy] = 0.0
        some = (left > 0)[..., None]
        some = some.any(0, keepdims=True) if self.shared else some
        return Statistics(
            left,
            np.where(some, self.first_order - part.first_order, 0.0),
            np.where(some, self.second_order - part.second_order, 0.0),
            np.maximum(self.transition_counts - part.transition_counts, 0.0),
            self.log_likelihood - part.log_likelihood,
            self.frames - part.frames,
            self.shared,
        )


def no_transitions() -> np.ndarray:
    """Transition counts of no words."""
    return np.zeros((0, 0, 0))
