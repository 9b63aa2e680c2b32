"""Copies of the training speech as other people and other rooms would have recorded it.

A model trained on few speakers knows their vocal tracts and their rooms. Reading each recording once more with
its frequency axis stretched (vocal tract length perturbation; Jaitly and Hinton 2013) or with noise mixed in
(multi-condition training) teaches it what does not matter.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

NOISE_POLES = (0.0, 0.5, 0.9)  # of the first-order filter that colours the noise: white to red


@dataclass(frozen=True)
class Perturbation:
    """One way to read a recording.

    Attributes
    ----------
    warp : factor on the frequency axis, see `FrontEnd.statics`
    snr : level of the speech over the noise mixed in, dB; None for none
    """

    warp: float = 1.0
    snr: float | None = None


PLAIN = Perturbation()
VTLP = tuple(Perturbation(warp) for warp in (0.82, 0.9, 1.1, 1.2))  # from a child's tract to a tall man's
NOISE = (Perturbation(0.95, 20.0), Perturbation(1.05, 10.0))  # warped a little, to be new copies in all

MILD = (*NOISE, Perturbation(0.95), Perturbation(1.05))  # for few takes: what all the copies share is the voice


def add_noise(samples: np.ndarray, speech: slice, snr: float) -> np.ndarray:
    """Samples with coloured noise, the same each time for the same samples and ratio.

    Parameters
    ----------
    samples : (n,)
    speech : the part whose mean power the ratio refers to
    snr : dB

    Returns
    -------
    (n,) float64
    """
    random = np.random.default_rng([zlib.crc32(np.ascontiguousarray(samples).tobytes()), round(1000 * (snr + 1000))])
    pole, white = random.choice(NOISE_POLES), random.standard_normal(len(samples))
    # Coloured by a filter of one pole, whose response is convolved in the frequency domain.
    size = 2 * len(white)
    noise = np.fft.irfft(np.fft.rfft(white, size) * np.fft.rfft(pole ** np.arange(len(white)), size), size)[
        : len(white)
    ]
    power = np.var(samples[speech], dtype=np.float64)  # a DC offset is no speech
    return samples + noise * np.sqrt(power / np.mean(noise**2) / 10 ** (snr / 10))
