"""One mixture of Gaussians on its own: EM, and growing by splitting."""

from __future__ import annotations

import warnings

import numpy as np

from recognizer.acoustics.gaussians import (
    MIN_FRAMES,
    GaussianBank,
    single_gaussian,
    with_squares,
)
from recognizer.acoustics.statistics import Statistics
from recognizer.errors import RecognizerWarning

FRAMES = 50_000  # more frames than this no longer change a mixture of 64 Gaussians


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


def grow(features: np.ndarray, mixtures: int, variance_floor: np.ndarray, **em: float) -> GaussianBank:
    """One mixture grown from a single Gaussian by doubling: split, then EM, until `mixtures` are there."""
    bank = single_gaussian(features, variance_floor)
    while (size := bank.weights.shape[1]) < mixtures:
        bank, _ = expectation_maximisation(bank.split(min(2 * size, mixtures)), features, variance_floor, **em)
    return bank


def of_sample(frames: np.ndarray, mixtures: int, variance_floor: np.ndarray) -> GaussianBank:
    """One mixture over all of a kind of sound, grown by splitting, from an even sample of the frames (T, D)."""
    sample = frames[:: max(1, len(frames) // FRAMES)]
    mixtures = max(1, min(mixtures, len(sample) // MIN_FRAMES))
    return grow(sample, mixtures, variance_floor, tolerance=0.02, max_iterations=100)
