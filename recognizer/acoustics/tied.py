"""Semi-continuous densities: mixtures of Gaussians that all states share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import ClassVar

import numpy as np

from recognizer.acoustics.codebook import (
    CodebookBank,
    sample_frames,
)
from recognizer.acoustics.gaussians import (
    LEAST_LOG_SHARE,
    GaussianBank,
    Sizes,
    WeightedFrames,
    from_clusters,
    gaussian_fault,
    mixture_moments,
    updated_moments,
    updated_weights,
    with_squares,
)
from recognizer.acoustics.kmeans import CHUNK_VALUES, slices
from recognizer.acoustics.simplex import distribution_fault
from recognizer.acoustics.statistics import Statistics, no_transitions

GAUSSIANS = 256  # of a semi-continuous codebook, when nothing else is asked for: a usual size
EM_ITERATIONS = 5  # of a semi-continuous codebook alone; the training of the words goes on with it


@dataclass(frozen=True)
class TiedBank(CodebookBank):
    """Semi-continuous densities: mixtures of the same Gaussians for all states.

    Attributes
    ----------
    weights : (S, R, N)
    means, variances : (R, N, D) float64
    streams : (R, D) float64, one where a stream has the dimension, zero where it is another's
    """

    name: ClassVar[str] = "semi-continuous"

    means: np.ndarray
    variances: np.ndarray
    streams: np.ndarray

    @property
    def fitted_by(self) -> frozenset[str]:
        """Ways to fit it to a speaker: with several streams, no transform knows which dimensions it may mix."""
        return frozenset({"map", "mllr", "cmllr"} if len(self.streams) == 1 else {"map"})

    @property
    def dims(self) -> int:
        return self.means.shape[-1]

    def moments(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Density.moments`; every stream has the moments of its own dimensions."""
        by_stream = [
            mixture_moments(weights[..., None], means, variances)
            for weights, means, variances in zip(self.weights[states].swapaxes(0, 1), self.means, self.variances)
        ]
        means, variances = (np.stack(moments) for moments in zip(*by_stream))
        own = self.streams[:, None]
        return (own * means).sum(0), (own * variances).sum(0)

    @classmethod
    def start(cls, groups: Sequence[WeightedFrames], sizes: Sizes, mapped: Callable = map) -> TiedBank:
        """A codebook from all frames together, and the weights from how the frames of each state fall into it.

        Parameters
        ----------
        groups : of each state
        sizes : of which the codebook counts, smaller where there are too few frames
        mapped : gives a function of the frames of each state
        """
        floor, sample = sizes.variance_floor, sample_frames(groups)
        shared = from_clusters(sample.frames, sizes.codebook or GAUSSIANS, floor, sample.weights)
        shared = GaussianBank(*(x[:, shared.weights[0] > 0] for x in (shared.weights, shared.means, shared.variances)))
        for _ in range(EM_ITERATIONS):
            shared = shared.update(_seen(shared, sample), floor)
        seen = mapped(partial(_seen, shared), (group[:] for group in groups))
        occupancy = [statistics.occupancy[0] for statistics in seen]
        bank = cls(
            shared.weights[None].repeat(len(groups), 0),
            shared.means,
            shared.variances,
            np.ones((1, shared.means.shape[-1])),
        )
        counted = replace(bank.statistics(), occupancy=np.stack(occupancy)[:, None])
        return replace(bank, weights=updated_weights(bank.weights, counted))

    @cached_property
    def _affine(self) -> tuple[np.ndarray, np.ndarray]:
        """Log densities as an affine map of [x, x**2]: (R * N, 2D) and (R * N, 1)."""
        precision = self.streams[:, None] / self.variances
        spread = self.streams[:, None] * np.log(2 * np.pi * self.variances)
        constant = -0.5 * (spread + self.means**2 * precision).sum(-1)
        matrix = np.concatenate([self.means * precision, -0.5 * precision], axis=-1)
        return matrix.reshape(-1, 2 * self.dims), constant.reshape(-1, 1)

    def entries(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `CodebookBank.entries`: the densities of the Gaussians."""
        matrix, constant = self._affine
        log_density = matrix @ with_squares(features).swapaxes(-1, -2)
        log_density += constant
        log_density = log_density.reshape(*features.shape[:-2], *self.means.shape[:2], -1)
        peak = log_density.max(-2)
        log_density -= peak[..., None, :]
        np.maximum(log_density, LEAST_LOG_SHARE, out=log_density)
        return np.exp(log_density, out=log_density), peak

    def update(self, statistics: Statistics, variance_floor: np.ndarray, borrowed_frames: float = 0.0) -> TiedBank:
        """M-step: as of `GaussianBank.update`, the codebook from the frames of all states."""
        means, variances = updated_moments(self.means, self.variances, statistics, variance_floor)
        weights = updated_weights(self.weights, statistics)
        return TiedBank(weights, means.reshape(self.means.shape), variances.reshape(self.means.shape), self.streams)

    def statistics(self) -> Statistics:
        """Those of no frames."""
        return Statistics.zeros(self.weights.shape, (1, *self.means.shape), shared=True)

    def gaussians(self, statistics: Statistics, states: slice) -> tuple[GaussianBank, Statistics]:
        """The Gaussians of the codebook, as a mixture of one each, with what was seen of them in all states."""
        own = GaussianBank(np.ones((self.means[..., 0].size, 1)), *(_rows(x) for x in (self.means, self.variances)))
        sums = (
            statistics.component_occupancy.reshape(-1, 1),
            _rows(statistics.first_order),
            _rows(statistics.second_order),
        )
        return own, Statistics(*sums, no_transitions(), statistics.log_likelihood, statistics.frames)

    def with_gaussians(self, gaussians: GaussianBank, states: slice) -> TiedBank:
        """With the Gaussians that `gaussians` gave replaced; the weights stay."""
        means, variances = (x.reshape(self.means.shape) for x in (gaussians.means, gaussians.variances))
        return replace(self, means=means, variances=variances)

    def fault(self, states: int, dims: int) -> str | None:
        """What keeps it from being a bank of so many states over so many dimensions; None when nothing does."""
        shape = (*self.weights.shape[1:], dims)
        if self.weights.shape[:1] != (states,) or not self.means.shape == self.variances.shape == shape:
            return "Gaussians do not fit its words and front end"
        if self.streams.shape != (shape[0], dims) or not np.isin(self.streams, (0, 1)).all():
            return "streams do not fit its Gaussians"
        return distribution_fault(self.weights) or gaussian_fault(self.means, self.variances)


def _rows(moments: np.ndarray) -> np.ndarray:
    """(..., N, D) as (M, 1, D)."""
    return moments.reshape(-1, 1, moments.shape[-1])


def _seen(shared: GaussianBank, group: WeightedFrames) -> Statistics:
    """Statistics of one mixture from frames, part by part."""
    total, frames, weights = shared.statistics(), group.frames, group.weights
    for part in slices(len(group), CHUNK_VALUES // shared.weights.size):
        observations = with_squares(frames[part])
        shares, _ = shared.posteriors(observations)
        shares *= weights[part]
        total.add(Statistics.of_frames(shares, observations))
    return total
