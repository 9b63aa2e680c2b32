"""A session of live recognition: sound in, events out.

Nothing here knows a device, a screen or the time of day, so a session runs the same on a microphone, a recording or
a test. Every utterance is answered by what `batch` uses for a file, on the same samples, rounded to 16 bits as they
would be in that file: what is saved is recognised again to the last bit.

For that, the word so far is recognised anew for every partial result. A Viterbi search that went on from block to
block would score features that a later block still changes: their mean is taken over the whole word, and nothing
known at its beginning gives what `batch` will say at its end. Doing it again takes three milliseconds for ten words;
it is bounded by the greatest length of an utterance and by PARTIAL_SHARE. The last time is while the hangover runs,
as soon as all that will be kept has been heard, so that the answer is there when the word is known to be over, as
long as it takes less than the rest of the hangover: 0.05 s by default, enough for a hundred words.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from recognizer.audio import Resampler
from recognizer.decoding import Result
from recognizer.errors import RecognizerWarning
from recognizer.quality import CLIPPED, FULL
from recognizer.recognition import Recognizer, low_rate
from recognizer.rejection import NO_WORD
from recognizer.segmenter import Boundary, Segmentation, Segmenter
from recognizer.source import Block, Lost, Muted, Sound

FIRST_PARTIAL = 0.2  # seconds of a word before its first partial result
PARTIAL_EVERY = 0.1  # seconds between partial results
CLIPPED_NOTE = "clipped: turn the input level down or move back"
IDLE = 0.09  # seconds of sound looked at together while nobody speaks, which saves most of the time that takes
PARTIAL_SHARE = 0.25  # of the time, at most, goes into partial results, however large the vocabulary


@dataclass(frozen=True, eq=False)
class Event:
    """Something that happened in a session.

    Attributes
    ----------
    kind : "calibrated", "speech_start", "partial", "result", "rejected", "device_lost", "overflow", "end", or
        "muted"
    time : when, seconds since the session began
    start, end : of what it is about, likewise; None where it is about a moment
    result : what was heard, its times counted from the beginning of `samples`; of partial ones the candidates
    samples : the utterance as 16-bit integers at the model's rate, of results and rejections
    latency : from the arrival of the sound that ended the word to the answer, seconds
    floor : the noise floor, dB full scale, of a calibration
    note : what a person should know
    tally : what a session that ends has seen, by name
    """

    kind: str
    time: float
    start: float | None = None
    end: float | None = None
    result: Result | None = None
    samples: np.ndarray | None = None
    latency: float | None = None
    floor: float | None = None
    note: str | None = None
    tally: dict[str, int] | None = None


@dataclass
class Tally:
    """What a session has seen."""

    words: int = 0
    rejected: int = 0
    overflows: int = 0
    losses: int = 0


class Session:
    """Recognises the words in a stream of sound.

    Warns once, with a RecognizerWarning, if the sound comes at a rate under the model's.

    Parameters
    ----------
    recognizer : the model
    words : the only words to choose from; all the model has when None
    threshold : how sure an answer must be, as for `Recognizer.recognize`
    segmentation : how words are told from silence
    clock : seconds, monotonic; the one the source stamps its blocks with

    Raises
    ------
    ModelError
        if a word is not in the vocabulary.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        *,
        words: Sequence[str] | None = None,
        threshold: str | float = "normal",
        segmentation: Segmentation = Segmentation(),
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.tally = Tally()
        self.time = 0.0
        self._recognizer, self._words, self._threshold = recognizer, words, threshold
        self._segmentation, self._clock = segmentation, clock
        self._rate = recognizer.model.front_end.sample_rate
        self._warm_up()
        self._source_rate, self._warned = 0, False
        self._last_arrival: float | None = None
        self._returning = False  # from a loss, until calibrated anew
        self._begin_again()

    @property
    def state(self) -> str:
        """ "calibrating", "listening", "speech", "thinking" (the word seems to be over) or "lost"."""
        if self._lost:
            return "lost"
        if not self._calibrated:
            return "calibrating"
        if not self._started:
            return "listening"
        return "thinking" if self._foreseen else "speech"

    @property
    def level(self) -> float:
        """Of the last frame, dB full scale."""
        return self._segmenter.level

    @property
    def floor(self) -> float:
        """The noise floor as it is tracked, dB full scale."""
        return self._segmenter.floor

    def hear(self, sound: Sound) -> list[Event]:
        """What comes of a block of sound, or of the news that there is none."""
        match sound:
            case Block():
                return self._hear_block(sound)
            case Lost():
                events = self.finish()
                self._lost = self._returning = True
                self.tally.losses += 1
                return [
                    *events,
                    Event("device_lost", self.time, note=f"{sound.device}: {sound.reason}; waiting for it"),
                ]
            case Muted():
                return [Event("muted", self.time, note=f"{sound.device} delivers only zeros: {sound.remedy}")]

    def finish(self) -> list[Event]:
        """The stream is over: answer what is still open."""
        if self._lost:  # it was over before
            return []
        now = self._clock()
        rest = np.concatenate([*self._waiting, np.zeros(0, np.float32)])
        rest, self._waiting = self._resampler.push(rest, last=True), []
        return self._advance(rest, now) + self._follow(self._segmenter.finish(), now)

    def end(self) -> Event:
        """The last event, with the counts of what there was."""
        return Event("end", self.time, tally=asdict(self.tally))

    def _warm_up(self) -> None:
        """Recognise anything: unknown words are refused, and libraries loaded, before somebody speaks."""
        beep = np.sin(np.arange(self._rate)) * (np.arange(self._rate) % (self._rate // 2) > self._rate // 4)
        self._recognizer.recognize(beep, self._rate, words=self._words, threshold=self._threshold)

    def _hear_block(self, block: Block) -> list[Event]:
        events = []
        if self._lost or block.sample_rate != self._source_rate:
            if self._last_arrival is not None:
                events += [] if self._lost else self.finish()
                self.time += max(0.0, block.arrived - self._last_arrival - len(block.samples) / block.sample_rate)
            self._source_rate = block.sample_rate
            self._begin_again()
            self._warn_of_low_rate()
        self._last_arrival = block.arrived
        if block.lost:
            events += self._skip(block.lost / block.sample_rate, block.arrived)
        self._heard += len(block.samples)
        self._waiting.append(block.samples)
        if self._started or sum(map(len, self._waiting)) >= IDLE * block.sample_rate:
            samples, self._waiting = np.concatenate(self._waiting), []
            events += self._advance(self._resampler.push(samples), block.arrived)
        return events

    def _warn_of_low_rate(self) -> None:
        if self._source_rate < self._rate and not self._warned:
            self._warned = True
            warnings.warn(low_rate(str(self._source_rate), self._rate), RecognizerWarning, stacklevel=4)

    def _skip(self, seconds: float, arrived: float) -> list[Event]:
        """Sound was lost here: what came before it keeps its times, what follows is later."""
        events: list[Event] = []
        if self._waiting:
            samples, self._waiting = np.concatenate(self._waiting), []
            events += self._advance(self._resampler.push(samples), arrived)
        streamed = self._heard / self._source_rate
        self._gaps.append((streamed, seconds))
        self.tally.overflows += 1
        self.time = self._origin + streamed + sum(lost for _, lost in self._gaps)
        note = f"{seconds:.2f} s of sound lost: the computer is too busy"
        return [*events, Event("overflow", self.time, note=note)]

    def _moment(self, streamed: float) -> float:
        """When in the session so many seconds of the stream had passed, those that were lost not among them."""
        return self._origin + streamed + sum(lost for after, lost in self._gaps if after < streamed)

    def _begin_again(self) -> None:
        """Forget the stream: it is a new one from here on, with a new noise floor."""
        self._resampler = Resampler(self._source_rate or self._rate, self._rate)
        self._segmenter = Segmenter(self._rate, self._segmentation)
        self._origin = self.time  # of the stream, in the session
        self._heard = 0  # samples of it, at the source's rate
        self._gaps: list[tuple[float, float]] = []  # seconds of the stream after which sound was lost, and how many
        self._samples, self._before = np.zeros(0, np.float32), 0  # what is held of it, and what came before that
        self._lost = self._calibrated = self._started = False
        self._foreseen: tuple[tuple[int, int], np.ndarray, Result] | None = None
        self._next_partial = 0
        self._waiting: list[np.ndarray] = []  # at the source's rate

    def _advance(self, samples: np.ndarray, arrived: float) -> list[Event]:
        """Take in samples at the model's rate."""
        self._samples = np.concatenate([self._samples, samples])
        position = self._before + len(self._samples)
        self.time = max(self.time, self._moment(position / self._rate))
        events = self._follow(self._segmenter.push(samples), arrived)
        if self._started and (pending := self._segmenter.pending):
            events += self._listen_in(pending, position)
        self._forget(position)
        return events

    def _follow(self, boundaries: Iterable[Boundary], arrived: float) -> list[Event]:
        events = []
        for boundary in boundaries:
            start, end = (self._moment(sample / self._rate) for sample in (boundary.start, boundary.end))
            if boundary.kind == "calibrated":
                self._calibrated = True
                note = "the microphone is back" if self._returning else None
                self._returning = False
                events.append(Event("calibrated", end, floor=self._segmenter.floor, note=note))
            elif boundary.kind == "start":
                self._started = True
                self._next_partial = boundary.start + round((self._segmentation.pre_roll + FIRST_PARTIAL) * self._rate)
                events.append(Event("speech_start", self.time, start=start))
            else:
                events.append(self._answer(boundary, arrived))
                self._started, self._foreseen = False, None
        return events

    def _answer(self, boundary: Boundary, arrived: float) -> Event:
        """The result or the rejection of an utterance that is over."""
        span = boundary.start, boundary.end
        if not self._foreseen or self._foreseen[0] != span:
            self._foreseen = self._recognize(span)
        _, samples, result = self._foreseen
        if boundary.kind == "dropped":
            result = replace(result, word=None, accepted=False, reason=NO_WORD)
        if result.accepted:
            self.tally.words += 1
        else:
            self.tally.rejected += 1
        start, end = span[0] / self._rate, span[1] / self._rate
        return Event(
            "result" if result.accepted else "rejected",
            self.time,
            start=self._moment(start if result.start is None else start + result.start),
            end=self._moment(end if result.end is None else start + result.end),
            result=result,
            samples=samples,
            latency=max(0.0, self._clock() - arrived),
            note=CLIPPED_NOTE if (np.abs(samples.astype(np.int32)) >= FULL * 32768).mean() > CLIPPED else None,
        )

    def _listen_in(self, pending: tuple[int, int], position: int) -> list[Event]:
        """Recognise the utterance so far: for a partial result, or because it seems to be over."""
        over = position >= pending[1]
        if over and (not self._foreseen or self._foreseen[0] != pending):
            self._foreseen = self._recognize(pending)
        elif not over:
            self._foreseen = None
        if position < self._next_partial:
            return []
        began = self._clock()
        _, _, result = self._foreseen or self._recognize((pending[0], position))
        spent = self._clock() - began
        self._next_partial = position + round(max(PARTIAL_EVERY, spent / PARTIAL_SHARE) * self._rate)
        if not result.nbest:
            return []
        return [Event("partial", self.time, start=self._moment(pending[0] / self._rate), result=result)]

    def _recognize(self, span: tuple[int, int]) -> tuple[tuple[int, int], np.ndarray, Result]:
        """The span itself, its samples in 16 bits, and what they are to `batch`."""
        samples = self._samples[span[0] - self._before : span[1] - self._before]
        samples = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
        result = self._recognizer.recognize(samples, self._rate, words=self._words, threshold=self._threshold)
        return span, samples, result

    def _forget(self, position: int) -> None:
        """Drop samples that no utterance can contain any more."""
        reach = position - round(self._segmentation.reach * self._rate)
        keep = min(reach, self._segmenter.pending[0] if self._segmenter.pending else reach)
        if keep > self._before:
            self._samples, self._before = self._samples[keep - self._before :], keep
            past = [gap for gap in self._gaps if gap[0] < keep / self._rate]
            self._origin += sum(lost for _, lost in past)
            self._gaps = self._gaps[len(past) :]


def listen(sounds: Iterable[Sound], session: Session) -> Iterator[list[Event]]:
    """The events of a session, one list for every piece of sound, most of them empty; the last one ends it."""
    for sound in sounds:
        yield session.hear(sound)
    yield session.finish()
