"""A temporary file for what has no room in memory, or what other processes of this computer shall read."""

from __future__ import annotations

import mmap
import os
import pickle
import secrets
import tempfile
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from io import FileIO
from pathlib import Path

from recognizer.errors import RecognizerError, shown

ALIGNED = 64  # bytes, to a multiple of which arrays begin
OPEN_FILES = "/proc/{}/fd"  # of a process, where Linux shows them


class SpoolError(RecognizerError):
    """A temporary file that cannot be written or read."""


class Spool:
    """Such a file, which is gone with this.

    A process that is sent it reads the same file, as long as this is there.
    """

    def __init__(self) -> None:
        self._file, self._path = _made()
        self._size, self._lock = 0, threading.Lock()
        self._name = secrets.token_hex(8)  # its path may be another's later
        weakref.finalize(self, _remove, self._file, self._path)

    def write(self, content: memoryview) -> int:
        """Write bytes, and say from which place on they stand.

        Raises
        ------
        SpoolError
            if there is no room.
        """
        try:
            with self._lock:
                place = self._size
                self._file.seek(place)
                while content:  # a full disk may take a part
                    content = content[self._file.write(content) :]
                self._size = self._file.tell()
        except OSError as error:
            raise SpoolError(
                f"{shown(tempfile.gettempdir())}: has no room for a temporary file ({error.strerror}); make room "
                "there, or name another folder in the environment variable TMPDIR"
            ) from error
        return place

    def read(self, place: int, into: memoryview) -> None:
        """Fill something with what stands from a place on; threads may do so at the same time.

        Raises
        ------
        SpoolError
            if there is not so much.
        """
        with self._lock:
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
        try:
            whole = mmap.mmap(self._file.fileno(), before + size, offset=place - before, access=mmap.ACCESS_COPY)
        except ValueError as error:
            raise SpoolError(f"{size} bytes of a temporary file are gone; begin again") from error
        return memoryview(whole)[before:]

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

    def __reduce__(self) -> tuple:
        return _opened, (self._path, self._name)


@dataclass(frozen=True)
class Spooled:
    """What was kept, wherever it is wanted.

    Attributes
    ----------
    spool, place : where it stands
    ends : past the last byte of each part, counted from there: what tells of it, and its arrays
    """

    spool: Spool
    place: int
    ends: tuple[int, ...]

    def read(self) -> object:
        """It, anew."""
        content = self.spool.mapped(self.place, self.ends[-1])
        firsts = [0, *(-(-end // ALIGNED) * ALIGNED for end in self.ends)]
        rest, *arrays = (content[first:end] for first, end in zip(firsts, self.ends))
        return pickle.loads(rest, buffers=arrays)


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


class _Opened(Spool):
    """Another process' file."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115, it lives as long as this
        except OSError as error:
            raise SpoolError("a temporary file is gone; begin again") from error
        self._lock = threading.Lock()
        weakref.finalize(self, self._file.close)


@lru_cache(maxsize=4)
def _opened(path: Path, name: str) -> _Opened:
    return _Opened(path)
