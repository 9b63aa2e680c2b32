"""WAV files whose headers are wrong, written byte by byte: what is heard is the sound that is in them, all of it."""

from __future__ import annotations

import contextlib
import json
import struct
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import say

from recognizer import parallel
from recognizer.errors import AudioError, HeaderWarning, RecognizerWarning
from recognizer.features.analysis import Analyser
from recognizer.sound import audio, riff

RATE = 8000
STEPS = np.random.default_rng(0).integers(1, 30000, 4000).astype("<i2")  # none is zero
FORMAT = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
GUID = bytes.fromhex("0100000000001000800000aa00389b71")
EXTENSIBLE = struct.pack("<HHIIHHHHI", 0xFFFE, 1, RATE, 2 * RATE, 2, 16, 22, 16, 4) + GUID
INFO = b"INFOISFT\x0e\x00\x00\x00made by hand\x00\x00"
UNKNOWN = 0xFFFFFFFF


def chunk(name: bytes, content: bytes, size: int | None = None, padded: bool = True) -> bytes:
    pad = b"\0" * (len(content) % 2) if padded else b""
    return name + struct.pack("<I", len(content) if size is None else size) + content + pad


def wav(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


FMT, DATA, LIST = chunk(b"fmt ", FORMAT), STEPS.tobytes(), chunk(b"LIST", INFO)
RIGHT = {  # read as they are, in silence
    "by the book": wav(FMT, chunk(b"data", DATA)),
    "list before": wav(FMT, LIST, chunk(b"data", DATA)),
    "list after": wav(FMT, chunk(b"data", DATA), LIST),
    "list after, cut short": wav(FMT, chunk(b"data", DATA), LIST[:-5]),
    "unknown chunk after": wav(FMT, chunk(b"data", DATA), chunk(b"mine", bytes(1000))),
    "format of odd kind": wav(chunk(b"fmt ", EXTENSIBLE), chunk(b"data", DATA)),
    "odd chunk, padded": wav(FMT, chunk(b"LIST", INFO + b"x"), chunk(b"data", DATA)),
    "odd chunk, not padded": wav(FMT, chunk(b"LIST", INFO + b"x", padded=False), chunk(b"data", DATA)),
    "odd chunk, not padded, then others": wav(
        FMT, chunk(b"JUNK", b"x", padded=False), chunk(b"bext", b"y", padded=False), LIST, chunk(b"data", DATA)
    ),
    "whole size zero": wav(FMT, chunk(b"data", DATA), size=0),
    "whole size of the header": wav(FMT, chunk(b"data", DATA), size=36),
    "whole size unknown": wav(FMT, chunk(b"data", DATA), size=UNKNOWN),
    "size unknown": wav(FMT, chunk(b"data", DATA, UNKNOWN), size=UNKNOWN),
    "size unknown, list before": wav(FMT, LIST, chunk(b"data", DATA, UNKNOWN), size=UNKNOWN),
    "size unknown, list after": wav(FMT, chunk(b"data", DATA, UNKNOWN), LIST, size=UNKNOWN),
    "size unknown, chunks after": wav(
        FMT, chunk(b"data", DATA, UNKNOWN), LIST, chunk(b"id3 ", b"ID3" + bytes(500)), size=UNKNOWN
    ),
    "size twice as large": wav(FMT, chunk(b"data", DATA, 2 * len(DATA))),
    "size signed": wav(FMT, chunk(b"data", DATA, 0x7FFFF000)),
    "tag of an MP3 after": wav(FMT, chunk(b"data", DATA)) + b"TAG" + b"x" * 125,
    "tag of another MP3 after": wav(FMT, chunk(b"data", DATA)) + b"ID3" + bytes(range(256)) * 4,
    "zeros after": wav(FMT, chunk(b"data", DATA)) + bytes(100_000),
    "a few bytes after": wav(FMT, chunk(b"data", DATA)) + b"\xff" * 50,
    "another file after": wav(FMT, chunk(b"data", DATA)) + wav(FMT, chunk(b"data", DATA[:400])),
}
CLAIMED = {  # more than the header says is there, which is told: with bytes that the header says
    "size zero": (wav(FMT, chunk(b"data", DATA, 0)), 0),
    "sizes zero": (wav(FMT, chunk(b"data", DATA, 0), size=0), 0),
    "size zero, list before": (wav(FMT, LIST, chunk(b"data", DATA, 0)), 0),
    "size zero, list after": (wav(FMT, chunk(b"data", DATA, 0), LIST), 0),
    "half": (wav(FMT, chunk(b"data", DATA, len(DATA) // 2)), len(DATA) // 2),
    "half of all": (wav(FMT, chunk(b"data", DATA, len(DATA) // 2), size=36 + len(DATA) // 2), len(DATA) // 2),
    "half, list after": (wav(FMT, chunk(b"data", DATA, len(DATA) // 2), LIST), len(DATA) // 2),
    "odd": (wav(FMT, chunk(b"data", DATA, 1001)), 1001),
    "format of odd kind": (wav(chunk(b"fmt ", EXTENSIBLE), chunk(b"data", DATA, 0)), 0),
}


def written(folder: Path, content: bytes) -> Path:
    (folder / "a.wav").write_bytes(content)
    return folder / "a.wav"


@pytest.mark.parametrize("name", RIGHT)
def test_the_sound_is_heard_and_nothing_else(tmp_path, name):
    path = written(tmp_path, RIGHT[name])
    np.testing.assert_array_equal(audio.load(path, RATE).samples, STEPS / np.float32(32768))


@pytest.mark.parametrize("name", CLAIMED)
def test_sound_that_the_header_hides_is_heard_and_told_of_once(tmp_path, name):
    content, claimed = CLAIMED[name]
    path = written(tmp_path, content)
    with pytest.warns(HeaderWarning) as said:
        samples = audio.load(path, RATE).samples
    np.testing.assert_array_equal(samples, STEPS / np.float32(32768))
    assert [str(each.message) for each in said] == [
        f"{path}: its header says {claimed / 2 / RATE:.2f} s of sound, and 0.50 s are in it, which are heard"
    ]


@pytest.mark.parametrize("start", [0.0, 0.1, 0.45])
def test_blocks_of_it_from_anywhere(tmp_path, start):
    path = written(tmp_path, CLAIMED["half, list after"][0])
    with pytest.warns(HeaderWarning):
        parts = [samples for samples, _ in audio.blocks(path, 0.03, start)]
    np.testing.assert_array_equal(np.concatenate(parts), STEPS[round(start * RATE) :] / np.float32(32768))


@pytest.mark.parametrize("cut", [1, 2, 3, 700, len(DATA) - 2])
@pytest.mark.parametrize("size", [len(DATA), UNKNOWN])
def test_what_was_cut_off_leaves_the_rest(tmp_path, cut, size):
    path = written(tmp_path, wav(FMT, LIST, chunk(b"data", DATA, size))[:-cut])
    kept = (len(DATA) - cut) // 2
    np.testing.assert_array_equal(audio.load(path, RATE).samples, STEPS[:kept] / np.float32(32768))


@pytest.mark.parametrize("rest", [b"", LIST, chunk(b"data", b""), b"TAG" + b"x" * 125, bytes(3)])
def test_no_sound_is_none(tmp_path, rest):
    path = written(tmp_path, wav(FMT, chunk(b"data", b""), rest))
    with pytest.raises(AudioError, match="holds no samples"):
        audio.load(path, RATE)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "FLOAT", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM"])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_kind_of_samples(tmp_path, subtype, channels):
    values = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, channels))
    soundfile.write(tmp_path / "whole.wav", values, RATE, subtype=subtype)
    content = bytearray((tmp_path / "whole.wav").read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = bytes(4)
    with pytest.warns(HeaderWarning):
        found = audio.load(written(tmp_path, content), RATE).samples
    np.testing.assert_array_equal(found, audio.load(tmp_path / "whole.wav", RATE).samples)


@pytest.mark.skipif(sys.platform == "win32", reason="holes in files take room there")
def test_more_than_four_gigabytes_are_found_and_not_read_as_a_whole(tmp_path):
    """Of a size that is written in 32 bits, what is over is lost."""
    data = 5 << 30
    path = written(tmp_path, wav(FMT, chunk(b"data", DATA, data % 2**32)))
    with open(path, "r+b") as file:
        file.truncate(44 + data)
        file.seek(44 + data % 2**32)
        file.write(DATA)
        file.seek(-len(DATA), 2)
        file.write(DATA)
    with pytest.warns(HeaderWarning, match="67108.86 s of sound, and 335544.32 s"):
        parts = [samples for samples, _ in audio.blocks(path, 0.5, data / 2 / RATE - 0.5)]
    np.testing.assert_array_equal(np.concatenate(parts), STEPS / np.float32(32768))


def test_an_ordinary_file_goes_the_way_of_libsndfile_alone(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "recognizer.sound.riff", None)  # so that importing it fails
    monkeypatch.delattr("recognizer.sound.riff")
    assert len(audio.load(written(tmp_path, RIGHT["by the book"]), RATE).samples) == len(STEPS)
    with pytest.raises(ImportError):
        audio.load(written(tmp_path, CLAIMED["half"][0]), RATE)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(5, "Input/output error")])
def test_what_goes_wrong_while_it_is_read_is_not_lost_in_libsndfile(tmp_path, monkeypatch, capfd, error):
    path, read = written(tmp_path, CLAIMED["sizes zero"][0]), riff._View.readinto

    class Failing:
        def seek(self, place: int) -> None:
            raise error

        def close(self) -> None:
            pass

    def readinto(view: riff._View, buffer: object) -> int:
        if view.tell() >= 44 and len(memoryview(buffer)) > 1000:
            view._file.close()
            view._file = Failing()
        return read(view, buffer)

    monkeypatch.setattr(riff._View, "readinto", readinto)
    with pytest.raises((KeyboardInterrupt, AudioError)) as told, pytest.warns(HeaderWarning):
        audio.load(path, RATE)
    assert told.type is KeyboardInterrupt or "Input/output error" in str(told.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("flood", [b"LIST\0\0\0\0", b"LIST", b"JUNK\1\0\0\0"])
def test_a_flood_of_chunks_costs_little(tmp_path, monkeypatch, flood):
    looked = []
    monkeypatch.setattr(riff, "_chunk", lambda *of, true=riff._chunk: looked.append(1) or true(*of))
    for content in (
        wav(FMT, chunk(b"data", flood * 200_000 + b"\xff" * 99, UNKNOWN)),
        wav(FMT, flood * 200_000, chunk(b"data", DATA)),
        wav(FMT, chunk(b"data", DATA), flood * 200_000, b"\xff" * 99),
    ):
        with contextlib.suppress(AudioError), warnings.catch_warnings(action="ignore"):
            audio.load(written(tmp_path, content), RATE)
    assert 0 < len(looked) < 3 * 2 * riff.MOST_TRIES * riff.MOST_CHUNKS


def heard(path: Path) -> int:
    """Samples that are heard of a file, each finite; none where it is refused in one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", RecognizerWarning)
        try:
            samples = audio.load(path, None).samples
        except AudioError as error:
            refusal = str(error)
        else:
            assert np.isfinite(samples).all()
            return len(samples)
    assert refusal.startswith(f"{path}: ")
    assert refusal.isprintable()
    return 0


SIZES = st.one_of(
    st.integers(0, 200), st.integers(len(DATA) - 100, len(DATA) + 100), st.integers(0, UNKNOWN), st.just(UNKNOWN)
)


@settings(max_examples=200)
@given(st.data())
def test_whatever_the_sizes_say_there_is_no_more_than_the_file_can_hold(tmp_path_factory, data):
    """Chunks in any order, of any size, padded or not, with any size in front."""
    names = data.draw(st.lists(st.sampled_from([b"LIST", b"fact", b"JUNK", b"mine", b"data"]), max_size=4))
    chunks = [chunk(name, data.draw(st.binary(max_size=40)), data.draw(st.none() | SIZES)) for name in names]
    chunks += [FMT, chunk(b"data", DATA, data.draw(st.none() | SIZES))]
    content = wav(*data.draw(st.permutations(chunks)), size=data.draw(st.none() | SIZES))
    path = written(tmp_path_factory.getbasetemp(), content)
    assert heard(path) <= len(content) / 2


@settings(max_examples=200)
@given(st.data())
def test_changed_headers_are_heard_or_refused(tmp_path_factory, data):
    """Whatever kind of samples they tell of then; the most sparing one takes a quarter of a byte."""
    content = bytearray(data.draw(st.sampled_from([*RIGHT.values(), *(content for content, _ in CLAIMED.values())])))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, 99))] = data.draw(st.integers(0, 255))
    path = written(tmp_path_factory.getbasetemp(), bytes(content))
    assert heard(path) <= 8 * len(content)


# Told on the command line


def hidden(folder: Path, count: int) -> Path:
    """A folder of words of which the headers say nothing."""
    folder.mkdir()
    steps = audio.sixteen_bits(say("rise")).astype("<i2").tobytes()
    for n in range(count):
        (folder / f"{n}.wav").write_bytes(wav(FMT, chunk(b"data", steps, 0)))
    return folder


def test_a_command_tells_of_wrong_headers_in_a_few_lines(tmp_path, run, model_file):
    few, many = hidden(tmp_path / "few", 2), hidden(tmp_path / "many", 9)
    outcome = run("batch", few, few, "--model", model_file, "--json")
    assert [json.loads(line)["word"] for line in outcome.stdout.splitlines()] == ["rise"] * 4
    assert outcome.stderr.count("its header says 0.00 s of sound") == 2
    outcome = run("batch", many, "--model", model_file, "--json")
    assert outcome.status == 0
    assert outcome.stderr.count("its header says 0.00 s of sound") == 5
    assert outcome.stderr.count("and so it is with more recordings") == 1
    assert run("batch", many, "--model", model_file, "--json", "--quiet").stderr == ""


def test_warnings_of_workers_are_heard(tmp_path, built, monkeypatch):
    monkeypatch.setattr(parallel, "WORTH", 1)
    files = sorted(hidden(tmp_path / "files", 2).iterdir())
    with pytest.warns(HeaderWarning) as said:
        found = list(Analyser(built.front_end, built.endpointer).analyse_files(files, jobs=2))
    assert [len(each.features) for each in found] == [1, 1]
    assert {str(each.message).partition(": ")[0] for each in said} == set(map(str, files))
