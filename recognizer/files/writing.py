"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def remedy(error: OSError, otherwise: str) -> str:
    """What to do where something cannot be written: nothing but room helps on a full disk."""
    return "make room on the disk" if error.errno in FULL else otherwise


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write to, beside `path`, that takes its place when the block ends without an error.

    A killed or failed program leaves the old file. The name is plain rather than made by `tempfile`, whose files
    only their owner may read.

    Raises
    ------
    OSError
        as raised in the block, or if the file cannot be moved.
    """
    temporary = path.parent / f".{secrets.token_hex(8)}{path.suffix}"
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A folder to write to, beside `path`, that takes its place when the block ends without an error.

    One in which nothing was written is not kept. A killed program leaves it under its hidden name.

    Raises
    ------
    OSError
        as raised in the block; if there is something in `path`; if the folder cannot be moved.
    """
    temporary = path.parent / f".{secrets.token_hex(8)}"
    temporary.mkdir()
    try:
        yield temporary
        if os.listdir(temporary):
            if os.path.isdir(path):
                path.rmdir()
            os.rename(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
