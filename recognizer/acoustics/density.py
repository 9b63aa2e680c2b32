"""What trains, decodes and adapts need of a density, whichever kind it is; and the kinds there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Protocol, Self

import numpy as np

from recognizer.acoustics.discrete import DiscreteBank
from recognizer.acoustics.gaussians import GaussianBank, Sizes, WeightedFrames
from recognizer.acoustics.statistics import Statistics
from recognizer.acoustics.tied import TiedBank

MOMENTS = frozenset({"means", "variances"})


class Shares(Protocol):
    """Frames under a density: the first half of an E-step, before it is known which states they belong to.

    Under a stack of densities, each with frames of its own, all arrays have a further axis in front.

    Attributes
    ----------
    log_density : (S, T)
    """

    log_density: np.ndarray

    def shares(self, occupation: np.ndarray) -> np.ndarray:
        """The probability that a frame came from a Gaussian, (K, S or 1, T), given that from its state, (S, T)."""

    def statistics(self, occupation: np.ndarray) -> Statistics:
        """The sums that re-estimation needs, given the probability that a frame came from each state, (S, T)."""


class Density(Protocol):
    """The output densities of S states; a frozen dataclass of arrays.

    Attributes
    ----------
    name : of the kind
    fitted_by : what can fit it to a speaker, of "map", "mllr" and "cmllr"
    has_codebook : whether its states share their components
    cells : (R, N, D), the features that the symbols of each stream stand for, a frame being the sum over its streams;
        None if it knows no symbols
    weights : (S, ..., K), by component of a state
    dims : D, of the features
    values : numbers that are computed for one frame
    """

    name: str
    fitted_by: frozenset[str]
    has_codebook: bool
    cells: np.ndarray | None
    weights: np.ndarray
    dims: int
    values: int

    @classmethod
    def start(cls, groups: Sequence[WeightedFrames], sizes: Sizes, mapped: Callable = map) -> Self:
        """From frames of each state, by k-means."""

    def log_density(self, features: np.ndarray) -> np.ndarray:
        """ln b_j(o_t), (T, S)."""

    def expect(self, features: np.ndarray) -> Shares:
        """E-step on frames (T, D)."""

    def statistics(self) -> Statistics:
        """Those of no frames."""

    def update(self, statistics: Statistics, variance_floor: np.ndarray, borrowed_frames: float = 0.0) -> Self:
        """M-step."""

    def drop_starved(self, statistics: Statistics, min_frames: float) -> Self:
        """Without components of its own that hold fewer frames."""

    def moments(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of the density of each of some states, (N, D) each."""

    def take(self, states: np.ndarray | slice) -> Self:
        """Some of its states."""

    def put(self, states: np.ndarray | slice, part: Self) -> Self:
        """With other densities for some of its states."""

    def gaussians(self, statistics: Statistics, states: slice) -> tuple[GaussianBank, Statistics]:
        """The Gaussians that some of its states use, with what was seen of them."""

    def with_gaussians(self, gaussians: GaussianBank, states: slice) -> Self:
        """With those replaced."""

    def fault(self, states: int, dims: int) -> str | None:
        """What keeps it from being a density of so many states over so many dimensions."""


KINDS: dict[str, type[Density]] = {kind.name: kind for kind in (GaussianBank, TiedBank, DiscreteBank)}


def arrays_of(density: Density) -> dict[str, np.ndarray]:
    """Its arrays by name, for a file."""
    return {f.name: getattr(density, f.name) for f in fields(density)}


def of_arrays(arrays: dict[str, np.ndarray]) -> Density:
    """The density that has these arrays.

    Raises
    ------
    KeyError
        if no kind has them.
    """
    kinds = {frozenset(f.name for f in fields(kind)): kind for kind in KINDS.values()}
    return kinds[frozenset(arrays)](**arrays)


def rounded(density: Density) -> Density:
    """With means and variances in single precision."""
    moments = {name: array for name, array in arrays_of(density).items() if name in MOMENTS}
    return replace(density, **{name: in_single_precision(array) for name, array in moments.items()})


def in_single_precision(array: np.ndarray) -> np.ndarray:
    """Rounded to seven digits, more than any training knows of a number: a file then takes half the room for it."""
    return array.astype(np.float32).astype(np.float64)


def alike(one: Density, other: Density) -> bool:
    """Whether two densities are of one kind and one size."""
    return _shapes(one) == _shapes(other)


def _shapes(density: Density) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in arrays_of(density).items()}
