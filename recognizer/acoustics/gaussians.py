"""Continuous densities: banks of diagonal Gaussian mixtures, their log densities, k-means, EM and splitting.

A bank holds S mixtures of at most K components over D dimensions, so that the densities of all states of
all words are one matrix product. A mixture with fewer than K components has weight zero in the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from recognizer.acoustics.kmeans import CHUNK_VALUES, kmeans, nearest, slices
from recognizer.acoustics.simplex import distribution_fault, floored_distribution
from recognizer.acoustics.statistics import Statistics

WEIGHT_FLOOR = 1e-3  # of a component that is in use; keeps a rarely visited one reachable
MIN_FRAMES = 6  # a component needs to have a mean and a variance worth the name
LEAST_LOG_SHARE = -230.0  # e to this is 1e-100: beside the best it adds nothing, and no product is denormal and slow
MIN_OCCUPANCY = 1e-3  # frames below which a component has no data of its own and keeps its parameters


@dataclass(frozen=True)
class BorrowedVariance:
    """What is known of variances beforehand: as if every component had seen more frames than it did.

    Attributes
    ----------
    variance : (D,), about the component's mean
    frames : how many
    """

    variance: np.ndarray
    frames: float


@dataclass(frozen=True)
class Sizes:
    """What a density is started with.

    Attributes
    ----------
    mixtures : Gaussians of a state, where it has its own
    codebook : Gaussians or cells that all states share, where they do; as many as is usual when None
    variance_floor : (D,)
    borrowed : a prior of the variances
    """

    mixtures: int
    codebook: int | None
    variance_floor: np.ndarray
    borrowed: BorrowedVariance | None = None


@dataclass(frozen=True)
class GaussianBank:
    """S mixtures of K diagonal Gaussians.

    Attributes
    ----------
    weights : (S, K) float64, rows sum to one, zero marks an unused component
    means : (S, K, D) float64
    variances : (S, K, D) float64, positive
    """

    name: ClassVar[str] = "continuous"
    fitted_by: ClassVar[frozenset[str]] = frozenset({"map", "mllr", "cmllr"})
    has_codebook: ClassVar[bool] = False
    cells: ClassVar[np.ndarray | None] = None

    weights: np.ndarray
    means: np.ndarray
    variances: np.ndarray

    @property
    def dims(self) -> int:
        """D, of the features."""
        return self.means.shape[-1]

    @property
    def values(self) -> int:
        """Numbers that are computed for one frame."""
        return self.weights.size

    @cached_property
    def _affine(self) -> tuple[np.ndarray, np.ndarray]:
        """Log densities as an affine map of [x, x**2]: (K*S, 2D) matrix and (K*S, 1) constant."""
        states, mixtures, dims = self.means.shape
        precision = 1.0 / self.variances
        with np.errstate(divide="ignore"):  # an unused component has log weight -inf
            log_weights = np.log(self.weights)
        constant = log_weights - 0.5 * (
            dims * np.log(2 * np.pi) + np.log(self.variances).sum(-1) + (self.means**2 * precision).sum(-1)
        )
        matrix = np.concatenate([self.means * precision, -0.5 * precision], axis=-1)
        return matrix.transpose(1, 0, 2).reshape(mixtures * states, 2 * dims), constant.T.reshape(-1, 1)

    def component_log_density(self, observations: np.ndarray) -> np.ndarray:
        """ln(c_k N(o_t; mu_k, Sigma_k)) of every component.

        Parameters
        ----------
        observations : (T, 2D), frames beside their squares, see `with_squares`

        Returns
        -------
        (K, S, T) float64; frames last, because reductions over components are then contiguous
        """
        states, mixtures, _ = self.means.shape
        matrix, constant = self._affine
        log_density = matrix @ observations.T
        log_density += constant
        return log_density.reshape(mixtures, states, len(observations))

    def expect(self, features: np.ndarray) -> MixtureShares:
        """E-step: what is to be known of frames before it is known which mixtures they belong to.

        Parameters
        ----------
        features : (T, D)
        """
        observations = with_squares(features)
        return MixtureShares(*self.posteriors(observations), observations)

    def log_density(self, features: np.ndarray) -> np.ndarray:
        """ln b_j(o_t), the log density of every frame under every mixture.

        Parameters
        ----------
        features : (T, D)

        Returns
        -------
        (T, S) float64
        """
        return _normalise(self.component_log_density(with_squares(features))).T

    def posteriors(self, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Share of each component in its mixture, (K, S, T), and ln b_j(o_t), (S, T).

        Parameters
        ----------
        observations : (T, 2D), frames beside their squares
        """
        components = self.component_log_density(observations)
        log_density = _normalise(components, shares=True)
        components[self.weights.T == 0] = 0.0
        return components, log_density

    def take(self, states: np.ndarray | slice) -> GaussianBank:
        """The bank of the given mixtures, in the given order."""
        return GaussianBank(self.weights[states], self.means[states], self.variances[states])

    def put(self, states: np.ndarray | slice, part: GaussianBank) -> GaussianBank:
        """With the given mixtures in place of its own."""
        arrays = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        for name, array in arrays.items():
            array[states] = getattr(part, name)
        return GaussianBank(**arrays)

    def statistics(self) -> Statistics:
        """Those of no frames."""
        return Statistics.zeros(self.weights.shape, self.means.shape)

    def gaussians(self, statistics: Statistics, states: slice) -> tuple[GaussianBank, Statistics]:
        """The Gaussians of the given mixtures, with what was seen of them."""
        return self.take(states), statistics.take(states)

    def with_gaussians(self, gaussians: GaussianBank, states: slice) -> GaussianBank:
        """With the Gaussians that `gaussians` gave replaced; the weights stay."""
        return self.put(states, replace(gaussians, weights=self.weights[states]))

    def fault(self, states: int, dims: int) -> str | None:
        """What keeps it from being a bank of so many mixtures over so many dimensions; None when nothing does."""
        shape = (states, *self.weights.shape[1:2], dims)
        if self.weights.shape != shape[:-1] or not self.means.shape == self.variances.shape == shape:
            return "Gaussians do not fit its words and front end"
        return distribution_fault(self.weights) or gaussian_fault(self.means, self.variances)

    def update(
        self, statistics: Statistics, variance_floor: np.ndarray, borrowed: BorrowedVariance | None = None
    ) -> GaussianBank:
        """M-step: the bank that maximises the likelihood of the statistics, floors respected.

        The floored variance and the floored weights are the exact maxima under those constraints, so EM with
        floors still never lowers the likelihood. A component without data keeps its mean and variance.

        Parameters
        ----------
        statistics : sums over frames, same shape as the bank
        variance_floor : (D,)
        borrowed : a prior of the variances, for few data: then it is the posterior that is maximised
        """
        weights = updated_weights(self.weights, statistics)
        return GaussianBank(weights, *updated_moments(self.means, self.variances, statistics, variance_floor, borrowed))

    def drop_starved(self, statistics: Statistics, min_frames: float) -> GaussianBank:
        """Without the components that hold fewer than `min_frames` frames; the best of each mixture stays."""
        occupancy = np.where(self.weights > 0, statistics.occupancy, -1.0)
        keep = (occupancy >= min_frames) | (occupancy == occupancy.max(1, keepdims=True))
        weights = np.where(keep, self.weights, 0.0)
        return GaussianBank(weights / weights.sum(1, keepdims=True), self.means, self.variances)

    @classmethod
    def start(cls, groups: Sequence[np.ndarray], sizes: Sizes) -> GaussianBank:
        """A mixture for each group of frames, from k-means within it.

        Parameters
        ----------
        groups : frames of each state, (T, D)
        sizes : of which the codebook is of no use, for every state has its own
        """
        parts = [from_clusters(g, sizes.mixtures, sizes.variance_floor, sizes.borrowed) for g in groups]
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))

    def split(self, mixtures: int) -> GaussianBank:
        """Grow every mixture to `mixtures` components by splitting the heaviest, means 0.2 deviations apart.

        The rule is HTK's (HTK Book, "Mixture Incrementing"): weight halved, means moved by plus and minus
        0.2 standard deviations, one split at a time.
        """
        states, old, _ = self.means.shape
        if mixtures <= old:
            return self
        pad = mixtures - old
        weights = np.pad(self.weights, ((0, 0), (0, pad)))
        means = np.pad(self.means, ((0, 0), (0, pad), (0, 0)))
        variances = np.pad(self.variances, ((0, 0), (0, pad), (0, 0)), constant_values=1.0)
        rows = np.arange(states)
        for _ in range(mixtures - int((weights > 0).sum(1).min())):
            room = (weights == 0).any(1)
            source, target = weights.argmax(1)[room], (weights == 0).argmax(1)[room]
            row = rows[room]
            offset = 0.2 * np.sqrt(variances[row, source])
            weights[row, target] = weights[row, source] = weights[row, source] / 2
            means[row, target] = means[row, source] + offset
            means[row, source] -= offset
            variances[row, target] = variances[row, source]
        return GaussianBank(weights, means, variances)


