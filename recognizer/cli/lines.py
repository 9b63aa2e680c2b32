"""Lines that somebody types, or a program writes, to a command that is busy with something else; or single keys."""

from __future__ import annotations

import os
import queue
import re
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, TextIO

WAITING = 100  # lines that are read ahead, at most: more than anybody types, and a bound for a program that writes
NO_LETTER = re.compile(r"\x1b(\[[0-9;]*|O)?.?")  # an arrow, say, though there are letters in what it sends


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
def keys_of(stream: TextIO) -> Iterator[Callable[[], str]]:
    """Let keys count without Enter, unseen, until the block is left: gives a function of those pressed since.

    Parameters
    ----------
    stream : a terminal. Where a shell has brought it back to whole lines, as after Ctrl-Z, keys count with Enter
    """
    descriptor = stream.fileno()
    if sys.platform == "win32":
        yield _keys_on_windows
        return

    def pressed() -> str:
        with suppress(OSError):  # the terminal is gone
            if not _in_background(descriptor) and select.select([descriptor], [], [], 0)[0]:
                typed = os.read(descriptor, WAITING).decode(errors="ignore")
                return "".join(NO_LETTER.sub("", typed).split())
        return ""

    with unseen(stream, single=True):
        yield pressed


def _keys_on_windows() -> str:
    import msvcrt

    typed = ""
    while msvcrt.kbhit():
        typed += msvcrt.getwch()
    return "" if any(key in typed for key in ("\0", "\xe0")) else "".join(typed.split())


@contextmanager
def unseen(stream: TextIO | None, single: bool = False) -> Iterator[None]:
    """Keep what is typed off the terminal, where it would push the picture away; `single` hands on keys, not lines."""
    descriptor = None
    with suppress(AttributeError, OSError, ValueError):  # closed, or a buffer in memory
        descriptor = stream.fileno()
    if descriptor is None or not os.isatty(descriptor) or _in_background(descriptor) or sys.platform == "win32":
        yield
        return
    import termios

    before, changed = termios.tcgetattr(descriptor), termios.tcgetattr(descriptor)
    changed[3] &= ~(termios.ECHO | termios.ICANON if single else termios.ECHO)
    if single:
        changed[6][termios.VMIN], changed[6][termios.VTIME] = 1, 0
    termios.tcsetattr(descriptor, termios.TCSANOW, changed)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)
