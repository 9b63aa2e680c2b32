"""What is nobody else's business is closed to others where it is open."""

from __future__ import annotations

import os
import stat
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

from recognizer.errors import RecognizerWarning, shown
from recognizer.files.writing import PRIVATE_FILE

OTHERS = 0o077  # rights of a mode that are not the owner's


def opener(path: str, flags: int) -> int:
    """What `open` needs so that nobody but its owner may read a file that it makes."""
    return os.open(path, flags, PRIVATE_FILE)


def close(place: Path) -> None:
    """Take from others what rights they have to a file, or to a folder and all below it; links are not followed.

    What belongs to somebody else stays as it is.

    Warns
    -----
    RecognizerWarning
        if others could get at it until now.
    """
    if os.name == "nt":
        return
    top = place.resolve()
    was_open = is_open(top)
    below = (Path(folder, name) for folder, folders, files in os.walk(top) for name in (*folders, *files))
    for path in (top, *below):
        _close(path)
    if was_open and is_open(top):
        _tell_of_open(place)
    elif was_open:
        warnings.warn(
            f"{shown(place)} was open to other users of this computer; now only its owner may read what is in it",
            RecognizerWarning,
            stacklevel=2,
        )


def is_open(place: Path) -> bool:
    """Whether others have rights to a file or folder, as far as there is one and the system has such rights."""
    with suppress(OSError):
        return os.name != "nt" and bool(os.stat(place).st_mode & OTHERS)
    return False


def _close(path: Path) -> None:
    """Take from others what rights they have to it."""
    with suppress(OSError):  # it is gone meanwhile, or somebody else's
        mode = os.stat(path, follow_symlinks=False).st_mode
        if mode & OTHERS and (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            os.chmod(path, stat.S_IMODE(mode) & ~OTHERS)


@cache
def _tell_of_open(place: Path) -> None:
    """Warn, once in the life of the program, of what its disk or its owner leaves open."""
    warnings.warn(
        f"{shown(place)} is open to other users of this computer, and cannot be closed; set RECOGNIZER_HOME to another "
        "folder, or ask its owner",
        RecognizerWarning,
        stacklevel=3,
    )
