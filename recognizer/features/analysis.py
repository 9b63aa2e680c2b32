"""From a recording to what the models see: load, find the word, extract its features."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from recognizer.errors import AudioError, shown
from recognizer.features import parameter_files
from recognizer.features.front_end import FrontEnd, GivenFeatures
from recognizer.sound import audio
from recognizer.sound.audio import Recording
from recognizer.sound.endpoint import Endpointer
from recognizer.sound.perturbation import PLAIN, Perturbation, add_noise

FILES_AT_ONCE = 64  # analysed together: enough for long matrix products, few enough for little memory
SAMPLES_AT_ONCE = 4_000_000  # of recordings held for that, 16 MB: hours of sound are analysed one by one
PARALLEL_FROM = 200  # files; below, starting workers takes longer than the work
WHOLE = 4.0  # seconds; a longer recording is not of one word
PIECE = 2.0  # seconds, of what is cut from it


@dataclass(frozen=True)
class Analysis:
    """One recording, analysed.

    Attributes
    ----------
    features : (T, dims) float32, of the word with its margins, or static cepstra (T, cepstra) while training;
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


@dataclass(frozen=True, eq=False)
class _Place:
    """Where the word is in a recording: its samples with their margins, and the speech inside them."""

    start: int
    samples: np.ndarray
    speech: slice


def analyse(recording: Recording, *args, **kwargs) -> Analysis:
    """Find the word in one recording and extract its features; parameters as of `analyse_all`."""
    return analyse_all([recording], *args, **kwargs)[0]