@dataclass(frozen=True)
class MixtureShares:
    """Frames under a bank: how each mixture shares them out among its components.

    Attributes
    ----------
    posteriors : (K, S, T), the share of each component in its mixture
    log_density : (S, T)
    observations : (T, 2D), the frames beside their squares
    """

    posteriors: np.ndarray
    log_density: np.ndarray
    observations: np.ndarray

    def shares(self, occupation: np.ndarray) -> np.ndarray:
        """The probability that a frame came from a component, (K, S, T), given that from its mixture, (S, T)."""
        return self.posteriors * occupation

    def statistics(self, occupation: np.ndarray) -> Statistics:
        """The sums that re-estimation needs, given the probability that a frame came from each mixture, (S, T)."""
        return Statistics.of_frames(self.shares(occupation), self.observations)


def updated_weights(weights: np.ndarray, statistics: Statistics) -> np.ndarray:
    """M-step of mixture weights, (..., K), none of those in use under the floor."""
    floor = min(WEIGHT_FLOOR, 0.1 / weights.shape[-1])
    return floored_distribution(statistics.occupancy, weights > 0, floor, weights)


def updated_moments(
    means: np.ndarray,
    variances: np.ndarray,
    statistics: Statistics,
    variance_floor: np.ndarray,
    borrowed: BorrowedVariance | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """M-step of means and variances, (..., K, D); see `GaussianBank.update`."""
    occupancy = statistics.component_occupancy[..., None]
    seen = occupancy > MIN_OCCUPANCY
    count = np.where(seen, occupancy, 1.0)
    new_means = np.where(seen, statistics.first_order / count, means)
    new_variances = np.where(seen, statistics.second_order / count - new_means**2, variances)
    if borrowed is not None:
        share = borrowed.frames / (borrowed.frames + count)
        new_variances = np.where(seen, share * borrowed.variance + (1.0 - share) * new_variances, new_variances)
    return new_means, np.maximum(new_variances, variance_floor)


def gaussian_fault(means: np.ndarray, variances: np.ndarray) -> str | None:
    """What keeps means and variances from being those of Gaussians."""
    if np.isfinite(means).all() and ((variances > 0) & (variances < np.inf)).all():
        return None
    return "means and variances are not finite and positive"


def with_squares(features: np.ndarray) -> np.ndarray:
    """[x, x**2], the sufficient statistic of a diagonal Gaussian, (T, 2D) float64."""
    dims = features.shape[1]
    observations = np.empty((len(features), 2 * dims))
    observations[:, :dims] = features
    np.square(observations[:, :dims], out=observations[:, dims:])
    return observations


def _normalise(components: np.ndarray, shares: bool = False) -> np.ndarray:
    """Log-sum-exp over components, in place: (K, S, T) -> (S, T); `shares` leaves posteriors behind."""
    peak = components.max(0)
    components -= peak
    np.maximum(components, LEAST_LOG_SHARE, out=components)
    np.exp(components, out=components)
    total = components.sum(0)
    if shares:
        components /= total
    return np.log(total) + peak


def from_clusters(
    features: np.ndarray, mixtures: int, variance_floor: np.ndarray, borrowed: BorrowedVariance | None = None
) -> GaussianBank:
    """One mixture whose components are the k-means clusters of the frames.

    Parameters
    ----------
    features : (T, D)
    mixtures : components asked; fewer are made where there are under `MIN_FRAMES` frames for each
    variance_floor : (D,)
    borrowed : a prior of the variances

    Returns
    -------
    GaussianBank of one mixture with `mixtures` places
    """
    features = np.asarray(features, dtype=np.float64)
    scale = np.sqrt(np.maximum(features.var(0), variance_floor))  # a constant dimension does not divide by zero
    centres, _ = kmeans(features / scale, max(1, min(mixtures, len(features) // MIN_FRAMES)))
    label, _ = nearest(features / scale, centres)
    blank = single_gaussian(features, variance_floor)
    moments = (1, mixtures, features.shape[1])
    statistics = Statistics.zeros(moments[:2], moments)
    for part in slices(len(features), CHUNK_VALUES // mixtures):
        posteriors = (label[part] == np.arange(mixtures)[:, None]).astype(np.float64)[:, None]
        statistics.add(Statistics.of_frames(posteriors, with_squares(features[part])))
    start = GaussianBank(
        (statistics.occupancy > 0).astype(np.float64),
        np.repeat(blank.means, mixtures, 1),
        np.repeat(blank.variances, mixtures, 1),
    )
    return start.update(statistics, variance_floor, borrowed)


def single_gaussian(features: np.ndarray, variance_floor: np.ndarray) -> GaussianBank:
    """One mixture of one Gaussian: the mean and the variance of the frames."""
    features = np.asarray(features, dtype=np.float64)
    mean, variance = features.mean(0), np.maximum(features.var(0), variance_floor)
    return GaussianBank(np.ones((1, 1)), mean[None, None], variance[None, None])
