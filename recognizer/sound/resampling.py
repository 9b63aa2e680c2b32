"""Bringing a stream to another sample rate, block by block."""

from __future__ import annotations

import math

import numpy as np

ZERO_CROSSINGS = 22  # of the resampling filter of streams, on either side
PASS_BAND = 0.935  # of the lower Nyquist frequency, where that filter has fallen to a half


class Resampler:
    """Brings a stream to another rate, block by block; what comes out does not depend on how it is cut.

    A polyphase filter (Crochiere & Rabiner, Multirate Digital Signal Processing, 1983, section 3.3) that looks
    `ZERO_CROSSINGS` samples of the lower rate ahead, 3 ms at 8 kHz: libraries made for files hold back fifty times
    as much, which a person who has spoken would wait for.

    Parameters
    ----------
    source_rate, sample_rate : int
        Rates of what goes in and of what comes out, in Hz.
    """

    def __init__(self, source_rate: int, sample_rate: int) -> None:
        from scipy.signal import firwin

        common = math.gcd(source_rate, sample_rate)
        self._up, self._down = sample_rate // common, source_rate // common
        slower = max(self._up, self._down)
        self._centre = ZERO_CROSSINGS * slower
        response = self._up * firwin(2 * self._centre + 1, PASS_BAND / slower, window=("kaiser", 8.6))
        # Delayed until the filter's own delay is a whole number of outputs.
        self._filter = np.concatenate([np.zeros(-self._centre % self._down), response]).astype(np.float32)
        self._delay = -(-self._centre // self._down)
        # What is held of the input begins a multiple of `down` samples after the stream did, so that the outputs
        # of the filter fall on the same moments as if it had begun with the stream.
        self._held, self._before = np.zeros(0, np.float32), 0
        self._due = 0  # the next output's number

    def push(self, samples: np.ndarray, last: bool = False) -> np.ndarray:
        """What the next samples (n,) add to the output, (m,) float32; `last` ends the stream."""
        from scipy.signal import upfirdn

        if self._up == self._down:
            return np.asarray(samples, dtype=np.float32)
        self._held = np.concatenate([self._held, samples]).astype(np.float32)
        known = (self._before + len(self._held)) * self._up
        end = max(self._due, -(-known // self._down) if last else (known - self._centre) // self._down)
        beyond = np.zeros(self._centre // self._up + 1 if last else 0, np.float32)
        filtered = upfirdn(self._filter, np.concatenate([self._held, beyond]), self._up, self._down)
        first = self._delay - self._before // self._down * self._up
        output = filtered[first + self._due : first + end]
        self._due = end
        needed = max(0, (end * self._down - self._centre) // self._up)
        drop = max(0, needed // self._down * self._down - self._before)
        self._held, self._before = self._held[drop:], self._before + drop
        return output
