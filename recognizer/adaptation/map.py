"""Maximum a posteriori estimation: what is known of everybody is the prior of what is learned of one speaker.

Reference: Gauvain and Lee 1994, "Maximum a posteriori estimation for multivariate Gaussian mixture observations of
Markov chains".
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from recognizer.acoustics.density import Density
from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.statistics import Statistics

LEAST_VARIANCE = 0.3  # of the base's, whatever few frames say
NOTHING = 1e-9  # frames; below, there are no data


def adapt_gaussians(
    bank: GaussianBank,
    statistics: Statistics,
    tau: float,
    *,
    variance_tau: float = np.inf,
    weight_tau: float = np.inf,
) -> GaussianBank:
    """MAP means, and variances and weights where they are asked for.

    A mean becomes (tau * mu + sum gamma o) / (tau + sum gamma) (Gauvain and Lee 1994, eq. 24): as if tau frames
    had been seen exactly at the base's mean. A weight likewise counts `weight_tau` frames of the mixture as the
    base shares them out, and a variance counts `variance_tau` frames that spread about the new mean as they did
    about the old one. An infinite number of them leaves everything as it is, none gives the maximum likelihood,
    where there are data.

    Parameters
    ----------
    bank : the prior, of the speaker-independent models or of what came before
    statistics : of the speaker, same shape as the bank
    tau, variance_tau, weight_tau : frames that the prior counts for, 0 to infinity
    """
    count = statistics.occupancy[..., None]
    means = _mixed(bank.means, tau, statistics.first_order, count)
    variances = bank.variances
    if np.isfinite(variance_tau):
        about = statistics.second_order - 2 * means * statistics.first_order + count * means**2
        variances = _mixed(variances, variance_tau, np.maximum(about, 0.0), count)
        variances = np.maximum(variances, LEAST_VARIANCE * bank.variances)
    return GaussianBank(adapt_weights(bank.weights, statistics.occupancy, weight_tau), means, variances)


def adapt_weights(weights: np.ndarray, occupancy: np.ndarray, tau: float) -> np.ndarray:
    """MAP weights of mixtures, or probabilities of cells, (..., K) (Gauvain and Lee 1994, eq. 23).

    Parameters
    ----------
    weights : the prior
    occupancy : of the speaker, same shape
    tau : frames of a mixture that the prior counts for
    """
    return _mixed(weights, tau, occupancy, occupancy.sum(-1, keepdims=True))


def _mixed(prior: np.ndarray, tau: float, total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """(tau * prior + total) / (tau + count); the prior itself, to the last bit, where there are no data."""
    if np.isinf(tau):
        return prior
    seen = count > NOTHING
    return np.where(seen, (tau * prior + total) / np.where(seen, tau + count, 1.0), prior)


def interpolate(speaker: Density, base: Density, weight: float) -> Density:
    """The whole model between the two: lambda = weight * speaker + (1 - weight) * base.

    Parameters
    ----------
    speaker, base : of the same shapes
    weight : of the speaker's model, 0 (the base) to 1
    """
    both = ((getattr(speaker, f.name), getattr(base, f.name)) for f in fields(base))
    return type(base)(
        *(one if np.array_equal(one, other) else weight * one + (1.0 - weight) * other for one, other in both)
    )
