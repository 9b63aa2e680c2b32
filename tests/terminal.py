"""A terminal of a program that draws on it."""

from __future__ import annotations

import os
import re
import subprocess


def picture(process: subprocess.Popen, master: int) -> tuple[str, str]:
    """What a program shows on a terminal until it ends, without the codes that place it, and what it complains of."""
    shown = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # on Linux, the end
            break
        if not piece:
            break
        shown += piece
    os.close(master)
    stderr = process.communicate(timeout=30)[1].decode()
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l"), "the cursor is back"
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode()).replace("\r", ""), stderr
