"""The front end: samples in, mel-frequency cepstra with their derivatives out.

librosa defines it. When a front end is made, librosa gives what it consists of, a window, mel filters, a cosine
transform and two regressions over neighbouring frames, as arrays that the model carries along. From then on these few
lines of NumPy do the rest, for all recordings of a batch at once, in training and in recognition alike. Our own are the
logarithm, because `librosa.power_to_db` clips relative to the loudest frame of a clip, filters whose frequency axis is
warped to imitate a longer or a shorter vocal tract, and what is done against noise: mean and deviation of the speech
are normalised (after Viikki and Laurila 1998), and the cepstra are smoothed over frames by a triangle (Chen and Bilmes
2007 do it by a recursive filter).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache, lru_cache, wraps
from typing import ClassVar

import numpy as np

from recognizer.errors import AudioError

MEL_SPACING = 80.0  # mel between filters; wider ones blur formants, narrower ones resolve pitch
SILENT = 1e-10  # power of digital silence, relative to a full-scale sine, so that nothing divides by zero
STILL = 1e-10  # variance of a cepstrum that does not move, in which nothing can be scaled
TINY = np.finfo(np.float64).tiny  # so that nothing divides by zero where there is no speech
LOUD = 0.9  # quantile of the frames' levels that stands for the speech; the loudest of all may be a click
KNEE = 0.85  # of the highest frequency, from where a warped axis runs straight to its end (HTK Book, section 5.6)
SHAPE = ("sample_rate", "window", "filters", "low", "high", "cepstra", "delta_width", "smoothing_width")
UTTERANCES_AT_ONCE = 64  # of a corpus, whose sums are taken together
FRAMES_AT_ONCE = 128  # spectra held at once: few enough to stay in the cache
SAMPLES_AT_ONCE = 1 << 20  # emphasised at once: 8 MB
SPECTRUM_VALUES = 1 << 20  # of them, where they are long: 8 MB


@dataclass(frozen=True, eq=False)
class Matrices:
    """What a front end consists of.

    Attributes
    ----------
    shape : the settings of the front end that they were computed for, see `FrontEnd.shape`
    window : (window,), a factor for each sample of a frame
    filters : (filters, bins), of the power spectrum
    cosines : (cepstra, filters), of the logarithms of the filters' powers
    smoothing : (1, smoothing_width), of the frames around one, which give its smoothed cepstra
    derivatives : (2, delta_width), likewise of smoothed ones, which give its delta and its acceleration
    """

    shape: tuple[float, ...]
    window: np.ndarray
    filters: np.ndarray
    cosines: np.ndarray
    smoothing: np.ndarray
    derivatives: np.ndarray


@dataclass(frozen=True)
class FrontEnd:
    """Settings of the analysis, and the matrices they become; every model carries the ones it was trained with.

    Attributes
    ----------
    sample_rate : Hz
    window, hop : length of and distance between frames, seconds
    pre_emphasis : of the first difference taken before the analysis
    filters : triangular mel filters
    low, high : frequency range of the filters, Hz
    cepstra : static coefficients, the 0th (energy) among them
    delta_width : frames in the regression for a derivative, odd
    smoothing_width : frames in the average, weighed by a triangle, that stands for each, odd
    floor : added to the mel powers, as a fraction of the mean filter's power in the loud frames, so that
        noise this far under the speech does not matter
    mean_weight : frames that `mean` counts for beside an utterance's own, when its mean is subtracted: the
        mean of 0.4 s alone says more about the word than about the speaker
    mean : (cepstra,), the mean of the training speech, without silence; empty before training
    deviation_weight : frames that `deviation` counts for beside an utterance's own, likewise
    deviation : (cepstra,), of the training speech about the means of its utterances; empty before training
    warp : factor on the frequency axis of everything that is analysed, chosen for one speaker; over 1 reads a
        short vocal tract as a longer one
    matrices : computed by librosa where none are given
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
    smoothing_width: int = 5
    floor: float = 1e-4
    mean_weight: float = 60.0
    mean: tuple[float, ...] = ()
    deviation_weight: float = 60.0
    deviation: tuple[float, ...] = ()
    warp: float = 1.0
    matrices: Matrices | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.matrices is None or self.matrices.shape != self.shape:
            object.__setattr__(self, "matrices", baked(*self.shape))

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

    @property
    def shape(self) -> tuple[float, ...]:
        """The settings that the matrices depend on, in the order of SHAPE."""
        return tuple(getattr(self, name) for name in SHAPE)

    @property
    def settings(self) -> dict[str, object]:
        """All but the matrices, as plain data."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.compare}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Its matrices by name, for a file."""
        return {f.name: getattr(self.matrices, f.name) for f in fields(Matrices) if f.name != "shape"}

    @property
    def fault(self) -> str | None:
        """What keeps its matrices from being those of its settings; None when nothing does."""
        matrices, window = self.matrices, round(self.window * self.sample_rate)
        bins = matrices.filters.shape[-1]
        shapes = {
            "window": (window,),
            "filters": (self.filters, bins),
            "cosines": (self.cepstra, self.filters),
            "smoothing": (1, self.smoothing_width),
            "derivatives": (2, self.delta_width),
        }
        if any(getattr(matrices, name).shape != shape for name, shape in shapes.items()) or 2 * (bins - 1) < window:
            return "matrices do not fit its settings"
        known = (self.mean, self.deviation)
        if any(len(values) not in (0, self.cepstra) for values in known) or min((0.0, *self.deviation)) < 0:
            return "mean and deviation do not fit its cepstra"
        if min(self.mean_weight, self.deviation_weight) < 0 or not self.smoothing_width % 2 or self.high - self.low < 1:
            return "settings are none of a front end"
        return None if all(np.isfinite(x).all() for x in self.arrays.values()) else "matrices are not finite"

    def with_speech(
        self,
        statics: Sequence[np.ndarray],
        speech: Sequence[tuple[int, int]],
        prior: float = 0.0,
        mean_weight: float | None = None,
    ) -> FrontEnd:
        """With the mean of this speech and, before training, its deviation.

        Parameters
        ----------
        statics, speech : as for `finish`
        prior : frames of the mean so far that count beside it
        mean_weight : of the mean beside that of an utterance; what it was when None
        """
        total, spread, frames = np.zeros(self.cepstra), np.zeros(self.cepstra), 0
        for first in range(0, len(statics), UTTERANCES_AT_ONCE):
            part = slice(first, first + UTTERANCES_AT_ONCE)
            own = _speech_sums(statics[part], speech[part])
            total += own.total.sum(0)
            spread += own.spread.sum(0)
            frames += own.frames.sum()
        before = prior * np.array(self.mean) if prior else 0.0
        mean = (total + before) / (frames + prior)
        deviation = self.deviation or np.sqrt(spread / frames)
        weight = self.mean_weight if mean_weight is None else mean_weight
        mean, deviation = (tuple(map(float, values)) for values in (mean, deviation))
        return replace(self, mean=mean, deviation=deviation, mean_weight=weight)

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

    def statics(self, words: Sequence[np.ndarray], warps: Sequence[float] = (1.0,)) -> list[list[np.ndarray]]:
        """Static cepstra before normalisation, of whole recordings or of the words in them.

        Parameters
        ----------
        words : each (n,), finite, at `sample_rate`; scale and DC offset do not matter
        warps : factors on the frequency axis beside the front end's own; all share the spectra

        Returns
        -------
        By word and warp (T, cepstra) float32
        """
        if not words:
            return []
        mel = self._filtered(words, np.concatenate([self._warped_filters(self.warp * warp) for warp in warps]))
        frames = np.array([self.frames(len(word)) for word in words])
        by_warp = []
        for own in np.split(mel, len(warps), axis=1):
            statics = (self.compressed(own, frames) @ self.matrices.cosines.T).astype(np.float32)
            by_warp.append(np.split(statics, frames.cumsum()[:-1]))
        return [list(readings) for readings in zip(*by_warp)]

    def compressed(self, powers: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Logarithms of the filters' powers, over a floor that lies so far under the loud frames.

        Parameters
        ----------
        powers : (N, filters), utterances end to end
        frames : (U,), of each utterance
        """
        level = segment_quantile(powers.mean(1), frames, LOUD) + SILENT
        over = powers / np.repeat(level, frames)[:, None] + self.floor
        return np.log(over, out=over)

    def finish(self, statics: Sequence[np.ndarray], speech: Sequence[tuple[int, int]]) -> list[np.ndarray]:
        """Normalised cepstra with deltas and accelerations.

        Parameters
        ----------
        statics : each (T, cepstra)
        speech : of each the first and past-the-last frame of the speech, which alone makes mean and deviation: how much
            silence stands beside a word says nothing of the speaker or the microphone; where there is none, they are
            those of the training

        Returns
        -------
        Of each (T, dims) float32
        """
        if not statics:
            return []
        frames = np.array([len(s) for s in statics])
        return np.split(self.derived(self.normalised(statics, speech), frames), frames.cumsum()[:-1])

    def normalised(self, statics: Sequence[np.ndarray], speech: Sequence[tuple[int, int]]) -> np.ndarray:
        """Statics at the mean and deviation of training, (N, cepstra), end to end; the first part of `finish`."""
        everything = np.concatenate(statics)
        if not self.mean:
            return everything
        frames, own = np.array([len(s) for s in statics]), _speech_sums(statics, speech)
        heard = own.frames[:, None]
        mean = (own.total + self.mean_weight * np.array(self.mean)) / np.maximum(heard + self.mean_weight, TINY)
        factor = np.ones_like(mean)
        if self.deviation:
            known = np.square(self.deviation)
            counts = np.maximum(heard + self.deviation_weight, TINY)
            variance = (own.spread + self.deviation_weight * known) / counts
            factor = np.sqrt(np.divide(known, variance, out=factor, where=variance > STILL))
        # (everything - centre) * factor + (centre - mean), centre being the utterance's own mean.
        offset = own.total / np.maximum(heard, 1) * (1 - factor) - mean
        factor, offset = (np.repeat(values, frames, axis=0).astype(np.float32) for values in (factor, offset))
        return everything * factor + offset

    def derived(self, normalised: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Normalised statics, (N, cepstra), smoothed, with deltas and accelerations, (N, dims).

        Parameters
        ----------
        normalised : utterances end to end
        frames : (U,), of each utterance
        """
        first = frames.cumsum() - frames
        ends = np.repeat(first, frames), np.repeat(first + frames - 1, frames)
        smooth = _over_frames(normalised, self.matrices.smoothing, *ends)[:, 0]
        features = np.empty((len(smooth), 3, self.cepstra), dtype=np.float32)
        features[:, 0] = smooth
        features[:, 1:] = _over_frames(smooth, self.matrices.derivatives, *ends)
        return features.reshape(len(features), self.dims)

    def _filtered(self, words: Sequence[np.ndarray], filters: np.ndarray) -> np.ndarray:
        """Power of each filter in the frames that lie wholly inside the words, (N, filters)."""
        window, hop = self.matrices.window, round(self.hop * self.sample_rate)
        size = 2 * (filters.shape[1] - 1)
        # Sums of the squares of real and imaginary parts, which lie side by side.
        weights = np.repeat(filters, 2, axis=1).T
        sound = [self._conditioned(word) for word in words]
        first = np.cumsum([0, *map(len, sound)])
        starts = np.concatenate([f + hop * np.arange(self.frames(len(word))) for f, word in zip(first, words)])
        together = np.concatenate(sound) if len(sound) > 1 else sound[0]  # a long one is not held twice
        frames = np.lib.stride_tricks.sliding_window_view(together, len(window))
        mel = np.empty((len(starts), len(filters)))
        count = min(FRAMES_AT_ONCE, max(1, SPECTRUM_VALUES // size))
        buffer = np.zeros((count, size))
        for done in range(0, len(starts), count):
            part = starts[done : done + count]
            np.multiply(frames[part], window, out=buffer[: len(part), : len(window)])
            parts = np.fft.rfft(buffer[: len(part)]).view(float)
            np.matmul(np.square(parts, out=parts), weights, out=mel[done : done + len(part)])
        return mel

    def _conditioned(self, samples: np.ndarray) -> np.ndarray:
        """Samples without their mean, at a peak of 1, emphasised, at least a frame of them, (n,)."""
        samples = samples.astype(np.float64)
        samples -= samples.sum() / len(samples)
        samples /= max(samples.max(), -samples.min(), np.finfo(np.float32).tiny)
        first = 3 * samples[0] - samples[1] if len(samples) > 1 else 0.0  # `librosa.effects.preemphasis`
        for end in range(len(samples), 1, -SAMPLES_AT_ONCE):  # from the last on, in place: an hour is not held twice
            start = max(1, end - SAMPLES_AT_ONCE)
            samples[start:end] -= self.pre_emphasis * samples[start - 1 : end - 1]
        samples[0] = first
        return np.pad(samples, (0, lacking)) if (lacking := len(self.matrices.window) - len(samples)) > 0 else samples

    @property
    def centres(self) -> np.ndarray:
        """Frequencies at the peaks of its filters, (filters,), Hz."""
        return filter_edges(self.filters, self.low, self.high, self.warp)[1:-1]

    def _warped_filters(self, warp: float) -> np.ndarray:
        """Its filters with their frequency axis warped, (filters, bins)."""
        if warp == 1:
            return self.matrices.filters
        size = 2 * (self.matrices.filters.shape[1] - 1)
        return mel_filters(self.sample_rate, size, self.filters, self.low, self.high, warp)


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
            f"{self.dims} values a frame; give it such files, or choose another model"
        )

    @property
    def settings(self) -> dict[str, object]:
        """All of it, as plain data."""
        return asdict(self)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """None: it computes nothing."""
        return {}

    @property
    def fault(self) -> str | None:
        """None: nothing can be wrong with it."""
        return None

    def with_speech(self, *_: object) -> GivenFeatures:
        """Itself: there is no mean to subtract."""
        return self

    def of_speaker(self, mean: tuple[float, ...], mean_weight: float, warp: float) -> GivenFeatures:
        """Itself: nothing in it is a speaker's."""
        return self

    def finish(self, statics: Sequence[np.ndarray], speech: Sequence[tuple[int, int]]) -> list[np.ndarray]:
        """The features as they are, each (T, dims) float32."""
        return [features.astype(np.float32) for features in statics]


def of_settings(settings: dict, matrices: dict[str, np.ndarray]) -> FrontEnd | GivenFeatures:
    """The front end that has these settings, and the defaults in all others.

    Parameters
    ----------
    settings : as `FrontEnd.settings` gives them
    matrices : what they became when the front end was made, by name

    Raises
    ------
    KeyError
        if there is none.
    """
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
    if set(plain) <= {f.name for f in fields(FrontEnd)} - {"matrices"}:
        return FrontEnd(**plain, matrices=Matrices(tuple(plain[name] for name in SHAPE), **matrices))
    return GivenFeatures(**plain)


@lru_cache(maxsize=8)
def baked(
    sample_rate: int,
    window: float,
    filters: int,
    low: float,
    high: float,
    cepstra: int,
    delta_width: int,
    smoothing_width: int,
) -> Matrices:
    """What a front end of such a shape consists of, all but the smoothing by librosa's word; see `FrontEnd`."""
    length = round(window * sample_rate)
    size = 2 ** int(np.ceil(np.log2(2 * length)))  # twice as fine as needed: narrow warped filters stay smooth
    with _nothing_compiled():
        from librosa.feature import delta, mfcc
        from librosa.filters import get_window, mel

    impulse = np.zeros(2 * delta_width + 1)
    impulse[delta_width] = 1.0
    half = delta_width // 2
    around = slice(delta_width - half, delta_width + half + 1)
    derivatives = [delta(impulse, width=delta_width, order=order, mode="nearest")[around][::-1] for order in (1, 2)]
    arrays = (
        get_window("hamming", length),
        mel(sr=sample_rate, n_fft=size, n_mels=filters, fmin=low, fmax=high, htk=True, norm=None, dtype=np.float64),
        mfcc(S=np.eye(filters), n_mfcc=cepstra),
        _triangle(smoothing_width)[None],
        np.stack(derivatives),
    )
    for array in arrays:
        array.flags.writeable = False  # the cache hands out one for all
    return Matrices((sample_rate, window, filters, low, high, cepstra, delta_width, smoothing_width), *arrays)


def _triangle(width: int) -> np.ndarray:
    """Weights that fall to both sides and add up to one, (width,)."""
    weights = 1.0 + width // 2 - np.abs(np.arange(width) - width // 2)
    return weights / weights.sum()


@contextmanager
def _nothing_compiled() -> Iterator[None]:
    """A first import of librosa has numba compile for a quarter of a minute, and fails where no cache can be written.

    Nothing that is asked of librosa here is ever compiled, so its functions stay plain Python in this process, and its
    array functions, which cannot, are compiled when somebody calls them; where a program has loaded numba before,
    everything is as that program wants it.
    """
    if "numba" in sys.modules:
        yield
        return
    wanted = os.environ.get("NUMBA_DISABLE_JIT")
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    import numba

    compilers = {name: getattr(numba, name) for name in ("vectorize", "guvectorize")}
    for name, compiler in compilers.items():
        setattr(numba, name, _when_called(compiler))
    try:
        yield
    finally:
        for name, compiler in compilers.items():
            setattr(numba, name, compiler)
        del os.environ["NUMBA_DISABLE_JIT"]
        if wanted is not None:
            os.environ["NUMBA_DISABLE_JIT"] = wanted
        numba.config.reload_config()  # as the program wants it for whatever it has compiled later


def _when_called(compiler: Callable) -> Callable:
    """One of numba's decorators, whose functions are compiled when they are first called."""

    def decorator(*signatures, **options) -> Callable:
        def deferred(function: Callable) -> Callable:
            compiled = cache(lambda: compiler(*signatures, **options)(function))
            return wraps(function)(lambda *arrays, **named: compiled()(*arrays, **named))

        return deferred

    return decorator


@dataclass(frozen=True)
class _SpeechSums:
    """Of the frames of speech in each utterance.

    Attributes
    ----------
    total : (U, cepstra) float64
    spread : (U, cepstra) float64, of squares about the utterance's mean
    frames : (U,), how many they are
    """

    total: np.ndarray
    spread: np.ndarray
    frames: np.ndarray


def _speech_sums(statics: Sequence[np.ndarray], speech: Sequence[tuple[int, int]]) -> _SpeechSums:
    spoken = [own[slice(*span)] for own, span in zip(statics, speech)]
    frames = np.array(list(map(len, spoken)))
    together = np.concatenate(spoken, dtype=np.float64)
    total = _by_utterance(together, frames)
    together -= np.repeat(total / np.maximum(frames, 1)[:, None], frames, axis=0)
    return _SpeechSums(total, _by_utterance(np.square(together, out=together), frames), frames)


def _by_utterance(values: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Sums over each utterance's frames, of which there may be none, (U, cepstra)."""
    sums, some = np.zeros((len(frames), values.shape[1])), np.flatnonzero(frames)
    if len(some):
        sums[some] = np.add.reduceat(values, (frames.cumsum() - frames)[some])
    return sums


def _over_frames(everything: np.ndarray, kernels: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Weighted sums over the frames around each, (N, kernels, cepstra) float32; utterances go on as they end.

    Parameters
    ----------
    everything : (N, cepstra), utterances end to end
    kernels : (kernels, width), the weights
    first, last : (N,), of every frame's utterance
    """
    half, place = kernels.shape[1] // 2, np.arange(len(everything))
    sums = np.zeros((len(kernels), *everything.shape), dtype=np.float32)  # what lies together is added up faster
    for distance, weights in zip(range(-half, half + 1), kernels.T.astype(np.float32)):
        near = everything.take(np.clip(place + distance, first, last), axis=0)
        for own, weight in zip(sums, weights):
            if weight:
                own += weight * near
    return sums.swapaxes(0, 1)


def segment_quantile(values: np.ndarray, lengths: np.ndarray, quantile: float) -> np.ndarray:
    """A quantile of each of several runs of values, linearly interpolated as `numpy.quantile` does it, (U,).

    Parameters
    ----------
    values : (N,), the runs end to end
    lengths : (U,), values of each, at least one
    """
    run = np.repeat(np.arange(len(lengths)), lengths)
    ordered = values[np.lexsort((values, run))]
    place = quantile * (lengths - 1)
    below = place.astype(np.intp)
    first = lengths.cumsum() - lengths
    low, high = ordered[first + below], ordered[first + np.minimum(below + 1, lengths - 1)]
    return low + (place - below) * (high - low)


def _mel(frequency: np.ndarray | float) -> np.ndarray | float:
    """O'Shaughnessy's mel scale, Hz to mel, as HTK uses it."""
    return 2595.0 * np.log10(1.0 + np.asarray(frequency) / 700.0)


def filter_edges(filters: int, low: float, high: float, warp: float = 1.0) -> np.ndarray:
    """Where triangular filters, equally spaced in mel, begin, peak and end: (filters + 2,) frequencies, Hz.

    A warp multiplies them up to a knee; from there the axis runs straight to `high`, which stays (piecewise linear
    vocal tract length normalisation; HTK Book, section 5.6).

    Parameters
    ----------
    low, high : range of the unwarped filters, Hz
    warp : factor on frequencies below the knee
    """
    edges = 700.0 * (10 ** (np.linspace(_mel(low), _mel(high), filters + 2) / 2595.0) - 1.0)
    knee = KNEE * high / max(warp, 1.0)
    above = high - (high - warp * knee) * (high - edges) / (high - knee)
    return np.where(edges <= knee, warp * edges, above)


@lru_cache(maxsize=64)
def mel_filters(sample_rate: int, size: int, filters: int, low: float, high: float, warp: float) -> np.ndarray:
    """Triangular filters of height one, as librosa makes them, but with a warp; (filters, size // 2 + 1).

    Parameters
    ----------
    sample_rate : Hz
    size : of the Fourier transform
    filters, low, high, warp : as for `filter_edges`
    """
    edges = filter_edges(filters, low, high, warp)
    frequency = np.arange(size // 2 + 1) * sample_rate / size
    rising = (frequency - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequency) / (edges[2:] - edges[1:-1])[:, None]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights.flags.writeable = False  # the cache hands out one array
    return weights
