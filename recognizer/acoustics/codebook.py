"""Densities whose states share what is expensive: one codebook for all, and of each state only the weights.

Semi-continuous: the codebook is a set of Gaussians, and a state is a mixture of all of them (Huang and Jack 1989).
Discrete: the codebook cuts the space into cells, and a state is a table of how probable each cell is (Rabiner 1989,
section II; the cells are k-means clusters of each stream apart: statics, deltas, accelerations). Either way ln b_j(o)
is the sum over streams r of ln sum_n c_jrn e_rn(o), where e_rn is the density of Gaussian n, or one in cell n and zero
elsewhere: one E-step serves both.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from recognizer.acoustics.gaussians import (
    LEAST_LOG_SHARE,
    WeightedFrames,
    with_squares,
)
from recognizer.acoustics.kmeans import CHUNK_VALUES, slices
from recognizer.acoustics.statistics import Statistics

FRAMES = 50_000  # to make a codebook from; more do not move it


@dataclass(frozen=True)
class CodebookBank:
    """S states' weights of the entries of a codebook in R streams.

    Attributes
    ----------
    weights : (S, R, N) float64, sums over the last axis are one
    """

    has_codebook: ClassVar[bool] = True
    cells: ClassVar[np.ndarray | None] = None

    weights: np.ndarray

    @property
    @abstractmethod
    def dims(self) -> int:
        """D, of the features."""

    @property
    def values(self) -> int:
        """Numbers that are computed for one frame."""
        states, streams, entries = self.weights.shape
        return streams * (states + entries)

    @abstractmethod
    def entries(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """e_rn(o_t) relative to the largest of its stream, (..., R, N, T), and the log of that, (..., R, T).

        Features are (..., T, D).
        """

    def log_density(self, features: np.ndarray) -> np.ndarray:
        """ln b_j(o_t), the log density of every frame under every state, (T, S); features (T, D)."""
        parts = slices(max(1, len(features)), CHUNK_VALUES // max(1, self.values))  # not all at once
        return np.concatenate([self.expect(features[part]).log_density.T for part in parts])

    def expect(self, features: np.ndarray) -> CodebookShares:
        """E-step: what is to be known of frames (..., T, D) before it is known which states they belong to."""
        entries, peak = self.entries(features)
        density = self.weights.swapaxes(-3, -2) @ entries
        log_density = np.log(np.maximum(density, np.exp(LEAST_LOG_SHARE)))
        log_density += peak[..., None, :]
        return CodebookShares(self, entries, density, log_density.sum(-3), features)

    def take(self, states: np.ndarray | slice) -> Self:
        """The bank of the given states, in the given order, with the whole codebook."""
        return replace(self, weights=self.weights[states])

    def put(self, states: np.ndarray | slice, part: Self) -> Self:
        """With the given states in place of its own, and their codebook for all."""
        weights = self.weights.copy()
        weights[states] = part.weights
        return replace(part, weights=weights)

    def drop_starved(self, statistics: Statistics, min_frames: float) -> Self:
        """Itself: what one state does not use, another one does."""
        return self


@dataclass(frozen=True)
class CodebookShares:
    """Frames under a bank.

    Attributes
    ----------
    bank : the bank, or a stack of them, each of states of its own
    entries : (..., R, N, T), as `CodebookBank.entries` gives them
    density : (..., R, S, T), sums of them weighted by the states
    log_density : (..., S, T)
    features : (..., T, D)
    """

    bank: CodebookBank
    entries: np.ndarray
    density: np.ndarray
    log_density: np.ndarray
    features: np.ndarray

    def _ratios(self, occupation: np.ndarray) -> np.ndarray:
        """The probability of a state, (..., S, T), over its density, by stream (..., R, S, T)."""
        occupation = occupation[..., None, :, :]
        return np.divide(occupation, self.density, out=np.zeros_like(self.density), where=self.density > 0)

    def shares(self, occupation: np.ndarray) -> np.ndarray:
        """The probability that a frame came from an entry, in whichever state, (..., R * N, 1, T)."""
        by_entry = self.bank.weights.swapaxes(-3, -2).swapaxes(-1, -2) @ self._ratios(occupation)
        by_entry *= self.entries
        *stack, streams, size, frames = by_entry.shape
        return by_entry.reshape(*stack, streams * size, 1, frames)

    def statistics(self, occupation: np.ndarray) -> Statistics:
        """The sums that re-estimation needs, given the probability that a frame came from each state, (..., S, T)."""
        occupancy = (self._ratios(occupation) @ self.entries.swapaxes(-1, -2)).swapaxes(-3, -2)
        occupancy *= self.bank.weights
        sums = self.bank.statistics()
        if sums.first_order.size:
            shape = sums.first_order.shape
            moments = self.shares(occupation)[..., 0, :] @ with_squares(self.features)
            moments = moments.reshape(-1, *shape[:-1], 2 * shape[-1]).sum(0)
            sums.first_order, sums.second_order = np.split(moments, 2, axis=-1)
        return replace(sums, occupancy=occupancy, frames=self.features.shape[-2])


def stream_masks(widths: Sequence[int]) -> np.ndarray:
    """Which dimensions belong to which stream, (R, D), one or zero."""
    return (np.repeat(np.arange(len(widths)), widths) == np.arange(len(widths))[:, None]).astype(np.float64)


def sample_frames(groups: Sequence[WeightedFrames]) -> WeightedFrames:
    """Frames of all states, state by state, evenly thinned out to FRAMES."""
    step = max(1, -(-sum(map(len, groups)) // FRAMES))
    seen, parts = 0, []
    for group in groups:
        parts.append(group[-seen % step :: step])
        seen += len(group)
    frames = np.concatenate([part.frames for part in parts], dtype=np.float64)
    return WeightedFrames(frames, np.concatenate([part.weights for part in parts]))
