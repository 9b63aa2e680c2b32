"""The noise of each frequency band of a stream, tracked under whatever is said in it."""

from __future__ import annotations

import numpy as np

from recognizer.sound.endpoint import HOP

BANDS = 8  # equally wide in mel, each with its own noise floor: better than one for all (`recipes/endpoint/CHOICE.md`)
LOWEST, HIGHEST = 100.0, 7000.0  # Hz; below is hum, above is little that tells speech from noise
SMOOTHED = 3  # frames averaged, so that the spectrum of noise is steady: no longer than the shortest sound that counts
FLOOR_EVERY = 10  # frames between two measurements of the floor, a twentieth of what it is measured on
HANN_POWER = 0.375  # mean square of a Hann window


class BandPower:
    """Power in each band and over all, of a stream, in frames of two hops, smoothed."""

    def __init__(self, sample_rate: int):
        self._hop = round(HOP * sample_rate)
        size = 2 * self._hop
        self._window = np.hanning(size + 1)[:-1]
        self._edges = band_edges(sample_rate, size)
        self.share = np.diff(self._edges) / self._hop  # of white noise that is in each band
        self._scale = 2.0 / (HANN_POWER * size**2)  # by Parseval: the bands' sum is the mean square
        self._rest = np.zeros(0)  # samples that make no frame yet
        self._before = np.zeros((0, BANDS + 1))  # powers that smooth the next ones
        self.last = 0.0  # mean square of the last frame, not smoothed

    def push(self, samples: np.ndarray, fewest: int) -> np.ndarray:
        """Powers of the new frames, (n, BANDS + 1), the mean square in the last column; none before `fewest`."""
        self._rest = np.concatenate([self._rest, samples])
        hops = len(self._rest) // self._hop
        if hops <= fewest:
            return self._before[:0]
        halves = self._rest[: hops * self._hop].reshape(hops, self._hop)
        self._rest = self._rest[(hops - 1) * self._hop :]
        frames = np.concatenate([halves[:-1], halves[1:]], axis=1)
        spectrum = np.fft.rfft(frames * self._window)
        power = np.empty((hops - 1, BANDS + 1))
        power[:, :-1] = np.add.reduceat(spectrum.real**2 + spectrum.imag**2, self._edges, axis=1)[:, :-1] * self._scale
        power[:, -1] = np.einsum("ij,ij->i", frames, frames) / frames.shape[1]
        self.last = float(power[-1, -1])
        before = self._before if len(self._before) else np.repeat(power[:1], SMOOTHED - 1, axis=0)
        power = np.concatenate([before, power])
        self._before = power[1 - SMOOTHED :]
        count = len(power) - SMOOTHED + 1
        return sum(power[i : i + count] for i in range(SMOOTHED)) / SMOOTHED


class NoiseFloor:
    """A low quantile of each band's power in the last frames (Stahl, Fischer and Bippus 2000)."""

    def __init__(self, memory: float, quantile: float, least: np.ndarray):
        self.frames = 0  # taken in so far
        # Frame n is in row n % len(history); groups of frames fit in without being torn.
        self.history = np.zeros((FLOOR_EVERY * round(memory / HOP / FLOOR_EVERY), BANDS + 1))
        self.level = 0.0  # mean square
        self.bands = least  # mean square in each
        self._least = least
        self._quantile = quantile

    def push(self, power: np.ndarray) -> None:
        """Take in the powers of some frames, (n, BANDS + 1), at most up to where the floor is next measured."""
        first = self.frames % len(self.history)
        self.history[first : first + len(power)] = power
        self.frames += len(power)

    def measure(self) -> None:
        """Bring the floor up to date."""
        known = self.history[: self.frames]
        place = int(self._quantile * (len(known) - 1))
        floor = np.partition(known, place, axis=0)[place]
        self.level = float(floor[-1])
        self.bands = np.maximum(floor[:-1], self._least)

    def lower(self, change: float) -> None:
        """Lower the floor by as many dB as `change` is under zero."""
        self.bands = np.maximum(self.bands * 10 ** (min(0.0, change) / 10), self._least)


def band_edges(sample_rate: int, size: int) -> np.ndarray:
    """First bins of bands equally wide in mel, and the past-the-last bin, (BANDS + 1,), of a transform's `size`."""
    highest = min(HIGHEST, 7 / 16 * sample_rate)
    mel = np.linspace(np.log1p(LOWEST / 700), np.log1p(highest / 700), BANDS + 1)
    return np.round(700 * np.expm1(mel) * size / sample_rate).astype(int)
