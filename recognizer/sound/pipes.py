"""Sound that comes through a pipe while it happens: a WAV file without an end, or samples alone."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from recognizer.errors import AudioError
from recognizer.sound.audio import HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS
from recognizer.sound.channels import floats, one
from recognizer.sound.source import AT_ONCE, BLOCK, Block

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE  # formats of samples in a WAV file
TYPES = {(PCM, 8): "u1", (PCM, 16): "<i2", (PCM, 24): "u1", (PCM, 32): "<i4", (FLOAT, 32): "<f4", (FLOAT, 64): "<f8"}
ENDLESS = 0x7FFFF000  # bytes; who cannot know the size writes 0, or about the greatest that there is, signed or not
LONGEST_CHUNK = 1 << 20  # bytes before the samples: names and dates take a few hundred


@dataclass(frozen=True)
class Samples:
    """How samples are written.

    Attributes
    ----------
    rate : Hz
    channels : one after the other
    kind, bits : of each, see `TYPES`
    size : bytes of all; None where they end with the pipe
    """

    rate: int
    channels: int = 1
    kind: int = PCM
    bits: int = 16
    size: int | None = None

    @property
    def frame(self) -> int:
        """Bytes of one sample of each channel."""
        return self.channels * self.bits // 8

    def read(self, data: bytes) -> np.ndarray:
        """Mono samples, (n,) float32, of whole frames."""
        samples = np.frombuffer(data, TYPES[self.kind, self.bits])
        if self.bits == 24:  # put into the upper bytes of 32
            wide = np.zeros((len(samples) // 3, 4), np.uint8)
            wide[:, 1:] = samples.reshape(-1, 3)
            samples = wide.view("<i4")
        return one(floats(samples.reshape(-1, self.channels)), None)


def piped(
    stream: BinaryIO, raw: int | None = None, *, clock: Callable[[], float] = time.perf_counter
) -> Iterator[Block]:
    """Blocks of sound as they come: a WAV file, or 16-bit integers, little-endian, of one channel.

    Who asks late gets all that waits, up to a second: long blocks take less time, so that a slow machine catches up.

    Parameters
    ----------
    stream : whose `read1` gives what is there, at least one byte, and none at the end
    raw : rate of samples that come alone, Hz; None where a WAV file says it
    clock : time, for tests

    Raises
    ------
    AudioError
        if it is no WAV file, or of a kind that is not read; if there are no samples, or some are not finite.
    """
    form = _header(stream) if raw is None else Samples(raw)
    least, most = (form.frame * max(1, round(seconds * form.rate)) for seconds in (BLOCK, AT_ONCE))
    left, empty = form.size, True
    while left is None or left >= form.frame:
        data = _waiting(stream, least, most if left is None else min(most, left), form.frame)
        data = data[: len(data) // form.frame * form.frame]  # what is torn at the end is no sample
        if not data:
            break
        left, empty = None if left is None else left - len(data), False
        yield Block(form.read(data), form.rate, clock())
    if empty:
        raise AudioError("no samples came; see what the program before the pipe says")


def _waiting(stream: BinaryIO, least: int, most: int, frame: int) -> bytes:
    """What is there, in whole frames, or as many bytes as are wanted at least once they are there."""
    data = stream.read1(most)
    wanted = min(most, max(least, -(-len(data) // frame) * frame))
    return data + _bytes(stream, wanted - len(data)) if data else data


def _bytes(stream: BinaryIO, count: int) -> bytes:
    """So many bytes, or what there is up to the end."""
    data = b""
    while len(data) < count and (part := stream.read(count - len(data))):
        data += part
    return data


def _header(stream: BinaryIO) -> Samples:
    """What a WAV file says of its samples, which come next."""
    begin = _bytes(stream, 12)
    if not begin:
        raise AudioError("nothing came; see what the program before the pipe says")
    if begin[:4] != b"RIFF" or begin[8:] != b"WAVE":
        raise AudioError("is no WAV file; send one, or samples of 16 bits alone and tell their rate")
    form = None
    while True:
        chunk = _bytes(stream, 8)
        if len(chunk) < 8:
            raise AudioError("ends before there are samples; send a whole WAV file")
        name, size = chunk[:4], int.from_bytes(chunk[4:], "little")
        if name == b"data":
            if form is None:
                raise AudioError("has samples before it says what they are; send a usual WAV file")
            return Samples(*form, None if size == 0 or size >= ENDLESS else size)
        if size > LONGEST_CHUNK:
            raise AudioError(f"has {size} bytes before the samples; send a usual WAV file")
        content = _bytes(stream, size + size % 2)
        if name == b"fmt ":
            form = _format(content)


def _format(content: bytes) -> tuple[int, int, int, int]:
    """Rate, channels, kind and bits, if they can be read."""
    if len(content) < 16:
        raise AudioError("is damaged where it says what its samples are; send it again")
    kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", content[:16])
    if kind == EXTENSIBLE and len(content) >= 26:
        kind = int.from_bytes(content[24:26], "little")
    if (kind, bits) not in TYPES:
        raise AudioError(f"has samples of kind {kind} with {bits} bits; send 16-bit integers")
    if not (LOWEST_RATE <= rate <= HIGHEST_RATE and 1 <= channels <= MOST_CHANNELS):
        raise AudioError(f"has {channels} channels at {rate} Hz; send one at 16000 Hz")
    return rate, channels, kind, bits
