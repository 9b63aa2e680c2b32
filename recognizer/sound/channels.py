"""Samples of any type and number of channels, as one channel of floats."""

from __future__ import annotations

import numpy as np

from recognizer.errors import AudioError

# Where full scale is 1, nothing louder than the largest integer sample can be sound; far below it, a
# power spectrum in float32 still cannot overflow.
LARGEST_SAMPLE = 2.0**31


def mono(samples: np.ndarray) -> np.ndarray:
    """Float32 mean over channels, shape (n,), of samples of any real type; always a new array."""
    kind, bits = samples.dtype.kind, 8 * samples.dtype.itemsize
    # No sound is 64 bits deep; integers that wide are a slip (a list, a sum), whose scale nobody knows.
    if not (kind == "f" or (kind in "iu" and bits <= 32)):
        raise AudioError(f"samples have type {samples.dtype}; convert to float32 (full scale 1) or int16")
    if kind in "iu":
        full_scale = 2.0 ** (bits - 1)
        exact = np.result_type(samples.dtype, np.float32)  # float64 for 32 bits
        samples = (samples.astype(exact) - (full_scale if kind == "u" else 0)) / full_scale
    # Before the cast and the mean, where infinities would turn into warnings and NaN.
    for extreme in (samples.min(initial=0), samples.max(initial=0)):
        if not abs(float(extreme)) <= LARGEST_SAMPLE:
            raise AudioError(f"a sample is {extreme:g} where full scale is 1; convert or record it again")
    if samples.ndim == 1 or samples.shape[1] == 1:
        return samples.reshape(-1).astype(np.float32)
    # Averaging long rows is fifteen times as fast as averaging pairs.
    return np.ascontiguousarray(samples.T, dtype=np.float32).mean(axis=0)
