"""What may be wrong with something that was said when it was asked for, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from recognizer.sound.level import decibels
from recognizer.sound.quality import CLIPPED, TOO_NOISY, TOO_QUIET, Quality, measure

SMEAR = 0.03  # seconds by which a sound seems to begin too early or to be too long: three frames, which are smoothed
TOO_SHORT = 0.11 + SMEAR  # seconds of speech; no word is that short, but many a click
EDGE = 0.02  # seconds at the ends of a take in which there must be no speech: two frames, of which one may be torn
DECAYED = 25.0  # dB under the word's level; what is softer at the ends of a take is an echo


@dataclass(frozen=True, eq=False)
class Attempt:
    """Something that was said, as it is judged.

    Attributes
    ----------
    samples : (n,) int16
    sample_rate : Hz
    speech : first and past-the-last sample of what is louder than the room; None where it has no speech
    quality : with the floor of the room
    dropped : it was noise that stays
    early : it had begun before it was asked for
    complete : False if it was cut off by the greatest length or the end of the stream
    torn : sound was lost in it
    """

    samples: np.ndarray
    sample_rate: int
    speech: tuple[int, int] | None
    quality: Quality
    dropped: bool = False
    early: bool = False
    complete: bool = True
    torn: bool = False


# What may be wrong: what, and what to do; None where nothing is.


def sound_lost(attempt: Attempt) -> str | None:
    return "sound was lost in the middle of it: close other programs, then say it again" if attempt.torn else None


def no_speech(attempt: Attempt) -> str | None:
    noise = attempt.dropped or attempt.speech is None
    return "no speech was heard, only noise: wait until it is quiet, then say it closer" if noise else None


def cut_off(attempt: Attempt) -> str | None:
    first, last = _edge_levels(attempt.samples, attempt.sample_rate)
    loud = max((attempt.quality.level + attempt.quality.floor) / 2, attempt.quality.level - DECAYED)
    if attempt.early or first > loud:
        return "its beginning is cut off: wait until the word is shown and it is quiet, then say it"
    if not attempt.complete or last > loud:
        return "its end is cut off: say the word alone, then be quiet"
    return None


def too_short(attempt: Attempt) -> str | None:
    seconds = (attempt.speech[1] - attempt.speech[0]) / attempt.sample_rate
    return f"too short ({seconds:.2f} s), perhaps a click: say the whole word" if seconds < TOO_SHORT else None


def poor_sound(attempt: Attempt) -> str | None:
    quality = attempt.quality
    poor = quality.clipped > CLIPPED or quality.level < TOO_QUIET or quality.snr < TOO_NOISY
    return quality.problems[0] if poor else None


FAULTS = (sound_lost, no_speech, cut_off, too_short, poor_sound)  # in the order in which they are told


def fault(attempt: Attempt) -> str | None:
    """The first thing that is wrong, and what to do; None where nothing is."""
    return next((found for look in FAULTS if (found := look(attempt))), None)


def attempt_quality(samples: np.ndarray, sample_rate: int, floor: float) -> Quality:
    """Quality of what may hold little but speech, given the noise floor of the room.

    Parameters
    ----------
    samples : (n,) int16
    sample_rate : Hz
    floor : dB full scale, as it was tracked. What is quieter in the take counts instead: a constant offset of the
        microphone, which is no noise, is in the one but not in the other
    """
    quality = measure(samples / 32768, sample_rate)
    return replace(quality, floor=min(quality.floor, floor))


def _edge_levels(samples: np.ndarray, sample_rate: int) -> tuple[float, float]:
    """Levels of the beginning and of the end, dB full scale."""
    sound = samples / 32768 - samples.mean() / 32768
    edge = max(1, round(EDGE * sample_rate))
    return float(decibels((sound[:edge] ** 2).mean())), float(decibels((sound[-edge:] ** 2).mean()))
