"""Continuous densities: banks of diagonal Gaussian mixtures, their log densities, k-means, EM and splitting.

A bank holds S mixtures of at most K components over D dimensions, so that the densities of all states of
all words are one matrix product. A mixture with fewer than K components has weight zero in the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from typing import ClassVar

import numpy as np

from recognizer.acoustics.kmeans import CHUNK_VALUES, kmeans_of_groups, memberships, nearest, slices
from recognizer.acoustics.recursions import groups as of_similar_length
from recognizer.acoustics.simplex import distribution_fault, floored_distribution
from recognizer.acoustics.statistics import Statistics, no_transitions

WEIGHT_FLOOR = 1e-3  # of a component that is in use; keeps a rarely visited one reachable
STACKED_FRAMES = 16_384  # of groups that are clustered at once: 10 MB of 39 features and their squares
MIN_FRAMES = 6  # a component needs to have a mean and a variance worth the name
LEAST_LOG_SHARE = -230.0  # e to this is 1e-100: beside the best it adds nothing, and no product is denormal and slow
MIN_OCCUPANCY = 1e-3  # frames below which a component has no data of its own and keeps its parameters


@dataclass(frozen=True)
class Sizes:
    """What a density is started with.

    Attributes
    ----------
    mixtures : Gaussians of a state, where it has its own
    codebook : Gaussians or cells that all states share, where they do; as many as is usual when None
    variance_floor : (D,)
    borrowed_frames : of a prior of the variances, see `updated_moments`
    """

    mixtures: int
    codebook: int | None
    variance_floor: np.ndarray
    borrowed_frames: float = 0.0


@dataclass(frozen=True)
class WeightedFrames:
    """Frames to start a density from.

    Attributes
    ----------
    frames : (T, D)
    weights : (T,), as how many frames each counts, over 0
    """

    frames: np.ndarray
    weights: np.ndarray

    @property
    def dims(self) -> int:
        """D."""
        return self.frames.shape[1]

    @property
    def dtype(self) -> np.dtype:
        """Of the frames."""
        return self.frames.dtype

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, part: object) -> WeightedFrames:
        return WeightedFrames(self.frames[part], self.weights[part])


@dataclass(frozen=True)
class GaussianBank:
    """S mixtures of K diagonal Gaussians.

    A stack of banks, each for frames of its own, has a further axis in front of all arrays; `take` with rows
    (G, S) gives one.

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
        *stack, states, mixtures, dims = self.means.shape
        precision = 1.0 / self.variances
        with np.errstate(divide="ignore"):  # an unused component has log weight -inf
            log_weights = np.log(self.weights)
        constant = log_weights - 0.5 * (
            dims * np.log(2 * np.pi) + np.log(self.variances).sum(-1) + (self.means**2 * precision).sum(-1)
        )
        matrix = np.concatenate([self.means * precision, -0.5 * precision], axis=-1)
        rows = mixtures * states
        return matrix.swapaxes(-3, -2).reshape(*stack, rows, -1), constant.swapaxes(-1, -2).reshape(*stack, rows, 1)

    def component_log_density(self, observations: np.ndarray) -> np.ndarray:
        """ln(c_k N(o_t; mu_k, Sigma_k)) of every component.

        Parameters
        ----------
        observations : (T, 2D), frames beside their squares, see `with_squares`

        Returns
        -------
        (K, S, T) float64; frames last, because reductions over components are then contiguous
        """
        *stack, states, mixtures, _ = self.means.shape
        matrix, constant = self._affine
        log_density = matrix @ observations.swapaxes(-1, -2)
        log_density += constant
        return log_density.reshape(*stack, mixtures, states, -1)

    def expect(self, features: np.ndarray) -> MixtureShares:
        """E-step: what is to be known of frames before it is known which mixtures they belong to.

        Parameters
        ----------
        features : (T, D)
        """
        observations = with_squares(features)
        return MixtureShares(*self._unnormalised(observations), observations)

    def moments(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `Density.moments`."""
        part = self.take(states)
        return mixture_moments(part.weights[..., None], part.means, part.variances)

    def log_density(self, features: np.ndarray) -> np.ndarray:
        """ln b_j(o_t), the log density of every frame under every mixture.

        Parameters
        ----------
        features : (T, D)

        Returns
        -------
        (T, S) float64
        """
        parts = slices(
            max(1, len(features)), CHUNK_VALUES // max(1, self.values)
        )  # the components of all would not fit
        found = [_exponentials(self.component_log_density(with_squares(features[part]))) for part in parts]
        return np.concatenate([(np.log(total) + peak).T for total, peak in found])

    def posteriors(self, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Share of each component in its mixture, (K, S, T), and ln b_j(o_t), (S, T).

        Parameters
        ----------
        observations : (T, 2D), frames beside their squares
        """
        components, total, log_density = self._unnormalised(observations)
        components /= total[..., None, :, :]
        return components, log_density

    def _unnormalised(self, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Densities of the components relative to the largest of their mixture, their sums, and ln b_j(o_t)."""
        components = self.component_log_density(observations)
        total, peak = _exponentials(components)
        components[self.weights.swapaxes(-1, -2) == 0] = 0.0
        return components, total, np.log(total) + peak

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

    def update(self, statistics: Statistics, variance_floor: np.ndarray, borrowed_frames: float = 0.0) -> GaussianBank:
        """M-step: the bank that maximises the likelihood of the statistics, floors respected.

        The floored variance and the floored weights are the exact maxima under those constraints, so EM with
        floors still never lowers the likelihood. A component without data keeps its mean and variance.

        Parameters
        ----------
        statistics : sums over frames, same shape as the bank
        variance_floor : (D,)
        borrowed_frames : for few data: every component counts as having seen so many frames more, which spread about
            its mean as `pooled_variance` says
        """
        weights = updated_weights(self.weights, statistics)
        return GaussianBank(
            weights, *updated_moments(self.means, self.variances, statistics, variance_floor, borrowed_frames)
        )

    def drop_starved(self, statistics: Statistics, min_frames: float) -> GaussianBank:
        """Without the components that hold fewer than `min_frames` frames; the best of each mixture stays."""
        occupancy = np.where(self.weights > 0, statistics.occupancy, -1.0)
        keep = (occupancy >= min_frames) | (occupancy == occupancy.max(1, keepdims=True))
        weights = np.where(keep, self.weights, 0.0)
        return GaussianBank(weights / weights.sum(1, keepdims=True), self.means, self.variances)

    @classmethod
    def start(cls, groups: Sequence[WeightedFrames], sizes: Sizes, mapped: Callable = map) -> GaussianBank:
        """A mixture for each group of frames, from k-means within it.

        Parameters
        ----------
        groups : of each state
        sizes : of which the codebook is of no use, for every state has its own
        mapped : gives a function of each of many stacks of frames
        """
        lengths = np.array([len(group) for group in groups])
        shape = (len(groups), sizes.mixtures, groups[0].dims)
        means, variances = np.empty(shape), np.empty(shape)
        statistics = Statistics.zeros(shape[:2], shape)
        parts = list(of_similar_length(lengths, STACKED_FRAMES))[::-1]  # the longest is not waited for alone at the end
        stacks = (_stack([groups[member] for member in members]) for members in parts)
        for members, (blank, found) in zip(parts, mapped(partial(_clustered, sizes), stacks), strict=True):
            means[members], variances[members] = blank.means, blank.variances
            statistics.add(found, members)
        start = cls((statistics.occupancy > 0).astype(np.float64), means, variances)
        return start.update(statistics, sizes.variance_floor, sizes.borrowed_frames)


def _stack(groups: Sequence[WeightedFrames]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames (G, T, D), their weights (G, T), and the frames of each group (G,); past those, zeros."""
    lengths = np.array([len(group) for group in groups])
    frames = np.zeros((len(groups), lengths.max(), groups[0].dims), groups[0].dtype)
    weights = np.zeros(frames.shape[:2])
    for place, group in enumerate(groups):
        inside = slice(lengths[place])
        frames[place, inside], weights[place, inside] = group.frames, group.weights
    return frames, weights, lengths


@dataclass(frozen=True)
class MixtureShares:
    """Frames under a bank: how each mixture shares them out among its components.

    Attributes
    ----------
    components : (..., K, S, T), density of each component, relative to the largest of its mixture
    total : (..., S, T), their sums
    log_density : (..., S, T)
    observations : (..., T, 2D), the frames beside their squares
    """

    components: np.ndarray
    total: np.ndarray
    log_density: np.ndarray
    observations: np.ndarray

    def shares(self, occupation: np.ndarray) -> np.ndarray:
        """See `density.Shares.shares`: (..., K, S, T)."""
        return self.components * (occupation / self.total)[..., None, :, :]

    def statistics(self, occupation: np.ndarray) -> Statistics:
        """See `density.Shares.statistics`."""
        *stack, mixtures, states, frames = self.components.shape
        ratio = occupation / self.total
        if stack and len(ratio) > 1:
            shares = (self.components * ratio[..., None, :, :]).reshape(*stack, mixtures * states, frames)
            moments = (shares @ self.observations).reshape(*stack, mixtures, states, -1).swapaxes(-3, -2)
            occupancy = shares.sum(-1).reshape(*stack, mixtures, states).swapaxes(-1, -2)
        else:
            occupancy, moments = self._by_state(ratio.reshape(states, frames))
            occupancy, moments = (x.reshape(*stack, *x.shape) for x in (occupancy, moments))
        first, second = np.split(moments, 2, axis=-1)
        return Statistics(occupancy, first, second, no_transitions(), 0.0, frames)

    def _by_state(self, ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of many frames, most belong to few states, and only those are summed for a state."""
        states, frames = ratio.shape
        components = self.components.reshape(-1, states, frames)
        observations = self.observations.reshape(frames, -1)
        occupancy, moments = np.empty((states, len(components))), []
        for state, part in enumerate(ratio):
            heard = np.flatnonzero(part)
            shares = components[:, state].take(heard, axis=1) * part[heard]
            occupancy[state] = shares.sum(1)
            moments.append(shares @ observations.take(heard, axis=0))
        return occupancy, np.stack(moments)


def updated_weights(weights: np.ndarray, statistics: Statistics) -> np.ndarray:
    """M-step of mixture weights, (..., K), none of those in use under the floor."""
    floor = min(WEIGHT_FLOOR, 0.1 / weights.shape[-1])
    return floored_distribution(statistics.occupancy, weights > 0, floor, weights)


def updated_moments(
    means: np.ndarray,
    variances: np.ndarray,
    statistics: Statistics,
    variance_floor: np.ndarray,
    borrowed_frames: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """M-step of means and variances, (..., K, D); see `GaussianBank.update`."""
    occupancy = statistics.component_occupancy[..., None]
    seen = occupancy > MIN_OCCUPANCY
    count = np.where(seen, occupancy, 1.0)
    new_means = np.where(seen, statistics.first_order / count, means)
    new_variances = np.where(seen, statistics.second_order / count - new_means**2, variances)
    if borrowed_frames:
        share = borrowed_frames / (borrowed_frames + count)
        pooled = share * pooled_variance(statistics) + (1.0 - share) * new_variances
        new_variances = np.where(seen, pooled, new_variances)
    return new_means, np.maximum(new_variances, variance_floor)


def pooled_variance(statistics: Statistics) -> np.ndarray:
    """How frames spread about the mean of their mixture, on average of the mixtures, (D,)."""
    count, first, second = (
        x.sum(-2) for x in (statistics.occupancy[..., None], statistics.first_order, statistics.second_order)
    )
    seen = count[:, 0] > MIN_OCCUPANCY
    count, first, second = count[seen], first[seen], second[seen]
    return np.maximum(second / count - (first / count) ** 2, 0.0).mean(0)


def gaussian_fault(means: np.ndarray, variances: np.ndarray) -> str | None:
    """What keeps means and variances from being those of Gaussians."""
    if np.isfinite(means).all() and ((variances > 0) & (variances < np.inf)).all():
        return None
    return "means and variances are not finite and positive"


def weighted_variance(frames: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Variance of frames, (T, D), that count as the weights say, (T,); (D,) float64."""
    mean = np.average(frames, 0, weights)
    return np.average(np.square(frames - mean), 0, weights)


def with_squares(features: np.ndarray) -> np.ndarray:
    """[x, x**2], the sufficient statistic of a diagonal Gaussian, (..., T, 2D) float64."""
    dims = features.shape[-1]
    observations = np.empty((*features.shape[:-1], 2 * dims))
    observations[..., :dims] = features
    np.square(observations[..., :dims], out=observations[..., dims:])
    return observations


def _exponentials(components: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exponentials relative to the largest component, in place, (..., K, S, T); their sums, and the largest."""
    peak = components.max(-3)
    components -= peak[..., None, :, :]
    np.maximum(components, LEAST_LOG_SHARE, out=components)
    np.exp(components, out=components)
    return components.sum(-3), peak


def from_clusters(
    features: np.ndarray, mixtures: int, variance_floor: np.ndarray, weights: np.ndarray | None = None
) -> GaussianBank:
    """One mixture whose components are the k-means clusters of the frames.

    Parameters
    ----------
    features : (T, D)
    mixtures : components asked; fewer are made where there are under `MIN_FRAMES` frames for each
    variance_floor : (D,)
    weights : (T,), as how many frames each counts, over 0; one when None

    Returns
    -------
    GaussianBank of one mixture with `mixtures` places
    """
    weights = np.ones(len(features)) if weights is None else weights
    return GaussianBank.start([WeightedFrames(features, weights)], Sizes(mixtures, None, variance_floor))


def _clustered(sizes: Sizes, of: tuple[np.ndarray, np.ndarray, np.ndarray]) -> tuple[GaussianBank, Statistics]:
    """Of groups of frames, see `_stack`: single Gaussians in all places, and sums by cluster."""
    (stack, weights, lengths), mixtures, variance_floor = of, sizes.mixtures, sizes.variance_floor
    counts, total = weights.sum(1), weights.sum(1)[:, None, None]
    parts = list(slices(stack.shape[1], CHUNK_VALUES // stack[:, 0].size))  # in double precision, but not all at once
    mean = sum(weights[:, None, part] @ stack[:, part] for part in parts) / total
    variance = sum(weights[:, None, part] @ np.square(stack[:, part] - mean) for part in parts) / total
    variance = np.maximum(variance, variance_floor)  # a constant dimension does not divide by zero
    scaled = stack - mean.astype(stack.dtype)
    scaled /= np.sqrt(variance).astype(stack.dtype)
    # Neither heavy frames make up for few, nor many for light ones.
    clusters = np.clip(np.minimum(lengths, counts) // MIN_FRAMES, 1, mixtures).astype(np.intp)
    centres, found, _ = kmeans_of_groups(scaled, lengths, clusters, weights)
    label, _ = nearest(scaled, centres, found)
    shape = (len(stack), mixtures, stack.shape[2])
    statistics = Statistics.zeros(shape[:2], shape)
    for part, members in memberships(label, weights, mixtures, 2 * stack.shape[2]):
        first, second = np.split(members @ with_squares(stack[:, part]), 2, axis=-1)
        statistics.add(Statistics(members.sum(-1), first, second, no_transitions()))
    blank = GaussianBank(found.astype(np.float64), np.broadcast_to(mean, shape), np.broadcast_to(variance, shape))
    return blank, statistics


def mixture_moments(weights: np.ndarray, means: np.ndarray, variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance, (S, D), of mixtures of Gaussians, their arrays (S, K, D) or broadcast to that."""
    mean = (weights * means).sum(1)
    return mean, (weights * (variances + (means - mean[:, None]) ** 2)).sum(1)
