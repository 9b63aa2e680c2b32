"""What happens while somebody speaks: a class for each kind of event, and what of it goes into a line of JSON.

Times are seconds since the session or the guide began, levels dB full scale.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import ClassVar

import numpy as np

from recognizer.live.prompts import Prompt
from recognizer.recognition.result import Result
from recognizer.sound.listener import Absence, DeadInput, Overrun
from recognizer.sound.quality import Quality

SHOWN = 5  # candidates of a partial result in its record: more are no news for those that come ten times a second


@dataclass(frozen=True, eq=False, kw_only=True)
class Event:
    """Something that happened.

    Attributes
    ----------
    kind : its name in a record
    time : when
    note : what a person should know; None where there is nothing beside what the event says
    """

    kind: ClassVar[str]
    time: float
    note: str | None = None

    def record(self) -> dict:
        """The event as plain JSON data."""
        return {"event": self.kind, "time": _seconds(self.time)} | self._details()

    def _details(self) -> dict:
        """What a record tells beside the kind and the time."""
        return {}


# Of the sound itself


@dataclass(frozen=True, eq=False, kw_only=True)
class Calibrated(Event):
    """The noise floor of the room is known."""

    kind = "calibrated"
    floor: float

    def _details(self) -> dict:
        return {"floor": round(self.floor, 1)}


class Mishap(Event):
    """Something came between the sound and the program; the note tells what."""

    def _details(self) -> dict:
        return {"message": self.note}


class DeviceLost(Mishap):
    """The device is gone, and waited for."""

    kind = "device_lost"


class Overflow(Mishap):
    """Sound was lost, for nobody fetched it in time."""

    kind = "overflow"


class Muted(Mishap):
    """Nothing but zeros comes in."""

    kind = "muted"


MISHAPS = {Absence: DeviceLost, Overrun: Overflow, DeadInput: Muted}  # by what the listener tells


# Of a session


@dataclass(frozen=True, eq=False, kw_only=True)
class Ready(Calibrated):
    """A session has calibrated and listens; `speaker` tells whose profile it uses, None for anybody's voice."""

    speaker: str | None

    def _details(self) -> dict:
        return super()._details() | {"speaker": self.speaker}


@dataclass(frozen=True, eq=False, kw_only=True)
class SpeechStart(Event):
    """Somebody began to speak, `start` being when."""

    kind = "speech_start"
    start: float

    def _details(self) -> dict:
        return {"start": _seconds(self.start)}


@dataclass(frozen=True, eq=False, kw_only=True)
class Partial(Event):
    """What the word seems to be so far; of the result, only the candidates count."""

    kind = "partial"
    start: float
    result: Result

    def _details(self) -> dict:
        nbest = [{"word": c.word, "confidence": round(c.confidence, 4)} for c in self.result.nbest[:SHOWN]]
        return {"word": self.result.nbest[0].word, "nbest": nbest, "start": _seconds(self.start)}


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer(Event):
    """An utterance is over.

    Attributes
    ----------
    start, end : of the speech in it
    result : what was heard, its times counted from the beginning of `samples`
    samples : the utterance as 16-bit integers at the model's rate
    latency : from the arrival of the sound that ended the word to the answer, seconds
    """

    start: float
    end: float
    result: Result
    samples: np.ndarray = field(repr=False)
    latency: float

    def _details(self) -> dict:
        times = {"start": _seconds(self.start), "end": _seconds(self.end), "latency": round(self.latency, 4)}
        return self.result.record() | times


class Heard(Answer):
    """It was a word of the vocabulary."""

    kind = "result"


class Rejected(Answer):
    """It was not, or nobody could be sure; the result tells why."""

    kind = "rejected"


@dataclass(frozen=True, eq=False, kw_only=True)
class Adapted(Event):
    """The models have changed.

    Attributes
    ----------
    learned : how many utterances they are adapted to now
    word : that was learned from, or taken back; None where that is not a single one
    """

    kind = "adapted"
    learned: int
    word: str | None

    def _details(self) -> dict:
        return {"learned": self.learned, "word": self.word, "message": self.note}


@dataclass
class Tally:
    """What a session has seen."""

    words: int = 0
    rejected: int = 0
    overflows: int = 0
    losses: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class End(Event):
    """The session is over."""

    kind = "end"
    tally: Tally

    def _details(self) -> dict:
        return asdict(self.tally)


# Of a guide


@dataclass(frozen=True, eq=False, kw_only=True)
class Asked(Event):
    """Something about a word that is asked for.

    Attributes
    ----------
    prompt : what is to be said
    attempt : the number of the attempt at it, from 1
    done : prompts that are settled
    total : all prompts
    """

    prompt: Prompt
    attempt: int
    done: int
    total: int

    def _details(self) -> dict:
        about = {"word": self.prompt.word, "take": self.prompt.take, "attempt": self.attempt}
        spoken = {"spoken": self.prompt.spoken} if self.prompt.spoken else {}
        return about | spoken | {"done": self.done, "total": self.total}


class Prompted(Asked):
    """The word is to be said now; the note tells how, where its spelling does not."""

    kind = "prompt"


class Waiting(Asked):
    """Nothing is said, which the note tells."""

    kind = "waiting"

    def _details(self) -> dict:
        return super()._details() | {"message": self.note}


@dataclass(frozen=True, eq=False, kw_only=True)
class Undone(Asked):
    """The person has gone one prompt back; `had_take` tells whether there was a take, which is taken back."""

    kind = "undone"
    had_take: bool

    def _details(self) -> dict:
        return super()._details() | {"had_take": self.had_take, "message": self.note}


class LeftOut(Asked):
    """The person does not want to say it."""

    kind = "left_out"


@dataclass(frozen=True, eq=False, kw_only=True)
class Verdict(Asked):
    """What was said is judged, by this quality; its floor is the one tracked before the take, not the one in it."""

    quality: Quality

    @property
    def message(self) -> str | None:
        """What there is to say of the take; None where it is good."""
        return self.note

    def _details(self) -> dict:
        quality = self.quality
        measured = {"duration": quality.duration, "level": quality.level, "floor": quality.floor, "snr": quality.snr}
        measured = {name: round(value, 2) for name, value in measured.items()}
        return super()._details() | measured | {"clipped": round(quality.clipped, 4), "message": self.message}


@dataclass(frozen=True, eq=False, kw_only=True)
class Kept(Verdict):
    """It is a good take; `samples` are 16-bit integers at the guide's rate, the note tells what could be better."""

    kind = "kept"
    samples: np.ndarray = field(repr=False)


@dataclass(frozen=True, eq=False, kw_only=True)
class Refused(Verdict):
    """It is none; `problem` tells what was wrong and what to do, one line."""

    problem: str

    @property
    def message(self) -> str:
        return self.problem


class Again(Refused):
    """The word is asked for once more."""

    kind = "again"


class Skipped(Refused):
    """The word is left out."""

    kind = "skipped"


@dataclass(frozen=True, eq=False, kw_only=True)
class Finished(Event):
    """All prompts, `total` of them, are settled: so many were kept, and so many left out."""

    kind = "finished"
    kept: int
    skipped: int

    @property
    def total(self) -> int:
        return self.kept + self.skipped

    def _details(self) -> dict:
        return {"kept": self.kept, "skipped": self.skipped}


class Hint(Event):
    """What came of something that the person asked for; the note tells."""

    kind = "hint"

    def _details(self) -> dict:
        return {"message": self.note}


def _seconds(time: float) -> float:
    return round(time, 3)