def analyse_all(
    recordings: Sequence[Recording],
    front_end: FrontEnd,
    endpointer: Endpointer,
    perturbations: Sequence[Perturbation] = (PLAIN,),
    *,
    finish: bool = True,
) -> list[Analysis]:
    """Find the word in each recording and extract its features, those of all recordings at once.

    Parameters
    ----------
    recordings : at the front end's sample rate
    perturbations : how to read each recording, once for each
    finish : False leaves the features static and unnormalised, (T, cepstra), for training
    """
    places = [_place(recording, front_end, endpointer) for recording in recordings]
    words = [place for place in places if isinstance(place, _Place)]
    readings = iter(_read(words, front_end, perturbations))
    rate, grid = front_end.sample_rate, {"hop": front_end.hop, "window": front_end.window}
    hop = round(front_end.hop * rate)
    analyses = []
    for recording, place in zip(recordings, places):
        duration = len(recording.samples) / rate
        if isinstance(place, str):
            analyses.append(Analysis((), (0, 0), 0.0, duration, recording.source_rate, place))
            continue
        count = front_end.frames(len(place.samples))
        first = min(place.speech.start // hop, count - 1)
        last = max(first + 1, min(place.speech.stop // hop, count))
        start = place.start / rate
        analyses.append(Analysis(next(readings), (first, last), start, duration, recording.source_rate, **grid))
    return finished(analyses, front_end) if finish else analyses


def _place(recording: Recording, front_end: FrontEnd, endpointer: Endpointer) -> _Place | str:
    """Where the word is, or why there is none."""
    samples, rate = recording.samples, recording.sample_rate
    if len(samples) < round(front_end.window * rate):
        return "too short"
    span = endpointer.find(samples, rate)
    if span is None:
        return "too quiet"
    start, end = endpointer.widen(span, len(samples), rate)
    return _Place(start, samples[start:end], slice(span[0] - start, span[1] - start))


def _read(
    words: Sequence[_Place], front_end: FrontEnd, perturbations: Sequence[Perturbation]
) -> list[tuple[np.ndarray, ...]]:
    """Static cepstra of each word, one array a perturbation; those that differ by their warp alone share spectra."""
    if not words:
        return []
    columns: dict[int, list[np.ndarray]] = {}
    for snr in dict.fromkeys(p.snr for p in perturbations):
        alike = [i for i, p in enumerate(perturbations) if p.snr == snr]
        heard = [w.samples if snr is None else add_noise(w.samples, w.speech, snr) for w in words]
        by_word = front_end.statics(heard, [perturbations[i].warp for i in alike])
        columns |= zip(alike, map(list, zip(*by_word)))
    return list(zip(*(columns[i] for i in range(len(perturbations)))))


def finished(analyses: Sequence[Analysis], front_end: FrontEnd | GivenFeatures) -> list[Analysis]:
    """Analyses with their features normalised, and with derivatives, from static cepstra."""
    readings = [f for analysis in analyses for f in analysis.features]
    speech = [analysis.speech for analysis in analyses for _ in analysis.features]
    features = iter(front_end.finish(readings, speech))
    return [replace(a, features=tuple(next(features) for _ in a.features)) if a.features else a for a in analyses]


def analyse_file(path: Path, *args, **kwargs) -> Analysis:
    """`analyse` a file.

    Raises
    ------
    AudioError
        if it cannot be read.
    """
    [found] = _analyse_group([path], *args, **kwargs)
    if isinstance(found, AudioError):
        raise found
    return found


def _analyse_group(
    paths: Sequence[Path], front_end: FrontEnd | GivenFeatures, *args, cells: np.ndarray | None = None, **kwargs
) -> list[Analysis | AudioError]:
    """Some files, each with its analysis, or its error where it cannot be read, so that the others go on.

    Parameters
    ----------
    cells : as `read_parameters` takes them
    """
    found: list[Analysis | AudioError | None] = [None] * len(paths)
    held: dict[int, Recording] = {}  # read and not yet analysed

    def analyse_held() -> None:
        for i, analysis in zip(held, analyse_all(list(held.values()), front_end, *args, **kwargs)):
            found[i] = analysis
        held.clear()

    for i, path in enumerate(paths):
        try:
            if path.suffix.lower() in parameter_files.SUFFIXES:
                found[i] = read_parameters(path, front_end, cells, finish=kwargs.get("finish", True))
            else:
                held[i] = audio.load(path, _rate(path, front_end))
        except AudioError as error:
            found[i] = error
        if sum(len(recording.samples) for recording in held.values()) > SAMPLES_AT_ONCE:
            analyse_held()
    analyse_held()
    return found


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
            f"{needed}; convert the file, or choose another model"
        )
    if most and not ((features >= 1) & (features <= most)).all():
        raise AudioError(
            f"{shown(path)}: has symbols from {features.min():.0f} to {features.max():.0f}, and the model knows 1 to "
            f"{most}; quantise with the model's codebook"
        )
    if quantised:
        features = cells[np.arange(width), features.astype(int) - 1].sum(1).astype(np.float32)
    if not finish and front_end.hears:
        raise AudioError(f"{shown(path)}: holds finished features, and this needs the sound; give the recording")
    period = found.period
    return Analysis((features,), (0, frames), 0.0, frames * period, None, hop=period, window=period)


def _analyse_pieces(paths: Sequence[Path], front_end: FrontEnd, *args, **kwargs) -> list[list[Analysis] | AudioError]:
    """Files of whatever sounds, each analysed whole if it is short enough for a word, else cut into pieces."""
    found: list[list[Analysis] | AudioError] = []
    for path in paths:
        try:
            recording = audio.load(path, front_end.sample_rate)
        except AudioError as error:
            found.append(error)
            continue
        rate, samples = recording.sample_rate, recording.samples
        size = len(samples) if len(samples) <= WHOLE * rate else round(PIECE * rate)
        pieces = [replace(recording, samples=samples[i : i + size]) for i in range(0, len(samples), size)]
        found.append(analyse_all(pieces, front_end, *args, **kwargs))
    return found


def analyse_files(paths: Sequence[Path], *args, jobs: int = 1, **kwargs) -> Iterator[Analysis | AudioError]:
    """Analyse many files, in order, some at a time, on `jobs` processes when there are enough.

    An unreadable one gives its error as the value, so that the others go on; parameters as of `analyse_all`.
    """
    return _map(_analyse_group, paths, *args, jobs=jobs, **kwargs)


def analyse_pieces(paths: Sequence[Path], *args, jobs: int = 1, **kwargs) -> Iterator[list[Analysis] | AudioError]:
    """Analyse files of whatever sounds, likewise: whole where they are short enough for a word, else in pieces."""
    return _map(_analyse_pieces, paths, *args, jobs=jobs, **kwargs)


def _map(function: Callable, paths: Sequence[Path], *args, jobs: int, **kwargs) -> Iterator:
    groups = [paths[start : start + FILES_AT_ONCE] for start in range(0, len(paths), FILES_AT_ONCE)]
    if jobs == 1 or len(paths) < PARALLEL_FROM:
        return chain.from_iterable(function(group, *args, **kwargs) for group in groups)
    from joblib import Parallel, delayed

    pool = Parallel(n_jobs=jobs, return_as="generator")
    return chain.from_iterable(pool(delayed(_in_worker)(function, group, *args, **kwargs) for group in groups))


def _in_worker(function: Callable, *args, **kwargs) -> object:
    """Call it in a process that leaves Ctrl-C, which every process of a terminal gets, to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return function(*args, **kwargs)
