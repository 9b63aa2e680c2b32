"""Discrete densities: tables of how probable each cell of a vector quantiser is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import ClassVar

import numpy as np

from recognizer.acoustics.codebook import (
    CodebookBank,
    sample_frames,
    stream_masks,
)
from recognizer.acoustics.gaussians import (
    LEAST_LOG_SHARE,
    GaussianBank,
    Sizes,
    WeightedFrames,
    weighted_variance,
)
from recognizer.acoustics.kmeans import kmeans, nearest
from recognizer.acoustics.simplex import distribution_fault, floored_distribution
from recognizer.acoustics.statistics import Statistics
from recognizer.errors import TrainingError

STREAMS = 3  # of a discrete density: statics, deltas, accelerations
CELLS = 128  # of each stream of a discrete one: few enough for a state of a few hundred frames to fill them
PRIOR_FRAMES = 2.0  # of a state of a discrete density, that fall into the cells as those of all states do
SYMBOL_FLOOR = 1e-5  # of an output probability: an unseen symbol costs 11.5 nats, and rules no word out


@dataclass(frozen=True)
class DiscreteBank(CodebookBank):
    """Discrete densities: how probable every cell of a vector quantiser is in each state.

    Attributes
    ----------
    weights : (S, R, N), output probabilities
    centres : (R, N, D), of the cells
    precision : (R, D), of the dimensions in distances to them; zero for those of another stream
    """

    name: ClassVar[str] = "discrete"
    fitted_by: ClassVar[frozenset[str]] = frozenset({"map"})

    centres: np.ndarray
    precision: np.ndarray

    @property
    def dims(self) -> int:
        return self.centres.shape[-1]

    @property
    def cells(self) -> np.ndarray:
        """See `Density.cells`: the centres, zero in the dimensions of other streams."""
        return self.centres * (self.precision > 0)[:, None]

    def moments(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Density.moments`; how frames spread in a cell is not known, so the variance is that of all frames."""
        mean = np.einsum("srn,rnd->sd", self.weights[states], self.cells)
        return mean, np.broadcast_to(1.0 / self.precision.sum(0), mean.shape)

    @classmethod
    def start(cls, groups: Sequence[WeightedFrames], sizes: Sizes, mapped: Callable = map) -> DiscreteBank:
        """Cells from k-means of all frames together, stream by stream, and how the frames of each state fall into them.

        Parameters
        ----------
        groups : of each state, the width of its frames a multiple of STREAMS
        sizes : of which the codebook counts, for each stream; differences finer than the variance floor do not
        mapped : gives a function of the frames of each state
        """
        sample = sample_frames(groups)
        frames, weights = sample.frames, sample.weights
        dims, cells = frames.shape[1], min(sizes.codebook or CELLS, len(frames))
        if dims % STREAMS:
            raise TrainingError(
                f"{dims} values a frame are not {STREAMS} streams of equal width; a discrete density needs statics, "
                "deltas and accelerations"
            )
        of_stream = stream_masks([dims // STREAMS] * STREAMS) > 0
        precision = of_stream / np.maximum(weighted_variance(frames, weights), sizes.variance_floor)
        found = [kmeans(frames * np.sqrt(p), cells, weights)[0] for p in precision]
        size = min(len(centres) for centres in found)  # the rare cluster that k-means lost is lost to all streams
        scale = np.where(of_stream, 1.0 / np.sqrt(np.where(of_stream, precision, 1.0)), 0.0)
        centres = np.stack([c[:size] for c in found]) * scale[:, None]
        blank = cls(np.full((len(groups), STREAMS, size), 1.0 / size), centres, precision)
        counts = list(mapped(partial(_counted, blank), (group[:] for group in groups)))
        return blank.update(replace(blank.statistics(), occupancy=np.array(counts)), sizes.variance_floor)

    def symbols(self, features: np.ndarray) -> np.ndarray:
        """The cell of each stream that each frame (..., T, D) lies in, (..., T, R)."""
        scale = np.sqrt(self.precision)
        labels = [nearest(features * s, centres * s)[0] for s, centres in zip(scale, self.centres)]
        return np.stack(labels, axis=-1)

    @cached_property
    def _log_weights(self) -> np.ndarray:
        return np.log(np.maximum(self.weights, np.exp(LEAST_LOG_SHARE)))

    def log_density(self, features: np.ndarray) -> np.ndarray:
        """See `CodebookBank.log_density`; looked up, for a sum over cells would be one of zeros."""
        by_stream = zip(self._log_weights.transpose(1, 2, 0), self.symbols(features).T)
        return sum(log_weights[symbol] for log_weights, symbol in by_stream)

    def entries(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `CodebookBank.entries`: one in the cell that a frame lies in, zero in the others."""
        symbols = self.symbols(features).swapaxes(-1, -2)
        cells = np.arange(self.centres.shape[1])[:, None]
        return (symbols[..., None, :] == cells).astype(np.float64), np.zeros(symbols.shape)

    def update(self, statistics: Statistics, variance_floor: np.ndarray, borrowed_frames: float = 0.0) -> DiscreteBank:
        """M-step: maximum posterior, with a few frames in every state that fall into the cells as those of all do.

        Without them a cell that a state has not seen would be impossible in it (Rabiner 1989, section V.C).
        """
        overall = statistics.occupancy.sum(0)
        overall = overall / np.maximum(overall.sum(-1, keepdims=True), np.finfo(float).tiny)
        smoothed = statistics.occupancy + PRIOR_FRAMES * overall
        floor = min(SYMBOL_FLOOR, 0.1 / self.weights.shape[-1])
        weights = floored_distribution(smoothed, np.ones(smoothed.shape, dtype=bool), floor, self.weights)
        return replace(self, weights=weights)

    def statistics(self) -> Statistics:
        """Those of no frames."""
        return Statistics.zeros(self.weights.shape, (0, *self.centres.shape), shared=True)

    def gaussians(self, statistics: Statistics, states: slice) -> tuple[GaussianBank, Statistics]:
        """None: a bank of no Gaussians."""
        nothing = np.zeros((0, 1, self.dims))
        none = GaussianBank(np.zeros((0, 1)), nothing, nothing)
        return none, none.statistics()

    def with_gaussians(self, gaussians: GaussianBank, states: slice) -> DiscreteBank:
        """Itself, which has none."""
        return self

    def fault(self, states: int, dims: int) -> str | None:
        """What keeps it from being a bank of so many states over so many dimensions; None when nothing does."""
        shape = (*self.weights.shape[1:], dims)
        if self.weights.shape[:1] != (states,) or self.centres.shape != shape:
            return "cells do not fit its words and front end"
        if self.precision.shape != (shape[0], dims):
            return "streams do not fit its cells"
        if not (np.isfinite(self.centres).all() and ((self.precision >= 0) & (self.precision < np.inf)).all()):
            return "cells are not finite"
        return distribution_fault(self.weights)


def _counted(bank: DiscreteBank, group: WeightedFrames) -> list[np.ndarray]:
    """How many frames of a state fall into each cell, stream by stream, as they weigh."""
    cells = bank.centres.shape[1]
    return [np.bincount(s, group.weights, minlength=cells) for s in bank.symbols(group.frames).T]
