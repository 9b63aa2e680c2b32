"""From a recording to what the models see: load, find the word, extract its features."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recognizer.errors import AudioError, shown
from recognizer.features import parameter_files
from recognizer.features.front_end import FrontEnd, GivenFeatures
from recognizer.sound import audio
from recognizer.sound.audio import Recording
from recognizer.sound.endpoint import Endpointer
from recognizer.sound.perturbation import PLAIN, Perturbation, add_noise

PARALLEL_FROM = 200  # files; below, starting workers takes longer than the work
WHOLE = 4.0  # seconds; a longer recording is not of one word
PIECE = 2.0  # seconds, of what is cut from it


@dataclass(frozen=True)
class Analysis:
    """One recording, analysed.

    Attributes
    ----------
    features : (T, dims) float32, of the word with its margins, or static cepstra (cepstra, T) while training;
        one array a perturbation; none where there is no speech
    speech : first and past-the-last frame of the speech inside them
    start : where the features begin in the recording, seconds
    duration : of the recording, seconds
    source_rate : Hz, of the file; None of one that holds features, not sound
    reason : why there are no features: "too quiet" or "too short", else None
    hop, window : seconds from frame to frame, and of each
    """

    features: tuple[np.ndarray, ...]
    speech: tuple[int, int]
    start: float
    duration: float
    source_rate: int | None
    reason: str | None = None
    hop: float = FrontEnd.hop
    window: float = FrontEnd.window


def analyse(
    recording: Recording,
    front_end: FrontEnd,
    endpointer: Endpointer,
    perturbations: Sequence[Perturbation] = (PLAIN,),
    *,
    finish: bool = True,
) -> Analysis:
    """Find the word in a recording and extract its features.

    Parameters
    ----------
    recording : at the front end's sample rate
    perturbations : how to read the recording, once for each
    finish : False leaves the features static and unnormalised, (cepstra, T), for training
    """
    samples, rate = recording.samples, recording.sample_rate
    duration = len(samples) / rate
    if len(samples) < round(front_end.window * rate):
        return Analysis((), (0, 0), 0.0, duration, recording.source_rate, "too short")
    span = endpointer.find(samples, rate)
    if span is None:
        return Analysis((), (0, 0), 0.0, duration, recording.source_rate, "too quiet")
    start, end = endpointer.widen(span, len(samples), rate)
    word, speech = samples[start:end], slice(span[0] - start, span[1] - start)
    read = [word if p.snr is None else add_noise(word, speech, p.snr) for p in perturbations]
    hop = round(front_end.hop * rate)
    count = front_end.frames(end - start)
    first = min((span[0] - start) // hop, count - 1)
    last = max(first + 1, min((span[1] - start) // hop, count))
    features = [front_end.statics(samples, p.warp) for samples, p in zip(read, perturbations)]
    if finish:
        features = [front_end.finish(f, (first, last)) for f in features]
    grid = {"hop": front_end.hop, "window": front_end.window}
    return Analysis(tuple(features), (first, last), start / rate, duration, recording.source_rate, **grid)


def analyse_file(
    path: Path, front_end: FrontEnd | GivenFeatures, *args, cells: np.ndarray | None = None, **kwargs
) -> Analysis | AudioError:
    """`analyse` a file; an unreadable one gives its error as the value, so that the others go on.

    Parameters
    ----------
    cells : as `read_parameters` takes them
    """
    try:
        if path.suffix.lower() in parameter_files.SUFFIXES:
            return read_parameters(path, front_end, cells, **kwargs)
        return analyse(audio.load(path, _rate(path, front_end)), front_end, *args, **kwargs)
    except AudioError as error:
        return error


def _rate(path: Path, front_end: FrontEnd | GivenFeatures) -> int:
    """Hz, to which a recording is brought; one line that names it where the model cannot hear."""
    try:
        return front_end.sample_rate
    except AudioError as error:
        raise AudioError(f"{shown(path)}: {error}") from error


def read_parameters(
    path: Path, front_end: FrontEnd | GivenFeatures, cells: np.ndarray | None = None, *, finish: bool = True
) -> Analysis:
    """The features in one of HTK's parameter files, as an analysis of whatever recording they come from.

    Parameters
    ----------
    path : the file
    front_end : what the features must be of
    cells : (R, N, D), what the symbols of a model stand for that quantises what it hears, see `Density.cells`: it knows
        files of its symbols, as they were exported with it, beside those of its features
    finish : False gives them as static cepstra come, for training

    Raises
    ------
    AudioError
        if the file cannot be read, or its features are of another kind or width, or symbols that the model lacks.
    """
    found = parameter_files.read(path)
    features, (frames, dims) = found.vectors, found.vectors.shape
    quantised = front_end.hears and cells is not None and found.kind == "DISCRETE"
    if quantised:
        needed, width, most = found.kind, len(cells), cells.shape[1]
    else:
        needed, width, most = front_end.kind or found.kind, front_end.dims, front_end.symbols
    if parameter_files.normalised_kind(found.kind) != parameter_files.normalised_kind(needed) or dims != width:
        raise AudioError(
            f"{shown(path)}: {dims} values a frame of kind {found.kind}, and the model needs {width} of kind "
            f"{needed}; convert the file, or choose another --model"
        )
    if most and not ((features >= 1) & (features <= most)).all():
        raise AudioError(
            f"{shown(path)}: has symbols from {features.min():.0f} to {features.max():.0f}, and the model knows 1 to "
            f"{most}; quantise with the model's codebook"
        )
    if quantised:
        features = cells[np.arange(width), features.astype(int) - 1].sum(1).astype(np.float32)
    if not finish:
        if front_end.hears:
            raise AudioError(f"{shown(path)}: holds finished features, and this needs the sound; give the recording")
        features = features.T
    period = found.period
    return Analysis((features,), (0, frames), 0.0, frames * period, None, hop=period, window=period)


def analyse_piecewise(path: Path, front_end: FrontEnd, *args, **kwargs) -> list[Analysis] | AudioError:
    """`analyse` a file of whatever sounds: whole if it is short enough for a word, else cut into pieces."""
    try:
        recording = audio.load(path, front_end.sample_rate)
    except AudioError as error:
        return error
    rate, samples = recording.sample_rate, recording.samples
    size = len(samples) if len(samples) <= WHOLE * rate else round(PIECE * rate)
    pieces = [samples[start : start + size] for start in range(0, len(samples), size)]
    return [analyse(replace(recording, samples=piece), front_end, *args, **kwargs) for piece in pieces]


def analyse_files(paths: Sequence[Path], *args, jobs: int = 1, **kwargs) -> Iterator[Analysis | AudioError]:
    """`analyse_file` for many, in order, on `jobs` processes when there are enough files."""
    return _map(analyse_file, paths, *args, jobs=jobs, **kwargs)


def analyse_pieces(paths: Sequence[Path], *args, jobs: int = 1, **kwargs) -> Iterator[list[Analysis] | AudioError]:
    """`analyse_piecewise` for many, likewise."""
    return _map(analyse_piecewise, paths, *args, jobs=jobs, **kwargs)


def _map(function: Callable, paths: Sequence[Path], *args, jobs: int, **kwargs) -> Iterator:
    if jobs == 1 or len(paths) < PARALLEL_FROM:
        return (function(path, *args, **kwargs) for path in paths)
    from joblib import Parallel, delayed

    pool = Parallel(n_jobs=jobs, batch_size=32, return_as="generator")
    return pool(delayed(_in_worker)(function, path, *args, **kwargs) for path in paths)


def _in_worker(function: Callable, *args, **kwargs) -> object:
    """Call it in a process that leaves Ctrl-C, which every process of a terminal gets, to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return function(*args, **kwargs)
