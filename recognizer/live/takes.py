"""The takes that a guide asks for: each is kept as soon as it is good, and the last can be taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from recognizer.errors import RecognizerError, shown
from recognizer.files.writing import remedy
from recognizer.live.events import Event, Kept, Undone
from recognizer.live.guide import Guide
from recognizer.live.prompts import Prompt


@dataclass
class Takes:
    """The takes that were kept.

    Attributes
    ----------
    guide : who asks for them
    keep_take : called with each good take, 16-bit integers at the guide's rate; gives its file
    remove_take : called with the file of a take that is taken back
    """

    guide: Guide
    keep_take: Callable[[Prompt, np.ndarray], Path]
    remove_take: Callable[[Path], None]
    _kept: list[tuple[Prompt, Path]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self._kept)

    @property
    def last(self) -> tuple[Prompt, Path] | None:
        """The last one, with its file; None where there is none."""
        return self._kept[-1] if self._kept else None

    def keep(self, event: Kept) -> None:
        """Keep a take.

        Raises
        ------
        RecognizerError
            if the system does not let it be kept.
        """
        with _told_of(event.prompt, "kept"):
            self._kept.append((event.prompt, self.keep_take(event.prompt, event.samples)))

    def undo(self) -> list[Event]:
        """Take the last one back, or ask after all for a word that was left out after it.

        Raises
        ------
        RecognizerError
            if the system does not let it be deleted.
        """
        found = self.guide.undo()
        if any(isinstance(event, Undone) and event.had_take for event in found):
            prompt, path = self._kept.pop()
            with _told_of(prompt, "deleted"), suppress(FileNotFoundError):
                self.remove_take(path)
        return found


@contextmanager
def _told_of(prompt: Prompt, what: str) -> Iterator[None]:
    """Say which take it is that the system does not let be kept, or deleted."""
    try:
        yield
    except OSError as error:
        where = "" if error.filename is None else f" in {shown(error.filename)}"
        what_to_do, why = remedy(error, "change its mode" if where else "check the disk"), error.strerror or error
        raise RecognizerError(f"{shown(prompt.word)} cannot be {what}{where} ({why}); {what_to_do}") from error
