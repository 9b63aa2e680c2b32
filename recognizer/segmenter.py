"""Where words start and end in a stream: sound that rises over the tracked noise of each frequency band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recognizer.endpoint import HOP

LOWEST, HIGHEST = 100.0, 7000.0  # Hz; below is hum, above is little that tells speech from noise
QUIETEST = -85.0  # dB full scale; no noise floor is lower, so that digital silence and dither are one
SMOOTHED = 3  # frames averaged, so that one period of noise is no event
FLOOR_EVERY = 10  # frames between two measurements of the floor
TRIMMED = 20.0  # dB from floor to peak at least, supposed of a stream that ends before the calibration
AT_ONCE = 100  # frames analysed together at most, which bounds the memory


@dataclass(frozen=True)
class Boundary:
    """What became known about the stream.

    Attributes
    ----------
    kind : "calibrated", once the noise floor is known; "start", once a sound has lasted longer than a click;
        "end" of an announced utterance; or "dropped", if an announced one turned out to be none
    start : first sample of the utterance, pre-roll included, counted from the beginning of the stream
    end : past-the-last sample, margin included; of a "start", where it was decided; of "calibrated", how many
        samples were heard
    complete : False if the maximum length or the end of the stream cut the utterance off
    """

    kind: str
    start: int
    end: int
    complete: bool = True


@dataclass(frozen=True)
class Segmentation:
    """Settings of the segmenter; times in seconds, levels in dB.

    Attributes
    ----------
    calibration : heard before the first decision, to measure the noise floor; looked at again afterwards
    pre_roll : kept before the sound that announces a word, for its soft onset
    hangover : silence that ends a word; longer than a stop's closure
    margin : kept of the hangover, for the decay
    longest : utterance, pre-roll included; then it is cut
    shortest : time an utterance must be within `drop` of its peak; what does not last that long is a click
    onset : a word starts this much over the noise floor
    offset : and goes on while it is this much over it
    depth : but what is this far under its loudest frame is no longer the word
    drop : see `shortest`
    memory : what the floor is measured on, the last so many seconds
    quantile : of the power in that time that is the floor: words may fill the rest of the time
    bands : equally wide in mel, each with a floor of its own
    """

    calibration: float = 0.5
    pre_roll: float = 0.3
    hangover: float = 0.25
    margin: float = 0.25
    longest: float = 3.5
    shortest: float = 0.07
    onset: float = 9.0
    offset: float = 6.0
    depth: float = 35.0
    drop: float = 15.0
    memory: float = 2.0
    quantile: float = 0.2
    bands: int = 8


class Segmenter:
    """Cuts a stream into utterances; what it finds does not depend on how the stream comes in blocks.

    Parameters
    ----------
    sample_rate : Hz
    settings : see `Segmentation`

    Attributes
    ----------
    level : of the last frame, RMS in dB full scale
    floor : tracked noise floor, in the same unit
    """

    def __init__(self, sample_rate: int, settings: Segmentation = Segmentation()):
        self.sample_rate, self.settings = sample_rate, settings
        self.level = self.floor = QUIETEST
        self._hop = round(HOP * sample_rate)
        self._window = np.hanning(2 * self._hop + 1)[:-1]
        self._edges = band_edges(sample_rate, 2 * self._hop, settings.bands)
        self._rest = np.zeros(0)  # samples of the frame that is not complete
        self._heard = 0  # samples
        self._recent = np.zeros((0, settings.bands + 1))  # power of the frames before, for smoothing
        self._history = np.zeros((round(settings.memory / HOP), settings.bands + 1))
        self._frame = 0  # frames put into the history
        self._noise = np.zeros(settings.bands + 1)
        self._least = 10 ** (QUIETEST / 10) / settings.bands
        self._calibrated = False
        self._judged = 0
        self._idle()
        self._blocked = 0
        self._valley = 0.0
        self._last_end = 0

    def _idle(self):
        self._start: int | None = None  # announced
        self._onset: int | None = None  # first frame of a sound
        self._last = 0
        self._peak = 0.0
        self._excess: list[float] = []

    @property
    def pending(self) -> tuple[int, int] | None:
        if self._start is None:
            return None
        return self._start, self._kept_end()

    def push(self, samples: np.ndarray) -> list[Boundary]:
        boundaries = []
        step = AT_ONCE * self._hop
        for first in range(0, len(samples), step):
            self._rest = np.concatenate([self._rest, samples[first : first + step]])
            self._heard += min(step, len(samples) - first)
            halves = len(self._rest) // self._hop
            if halves < 2:
                continue
            rows = self._measure(self._rest[: halves * self._hop].reshape(halves, self._hop))
            self._rest = self._rest[(halves - 1) * self._hop :]
            boundaries += self._advance(rows)
        return boundaries

    def _measure(self, halves):
        frames = np.concatenate([halves[:-1], halves[1:]], axis=1)
        spectrum = np.fft.rfft(frames * self._window)
        power = spectrum.real**2 + spectrum.imag**2
        n = frames.shape[1]
        bands = np.add.reduceat(power, self._edges, axis=1)[:, :-1] * (2 / (0.375 * n * n))
        total = np.einsum("ij,ij->i", frames, frames) / n
        rows = np.empty((len(frames), bands.shape[1] + 1))
        rows[:, :-1] = bands
        rows[:, -1] = total
        return rows

    def _advance(self, rows):
        """rows (n, bands + 1) power"""
        self.level = 10 * np.log10(rows[-1, -1] + 1e-12)
        count = len(rows)
        if not len(self._recent):
            self._recent = np.repeat(rows[:1], SMOOTHED - 1, axis=0)
        long = np.concatenate([self._recent, rows])
        self._recent = long[-SMOOTHED + 1 :]
        rows = (long[:-2] + long[1:-1] + long[2:]) / SMOOTHED
        boundaries = []
        at = 0
        while at < count:
            room = min(count - at, FLOOR_EVERY - self._frame % FLOOR_EVERY)
            group = rows[at : at + room]
            where = self._frame % len(self._history)
            self._history[where : where + room] = group
            self._frame += room
            at += room
            if self._calibrated:
                boundaries += self._judge(group)
                if self._frame % FLOOR_EVERY == 0:
                    self._track()
            elif self._frame >= round(self.settings.calibration / HOP):
                boundaries += self._calibrate()
        return boundaries

    def _calibrate(self, trimmed: bool = False) -> list[Boundary]:
        """Measure the floor for the first time and look at what was heard; `trimmed` supposes it is a word."""
        self._calibrated = True
        self._track()
        if trimmed:
            excess = self._over(self._history[: self._frame]).max()
            self._noise = np.maximum(self._noise * 10 ** (min(0.0, excess - TRIMMED) / 10), self._least)
        return [Boundary("calibrated", 0, self._heard_to(self._frame)), *self._judge(self._history[: self._frame])]

    def _heard_to(self, frame):
        return (frame + 1) * self._hop

    def _track(self):
        known = self._history[: self._frame]
        place = int(self.settings.quantile * (len(known) - 1))
        noise = np.partition(known, place, axis=0)[place]
        self.floor = 10 * np.log10(noise[-1] + 1e-12)
        self._noise = np.maximum(noise, self._least)

    def _over(self, rows):
        return 10 * np.log10((rows / self._noise)[:, :-1].mean(1) + 1e-12)

    def _judge(self, rows):
        boundaries = []
        for excess in self._over(rows).tolist():
            boundaries += self._step(excess)
            self._judged += 1
        return boundaries

    def _step(self, excess):
        s, t = self.settings, self._judged
        if self._blocked:
            self._blocked = self._blocked - 1 if excess < s.offset else round(s.hangover / HOP)
            return []
        if self._onset is None:
            self._valley = max(0.0, min(self._valley, excess))
            if excess < self._valley + s.onset:
                return []
            self._onset = self._last = t
            self._peak = 0.0
        self._excess.append(excess)
        self._peak = max(self._peak, excess)
        found = []
        if excess >= max(s.offset, self._peak - s.depth):
            self._last = t
            if self._start is None and excess >= s.onset and self._lasts():
                self._start = max(self._last_end, 0, self._onset * self._hop - round(s.pre_roll * self.sample_rate))
                found.append(Boundary("start", self._start, self._heard_to(t)))
        if t - self._last >= round(s.hangover / HOP):
            return found + self._close(True)
        if (t + 1 - self._onset) * HOP + s.pre_roll >= s.longest:
            self._blocked = round(s.hangover / HOP)
            return found + self._close(False)
        return found

    def _lasts(self):
        threshold = max(self.settings.onset, self._peak - self.settings.drop)
        return sum(e >= threshold for e in self._excess) >= round(self.settings.shortest / HOP)

    def _kept_end(self):
        return (self._last + 1) * self._hop + round(self.settings.margin * self.sample_rate)

    def _close(self, complete):
        found = []
        if self._start is not None:
            self._last_end = min(self._kept_end(), self._heard)
            found.append(Boundary("end" if self._lasts() else "dropped", self._start, self._last_end, complete))
        self._valley = self._excess[-1]
        self._idle()
        return found

    def finish(self) -> list[Boundary]:
        found = []
        if not self._calibrated and self._frame:
            found += self._calibrate(trimmed=True)
        if self._start is not None:
            found += self._close((self._judged - self._last) * HOP > self.settings.margin)
        return found


def band_edges(sample_rate: int, size: int, bands: int) -> np.ndarray:
    """First bins of bands equally wide in mel, and past-the-last bin, (bands + 1,)."""
    highest = min(HIGHEST, 7 / 16 * sample_rate)
    mel = np.linspace(*(np.log1p(np.array([LOWEST, highest]) / 700.0)), bands + 1)
    return np.round(700.0 * np.expm1(mel) * size / sample_rate).astype(int)
