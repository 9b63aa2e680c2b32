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
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from recognizer.errors import ModelError, TrainingError
from recognizer.gmm import (
    CHUNK_VALUES,
    LEAST_LOG_SHARE,
    BorrowedVariance,
    GaussianBank,
    Sizes,
    distribution_fault,
    floored_distribution,
    from_clusters,
    gaussian_fault,
    kmeans,
    nearest,
    slices,
    updated_moments,
    updated_weights,
    with_squares,
)
from recognizer.htk import definitions as htk
from recognizer.statistics import Statistics, no_transitions

STREAMS = 3  # of a discrete density: statics, deltas, accelerations
FRAMES = 50_000  # to make a codebook from; more do not move it
GAUSSIANS = 256  # of a semi-continuous codebook, when nothing else is asked for
CELLS = 128  # of each stream of a discrete one
EM_ITERATIONS = 5  # of a semi-continuous codebook alone, before the words are trained
PRIOR_FRAMES = 2.0  # of a state of a discrete density, that fall into the cells as those of all states do
SYMBOL_FLOOR = 1e-5


@dataclass(frozen=True)
class CodebookBank:
    """S states' weights of the entries of a codebook in R streams.

    Attributes
    ----------
    weights : (S, R, N) float64, sums over the last axis are one
    """

    weights: np.ndarray

    @classmethod
    def check_codebook(cls, size: int | None) -> None:
        """See `Density.check_codebook`."""
        if size is not None and size < 1:
            raise TrainingError(f"codebook is {size}; it must be 1 or more")

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

    def _drawn(self, states: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """An entry of each stream for each of the given states, (T, R)."""
        entry = (random.random((len(states), self.weights.shape[1], 1)) > self.weights[states].cumsum(-1)).sum(-1)
        return np.minimum(entry, self.weights.shape[-1] - 1)


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

    @classmethod
    def start(cls, groups: Sequence[np.ndarray], sizes: Sizes) -> TiedBank:
        """A codebook from all frames together, and the weights from how the frames of each state fall into it.

        Parameters
        ----------
        groups : frames of each state, (T, D)
        sizes : of which the codebook counts, smaller where there are too few frames
        """
        floor = sizes.variance_floor
        shared = from_clusters(_sample(groups), sizes.codebook or GAUSSIANS, floor)
        shared = GaussianBank(*(x[:, shared.weights[0] > 0] for x in (shared.weights, shared.means, shared.variances)))
        for _ in range(EM_ITERATIONS):
            shared = shared.update(_seen(shared, _sample(groups)), floor)
        occupancy = [_seen(shared, group).occupancy[0] for group in groups]
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
        log_density = (matrix @ with_squares(features).T + constant).reshape(*self.means.shape[:2], -1)
        peak = log_density.max(1)
        log_density -= peak[:, None]
        np.maximum(log_density, LEAST_LOG_SHARE, out=log_density)
        return np.exp(log_density, out=log_density), peak

    def update(
        self, statistics: Statistics, variance_floor: np.ndarray, borrowed: BorrowedVariance | None = None
    ) -> TiedBank:
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

    def to_htk(self) -> tuple[list[tuple[htk.Density, ...]], dict[str, htk.Gaussians]]:
        """The density of every state as HTK defines it, and the codebook of each stream."""
        codebooks = {}
        for number, (means, variances, own) in enumerate(zip(self.means, self.variances, self.streams > 0), 1):
            equal = np.full(len(means), 1.0 / len(means))
            codebooks[f"codebook{number}_"] = htk.Gaussians(equal, means[:, own], variances[:, own])
        states = [tuple(htk.TiedWeights(name, w) for name, w in zip(codebooks, state)) for state in self.weights]
        return states, codebooks

    @classmethod
    def of_htk(
        cls, states: Sequence[tuple[htk.Density, ...]], codebooks: dict[str, htk.Gaussians], widths: tuple[int, ...]
    ) -> TiedBank:
        """From the densities of states as HTK defines them.

        Raises
        ------
        ModelError
            if states use different codebooks.
        """
        names = tuple(stream.codebook for stream in states[0])
        if any(tuple(stream.codebook for stream in state) != names for state in states):
            raise ModelError("its states use different codebooks, and one for all is read; tie them to one")
        size, dims = max(len(codebooks[name].means) for name in names), sum(widths)
        means, variances = np.zeros((len(names), size, dims)), np.ones((len(names), size, dims))
        streams = _streams(widths)
        for r, name in enumerate(names):
            own, found = np.flatnonzero(streams[r]), codebooks[name]
            means[r, : len(found.means), own] = found.means.T
            variances[r, : len(found.means), own] = found.variances.T
        return cls(_padded(states, "weights", size), means, variances, streams)

    def to_parameters(self, features: np.ndarray, kind: str) -> tuple[np.ndarray, str]:
        """Features as HTK has to be given them, (T, D), and their kind: as they are."""
        return features, kind

    def sample(self, states: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Features drawn at random, one frame from each of the given states, (T, D)."""
        entry = self._drawn(states, random)
        stream = np.arange(len(self.streams))
        drawn = random.standard_normal((len(states), *self.streams.shape))
        values = self.means[stream, entry] + np.sqrt(self.variances[stream, entry]) * drawn
        return (values * self.streams).sum(1)

    def state_means(self) -> np.ndarray:
        """The mean of the frames of each state, (S, D)."""
        return np.einsum("srn,rnd,rd->sd", self.weights, self.means, self.streams)

    def summary(self) -> dict[str, object]:
        """Its sizes, for people."""
        return {"streams": len(self.streams), "gaussians": self.means[..., 0].size}

    def shortage(self, mixtures: int, codebook: int | None) -> str | None:
        """See `Density.shortage`."""
        return _too_few(self.means.shape[1], codebook, "Gaussians")

    def fault(self, states: int, dims: int) -> str | None:
        """What keeps it from being a bank of so many states over so many dimensions; None when nothing does."""
        shape = (*self.weights.shape[1:], dims)
        if self.weights.shape[:1] != (states,) or not self.means.shape == self.variances.shape == shape:
            return "Gaussians do not fit its words and front end"
        if self.streams.shape != (shape[0], dims) or not np.isin(self.streams, (0, 1)).all():
            return "streams do not fit its Gaussians"
        return distribution_fault(self.weights) or gaussian_fault(self.means, self.variances)


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

    @classmethod
    def start(cls, groups: Sequence[np.ndarray], sizes: Sizes) -> DiscreteBank:
        """Cells from k-means of all frames together, stream by stream, and how the frames of each state fall into them.

        Parameters
        ----------
        groups : frames of each state, (T, D), D a multiple of STREAMS
        sizes : of which the codebook counts, for each stream; differences finer than the variance floor do not
        """
        frames = _sample(groups)
        dims, cells = frames.shape[1], min(sizes.codebook or CELLS, len(frames))
        if dims % STREAMS:
            raise TrainingError(
                f"{dims} values a frame are not {STREAMS} streams of equal width; a discrete density needs statics, "
                "deltas and accelerations"
            )
        of_stream = _streams([dims // STREAMS] * STREAMS) > 0
        precision = of_stream / np.maximum(frames.var(0), sizes.variance_floor)
        found = [kmeans(frames * np.sqrt(p), cells)[0] for p in precision]
        size = min(len(centres) for centres in found)  # the rare cluster that k-means lost is lost to all streams
        scale = np.where(of_stream, 1.0 / np.sqrt(np.where(of_stream, precision, 1.0)), 0.0)
        centres = np.stack([c[:size] for c in found]) * scale[:, None]
        blank = cls(np.full((len(groups), STREAMS, size), 1.0 / size), centres, precision)
        counts = [[np.bincount(s, minlength=size) for s in blank.symbols(group).T] for group in groups]
        return blank.update(replace(blank.statistics(), occupancy=np.array(counts, dtype=float)), sizes.variance_floor)

    def symbols(self, features: np.ndarray) -> np.ndarray:
        """The cell of each stream that each frame (T, D) lies in, (T, R)."""
        scale = np.sqrt(self.precision)
        labels = [nearest(features * s, centres * s)[0] for s, centres in zip(scale, self.centres)]
        return np.stack(labels, axis=1)

    @cached_property
    def _log_weights(self) -> np.ndarray:
        return np.log(np.maximum(self.weights, np.exp(LEAST_LOG_SHARE)))

    def log_density(self, features: np.ndarray) -> np.ndarray:
        """See `CodebookBank.log_density`; looked up, for a sum over cells would be one of zeros."""
        by_stream = zip(self._log_weights.transpose(1, 2, 0), self.symbols(features).T)
        return sum(log_weights[symbol] for log_weights, symbol in by_stream)

    def entries(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `CodebookBank.entries`: one in the cell that a frame lies in, zero in the others."""
        symbols = self.symbols(features).T
        cells = np.arange(self.centres.shape[1])[:, None]
        return (symbols[:, None] == cells).astype(np.float64), np.zeros(symbols.shape)

    def update(
        self, statistics: Statistics, variance_floor: np.ndarray, borrowed: BorrowedVariance | None = None
    ) -> DiscreteBank:
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

    def to_htk(self) -> tuple[list[tuple[htk.Density, ...]], dict[str, htk.Gaussians]]:
        """The density of every state as HTK defines it; there are no codebooks of Gaussians."""
        return [tuple(htk.Symbols(stream) for stream in state) for state in self.weights], {}

    @classmethod
    def of_htk(
        cls, states: Sequence[tuple[htk.Density, ...]], codebooks: dict[str, htk.Gaussians], widths: tuple[int, ...]
    ) -> DiscreteBank:
        """From the densities of states as HTK defines them: its features are the symbols themselves, from 1 on."""
        streams = np.eye(len(states[0]))
        size = max(len(stream.probabilities) for state in states for stream in state)
        centres = streams[:, None] * np.arange(1, size + 1)[:, None]
        return cls(_padded(states, "probabilities", size), centres, streams)

    def to_parameters(self, features: np.ndarray, kind: str) -> tuple[np.ndarray, str]:
        """Features as HTK has to be given them, and their kind: the symbols of the streams, (T, R), from 1 on."""
        return self.symbols(features).astype(np.float32) + 1, "DISCRETE"

    def sample(self, states: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Features drawn at random, the centre of a cell for each of the given states, (T, D)."""
        return (self.centres[np.arange(len(self.centres)), self._drawn(states, random)] * (self.precision > 0)).sum(1)

    def state_means(self) -> np.ndarray:
        """The mean of the frames of each state, (S, D)."""
        return np.einsum("srn,rnd,rd->sd", self.weights, self.centres, self.precision > 0)

    def summary(self) -> dict[str, object]:
        """Its sizes, for people."""
        return {"streams": self.centres.shape[0], "cells": self.centres.shape[1]}

    def shortage(self, mixtures: int, codebook: int | None) -> str | None:
        """See `Density.shortage`."""
        return _too_few(self.centres.shape[1], codebook, "cells")

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


def _streams(widths: Sequence[int]) -> np.ndarray:
    """Which dimensions belong to which stream, (R, D), one or zero."""
    return (np.repeat(np.arange(len(widths)), widths) == np.arange(len(widths))[:, None]).astype(np.float64)


def _padded(states: Sequence[tuple[htk.Density, ...]], name: str, size: int) -> np.ndarray:
    """Weights of all states and streams, (S, R, N)."""
    weights = [[getattr(stream, name) for stream in state] for state in states]
    return np.array([[np.pad(w, (0, size - len(w))) for w in state] for state in weights])


def _too_few(size: int, asked: int | None, what: str) -> str | None:
    if asked is None or size >= asked:
        return None
    few = f"the codebook has {size} {what}, not {asked}, for lack of frames"
    return f"{few}; record more or train with --codebook {size}"


def _rows(moments: np.ndarray) -> np.ndarray:
    """(..., N, D) as (M, 1, D)."""
    return moments.reshape(-1, 1, moments.shape[-1])


def _sample(groups: Sequence[np.ndarray]) -> np.ndarray:
    """Frames of all states, state by state, evenly thinned out to FRAMES, (T, D)."""
    frames = np.concatenate(groups)
    return np.asarray(frames[:: max(1, -(-len(frames) // FRAMES))], dtype=np.float64)


def _seen(shared: GaussianBank, frames: np.ndarray) -> Statistics:
    """Statistics of one mixture from frames (T, D), part by part."""
    total = shared.statistics()
    for part in slices(len(frames), CHUNK_VALUES // shared.weights.size):
        observations = with_squares(frames[part])
        total.add(Statistics.of_frames(shared.posteriors(observations)[0], observations))
    return total
