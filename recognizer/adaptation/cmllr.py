"""Constrained MLLR: one transform of the features, which is one of the means and the variances alike.

Reference: Gales 1998, "Maximum likelihood linear transformations for HMM-based speech recognition", section 4.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

import numpy as np

from recognizer.acoustics.density import Density
from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.statistics import Statistics, no_transitions
from recognizer.adaptation.mllr import columns, extended, identity, products
from recognizer.training.training import Expectation

UNMIXED = ("bias", "diagonal")  # shapes of transforms in which no dimension depends on another
ROUNDS = 200  # over all rows, at most, each of which depends on the others through the determinant; rarely over 50
CONVERGED = 1e-6  # change of any entry


@dataclass
class FeatureStatistics:
    """What a transform of the features is estimated from; like all statistics, they add.

    Attributes
    ----------
    outer : (D, D + 1, D + 1), for each dimension i the sum of gamma / sigma_i**2 times [1, o] [1, o]'
    linear : (D, D + 1), the sum of gamma mu_i / sigma_i**2 times [1, o]
    count : frames
    """

    outer: np.ndarray
    linear: np.ndarray
    count: float

    def __add__(self, other: FeatureStatistics) -> FeatureStatistics:
        return FeatureStatistics(self.outer + other.outer, self.linear + other.linear, self.count + other.count)

    def __sub__(self, other: FeatureStatistics) -> FeatureStatistics:
        return FeatureStatistics(self.outer - other.outer, self.linear - other.linear, self.count - other.count)

    def scaled(self, share: float) -> FeatureStatistics:
        """As if every frame counted for `share` of a frame."""
        return FeatureStatistics(share * self.outer, share * self.linear, share * self.count)


def accumulate_features(bank: Density, expectations: Iterable[Expectation]) -> FeatureStatistics:
    """Statistics of chunks, from the posteriors that the E-step of the training finds.

    Parameters
    ----------
    bank : of the models that the expectations are under, which transform no features yet
    expectations : of at least one chunk
    """
    return reduce(add, (_heard(bank, found) for found in expectations))


def _heard(bank: Density, found: Expectation) -> FeatureStatistics:
    part = bank.take(found.rows)
    gaussians, _ = part.gaussians(part.statistics(), slice(None))
    dims = gaussians.means.shape[-1]
    shares = found.frames.shares(found.occupation)  # (G, K, P, T)
    *stack, components, states, frames = shares.shape
    shares = shares.reshape(*stack, components * states, frames).swapaxes(-1, -2)
    means, variances = (
        x.swapaxes(-3, -2).reshape(-1, components * states, dims) for x in (gaussians.means, gaussians.variances)
    )
    features, precision, pull = (
        x.reshape(-1, dims) for x in (found.features, shares @ (1.0 / variances), shares @ (means / variances))
    )
    return _sums(extended(features), precision, pull, shares)


def diagonal(bank: GaussianBank, statistics: Statistics) -> FeatureStatistics:
    """What a diagonal transform needs, from the statistics of the models alone; the rest is zero.

    Parameters
    ----------
    bank : S mixtures
    statistics : of the same mixtures
    """
    dims = bank.means.shape[-1]
    precision = 1.0 / bank.variances
    count = statistics.occupancy[..., None]
    row, own = np.arange(dims), np.arange(1, dims + 1)
    outer, linear = np.zeros((dims, dims + 1, dims + 1)), np.zeros((dims, dims + 1))
    outer[:, 0, 0] = (precision * count).sum((0, 1))
    outer[row, 0, own] = outer[row, own, 0] = (precision * statistics.first_order).sum((0, 1))
    outer[row, own, own] = (precision * statistics.second_order).sum((0, 1))
    linear[:, 0] = (precision * bank.means * count).sum((0, 1))
    linear[row, own] = (precision * bank.means * statistics.first_order).sum((0, 1))
    return FeatureStatistics(outer, linear, float(count.sum()))


def after(statistics: Statistics, transform: np.ndarray) -> Statistics:
    """Statistics of the models once the features are transformed by a diagonal [b A], with the same posteriors."""
    offset, scale = transform[:, 0], np.diag(transform[:, 1:])
    count = statistics.component_occupancy[..., None]
    return replace(
        statistics,
        first_order=scale * statistics.first_order + offset * count,
        second_order=scale**2 * statistics.second_order
        + 2 * scale * offset * statistics.first_order
        + offset**2 * count,
    )


def _sums(inputs: np.ndarray, precision: np.ndarray, pull: np.ndarray, shares: np.ndarray) -> FeatureStatistics:
    """From [1, o] (T, D + 1), and by frame and dimension the summed gamma / sigma**2 and gamma mu / sigma**2 (T, D)."""
    return FeatureStatistics(products(precision, inputs), pull.T @ inputs, float(shares.sum()))


def prior(bank: GaussianBank, frames: float, shape: str = "full") -> FeatureStatistics:
    """Statistics of frames drawn from the bank itself, which ask for no transform at all.

    Parameters
    ----------
    bank : S mixtures
    frames : so many
    shape : of the transform, one of `mllr.SHAPES`; one that mixes no dimensions needs what `diagonal` gives
    """
    dims = bank.means.shape[-1]
    shares = (frames * bank.weights / len(bank.weights))[..., None]
    if shape in UNMIXED:
        moments = shares * bank.means, shares * (bank.means**2 + bank.variances)
        return diagonal(bank, Statistics(shares[..., 0], *moments, no_transitions()))
    shares = shares.reshape(-1, 1)
    mean, variance = bank.means.reshape(-1, dims), bank.variances.reshape(-1, dims)
    weight = shares / variance
    statistics = _sums(extended(mean), weight, weight * mean, shares)
    spread = weight.T @ variance  # E[o_j**2] exceeds mu_j**2 by sigma_j**2
    own = np.arange(1, dims + 1)
    statistics.outer[:, own, own] += spread
    return statistics


def estimate(statistics: FeatureStatistics, shape: str) -> np.ndarray:
    """[b A] that maximises the expected log density, row by row in turn (Gales 1998, eq. 22 to 27).

    Parameters
    ----------
    statistics : of the speaker, with those of a `prior`
    shape : one of `mllr.SHAPES`

    Returns
    -------
    (D, D + 1)
    """
    dims = len(statistics.linear)
    transform = identity(dims)
    if shape == "bias":
        first = statistics.outer[:, 0, 0]
        # The matrix stays the identity: what is left of the linear part is the offset's.
        transform[:, 0] = (
            statistics.linear[:, 0] - statistics.outer[np.arange(dims), 0, np.arange(1, dims + 1)]
        ) / first
        return transform
    used = columns(shape, dims)
    inverses = [np.linalg.inv(statistics.outer[row][np.ix_(c, c)]) for row, c in enumerate(used)]
    apart = shape == "diagonal"  # no row has a say in another's: the determinant is a product
    for _ in range(1 if apart else ROUNDS):
        before = transform.copy()
        for row, (c, inverse) in enumerate(zip(used, inverses)):
            own = np.eye(dims)[row] if apart else np.linalg.inv(transform[:, 1:])[:, row]
            cofactors = np.concatenate([[0.0], own])[c]
            transform[row, c] = _row(cofactors, statistics.linear[row, c], inverse, statistics.count)
        if np.abs(transform - before).max() < CONVERGED:
            break
    return transform


def _row(cofactors: np.ndarray, linear: np.ndarray, inverse: np.ndarray, count: float) -> np.ndarray:
    """w = (alpha p + k) G^-1 (Gales 1998, eq. 26) with the root alpha that keeps the sign of the determinant.

    The other root is a mirror image, which no voice is, though for a single Gaussian it is exactly as likely.
    """
    a, b = cofactors @ inverse @ cofactors, cofactors @ inverse @ linear
    alpha = (np.sqrt(b * b + 4 * a * count) - b) / (2 * a)
    return inverse @ (alpha * cofactors + linear)


def composed(second: np.ndarray, first: np.ndarray | None) -> np.ndarray:
    """One transform that does the first, if there is one, then the second; all (D, D + 1)."""
    if first is None:
        return second
    matrix = second[:, 1:]
    return np.column_stack([matrix @ first[:, 0] + second[:, 0], matrix @ first[:, 1:]])
