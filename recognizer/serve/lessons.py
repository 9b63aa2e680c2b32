"""Words that somebody who calls is asked for, one after the other; what is made of them, others know."""

from __future__ import annotations

from functools import partial

import numpy as np

from recognizer.live.lesson import Lesson
from recognizer.serve.engine import Engine
from recognizer.serve.streams import Conversation, Messages

HEADER = 44  # bytes of a WAV file before its samples


class Asking:
    """What is asked for, and the takes that are kept.

    Attributes
    ----------
    lesson : which asks
    rate : of the takes, Hz
    """

    lesson: Lesson
    rate: int

    def push(self, samples: np.ndarray) -> Messages:
        return self.lesson.push(samples)

    def undo(self) -> Messages:
        return self.lesson.undo()

    def skip(self) -> Messages:
        return self.lesson.skip()

    def play(self) -> Messages:
        """The last take as a file of sound, if it is still there; while it is heard, nothing counts as said."""
        if self.lesson.takes.last is None:
            return []
        _, path = self.lesson.takes.last
        try:
            sound = path.read_bytes()
        except FileNotFoundError:
            return []
        self.lesson.wait((len(sound) - HEADER) / 2 / self.rate)
        return [sound]

    def finish(self) -> Messages:
        return self.lesson.finish()


def talk_of(asking: Asking, rate: int, engine: Engine) -> Conversation:
    """A conversation with what asks for words."""
    commands = {name: partial(engine.run, getattr(asking, name)) for name in ("undo", "skip", "play")}
    return Conversation(
        rate, partial(engine.run, asking.push), {"finish": partial(engine.run_at_length, asking.finish)} | commands
    )
