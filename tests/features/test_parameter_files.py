"""Parameter files against bytes laid out here with struct, as HTK's HCopy lays them out."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recognizer.errors import AudioError
from recognizer.features.parameter_files import SUFFIXES, Parameters, normalised_kind, read, write

quick = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
CODES = {"E": 0o100, "N": 0o200, "D": 0o400, "A": 0o1000, "C": 0o2000, "Z": 0o4000, "K": 0o10000, "0": 0o20000}
CODES |= {"V": 0o40000, "T": 0o100000}
MFCC, USER, DISCRETE, IREFC = 6, 9, 10, 5
features = hnp.arrays(  # of eighths, whose spans single precision can compress
    np.int16, st.tuples(st.integers(1, 20), st.integers(1, 40)), elements=st.integers(-8000, 8000)
).map(lambda eighths: (eighths / 8).astype(np.float32))


def hcopy(vectors, code, period=100_000, compressed=True, checksum=True):
    """A file as HCopy writes it by default: compressed, with a checksum.

    The compression is that of the HTK Book, section 5.10: A = 2 I / (max - min), B = (max + min) I / (max - min) for
    I = 32767, every column for itself, and A x - B is stored; the checksum is that of HParm.c, word by word.
    """
    frames, dims = vectors.shape
    words = b""
    if compressed:
        code |= CODES["C"]
        low, high = vectors.min(0).astype(float), vectors.max(0).astype(float)
        span = np.where(high > low, high - low, 1.0)
        scale, offset = 2 * 32767 / span, (high + low) * 32767 / span
        words += struct.pack(f">{2 * dims}f", *scale, *offset)
        for row in vectors.astype(float):
            words += struct.pack(f">{dims}h", *np.clip(np.round(scale * row - offset), -32767, 32767).astype(int))
        header = struct.pack(">iihH", frames + 4, period, 2 * dims, code | (CODES["K"] if checksum else 0))
    else:
        for row in vectors:
            words += struct.pack(f">{dims}f", *row)
        header = struct.pack(">iihH", frames, period, 4 * dims, code | (CODES["K"] if checksum else 0))
    sum_ = 0
    for (word,) in struct.iter_unpack(">H", words):
        sum_ = (sum_ * 65536 + word) % 36897
    return header + words + (struct.pack(">H", sum_) if checksum else b"")


@pytest.fixture
def reading(tmp_path):
    def read_bytes(content, name="a.mfc"):
        (tmp_path / name).write_bytes(content)
        return read(tmp_path / name)

    return read_bytes


def refusal(reading, content):
    with pytest.raises(AudioError) as caught:
        reading(content)
    message = str(caught.value)
    assert "\n" not in message
    assert "a.mfc: " in message
    return message.split("a.mfc: ", 1)[1]


@quick
@given(features, st.booleans(), st.booleans())
def test_what_hcopy_writes(tmp_path, vectors, compressed, checksum):
    (tmp_path / "a.mfc").write_bytes(hcopy(vectors, MFCC | CODES["D"] | CODES["0"], 100_000, compressed, checksum))
    parameters = read(tmp_path / "a.mfc")
    assert parameters.kind == "MFCC_D_0"
    assert parameters.period == 0.01
    assert parameters.vectors.dtype == np.float32
    assert parameters.vectors.shape == vectors.shape
    if compressed:  # to 65535 steps of the range of each column, A and B in single precision
        span = (vectors.max(0) - vectors.min(0)).astype(float)
        error = np.abs(parameters.vectors.astype(float) - vectors).max(0)
        assert (error <= np.where(span > 0, span, 1) / 65534 + 1e-3).all()
    else:
        np.testing.assert_array_equal(parameters.vectors, vectors)


def test_compression_is_undone_by_adding_b_and_dividing_by_a(reading):
    words = struct.pack(">4f", 2.0, 4.0, 10.0, -8.0) + struct.pack(">4h", 0, 0, -30, 108)
    content = struct.pack(">iihH", 2 + 4, 100_000, 4, MFCC | CODES["C"]) + words
    np.testing.assert_array_equal(reading(content).vectors, [[5, -2], [-10, 25]])


@quick
@given(features, st.sampled_from(["MFCC_E_D_A", "USER", "PLP_0", "FBANK_Z", "MFCC_D_A_T_0"]))
def test_what_is_written_is_read(tmp_path, vectors, kind):
    write(tmp_path / "a.mfc", Parameters(vectors, kind, 0.0125))
    again = read(tmp_path / "a.mfc")
    np.testing.assert_array_equal(again.vectors, vectors)
    assert (again.kind, again.period) == (kind, 0.0125)
    assert [file.name for file in tmp_path.iterdir()] == ["a.mfc"]


def test_the_bytes_that_are_written(tmp_path):
    vectors = np.array([[1.5, -2.0], [0.25, 3.0]], np.float32)
    write(tmp_path / "a.mfc", Parameters(vectors, "MFCC_0_D_A", 0.01))
    header = struct.pack(">iihH", 2, 100_000, 8, MFCC | CODES["0"] | CODES["D"] | CODES["A"])
    assert (tmp_path / "a.mfc").read_bytes() == header + struct.pack(">4f", 1.5, -2.0, 0.25, 3.0)


def test_symbols(tmp_path, reading):
    content = struct.pack(">iihH", 3, 100_000, 4, DISCRETE) + struct.pack(">6h", 1, 256, 7, 3, 32767, 2)
    parameters = reading(content)
    np.testing.assert_array_equal(parameters.vectors, [[1, 256], [7, 3], [32767, 2]])
    assert parameters.kind == "DISCRETE"
    write(tmp_path / "b.mfc", parameters)
    assert (tmp_path / "b.mfc").read_bytes() == content


def test_reflection_coefficients_in_shorts(reading):
    content = struct.pack(">iihH", 2, 100_000, 2, IREFC) + struct.pack(">2h", 32767, -16384)
    parameters = reading(content)
    np.testing.assert_allclose(parameters.vectors, [[1.0], [-16384 / 32767]], rtol=1e-6)
    assert parameters.kind == "LPREFC"


@pytest.mark.parametrize("letter", "ENDAZ0VT")
def test_every_qualifier(reading, letter):
    content = struct.pack(">iihH", 1, 100_000, 4, MFCC | CODES[letter]) + struct.pack(">f", 1)
    assert reading(content).kind == f"MFCC_{letter}"


def test_every_base_kind(reading):
    names = {1: "LPC", 2: "LPREFC", 3: "LPCEPSTRA", 4: "LPDELCEP", 6: "MFCC", 7: "FBANK", 8: "MELSPEC", 9: "USER"}
    for code, name in (names | {11: "PLP"}).items():
        assert reading(struct.pack(">iihHf", 1, 1, 4, code, 1.0)).kind == name


def test_kinds_compare_in_any_order():
    assert (
        normalised_kind("MFCC_D_A_0") == normalised_kind("MFCC_0_D_A") == normalised_kind("mfcc_a_0_d") == "MFCC_D_A_0"
    )
    assert normalised_kind("MFCC_Z_A_D_E_C_K") == "MFCC_E_D_A_Z"
    assert normalised_kind("MFCC_E_D") != normalised_kind("MFCC_E_D_A")


@pytest.mark.parametrize("kind", ["MFCX", "MFCC_Q", "MFCC_", "", "MFCC D", "MFCC_ED"])
def test_kinds_that_there_are_not(kind):
    with pytest.raises(AudioError, match="is no parameter kind of HTK; give a base kind and qualifiers"):
        normalised_kind(kind)


def test_suffixes():
    assert {".mfc", ".htk", ".user", ".plp", ".fea"} <= SUFFIXES
    assert all(suffix == suffix.lower() for suffix in SUFFIXES)


GOOD = hcopy(np.arange(12, dtype=np.float32).reshape(4, 3), MFCC)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has 0 bytes, less than the header of a parameter file (12); write it again"),
        (GOOD[:11], "has 11 bytes, less than the header"),
        (GOOD[:-1], "is no parameter file of HTK, or damaged: its header tells of 8 frames of 6 bytes, which makes 62"),
        (GOOD + b"\0", "is no parameter file of HTK, or damaged"),
        (b"RIFF" + bytes(100), "is no parameter file of HTK, or damaged"),
        (GOOD[:30] + b"\x55" + GOOD[31:], "is damaged: its checksum is "),
        (
            struct.pack("<iihHf", 1, 100_000, 4, MFCC, 1.0),
            "has its bytes in little-endian order; write it with NATURALWRITEORDER = F",
        ),
        (struct.pack(">iihHh", 1, 625, 2, 0, 1), "holds a waveform (kind WAVEFORM) instead of features; convert it"),
        (struct.pack(">iihHf", 1, 1, 4, 12, 1.0), "has parameter kind 12, unknown to HTK 3.4"),
        (struct.pack(">iihHf", 1, 0, 4, MFCC, 1.0), "has a period of 0 x 100 ns from frame to frame"),
        (struct.pack(">iihHf", 1, -1, 4, MFCC, 1.0), "has a period of -1 x 100 ns"),
        (struct.pack(">iihH", 1, 1, 5, MFCC) + bytes(5), "has frames of 5 bytes, no multiple of the 4 that a number"),
        (struct.pack(">iihH", 1, 1, 3, DISCRETE) + bytes(3), "has frames of 3 bytes, no multiple of the 2"),
        (struct.pack(">iihH", 5, 1, 0, MFCC), "has frames of 0 bytes"),
        (struct.pack(">iihH", -1, 1, -4, MFCC) + bytes(4), "has frames of -4 bytes"),
        (struct.pack(">iihH", 0, 1, 4, MFCC), "holds no frames; record or convert it again"),
        (struct.pack(">iihH", 4, 1, 2, MFCC | CODES["C"]) + bytes(8), "is compressed but holds no frames"),
        (struct.pack(">iihH", 2, 1, 2, MFCC | CODES["C"]) + bytes(4), "is compressed but holds no frames"),
        (struct.pack(">iihH2f", 2, 1, 4, MFCC, 1.0, np.nan), "has a value that is not a finite number in frame 1"),
        (struct.pack(">iihH2f", 2, 1, 4, MFCC, np.inf, 1.0), "has a value that is not a finite number in frame 0"),
        (
            struct.pack(">iihH2fh", 5, 1, 2, MFCC | CODES["C"], 0.0, 1.0, 5),
            "has a value that is not a finite number in frame 0",
        ),
        (struct.pack(">iihHh", 1, 1, 2, DISCRETE, 0), "has the symbol 0, but symbols count from 1; quantise it again"),
    ],
)
def test_damaged_files(reading, content, message):
    assert refusal(reading, content).startswith(message)


def test_what_is_no_file(tmp_path):
    with pytest.raises(AudioError, match=r"none\.mfc: no such file; check the name$"):
        read(tmp_path / "none.mfc")
    with pytest.raises(AudioError, match=r"is a folder; name a parameter file in it$"):
        read(tmp_path)
    with pytest.raises(AudioError, match="is no file name"):
        read("a\0b")


@settings(quick, max_examples=300)
@given(
    st.tuples(st.integers(-1, 6), st.integers(-1, 2), st.integers(-1, 6), st.integers(0, 13) | st.integers(0, 65535)),
    st.binary(max_size=40),
)
def test_any_bytes_are_read_or_refused(tmp_path, header, content):
    (tmp_path / "a.mfc").write_bytes(struct.pack(">iihH", *header) + content)
    try:
        vectors = read(tmp_path / "a.mfc").vectors
    except AudioError:
        return
    assert np.isfinite(vectors).all()
    assert vectors.size


@pytest.mark.parametrize(
    ("vectors", "kind", "period", "message"),
    [
        (np.ones((2, 3)), "IREFC", 0.01, "files of the kind IREFC are not written; give another"),
        (np.ones((2, 3)), "WAVEFORM", 0.01, "files of the kind WAVEFORM are not written"),
        (np.ones((2, 3)), "MFCX", 0.01, "'MFCX' is no parameter kind"),
        (np.ones((0, 3)), "USER", 0.01, "features of shape (0, 3) fill no file"),
        (np.ones(3), "USER", 0.01, "features of shape (3,) fill no file"),
        (np.ones((1, 8192)), "USER", 0.01, "8192 values a frame are more than HTK's 8191"),
        (np.ones((2, 3)), "USER", 0.0, "0.0 s from frame to frame cannot be written"),
        (np.ones((2, 3)), "USER", np.nan, "nan s from frame to frame cannot be written"),
        (np.ones((2, 3)), "USER", 300.0, "300.0 s from frame to frame cannot be written"),
        (np.full((2, 3), np.nan), "USER", 0.01, "a value is not a finite number in single precision"),
        (np.full((2, 3), 1e39), "USER", 0.01, "a value is not a finite number in single precision"),
        (np.full((2, 3), 1.5), "DISCRETE", 0.01, "a symbol is not a whole number from 1 to 32767"),
        (np.zeros((2, 3)), "DISCRETE", 0.01, "a symbol is not a whole number from 1 to 32767"),
        (np.full((2, 3), 32768.0), "DISCRETE", 0.01, "a symbol is not a whole number from 1 to 32767"),
    ],
)
def test_what_is_not_written(tmp_path, vectors, kind, period, message):
    with pytest.raises(AudioError) as caught:
        write(tmp_path / "a.mfc", Parameters(vectors, kind, period))
    assert f"a.mfc: {message}" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_no_folder_to_write_to(tmp_path):
    with pytest.raises(AudioError, match=r"a\.mfc: cannot be written \(No such file or directory\); choose"):
        write(tmp_path / "none" / "a.mfc", Parameters(np.ones((1, 1)), "USER", 0.01))
