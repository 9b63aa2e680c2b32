"""Lines that somebody types, or a program writes, to a command that is busy with something else."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, TextIO

WAITING = 100  # lines that are read ahead, at most: more than anybody types, and a bound for a program that writes


def lines_of(stream: TextIO | None) -> Callable[[], list[str]]:
    """Read lines in the background: gives a function of those that have come since it was last called.

    Parameters
    ----------
    stream : standard input; None, where it is closed, has no lines
    """
    waiting: queue.Queue[str] = queue.Queue(WAITING)

    def read() -> None:
        with suppress(OSError, ValueError):  # closed meanwhile, or nothing that could be read
            for line in _source(stream):
                waiting.put(line.decode(errors="replace").strip())

    def come() -> list[str]:
        lines = []
        with suppress(queue.Empty):
            while True:
                lines.append(waiting.get_nowait())
        return lines

    if stream is not None:
        threading.Thread(target=read, daemon=True).start()
    return come


def _source(stream: TextIO) -> BinaryIO | list[bytes]:
    """The bytes behind a stream, read past its buffer: a thread that waits in that keeps Python from ending."""
    descriptor = stream.fileno()
    return [] if _in_background(descriptor) else open(descriptor, "rb", buffering=0, closefd=False)


def _in_background(descriptor: int) -> bool:
    """Whether this is a terminal from which a shell lets others read: who tries is stopped."""
    with suppress(OSError, AttributeError):  # no terminal, not ours, or a system without jobs
        return os.tcgetpgrp(descriptor) != os.getpgrp()
    return False


@contextmanager
def unseen(stream: TextIO | None) -> Iterator[None]:
    """Keep what is typed off the terminal, where it would push the picture away."""
    descriptor = None
    with suppress(AttributeError, OSError, ValueError):  # closed, or a buffer in memory
        descriptor = stream.fileno()
    if descriptor is None or not os.isatty(descriptor) or _in_background(descriptor) or sys.platform == "win32":
        yield
        return
    import termios

    before, changed = termios.tcgetattr(descriptor), termios.tcgetattr(descriptor)
    changed[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSANOW, changed)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)
