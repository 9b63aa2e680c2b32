"""Levels in decibels."""

from __future__ import annotations

import numpy as np

SILENCE = 1e-12  # added to a power, so that digital silence, whose logarithm is infinite, is at -120 dB


def decibels(power: np.ndarray | float) -> np.ndarray:
    """Powers, such as mean squares, in dB; for samples of full scale 1, dB full scale.

    Parameters
    ----------
    power : not negative
    """
    return 10 * np.log10(power + SILENCE)
