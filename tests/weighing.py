"""Frames with weights, as densities are started from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recognizer.acoustics.gaussians import WeightedFrames


def each_once(groups: Sequence[np.ndarray]) -> list[WeightedFrames]:
    """Groups of frames that all count as one."""
    return [WeightedFrames(group, np.ones(len(group))) for group in groups]
