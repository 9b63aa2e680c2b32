"""Sound that libsndfile does not know, decoded by the program ffmpeg in a process of its own, bit by bit."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from recognizer.errors import AudioError
from recognizer.sound.formats import THROUGH_FFMPEG, ffmpeg
from recognizer.sound.magic import HEAD, Container, container, foreign, name, protection

INSTALL = {"darwin": "`brew install ffmpeg`", "win32": "`winget install ffmpeg`"}
INSTALL_ELSEWHERE = "`apt-get install ffmpeg` on Debian and Ubuntu"
LIMITS = ("-max_alloc", "268435456", "-timelimit", "600")  # bytes in one piece, seconds at work
DAMAGED = "is no {} sound or is damaged; copy it again, or convert it to WAV, FLAC, OGG or MP3"
HEADER = struct.Struct(">4s5I")  # of AU: mark, where samples begin, their bytes, their type, rate, channels
LEAD = 1  # whole seconds decoded before those that are wanted, after which a decoder is as if it had begun at the start
DROPPED = 1 << 16  # samples at once


class DecodedSound:
    """The first sound in a file as ffmpeg decodes it, read as a `soundfile.SoundFile` is.

    Nothing else that may be in the file is decoded, and nothing but the file is opened.

    Parameters
    ----------
    path : of the file
    kind : of it
    start : where to begin, in seconds, as exactly as the file tells: to a frame of what encoded it

    Attributes
    ----------
    samplerate, channels : of the file
    subtype : nothing, for it is ffmpeg that knows

    Raises
    ------
    AudioError
        if ffmpeg is not there, or finds no sound.
    """

    subtype = ""

    def __init__(self, path: Path, kind: Container, start: float = 0.0) -> None:
        self._path, self._kind = path, kind
        self._begin = max(0, int(start) - LEAD)
        program = self._program()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115, for it lives as long as ffmpeg does
        self._process = self._started(program)
        try:
            header = self._process.stdout.read(HEADER.size)
            if len(header) < HEADER.size:
                raise AudioError(self._why())
            mark, first, _, _, self.samplerate, self.channels = HEADER.unpack(header)
            if mark != b".snd" or first < HEADER.size or not self.channels:
                raise AudioError(self._why())
            self._process.stdout.read(first - HEADER.size)
            before = round(start * self.samplerate) - self._begin * self.samplerate
            while before > 0 and len(dropped := self.read(min(before, DROPPED))):
                before -= len(dropped)
        except BaseException:
            self.close()
            raise

    def read(self, frames: int, dtype: str = "float32", always_2d: bool = True) -> np.ndarray:
        """The next samples, (n, channels), fewer than asked for at the end alone."""
        wanted = 4 * self.channels * frames
        data = self._process.stdout.read(wanted)
        if len(data) < wanted and self._process.wait():
            raise AudioError(self._why())
        return np.frombuffer(data, ">f4", len(data) // (4 * self.channels) * self.channels).reshape(-1, self.channels)

    def close(self) -> None:
        """End ffmpeg, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._said.close()

    def __enter__(self) -> DecodedSound:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _program(self) -> str:
        program = ffmpeg()
        if program is None:
            how = INSTALL.get(sys.platform, INSTALL_ELSEWHERE)
            raise AudioError(
                f"is {name(self._path, self._kind)} sound, which needs ffmpeg; install ffmpeg ({how}), or convert it "
                "to WAV, FLAC, OGG or MP3"
            )
        return program

    def _started(self, program: str) -> subprocess.Popen:
        call = [program, "-nostdin", "-hide_banner", "-loglevel", "fatal", *LIMITS, "-threads", "1"]
        call += ["-protocol_whitelist", "file", "-f", self._kind.demuxer, "-ss", str(self._begin)]
        call += ["-i", b"file:" + os.fsencode(_for_others(self._path)) if os.name != "nt" else f"file:{self._path}"]
        call += ["-map", "0:a:0", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"]
        try:
            return subprocess.Popen(
                call,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._said,
                start_new_session=True,  # a Ctrl-C at the terminal is for its reader alone
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            self._said.close()
            raise AudioError(
                f"needs ffmpeg, and that cannot be started ({error.strerror}); install it again"
            ) from error

    def _why(self) -> str:
        """Why there is no sound, or no more of it."""
        self._process.wait()
        self._said.seek(0)
        said, what = self._said.read(HEAD), name(self._path, self._kind)
        if b"matches no streams" in said:
            return f"is {what} without sound; choose another file"
        if b"not found for input stream" in said or b"Unknown input format" in said:
            return f"is {what} of a kind that this ffmpeg does not decode; convert it to WAV, FLAC, OGG or MP3"
        return DAMAGED.format(what)


def instead(path: Path, file: BinaryIO, start: float) -> DecodedSound | None:
    """A file, which is open besides, as ffmpeg decodes it; None of what nobody knows.

    Raises
    ------
    AudioError
        if it is known to be no sound, or cannot be decoded.
    """
    if kind := container(file):
        if lock := protection(path, file):
            raise AudioError(lock)
        return DecodedSound(path, kind, start)
    if what := foreign(path, file):
        raise AudioError(what)
    if path.suffix.lower() in THROUGH_FFMPEG:
        raise AudioError(DAMAGED.format(name(path)))
    return None


def _for_others(path: Path) -> str:
    """A name under which another process finds a file, too, even one without a name, which this one has open."""
    real = os.path.realpath(path)
    return real if os.path.exists(real) else str(path).replace("/proc/self/", f"/proc/{os.getpid()}/")
