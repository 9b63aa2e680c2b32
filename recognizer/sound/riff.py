"""WAV files whose header does not tell the truth: where the sound in them is, and a view of it with a right header."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

CHUNK = struct.Struct("<4sI")  # its name, and its bytes, which a byte follows where they are odd
UNKNOWN = 0xFFFFFFFF  # bytes, of what was written to a pipe
# Chunks that programs write beside sound and its format.
BESIDE = (
    *(b"LIST", b"id3 ", b"ID3 ", b"fact", b"bext", b"cue ", b"smpl", b"inst", b"plst", b"JUNK", b"junk", b"PAD "),
    *(b"FLLR", b"PEAK", b"iXML", b"_PMX", b"axml", b"chna", b"afsp", b"cart", b"levl", b"acid", b"strc", b"DISP"),
    *(b"minf", b"elm1", b"regn", b"umid"),
)
TAGS = (b"TAG", b"ID3", b"APETAGEX")  # of MP3s, and put behind other sound, too
MOST_CHUNKS, MOST_TRIES = 1000, 100
LONGEST_FORMAT = 1 << 12  # bytes
LONGEST_END = 16 << 20  # bytes, in which chunks behind sound of unknown length are looked for
LEAST = 128  # bytes that are sound behind the sound, and not what some program left there
BLOCK = 1 << 16  # bytes


@dataclass(frozen=True)
class Layout:
    """Where the sound is in a file.

    Attributes
    ----------
    format : the chunk that tells what it is made of
    start, size : of the sound, in bytes
    claimed : bytes of sound by the header, as far as they are there
    plain : whether a reader that goes by the header finds all that
    """

    format: bytes
    start: int
    size: int
    claimed: int
    plain: bool


def layout(file: BinaryIO) -> Layout | None:
    """Where the sound is in a WAV file; None where it does not say what it is made of, or not where."""
    end, form, padded = file.seek(0, os.SEEK_END), b"", True
    for place, name, size, regular in _chunks(file, 12, end):
        padded &= regular
        if name == b"fmt ":
            file.seek(place)
            form = file.read(min(size, LONGEST_FORMAT))
        elif name == b"data":
            if not form:
                return None
            claimed = min(size, end - place)
            found = _size(file, place, size, end)
            return Layout(form, place, found, claimed, padded and found == claimed and found < UNKNOWN)
    return None


class Mended(soundfile.SoundFile):
    """A WAV file by its layout.

    Attributes
    ----------
    assumed : what is heard although the header does not say so, for people; None if it is only at another place
    """

    def __init__(self, path: Path, found: Layout) -> None:
        self._view = _View(path, found)
        try:
            super().__init__(self._view)
        except BaseException:
            self._view.close()
            raise
        self.assumed = None
        if found.claimed < found.size:
            seconds = self.frames / max(1, self.samplerate)
            said = seconds * found.claimed / found.size
            self.assumed = f"its header says {said:.2f} s of sound, and {seconds:.2f} s are in it, which are heard"

    def read(self, *args: object, **kwargs: object) -> np.ndarray:
        block = super().read(*args, **kwargs)
        if self._view.error is not None:
            raise self._view.error
        return block

    def close(self) -> None:
        super().close()
        self._view.close()


class _View:
    """A file that is a right header and the sound of another file, for libsndfile."""

    def __init__(self, path: Path, found: Layout) -> None:
        self._file, self._place, self.error = open(path, "rb"), 0, None  # noqa: SIM115, for it lives with the sound
        form = CHUNK.pack(b"fmt ", len(found.format)) + found.format + b"\0" * (len(found.format) % 2)
        whole, mark = len(form) + found.size + 12, b"RIFF"  # with the names of this and of the sound
        if whole >= UNKNOWN:  # a chunk with sizes of 64 bits, of the whole, the sound and its frames, and no others
            mark, form = b"RF64", CHUNK.pack(b"ds64", 28) + struct.pack("<3QI", whole + 36, found.size, 0, 0) + form
        sizes = [min(size, UNKNOWN) if mark == b"RIFF" else UNKNOWN for size in (whole, found.size)]
        self._header = CHUNK.pack(mark, sizes[0]) + b"WAVE" + form + CHUNK.pack(b"data", sizes[1])
        self._start = found.start
        self._size = len(self._header) + found.size

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._place = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence])
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: object) -> int:
        """As of a file, but what goes wrong is kept: libsndfile, which calls, could only print it."""
        try:
            with memoryview(buffer) as room:
                count = min(len(room), max(0, self._size - self._place))
                part = self._header[self._place : self._place + count]
                if len(part) < count:
                    self._file.seek(self._start + self._place + len(part) - len(self._header))
                    part += self._file.read(count - len(part))
                room[: len(part)] = part
            self._place += len(part)
            return len(part)
        except BaseException as error:
            self.error = error
            return 0

    def close(self) -> None:
        self._file.close()


def _chunks(file: BinaryIO, place: int, end: int) -> Iterator[tuple[int, bytes, int, bool]]:
    """Chunks from a place on: where each begins behind its name, the name, its bytes, and whether it belongs there.

    Behind one of odd length there should be a byte that fills it up, and some programs forget that.
    """
    regular = True
    for _ in range(MOST_CHUNKS):
        if place + CHUNK.size > end:
            return
        name, size = _chunk(file, place)
        place += CHUNK.size
        yield place, name, size, regular
        place += size
        regular = True
        if size % 2 and place + CHUNK.size <= end:
            regular = _chunk(file, place)[0] not in (b"data", b"fmt ", *BESIDE)
            place += regular


def _chunk(file: BinaryIO, place: int) -> tuple[bytes, int]:
    file.seek(place)
    return CHUNK.unpack(file.read(CHUNK.size).ljust(CHUNK.size, b"\0"))


def _size(file: BinaryIO, start: int, size: int, end: int) -> int:
    """Bytes of the sound that begins there, of which the header says so many."""
    stop = start + size
    if stop > end:
        return _last(file, start, end) - start
    if any(_are_chunks(file, place, end) for place in (stop + size % 2, stop)) or not _is_sound(file, stop, end):
        return size
    return _last(file, stop, end) - start


def _are_chunks(file: BinaryIO, place: int, end: int, least: int = 0) -> bool:
    """Whether there are chunks, and nothing else, from a place to the end, where a byte may lack or be too many."""
    found, after = 0, place
    for inside, name, size, _ in _chunks(file, place, end):
        after = inside + size
        if not (all(0x20 <= letter < 0x7F for letter in name) and after <= end + 1):
            return False
        found += 1
    return found >= least and end - after < CHUNK.size


def _is_sound(file: BinaryIO, place: int, end: int) -> bool:
    """Whether what is behind the sound is more of it, rather than a tag, zeros that fill up a disc, or a few bytes."""
    if end - place < LEAST:
        return False
    file.seek(place)
    block = file.read(BLOCK)
    if block.startswith(TAGS):
        return False
    while block:
        if block.count(0) < len(block):
            return True
        block = file.read(BLOCK)
    return False


def _last(file: BinaryIO, start: int, end: int) -> int:
    """Where chunks begin that are the last of a file and no sound; its end where there are none."""
    first = max(start, end - LONGEST_END)
    file.seek(first)
    names = re.finditer(b"|".join(map(re.escape, BESIDE)), file.read(end - first))
    for _, name in zip(range(MOST_TRIES), names):
        if _are_chunks(file, first + name.start(), end, least=1):
            return first + name.start()
    return end
