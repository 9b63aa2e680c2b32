"""Recordings that come with a call: in a file each, while they are needed, under what a server takes on."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from starlette.requests import Request

from recognizer.errors import RecognizerError
from recognizer.serve.engine import BusyError
from recognizer.serve.limits import Limits
from recognizer.serve.recordings import SAMPLE, check_samples

Write = Callable[[bytes], object]


class TooLargeError(RecognizerError):
    """A recording that takes more than a server takes on."""


class NoRoomError(RecognizerError):
    """A recording for which there is no room on the disk."""


class TooSlowError(RecognizerError):
    """A recording that does not come."""


class Uploads:
    """What is being received or recognised, in a folder that only its owner reads; as a context manager, it is gone.

    Parameters
    ----------
    limits : of one recording, and of all together
    """

    def __init__(self, limits: Limits) -> None:
        self._limits, self._bytes = limits, 0
        self._folder = tempfile.TemporaryDirectory(prefix="recognizer-")

    def close(self) -> None:
        """Remove what is left."""
        self._folder.cleanup()

    def free(self) -> Path:
        """The name of a file that is not there yet, for something to be sent."""
        return Path(self._folder.name) / secrets.token_hex(8)

    @asynccontextmanager
    async def kept(self, request: Request, rate: int | None = None, most: int | None = None) -> AsyncIterator[Path]:
        """A file with the body of a call.

        Parameters
        ----------
        request : the call
        rate : of samples that come without a file, Hz; they are put into one
        most : bytes; as many as a recording may have when None

        Raises
        ------
        AudioError
            if such samples are none, or not whole.
        TooLargeError, TooSlowError
            if it is too large, or takes too long to come.
        BusyError
            if all together are too large.
        """
        most = self._limits.upload if most is None else most
        too_large = TooLargeError(f"the recording has more than {most >> 20} MB; send it in parts")
        told = request.headers.get("content-length", "")
        if told.isdigit() and int(told) > most:
            raise too_large
        size, late = 0, TooSlowError(f"the recording did not come in {self._limits.patience:.0f} s; send it again")
        try:
            with _made_in(Path(self._folder.name)) as (file, path):
                async with _in_time(self._limits.patience, late):
                    with _telling_of_room(), _written(file, rate) as write:
                        async for part in request.stream():
                            size, self._bytes = size + len(part), self._bytes + len(part)
                            if size > most:
                                raise too_large
                            if self._bytes > self._limits.uploads:
                                raise BusyError("too many recordings are being sent; try again soon")
                            write(part)
                if rate is not None:
                    check_samples(size)
                with _telling_of_room():
                    file.flush()
                yield path
        finally:
            self._bytes -= size


@asynccontextmanager
async def _in_time(seconds: float, late: TooSlowError) -> AsyncIterator[None]:
    """Give up when the block takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise late from None


@contextmanager
def _written(file: BinaryIO, rate: int | None) -> Iterator[Write]:
    """What writes the parts of a body to a file, as they are, or as the samples of a WAV file."""
    if rate is None:
        yield file.write
        return
    with wave.open(file, "wb") as sound:
        sound.setparams((1, SAMPLE.itemsize, rate, 0, "NONE", None))
        yield sound.writeframesraw


@contextmanager
def _made_in(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A file, and its name, that is gone after the block, also where its last bytes find no room."""
    path = folder / secrets.token_hex(8)
    with _telling_of_room():
        file = open(path, "xb")  # noqa: SIM115 - closed below
    try:
        yield file, path
    finally:
        with suppress(OSError):
            file.close()
        os.unlink(path)


@contextmanager
def _telling_of_room() -> Iterator[None]:
    """Tell of a disk that takes no more."""
    try:
        yield
    except OSError as error:
        what = f"the server cannot keep the recording ({error.strerror or error})"
        raise NoRoomError(f"{what}; free some room on its disk, and send it again") from error
