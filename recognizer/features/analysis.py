"""From a recording to what the models see: load, find the word, extract its features."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recognizer.errors import AudioError, retold, shown
from recognizer.features import parameter_files
from recognizer.features.front_end import FrontEnd, GivenFeatures
from recognizer.files import brought
from recognizer.files.contents import FARTHEST
from recognizer.sound import audio, level
from recognizer.sound.audio import Recording
from recognizer.sound.endpoint import Endpointer
from recognizer.sound.perturbation import PLAIN, Perturbation

if TYPE_CHECKING:  # who recognises needs no database
    from recognizer.features.cache import Cache, Known
    from recognizer.parallel import Workers

FILES_AT_ONCE = 64  # analysed together: enough for long matrix products, few enough for little memory
SAMPLES_AT_ONCE = 4_000_000  # of recordings held for that, 16 MB: hours of sound are analysed one by one
SEVERAL, SEVERAL_FROM = "several words", 2.5  # seconds; a shorter recording is taken for one of a word unseen
WHOLE = 4.0  # seconds; a longer recording is not of one word
LONGEST = 6000  # frames, a minute as they usually follow each other: no word lasts so long
PIECE = 2.0  # seconds, of what is cut from it
CACHED = 2  # version of what is cached; another one whenever the same recording would give another analysis


@dataclass(frozen=True)
class Analysis:
    """One recording, analysed.

    Attributes
    ----------
    features : (T, dims) float32, of the word with its margins, or static cepstra (T, cepstra) while training;
        one array a perturbation, of its own length at another pace; none where there is no speech
    speech : first and past-the-last frame of the speech inside them
    start : where the features begin in the recording, seconds
    duration : of the recording, seconds
    source_rate : Hz, of the file; None of one that holds features, not sound
    reason : why there are no features: "too quiet", "too short" or "too long", else None
    hop, window : seconds from frame to frame, and of each
    channel : the only one taken of the recording, counted from 1, see `Recording`
    flaws : what makes the answer doubtful: SEVERAL, and what `sound.level.flaws` names
    content : while training, a digest of the samples as they are analysed, or of parameters: the same in whatever file
    """

    features: tuple[np.ndarray, ...]
    speech: tuple[int, int]
    start: float
    duration: float
    source_rate: int | None
    reason: str | None = None
    hop: float = FrontEnd.hop
    window: float = FrontEnd.window
    channel: int | None = None
    flaws: tuple[str, ...] = ()
    content: str | None = None

    @property
    def spans(self) -> list[tuple[int, int]]:
        """First and past-the-last frame of the speech in each reading."""
        found = []
        for features in self.features:
            ratio, count = len(features) / len(self.features[0]), len(features)
            first = min(round(self.speech[0] * ratio), count - 1)
            found.append((first, max(first + 1, min(round(self.speech[1] * ratio), count))))
        return found


@dataclass(frozen=True, eq=False)
class _Place:
    """Where the word is in a recording: its samples with their margins, and the speech inside them."""

    start: int
    samples: np.ndarray
    speech: slice


@dataclass(frozen=True, eq=False)
class Analyser:
    """How recordings become what the models see.

    Attributes
    ----------
    front_end : what features are made of
    endpointer : where in a recording they are made
    perturbations : how to read each recording, once for each
    finish : False leaves the features static and unnormalised, (T, cepstra), for training
    cells : (R, N, D), what the symbols of a model stand for that quantises what it hears, see `Density.cells`: it knows
        parameter files of its symbols, as they were exported with it, beside those of its features
    cache : of what is read in these ways
    """

    front_end: FrontEnd | GivenFeatures
    endpointer: Endpointer = Endpointer()
    perturbations: Sequence[Perturbation] = (PLAIN,)
    finish: bool = True
    cells: np.ndarray | None = None
    cache: Cache | None = None

    def reading(self, perturbations: Sequence[Perturbation] = (PLAIN,)) -> Analyser:
        """The same, but for training: each recording is read in these ways, and features stay static."""
        return replace(self, perturbations=perturbations, finish=False)

    def analyse(self, recording: Recording) -> Analysis:
        """Find the word in one recording, at the front end's rate, and extract its features."""
        return self.analyse_all([recording])[0]

    def analyse_all(
        self, recordings: Sequence[Recording], copies: Sequence[Sequence[Perturbation]] | None = None
    ) -> list[Analysis]:
        """Find the word in each recording, likewise, and extract the features of all of them at once.

        Each is read in the analyser's ways and, where there are copies, in as many of its own.
        """
        copies = copies or [()] * len(recordings)
        front_end = self.front_end
        places = [_place(recording, front_end, self.endpointer) for recording in recordings]
        words = [place for place in places if isinstance(place, _Place)]
        own = [drawn for place, drawn in zip(places, copies, strict=True) if isinstance(place, _Place)]
        readings = iter(_readings(words, front_end, self.perturbations, own))
        rate, hop = front_end.sample_rate, round(front_end.hop * front_end.sample_rate)
        analyses = []
        for recording, place in zip(recordings, places):
            duration, source = len(recording.samples) / rate, recording.source_rate
            about = {"hop": front_end.hop, "window": front_end.window, "channel": recording.channel}
            about["flaws"] = () if isinstance(place, str) else self._flaws(recording, place)
            about["content"] = None if self.finish else _content(recording.samples)
            if isinstance(place, str):
                analyses.append(Analysis((), (0, 0), 0.0, duration, source, place, **about))
                continue
            count = front_end.frames(len(place.samples))
            first = min(place.speech.start // hop, count - 1)
            last = max(first + 1, min(place.speech.stop // hop, count))
            analyses.append(Analysis(next(readings), (first, last), place.start / rate, duration, source, **about))
        return finished(analyses, front_end) if self.finish else analyses

    def _flaws(self, recording: Recording, place: _Place) -> tuple[str, ...]:
        samples, rate = recording.samples, recording.sample_rate
        several = len(samples) >= SEVERAL_FROM * rate and self.endpointer.several(samples, rate)
        return (*([SEVERAL] if several else []), *level.flaws(place.samples, rate))

    def analyse_file(self, path: Path) -> Analysis:
        """`analyse` a file, of sound or of HTK's parameters.

        Raises
        ------
        AudioError
            if it cannot be read.
        """
        [found] = self._group([(path, ())])
        if isinstance(found, AudioError):
            raise found
        return found

    def analyse_files(
        self, paths: Sequence[Path], copies: Sequence[Sequence[Perturbation]] | None = None, *, jobs: int | Workers = 1
    ) -> Iterator[Analysis | AudioError]:
        """Analyse many files, in order, some at a time, on `jobs` processes when there are enough.

        An unreadable one gives its error as the value, so that the others go on. Each is read in the analyser's ways
        and, where there are copies, in as many of its own.
        """
        from recognizer.parallel import workers_of  # here, for one recording needs no workers

        copies, seen = copies or [()] * len(paths), workers_of(jobs).sees(paths)
        found = _map(self._group, list(zip(seen, copies, strict=True)), jobs)
        return (_named(each, *names) for each, *names in zip(found, seen, paths, strict=True))

    def analyse_pieces(
        self, paths: Sequence[Path], *, jobs: int | Workers = 1
    ) -> Iterator[list[Analysis] | AudioError]:
        """Analyse files of whatever sounds, likewise: whole where they are short enough for a word, else in pieces."""
        from recognizer.parallel import workers_of

        seen = workers_of(jobs).sees(paths)
        return (_named(each, *names) for each, *names in zip(_map(self._pieces, seen, jobs), seen, paths, strict=True))

    def read_parameters(self, path: Path) -> Analysis:
        """The features in one of HTK's parameter files, as an analysis of whatever recording they come from.

        Raises
        ------
        AudioError
            if the file cannot be read, or its features are of another kind or width, or symbols that the model lacks.
        """
        front_end, cells = self.front_end, self.cells
        found = parameter_files.read(path)
        features, (frames, dims) = found.vectors, found.vectors.shape
        if np.abs(features).max() > FARTHEST:
            raise AudioError(
                f"{shown(path)}: has a value beyond {FARTHEST:g}, which is no feature; convert the recording again"
            )
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
                f"{shown(path)}: has symbols from {features.min():.0f} to {features.max():.0f}, and the model knows 1 "
                f"to {most}; quantise with the model's codebook"
            )
        if quantised:
            features = cells[np.arange(width), features.astype(int) - 1].sum(1).astype(np.float32)
        if not self.finish and front_end.hears:
            raise AudioError(f"{shown(path)}: holds finished features, and this needs the sound; give the recording")
        period = found.period
        about = {"hop": period, "window": period, "content": None if self.finish else _content(features)}
        if frames > LONGEST:
            return Analysis((), (0, 0), 0.0, frames * period, None, "too long", **about)
        return Analysis((features,), (0, frames), 0.0, frames * period, None, **about)

    def _group(self, files: Sequence[tuple[Path, Sequence[Perturbation]]]) -> list[Analysis | AudioError]:
        """Some files, each with its analysis, or its error where it cannot be read, so that the others go on."""
        with brought([path for path, _ in files]):
            return self._group_here(files)

    def _group_here(self, files: Sequence[tuple[Path, Sequence[Perturbation]]]) -> list[Analysis | AudioError]:
        found: list[Analysis | AudioError | None] = [None] * len(files)
        held: dict[int, Recording] = {}  # read and not yet analysed
        new: dict[int, bytes] = {}  # to be cached, under which key

        def analyse_held() -> None:
            analyses = self.analyse_all(list(held.values()), [files[i][1] for i in held])
            for i, analysis in zip(held, analyses):
                found[i] = analysis
            held.clear()

        for i, (path, copies) in enumerate(files):
            try:
                if path.suffix.lower() in parameter_files.SUFFIXES:
                    found[i] = self.read_parameters(path)
                    continue
                key = self.cache and self._key(path, copies)
                if key and (known := self.cache.get(key)):
                    found[i] = _as_known(*known)
                    continue
                if not key:
                    held[i] = audio.load(path, _rate(path, self.front_end))
                    continue
                with _told() as said:
                    held[i] = audio.load(path, _rate(path, self.front_end))
                # What is wrong with it is to be told each time, and what was replaced meanwhile is another recording.
                if not said and self._key(path, copies) == key:
                    new[i] = key
            except AudioError as error:
                found[i] = error
            if sum(len(recording.samples) for recording in held.values()) > SAMPLES_AT_ONCE:
                analyse_held()
        if held:
            analyse_held()
        if self.cache:
            self.cache.put({key: _to_know(found[i]) for i, key in new.items()})
        return found

    def _key(self, path: Path, copies: Sequence[Perturbation]) -> bytes | None:
        """What a recording is cached under."""
        from soundfile import __libsndfile_version__

        backgrounds = [p.background for p in (*self.perturbations, *copies) if p.background]
        how = [
            CACHED,
            np.__version__,
            __libsndfile_version__,
            self.front_end.settings,
            asdict(self.endpointer),
            self.finish,
            *self.perturbations,
            *copies,
        ]
        return self.cache.key(path, repr(how), [each for background in backgrounds for each in background.files])

    def _pieces(self, paths: Sequence[Path]) -> list[list[Analysis] | AudioError]:
        """Files of whatever sounds, each analysed whole if it is short enough for a word, else cut into pieces."""
        found: list[list[Analysis] | AudioError] = []
        for path in paths:
            try:
                recording = audio.load(path, self.front_end.sample_rate, audio.LONGEST_OF_ALL)
            except AudioError as error:
                found.append(error)
                continue
            rate, samples = recording.sample_rate, recording.samples
            size = len(samples) if len(samples) <= WHOLE * rate else round(PIECE * rate)
            pieces = [replace(recording, samples=samples[i : i + size]) for i in range(0, len(samples), size)]
            groups = (pieces[i : i + FILES_AT_ONCE] for i in range(0, len(pieces), FILES_AT_ONCE))
            found.append([analysis for group in groups for analysis in self.analyse_all(group)])
        return found


@contextmanager
def _told() -> Iterator[list[warnings.WarningMessage]]:
    """What is warned of, which is warned of at the end all the same; not for several threads at once."""
    said: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            yield said
    finally:
        for each in said:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


def _named(found: Analysis | list[Analysis] | AudioError, path: Path, given: Path) -> object:
    """What was found in a file, an error by the name that it was given."""
    if not isinstance(found, AudioError) or path == given:
        return found
    return AudioError(retold(str(found), path, given))


def _content(heard: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(heard)).hexdigest()


def _to_know(analysis: Analysis) -> Known:
    """An analysis as it is cached."""
    return {f.name: getattr(analysis, f.name) for f in fields(analysis) if f.name != "features"}, analysis.features


def _as_known(about: dict, features: Sequence[np.ndarray]) -> Analysis:
    """The analysis that was cached."""
    about |= {"speech": tuple(about["speech"]), "flaws": tuple(about["flaws"])}
    return Analysis(features=tuple(features), **about)


def _place(recording: Recording, front_end: FrontEnd, endpointer: Endpointer) -> _Place | str:
    """Where the word is, or why there is none."""
    samples, rate = recording.samples, recording.sample_rate
    if len(samples) < round(front_end.window * rate):
        return "too short"
    found = endpointer.place(samples, rate)
    if found is None:
        return "too quiet"
    span, (start, end) = found
    if front_end.frames(end - start) > LONGEST:
        return "too long"
    return _Place(start, samples[start:end], slice(span[0] - start, span[1] - start))


def _readings(
    words: Sequence[_Place],
    front_end: FrontEnd,
    perturbations: Sequence[Perturbation],
    copies: Sequence[Sequence[Perturbation]],
) -> list[tuple[np.ndarray, ...]]:
    """Static cepstra of each word, one array a perturbation, those of all words first, then its own copies."""
    found: list[dict[int, np.ndarray]] = [{} for _ in words]
    for sound in dict.fromkeys(replace(p, warp=1.0) for p in perturbations):  # different warps share spectra
        alike = [i for i, p in enumerate(perturbations) if replace(p, warp=1.0) == sound]
        warps = [perturbations[i].warp for i in alike]
        for own, readings in zip(found, _statics(words, [sound] * len(words), front_end, warps)):
            own.update(zip(alike, readings))
    for copy in range(max(map(len, copies), default=0)):
        drawn = {i: own[copy] for i, own in enumerate(copies) if copy < len(own)}
        for pace, warp in dict.fromkeys((p.pace, p.warp) for p in drawn.values()):
            those = [i for i, p in drawn.items() if (p.pace, p.warp) == (pace, warp)]
            read = _statics([words[i] for i in those], [drawn[i] for i in those], front_end, [warp])
            for i, [reading] in zip(those, read):
                found[i][len(perturbations) + copy] = reading
    return [tuple(own[i] for i in sorted(own)) for own in found]


def _statics(
    words: Sequence[_Place], sounds: Sequence[Perturbation], front_end: FrontEnd, warps: Sequence[float]
) -> list[list[np.ndarray]]:
    """Static cepstra by word and warp, of words as they sound under perturbations of one pace."""
    rate = front_end.sample_rate
    heard = [p.heard(word.samples, word.speech, rate) for word, p in zip(words, sounds)]
    if sounds and sounds[0].pace != 1.0:
        front_end = replace(front_end, hop=front_end.hop * sounds[0].pace)
    return front_end.statics(heard, warps)


def finished(analyses: Sequence[Analysis], front_end: FrontEnd | GivenFeatures) -> list[Analysis]:
    """Analyses with their features normalised, and with derivatives, from static cepstra."""
    readings = [np.asarray(f) for analysis in analyses for f in analysis.features]
    speech = [span for analysis in analyses for span in analysis.spans]
    features = iter(front_end.finish(readings, speech))
    return [replace(a, features=tuple(next(features) for _ in a.features)) if a.features else a for a in analyses]


def _rate(path: Path, front_end: FrontEnd | GivenFeatures) -> int:
    """Hz, to which a recording is brought; one line that names it where the model cannot hear."""
    try:
        return front_end.sample_rate
    except AudioError as error:
        raise AudioError(f"{shown(path)}: {error}") from error


def _map(function: Callable, files: Sequence, jobs: int | Workers) -> Iterator:
    groups = [files[start : start + FILES_AT_ONCE] for start in range(0, len(files), FILES_AT_ONCE)]
    from recognizer.parallel import workers_of  # here, for one recording needs no workers

    return chain.from_iterable(workers_of(jobs, len(files)).map("analysis", function, groups))


def low_rate(rates: str, model_rate: int) -> str:
    """The warning for recordings that lack the upper part of the model's band."""
    return (
        f"recorded at {rates} Hz, under the model's {model_rate} Hz: the upper band is empty and accuracy "
        "suffers; record at the higher rate or train a model at the lower"
    )
