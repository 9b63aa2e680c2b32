"""A guide as a program has it: blocks of samples in, events out, and the takes kept as they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import numpy as np

from recognizer.live.events import Event, Finished, Kept
from recognizer.live.stream import Blocks
from recognizer.live.takes import Takes

ECHO = 0.6  # seconds after what was played in which nothing counts: sound is on its way, and rooms ring


class Lesson:
    """Asks for words in a stream of samples; for use by one thread at a time.

    Parameters
    ----------
    takes : that are kept, whose guide asks for them
    sample_rate : of the blocks, Hz
    """

    def __init__(self, takes: Takes, sample_rate: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self.takes, self._blocks = takes, Blocks(sample_rate, clock)
        self._news: list[Event] = []  # not yet told
        if takes.guide.current is None:
            self._news.append(Finished(time=0.0, kept=0, skipped=0))

    def push(self, samples: np.ndarray) -> list[Event]:
        """Hear a block, as `Stream.push` does; where there was nothing to ask for, that is told at once.

        Raises
        ------
        AudioError
            if the block cannot be heard.
        RecognizerError
            if a take cannot be kept.
        """
        found, self._news = self._news, []
        for block in self._blocks.of(samples):
            found += self._kept(self.takes.guide.hear(block))
        return found

    def undo(self) -> list[Event]:
        """Take the last take back."""
        return self.takes.undo()

    def skip(self) -> list[Event]:
        """Leave the present word out."""
        return self.takes.guide.skip()

    def wait(self, seconds: float) -> None:
        """Take nothing for an answer while something is played for so long."""
        self.takes.guide.wait(seconds + ECHO)

    def finish(self) -> list[Event]:
        """No more sound comes: judge what is still open."""
        return self._kept(self.takes.guide.finish())

    def _kept(self, found: Iterable[Event]) -> list[Event]:
        found = list(found)
        for event in found:
            if isinstance(event, Kept):
                self.takes.keep(event)
        return found
