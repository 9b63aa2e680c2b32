"""The front end: samples in, mel-frequency cepstra with their derivatives out.

The stages are librosa's (STFT, DCT, deltas); the logarithm between them is ours, because `power_to_db`
clips relative to the loudest frame of a clip, and the mel filters are, because their frequency axis can be
warped to imitate a longer or a shorter vocal tract.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import ClassVar

import numpy as np

from recognizer.errors import AudioError

MEL_SPACING = 80.0  # mel between filters; wider ones blur formants, narrower ones resolve pitch
SILENT = 1e-10  # power of digital silence, relative to a full-scale sine, so that nothing divides by zero


@dataclass(frozen=True)
class FrontEnd:
    """Settings of the analysis; every model carries the ones it was trained with.

    Attributes
    ----------
    sample_rate : Hz
    window, hop : length of and distance between frames, seconds
    pre_emphasis : of the first difference taken before the analysis
    filters : triangular mel filters
    low, high : frequency range of the filters, Hz
    cepstra : static coefficients, the 0th (energy) among them
    delta_width : frames in the regression for a derivative, odd
    floor : added to the mel powers, as a fraction of the mean filter's power in the loud frames, so that
        noise this far under the speech does not matter
    mean_weight : frames that `mean` counts for beside an utterance's own, when its mean is subtracted: the
        mean of 0.4 s alone says more about the word than about the speaker
    mean : (cepstra,), the mean of the training speech, without silence; empty before training
    warp : factor on the frequency axis of everything that is analysed, chosen for one speaker; over 1 reads a
        short vocal tract as a longer one
    """

    hears: ClassVar[bool] = True  # computes features from sound, where others read them
    symbols: ClassVar[int] = 0  # its features are none

    sample_rate: int = 8000
    window: float = 0.025
    hop: float = 0.010
    pre_emphasis: float = 0.97
    filters: int = 22
    low: float = 100.0
    high: float = 3500.0
    cepstra: int = 13
    delta_width: int = 9
    floor: float = 1e-4
    mean_weight: float = 60.0
    mean: tuple[float, ...] = ()
    warp: float = 1.0

    @classmethod
    def for_rate(cls, sample_rate: int) -> FrontEnd:
        """The defaults for a sample rate in Hz: filters at the same distance, up to 7/16 of the rate."""
        high = min(sample_rate * 7 / 16, 7600.0)
        filters = round((_mel(high) - _mel(cls.low)) / MEL_SPACING) - 1
        return cls(sample_rate=sample_rate, filters=filters, high=high)

    @property
    def kind(self) -> str:
        """HTK's name for such features, which are none of its own."""
        return "USER"

    @property
    def source(self) -> str:
        """What it reads, for people."""
        return f"{self.sample_rate} Hz"

    def with_speech(self, speech: np.ndarray, prior: float = 0.0, mean_weight: float | None = None) -> FrontEnd:
        """With the mean of this speech.

        Parameters
        ----------
        speech : (cepstra, T), static cepstra before normalisation
        prior : frames of the mean so far that count beside it
        mean_weight : of the mean beside that of an utterance; what it was when None
        """
        before = prior * np.array(self.mean) if prior else 0.0
        mean = (speech.sum(1, dtype=np.float64) + before) / (speech.shape[1] + prior)
        weight = self.mean_weight if mean_weight is None else mean_weight
        return replace(self, mean=tuple(map(float, mean)), mean_weight=weight)

    def of_speaker(self, mean: tuple[float, ...], mean_weight: float, warp: float) -> FrontEnd:
        """As it was fitted to a speaker."""
        return replace(self, mean=mean, mean_weight=mean_weight, warp=warp)

    @property
    def dims(self) -> int:
        """Values a frame: statics, deltas and accelerations."""
        return 3 * self.cepstra

    def frames(self, samples: int) -> int:
        """How many frames `samples` samples give."""
        hop, window = round(self.hop * self.sample_rate), round(self.window * self.sample_rate)
        return 1 + max(0, samples - window) // hop

    def extract(self, samples: np.ndarray, warp: float = 1.0, speech: tuple[int, int] | None = None) -> np.ndarray:
        """Features of one utterance.

        Parameters
        ----------
        samples : (n,), finite, at `sample_rate`; scale and DC offset do not matter
        warp : factor on the frequency axis beside the front end's own
        speech : as for `finish`

        Returns
        -------
        (T, dims) float32
        """
        return self.finish(self.statics(samples, warp), speech)

    def statics(self, samples: np.ndarray, warp: float = 1.0) -> np.ndarray:
        """Static cepstra before normalisation, (cepstra, T) float32; parameters as in `extract`."""
        from librosa.feature import mfcc

        power = self._power(samples)
        size = 2 * (len(power) - 1)
        mel = mel_filters(self.sample_rate, size, self.filters, self.low, self.high, self.warp * warp) @ power
        level = np.percentile(mel.mean(0), 90) + SILENT
        return mfcc(S=np.log(mel / level + self.floor), n_mfcc=self.cepstra).astype(np.float32)

    def finish(self, statics: np.ndarray, speech: tuple[int, int] | None = None) -> np.ndarray:
        """Normalised cepstra with deltas and accelerations.

        Parameters
        ----------
        statics : (cepstra, T)
        speech : first and past-the-last frame of the speech, which alone makes the mean: how much silence
            stands beside a word says nothing of the speaker or the microphone; all frames when None

        Returns
        -------
        (T, dims) float32
        """
        from librosa.feature import delta

        if self.mean:
            own = statics if speech is None else statics[:, slice(*speech)]
            known = np.array(self.mean, dtype=np.float32)
            mean = (own.sum(1) + self.mean_weight * known) / (own.shape[1] + self.mean_weight)
            statics = statics - mean[:, None]
        derivatives = [delta(statics, width=self.delta_width, order=n, mode="nearest") for n in (1, 2)]
        return np.concatenate([statics, *derivatives]).T.astype(np.float32)

    def _power(self, samples: np.ndarray) -> np.ndarray:
        """Power spectrum of frames that lie wholly inside the samples, (bins, T), at a peak of 1."""
        from librosa import stft
        from librosa.effects import preemphasis

        window, hop = round(self.window * self.sample_rate), round(self.hop * self.sample_rate)
        size = 2 ** int(np.ceil(np.log2(2 * window)))  # twice as fine as needed: narrow warped filters stay smooth
        samples = np.asarray(samples, dtype=np.float64)
        samples = samples - samples.mean()
        samples = samples / max(np.abs(samples).max(), np.finfo(np.float32).tiny)
        samples = np.pad(samples, (0, max(0, window - len(samples))))
        samples = preemphasis(samples, coef=self.pre_emphasis)
        samples = np.pad(samples, (size - window) // 2 + np.array([0, (size - window) % 2]))
        spectrum = stft(samples, n_fft=size, hop_length=hop, win_length=window, window="hamming", center=False)
        return np.abs(spectrum) ** 2


@dataclass(frozen=True)
class GivenFeatures:
    """The front end of a model whose features come out of HTK's parameter files, computed elsewhere.

    Attributes
    ----------
    kind : HTK's name of what is in the files, such as MFCC_0_D_A; "" where nobody told, and any will do
    dims : values a frame
    hop : distance between frames, seconds
    symbols : how many there are in a stream, if the values are symbols, from 1 on; 0 if they are not
    """

    kind: str
    dims: int
    hop: float = 0.010
    symbols: int = 0

    hears: ClassVar[bool] = False
    # There is nothing to normalise, and nothing to warp.
    mean: ClassVar[tuple[float, ...]] = ()
    mean_weight: ClassVar[float] = 0.0
    warp: ClassVar[float] = 1.0

    @property
    def window(self) -> float:
        """Length of a frame, seconds: what is known of it."""
        return self.hop

    @property
    def source(self) -> str:
        """What it reads, for people."""
        return f"{self.kind or 'parameter'} files"

    @property
    def sample_rate(self) -> int:
        """It has none.

        Raises
        ------
        AudioError
            always: this is where sound would come in.
        """
        raise AudioError(
            f"this model cannot hear sound: it knows HTK parameter files{self.kind and f' of kind {self.kind}'}, "
            f"{self.dims} values a frame; give it such files, or choose another --model"
        )

    def with_speech(self, speech: np.ndarray, prior: float = 0.0, mean_weight: float | None = None) -> GivenFeatures:
        """Itself: there is no mean to subtract."""
        return self

    def of_speaker(self, mean: tuple[float, ...], mean_weight: float, warp: float) -> GivenFeatures:
        """Itself: nothing in it is a speaker's."""
        return self

    def finish(self, statics: np.ndarray, speech: tuple[int, int] | None = None) -> np.ndarray:
        """The features as they are: (dims, T) as (T, dims) float32."""
        return statics.T.astype(np.float32)


def of_settings(settings: dict) -> FrontEnd | GivenFeatures:
    """The front end that has these settings, and the defaults in all others.

    Raises
    ------
    KeyError
        if there is none.
    """
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
    for kind in (FrontEnd, GivenFeatures):
        if set(plain) <= {f.name for f in fields(kind)}:
            return kind(**plain)
    raise KeyError(next(iter(plain)))


def _mel(frequency: np.ndarray | float) -> np.ndarray | float:
    """O'Shaughnessy's mel scale, Hz to mel, as HTK uses it."""
    return 2595.0 * np.log10(1.0 + np.asarray(frequency) / 700.0)


@lru_cache(maxsize=64)
def mel_filters(sample_rate: int, size: int, filters: int, low: float, high: float, warp: float) -> np.ndarray:
    """Triangular filters, equally spaced in mel, of height one, (filters, size // 2 + 1).

    A warp multiplies the filters' edges, up to a knee; from there the axis runs straight to `high`, which
    stays (piecewise linear vocal tract length normalisation; HTK Book, section 5.6).

    Parameters
    ----------
    sample_rate : Hz
    size : of the Fourier transform
    low, high : range of the unwarped filters, Hz
    warp : factor on frequencies below the knee
    """
    edges = 700.0 * (10 ** (np.linspace(_mel(low), _mel(high), filters + 2) / 2595.0) - 1.0)
    knee = 0.85 * high / max(warp, 1.0)
    above = high - (high - warp * knee) * (high - edges) / (high - knee)
    edges = np.where(edges <= knee, warp * edges, above)
    frequency = np.arange(size // 2 + 1) * sample_rate / size
    rising = (frequency - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequency) / (edges[2:] - edges[1:-1])[:, None]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights.flags.writeable = False  # the cache hands out one array
    return weights
