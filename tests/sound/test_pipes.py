"""Sound through a pipe: who reads it late gets all that waits, and the same sound whenever it is read."""

from __future__ import annotations

import io
import os
from itertools import pairwise

import numpy as np
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.sound.pipes import piped
from recognizer.sound.source import AT_ONCE, BLOCK

RATE = 8000


class Arriving(io.BytesIO):
    """A stream that gives no more at each call than so many bytes, which are there; in the end, all the rest."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        super().__init__(content)
        self._sizes = iter(sizes)

    def read1(self, size: int) -> bytes:
        return super().read(min(size, next(self._sizes, size)))

    read = read1


@settings(max_examples=50)
@given(st.lists(st.integers(1, 3 * RATE), max_size=40), st.integers(0, 5 * RATE), st.sampled_from(["raw", "wav"]))
def test_the_sound_is_the_same_however_it_comes(sizes, count, kind):
    samples = np.random.default_rng(count).integers(-(2**15), 2**15, count + 1).astype("<i2")
    content = samples.tobytes()
    if kind == "wav":
        file = io.BytesIO()
        soundfile.write(file, samples, RATE, format="WAV", subtype="PCM_16")
        content = file.getvalue() + b"LIST\4\0\0\0abcd"
    got = [block.samples for block in piped(Arriving(content, sizes), RATE if kind == "raw" else None)]
    np.testing.assert_array_equal(np.concatenate(got), samples / np.float32(2**15))
    assert all(round(BLOCK * RATE) <= len(block) for block in got[:-1])
    assert max(map(len, got)) <= AT_ONCE * RATE


def test_what_waits_comes_at_once_and_what_is_said_meanwhile_in_short_blocks():
    content = np.arange(4 * RATE, dtype="<i2").tobytes()
    reading, writing = os.pipe()
    with open(reading, "rb") as stream, open(writing, "wb", buffering=0) as pipe:
        blocks = piped(stream, RATE)
        pipe.write(content[: 2 * RATE])  # a second
        assert len(next(blocks).samples) == RATE
        for first, end in pairwise(range(2 * RATE, 3 * RATE, 480)):
            pipe.write(content[first:end])
            assert len(next(blocks).samples) == round(BLOCK * RATE)
