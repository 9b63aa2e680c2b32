"""What is in a recording at which time and frequency, as a picture that people can read."""

from __future__ import annotations

import numpy as np

from recognizer.files.pictures import grey_png

SHOWN_DEPTH = 60.0  # dB from the strongest to the weakest that a spectrogram shows: about what speech has over a room
WIDEBAND = 0.006  # seconds; a short window shows formants, and when they move, rather than the pitch
WIDEST, HIGHEST = 480, 256  # dots of a small picture: a word fits on the screen of a phone
SHADES = 32  # of grey: as many as an eye tells apart there, and half as many bytes


def spectrogram(samples: np.ndarray, sample_rate: int) -> tuple[np.ndarray, float]:
    """Wideband spectrogram, dB under its peak, (bins, frames), and the frequency of the last bin, Hz."""
    window = round(WIDEBAND * sample_rate)
    size = max(512, 2 ** int(np.ceil(np.log2(window))))
    emphasised = np.diff(samples, prepend=samples[:1])  # as an ear hears it, so that high formants are seen
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(emphasised, window // 2), window)[:: max(1, window // 4)]
    power = np.abs(np.fft.rfft(frames * np.hanning(window), size)).T ** 2
    return 10 * np.log10(power / max(power.max(), 1e-20) + 1e-12), sample_rate / 2


def small_picture(samples: np.ndarray, sample_rate: int) -> bytes:
    """The spectrogram of a few seconds, without axes, as a PNG file: the darker, the louder."""
    level, _ = spectrogram(samples, sample_rate)
    rows, columns = (-(-size // most) for size, most in zip(level.shape, (HIGHEST, WIDEST)))
    depth = np.clip(-level[::rows, ::columns][::-1] / SHOWN_DEPTH, 0, 1)
    return grey_png((np.rint(depth * (SHADES - 1)) * (255 / (SHADES - 1))).astype(np.uint8))
