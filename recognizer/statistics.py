"""Sufficient statistics: the sums that every estimator eats, and that simply add.

Because they add, a corpus may be visited in chunks of any size, on any number of workers, and the chunks
summed in order give the same model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ROUNDING = 1e-9  # of a sum


@dataclass
class Statistics:
    """Expected counts and moments of a bank of S mixtures and the transitions of W words.

    Attributes
    ----------
    occupancy : (S, K), sum over t of gamma_t(j, k)
    first_order : (S, K, D), sum of gamma o
    second_order : (S, K, D), sum of gamma o**2
    transition_counts : (W, P, 4), how often position p was entered from outside, kept, left for p + 1,
        and left for the end of the word
    log_likelihood : natural log likelihood of all utterances seen
    frames : number of frames seen
    """

    occupancy: np.ndarray
    first_order: np.ndarray
    second_order: np.ndarray
    transition_counts: np.ndarray
    log_likelihood: float = 0.0
    frames: int = 0

    @classmethod
    def zeros(cls, states: int, mixtures: int, dims: int, words: int = 0, positions: int = 0) -> Statistics:
        return cls(
            np.zeros((states, mixtures)),
            np.zeros((states, mixtures, dims)),
            np.zeros((states, mixtures, dims)),
            np.zeros((words, positions, 4)),
        )

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
        no_transitions = np.zeros((0, 0, 4))
        return cls(posteriors.sum(-1).T, sums[0], sums[1], no_transitions, log_likelihood, frames)

    def add(self, part: Statistics, states: np.ndarray | slice = slice(None), words: object = slice(None)) -> None:
        """Add the statistics of a part of the bank, in place.

        Parameters
        ----------
        part : statistics of the mixtures `states` and of the words `words`
        states : the rows of this bank that the part's mixtures are, each at most once
        words : the words that the part's transitions belong to
        """
        self.occupancy[states] += part.occupancy
        self.first_order[states] += part.first_order
        self.second_order[states] += part.second_order
        if part.transition_counts.size:
            self.transition_counts[words] += part.transition_counts
        self.log_likelihood += part.log_likelihood
        self.frames += part.frames

    def scaled(self, share: float) -> Statistics:
        """As if every frame counted for `share` of a frame."""
        return Statistics(
            *(share * part for part in (self.occupancy, self.first_order, self.second_order, self.transition_counts)),
            share * self.log_likelihood,
            self.frames,
        )

    def take(self, states: np.ndarray | slice) -> Statistics:
        """Those of some mixtures, without the transitions."""
        sums = (self.occupancy[states], self.first_order[states], self.second_order[states])
        return Statistics(*sums, np.zeros((0, 0, 4)), self.log_likelihood, self.frames)

    def without(self, part: Statistics) -> Statistics:
        """What is left when the statistics of a part of the utterances are taken out.

        Rounding may leave tiny sums where nothing is left; they are cleared, for no sum may be negative.
        """
        left = np.maximum(self.occupancy - part.occupancy, 0.0)
        left[left < ROUNDING * self.occupancy] = 0.0
        some = (left > 0)[..., None]
        return Statistics(
            left,
            np.where(some, self.first_order - part.first_order, 0.0),
            np.where(some, self.second_order - part.second_order, 0.0),
            np.maximum(self.transition_counts - part.transition_counts, 0.0),
            self.log_likelihood - part.log_likelihood,
            self.frames - part.frames,
        )
