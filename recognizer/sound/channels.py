"""Samples of any type and number of channels, as one channel of floats: their mean, or the one that has the speech."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from recognizer.errors import AudioError, shown
from recognizer.sound.endpoint import FLOOR, HOP, PEAK, TILT_RATE, Endpointer, frame_level, held

# Where full scale is 1, nothing louder than the largest integer sample can be sound; far below it, a
# power spectrum in float32 still cannot overflow.
LARGEST_SAMPLE = 2.0**31
CLEARER = 6.0  # dB that one channel has to be clearer than the mean of all: half the noise of a channel as good
NAMED = 3  # files in a message; the others are counted
SIDES = {1: " (left)", 2: " (right)"}


def floats(samples: np.ndarray) -> np.ndarray:
    """Samples of any real type as float32, (channels, n), full scale 1; always a new array.

    Parameters
    ----------
    samples : (n,) or (n, channels)

    Raises
    ------
    AudioError
        if no sound has that type, or a sample is not finite or too large.
    """
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
    # Averaging long rows is fifteen times as fast as averaging pairs.
    return np.array(np.atleast_2d(samples.T), dtype=np.float32, order="C")


def one(channels: np.ndarray, taken: int | None) -> np.ndarray:
    """One of the channels, (channels, n), counted from 1, or their mean where it is None, (n,)."""
    if len(channels) == 1:
        return channels[0]
    return channels.mean(axis=0) if taken is None else channels[taken - 1]


def with_speech(parts: Iterable[np.ndarray], sample_rate: int) -> int | None:
    """The channel to take, counted from 1, where speech is much clearer in it than in the mean of all, else None.

    The mean is what hears best, as long as every channel hears the same. It buries the speech where one of them is
    noise or hum, and cancels it where one is the other upside down.

    Parameters
    ----------
    parts : of a recording, in order, (channels, n) each
    sample_rate : Hz
    """
    hop, lag = round(HOP * sample_rate), max(1, round(sample_rate / TILT_RATE))
    levels = [np.stack([frame_level(c, hop, lag) for c in (one(part, None), *part)]) for part in parts]
    level = np.concatenate(levels, axis=1)
    if not level.size:
        return None
    floor = np.quantile(level, FLOOR, axis=1)
    peak = np.array([held(row, PEAK).max() for row in level])
    clarity = np.where(peak < Endpointer.quietest, 0.0, np.minimum(peak - floor, Endpointer.depth))
    best = int(np.argmax(clarity[1:])) + 1
    return best if clarity[best] > clarity[0] + CLEARER else None


def told(taken: Sequence[tuple[Path, int]]) -> str:
    """One line on the recordings of which a single channel was taken, each with that channel."""
    named = [f"channel {channel}{SIDES.get(channel, '')} of {shown(path)}" for path, channel in taken[:NAMED]]
    if len(taken) > NAMED:
        named.append(f"and of {len(taken) - NAMED} more")
    return f"the mean of the channels buries the speech; heard instead: {', '.join(named)}"
