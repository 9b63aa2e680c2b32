"""Bringing a stream to another sample rate, block by block."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

ZERO_CROSSINGS = 22  # of the resampling filter of streams, on either side: enough that it falls by 80 dB in its band
PASS_BAND = 0.935  # of the lower Nyquist frequency, where that filter has fallen to a half: no more leaves room to fall
KAISER = 8.6  # shape of its window: 0.1102 (A - 8.7) for A = 87 dB (Kaiser 1974), of which 80 are promised
LONGEST = 20_000  # the larger term of a ratio of rates: 25 Hz and its multiples up to 500 kHz are exact at 8 and 16 kHz
TOGETHER = 256  # outputs computed at once: with more, what they need leaves the cache (8 ms a second, not 2)


class Resampler:
    """Brings a stream to another rate, block by block; what comes out does not depend on how it is cut.

    A polyphase filter (Crochiere & Rabiner, Multirate Digital Signal Processing, 1983, section 3.3) that looks
    `ZERO_CROSSINGS` samples of the lower rate ahead, 3 ms at 8 kHz: libraries made for files hold back fifty times
    as much, which a person who has spoken would wait for. The filter is as long as the ratio of the rates has large
    terms; so one that has none of up to `LONGEST`, as 8,000 to 999,983, is taken for the next that has. That makes an
    hour longer or shorter by 0.1 s at most; the clocks of sound cards differ by more.

    Parameters
    ----------
    source_rate, sample_rate : int
        Rates of what goes in and of what comes out, in Hz.
    """

    def __init__(self, source_rate: int, sample_rate: int) -> None:
        lower, higher = sorted((source_rate, sample_rate))
        terms = Fraction(lower, higher).limit_denominator(LONGEST).as_integer_ratio()
        self._up, self._down = terms if source_rate > sample_rate else terms[::-1]
        self._centre = ZERO_CROSSINGS * max(self._up, self._down)  # of the response, at the rate both are parts of
        response = self._up * low_pass(self._centre, PASS_BAND / max(self._up, self._down))
        taps = -(-len(response) // self._up)
        # Row p holds every up-th sample of the response from p on, the last one first, as the input is.
        padded = np.pad(response, (0, taps * self._up - len(response)))
        self._phases = np.ascontiguousarray(padded.reshape(taps, self._up)[::-1].T, dtype=np.float32)
        self._held, self._before = np.zeros(taps - 1, np.float32), 1 - taps  # of the input, and the first one's number
        self._due = 0  # the next output's number

    def push(self, samples: np.ndarray, last: bool = False) -> np.ndarray:
        """What the next samples (n,) add to the output, (m,) float32; `last` ends the stream."""
        if self._up == self._down:
            return np.asarray(samples, dtype=np.float32)
        self._held = np.concatenate([self._held, samples]).astype(np.float32)
        known = (self._before + len(self._held)) * self._up
        end = max(self._due, -(-(known if last else known - self._centre) // self._down))
        if last:
            self._held = np.pad(self._held, (0, self._centre // self._up + 1))
        parts = [self._outputs(first, min(first + TOGETHER, end)) for first in range(self._due, end, TOGETHER)]
        self._due = end
        drop = max(0, self._newest(end) - self._phases.shape[1] + 1 - self._before)
        self._held, self._before = self._held[drop:], self._before + drop
        return np.concatenate([*parts, np.zeros(0, np.float32)])

    def _newest(self, output: int | np.ndarray) -> int | np.ndarray:
        """The last input that an output depends on."""
        return (output * self._down + self._centre) // self._up

    def _outputs(self, first: int, end: int) -> np.ndarray:
        """Outputs of these numbers: each a few inputs, weighed by a phase of the response."""
        numbers = np.arange(first, end)
        taps = self._phases.shape[1]
        # All windows of the input in place; sliding_window_view leaves cycles behind, which pile up in a stream.
        windows = np.ndarray((len(self._held) - taps + 1, taps), np.float32, self._held, 0, 2 * self._held.strides)
        oldest = self._newest(numbers) - taps + 1 - self._before
        return np.einsum("ij,ij->i", windows[oldest], self._phases[(numbers * self._down + self._centre) % self._up])


def low_pass(centre: int, cutoff: float) -> np.ndarray:
    """The impulse response of a low-pass filter, a sinc under a Kaiser window, whose sum is 1.

    Parameters
    ----------
    centre : samples before its middle and after it
    cutoff : where it has fallen to a half, of the Nyquist frequency

    Returns
    -------
    (2 centre + 1,)
    """
    response = np.sinc(cutoff * np.arange(-centre, centre + 1)) * np.kaiser(2 * centre + 1, KAISER)
    return response / response.sum()
