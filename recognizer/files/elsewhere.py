"""Files that are not on this computer, at any address that fsspec knows, such as s3://bucket/folder.

A path holds an address as `Path` writes it, with one slash of the two. What is read is copied here first, and gone when
it has been read.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from recognizer.errors import ADDRESS
from recognizer.files.writing import FULL

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

LOCAL = ("file", "local")  # whose names begin with a slash
EXTRA = "needs fsspec; install it with: pip install 'recognizer[cluster]'"

_here: ContextVar[dict[Path, Path]] = ContextVar("_here", default={})  # noqa: B039, nobody changes it


def files_below(folder: Path) -> list[Path]:
    """All files below an address, sorted; itself if it is a file.

    Raises
    ------
    OSError
        if it cannot be asked.
    """
    with _telling(folder):
        system, name = _system(folder)
        return sorted(folder / found[len(name) :].lstrip("/") for found in system.find(name))


@contextmanager
def all_copied(paths: Sequence[Path]) -> Iterator[None]:
    """Copy files that are elsewhere, all at once; `copied` finds them so inside the block, if they could be had."""
    with tempfile.TemporaryDirectory() as folder:
        local = {path: Path(folder) / f"{number}{path.suffix}" for number, path in enumerate(paths)}
        by_system: dict[str, list[Path]] = {}
        for path in paths:
            by_system.setdefault(_parts(path)[0], []).append(path)
        had: dict[Path, Path] = {}
        for group in by_system.values():
            with suppress(OSError), _telling(group[0]):  # each is then fetched alone, and whoever reads it is told
                system, _ = _system(group[0])
                system.get([_system(path)[1] for path in group], [str(local[path]) for path in group])
                had |= {path: local[path] for path in group}  # all of them, and whole
        token = _here.set(had)
        try:
            yield
        finally:
            _here.reset(token)


@contextmanager
def copied(path: Path) -> Iterator[Path]:
    """A file of this computer with what is at an address.

    Raises
    ------
    OSError
        if it cannot be had.
    """
    if path in _here.get():
        yield _here.get()[path]
    else:
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / f"0{path.suffix}"
            with _telling(path):
                system, name = _system(path)
                system.get_file(name, str(local))
            yield local


def _parts(path: Path) -> tuple[str, str]:
    protocol, name = ADDRESS.fullmatch(str(path)).groups()
    return protocol, name.replace(os.sep, "/")


def _system(path: Path) -> tuple[AbstractFileSystem, str]:
    """What knows an address, and the name that it has there."""
    from fsspec.core import url_to_fs

    protocol, name = _parts(path)
    return url_to_fs(f"{protocol}://{'/' if protocol in LOCAL else ''}{name}")


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Whatever a library says of a file that it cannot give, as an error of files."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "no such file there") from error
    except ModuleNotFoundError as error:
        raise OSError(errno.EIO, EXTRA) from error
    except OSError as error:
        if error.errno in FULL:  # here, and not there
            raise
        raise OSError(errno.EIO, _what(path, error)) from error
    except Exception as error:  # each kind of storage has errors of its own
        raise OSError(errno.EIO, _what(path, error)) from error


def _what(path: Path, error: Exception) -> str:
    protocol, _ = _parts(path)
    return f"{protocol} says: {' '.join(str(error).split()) or type(error).__name__}"
