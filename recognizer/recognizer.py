"""The recognizer as a program uses it: load a model, recognise recordings."""

from __future__ import annotations

import os
import time
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recognizer.errors import (
    AdaptationError,
    AudioError,
    ModelError,
    RecognizerWarning,
    cited,
    listed,
    name_of,
    retold,
    shown,
)
from recognizer.features.analysis import FILES_AT_ONCE, Analysis, finished, low_rate
from recognizer.model import Model, facts, in_few_words, locate
from recognizer.recognition.decoding import positions_scored
from recognizer.recognition.evidence import examine
from recognizer.recognition.result import Candidate, Result
from recognizer.recognition.verification import NO_NUMBER, NO_WORD, TOO_CLOSE, belief, least_probability
from recognizer.sound import audio

if TYPE_CHECKING:
    from recognizer.adaptation.method import Method
    from recognizer.adaptation.unlabelled import SelfAdaptation
    from recognizer.live.events import Heard, Rejected
    from recognizer.live.stream import Stream
    from recognizer.parallel import Workers
    from recognizer.training.augmentation import Augmentation
    from recognizer.training.cutting import Cut
    from recognizer.training.given import Corpora, Recordings
    from recognizer.training.settings import TrainingSettings
    from recognizer.training.trials import Progress

# Frames of an utterance times positions of all words that are scored, at most: each takes 30 to 80 bytes while it is
# recognised. Twenty seconds of a large vocabulary are so many, and of the ten digits it is seven minutes.
MOST_CELLS = 5_000_000
ENROLLED = "enrolled"  # what the card of a model that was fitted to a voice tells of that


@dataclass(frozen=True)
class Transcript:
    """What became of one long file.

    Attributes
    ----------
    path : the file
    answers : what was heard, in order
    seconds : how much of it was heard
    error : what ended it early, else None
    """

    path: Path
    answers: tuple[Heard | Rejected, ...]
    seconds: float
    error: str | None = None


@dataclass(frozen=True)
class FileResult:
    """What became of one file.

    Attributes
    ----------
    path : the file
    result : what was heard, None where the file could not be read
    error : why it could not be read, else None
    source_rate : sample rate of the file in Hz, None where it could not be read
    flaws : what makes the answer doubtful: "several words", "clipped", "too quiet"
    """

    path: Path
    result: Result | None
    error: str | None = None
    source_rate: int | None = None
    flaws: tuple[str, ...] = ()

    def record(self) -> dict:
        """What became of it as plain JSON data."""
        if self.result is None:
            unknown = dict.fromkeys(("word", "confidence", "start", "end", "duration", "reason", "warnings"))
            return unknown | {"file": name_of(self.path), "accepted": False, "nbest": [], "error": self.error}
        times = {name: getattr(self.result, name) for name in ("start", "end", "duration")}
        return {
            "file": name_of(self.path),
            **self.result.record(),
            **{name: None if seconds is None else round(seconds, 3) for name, seconds in times.items()},
            "error": None,
            "warnings": list(self.flaws),
        }


