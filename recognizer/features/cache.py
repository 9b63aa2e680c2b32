"""Analyses of recordings that were made before, so that training again, or with other settings, need not hear them.

An SQLite database, because it is what it takes: processes read and write it at the same time, what a killed one had
begun is not there, and it does not grow without bound. What is kept is found by everything that it was made of: the
bytes of the recording, how it is read, and by which libraries. So nothing in it is out of date, and another front end
finds nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import struct
import time
import warnings
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from recognizer.errors import RecognizerError, RecognizerWarning, shown
from recognizer.files.writing import remedy

NAME = "analyses.sqlite"
LARGEST = 10 << 30  # bytes; beyond, the oldest go first
GOING = 0.1  # share of all that goes then
PATIENCE = 60.0  # seconds to wait for another process that writes
WAITING = 0.05  # seconds until it is asked again
LOCKED = "locked"  # in what SQLite says where another process is at it, which it does not always wait for
SIZE = struct.Struct("<I")

Known = tuple[dict, Sequence[np.ndarray]]


class Cache:
    """A folder with what is known of recordings: plain data, and arrays (T, D) float32.

    Parameters
    ----------
    folder : made when it is needed
    largest : bytes
    """

    def __init__(self, folder: Path, largest: int = LARGEST) -> None:
        self.folder, self.largest = folder, largest
        self._database: sqlite3.Connection | None = None
        self._broken = False

    def __getstate__(self) -> dict:
        """For another process, which opens it for itself."""
        return self.__dict__ | {"_database": None}

    @staticmethod
    def key(path: Path, how: str, also: Sequence[Path] = ()) -> bytes | None:
        """What a recording is known under: its bytes, how it is read, and which other recordings are heard with it.

        Parameters
        ----------
        path : of the recording
        how : all settings that it is read with
        also : whose size and time stand for their bytes

        Returns
        -------
        None if it cannot be read, or only once, as a pipe
        """
        if not os.path.isfile(path):
            return None
        digest = hashlib.blake2b(how.encode("utf-8", "surrogateescape"), digest_size=24)
        try:
            for other in also:
                about = os.stat(other)
                digest.update(f"{about.st_size} {about.st_mtime_ns}\n".encode())
            digest.update(path.read_bytes())
        except OSError:
            return None
        return digest.digest()

    def get(self, key: bytes) -> Known | None:
        """What is known under a key; None if nothing is.

        Raises
        ------
        RecognizerError
            if the folder has no cache in it, but something else of that name, or cannot be made or written to.
        """
        name = shown(self.folder / NAME)
        try:
            row = self._opened().execute("SELECT known FROM analyses WHERE key = ?", (key,)).fetchone()
        except sqlite3.OperationalError as error:
            raise RecognizerError(f"{name}: {error}; name another folder for the cache, or leave it out") from error
        except sqlite3.Error as error:
            raise RecognizerError(f"{name}: is no cache ({error}); delete it, or name another folder") from error
        except OSError as error:
            what_to_do = remedy(error, "name another folder for the cache, or leave it out")
            raise RecognizerError(f"{name}: {error.strerror}; {what_to_do}") from error
        try:
            return row and _unpacked(row[0])
        except (ValueError, KeyError, TypeError, struct.error):  # damaged: it is heard again
            return None

    def put(self, known: Mapping[bytes, Known]) -> None:
        """Keep what became known, all of it or nothing.

        Warns
        -----
        RecognizerWarning
            if it cannot be written, once: it is only slower without.
        """
        if self._broken or not known:
            return
        rows = [(key, _packed(*value)) for key, value in known.items()]
        try:
            with self._opened() as database:
                database.executemany("INSERT OR REPLACE INTO analyses (key, known) VALUES (?, ?)", rows)
            self._bound()
        except sqlite3.Error as error:
            self._broken = True
            warnings.warn(
                f"{shown(self.folder / NAME)} cannot be written ({error}); going on without it",
                RecognizerWarning,
                stacklevel=2,
            )

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self.folder / NAME, timeout=PATIENCE)
            weakref.finalize(self, database.close)
            end = time.monotonic() + PATIENCE
            while True:
                try:
                    _begin(database)
                    break
                except sqlite3.OperationalError as error:
                    if LOCKED not in str(error) or time.monotonic() > end:
                        raise
                    time.sleep(WAITING)
            self._database = database
        return self._database

    def _bound(self) -> None:
        """Let the oldest go, whose room is used again."""
        database = self._opened()
        while _used(database) > self.largest:
            [count] = database.execute("SELECT count(*) FROM analyses").fetchone()
            with database:
                database.execute(
                    "DELETE FROM analyses WHERE number IN (SELECT number FROM analyses ORDER BY number LIMIT ?)",
                    (max(1, round(GOING * count)),),
                )
            if count <= 1:
                return


def _begin(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA journal_mode = WAL")  # who reads does not wait for who writes
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("CREATE TABLE IF NOT EXISTS analyses (number INTEGER PRIMARY KEY, key BLOB UNIQUE, known BLOB)")


def _used(database: sqlite3.Connection) -> int:
    """Bytes of what is in it."""
    [used] = database.execute(
        "SELECT (page_count - freelist_count) * page_size "
        "FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
    ).fetchone()
    return used


def _packed(about: Mapping[str, object], arrays: Sequence[np.ndarray]) -> bytes:
    header = json.dumps({"about": about, "shapes": [array.shape for array in arrays]}).encode()
    content = [np.ascontiguousarray(array, dtype="<f4").tobytes() for array in arrays]
    return b"".join([SIZE.pack(len(header)), header, *content])


def _unpacked(packed: bytes) -> Known:
    end = SIZE.size + SIZE.unpack_from(packed)[0]
    header, arrays = json.loads(packed[SIZE.size : end]), []
    for frames, dims in header["shapes"]:
        arrays.append(np.frombuffer(packed, "<f4", frames * dims, end).reshape(frames, dims))
        end += 4 * frames * dims
    return header["about"], arrays
