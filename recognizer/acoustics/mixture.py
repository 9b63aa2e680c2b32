"""One mixture of Gaussians on its own: EM, from clusters on."""

from __future__ import annotations

import warnings

import numpy as np

from recognizer.acoustics.gaussians import (
    GaussianBank,
    from_clusters,
    with_squares,
)
from recognizer.acoustics.statistics import Statistics
from recognizer.errors import RecognizerWarning

TOLERANCE = 0.02  # nats a frame by which an iteration must raise the likelihood: a fiftieth of a density


def expectation_maximisation(
    bank: GaussianBank,
    features: np.ndarray,
    variance_floor: np.ndarray,
    *,
    tolerance: float = 1e-3,
    max_iterations: int = 50,
) -> tuple[GaussianBank, np.ndarray]:
    """Fit one mixture to frames until the log likelihood per frame rises by less than `tolerance`.

    Parameters
    ----------
    bank : the start, one mixture
    features : (T, D)
    variance_floor : (D,)

    Returns
    -------
    bank : the fitted mixture
    curve : (iterations,), log likelihood per frame before each M-step, never falling
    """
    observations = with_squares(features)
    curve: list[float] = []
    while len(curve) < max_iterations:
        shares, log_density = bank.posteriors(observations)
        curve.append(float(log_density.mean()))
        if len(curve) > 1 and curve[-1] - curve[-2] < tolerance:
            return bank, np.array(curve)
        bank = bank.update(Statistics.of_frames(shares, observations), variance_floor)
    warnings.warn(
        f"EM stopped after {max_iterations} iterations, still rising; raise max_iterations or tolerance",
        RecognizerWarning,
        stacklevel=2,
    )
    return bank, np.array(curve)


def fit_mixture(features: np.ndarray, mixtures: int, variance_floor: np.ndarray) -> GaussianBank:
    """One mixture of up to so many Gaussians: k-means, then EM."""
    start = from_clusters(features, mixtures, variance_floor)
    start = GaussianBank(*(x[:, start.weights[0] > 0] for x in (start.weights, start.means, start.variances)))
    return expectation_maximisation(start, features, variance_floor, tolerance=TOLERANCE, max_iterations=100)[0]
