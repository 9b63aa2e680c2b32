"""Copies of the training speech as other people and other rooms would have recorded it.

A model trained on few speakers knows their vocal tracts and their rooms. Reading each recording once more with
its frequency axis stretched (vocal tract length perturbation; Jaitly and Hinton 2013), at another pace (Ko and others
2015), with noise mixed in, in another room, at another level or through a telephone (multi-condition training) teaches
it what does not matter.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from recognizer.sound.audio import prepare, sixteen_bits

if TYPE_CHECKING:  # who recognises makes up no rooms
    from recognizer.sound.background import Background
    from recognizer.sound.rooms import Room

NOISE_POLES = (0.0, 0.5, 0.9)  # of the first-order filter that colours the noise: white to red
LINE_RATE = 8000  # Hz, of a telephone line
BAND = (300.0, 3400.0)  # Hz, that it carries
BAND_ORDER = 4  # of the filters: 24 dB an octave, near what ITU-T G.712 asks for
MU = 255  # of the logarithmic scale (ITU-T G.711)
LINE_PEAK = 0.5  # of full scale: room for what the filters add


@dataclass(frozen=True)
class Perturbation:
    """One way to read a recording.

    Attributes
    ----------
    warp : factor on the frequency axis, see `FrontEnd.statics`
    snr : level of the speech over the noise mixed in, dB; None for none
    background : that noise; coloured by a filter of one pole when None
    room : where it is spoken; as it was recorded when None
    pace : factor on the speed of speech, at the same pitch: the frames lie so many times farther apart
    peak : dB over full scale, to which the level is brought before it is rounded to 16 bits, and clipped beyond 0;
        as it is when None
    telephone : whether it comes through one
    """

    warp: float = 1.0
    snr: float | None = None
    background: Background | None = None
    room: Room | None = None
    pace: float = 1.0
    peak: float | None = None
    telephone: bool = False

    def as_json(self) -> dict[str, object]:
        """What differs from the recording itself, for a model's card."""
        different = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return {name: value if isinstance(value, (int, float)) else str(value) for name, value in different.items()}

    def heard(self, samples: np.ndarray, speech: slice, sample_rate: int) -> np.ndarray:
        """Samples as they would have been recorded, (n,), in the order in which a sound meets it all.

        Parameters
        ----------
        samples : (n,)
        speech : the part whose mean power the ratio to the noise refers to
        sample_rate : Hz
        """
        if self.room:
            samples = self.room.reverberated(samples, sample_rate)
        if self.snr is not None and self.background:
            samples = mixed(samples, speech, self.snr, self.background.sound(len(samples), sample_rate))
        elif self.snr is not None:
            samples = add_noise(samples, speech, self.snr)
        if self.peak is not None:
            samples = digitised(samples, self.peak)
        return telephoned(samples, sample_rate) if self.telephone else samples


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
    return mixed(samples, speech, snr, noise)


def mixed(samples: np.ndarray, speech: slice, snr: float, noise: np.ndarray) -> np.ndarray:
    """Samples with a noise, both (n,), at a ratio in dB to the mean power of the speech; (n,) float64."""
    power = np.var(samples[speech], dtype=np.float64)  # a DC offset is no speech
    loudness = np.mean(noise**2) or 1.0  # silence stays silence
    return samples + noise * np.sqrt(power / loudness / 10 ** (snr / 10))


def digitised(samples: np.ndarray, peak: float) -> np.ndarray:
    """Samples at a peak in dB over full scale, as 16 bits hold them: coarse when quiet, clipped over 0 dB."""
    loudest = np.abs(samples).max() or 1.0
    return sixteen_bits(samples / loudest * 10 ** (peak / 20)) / 32768.0


def telephoned(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Samples, (n,), as a telephone hands them on: 300 to 3400 Hz, 8 bits on a logarithmic scale (ITU-T G.711).

    The scale is the continuous mu-law, which the standard's segments approximate.
    """
    from scipy.signal import butter, sosfilt

    line_rate = min(sample_rate, LINE_RATE)
    band = (BAND[0], min(BAND[1], 0.45 * line_rate))
    loudest = np.abs(samples).max() or 1.0
    sound = prepare(samples * (LINE_PEAK / loudest), sample_rate, line_rate).samples
    sound = np.clip(sosfilt(butter(BAND_ORDER, band, "bandpass", fs=line_rate, output="sos"), sound), -1.0, 1.0)
    steps = np.rint(127 * np.log1p(MU * np.abs(sound)) / np.log1p(MU))
    sound = np.sign(sound) * np.expm1(steps / 127 * np.log1p(MU)) / MU
    back = prepare(sound, line_rate, sample_rate).samples[: len(samples)]
    return np.pad(back, (0, len(samples) - len(back)))