@dataclass(frozen=True)
class Recognizer:
    """Recognises single words.

    It does not change: what learns gives a new one. So threads may share it, and it can be pickled.

    Attributes
    ----------
    model : what it knows
    speaker : whose profile the model was fitted with; None for anybody's voice
    name : of the model, or its file; None where it has none

    Examples
    --------
    >>> digits = Recognizer.load("digits")
    >>> digits.recognize("audio_samples/seven_slt_0.wav").word
    'seven'
    """

    model: Model
    speaker: str | None = None
    name: str | None = None

    def __repr__(self) -> str:
        name = "" if self.name is None else f"{cited(self.name)}: "
        who = "" if self.speaker is None else f"; speaker {shown(self.speaker)}"
        return f"Recognizer({name}{in_few_words(self.model)}{who})"

    def _repr_html_(self) -> str:
        """For a notebook: what it knows, how large it is, and how well it does."""
        from recognizer.files.html import table

        about = {"model": self.name, "speaker": self.speaker}
        return table(
            "Recognizer", [*((key, shown(value)) for key, value in about.items() if value), *facts(self.model)]
        )

    @classmethod
    def load(cls, model: str | Path = "digits", speaker: str | None = None) -> Recognizer:
        """A recognizer with a model of one's own, by its file, or one of those installed, by its name.

        Parameters
        ----------
        model : file or name
        speaker : who is enrolled for this model, as `anna`, or in a condition, as `anna@cold`; the model is
            fitted to that voice

        Returns
        -------
        Recognizer

        Raises
        ------
        ModelError
            if there is no such model, or its file is damaged.
        NamingError, ProfileError
            if there is no such speaker or no profile, or it was made for another model.
        """
        path = locate(model)
        loaded, name = Model.load(path), _lasting(path) if Path(model) == path else str(model)
        if speaker is None:
            return cls(loaded, name=name)
        from recognizer.speakers import store

        return cls(store.fitted(loaded, speaker), store.checked(speaker), name)

    @classmethod
    def train(
        cls,
        recordings: Recordings,
        sample_rate: int | None = None,
        *,
        layout: str | None = None,
        settings: TrainingSettings | None = None,
        augmentation: Augmentation | None = None,
        unknown: Corpora = (),
        weights: Mapping[str | Path, float] | None = None,
        model_rate: int | None = None,
        card: dict | None = None,
        jobs: int = 1,
        progress: Progress = lambda stage, done, total, note: None,
    ) -> Recognizer:
        """A recognizer of one's own words, trained on recordings of them. The same ones give the same model.

        Parameters
        ----------
        recordings : a folder or a CSV manifest, or several, as `corpus.find` takes them; or of each word a list of
            recordings: {word: [samples, ...]}, each (n,) or (n, channels), floats of full scale 1 or integers
        sample_rate : of samples, Hz; not given with files
        layout : how files are named, such as "{word}/{speaker}_{take}", where the names do not tell
        settings : states, mixtures and the like
        augmentation : how copies of the recordings are drawn at random, and with which seed; none when None
        unknown : folders of other words and noises, to be rejected
        weights : of folders, as how many recordings each one in them counts
        model_rate : of the model, Hz; when None, 16000 if most recordings have as much, else 8000
        card : what to say of the data and their licence, plain JSON data
        jobs : processes; the model does not depend on it
        progress : called with a stage, steps done, steps in all, and a note

        Returns
        -------
        Recognizer
            Its model's `card` tells what a trial on recordings held out got right, where there were enough.

        Raises
        ------
        CorpusError
            if there are no recordings, or nothing tells which words they are of.
        AudioError
            if samples are no sound.
        TrainingError
            if a word has no recording that can be learned from, or a setting cannot be.

        Warns
        -----
        RecognizerWarning
            of each recording that is left out, and why; where recordings are too few for the mixtures wanted.

        Examples
        --------
        >>> import numpy as np
        >>> time = np.arange(4000) / 8000
        >>> def tone(hertz):
        ...     return np.pad(np.sin(2 * np.pi * hertz * time) * np.hanning(4000), 2000)
        >>> tones = Recognizer.train({"low": [tone(400), tone(420)], "high": [tone(2000), tone(2100)]}, 8000)
        >>> tones.recognize(tone(410), 8000).word
        'low'
        """
        from recognizer.corpus import unknown_files
        from recognizer.training.building import build
        from recognizer.training.given import as_corpora, front_end_at, labelled
        from recognizer.training.settings import TrainingSettings
        from recognizer.training.weighing import weigh_folders

        front_end = None if model_rate is None else front_end_at(model_rate)
        with labelled(recordings, sample_rate, layout) as (utterances, named):
            foreign, known = unknown_files(as_corpora(unknown), {u.word for u in utterances})
            model, refused = build(
                weigh_folders(utterances, {Path(folder): weight for folder, weight in (weights or {}).items()}),
                front_end=front_end,
                settings=settings or TrainingSettings(),
                augmentation=augmentation,
                unknown=foreign,
                jobs=jobs,
                card=card,
                progress=progress,
            )
        those = f"{len(known)} recording{'s' * (len(known) > 1)} of words that the model shall know: {listed(known, 3)}"
        reasons = [f"left out of what is unknown: {those}"] if known else []
        _tell_of(*reasons, *(named(refusal.reason) for refusal in refused))
        return cls(model)

    def save(self, path: str | Path) -> Recognizer:
        """Write the model to one file, whole or not at all; one that is fitted to a voice only its owner may read.

        Parameters
        ----------
        path : of the file, which by custom ends in .npz

        Returns
        -------
        The same recognizer, named by that file

        Raises
        ------
        ModelError
            if the file cannot be written.
        """
        self.model.save(path, private=self.speaker is not None or ENROLLED in self.model.card)
        return replace(self, name=_lasting(Path(path)))

    def enroll(
        self,
        recordings: Recordings,
        sample_rate: int | None = None,
        *,
        layout: str | None = None,
        speaker: str | None = None,
        voice: str | None = None,
        method: Method | str | None = None,
        jobs: int = 1,
    ) -> Recognizer:
        """A recognizer that is fitted to one voice.

        Parameters
        ----------
        recordings : of words that the model has, said by that voice, as in `train`; a few of each are enough
        sample_rate : of samples, Hz; not given with files
        layout : as in `train`
        speaker : keep the recordings, and the profile that is made of them and of those kept before, under this name,
            as `anna`, or in a condition, as `anna@cold`: so `Recognizer.load` and the command line find it. Nothing
            is kept when None
        voice : which of the speakers whom the recordings tell of
        method : how, or its kind, as "map", see `adaptation.method.Method`; chosen by trial when None
        jobs : processes that read and analyse, when there are many files, or what else works

        Returns
        -------
        Recognizer
            Its model's `card["enrolled"]` tells what was done, and what takes left out got right before and after.

        Raises
        ------
        CorpusError, AudioError
            as in `train`.
        AdaptationError
            if there is nothing to learn from, the recordings are of several voices, or there is no such method.
        NamingError, ProfileError
            if the speaker cannot be called so, or the profile not be kept.

        Warns
        -----
        RecognizerWarning
            of each recording that is left out, and why; of each that sounds like another word than it is said to be.
        """
        from recognizer.adaptation.method import Method
        from recognizer.speakers import store
        from recognizer.speakers.enrolling import fitted_to, kept_for, record_of
        from recognizer.training.given import labelled

        method = Method(method) if isinstance(method, str) else method
        with labelled(recordings, sample_rate, layout, self.words) as (utterances, named):
            if speaker is None:
                enrollment, refused = fitted_to(utterances, self.model, voice, method, jobs=jobs)
            elif self.speaker is not None or self.name is None:
                raise AdaptationError(
                    f"a profile for {cited(speaker)} goes with a model that has a name and is fitted to nobody; save "
                    "this one first, or load it without a speaker"
                )
            else:
                enrollment, refused = kept_for(speaker, utterances, self.model, self.name, voice, method, jobs=jobs)
        told = {ENROLLED: record_of(enrollment, self.model)}
        fitted = replace(enrollment.model, card=self.model.card | told)
        _tell_of(*(named(text) for text in (*refused, *map(str, enrollment.doubts))))
        return Recognizer(fitted) if speaker is None else Recognizer(fitted, store.checked(speaker), self.name)

    def cut(
        self,
        recording: str | Path | np.ndarray,
        words: str | Sequence[str],
        sample_rate: int | None = None,
        *,
        least_fit: float | None = None,
    ) -> tuple[Cut, ...]:
        """Where known words are in a recording of several.

        `training.cutting.cut_corpus` does so with many, and writes the takes as a corpus to train from.

        Parameters
        ----------
        recording : as in `recognize`, up to 20 minutes beside pauses
        words : what is said in it, in order, also as a text with spaces or commas between; a number digit by digit
        sample_rate : of samples, Hz; not given with a file
        least_fit : under which a word does not fit and has a `reason`; as is usual when None, see `Cut.fit`

        Returns
        -------
        One for each word, in order, with where it starts and ends, seconds, how well it fits, and what is beside it

        Raises
        ------
        AudioError
            if the recording cannot be read, or has too little speech for so many words.
        CorpusError, ModelError
            if a word is not in the vocabulary, or none is given.
        """
        from recognizer.training import cutting
        from recognizer.training.transcripts import spelled

        words = spelled(words, self.words) if isinstance(words, str) else words
        least = cutting.LEAST_FIT if least_fit is None else least_fit
        rate = self.model.front_end.sample_rate
        if isinstance(recording, str | Path):
            _refuse_rate(sample_rate)
            return cutting.cut_recording(Path(recording), words, self.model, least)[0]
        if sample_rate is None:
            raise TypeError("samples need their sample_rate in Hz, as in cut(samples, 'one two', 16000)")
        return cutting.cut(audio.prepare(recording, sample_rate, rate), words, self.model, least)

    def stream(
        self,
        sample_rate: int,
        *,
        words: Sequence[str] | None = None,
        threshold: str | float = "normal",
        hangover: float = 0.25,
        adapt: bool = False,
    ) -> Stream:
        """Recognise words while they are spoken: blocks of samples in, events out.

        Parameters
        ----------
        sample_rate : of all blocks, Hz
        words, threshold : as in `recognize`
        hangover : silence that ends a word, seconds
        adapt : learn from answers that are sure, for as long as the stream lasts

        Returns
        -------
        Stream
            Its `push` takes a block and gives the events that came of it, its `finish` the last ones. Events do not
            depend on how the sound is cut into blocks.

        Raises
        ------
        AudioError
            if the rate is no whole number of Hz between 1,000 and 1,000,000.
        ModelError
            if a word is not in the vocabulary, or there is no such threshold.
        ValueError
            if the hangover is too short or too long.

        Examples
        --------
        >>> import soundfile
        >>> from recognizer import Heard
        >>> samples, rate = soundfile.read("audio_samples/seven_slt_0.wav")
        >>> stream = Recognizer.load("digits").stream(rate)
        >>> events = [event for start in range(0, len(samples), 500) for event in stream.push(samples[start:][:500])]
        >>> [event.result.word for event in events + stream.finish() if isinstance(event, Heard)]
        ['seven']
        """
        from recognizer.live.stream import Stream

        return Stream(self, sample_rate, words=words, threshold=threshold, hangover=hangover, adapt=adapt)

    @property
    def words(self) -> tuple[str, ...]:
        """The vocabulary."""
        return self.model.words

    def recognize(
        self,
        recording: str | Path | np.ndarray,
        sample_rate: int | None = None,
        *,
        words: Sequence[str] | None = None,
        threshold: str | float = "normal",
    ) -> Result:
        """Recognise the one word in a recording.

        Parameters
        ----------
        recording : a file, of sound or of HTK's parameters, or samples: (n,) or (n, channels), floats of full scale 1
            or integers
        sample_rate : of samples, Hz; not given with a file
        words : the only words to choose from; all the model has when None
        threshold : how probable an answer must be: "strict", "normal", "lenient", or a number from 0 (never
            reject, as for a forced choice) to 1, see `recognition.verification.least_probability`

        Returns
        -------
        Result

        Raises
        ------
        AudioError
            if the recording cannot be read or is not finite.
        ModelError
            if a word is not in the vocabulary, or there is no such threshold.

        Warns
        -----
        RecognizerWarning
            if the recording's rate is lower than the model's.
        """
        least = least_probability(threshold, self.model.rejection)
        front_end, analyser = self.model.front_end, self.model.analyser
        if isinstance(recording, str | Path):
            _refuse_rate(sample_rate)
            analysis = analyser.analyse_file(Path(recording))
        else:
            if sample_rate is None:
                raise TypeError("samples need their sample_rate in Hz, as in recognize(samples, 16000)")
            loaded = audio.prepare(recording, sample_rate, front_end.sample_rate)
            analysis = analyser.analyse(loaded)
        if analysis.source_rate and analysis.source_rate < front_end.sample_rate:
            told = low_rate(str(analysis.source_rate), front_end.sample_rate)
            warnings.warn(told, RecognizerWarning, stacklevel=2)
        return self._decode([analysis], self.indices(words), least)[0]

    def recognize_files(
        self,
        paths: Iterable[str | Path],
        *,
        words: Sequence[str] | None = None,
        threshold: str | float = "normal",
        jobs: int | Workers = 1,
    ) -> Iterator[FileResult]:
        """Recognise many files, in order; one that cannot be read does not stop the others.

        Parameters
        ----------
        paths : the files
        words : the only words to choose from
        threshold : as in `recognize`
        jobs : processes that read and analyse, when there are many files, or what else works

        Returns
        -------
        A `FileResult` each, read as they are asked for

        Raises
        ------
        ModelError
            at once, if a word is not in the vocabulary, or there is no such threshold.
        """
        indices, least = self.indices(words), least_probability(threshold, self.model.rejection)
        paths = [Path(path) for path in paths]
        if not isinstance(jobs, int):  # others do all of it
            work = partial(_recognized, self, {"words": words, "threshold": threshold})
            groups = jobs.map("recognition", work, list(batched(jobs.sees(paths), FILES_AT_ONCE)))
            return map(_named, paths, chain.from_iterable(groups))
        return self._file_results(paths, self.model.analyser.analyse_files(paths, jobs=jobs), indices, least)

    def recognize_adapted(
        self,
        paths: Iterable[str | Path],
        *,
        words: Sequence[str] | None = None,
        threshold: str | float = "normal",
        jobs: int | Workers = 1,
        progress: Callable[[int], None] = lambda done: None,
    ) -> tuple[Iterator[FileResult], SelfAdaptation]:
        """Recognise recordings of one speaker, whom nobody knows, by models fitted to these very recordings.

        All of them are read and analysed first, and kept in memory at a few kB each.

        Parameters
        ----------
        paths : the files
        words : the only words to choose from, and to learn from
        threshold : as in `recognize`; what is rejected is not learned from
        jobs : processes that read and analyse, when there are many files, or what else works
        progress : called with the number of files read

        Returns
        -------
        results : as `recognize_files` gives them
        adaptation : `Recognizer(adaptation.model)` goes on with the fitted model; its `words` are those of the
            paths, -1 also where a file could not be read. The model is this one where there was no speech

        Raises
        ------
        ModelError
            at once, if a word is not in the vocabulary, or there is no such threshold.
        """
        from recognizer.adaptation.unlabelled import SelfAdaptation, self_adapt

        indices, least = self.indices(words), least_probability(threshold, self.model.rejection)
        paths, found = [Path(path) for path in paths], []
        for analysis in self.model.analyser.reading().analyse_files(paths, jobs=jobs):
            found.append(analysis)
            progress(len(found))
        readable = [i for i, analysis in enumerate(found) if isinstance(analysis, Analysis)]
        heard, by_path = [found[i] for i in readable], np.full(len(paths), -1)
        try:
            adaptation = self_adapt(heard, self.model, allowed=indices, threshold=threshold)
            by_path[readable] = adaptation.words
        except AdaptationError:  # no speech: nothing to learn, but the files are still to be told of
            adaptation = SelfAdaptation(self.model, by_path, 0)
        normalised = iter(finished(heard, adaptation.model.front_end))
        analyses = (next(normalised) if isinstance(analysis, Analysis) else analysis for analysis in found)
        results = replace(self, model=adaptation.model)._file_results(paths, analyses, indices, least)
        return results, replace(adaptation, words=by_path)

    def transcribe(
        self,
        recording: str | Path | np.ndarray,
        sample_rate: int | None = None,
        *,
        words: Sequence[str] | None = None,
        threshold: str | float = "normal",
        hangover: float = 0.25,
        progress: Callable[[float], None] = lambda seconds: None,
    ) -> Iterator[Heard | Rejected]:
        """Recognise the words in a recording of many, with pauses between them.

        They are found as in a live session, and each is recognised as `recognize` does it: the answers are the same to
        the last bit. A file may be of any length; no more of it is kept than a few seconds.

        Parameters
        ----------
        recording : a sound file, or samples: (n,) or (n, channels), floats of full scale 1 or integers
        sample_rate : of samples, Hz; not given with a file
        words, threshold : as in `recognize`
        hangover : silence that ends a word, seconds
        progress : called with the seconds that were heard, about once for each of them

        Returns
        -------
        What was heard, in order, as soon as it is known: answers, and sounds that are no word. `start` and `end` are
        those of the word in the recording, seconds; `result` is what `recognize` says of `samples`.

        Raises
        ------
        ModelError
            at once, if a word is not in the vocabulary, or there is no such threshold.
        AudioError
            if the recording cannot be read or is not finite; of a file, when that is noticed.

        Warns
        -----
        RecognizerWarning
            if the recording's rate is lower than the model's, or a single one of its channels is heard.
        """
        from recognizer.live.events import Answer
        from recognizer.live.session import Session, listen
        from recognizer.sound.segmenter import Segmentation
        from recognizer.sound.source import AT_ONCE, Block, play

        segmentation = replace(Segmentation(), hangover=hangover)
        session = Session(self, words=words, threshold=threshold, segmentation=segmentation, partial=False)
        if isinstance(recording, str | Path):
            if sample_rate is not None:
                raise TypeError("sample_rate goes with samples; a file knows its own")
            sounds = play(recording, fast=True, seconds=AT_ONCE)
        else:
            if sample_rate is None:
                raise TypeError("samples need their sample_rate in Hz, as in transcribe(samples, 16000)")
            samples = audio.prepare(recording, sample_rate, sample_rate).samples
            size = round(AT_ONCE * sample_rate)
            pieces = (samples[first : first + size] for first in range(0, len(samples), size))
            sounds = (Block(piece, sample_rate, time.perf_counter()) for piece in pieces)

        def answers() -> Iterator[Heard | Rejected]:
            for events in listen(sounds, session):
                yield from (event for event in events if isinstance(event, Answer))
                progress(session.time)

        return answers()

    def transcribe_files(
        self,
        paths: Sequence[str | Path],
        *,
        words: Sequence[str] | None = None,
        threshold: str | float = "normal",
        hangover: float = 0.25,
        jobs: int | Workers = 1,
    ) -> Iterator[Transcript]:
        """`transcribe` many files, in order; one that cannot be read does not stop the others.

        Parameters
        ----------
        paths : the files
        words, threshold, hangover : as in `transcribe`
        jobs : processes, or what else works

        Returns
        -------
        A `Transcript` each, when it is whole

        Raises
        ------
        ModelError
            at once, if a word is not in the vocabulary, or there is no such threshold.
        """
        from recognizer.parallel import workers_of

        self.indices(words), least_probability(threshold, self.model.rejection)
        them, paths = workers_of(jobs), [Path(path) for path in paths]
        work = partial(_transcribed, self, {"words": words, "threshold": threshold, "hangover": hangover})
        return map(_named, paths, them.map("transcription", work, them.sees(paths)))

    def _file_results(
        self, paths: Sequence[Path], analyses: Iterable[Analysis | AudioError], indices: np.ndarray, least: float
    ) -> Iterator[FileResult]:
        for group in batched(zip(paths, analyses, strict=True), FILES_AT_ONCE):  # strict: workers are asked to the end
            results = iter(self._decode([a for _, a in group if isinstance(a, Analysis)], indices, least))
            for path, analysis in group:
                if isinstance(analysis, AudioError):
                    yield FileResult(path, None, str(analysis))
                else:
                    yield FileResult(path, next(results), None, analysis.source_rate, analysis.flaws)

    def indices(self, words: Sequence[str] | None) -> np.ndarray:
        """Where the words to choose from stand in the vocabulary.

        Parameters
        ----------
        words : to choose from; all when None

        Returns
        -------
        Rising indices of `Recognizer.words`, (W,)

        Raises
        ------
        ModelError
            if a word is not in the vocabulary, or there is none.
        """
        if words is None:
            return np.arange(len(self.words))
        if isinstance(words, str):
            raise TypeError(f"words is the str {cited(words)}; give a list of words")
        words = [unicodedata.normalize("NFC", word) for word in words]
        if not words:
            raise ModelError(f"no words to choose from were given; the model has {listed(self.words)}")
        known, wanted = set(self.words), set(words)
        unknown = [word for word in words if word not in known]
        if unknown:
            raise ModelError(f"the model has no word {listed(map(cited, unknown))}; it has {listed(self.words)}")
        return np.array([i for i, word in enumerate(self.words) if word in wanted])

    def _decode(self, analyses: Sequence[Analysis], indices: np.ndarray, least: float) -> list[Result]:
        """Results of analyses, scored together."""
        most = MOST_CELLS // positions_scored(self.model.acoustics)
        long = [bool(analysis.features) and len(analysis.features[0]) > most for analysis in analyses]
        speech = [i for i, analysis in enumerate(analyses) if analysis.features and not long[i]]
        results = [_nothing(a, "too long" if is_long else a.reason) for a, is_long in zip(analyses, long)]
        if speech:
            noise = self.model.rejection and self.model.rejection.noise
            found = examine(self.model.acoustics, noise, [analyses[i].features[0] for i in speech], indices)
            believed = belief(found.scores, found.evidence, self.model.calibration, self.model.rejection)
            ranked = np.argsort(-found.scores, axis=1, kind="stable")
            labels = [[self.words[word] for word in words] for words in found.words.tolist()]
            numbers = found.scores, found.spans, ranked, believed.confidence, believed.known, believed.lesser
            by_utterance = zip(speech, labels, *numbers)
            for i, words, scores, span, order, confidence, known, lesser in by_utterance:
                if not (np.isfinite([known, *confidence]).all() and (scores < np.inf).all()):
                    results[i] = _nothing(analyses[i], NO_NUMBER)
                    continue
                reason = NO_WORD if known < least else TOO_CLOSE if lesser < least else None
                results[i] = _result(analyses[i], words, scores, span, order, confidence, reason)
        return results


