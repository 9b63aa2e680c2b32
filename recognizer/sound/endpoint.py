"""Where the word is: the speech in a recording, told from what is around it by its energy.

Speech lasts, which clicks and knocks do not, and it rises and falls, which noise does not. Of what is left over the
room's floor, the part with most energy is the word.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from recognizer.sound.level import decibels

HOP = 0.010  # seconds; the energy is measured in frames of this length, the features' own step
TILT = 0.9  # of the difference that lowers hum so that fricatives count, as a pre-emphasis has it
TILT_RATE = 8000  # Hz; its lag is one sample at this rate, so that it favours the same band at any rate
FRAMES_AT_ONCE = 4096  # whose samples are held in double precision: hours of them would not fit
SLOPE = 2  # frames at either end of a sound that smoothing adds
FLOOR = 0.1  # quantile of the frames' levels that stands for the room
STEP = -98.0  # dB full scale of the noise that rounding to 16 bits makes, tilted: nothing softer can be told from it
# Frames that a level is held: a peak, longer than a click of 20 ms; a syllable, longer than a knock stays near its
# loudest; a vowel, longer than any knock.
PEAK, SYLLABLE, VOWEL = 6, 8, 12
LOUD_FRAMES = 5  # wherever they are, that are over the floor of what is no steady noise
STANDS_OUT = 10.0  # dB that the peak of a word is over its vowel, at most: what is louder is a knock
SHORTEST = 6  # frames, of a sound that is no click of 20 ms, smoothing included; as long as the segmenter's
DECAY = 15.0  # dB that a knock falls within a syllable's length, and speech does not, as the segmenter has it
SOFT = 6.0  # dB under the peak, of a short sound that may be a part of the word, such as the release of a stop
CLOSE, BURST = 6, 3.0  # frames from what lasts, and dB over the peak, of a short sound that may be one, too
EDGE = np.ones(3)  # and a frame on either side of loud noise: the last whole one of it is no longer even
EVEN = 2.5  # dB between the softest and the loudest tenth of noise, at most: white has 1.6, a word in ninety has less
ALIKE, APART = 0.3, 0.4  # share of the most speech, at least, and seconds of pause, of what is another word
HEARD = 10.0  # dB over the floor of what lasts beside even noise, at least, or the even sound is the word


@dataclass(frozen=True)
class Endpointer:
    """Settings of the energy endpointer.

    Attributes
    ----------
    threshold : where speech starts between the noise floor (0) and the loudest frames (1), both in dB
    depth : no frame more than this many dB under the loudest ones is speech
    pause : silence inside a word, such as a stop's closure, in seconds at most
    margin : kept before and after the speech, so that soft onsets and decays survive, in seconds
    quietest : loudest frames under this level are silence, in dB full scale
    flattest : loudest frames less than this many dB over the floor are steady noise, not speech, unless
        the recording is shorter than `steady`, seconds: it may be a word trimmed to its vowel; a stretch of that
        length whose frames differ by less is noise, too, if something else is heard
    """

    threshold: float = 0.3
    depth: float = 35.0
    pause: float = 0.25
    margin: float = 0.10
    quietest: float = -92.0
    flattest: float = 3.5
    steady: float = 0.6

    def find(self, samples: np.ndarray, sample_rate: int) -> tuple[int, int] | None:
        """The part with most speech in it, without margins; as `place`."""
        found = self.place(samples, sample_rate)
        return found and found[0]

    def place(self, samples: np.ndarray, sample_rate: int) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """The part with most speech in it.

        Parameters
        ----------
        samples : (n,), full scale 1
        sample_rate : Hz

        Returns
        -------
        speech : first and past-the-last sample, without margins
        around : the same with margins that leave out what else is loud, such as a click
        None, instead of both, if there is no speech.
        """
        hop = round(HOP * sample_rate)
        level = frame_level(samples, hop, max(1, round(sample_rate / TILT_RATE)))
        if not len(level):
            return None
        floor = np.interp(FLOOR * (len(level) - 1), np.arange(len(level)), np.sort(level))
        heard, threshold, starts, ends = level, *self._sounds(level, floor)
        if len(starts) and (ends - starts).max() * HOP > self.steady:
            steady = round(self.steady / HOP)
            loud = even(level, steady, self.flattest, threshold)
            noise = even(level, steady, self.flattest) | (np.convolve(loud, EDGE, "same") > 0)
            calm = np.where(noise, floor, level)
            if held(calm, VOWEL).max() > floor + HEARD:
                heard, threshold, starts, ends = calm, *self._sounds(calm, floor)
        if not len(starts):
            return None
        best = 0
        if len(starts) > 1:
            best = max(range(len(starts)), key=lambda i: speechlike(heard[starts[i] : ends[i]], threshold))
        start, end = int(starts[best]), int(ends[best])
        before, after = np.flatnonzero(level[:start] > threshold), np.flatnonzero(level[end:] > threshold)
        first = int(before[-1] + 1) * hop if len(before) else 0
        last = (end + int(after[0])) * hop if len(after) else len(samples)
        speech = start * hop, min(len(samples), end * hop)
        widened = self.widen(speech, len(samples), sample_rate)
        return speech, (max(first, widened[0]), min(last, widened[1]))

    def several(self, samples: np.ndarray, sample_rate: int) -> bool:
        """Whether a recording holds several words, with pauses between them that are in no word.

        Sounds are counted that rise and fall as speech does, last as long as a syllable, and are about as loud and as
        much as the one with most speech in it: no breath, click or noise is.

        Parameters
        ----------
        samples : (n,), full scale 1
        sample_rate : Hz
        """
        level = frame_level(samples, round(HOP * sample_rate), max(1, round(sample_rate / TILT_RATE)))
        if not len(level):
            return False
        floor = np.interp(FLOOR * (len(level) - 1), np.arange(len(level)), np.sort(level))
        threshold, starts, ends = self._sounds(level, floor)
        long = [(start, end) for start, end in zip(starts.tolist(), ends.tolist()) if end - start >= VOWEL]
        judged = [(*speechlike(level[start:end], threshold), start, end) for start, end in long]
        loudness = {start: held(level[start:end], VOWEL).max() for start, end in long}
        alive = [(amount, start, end) for lively, amount, start, end in judged if lively]
        if len(alive) < 2:
            return False
        most, loudest = max(amount for amount, _, _ in alive), max(loudness[start] for _, start, _ in alive)
        words = [
            (start, end)
            for amount, start, end in alive
            if amount >= ALIKE * most and loudness[start] >= loudest - DECAY
        ]
        return any(start - end >= APART / HOP for (_, end), (start, _) in pairwise(words))

    def _sounds(self, level: np.ndarray, floor: float) -> tuple[float, np.ndarray, np.ndarray]:
        """What is loud enough for speech, over which level, and the first and past-the-last frames of each sound."""
        loudest = np.partition(level, -min(LOUD_FRAMES, len(level)))[-min(LOUD_FRAMES, len(level))]
        noise = loudest - floor < self.flattest and len(level) * HOP > self.steady
        peak = min(held(level, PEAK).max(), held(level, VOWEL).max() + STANDS_OUT)
        if peak < self.quietest or noise:
            return peak, np.zeros(0, dtype=int), np.zeros(0, dtype=int)
        threshold = min(max(floor + self.threshold * (peak - floor), peak - self.depth, STEP), peak - 6.0)
        starts, ends = runs(level > threshold)
        if len(starts) > 1:
            kept = worth_keeping(level, peak, starts, ends)
            starts, ends = bridged(starts[kept], ends[kept], self.pause)
        return threshold, starts, ends

    def widen(self, span: tuple[int, int], length: int, sample_rate: int) -> tuple[int, int]:
        """The span with its margins, inside a recording of `length` samples."""
        margin = round(self.margin * sample_rate)
        return max(0, span[0] - margin), min(length, span[1] + margin)


def frame_level(samples: np.ndarray, hop: int, lag: int) -> np.ndarray:
    """Energy above the hum of frames of `hop` samples, smoothed over three, in dB full scale, (n // hop,)."""
    frames = len(samples) // hop
    if not frames:
        return np.zeros(0)
    parts = range(0, frames, FRAMES_AT_ONCE)
    energy = np.concatenate([_energy(samples, first, min(first + FRAMES_AT_ONCE, frames), hop, lag) for first in parts])
    beside = np.concatenate([energy[:1], energy, energy[-1:]])
    return decibels((beside[:-2] + energy + beside[2:]) / 3)


def _energy(samples: np.ndarray, first: int, last: int, hop: int, lag: int) -> np.ndarray:
    """Energy of some of the frames, tilted, (last - first,)."""
    start, end = first * hop, last * hop
    tilted = samples[start:end].astype(np.float64)
    alone = 0 if first else lag  # samples with none so far before them
    tilted[alone:] -= TILT * samples[start + alone - lag : end - lag]
    tilted[:alone] *= 1 - TILT
    by_frame = tilted.reshape(last - first, hop)
    mean = np.einsum("fn->f", by_frame) / hop  # of each frame by itself: a step of DC is then one click
    return np.maximum(np.einsum("fn,fn->f", by_frame, by_frame) / hop - mean**2, 0.0)


def held(level: np.ndarray, frames: int) -> np.ndarray:
    """What each stretch of so many frames, or of all if there are fewer, is no softer than, (stretches,)."""
    frames, size = min(frames, len(level)), 1
    while size < frames:
        step = min(size, frames - size)
        level = np.minimum(level[:-step], level[step:])
        size += step
    return level


def runs(loud: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and past-the-last places of the stretches of true values."""
    padded = np.zeros(len(loud) + 2, dtype=bool)
    padded[1:-1] = loud
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return edges[::2], edges[1::2]


def worth_keeping(level: np.ndarray, peak: float, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Which sounds are no clicks or knocks, (sounds,): what lasts, and what is as soft and close as a stop's release.

    If nothing lasts, all are kept.
    """
    loudest = np.maximum.reduceat(level, starts)
    lasting = held(level, SYLLABLE)
    padded = np.concatenate([lasting, np.full(len(level) - len(lasting), -np.inf)])
    lasts = (ends - starts >= SHORTEST) & (np.maximum.reduceat(padded, starts) >= loudest - DECAY)
    if not lasts.any():
        return ~lasts
    since = starts - np.maximum.accumulate(np.where(lasts, ends, -np.inf))
    until = np.minimum.accumulate(np.where(lasts, starts, np.inf)[::-1])[::-1] - ends
    return lasts | (loudest <= peak + np.where(np.minimum(since, until) <= CLOSE, BURST, -SOFT))


def bridged(starts: np.ndarray, ends: np.ndarray, pause: float) -> tuple[np.ndarray, np.ndarray]:
    """Sounds joined where the silence between them is a pause inside a word, seconds at most."""
    apart = np.ones(len(starts) + 1, dtype=bool)
    apart[1:-1] = starts[1:] - ends[:-1] > pause / HOP
    return starts[apart[:-1]], ends[apart[1:]]


def even(level: np.ndarray, frames: int, most: float, least: float = -np.inf) -> np.ndarray:
    """Which frames are in or next to a stretch of at least so many whose levels differ by less than `most` dB, (n,).

    Next to it are those that smoothing mixes with it. None of a stretch is under `least`.

    Parameters
    ----------
    level : (n,), dB
    """
    if len(level) < frames:
        return np.zeros(len(level), dtype=bool)
    softest = held(level, frames)
    stretches = np.flatnonzero((-held(-level, frames) - softest < most) & (softest >= least))
    marks = np.zeros(len(level) + 2 * SLOPE + 1)
    marks[stretches] += 1
    marks[stretches + frames + 2 * SLOPE] -= 1
    return marks.cumsum()[SLOPE : SLOPE + len(level)] > 0


def speechlike(level: np.ndarray, threshold: float) -> tuple[bool, float]:
    """Whether a sound rises and falls as speech does, and its decibels over the threshold, summed.

    A slammed door is louder than the word but does not last; noise may be louder and last longer, but it is even.
    """
    inner = level[SLOPE:-SLOPE] if len(level) > 2 * SLOPE else level
    tenth = int(FLOOR * (len(inner) - 1))
    low, high = np.partition(inner, (tenth, len(inner) - 1 - tenth))[[tenth, len(inner) - 1 - tenth]]
    return high - low > EVEN, np.maximum(level - threshold, 0.0).sum()
