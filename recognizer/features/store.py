"""The features of a corpus, in memory as long as there is room there, and the rest in a file."""

from __future__ import annotations

import tempfile
import threading
import weakref

import numpy as np

from recognizer.errors import TrainingError, shown


class Store:
    """Keeps arrays of frames, and gives of each what it is asked for.

    What has no room in memory goes to a file without a name, which is gone with the store, and however the program
    ends. It is read, and not mapped: pages of a map count as memory of the process as long as nobody else wants them.

    Parameters
    ----------
    room : bytes in memory; all when None
    """

    def __init__(self, room: int | None = None) -> None:
        self._room = room
        self._file, self._size = None, 0
        self._lock = threading.Lock()

    def keep(self, frames: np.ndarray) -> np.ndarray | Stored:
        """The same frames, (T, D), in memory or to be read when something is done with them.

        Raises
        ------
        TrainingError
            if there is no room for such a file.
        """
        if self._room is None:
            return frames
        if frames.nbytes <= self._room:
            self._room -= frames.nbytes
            return frames
        try:
            return self._written(frames)
        except OSError as error:
            raise TrainingError(
                f"{shown(tempfile.gettempdir())}: has no room for features ({error.strerror}); make room there, name "
                "another folder in the environment variable TMPDIR, or allow more memory"
            ) from error

    def _written(self, frames: np.ndarray) -> Stored:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115, it lives as long as this
            weakref.finalize(self, self._file.close)
        place = self._size
        left = memoryview(np.ascontiguousarray(frames)).cast("B")
        with self._lock:
            self._file.seek(place)
            while left:  # a full disk may take a part
                left = left[self._file.write(left) :]
        self._size += frames.nbytes
        return Stored(self, place, frames.shape, frames.dtype)

    def read(self, place: int, into: np.ndarray) -> None:
        """Fill an array with what stands in the file from a place on; threads may do so at the same time.

        Raises
        ------
        TrainingError
            if there is not so much.
        """
        left = memoryview(into).cast("B")
        with self._lock:
            self._file.seek(place)
            while left:
                if not (count := self._file.readinto(left)):
                    raise TrainingError(f"{len(left)} bytes of a temporary file are gone; train again")
                left = left[count:]


class Stored:
    """Frames in a file, (T, D), which NumPy takes for an array, and reads when it needs them.

    Attributes
    ----------
    shape, dtype : as an array's
    """

    __slots__ = ("_place", "_store", "dtype", "shape")

    def __init__(self, store: Store, place: int, shape: tuple[int, int], dtype: np.dtype) -> None:
        self._store, self._place, self.shape, self.dtype = store, place, shape, dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("frames in a file cannot be had without a copy")
        return self[:].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, part: slice) -> np.ndarray:
        """Some of the frames; only these are read."""
        first, last, step = part.indices(len(self))
        frames = np.empty((max(0, last - first), self.shape[1]), self.dtype)
        if len(frames):
            self._store.read(self._place + first * frames.strides[0], frames)
        return frames[::step]
