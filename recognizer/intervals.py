"""How sure a proportion is."""

from __future__ import annotations

import numpy as np


def wilson(correct: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval for a proportion (Wilson 1927), 95 % by default, within 0 to 1."""
    p = correct / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # The proportion lies inside even after rounding.
    return max(0.0, min(p, float(centre - half))), min(1.0, max(p, float(centre + half)))
