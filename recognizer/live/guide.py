"""Leads a person through words to say: what to say now, whether it was good, and what to do if not.

Nothing here knows a device, a screen or a disk. A word is asked for only while it is quiet, and what had begun before
does not count, so that the tail or the echo of one word, or the key that was pressed, is not taken for the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from recognizer.live import events
from recognizer.live.events import MISHAPS, Asked, Event
from recognizer.live.faults import SMEAR, Attempt, attempt_quality, fault
from recognizer.live.prompts import Prompt
from recognizer.sound.audio import sixteen_bits
from recognizer.sound.endpoint import Endpointer
from recognizer.sound.listener import Absence, FloorKnown, Happening, Interruption, Listener, Onset, Over
from recognizer.sound.segmenter import Segmentation
from recognizer.sound.source import Lost, Sound

PAUSE = 0.4  # seconds between a verdict and the next prompt, at least: a verdict is read and an echo gone
REMINDER = 8.0  # seconds of quiet after a prompt before it is said again: longer than anybody needs to read a word

Check = Callable[[str, np.ndarray], str | None]


class Guide:
    """Asks for one word after the other, and again for those that came badly.

    Parameters
    ----------
    prompts : what is to be said
    sample_rate : of the takes, Hz
    check : given a word and the samples of a take that is otherwise good, (n,) int16, what is wrong with it, one line,
        or None. A take to which only this objects, as it did at all attempts before, is kept in the end: whom a
        recognizer does not understand is the one who must be recorded
    before : takes that were there already, which count as done
    attempts : after which a word is left out
    segmentation : how words are told from silence

    Attributes
    ----------
    before : takes that were there already
    listener : what hears the sound, whose level and noise floor can be shown
    """

    def __init__(
        self,
        prompts: Sequence[Prompt],
        sample_rate: int,
        *,
        check: Check | None = None,
        before: int = 0,
        attempts: int = 3,
        segmentation: Segmentation = Segmentation(),
    ) -> None:
        self.before = before
        self._settled: list[bool] = []  # of the prompts that are, in order: whether there is a take
        self._prompts, self._rate, self._check, self._attempts = list(prompts), sample_rate, check, attempts
        self._pre_roll, self._tail = segmentation.pre_roll, segmentation.tail * segmentation.hangover
        self.listener = Listener(sample_rate, segmentation)
        self._attempt, self._faultless = 1, True  # of the current prompt; whether no attempt before had a fault
        self._ready = 0.0  # for the next prompt, seconds
        self._asked: float | None = None  # when the current prompt was, unless it still has to be
        self._reminded = 0.0
        self._floor = 0.0  # before the present utterance, dB full scale

    @property
    def current(self) -> Prompt | None:
        """What is to be said now or next; None when all is done."""
        return self._prompts[len(self._settled)] if len(self._settled) < len(self._prompts) else None

    @property
    def kept(self) -> int:
        """Number of takes that were kept."""
        return sum(self._settled)

    @property
    def skipped(self) -> list[Prompt]:
        """Prompts that were left out."""
        return [prompt for prompt, kept in zip(self._prompts, self._settled) if not kept]

    @property
    def done(self) -> int:
        """Prompts that are settled, and takes that were there before."""
        return self.before + len(self._settled)

    @property
    def total(self) -> int:
        """All prompts, and takes that were there before."""
        return self.before + len(self._prompts)

    @property
    def attempt(self) -> int:
        """The number of the present attempt at the current prompt, from 1."""
        return self._attempt

    @property
    def state(self) -> str:
        """ "calibrating", "pause", "listening", "speech", "lost" or "done"."""
        if self.current is None:
            return "done"
        if self._asked is None and self.listener.state in ("listening", "speech"):
            return "pause"
        return self.listener.state

    def hear(self, sound: Sound) -> list[Event]:
        """What comes of a block of sound, no more than a moment long, or of the news that there is none."""
        happenings = self.listener.hear(sound)
        if self.current is None:
            return []
        if isinstance(sound, Lost):  # what was being said ends with the device, and that is nobody's fault
            happenings = [happening for happening in happenings if not isinstance(happening, Over)]
        return self._follow(happenings) + self._ask()

    def undo(self) -> list[Event]:
        """Go one prompt back: it is asked for again, whether it had a take or was left out."""
        if not self._settled:
            return [events.Hint(time=self.listener.time, note="there is nothing to take back")]
        had_take = self._settled.pop()
        self._begin_anew()
        what = "is taken back: say it again" if had_take else "is asked for after all"
        return [self._event(events.Undone, note=f"{self.current.word} {what}", had_take=had_take)]

    def skip(self) -> list[Event]:
        """Leave the current prompt out."""
        if self.current is None:
            return []
        left_out = self.current
        about = {"time": self.listener.time, "prompt": left_out, "attempt": self._attempt}
        self._settled.append(False)
        self._begin_anew()
        event = events.LeftOut(**about, **self._progress(), note=f"{left_out.word} is left out")
        return [event, *self._finished(event.time)]

    def wait(self, seconds: float) -> None:
        """Take nothing for an answer until so many seconds have passed; then the current prompt is asked for again."""
        self._asked, self._ready = None, max(self._ready, self.listener.time + seconds)

    def finish(self) -> list[Event]:
        """The stream is over: judge what is still open."""
        return self._follow(self.listener.finish())

    def _follow(self, happenings: list[Happening]) -> list[Event]:
        found: list[Event] = []
        for happening in happenings:
            match happening:
                case Onset(floor=floor):
                    self._floor = floor
                case Over():
                    if self._asked is not None:
                        found += self._judge(happening)
                case FloorKnown(time=time, floor=floor, note=note):
                    self._asked = None
                    found.append(events.Calibrated(time=time, floor=floor, note=note))
                case Interruption(time=time, note=note):
                    if isinstance(happening, Absence):
                        self._asked = None
                    found.append(MISHAPS[type(happening)](time=time, note=note))
        return found

    def _ask(self) -> list[Event]:
        """Ask for the current prompt when it is time to, or remind of it."""
        now = self.listener.time
        if self.current is None or self.listener.state != "listening":
            return []
        if self._asked is None:
            if now < self._ready:
                return []
            self._asked = self._reminded = now
            return [self._event(events.Prompted, note=self.current.spoken)]
        if now - self._reminded < REMINDER:
            return []
        self._reminded = now
        return [self._event(events.Waiting, note=f"nothing was heard: say {self.current.word}, louder if you did")]

    def _judge(self, over: Over) -> list[Event]:
        """What becomes of something that was said."""
        attempt = self._attempted(over)
        problem = fault(attempt)
        self._faultless &= problem is None
        if problem is None and self._check is not None:
            problem = self._check(self.current.word, attempt.samples)
        self._asked, self._ready = None, over.time + PAUSE
        quality = attempt.quality
        if problem and self._attempt < self._attempts:
            event = self._event(events.Again, quality=quality, problem=problem)
            self._attempt += 1
            return [event]
        about = {"time": over.time, "prompt": self.current, "attempt": self._attempt, "quality": quality}
        if not problem or self._faultless:
            self._settled.append(True)
            note = problem or next(iter(quality.problems), None)
            verdict = events.Kept(**about, **self._progress(), samples=attempt.samples, note=note)
        else:
            self._settled.append(False)
            verdict = events.Skipped(**about, **self._progress(), problem=problem)
        self._attempt, self._faultless = 1, True
        return [verdict, *self._finished(over.time)]

    def _finished(self, time: float) -> list[Event]:
        """That all is done, if it is."""
        return [] if self.current else [events.Finished(time=time, kept=self.kept, skipped=len(self.skipped))]

    def _begin_anew(self) -> None:
        """Ask for the current prompt as if nothing had been said to it."""
        self._attempt, self._faultless = 1, True
        self.wait(PAUSE)

    def _attempted(self, over: Over) -> Attempt:
        samples = sixteen_bits(over.heard)
        first, end = (sample / self._rate for sample in over.span)
        # The louder floor of the two has speech in it: the one before, if somebody spoke while it was calibrated, or
        # the one after, if the word filled most of the tracker's memory.
        floor = min(self._floor, over.floor)
        return Attempt(
            samples,
            self._rate,
            self._speech(samples),
            attempt_quality(samples, self._rate, floor),
            dropped=over.dropped,
            early=over.timeline.moment(first) + self._pre_roll < self._asked - SMEAR,
            complete=over.complete,
            torn=any(first < after < end for after, _ in over.timeline.gaps),
        )

    def _speech(self, samples: np.ndarray) -> tuple[int, int] | None:
        """Where in an utterance there is speech, soft parts included, which the endpointer misses in a noisy room."""
        found = Endpointer().find(samples / 32768, self._rate)
        first, end = round(self._pre_roll * self._rate), len(samples) - round(self._tail * self._rate)
        return found and (min(found[0], first), max(found[1], end))

    def _event(self, kind: type[Asked], **details: object) -> Asked:
        """About the current prompt."""
        about = {"time": self.listener.time, "prompt": self.current, "attempt": self._attempt}
        return kind(**about, **self._progress(), **details)

    def _progress(self) -> dict[str, int]:
        return {"done": self.done, "total": self.total}
