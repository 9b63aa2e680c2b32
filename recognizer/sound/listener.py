"""A stream of sound with all that happens to it: sound in, utterances and mishaps out.

Between a microphone and whoever wants to know what was said: brings the sound to one rate, cuts it into utterances,
keeps no more of it than they need, and counts the time, that of sound which was lost and of devices which were away
included. Nothing here recognises anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from recognizer.sound.resampling import Resampler
from recognizer.sound.segmenter import Boundary, Segmentation, Segmenter
from recognizer.sound.source import Block, Lost, OnlyZeros, Sound

IDLE = 0.09  # seconds of sound, three blocks, looked at together while nobody speaks, which saves most of the time


@dataclass(frozen=True)
class Timeline:
    """When the moments of a stream were.

    Attributes
    ----------
    origin : when the stream began, seconds since listening did
    gaps : seconds of the stream after which sound was lost, and how many seconds of it
    """

    origin: float = 0.0
    gaps: tuple[tuple[float, float], ...] = ()

    def moment(self, streamed: float) -> float:
        """When so many seconds of the stream had passed, those that were lost not among them."""
        return self.origin + streamed + sum(lost for after, lost in self.gaps if after < streamed)

    def interrupted(self, streamed: float, seconds: float) -> Timeline:
        """The same when so many seconds are lost after so many of the stream."""
        return Timeline(self.origin, (*self.gaps, (streamed, seconds)))

    def since(self, streamed: float) -> Timeline:
        """The same for all from a moment of the stream on, which needs not know each gap before it."""
        past = [gap for gap in self.gaps if gap[0] < streamed]
        return Timeline(self.origin + sum(lost for _, lost in past), self.gaps[len(past) :])


@dataclass(frozen=True, eq=False, kw_only=True)
class Happening:
    """Something that became known about a stream, `time` being when, seconds since listening began."""

    time: float


@dataclass(frozen=True, eq=False, kw_only=True)
class FloorKnown(Happening):
    """The noise floor is known, dB full scale; the note tells whether that is after a loss."""

    floor: float
    note: str | None


@dataclass(frozen=True, eq=False, kw_only=True)
class Spoken(Happening):
    """Of an utterance.

    Attributes
    ----------
    span : first and past-the-last sample, at the listener's rate, counted from the beginning of the stream
    timeline : when these samples were
    """

    span: tuple[int, int]
    timeline: Timeline


@dataclass(frozen=True, eq=False, kw_only=True)
class Onset(Spoken):
    """A sound has lasted longer than a click; `floor` is that of the noise before it, dB full scale."""

    floor: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Speech(Spoken):
    """More of it was heard. The end of the span may lie ahead: it is where the utterance ends if no more speech comes.

    Attributes
    ----------
    heard : (n,) float32, full scale 1, all from the utterance's first sample to the newest one
    """

    heard: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class Over(Spoken):
    """It is over.

    Attributes
    ----------
    heard : (n,) float32, full scale 1, the utterance
    arrived : when the sound was there that ended it, seconds of the listener's clock
    floor : the noise floor after it, dB full scale
    dropped : it turned out to be noise that the floor has caught up with
    complete : False if it was cut off by the greatest length or by the end of the stream
    """

    heard: np.ndarray
    arrived: float
    floor: float
    dropped: bool
    complete: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Interruption(Happening):
    """Something came between the sound and the listener; `note` tells what."""

    note: str


class Overrun(Interruption):
    """Sound was lost, for nobody fetched it in time."""


class Absence(Interruption):
    """The device is away, and waited for."""


class DeadInput(Interruption):
    """Nothing but zeros comes in."""


class Listener:
    """Hears a stream of sound, the same however it comes in blocks.

    Parameters
    ----------
    sample_rate : to which the sound is brought, Hz
    segmentation : how words are told from silence
    clock : seconds, monotonic; the one the source stamps its blocks with

    Attributes
    ----------
    time : seconds since listening began
    """

    def __init__(
        self,
        sample_rate: int,
        segmentation: Segmentation = Segmentation(),
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.time = 0.0
        self._rate, self._segmentation, self._clock = sample_rate, segmentation, clock
        self._source_rate = 0
        self._last_arrival: float | None = None
        self._returning = False  # from a loss, until calibrated anew
        self._begin_again()

    @property
    def state(self) -> str:
        """ "calibrating", "listening", "speech" or "lost"."""
        if self._lost:
            return "lost"
        if not self._calibrated:
            return "calibrating"
        return "speech" if self._started else "listening"

    @property
    def level(self) -> float:
        """Of the last frame, dB full scale."""
        return self._segmenter.level

    @property
    def floor(self) -> float:
        """The noise floor as it is tracked, dB full scale."""
        return self._segmenter.floor

    def hear(self, sound: Sound) -> list[Happening]:
        """What comes of a block of sound, or of the news that there is none."""
        match sound:
            case Block():
                return self._hear_block(sound)
            case Lost():
                found = self.finish()
                self._lost = self._returning = True
                note = f"{sound.device}: {sound.reason}; waiting for it"
                return [*found, Absence(time=self.time, note=note)]
            case OnlyZeros():
                return [DeadInput(time=self.time, note=f"{sound.device} delivers only zeros: {sound.remedy}")]

    def finish(self) -> list[Happening]:
        """The stream is over: what is still open ends here."""
        if self._lost:  # it was over before
            return []
        now = self._clock()
        rest = np.concatenate([*self._waiting, np.zeros(0, np.float32)])
        rest, self._waiting = self._resampler.push(rest, last=True), []
        return self._advance(rest, now) + self._follow(self._segmenter.finish(), now)

    def _hear_block(self, block: Block) -> list[Happening]:
        found = []
        if self._lost or block.sample_rate != self._source_rate:
            if self._last_arrival is not None:
                found += [] if self._lost else self.finish()
                self.time += max(0.0, block.arrived - self._last_arrival - len(block.samples) / block.sample_rate)
            self._source_rate = block.sample_rate
            self._begin_again()
        self._last_arrival = block.arrived
        if block.lost:
            found += self._skip(block.lost / block.sample_rate, block.arrived)
        self._received += len(block.samples)
        self._waiting.append(block.samples)
        if self._started or sum(map(len, self._waiting)) >= IDLE * block.sample_rate:
            samples, self._waiting = np.concatenate(self._waiting), []
            found += self._advance(self._resampler.push(samples), block.arrived)
        return found

    def _skip(self, seconds: float, arrived: float) -> list[Happening]:
        """Sound was lost here: what came before it keeps its times, what follows is later."""
        found: list[Happening] = []
        if self._waiting:
            samples, self._waiting = np.concatenate(self._waiting), []
            found += self._advance(self._resampler.push(samples), arrived)
        streamed = self._received / self._source_rate
        self._timeline = self._timeline.interrupted(streamed, seconds)
        self.time = self._timeline.origin + streamed + sum(lost for _, lost in self._timeline.gaps)
        note = f"{seconds:.2f} s of sound lost: the computer is too busy"
        return [*found, Overrun(time=self.time, note=note)]

    def _begin_again(self) -> None:
        """Forget the stream: it is a new one from here on, with a new noise floor."""
        self._resampler = Resampler(self._source_rate or self._rate, self._rate)
        self._segmenter = Segmenter(self._rate, self._segmentation)
        self._timeline = Timeline(self.time)
        self._received = 0  # samples of it, at the source's rate
        self._samples, self._before = np.zeros(0, np.float32), 0  # what is held of it, and what came before that
        self._lost = self._calibrated = self._started = False
        self._waiting: list[np.ndarray] = []  # at the source's rate

    def _advance(self, samples: np.ndarray, arrived: float) -> list[Happening]:
        """Take in samples at the listener's rate."""
        self._samples = np.concatenate([self._samples, samples])
        position = self._before + len(self._samples)
        self.time = max(self.time, self._timeline.moment(position / self._rate))
        found = self._follow(self._segmenter.push(samples), arrived)
        if self._started and (span := self._segmenter.pending):
            heard = self._between(span[0], position)
            found.append(Speech(time=self.time, span=span, heard=heard, timeline=self._timeline))
        self._forget(position)
        return found

    def _follow(self, boundaries: Iterable[Boundary], arrived: float) -> list[Happening]:
        found = []
        for boundary in boundaries:
            if boundary.kind == "calibrated":
                self._calibrated = True
                note = "the microphone is back" if self._returning else None
                self._returning = False
                moment = self._timeline.moment(boundary.end / self._rate)
                found.append(FloorKnown(time=moment, floor=self.floor, note=note))
                continue
            self._started = boundary.kind == "start"
            span = boundary.start, boundary.end
            about = {"time": self.time, "span": span, "timeline": self._timeline, "floor": self.floor}
            if self._started:
                found.append(Onset(**about))
                continue
            about |= {"heard": self._between(*span), "arrived": arrived}
            found.append(Over(**about, dropped=boundary.kind == "dropped", complete=boundary.complete))
        return found

    def _between(self, first: int, end: int) -> np.ndarray:
        return self._samples[first - self._before : end - self._before]

    def _forget(self, position: int) -> None:
        """Drop samples that no utterance can contain any more."""
        reach = position - round(self._segmentation.reach * self._rate)
        keep = min(reach, self._segmenter.pending[0] if self._segmenter.pending else reach)
        if keep > self._before:
            self._samples, self._before = self._samples[keep - self._before :], keep
            self._timeline = self._timeline.since(keep / self._rate)
