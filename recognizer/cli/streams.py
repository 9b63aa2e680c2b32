"""Standard streams that are closed, full, or that nobody reads any longer: no reason for a traceback."""

from __future__ import annotations

import errno
import os
import sys
from typing import TextIO

# Of standard input, output and error. What is read-only refuses to be written as a closed stream does.
STREAMS = (("stdin", os.O_RDONLY, "r"), ("stdout", os.O_RDONLY, "w"), ("stderr", os.O_WRONLY, "w"))


def open_missing() -> None:
    """Give closed streams the null device: no file that is opened later gets their number, and so what they are told.

    What is written to a closed standard output is refused still, see `is_closed`; who reads errors has closed that
    stream on purpose.
    """
    for number, (name, flags, mode) in enumerate(STREAMS):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, flags)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            os.set_inheritable(number, True)
            stream = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def is_closed(stream: TextIO) -> bool:
    """Whether nothing can ever be written to a stream."""
    try:
        os.write(stream.fileno(), b"")
    except OSError as error:  # also of a buffer in memory, which has no number
        return error.errno == errno.EBADF
    return False


def drop_unwritten(stream: TextIO) -> bool:
    """Forget output that cannot be written, so that Python does not try it once more at its exit; whether there was."""
    try:
        stream.flush()
    except OSError:
        send_nowhere(stream)
        return True
    return False


def send_nowhere(stream: TextIO) -> None:
    """Let a stream take whatever is written to it, and forget it."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
