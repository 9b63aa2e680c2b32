"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
TEMPORARY = re.compile(r"\.[0-9a-f]{16}(?P<suffix>\.[^.]*)?")  # the names of what is being written
ABANDONED = 86400.0  # seconds since anything was written to it; asked only where files cannot be locked
PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700  # modes; Windows has others, and gives a user's folders to nobody else
ROOM = 2**20  # bytes: half a minute of takes, or a profile


def remedy(error: OSError, otherwise: str) -> str:
    """What to do where something cannot be written: nothing but room helps on a full disk."""
    return "make room on the disk" if error.errno in FULL else otherwise


@contextmanager
def replacing(path: Path, *, private: bool = False, new: bool = False) -> Iterator[Path]:
    """An empty file to write to, beside `path`, that takes its place when the block ends without an error.

    A killed or failed program leaves the old file. What a killed one had begun is deleted by whoever next writes a file
    of that kind beside it.

    Parameters
    ----------
    path : of the file
    private : whether nobody but its owner may ever read it; else the umask decides
    new : whether the name must be free

    Raises
    ------
    FileExistsError
        if the name must be free, and is not; if it is that of a device or a pipe.
    OSError
        as raised in the block, or if the file cannot be moved.
    """
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise FileExistsError(errno.EEXIST, "it is a device or a pipe", str(path))  # whose place no file must take
    sweep(path.parent, None if private else path.suffix)
    with _temporary(path.parent, path.suffix, lambda name: _make_file(name, private)) as temporary:
        yield temporary
        if new:
            _take_free_name(temporary, path)
        else:
            os.replace(temporary, path)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A folder to write to, beside `path`, that takes its place when the block ends without an error.

    Nobody but its owner may enter it, unless others may enter the empty one that it replaces. One in which nothing was
    written is not kept. What a killed program leaves is deleted by whoever next writes a folder beside it.

    Raises
    ------
    OSError
        as raised in the block; if there is something in `path`; if the folder cannot be moved.
    """
    sweep(path.parent, "")
    with _temporary(path.parent, "", make_private_folder) as temporary:
        yield temporary
        if os.listdir(temporary):
            if os.path.isdir(path):
                shutil.copymode(path, temporary)
                if os.name == "nt":  # where no folder can take the place of another
                    path.rmdir()
            os.rename(temporary, path)


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter, and likewise those above it that are missing; one there is stays.

    Raises
    ------
    OSError
        if it cannot be made.
    """
    try:
        _make_private(folder)
    except FileNotFoundError:
        if folder.parent == folder:
            raise
        make_private_folder(folder.parent)  # be it there by now: another program may have made it
        _make_private(folder)


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=PRIVATE_FOLDER)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return
    with suppress(OSError):  # a umask may have taken rights from its owner, too
        os.chmod(folder, PRIVATE_FOLDER)


def try_out(folder: Path) -> None:
    """Make sure that something can be written to a folder, and that there is room for it.

    Raises
    ------
    OSError
        if not.
    """
    with _temporary(folder, "", lambda name: _make_file(name, private=True)) as temporary:
        temporary.write_bytes(bytes(ROOM))


def sweep(folder: Path, suffix: str | None = None) -> None:
    """Delete what programs that were killed had begun to write into a folder, as far as that is allowed.

    Parameters
    ----------
    folder : which need not exist
    suffix : of what they wrote; any when None
    """
    with suppress(OSError):
        for name in os.listdir(folder):
            match = TEMPORARY.fullmatch(name)
            if match and suffix in (None, match["suffix"] or ""):
                with suppress(OSError):
                    _delete_abandoned(folder / name)


@contextmanager
def _temporary(folder: Path, suffix: str, make: Callable[[Path], None]) -> Iterator[Path]:
    """Something new in a folder that nobody takes for abandoned, and that is gone in the end unless it was moved."""
    temporary, held = _made(folder, suffix, make)
    try:
        yield temporary
    finally:
        _delete(temporary)
        _let_go(held)


def _made(folder: Path, suffix: str, make: Callable[[Path], None]) -> tuple[Path, int | None]:
    while True:
        temporary = folder / f".{secrets.token_hex(8)}{suffix}"
        make(temporary)
        with suppress(BlockingIOError, FileNotFoundError):  # it was taken for abandoned before it was held
            return temporary, _hold(temporary)


def _make_file(path: Path, private: bool) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE if private else 0o666))
    if private:
        with suppress(OSError):  # a umask may have taken rights from its owner, too
            os.chmod(path, PRIVATE_FILE)


def _hold(path: Path) -> int | None:
    """Lock a file or folder as long as this process lives; gives the descriptor, or None where that is not possible.

    Raises
    ------
    BlockingIOError
        if somebody else holds it.
    FileNotFoundError
        if it is there no longer.
    """
    if fcntl is None:
        return None
    descriptor = os.open(path, os.O_RDONLY if os.path.isdir(path) else os.O_RDWR)  # which a lock on NFS needs
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.stat(path)  # names are never used twice: what is there is what was locked
    except (BlockingIOError, FileNotFoundError):
        os.close(descriptor)
        raise
    except OSError:  # a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def _let_go(held: int | None) -> None:
    if held is not None:
        os.close(held)


def _delete_abandoned(path: Path) -> None:
    """Delete what nobody holds; where nothing can be held, what nobody has written to for a day."""
    held = _hold(path)
    if held is not None or time.time() - os.stat(path).st_mtime > ABANDONED:
        _delete(path)
    _let_go(held)


def _delete(path: Path) -> None:
    """Delete a file or folder, as far as there is one."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _take_free_name(temporary: Path, path: Path) -> None:
    """Give a file a name that nothing has, whoever else wants it."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, such as that of a memory stick
        _rename_to_free_name(temporary, path)


def _rename_to_free_name(temporary: Path, path: Path) -> None:
    """The same, where one after the other looks whether the name is free; Windows looks itself."""
    turn = None if fcntl is None else os.open(path.parent, os.O_RDONLY)
    try:
        if turn is not None:
            fcntl.flock(turn, fcntl.LOCK_EX)
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        os.rename(temporary, path)
    finally:
        _let_go(turn)
