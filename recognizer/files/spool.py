"""A temporary file for what has no room in memory, or what other processes of this computer shall read."""

from __future__ import annotations

import mmap
import os
import pickle
import secrets
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from io import FileIO
from pathlib import Path

from recognizer.errors import RecognizerError, shown

ALIGNED = 64  # bytes, at a multiple of which arrays begin
NO_ROOM = "has no room for a temporary file"
MAKE_ROOM = (
    "make room there, name another folder in the environment variable TMPDIR, allow more memory, or let fewer "
    "processes work"
)
OPEN_FILES = "/proc/{}/fd"  # of a process, where Linux shows them


class SpoolError(RecognizerError):
    """A temporary file that cannot be written or read."""


class _Reading:
    """A file that may be another process', opened when it is needed.

    Parameters
    ----------
    path : where it is
    name : with which it begins: a path may be another's later
    """

    def __init__(self, path: Path, name: bytes) -> None:
        self._path, self._name = path, name
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple:
        return _Reading, (self._path, self._name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reading) and other._name == self._name

    def __hash__(self) -> int:
        return hash(self._name)

    @cached_property
    def _file(self) -> FileIO:
        try:
            file = open(self._path, "rb", buffering=0)  # noqa: SIM115, it lives as long as this
        except OSError as error:
            raise SpoolError(f"cannot read a temporary file ({error.strerror}); begin again") from error
        weakref.finalize(self, file.close)
        if file.read(len(self._name)) != self._name:
            raise SpoolError("a temporary file is gone; begin again")
        return file

    def read(self, place: int, into: memoryview) -> None:
        """Fill something with what stands from a place on; threads may do so at the same time.

        Raises
        ------
        SpoolError
            if there is not so much.
        """
        with self._lock, _told("cannot read a temporary file", "begin again"):
            self._file.seek(place)
            while into:
                if not (count := self._file.readinto(into)):
                    raise SpoolError(f"{len(into)} bytes of a temporary file are gone; begin again")
                into = into[count:]

    def mapped(self, place: int, size: int) -> memoryview:
        """What stands from a place on, without a copy: nobody else sees what is changed in it.

        Pages of a map count as memory of the process, so do not keep it.

        Raises
        ------
        SpoolError
            if there is not so much.
        """
        before = place % mmap.ALLOCATIONGRANULARITY
        number = self._file.fileno()
        try:
            with _told("cannot read a temporary file", "begin again"):
                whole = mmap.mmap(number, before + size, offset=place - before, access=mmap.ACCESS_COPY)
        except ValueError as error:
            raise SpoolError(f"{size} bytes of a temporary file are gone; begin again") from error
        return memoryview(whole)[before:]


class Spool(_Reading):
    """Such a file, which is gone with this.

    A process that is sent it reads the same file, as long as this is there.

    Raises
    ------
    SpoolError
        if there is no room.
    """

    def __init__(self) -> None:
        with _told(NO_ROOM, MAKE_ROOM):
            file, path = _made()
        super().__init__(path, secrets.token_bytes(16))
        self._file, self._size = file, 0
        weakref.finalize(self, _remove, file, path)
        self.write(memoryview(self._name))

    def write(self, content: memoryview) -> int:
        """Write bytes, and say from which place on they stand.

        Raises
        ------
        SpoolError
            if there is no room.
        """
        with self._lock, _told(NO_ROOM, MAKE_ROOM):
            place = -(-self._size // ALIGNED) * ALIGNED
            self._file.seek(place)
            while content:  # a full disk may take a part
                content = content[self._file.write(content) :]
            self._size = self._file.tell()
        return place

    def keep(self, item: object) -> Spooled:
        """Write whatever can be pickled.

        Raises
        ------
        SpoolError
            if there is no room.
        """
        arrays: list[pickle.PickleBuffer] = []
        rest = pickle.dumps(item, protocol=5, buffer_callback=arrays.append)
        content, ends = bytearray(), []
        for part in (rest, *(array.raw() for array in arrays)):
            content += bytes(-len(content) % ALIGNED)
            content += part
            ends.append(len(content))
        return Spooled(self, self.write(memoryview(content)), tuple(ends))


@dataclass(frozen=True)
class Spooled:
    """What was kept, wherever it is wanted.

    Attributes
    ----------
    spool, place : where it stands
    ends : past the last byte of each part, counted from there: what tells of it, and its arrays
    """

    spool: _Reading
    place: int
    ends: tuple[int, ...]

    def read(self) -> object:
        """It, anew."""
        content = self.spool.mapped(self.place, self.ends[-1])
        firsts = [0, *(-(-end // ALIGNED) * ALIGNED for end in self.ends)]
        rest, *arrays = (content[first:end] for first, end in zip(firsts, self.ends))
        return pickle.loads(rest, buffers=arrays)


@contextmanager
def _told(what: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = shown(tempfile.tempdir) if tempfile.tempdir else "the folder for temporary files"
        raise SpoolError(f"{where}: {what} ({error.strerror}); {remedy}") from error


def _made() -> tuple[FileIO, Path]:
    """A file, and where other processes find it: without a name where they do, for such a one is gone however the
    program ends.
    """
    file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115, it lives as long as the spool
    path = Path(OPEN_FILES.format(os.getpid())) / str(file.fileno())
    if path.exists():
        return file, path
    file.close()
    descriptor, name = tempfile.mkstemp(prefix="recognizer-")
    return open(descriptor, "w+b", buffering=0), Path(name)


def _remove(file: FileIO, path: Path) -> None:
    file.close()
    with suppress(OSError):  # it has no name any more
        path.unlink()
