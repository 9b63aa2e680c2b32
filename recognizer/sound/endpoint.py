"""Where the word is: the speech in a recording, told from the silence or noise around it by its energy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recognizer.sound.level import decibels

HOP = 0.010  # seconds; the energy is measured in frames of this length, the features' own step
TILT = 0.9  # of the difference that lowers hum so that fricatives count: 20 dB for DC, as a pre-emphasis has it
TILT_RATE = 8000  # Hz; its lag is one sample at this rate, so that it favours the same band at any rate
FLOOR = 0.1  # quantile of the frames' levels that stands for the room
PEAK_FRAMES = 5  # the loudest frames that make a peak: longer than a click, whatever the recording's length


@dataclass(frozen=True)
class Endpointer:
    """Settings of the energy endpointer.

    Attributes
    ----------
    threshold : where speech starts between the noise floor (0) and the loudest frames (1), both in dB
    depth : no frame more than this many dB under the loudest frames is speech
    pause : silence inside a word, such as a stop's closure, in seconds at most
    margin : kept before and after the speech, so that soft onsets and decays survive, in seconds
    quietest : loudest frames under this level are silence, in dB full scale
    flattest : loudest frames less than this many dB over the floor are steady noise, not speech, unless
        the recording is shorter than `steady`, seconds: it may be a word trimmed to its vowel
    """

    threshold: float = 0.3
    depth: float = 35.0
    pause: float = 0.25
    margin: float = 0.10
    quietest: float = -75.0
    flattest: float = 3.5
    steady: float = 0.6

    def find(self, samples: np.ndarray, sample_rate: int) -> tuple[int, int] | None:
        """The part with most speech in it.

        Parameters
        ----------
        samples : (n,), full scale 1
        sample_rate : Hz

        Returns
        -------
        First and past-the-last sample of the speech without margins, or None if there is no speech.
        """
        hop = round(HOP * sample_rate)
        level = frame_level(samples, hop, max(1, round(sample_rate / TILT_RATE)))
        if not len(level):
            return None
        ordered = np.sort(level)
        floor, peak = np.interp(FLOOR * (len(level) - 1), np.arange(len(level)), ordered), ordered[-PEAK_FRAMES:][0]
        noise = peak - floor < self.flattest and len(level) * HOP > self.steady
        if peak < self.quietest or noise:
            return None
        threshold = min(max(floor + self.threshold * (peak - floor), peak - self.depth), peak - 6.0)
        loud = np.zeros(len(level) + 2, dtype=bool)  # quiet before and after
        loud[1:-1] = level > threshold
        edges = np.flatnonzero(loud[1:] != loud[:-1])
        starts, ends = edges[::2], edges[1::2]
        apart = np.ones(len(starts) + 1, dtype=bool)
        apart[1:-1] = starts[1:] - ends[:-1] > self.pause / HOP
        starts, ends = starts[apart[:-1]], ends[apart[1:]]
        # Decibels over the threshold, summed: a slammed door is louder than the word but does not last.
        excess = np.zeros(len(level) + 1)
        np.maximum(level - threshold, 0.0).cumsum(out=excess[1:])
        best = np.argmax(excess[ends] - excess[starts])
        return int(starts[best] * hop), min(len(samples), int(ends[best] * hop))

    def widen(self, span: tuple[int, int], length: int, sample_rate: int) -> tuple[int, int]:
        """The span with its margins, inside a recording of `length` samples."""
        margin = round(self.margin * sample_rate)
        return max(0, span[0] - margin), min(length, span[1] + margin)


def frame_level(samples: np.ndarray, hop: int, lag: int) -> np.ndarray:
    """Energy above the hum of frames of `hop` samples, smoothed over three, in dB full scale, (n // hop,)."""
    frames = len(samples) // hop
    if not frames:
        return np.zeros(0)
    centred = samples[: frames * hop].astype(np.float64)
    centred -= centred.sum() / len(centred)
    tilted = centred.copy()
    tilted[lag:] -= TILT * centred[:-lag]
    tilted[:lag] -= TILT * centred[:lag]
    by_frame = tilted.reshape(frames, hop)
    energy = np.einsum("fn,fn->f", by_frame, by_frame) / hop
    beside = np.concatenate([energy[:1], energy, energy[-1:]])
    return decibels((beside[:-2] + energy + beside[2:]) / 3)
