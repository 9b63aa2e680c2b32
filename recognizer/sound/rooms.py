"""Made-up rooms: what the walls add to a voice.

A room answers a click with the click itself, a few early reflections, and a hiss that dies away exponentially (the
statistical model of Polack 1988) and is duller than the click, for walls swallow high frequencies. RT60 is the time in
which the hiss falls by 60 dB: 0.1 s in a padded booth, 0.6 s in a bare kitchen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FIRST = 0.001  # seconds after the click in which a wall may answer: one at 17 cm
EARLY = 0.1  # of RT60, until when single walls are heard: 10 ms in a booth, 60 ms in a kitchen
REFLECTIONS = 8  # of them: a box of six walls sends about as many back by then
DIRECT = (0.0, 12.0)  # dB of the click over all that follows: across a room, or at arm's length
DULL = (0.3, 0.8)  # pole of the hiss's low-pass filter


@dataclass(frozen=True)
class Room:
    """A room and a place in it.

    Attributes
    ----------
    rt60 : seconds in which sound dies away by 60 dB
    seed : of all else that is random in it
    """

    rt60: float
    seed: int

    def response(self, sample_rate: int) -> np.ndarray:
        """What a click of height one becomes, (n,) float64; the click itself stands first."""
        from scipy.signal import lfilter

        random = np.random.default_rng(self.seed)
        time = np.arange(max(2, round(self.rt60 * sample_rate))) / sample_rate
        decay = 10 ** (-3 * time / self.rt60)
        late = lfilter([1.0], [1.0, -random.uniform(*DULL)], random.standard_normal(len(time))) * (time >= FIRST)
        until = max(FIRST, EARLY * self.rt60)
        places = np.minimum(random.uniform(FIRST, until, REFLECTIONS) * sample_rate, len(time) - 1).astype(int)
        # All together as strong as the hiss until then, which they thin out into.
        strength = np.sqrt(until * sample_rate / REFLECTIONS) * late.std()
        np.add.at(late, places, random.choice([-1.0, 1.0], REFLECTIONS) * strength)
        late *= decay
        late[0] = 0.0
        heard = late / max(np.sqrt(np.sum(late**2)), np.finfo(float).tiny) * 10 ** (-random.uniform(*DIRECT) / 20)
        heard[0] = 1.0
        return heard

    def reverberated(self, samples: np.ndarray, sample_rate: int) -> np.ndarray:
        """Samples, (n,), as they sound in it; what dies away after their end is cut off. (n,) float64."""
        from scipy.signal import fftconvolve

        samples = np.asarray(samples, dtype=np.float64)
        return fftconvolve(samples, self.response(sample_rate)[: len(samples)])[: len(samples)]
