"""`-` in the place of a recording: what comes in at standard input, such as through a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from recognizer.cli.options import usage_error
from recognizer.errors import AudioError, shown

STANDARD_INPUT = Path("-")


def refuse_terminal() -> None:
    """Refuse to wait for sound from a keyboard."""
    if sys.stdin.isatty():
        raise usage_error("- is standard input, and that is this terminal; send a recording to it: ... - < FILE")


@contextmanager
def standard_input_kept(paths: Sequence[Path]) -> Iterator[Path | None]:
    """A file with what comes in, if that is among the recordings: it can be read as any other, and gone afterwards."""
    if STANDARD_INPUT not in paths:
        yield None
        return
    if list(paths).count(STANDARD_INPUT) > 1:
        raise usage_error("- is standard input, which comes only once; give it once")
    refuse_terminal()
    from recognizer.sound import audio

    with audio.kept(sys.stdin.buffer) as kept:
        yield kept


def read_from(path: Path, kept: Path | None) -> Path:
    """Where a recording is read from."""
    return kept if kept and path == STANDARD_INPUT else path


def as_given(path: Path, kept: Path | None) -> Path:
    """What a recording was called by who gave it."""
    return STANDARD_INPUT if path == kept else path


def told_of(error: AudioError | str, kept: Path | None) -> str:
    """A message about a recording, as it was given."""
    return str(error).replace(shown(kept), "standard input") if kept else str(error)
