"""Features of one word at a time, as the front end gives them for many."""

from __future__ import annotations

import numpy as np


def statics_of(front_end, samples: np.ndarray, warp: float = 1.0) -> np.ndarray:
    [[statics]] = front_end.statics([samples], [warp])
    return statics


def finished(front_end, statics: np.ndarray, speech: tuple[int, int] | None = None) -> np.ndarray:
    [features] = front_end.finish([statics], [speech or (0, len(statics))])
    return features


def extract(front_end, samples: np.ndarray, warp: float = 1.0, speech: tuple[int, int] | None = None) -> np.ndarray:
    return finished(front_end, statics_of(front_end, samples, warp), speech)
