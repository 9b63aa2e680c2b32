"""Levels in decibels, and what is wrong with one."""

from __future__ import annotations

import numpy as np

FRAME = 0.030  # seconds: a few periods of any voice, so that its level is steady
LOUD = 95  # percentile of the frames' levels that stands for speech: no click
FULL = 0.99  # of full scale; converters that clip stay a little under it
CLIPPED = 1e-3  # of the samples; less is one hit on the microphone
TOO_QUIET = -45.0  # dB full scale: 184 of the 32768 steps that 16 bits have
CLIPPING, QUIETNESS = "clipped", "too quiet"  # flaws of a recording

SILENCE = 1e-12  # added to a power, so that digital silence, whose logarithm is infinite, is at -120 dB


def decibels(power: np.ndarray | float) -> np.ndarray:
    """Powers, such as mean squares, in dB; for samples of full scale 1, dB full scale.

    Parameters
    ----------
    power : not negative
    """
    return 10 * np.log10(power + SILENCE)


def flaws(samples: np.ndarray, sample_rate: int) -> tuple[str, ...]:
    """What is wrong with the level of a recording of speech, by name, told in microseconds: of thousands of files.

    Parameters
    ----------
    samples : (n,) float32, full scale 1, at least one
    sample_rate : Hz
    """
    found = []
    if np.count_nonzero(np.abs(samples) >= FULL) > CLIPPED * len(samples):
        found.append(CLIPPING)
    hop = max(1, min(len(samples), round(FRAME * sample_rate)))
    frames = (samples - samples.mean())[: len(samples) // hop * hop].reshape(-1, hop)
    power = np.einsum("fn,fn->f", frames, frames) / hop
    place = LOUD * (len(power) - 1) // 100
    if decibels(np.partition(power, place)[place]) < TOO_QUIET:
        found.append(QUIETNESS)
    return tuple(found)