def _result(
    analysis: Analysis,
    words: Sequence[str],
    scores: np.ndarray,
    span: np.ndarray,
    ranked: np.ndarray,
    confidence: np.ndarray,
    reason: str | None,
) -> Result:
    """The answer about one utterance; its words, (W,), with their scores and confidences, and the order of these."""
    ranked = ranked[: int(np.isfinite(scores).sum())]  # the others need more frames
    if not len(ranked):
        return _nothing(analysis, "too short")
    a_frame = (scores[ranked] / len(analysis.features[0])).tolist()
    nbest = tuple(map(Candidate, (words[i] for i in ranked.tolist()), a_frame, confidence[ranked].tolist()))
    first, last = map(int, span)
    # As `align` has it: a boundary lies half-way between the centres of two frames; the outer ones share with nobody.
    frames, share = len(analysis.features[0]), (analysis.window - analysis.hop) / 2
    start = analysis.start + first * analysis.hop + (share if first else 0.0)
    end = analysis.start + last * analysis.hop + (share if last < frames else 2 * share)
    return Result(
        word=None if reason else nbest[0].word,
        confidence=nbest[0].confidence,
        accepted=reason is None,
        nbest=nbest,
        start=start,
        end=min(end, analysis.duration),
        duration=analysis.duration,
        reason=reason,
        channel=analysis.channel,
    )


