"""How good a recording is: level, noise, clipping, and what to do about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recognizer.sound.level import CLIPPED, FRAME, FULL, LOUD, TOO_QUIET, decibels

QUIET = 10  # percentile of the frames' levels that stands for the room: no dropout
NOISY, TOO_NOISY = 20.0, 10.0  # dB of SNR: a quiet office is over the one, and soft consonants drown under the other


@dataclass(frozen=True)
class Quality:
    """Of one recording with speech in it; levels in dB full scale.

    Attributes
    ----------
    duration : seconds
    peak : largest sample
    level : RMS of the loud frames, the speech
    floor : RMS of the quiet frames, the room
    clipped : fraction of the samples at full scale
    dead : every sample is the same: no microphone is that quiet
    """

    duration: float
    peak: float
    level: float
    floor: float
    clipped: float
    dead: bool

    @property
    def snr(self) -> float:
        """Speech over the room, dB."""
        return self.level - self.floor

    @property
    def quiet(self) -> bool:
        """Whether there is nothing but a quiet room: nobody was heard, however good the microphone may be."""
        return not self.dead and self.level < TOO_QUIET and self.snr < TOO_NOISY

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong and what to do, one line each; none for a good recording."""
        if self.dead:
            return ("nothing but zeros: the input is muted or not allowed to this program",)
        if self.quiet:
            remedy = "speak, turn the input level up, or choose another device"
            return (f"nothing but quiet ({self.level:.0f} dB): {remedy}",)
        found = []
        if self.clipped > CLIPPED:
            found.append(f"clipped ({100 * self.clipped:.1f} % of it): turn the input level down or move back")
        if self.level < TOO_QUIET:
            found.append(f"too quiet ({self.level:.0f} dB): turn the input level up or come closer")
        if self.snr < TOO_NOISY:
            remedy = "was anything said? if so, come closer, or turn off what hums"
            found.append(f"no speech over the noise (SNR {self.snr:.0f} dB): {remedy}")
        elif self.snr < NOISY:
            found.append(f"noisy (SNR {self.snr:.0f} dB): come closer, or find a quieter place")
        return tuple(found)

    @property
    def verdict(self) -> str:
        """ "good", "usable", "unusable", or "unheard" where there is nothing to judge."""
        if self.quiet:
            return "unheard"
        if self.dead or self.snr < TOO_NOISY:
            return "unusable"
        return "usable" if self.problems else "good"


def measure(samples: np.ndarray, sample_rate: int) -> Quality:
    """Quality of a recording.

    Parameters
    ----------
    samples : (n,), full scale 1, at least one
    sample_rate : Hz
    """
    samples = np.asarray(samples, dtype=np.float64)
    hop = max(1, min(len(samples), round(FRAME * sample_rate)))
    centred = samples - samples.mean()
    frames = centred[: len(centred) // hop * hop].reshape(-1, hop)
    level = decibels((frames**2).mean(1))
    return Quality(
        duration=len(samples) / sample_rate,
        peak=float(decibels(np.abs(samples).max() ** 2)),
        level=float(np.percentile(level, LOUD)),
        floor=float(np.percentile(level, QUIET)),
        clipped=float((np.abs(samples) >= FULL).mean()),
        dead=bool(np.ptp(samples) == 0),
    )
