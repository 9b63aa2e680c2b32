"""A session of live recognition: sound in, events out.

Nothing here knows a device, a screen or the time of day, so a session runs the same on a microphone, a recording or
a test. Every utterance is answered by what `batch` uses for a file, on the same samples, rounded to 16 bits as they
would be in that file: what is saved is recognised again to the last bit. One thing a file cannot tell: what is said in
one breath with a sound that was no word, and about as loud, is likely to be of the same sentence, and must be a word
the more surely.

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
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recognizer.errors import RecognizerWarning
from recognizer.features.analysis import low_rate
from recognizer.live.events import (
    MISHAPS,
    Adapted,
    Answer,
    End,
    Event,
    Heard,
    Partial,
    Ready,
    Rejected,
    SpeechStart,
    Tally,
)
from recognizer.recognition.result import Result
from recognizer.recognition.verification import NO_WORD, least_beside, least_probability
from recognizer.sound.audio import sixteen_bits
from recognizer.sound.listener import (
    Absence,
    FloorKnown,
    Happening,
    Interruption,
    Listener,
    Onset,
    Over,
    Overrun,
    Speech,
)
from recognizer.sound.quality import CLIPPED, FULL, measure
from recognizer.sound.segmenter import Segmentation
from recognizer.sound.source import Block, Sound

if TYPE_CHECKING:
    from recognizer.live.adapting import Answering

DEAD = 0.05  # seconds of digital silence at an end of an utterance, from which on it is left out
BREATH = 0.2  # seconds from the end of a sound to the pre-roll of the next: with that 0.5, as long as sentences pause
SOFTER = 20.0  # dB under the sound after it, from which on a sound is a breath or a rustle, and no part of a sentence
FIRST_PARTIAL = 0.2  # seconds of a word before its first partial result: half of a short word
PARTIAL_EVERY = 0.1  # seconds between partial results: as fast as anybody reads
CLIPPED_NOTE = "clipped: turn the input level down or move back"
PARTIAL_SHARE = 0.25  # of the time, at most, goes into partial results, however large the vocabulary
LATE = 0.2  # seconds that sound has waited, from which on answers go before partial results: a slow machine catches up


class _Utterance(NamedTuple):
    """What was recognised: the span of the stream, where in it the samples begin that count, int16, and the result."""

    span: tuple[int, int]
    first: int
    samples: np.ndarray
    result: Result


class Session:
    """Recognises the words in a stream of sound.

    Warns once, with a RecognizerWarning, if the sound comes at a rate under the model's.

    Parameters
    ----------
    recognizer : which answers
    words : the only words to choose from; all the model has when None
    threshold : how sure an answer must be, as for `Recognizer.recognize`
    segmentation : how words are told from silence
    adapt : learn from answers that are sure, each time after the answer was given, see `live.adapting`
    partial : tell what a word seems to be while it is spoken, and have its answer ready: not where nobody waits
    spare : whether there is time now to tell what a word seems to be; none where others wait for their answers, and in
        any case where sound has waited
    clock : seconds, monotonic; the one the source stamps its blocks with

    Attributes
    ----------
    tally : what was answered up to now
    listener : what hears the sound, whose level and noise floor can be shown

    Raises
    ------
    ModelError
        if a word is not in the vocabulary.
    """

    def __init__(
        self,
        recognizer: Answering,
        *,
        words: Sequence[str] | None = None,
        threshold: str | float = "normal",
        segmentation: Segmentation = Segmentation(),
        adapt: bool = False,
        partial: bool = True,
        spare: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.tally = Tally()
        self._adaptation = None
        if adapt:
            from recognizer.live.adapting import Adaptation  # and with it all that training is made of

            self._adaptation = Adaptation(recognizer, words=words, threshold=threshold)
        self._answered: tuple[np.ndarray, Result] | None = None  # and not yet learned from
        self._recognizer, self._words = recognizer, words
        self._least = least_probability(threshold, recognizer.model.rejection)
        self._no_word: tuple[float, float, float] | None = None  # if the last sound was none: end, confidence, level
        self._partial, self._first_partial, self._clock = partial, segmentation.pre_roll + FIRST_PARTIAL, clock
        self._spare = spare
        self._rate = recognizer.model.front_end.sample_rate
        self._warm_up()
        self._warned = False
        self._arrived = 0.0  # when the last of the sound was there, by the clock
        self._foreseen: _Utterance | None = None
        self._next_partial = 0
        self.listener = Listener(self._rate, segmentation, clock=clock)

    @property
    def state(self) -> str:
        """ "calibrating", "listening", "speech", "thinking" (the word seems to be over) or "lost"."""
        return "thinking" if self.listener.state == "speech" and self._foreseen else self.listener.state

    @property
    def time(self) -> float:
        """Seconds since the session began."""
        return self.listener.time

    @property
    def learned(self) -> int | None:
        """How many utterances the models are adapted to; None where they are not to adapt."""
        return self._adaptation and self._adaptation.learned

    def hear(self, sound: Sound) -> list[Event]:
        """What comes of a block of sound, or of the news that there is none."""
        if isinstance(sound, Block) and sound.sample_rate < self._rate and not self._warned:
            self._warned = True
            warnings.warn(low_rate(str(sound.sample_rate), self._rate), RecognizerWarning, stacklevel=2)
        self._arrived = sound.arrived if isinstance(sound, Block) else self._arrived
        events = self._learn()  # only now, when the answer to the last block has been shown
        return events + self._told(self.listener.hear(sound))

    def undo(self) -> list[Event]:
        """Take back what was learned from the last answer that was learned from."""
        if self._adaptation is None:
            return []
        events, word = self._learn(), self._adaptation.undo()
        if word is not None:
            note = f"{word} taken back"
        elif self.learned:
            note = "those before can be taken back only all at once"
        else:
            note = "nothing to take back"
        return [*events, self._adapted(word, note)]

    def reset(self) -> list[Event]:
        """Take back all that was learned."""
        if self._adaptation is None:
            return []
        events = self._learn()
        self._adaptation.reset()
        return [*events, self._adapted(None, "all taken back")]

    def finish(self) -> list[Event]:
        """The stream is over: answer what is still open."""
        events = self._learn()
        return events + self._told(self.listener.finish())

    def end(self) -> End:
        """The last event, with the counts of what there was."""
        return End(time=self.time, tally=replace(self.tally))

    def _warm_up(self) -> None:
        """Recognise anything: unknown words are refused, and libraries loaded, before somebody speaks."""
        beep = np.sin(np.arange(self._rate)) * (np.arange(self._rate) % (self._rate // 2) > self._rate // 4)
        self._recognizer.recognize(beep, self._rate, words=self._words, threshold=self._least)

    def _told(self, happenings: list[Happening]) -> list[Event]:
        events = []
        for happening in happenings:
            match happening:
                case Onset():
                    events += self._learn()  # where several words came in one block
                    self._next_partial = happening.span[0] + round(self._first_partial * self._rate)
                    start = happening.timeline.moment(happening.span[0] / self._rate)
                    events.append(SpeechStart(time=happening.time, start=start))
                case Speech():
                    events += self._listen_in(happening) if self._partial else []
                case Over():
                    events.append(self._answer(happening))
                    self._foreseen = None
                case FloorKnown(time=time, floor=floor, note=note):
                    events.append(Ready(time=time, floor=floor, speaker=self._recognizer.speaker, note=note))
                case Interruption(time=time, note=note):
                    self.tally.overflows += isinstance(happening, Overrun)
                    self.tally.losses += isinstance(happening, Absence)
                    events.append(MISHAPS[type(happening)](time=time, note=note))
        return events

    def _answer(self, over: Over) -> Answer:
        """The result or the rejection of an utterance that is over."""
        if not self._foreseen or self._foreseen.span != over.span:
            self._foreseen = self._recognize(over, over.span)
        _, first, samples, result = self._foreseen
        if over.dropped:
            result = replace(result, word=None, accepted=False, reason=NO_WORD)
        if self._adaptation:
            self._answered = samples, result
        if result.accepted:
            self.tally.words += 1
        else:
            self.tally.rejected += 1
        start, end = (sample / self._rate for sample in (first, first + len(samples)))
        ended = over.timeline.moment(end if result.end is None else start + result.end)
        self._no_word = None
        if result.reason == NO_WORD:
            self._no_word = ended, result.confidence, self._level(samples)
        return (Heard if result.accepted else Rejected)(
            time=over.time,
            start=over.timeline.moment(start if result.start is None else start + result.start),
            end=ended,
            result=result,
            samples=samples,
            latency=max(0.0, self._clock() - over.arrived),
            note=CLIPPED_NOTE if (np.abs(samples.astype(np.int32)) >= FULL * 32768).mean() > CLIPPED else None,
        )

    def _learn(self) -> list[Event]:
        """Adapt to the last answer, if it is sure enough."""
        if not self._answered:
            return []
        (samples, result), self._answered = self._answered, None
        return [self._adapted(result.word, None)] if self._adaptation.learn(samples, result) else []

    def _adapted(self, word: str | None, note: str | None) -> Adapted:
        """Go on with the models as they are now; a word being said is heard anew with them."""
        self._recognizer, self._foreseen = self._adaptation.recognizer, None
        return Adapted(time=self.time, learned=self.learned, word=word, note=note)

    def _listen_in(self, speech: Speech) -> list[Event]:
        """Recognise the utterance so far: for a partial result, or because it seems to be over."""
        first, end = speech.span
        position = first + len(speech.heard)
        over = position >= end
        if over and (not self._foreseen or self._foreseen.span != speech.span):
            self._foreseen = self._recognize(speech, (first, end))
        elif not over:
            self._foreseen = None
        if position < self._next_partial or not self._spare():
            return []
        began = self._clock()
        if began - self._arrived > LATE:
            return []
        result = (self._foreseen or self._recognize(speech, (first, position))).result
        spent = self._clock() - began
        self._next_partial = position + round(max(PARTIAL_EVERY, spent / PARTIAL_SHARE) * self._rate)
        if not result.nbest:
            return []
        return [Partial(time=speech.time, start=speech.timeline.moment(first / self._rate), result=result)]

    def _recognize(self, spoken: Speech | Over, span: tuple[int, int]) -> _Utterance:
        """What a span is to `batch`, with the threshold of this moment."""
        samples, least = sixteen_bits(spoken.heard[: span[1] - span[0]]), self._least
        begin, until = _alive(samples, round(DEAD * self._rate))
        samples = samples[begin:until]
        if self._no_word:
            ended, known, level = self._no_word
            soon = spoken.timeline.moment(span[0] / self._rate) - ended < BREATH
            if soon and level > self._level(samples) - SOFTER:
                least = least_beside(least, known)
        result = self._recognizer.recognize(samples, self._rate, words=self._words, threshold=least)
        return _Utterance(span, span[0] + begin, samples, result)

    def _level(self, samples: np.ndarray) -> float:
        """Of the speech in an utterance, int16, dB full scale."""
        return measure(samples / 32768, self._rate).level


def _alive(samples: np.ndarray, least: int) -> tuple[int, int]:
    """First and past-the-last sample of an utterance without the digital silence at its ends, where that is so long.

    It comes of an editor or a noise gate, and is no measure for the noise under a word.
    """
    heard = np.flatnonzero(samples)
    if not len(heard):
        return 0, len(samples)
    first, last = int(heard[0]), int(heard[-1]) + 1
    return first if first >= least else 0, last if len(samples) - last >= least else len(samples)


def listen(sounds: Iterable[Sound], session: Session) -> Iterator[list[Event]]:
    """The events of a session, one list for every piece of sound, most of them empty; the last one ends it."""
    for sound in sounds:
        yield session.hear(sound)
    yield session.finish()
