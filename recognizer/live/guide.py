"""Leads a person through words to say: what to say now, whether it was good, and what to do if not.

Nothing here knows a device, a screen or a disk. A word is asked for only while it is quiet, and what had begun before
does not count, so that the tail or the echo of one word, or the key that was pressed, is not taken for the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recognizer.sound.audio import sixteen_bits
from recognizer.sound.endpoint import Endpointer
from recognizer.sound.listener import Happening, Listener
from recognizer.sound.quality import CLIPPED, TOO_NOISY, TOO_QUIET, Quality, measure
from recognizer.sound.segmenter import Segmentation, decibels
from recognizer.sound.source import Lost, Sound

PAUSE = 0.4  # seconds between a verdict and the next prompt, at least
REMINDER = 8.0  # seconds of quiet after a prompt before it is said again
SMEAR = 0.03  # seconds by which a sound seems to begin too early or to be too long, measured in frames
TOO_SHORT = 0.11 + SMEAR  # seconds of speech; no word is that short, but many a click
EDGE = 0.02  # seconds at the ends of a take in which there must be no speech
DECAYED = 25.0  # dB under the word's level; what is softer at the ends of a take is an echo

Check = Callable[[str, np.ndarray], str | None]


@dataclass(frozen=True)
class Prompt:
    """Something to say: a word, and for the so-manieth time, from 1."""

    word: str
    take: int


@dataclass(frozen=True, eq=False)
class GuideEvent:
    """Something that a guide tells.

    Attributes
    ----------
    kind : "calibrated"; "prompt", to say a word now; "kept", "again" or "skipped", what became of what was said;
        "waiting", when nothing is said; "device_lost", "overflow" or "muted"; "finished"
    time : when, seconds since it began
    prompt : what it is about
    attempt : the number of the attempt at it, from 1
    done : prompts that are settled
    total : all prompts
    samples : the take as 16-bit integers at the guide's rate, of what is kept
    quality : of a take; its floor is the one tracked before it, not the one in it
    problem : what was wrong and what to do, one line
    note : what a person should know
    floor : the noise floor, dB full scale, of a calibration
    """

    kind: str
    time: float
    prompt: Prompt | None = None
    attempt: int | None = None
    done: int | None = None
    total: int | None = None
    samples: np.ndarray | None = None
    quality: Quality | None = None
    problem: str | None = None
    note: str | None = None
    floor: float | None = None


@dataclass(frozen=True, eq=False)
class Take:
    """Something that was said, as it is judged.

    Attributes
    ----------
    samples : (n,) int16
    sample_rate : Hz
    speech : first and past-the-last sample of what is louder than the room; None where it has no speech
    quality : with the floor of the room
    dropped : it was noise that stays
    early : it had begun before it was asked for
    complete : False if it was cut off by the greatest length or the end of the stream
    torn : sound was lost in it
    """

    samples: np.ndarray
    sample_rate: int
    speech: tuple[int, int] | None
    quality: Quality
    dropped: bool = False
    early: bool = False
    complete: bool = True
    torn: bool = False


def prompts(words: Sequence[str], takes: int, have: Mapping[str, int] | None = None, seed: int = 0) -> list[Prompt]:
    """What to say, in rounds: each word once a round in shuffled order, and none twice in a row if that can be.

    Parameters
    ----------
    words : all different
    takes : wanted of each
    have : takes that are there already, by word; only what is missing is asked for
    seed : of the order

    Examples
    --------
    >>> [(prompt.word, prompt.take) for prompt in prompts(["yes", "no"], 2, have={"no": 1})]
    [('yes', 1), ('no', 2), ('yes', 2)]
    """
    counts = Counter(have or {})
    random = np.random.default_rng(seed)
    order: list[str] = []
    for turn in range(takes):
        lacking = [word for word in words if counts[word] <= turn]
        shuffled = [lacking[place] for place in random.permutation(len(lacking))]
        if len(shuffled) > 1 and shuffled[:1] == order[-1:]:
            shuffled.append(shuffled.pop(0))
        order += shuffled
    found = []
    for word in _spread(order):
        counts[word] += 1
        found.append(Prompt(word, counts[word]))
    return found


def _spread(order: list[str]) -> list[str]:
    """The same words, moved no more than it takes that none follows itself, where that can be."""
    order = list(order)
    place = 1
    while place < len(order):
        if order[place] != order[place - 1]:
            place += 1
            continue
        word = order.pop(place)
        gaps = [gap for gap in range(len(order) + 1) if word not in order[max(0, gap - 1) : gap + 1]]
        order.insert(min(gaps, key=lambda gap: abs(gap - place), default=place), word)
        place = 1 if gaps else place + 1  # every move leaves fewer repetitions
    return order


# What may be wrong with a take: what, and what to do; None where nothing is.


def sound_lost(take: Take) -> str | None:
    return "sound was lost in the middle of it: close other programs, then say it again" if take.torn else None


def no_speech(take: Take) -> str | None:
    noise = take.dropped or take.speech is None
    return "no speech was heard, only noise: wait until it is quiet, then say it closer" if noise else None


def cut_off(take: Take) -> str | None:
    first, last = _edge_levels(take.samples, take.sample_rate)
    loud = max((take.quality.level + take.quality.floor) / 2, take.quality.level - DECAYED)
    if take.early or first > loud:
        return "its beginning is cut off: wait until the word is shown and it is quiet, then say it"
    if not take.complete or last > loud:
        return "its end is cut off: say the word alone, then be quiet"
    return None


def too_short(take: Take) -> str | None:
    seconds = (take.speech[1] - take.speech[0]) / take.sample_rate
    return f"too short ({seconds:.2f} s), perhaps a click: say the whole word" if seconds < TOO_SHORT else None


def poor_sound(take: Take) -> str | None:
    quality = take.quality
    poor = quality.clipped > CLIPPED or quality.level < TOO_QUIET or quality.snr < TOO_NOISY
    return quality.problems[0] if poor else None


FAULTS = (sound_lost, no_speech, cut_off, too_short, poor_sound)  # in the order in which they are told


def fault(take: Take) -> str | None:
    """The first thing that is wrong with a take, and what to do; None where nothing is."""
    return next((found for look in FAULTS if (found := look(take))), None)


def take_quality(samples: np.ndarray, sample_rate: int, floor: float) -> Quality:
    """Quality of a take that may hold little but speech, given the noise floor of the room.

    Parameters
    ----------
    samples : (n,) int16
    sample_rate : Hz
    floor : dB full scale, as it was tracked. What is quieter in the take counts instead: a constant offset of the
        microphone, which is no noise, is in the one but not in the other
    """
    quality = measure(samples / 32768, sample_rate)
    return replace(quality, floor=min(quality.floor, floor))


def _edge_levels(samples: np.ndarray, sample_rate: int) -> tuple[float, float]:
    """Levels of the beginning and of the end, dB full scale."""
    sound = samples / 32768 - samples.mean() / 32768
    edge = max(1, round(EDGE * sample_rate))
    return decibels((sound[:edge] ** 2).mean()), decibels((sound[-edge:] ** 2).mean())


class Guide:
    """Asks for one word after the other, and again for those that came badly.

    Parameters
    ----------
    prompts : what is to be said
    sample_rate : of the takes, Hz
    check : given a word and the samples of a take that is otherwise good, (n,) int16, what is wrong with it, one line,
        or None. A take to which only this objects, as it did at all attempts before, is kept in the end: whom a
        recognizer does not understand is the one who must be recorded
    attempts : after which a word is left out
    segmentation : how words are told from silence

    Attributes
    ----------
    kept : number of takes that were kept
    skipped : prompts that were left out
    """

    def __init__(
        self,
        prompts: Sequence[Prompt],
        sample_rate: int,
        *,
        check: Check | None = None,
        attempts: int = 3,
        segmentation: Segmentation = Segmentation(),
    ) -> None:
        self.kept = 0
        self.skipped: list[Prompt] = []
        self._prompts, self._rate, self._check, self._attempts = list(prompts), sample_rate, check, attempts
        self._pre_roll, self._tail = segmentation.pre_roll, segmentation.tail * segmentation.hangover
        self._listener = Listener(sample_rate, segmentation)
        self._attempt, self._faultless = 1, True  # of the current prompt; whether no attempt before had a fault
        self._ready = 0.0  # for the next prompt, seconds
        self._asked: float | None = None  # when the current prompt was, unless it still has to be
        self._reminded = 0.0
        self._floor = 0.0  # before the present utterance, dB full scale

    @property
    def current(self) -> Prompt | None:
        """What is to be said now or next; None when all is done."""
        return self._prompts[self.done] if self.done < self.total else None

    @property
    def done(self) -> int:
        """Prompts that are settled."""
        return self.kept + len(self.skipped)

    @property
    def total(self) -> int:
        """All prompts."""
        return len(self._prompts)

    @property
    def attempt(self) -> int:
        """The number of the present attempt at the current prompt, from 1."""
        return self._attempt

    @property
    def state(self) -> str:
        """ "calibrating", "pause", "listening", "speech", "lost" or "done"."""
        if self.current is None:
            return "done"
        if self._asked is None and self._listener.state in ("listening", "speech"):
            return "pause"
        return self._listener.state

    @property
    def level(self) -> float:
        """Of the last frame, dB full scale."""
        return self._listener.level

    @property
    def floor(self) -> float:
        """The noise floor as it is tracked, dB full scale."""
        return self._listener.floor

    def hear(self, sound: Sound) -> list[GuideEvent]:
        """What comes of a block of sound, no more than a moment long, or of the news that there is none."""
        if self.current is None:
            return []
        happenings = self._listener.hear(sound)
        if isinstance(sound, Lost):  # what was being said ends with the device, and that is nobody's fault
            happenings = [happening for happening in happenings if happening.kind != "over"]
        return self._follow(happenings) + self._ask()

    def finish(self) -> list[GuideEvent]:
        """The stream is over: judge what is still open."""
        return self._follow(self._listener.finish())

    def _follow(self, happenings: list[Happening]) -> list[GuideEvent]:
        events: list[GuideEvent] = []
        for happening in happenings:
            match happening.kind:
                case "speech_start":
                    self._floor = happening.floor
                case "over":
                    if self._asked is not None:
                        events += self._judge(happening)
                case "calibrated" | "device_lost" | "overflow" | "muted" as kind:
                    if kind in ("calibrated", "device_lost"):
                        self._asked = None
                    events.append(GuideEvent(kind, happening.time, note=happening.note, floor=happening.floor))
        return events

    def _ask(self) -> list[GuideEvent]:
        """Ask for the current prompt when it is time to, or remind of it."""
        now = self._listener.time
        if self.current is None or self._listener.state != "listening":
            return []
        if self._asked is None:
            if now < self._ready:
                return []
            self._asked = self._reminded = now
            return [self._event("prompt")]
        if now - self._reminded < REMINDER:
            return []
        self._reminded = now
        return [self._event("waiting", note=f"nothing was heard: say {self.current.word}, louder if you did")]

    def _judge(self, over: Happening) -> list[GuideEvent]:
        """What becomes of something that was said."""
        take = self._take(over)
        problem = fault(take)
        self._faultless &= problem is None
        if problem is None and self._check is not None:
            problem = self._check(self.current.word, take.samples)
        self._asked, self._ready = None, over.time + PAUSE
        last = self._attempt >= self._attempts
        if problem and not last:
            event = self._event("again", quality=take.quality, problem=problem)
            self._attempt += 1
            return [event]
        kept = not problem or self._faultless
        prompt, attempt = self.current, self._attempt
        if kept:
            self.kept += 1
        else:
            self.skipped.append(prompt)
        self._attempt, self._faultless = 1, True
        event = GuideEvent(
            "kept" if kept else "skipped",
            over.time,
            prompt,
            attempt,
            self.done,
            self.total,
            samples=take.samples if kept else None,
            quality=take.quality,
            problem=None if kept else problem,
            note=problem or next(iter(take.quality.problems), None) if kept else None,
        )
        return [event] if self.current else [event, GuideEvent("finished", over.time, done=self.done, total=self.total)]

    def _take(self, over: Happening) -> Take:
        samples = sixteen_bits(over.heard)
        first, end = (sample / self._rate for sample in over.span)
        # The louder floor of the two has speech in it: the one before, if somebody spoke while it was calibrated, or
        # the one after, if the word filled most of the tracker's memory.
        floor = min(self._floor, over.floor)
        return Take(
            samples,
            self._rate,
            self._speech(samples),
            take_quality(samples, self._rate, floor),
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

    def _event(self, kind: str, **about: object) -> GuideEvent:
        """About the current prompt."""
        return GuideEvent(kind, self._listener.time, self.current, self._attempt, self.done, self.total, **about)
