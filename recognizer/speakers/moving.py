"""Several files and folders that are moved together: whatever ends the program, all are moved in the end, or none.

What is to be moved is written down first. Who finds it written down, finishes it; see `finish`. All this is for one
program at a time.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from recognizer.errors import RecognizerWarning, shown
from recognizer.files.writing import make_private_folder, replacing

HIDDEN = ".moving"  # how the names of all begin that is there only until the moving is done
JOURNAL = f"{HIDDEN}.json"  # what is to be moved: pairs of a source and a target, both relative to the folder of all


def is_begun(root: Path) -> bool:
    """Whether something is being moved, or somebody was killed who did so."""
    with suppress(OSError):
        return any(name.startswith(HIDDEN) for name in os.listdir(root))
    return False


@contextmanager
def aside(root: Path) -> Iterator[Path]:
    """A hidden folder, for what shall come from there or go there as a whole; what is in it in the end is deleted.

    Nothing is deleted that is written down and not done yet.

    Raises
    ------
    OSError
        if it cannot be made.
    """
    place = root / f"{HIDDEN}-{secrets.token_hex(8)}"
    make_private_folder(place)
    try:
        yield place
    finally:
        if not is_written_down(root):
            with suppress(OSError):
                delete(place)


def move(root: Path, places: Mapping[Path, Path], mend: Callable[[dict[str, str]], None] = lambda moved: None) -> None:
    """Move files and folders below `root`, all or none.

    Parameters
    ----------
    root : the folder of all
    places : where each goes; nothing is there yet
    mend : as for `finish`

    Raises
    ------
    OSError
        if one cannot be moved; nothing is changed then.
    """
    pairs = [[path.relative_to(root).as_posix() for path in pair] for pair in places.items()]
    with replacing(root / JOURNAL, private=True) as temporary:
        temporary.write_text(json.dumps(pairs), "utf-8")
    finish(root, mend)


def finish(root: Path, mend: Callable[[dict[str, str]], None]) -> None:
    """Do what is written down and not done yet, and delete what was moved aside; nothing where nothing was begun.

    Parameters
    ----------
    root : the folder of all
    mend : called with what each file or folder was called, and is now; it may be called again for the same

    Raises
    ------
    OSError
        if one cannot be moved, or deleted; all that is left is where it was then.
    """
    if (pairs := _written_down(root)) is None:
        return
    try:
        for source, target in pairs:
            if os.path.lexists(root / source):
                os.rename(root / source, root / target)
        mend(dict(pairs))
        for _, target in pairs:
            if target.startswith(HIDDEN):
                delete(root / target)
    except OSError:
        for source, target in reversed(pairs):
            if _is_moved(root / source, root / target):
                os.rename(root / target, root / source)
        os.remove(root / JOURNAL)
        raise
    os.remove(root / JOURNAL)


def is_written_down(root: Path) -> bool:
    """Whether something is to be moved that was not, nor was it taken back."""
    return os.path.lexists(root / JOURNAL)


def _written_down(root: Path) -> list[list[str]] | None:
    try:
        pairs = json.loads((root / JOURNAL).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:  # the computer went out before it was on the disk
        return []
    return pairs if isinstance(pairs, list) and all(map(_is_pair, pairs)) else []


def _is_pair(pair: object) -> bool:
    """Whether something tells of two places below the folder of all."""
    return (
        isinstance(pair, list)
        and len(pair) == 2
        and all(isinstance(path, str) and path and not {"", ".", ".."} & set(path.split("/")) for path in pair)
    )


def _is_moved(source: Path, target: Path) -> bool:
    """Whether something is at its target; names that differ by case alone are one to some systems."""
    return os.path.lexists(target) and (not os.path.lexists(source) or os.path.samefile(source, target))


def tidy(root: Path) -> None:
    """Delete what was aside when a program was killed.

    Warns
    -----
    RecognizerWarning
        once, if that is not possible.
    """
    for name in os.listdir(root):
        if name.startswith(f"{HIDDEN}-"):
            try:
                delete(root / name)
            except OSError as error:
                _tell_of_left(root / name, error.strerror)


@cache
def _tell_of_left(place: Path, reason: str) -> None:
    """Warn, once in the life of the program."""
    warnings.warn(
        f"{shown(place)} was left by a program that was killed, and cannot be deleted ({reason}); delete it yourself",
        RecognizerWarning,
        stacklevel=3,
    )


def delete(place: Path) -> None:
    """Delete a file or folder, as far as there is one.

    Raises
    ------
    OSError
        if it, or something in it, cannot be deleted.
    """
    if os.path.isdir(place) and not os.path.islink(place):
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
