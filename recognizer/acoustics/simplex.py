"""Discrete distributions with a floor: points of a simplex."""

from __future__ import annotations

import numpy as np

ROUNDED = 1e-2  # by which weights that were printed with few digits, elsewhere, may miss one


def distribution_fault(weights: np.ndarray) -> str | None:
    """What keeps weights, (..., K), from being distributions."""
    if (weights >= 0).all() and np.allclose(weights.sum(-1), 1, atol=ROUNDED):
        return None
    return "weights are not probabilities"


def floored_distribution(counts: np.ndarray, allowed: np.ndarray, floor: float, fallback: np.ndarray) -> np.ndarray:
    """Maximum likelihood distributions over the last axis with no allowed entry below the floor.

    Maximises sum_k n_k ln p_k subject to p_k >= floor: entries that would fall below are held at the floor
    and the others share the rest in proportion to their counts (Lagrange; the clamped set only grows).

    Parameters
    ----------
    counts : (..., K), not negative
    allowed : (..., K) bool, entries that may be non-zero
    floor : smallest probability of an allowed entry
    fallback : (..., K), distributions to keep where there are no counts at all
    """
    counts = np.where(allowed, counts, 0.0)
    clamped = np.zeros(counts.shape, dtype=bool)
    total = counts.sum(-1, keepdims=True)
    result = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    while (low := allowed & ~clamped & (result < floor) & (total > 0)).any():
        clamped |= low
        free = np.where(clamped, 0.0, counts)
        mass = 1.0 - floor * clamped.sum(-1, keepdims=True)
        share = free.sum(-1, keepdims=True)
        result = np.where(clamped, floor, np.divide(free * mass, share, out=np.zeros_like(free), where=share > 0))
    return np.where(total > 0, result, fallback)
