"""The recognizer as a program uses it: load a model, recognise recordings."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recognizer.errors import AdaptationError, AudioError, ModelError, RecognizerWarning, cited, listed
from recognizer.features.analysis import FILES_AT_ONCE, Analysis, finished, low_rate
from recognizer.model import Model, locate
from recognizer.recognition.evidence import examine
from recognizer.recognition.result import Candidate, Result
from recognizer.recognition.verification import NO_NUMBER, NO_WORD, TOO_CLOSE, belief, least_probability
from recognizer.sound import audio

if TYPE_CHECKING:
    from recognizer.adaptation.unlabelled import SelfAdaptation
    from recognizer.live.events import Heard, Rejected

# Frames of an utterance times positions of all words, at most: each takes 30 to 80 bytes while it is recognised. Four
# seconds of a thousand words are so many, and of the ten digits it is seven minutes.
MOST_CELLS = 5_000_000


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


@dataclass(frozen=True)
class Recognizer:
    """Recognises single words.

    Attributes
    ----------
    model : what it knows
    speaker : whose profile the model was fitted with; None for anybody's voice

    Examples
    --------
    >>> digits = Recognizer.load("digits")
    >>> digits.recognize("audio_samples/seven_slt_0.wav").word
    'seven'
    """

    model: Model
    speaker: str | None = None

    @classmethod
    def load(cls, model: str | Path = "digits", speaker: str | None = None) -> Recognizer:
        """A recognizer with a model of one's own, by its file, or one of those installed, by its name.

        Parameters
        ----------
        model : file or name
        speaker : who is enrolled for this model, as `anna`, or in a condition, as `anna@cold`; the model is
            fitted to that voice

        Raises
        ------
        ModelError
            if there is no such model, or its file is damaged.
        NamingError, ProfileError
            if there is no such speaker or no profile, or it was made for another model.
        """
        loaded = Model.load(locate(model))
        if speaker is None:
            return cls(loaded)
        from recognizer.speakers import store

        return cls(store.fitted(loaded, speaker), store.checked(speaker))

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
            if sample_rate is not None:
                raise TypeError("sample_rate goes with samples; a file knows its own")
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
        jobs: int = 1,
    ) -> Iterator[FileResult]:
        """Recognise many files, in order; one that cannot be read does not stop the others.

        Parameters
        ----------
        paths : the files
        words : the only words to choose from
        threshold : as in `recognize`
        jobs : processes that read and analyse, when there are many files

        Raises
        ------
        ModelError
            at once, if a word is not in the vocabulary, or there is no such threshold.
        """
        indices, least = self.indices(words), least_probability(threshold, self.model.rejection)
        paths = [Path(path) for path in paths]
        return self._file_results(paths, self.model.analyser.analyse_files(paths, jobs=jobs), indices, least)

    def recognize_adapted(
        self,
        paths: Iterable[str | Path],
        *,
        words: Sequence[str] | None = None,
        threshold: str | float = "normal",
        jobs: int = 1,
        progress: Callable[[int], None] = lambda done: None,
    ) -> tuple[Iterator[FileResult], SelfAdaptation]:
        """Recognise recordings of one speaker, whom nobody knows, by models fitted to these very recordings.

        All of them are read and analysed first, and kept in memory at a few kB each.

        Parameters
        ----------
        paths : the files
        words : the only words to choose from, and to learn from
        threshold : as in `recognize`; what is rejected is not learned from
        jobs : processes that read and analyse, when there are many files
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
            sounds = (Block(piece, sample_rate, 0.0) for piece in pieces)

        def answers() -> Iterator[Heard | Rejected]:
            for events in listen(sounds, session):
                yield from (event for event in events if isinstance(event, Answer))
                progress(session.time)

        return answers()

    def _file_results(
        self, paths: Sequence[Path], analyses: Iterable[Analysis | AudioError], indices: np.ndarray, least: float
    ) -> Iterator[FileResult]:
        for group in batched(zip(paths, analyses), FILES_AT_ONCE):
            results = iter(self._decode([a for _, a in group if isinstance(a, Analysis)], indices, least))
            for path, analysis in group:
                if isinstance(analysis, AudioError):
                    yield FileResult(path, None, str(analysis))
                else:
                    yield FileResult(path, next(results), None, analysis.source_rate, analysis.flaws)

    def indices(self, words: Sequence[str] | None) -> np.ndarray:
        """Where the words to choose from stand in the vocabulary; all when None.

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
        unknown = [word for word in words if word not in self.words]
        if unknown:
            raise ModelError(f"the model has no word {listed(map(cited, unknown))}; it has {listed(self.words)}")
        return np.array([i for i, word in enumerate(self.words) if word in words])

    def _decode(self, analyses: Sequence[Analysis], indices: np.ndarray, least: float) -> list[Result]:
        """Results of analyses, scored together."""
        most = MOST_CELLS // self.model.acoustics.chain.log_stay.size
        long = [bool(analysis.features) and len(analysis.features[0]) > most for analysis in analyses]
        speech = [i for i, analysis in enumerate(analyses) if analysis.features and not long[i]]
        results = [_nothing(a, "too long" if is_long else a.reason) for a, is_long in zip(analyses, long)]
        if speech:
            noise = self.model.rejection and self.model.rejection.noise
            found = examine(self.model.acoustics, noise, [analyses[i].features[0] for i in speech], indices)
            believed = belief(found.scores, found.evidence, self.model.calibration, self.model.rejection)
            ranked = np.argsort(-found.scores, axis=1, kind="stable")
            by_utterance = zip(
                speech, found.scores, found.spans, ranked, believed.confidence, believed.known, believed.lesser
            )
            words = [self.words[i] for i in indices]
            for i, scores, span, order, confidence, known, lesser in by_utterance:
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


def _nothing(analysis: Analysis, reason: str | None) -> Result:
    return Result(None, 0.0, False, (), None, None, analysis.duration, reason, analysis.channel)
