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
    with_squares,
)
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
        """e_rn(o_t) relative to the largest of its stream, (R, N, T), and the log of that, (R, T); features (T, D)."""

    def log_density(self, features: np.ndarray) -> np.ndarray:
        """ln b_j(o_t), the log density of every frame under every state, (T, S); features (T, D)."""
        return self.expect(features).log_density.T

    def expect(self, features: np.ndarray) -> CodebookShares:
        """E-step: what is to be known of frames (T, D) before it is known which states they belong to."""
        entries, peak = self.entries(features)
        density = np.stack([weights @ entry for weights, entry in zip(self.weights.swapaxes(0, 1), entries)])
        log_density = np.log(np.maximum(density, np.exp(LEAST_LOG_SHARE)))
        return CodebookShares(self, entries, density, (log_density + peak[:, None]).sum(0), features)

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
    bank : the bank
    entries : (R, N, T), as `CodebookBank.entries` gives them
    density : (R, S, T), sums of them weighted by the states
    log_density : (S, T)
    features : (T, D)
    """

    bank: CodebookBank
    entries: np.ndarray
    density: np.ndarray
    log_density: np.ndarray
    features: np.ndarray

    def _ratios(self, occupation: np.ndarray) -> np.ndarray:
        """The probability of a state, (S, T), over its density, by stream (R, S, T)."""
        return np.divide(occupation, self.density, out=np.zeros_like(self.density), where=self.density > 0)

    def shares(self, occupation: np.ndarray) -> np.ndarray:
        """The probability that a frame came from an entry, in whichever state, (R * N, 1, T)."""
        by_entry = np.einsum("srn,rst->rnt", self.bank.weights, self._ratios(occupation), optimize=True)
        by_entry *= self.entries
        return by_entry.reshape(-1, 1, by_entry.shape[-1])

    def statistics(self, occupation: np.ndarray) -> Statistics:
        """The sums that re-estimation needs, given the probability that a frame came from each state, (S, T)."""
        ratios = self._ratios(occupation)
        occupancy = np.stack([ratio @ entry.T for ratio, entry in zip(ratios, self.entries)], axis=1)
        occupancy *= self.bank.weights
        sums = self.bank.statistics()
        if sums.first_order.size:
            moments = self.shares(occupation)[:, 0] @ with_squares(self.features)
            first, second = np.split(moments.reshape(*sums.first_order.shape[:-1], -1), 2, axis=-1)
            sums.first_order, sums.second_order = first, second
        return replace(sums, occupancy=occupancy, frames=len(self.features))


def stream_masks(widths: Sequence[int]) -> np.ndarray:
    """Which dimensions belong to which stream, (R, D), one or zero."""
    return (np.repeat(np.arange(len(widths)), widths) == np.arange(len(widths))[:, None]).astype(np.float64)


def sample_frames(groups: Sequence[np.ndarray]) -> np.ndarray:
    """Frames of all states, state by state, evenly thinned out to FRAMES, (T, D)."""
    frames = np.concatenate(groups)
    return np.asarray(frames[:: max(1, -(-len(frames) // FRAMES))], dtype=np.float64)
