"""A stream as a program has it: blocks of samples in, events out.

`live` reads a recording in pieces of one length. So does a stream, whatever the lengths of the blocks that it is given:
the same sound makes the same events.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

import numpy as np

from recognizer.live.adapting import Answering
from recognizer.live.events import Event
from recognizer.live.session import Session
from recognizer.sound.audio import channels_of, whole_rate
from recognizer.sound.channels import one
from recognizer.sound.segmenter import Segmentation
from recognizer.sound.source import BLOCK, Block


class Blocks:
    """Samples as they come, in pieces of one length.

    Parameters
    ----------
    sample_rate : of the samples, Hz
    clock : which tells when they came
    """

    def __init__(self, sample_rate: int, clock: Callable[[], float]) -> None:
        self.sample_rate = whole_rate(sample_rate, "the stream's sample rate")
        self._clock, self._size = clock, max(1, round(BLOCK * self.sample_rate))
        self._waiting = np.zeros(0, np.float32)  # less than a piece

    def of(self, samples: np.ndarray) -> Iterator[Block]:
        """Those that are whole with these samples, whose kind is looked at now.

        Raises
        ------
        AudioError
            if the samples have another type or shape or are not finite; they count for nothing then.
        """
        samples = np.concatenate([self._waiting, one(channels_of(samples), None)])
        whole = len(samples) - len(samples) % self._size
        self._waiting = samples[whole:]
        return (self._block(samples[first : first + self._size]) for first in range(0, whole, self._size))

    def rest(self) -> Iterator[Block]:
        """The last one, which is shorter, where there is one."""
        if len(self._waiting):
            yield self._block(self._waiting)

    def _block(self, samples: np.ndarray) -> Block:
        return Block(samples, self.sample_rate, self._clock())


class Stream:
    """Recognises the words in a stream of samples; made by `Recognizer.stream`, which tells of its parameters.

    A server, which makes one itself, also tells it when there is no time to `spare`, as for `Session`.

    For use by one thread at a time. Left as a context manager, it is finished; what `finish` gave can be had from it
    once more.

    Attributes
    ----------
    session : what recognises, whose `state`, `tally` and level can be shown, and what it learned be taken back
    sample_rate : of the blocks, Hz

    Raises
    ------
    AudioError
        if the rate is not a whole number of Hz between 1,000 and 1,000,000.
    ModelError
        if a word is not in the vocabulary, or there is no such threshold.
    ValueError
        if the hangover is too short or too long.
    """

    def __init__(
        self,
        recognizer: Answering,
        sample_rate: int,
        *,
        words: Sequence[str] | None = None,
        threshold: str | float = "normal",
        hangover: float = Segmentation.hangover,
        adapt: bool = False,
        spare: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._blocks = Blocks(sample_rate, clock)
        how = {"words": words, "threshold": threshold, "adapt": adapt, "spare": spare, "clock": clock}
        self.session = Session(recognizer, segmentation=Segmentation(hangover=hangover), **how)
        self._last: list[Event] | None = None  # events, once it is finished

    @property
    def sample_rate(self) -> int:
        """Of the blocks, Hz."""
        return self._blocks.sample_rate

    def __repr__(self) -> str:
        return f"Stream({self.sample_rate} Hz, {self.session.state if self._last is None else 'finished'})"

    def push(self, samples: np.ndarray) -> list[Event]:
        """Hear a block.

        Parameters
        ----------
        samples : (n,) or (n, channels), of which the mean is taken; floats of full scale 1, or integers; of any
            length, also none

        Returns
        -------
        What became known by it, in order; mostly nothing

        Raises
        ------
        AudioError
            if the block has another type or shape or is not finite; nothing of it is heard, and the next one may come.
        ValueError
            if the stream is finished.

        Warns
        -----
        RecognizerWarning
            once, if the rate is lower than the model's.
        """
        if self._last is not None:
            raise ValueError("the stream is finished; begin another one with Recognizer.stream")
        return [event for block in self._blocks.of(samples) for event in self.session.hear(block)]

    def finish(self) -> list[Event]:
        """End the stream: what is still open is answered, and `End` is the last event.

        Returns
        -------
        Its last events; the same ones when called again
        """
        if self._last is None:
            rest = [event for block in self._blocks.rest() for event in self.session.hear(block)]
            self._last = [*rest, *self.session.finish(), self.session.end()]
        return list(self._last)

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.finish()