def _recognized(recognizer: Recognizer, how: dict, paths: Sequence[Path]) -> list[FileResult]:
    """What `recognize_files` says of some."""
    return list(recognizer.recognize_files(paths, **how))


def _transcribed(recognizer: Recognizer, how: dict, path: Path) -> Transcript:
    """What `transcribe` says of one, whole."""
    answers: list[Heard | Rejected] = []
    times, error = [0.0], None
    try:
        for answer in recognizer.transcribe(path, **how, progress=times.append):
            answers.append(answer)  # one by one: those before an error stay
    except AudioError as wrong:
        error = str(wrong)
    return Transcript(path, tuple(answers), times[-1], error)


def _named(path: Path, result: FileResult | Transcript) -> FileResult | Transcript:
    """What was found in a file that was read under another name, by its own."""
    error = result.error and retold(result.error, result.path, path)
    return replace(result, path=path, error=error)


def batched(items: Iterable, size: int) -> Iterator[list]:
    """Lists of up to `size` items."""
    group: list = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _lasting(path: Path) -> str:
    """A model's file, by a name that holds in any folder."""
    return os.path.abspath(path)


def _refuse_rate(sample_rate: int | None) -> None:
    """Refuse one that is given with a file."""
    if sample_rate is not None:
        raise TypeError("sample_rate goes with samples; a file knows its own")


def _tell_of(*reasons: str) -> None:
    """Warn whoever called the caller, of each recording that is left out or doubtful."""
    for reason in reasons:
        warnings.warn(reason, RecognizerWarning, stacklevel=3)


def _nothing(analysis: Analysis, reason: str | None) -> Result:
    return Result(None, 0.0, False, (), None, None, analysis.duration, reason, analysis.channel)
