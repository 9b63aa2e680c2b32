"""The features of a corpus, in memory as long as there is room there, and the rest in a file."""

from __future__ import annotations

import numpy as np

from recognizer.files.spool import Spool


class Store:
    """Keeps arrays of frames, and gives of each what it is asked for.

    What has no room in memory is read from a file, and not mapped: pages of a map count as memory of the process.

    Parameters
    ----------
    room : bytes in memory; all when None
    """

    def __init__(self, room: int | None = None) -> None:
        self._room = room
        self._spool: Spool | None = None

    def keep(self, frames: np.ndarray) -> np.ndarray | Stored:
        """The same frames, (T, D), in memory or to be read when something is done with them.

        Raises
        ------
        SpoolError
            if there is no room for a temporary file.
        """
        if self._room is None:
            return frames
        if frames.nbytes <= self._room:
            self._room -= frames.nbytes
            return frames
        self._spool = self._spool or Spool()
        place = self._spool.write(memoryview(np.ascontiguousarray(frames)).cast("B"))
        return Stored(self._spool, place, frames.shape, frames.dtype)


class Stored:
    """Frames in a file, (T, D), which NumPy takes for an array, and reads when it needs them.

    Attributes
    ----------
    shape, dtype : as an array's
    """

    __slots__ = ("_place", "_spool", "dtype", "shape")

    def __init__(self, spool: Spool, place: int, shape: tuple[int, int], dtype: np.dtype) -> None:
        self._spool, self._place, self.shape, self.dtype = spool, place, shape, dtype

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
            self._spool.read(self._place + first * frames.strides[0], memoryview(frames).cast("B"))
        return frames[::step]
