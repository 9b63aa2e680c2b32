"""Files are written here byte by byte with struct, so that no reader is tested against its own writer."""

from __future__ import annotations

import contextlib
import doctest
import io
import math
import os
import stat
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from refusing import refusal
from scipy.signal import fftconvolve, firwin

from recognizer import parallel
from recognizer.errors import AudioError, HeaderWarning
from recognizer.features import analysis
from recognizer.recognizer import Recognizer
from recognizer.sound import audio, resampling


@pytest.fixture(autouse=True)
def no_warnings():
    """Nothing here may warn, whatever the input."""
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        yield


def wav_bytes(data: bytes, *, rate=8000, channels=1, bits=16, code=1, data_size=None) -> bytes:
    """Write a RIFF file by the book: header, format chunk (1 integer, 3 float), data chunk."""
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", code, channels, rate, rate * frame % 2**32, frame, bits)
    size = len(data) if data_size is None else data_size
    body = b"WAVE" + b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", min(len(body), 0xFFFFFFFF)) + body


def packed(values: np.ndarray, bits: int, code: int) -> bytes:
    """Turn samples of full scale 1 into the bytes a WAV file holds, rounded to the nearest step."""
    if code == 3:
        return values.astype(f"<f{bits // 8}").tobytes()
    steps = np.clip(np.rint(values * 2.0 ** (bits - 1)), -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)
    if bits == 8:
        return (steps + 128).astype(np.uint8).tobytes()
    whole = steps.astype("<i4").reshape(-1, 1).view(np.uint8)  # the low bytes come first
    return whole[:, : bits // 8].tobytes()


def tone(frequency, rate, *, amplitude=0.5, seconds=1.0):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)


def amplitude_at(samples, frequency, rate):
    """Fit a sinusoid of a frequency by least squares, away from the edges; its amplitude."""
    n = np.arange(len(samples))[len(samples) // 10 : -len(samples) // 10]
    phase = 2 * np.pi * frequency * n / rate
    basis = np.stack([np.cos(phase), np.sin(phase)], axis=1)
    fit, *_ = np.linalg.lstsq(basis, samples[n].astype(float), rcond=None)
    return float(np.hypot(*fit))


refused = partial(refusal, AudioError)


def refused_file(path, *parts) -> str:
    text = refused(lambda: audio.load(path, 8000), *parts)
    assert text.startswith(f"{path}: ")
    return text


# Reading


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize(("bits", "code"), [(8, 1), (16, 1), (24, 1), (32, 1), (32, 3), (64, 3)])
def test_every_wav_format_gives_what_was_packed(tmp_path, bits, code, channels):
    values = np.random.default_rng(0).uniform(-1, 1, (500, channels))
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(packed(values, bits, code), bits=bits, code=code, channels=channels))
    recording = audio.load(path, 8000)
    step = 2.0 ** -(bits - 1) if code == 1 else 0
    assert recording.samples.dtype == np.float32
    assert (recording.sample_rate, recording.source_rate) == (8000, 8000)
    # The largest value may be clipped by one step instead of half a step; float32 adds its own rounding.
    np.testing.assert_allclose(recording.samples, values.mean(axis=1), rtol=0, atol=step + 2e-7)


@pytest.mark.parametrize(
    ("suffix", "subtype", "tolerance"),
    [
        (".flac", "PCM_16", 2**-15),
        (".flac", "PCM_24", 2**-23),
        (".ogg", "VORBIS", 0.02),
        (".ogg", "OPUS", 0.1),
        (".aiff", "PCM_16", 2**-15),
        (".au", "PCM_16", 2**-15),
        (".wav", "ULAW", 0.02),
        (".wav", "ALAW", 0.02),
        (".mp3", "MPEG_LAYER_III", 0.1),
    ],
)
def test_other_formats(tmp_path, suffix, subtype, tolerance):
    if subtype not in soundfile.available_subtypes(suffix[1:].upper()):
        pytest.skip(f"this libsndfile has no {subtype}")
    values = tone(440, 16000)
    soundfile.write(tmp_path / f"a{suffix}", values, 16000, subtype=subtype)
    recording = audio.load(tmp_path / f"a{suffix}", 16000)
    assert recording.source_rate == 16000
    assert amplitude_at(recording.samples, 440, 16000) == pytest.approx(0.5, abs=tolerance)
    if suffix != ".mp3":  # MP3 starts late by design
        inside = slice(1600, 14400)  # the ends are where lossy codecs err
        assert len(recording.samples) == 16000
        np.testing.assert_allclose(recording.samples[inside], values[inside], rtol=0, atol=tolerance)


def test_the_content_decides_not_the_name(tmp_path):
    soundfile.write(tmp_path / "a.flac", tone(440, 8000), 8000)
    (tmp_path / "a.flac").rename(tmp_path / "a.wav")
    assert len(audio.load(str(tmp_path / "a.wav"), 8000).samples) == 8000


@pytest.mark.parametrize("bits", [16, 24])
def test_96_khz_stereo_keeps_frequency_and_level(tmp_path, bits):
    # What is above 4 kHz must go, not fold back: 30 kHz would land on 2 kHz.
    left, right = tone(1000, 96000), tone(1000, 96000) + tone(30000, 96000, amplitude=0.4)
    path = tmp_path / "a.wav"
    data = packed(np.stack([left, right], axis=1), bits, 1)
    path.write_bytes(wav_bytes(data, rate=96000, channels=2, bits=bits))
    recording = audio.load(path, 8000)
    assert (recording.sample_rate, recording.source_rate) == (8000, 96000)
    assert len(recording.samples) == 8000
    assert amplitude_at(recording.samples, 1000, 8000) == pytest.approx(0.5, rel=1e-3)
    assert amplitude_at(recording.samples, 2000, 8000) < 1e-4
    spectrum = np.abs(np.fft.rfft(recording.samples * np.hanning(8000)))
    assert np.argmax(spectrum) == 1000  # bins of 1 Hz


def test_resampling_to_a_higher_rate_leaves_the_top_band_empty(tmp_path):
    path = tmp_path / "a.wav"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 8000)
    path.write_bytes(wav_bytes(packed(noise, 16, 1)))
    recording = audio.load(path, 16000)
    assert (recording.sample_rate, recording.source_rate) == (16000, 8000)
    power = np.abs(np.fft.rfft(recording.samples * np.hanning(len(recording.samples)))) ** 2
    assert power[4400:].sum() < 1e-6 * power[:3600].sum()


@pytest.mark.parametrize(("source", "calls"), [(44100, 1), (8000, 0)])
def test_resampling_is_applied_once_to_the_mean(tmp_path, monkeypatch, source, calls):
    seen = []
    resample = soxr.resample

    def spy(samples, *args, **kwargs):
        seen.append((samples.shape, args, kwargs))
        return resample(samples, *args, **kwargs)

    monkeypatch.setattr(soxr, "resample", spy)
    values = np.random.default_rng(0).uniform(-0.5, 0.5, (100_000, 2)).astype(np.float32)
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(packed(values, 32, 3), rate=source, channels=2, bits=32, code=3))
    recording = audio.load(path, 8000)
    assert seen == [((100_000,), (source, 8000), {"quality": "HQ"})] * calls
    # One pass over the whole, whatever the blocks it was read in.
    expected = resample(values.mean(axis=1), source, 8000, quality="HQ") if calls else values.mean(axis=1)
    np.testing.assert_allclose(recording.samples, expected, atol=1e-6)


@pytest.mark.parametrize("kept", [1, 7, 500])
def test_a_truncated_wav_gives_what_is_there(tmp_path, kept):
    values = np.random.default_rng(0).uniform(-1, 1, 1000)
    whole = wav_bytes(packed(values, 16, 1))
    path = tmp_path / "a.wav"
    path.write_bytes(whole[: 44 + 2 * kept + 1])  # half a sample more
    samples = audio.load(path, 8000).samples
    np.testing.assert_allclose(samples, values[:kept], atol=2**-15)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000])
def test_a_wav_written_to_a_pipe_has_no_length_in_its_header(tmp_path, size):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(packed(tone(440, 8000), 16, 1), data_size=size))
    assert len(audio.load(path, 8000).samples) == 8000


def test_a_flac_written_to_a_pipe_has_no_length_in_its_header(tmp_path):
    stream = io.BytesIO()
    soundfile.write(stream, tone(440, 8000), 8000, format="FLAC")
    content = bytearray(stream.getvalue())
    # The 36-bit number of samples is at bit 108 of STREAMINFO, after 4 bytes of marker and 4 of block header.
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(content)
    assert len(audio.load(tmp_path / "a.flac", 8000).samples) == 8000


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_read(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    content = wav_bytes(packed(tone(440, 8000), 16, 1))
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()
    assert len(audio.load(path, 8000).samples) == 8000
    writer.join()


def test_ten_minutes_stereo(tmp_path):
    path = tmp_path / "a.wav"
    second = packed(np.stack([tone(440, 16000)] * 2, axis=1), 16, 1)
    path.write_bytes(wav_bytes(second * 600, rate=16000, channels=2))
    start = time.perf_counter()
    recording = audio.load(path, 8000)
    assert time.perf_counter() - start < 5  # far from the usual half second, for slow machines
    assert len(recording.samples) == 600 * 8000


def test_more_channels_than_samples_in_a_file_are_what_they_are(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav_bytes(packed(np.full((3, 100), 0.25), 16, 1), channels=100))
    np.testing.assert_array_equal(audio.load(tmp_path / "a.wav", 8000).samples, [0.25] * 3)


def test_silence_offset_and_clipping_are_no_errors(tmp_path):
    for values in (np.zeros(800), np.full(800, 0.7), np.sign(tone(440, 8000))):
        (tmp_path / "a.wav").write_bytes(wav_bytes(packed(values, 16, 1)))
        np.testing.assert_allclose(audio.load(tmp_path / "a.wav", 8000).samples, values, atol=2**-15)


def test_nothing_is_printed(tmp_path, capfd):
    (tmp_path / "a.wav").write_bytes(wav_bytes(packed(tone(440, 8000), 16, 1)))
    audio.load(tmp_path / "a.wav", 16000)
    assert capfd.readouterr() == ("", "")


def test_real_recordings(shared_data):
    for name, rate in (("fsdd", 8000), ("speech_commands", 16000), ("dspspeech20", 16000)):
        for path in sorted(p for p in shared_data(name).rglob("*") if p.is_file())[::200]:
            native, other = audio.load(path, rate), audio.load(path, 24000 - rate)
            assert native.source_rate == other.source_rate == rate
            assert abs(len(native.samples) / rate - len(other.samples) / (24000 - rate)) < 1e-3
            if path.suffix == ".wav":  # mono 16 bits behind 44 bytes of header
                expected = np.frombuffer(path.read_bytes()[44:], "<i2")[: len(native.samples)] / 32768
                np.testing.assert_array_equal(native.samples, expected)


# Files that cannot be read


def test_no_such_file(tmp_path):
    refused_file(tmp_path / "a.wav", "no such file")


def test_a_folder(tmp_path):
    refused_file(tmp_path, "is a folder")


def test_a_broken_link(tmp_path):
    (tmp_path / "a.wav").symlink_to(tmp_path / "gone.wav")
    refused_file(tmp_path / "a.wav", "broken symbolic link", "gone.wav")


def test_a_link_to_itself(tmp_path):
    (tmp_path / "a.wav").symlink_to(tmp_path / "a.wav")
    refused_file(tmp_path / "a.wav", "cannot be read")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(bytes(2)))
    path.chmod(0)
    refused_file(path, "no permission")


def test_lack_of_permission_is_told_even_where_root_runs_the_tests(tmp_path, monkeypatch):
    def forbidden(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", forbidden)
    refused_file(tmp_path / "a.wav", "no permission")


def test_a_file_used_as_a_folder(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav_bytes(bytes(2)))
    refused_file(tmp_path / "a.wav" / "b.wav", "cannot be read")


def test_an_empty_file(tmp_path):
    (tmp_path / "a.wav").touch()
    refused_file(tmp_path / "a.wav", "empty (0 bytes)")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.txt", "a.raw", "a"])
def test_text(tmp_path, name):
    (tmp_path / name).write_text("yes, this is text\n" * 20)
    refused_file(tmp_path / name, "is not sound or is damaged", "WAV")


def test_zeros(tmp_path):
    (tmp_path / "a.wav").write_bytes(bytes(1000))
    refused_file(tmp_path / "a.wav", "is not sound or is damaged")


def test_a_header_cut_short(tmp_path):
    whole = wav_bytes(bytes(100))
    for size in range(1, 44):
        (tmp_path / "a.wav").write_bytes(whole[:size])
        refused_file(tmp_path / "a.wav")


def test_a_flac_cut_short_is_damaged(tmp_path):
    stream = io.BytesIO()
    soundfile.write(stream, np.random.default_rng(0).uniform(-0.5, 0.5, 20000), 8000, format="FLAC")
    (tmp_path / "a.flac").write_bytes(stream.getvalue()[:20000])
    refused_file(tmp_path / "a.flac", "damaged")


def test_no_samples(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav_bytes(b""))
    refused_file(tmp_path / "a.wav", "no samples")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, 1e300])
@pytest.mark.parametrize("at", [0, 70_000, 99_999])
def test_samples_that_are_no_numbers(tmp_path, value, at):
    values = np.zeros((100_000, 2))
    values[at, 1] = value
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(packed(values, 64, 3), channels=2, bits=64, code=3))
    refused_file(path, "a sample is ", "inf" if abs(value) > 1e100 else f"{value:.0e}")


@pytest.mark.parametrize("rate", [1, 999, 1_000_001, 2_000_000_000])
def test_a_header_with_an_absurd_rate(tmp_path, rate):
    (tmp_path / "a.wav").write_bytes(wav_bytes(bytes(100), rate=rate))
    refused_file(tmp_path / "a.wav", f"{rate} Hz", "1000 to 1000000")


@pytest.mark.parametrize("rate", [0, 2**31, 2**32 - 1])
def test_a_header_with_a_rate_that_libsndfile_refuses_itself(tmp_path, rate):
    (tmp_path / "a.wav").write_bytes(wav_bytes(bytes(100), rate=rate))
    refused_file(tmp_path / "a.wav")


def test_too_few_samples_for_a_lower_rate(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav_bytes(bytes(2), rate=96000))
    refused_file(tmp_path / "a.wav", "1 sample", "96000", "8000")


def test_a_name_with_a_line_break_stays_on_one_line(tmp_path):
    text = refused(lambda: audio.load(tmp_path / "a\nb.wav", 8000), "no such file")
    assert r"a\nb.wav" in text


def test_a_name_with_a_zero_character():
    refused(lambda: audio.load("a\0b.wav", 8000), r"a\x00b.wav", "no file name")


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_damaged_wav_gives_samples_or_one_line(tmp_path_factory, data):
    content = bytearray(wav_bytes(packed(tone(440, 8000, seconds=0.02), 16, 1)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 60))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.wav"
    path.write_bytes(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HeaderWarning)  # said where there is more sound than the header claims
            samples, complaint = audio.load(path, 8000).samples, None
    except AudioError as error:
        samples, complaint = None, str(error)
    if complaint:
        assert complaint.startswith(f"{path}: ")
        assert complaint.isprintable()
    else:
        assert samples.ndim == 1
        assert samples.size
        assert np.isfinite(samples).all()


# Arrays


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, ">i2", np.uint8, np.uint16, np.uint32])
def test_integers_are_scaled_by_their_type(dtype):
    info = np.iinfo(dtype)
    centre = 0 if info.min else (info.max + 1) // 2
    samples = np.array([info.min, centre, centre + (centre or info.max + 1) // 2, info.max], dtype=dtype)
    got = audio.prepare(samples, 8000, 8000).samples
    step = 1 / 2.0 ** (info.bits - 1)
    np.testing.assert_allclose(got, [-1, 0, 0.5, 1 - step], rtol=0, atol=6e-8)
    assert got.dtype == np.float32


def test_a_small_signal_in_wide_unsigned_integers_survives():
    samples = np.array([2**31 + 3, 2**31 - 3], dtype=np.uint32)
    np.testing.assert_allclose(audio.prepare(samples, 8000, 8000).samples, [3 / 2**31, -3 / 2**31])


@given(
    hnp.arrays(
        st.sampled_from([np.float16, np.float32, np.float64, np.longdouble]),
        hnp.array_shapes(min_dims=1, max_dims=2, max_side=40),
        elements=st.floats(-4, 4, width=16),
    )
)
def test_floats_are_kept_and_channels_averaged(samples):
    before = samples.copy()
    got = audio.prepare(samples, 16000, 16000).samples
    expected = [np.mean([float(v) for v in np.atleast_1d(row)]) for row in samples]
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    assert got.flags.writeable
    assert not np.shares_memory(got, samples)
    np.testing.assert_array_equal(samples, before)


@given(
    rates=st.tuples(*[st.sampled_from([4000, 8000, 11025, 16000, 22050, 44100, 48000])] * 2),
    count=st.integers(100, 3000),
)
@settings(deadline=None, max_examples=50)
def test_resampling_keeps_the_duration(rates, count):
    source, target = rates
    recording = audio.prepare(np.zeros(count, np.float32), source, target)
    assert abs(len(recording.samples) - count * target / source) <= 1
    assert not recording.samples.any()


def test_every_layout_in_memory_gives_the_same():
    values = np.random.default_rng(0).uniform(-1, 1, (1000, 2)).astype(np.float32)
    expected = audio.prepare(values, 16000, 8000).samples
    read_only = values.copy()
    read_only.flags.writeable = False
    for same in (np.asfortranarray(values), values[::-1][::-1], read_only, values.tolist()):
        np.testing.assert_allclose(audio.prepare(same, 16000, 8000).samples, expected, atol=1e-6)


@pytest.mark.parametrize("rate", [0, -1, -8000, 999, 2e6, float("nan"), float("inf"), 8000.5, True])
def test_absurd_rates(rate):
    samples = np.zeros(100, np.float32)
    refused(lambda: audio.prepare(samples, rate, 8000), "the recording's sample rate", rate)
    refused(lambda: audio.prepare(samples, 8000, rate), "the wanted sample rate", rate)


def test_whole_rates_of_any_number_type_are_integers_afterwards():
    recording = audio.prepare(np.zeros(10), np.float64(8000), np.int16(8000))
    assert [type(recording.sample_rate), type(recording.source_rate)] == [int, int]


@pytest.mark.parametrize("shape", [(), (10, 10, 2), (2, 16000), (16000, 0)])
def test_shapes_that_are_no_recording(shape):
    refused(lambda: audio.prepare(np.zeros(shape), 8000, 8000), "shape", shape)


@pytest.mark.parametrize("dtype", [complex, np.complex64, bool, object, "U1", "M8[s]", np.int64, np.uint64])
def test_types_that_are_no_samples(dtype):
    refused(lambda: audio.prepare(np.zeros(10).astype(dtype), 8000, 8000), "type", np.dtype(dtype), "float32")


@pytest.mark.parametrize("samples", [[], np.zeros((0, 2)), np.zeros(0, np.int16)])
def test_empty_arrays(samples):
    refused(lambda: audio.prepare(samples, 8000, 8000), "no samples")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_arrays_that_are_not_finite(dtype, value):
    samples = np.zeros((10, 2), dtype)
    samples[3] = [value, -value]
    refused(lambda: audio.prepare(samples, 8000, 8000), "a sample is", str(abs(value)))


def test_recordings_can_be_compared_and_hashed():
    first, second = (audio.prepare(np.zeros(10), 8000, 8000) for _ in range(2))
    assert first == first
    assert len({first, second}) == 2


# Writing


def test_save_writes_the_expected_bytes(tmp_path):
    samples = np.array([0, 0.5, -0.5, 1, -1, 7, -7, 1 / 32768, 0.4 / 32768, 0.6 / 32768])
    audio.save(tmp_path / "a.wav", samples, 16000)
    expected = [0, 16384, -16384, 32767, -32768, 32767, -32768, 1, 0, 1]
    assert (tmp_path / "a.wav").read_bytes() == wav_bytes(np.array(expected, "<i2").tobytes(), rate=16000)


@given(hnp.arrays(np.int16, st.integers(1, 100)))
def test_what_was_loaded_is_saved_bit_by_bit(tmp_path_factory, steps):
    first, second = (tmp_path_factory.getbasetemp() / name for name in ("first.wav", "second.wav"))
    first.write_bytes(wav_bytes(steps.astype("<i2").tobytes()))
    audio.save(second, audio.load(first, 8000).samples, 8000)
    assert second.read_bytes() == first.read_bytes()
    audio.save(second, steps, 8000)
    assert second.read_bytes() == first.read_bytes()


def test_sound_in_memory_is_the_file_that_would_be_saved(tmp_path):
    samples = np.array([0, 0.5, -1, 1.5, 0.123456], np.float32)
    audio.save(tmp_path / "a.wav", samples, 8000)
    assert audio.as_wav(samples, 8000) == (tmp_path / "a.wav").read_bytes()


def test_save_replaces_and_leaves_nothing_beside(tmp_path):
    for level in (0.1, 0.2):
        audio.save(str(tmp_path / "é 语音.wav"), np.full(100, level), 8000)
    assert [p.name for p in tmp_path.iterdir()] == ["é 语音.wav"]
    assert audio.load(tmp_path / "é 语音.wav", 8000).samples[0] == pytest.approx(0.2, abs=2**-16)


def test_a_killed_save_leaves_the_old_file(tmp_path, monkeypatch):
    audio.save(tmp_path / "a.wav", np.zeros(100), 8000)
    before = (tmp_path / "a.wav").read_bytes()

    def killed(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        audio.save(tmp_path / "a.wav", np.ones(200), 8000)
    assert (tmp_path / "a.wav").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_a_saved_file_may_be_read_by_its_owner_alone(tmp_path, umask):
    before = os.umask(umask)
    try:
        audio.save(tmp_path / "a.wav", np.zeros(100), 8000)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.wav").stat().st_mode) == 0o600


def test_a_name_that_must_be_free_is_never_taken_away(tmp_path):
    audio.save(tmp_path / "a.wav", np.zeros(100), 8000, new=True)
    before = (tmp_path / "a.wav").read_bytes()
    with pytest.raises(FileExistsError):
        audio.save(tmp_path / "a.wav", np.ones(200), 8000, new=True)
    assert (tmp_path / "a.wav").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_save_refuses(tmp_path):
    def save(name, samples=(0.0, 0.1), rate=8000):
        return lambda: audio.save(tmp_path / name, samples, rate)

    (tmp_path / "folder.wav").mkdir()
    refused(save("missing/a.wav"), tmp_path / "missing" / "a.wav", "cannot be written")
    refused(save("folder.wav"), tmp_path / "folder.wav", "cannot be written")
    refused(save("a.flac"), tmp_path / "a.flac", "only WAV")
    refused(save("a"), "only WAV")
    refused(save("a.wav", [0.0, np.nan]), tmp_path / "a.wav", "nan")
    refused(save("a.wav", []), "no samples")
    refused(save("a.wav", rate=0), "0 Hz")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.wav"]


# Streams: another rate

STREAM_RATES = st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000])


def resampled(samples, source, target, cuts=()):
    """What a Resampler makes of samples that come in pieces."""
    resampler = resampling.Resampler(source, target)
    parts = [resampler.push(part) for part in np.split(np.asarray(samples, np.float32), sorted(cuts))]
    return np.concatenate([*parts, resampler.push(np.zeros(0, np.float32), last=True)])


@settings(max_examples=30, deadline=None)
@given(STREAM_RATES, STREAM_RATES, st.integers(0, 3000), st.data())
def test_a_stream_is_resampled_the_same_however_it_is_cut(source, target, count, data):
    samples = np.random.default_rng(count).uniform(-1, 1, count).astype(np.float32)
    cuts = data.draw(st.lists(st.integers(0, count), max_size=8))
    whole, cut = resampled(samples, source, target), resampled(samples, source, target, cuts)
    assert whole.dtype == cut.dtype == np.float32
    assert len(whole) == -(-count * target // source)
    np.testing.assert_array_equal(cut, whole)


@settings(max_examples=30, deadline=None)
@given(STREAM_RATES, STREAM_RATES, st.integers(1, 2000))
def test_a_stream_is_filtered_as_scipy_filters_it(source, target, count):
    """Zeros put between, a windowed sinc, and all but some left out: scipy's own design and filter, in float64."""
    samples = np.random.default_rng(count).uniform(-1, 1, count)
    common = math.gcd(source, target)
    up, down = target // common, source // common
    centre = resampling.ZERO_CROSSINGS * max(up, down)
    window = ("kaiser", resampling.KAISER)
    response = up * firwin(2 * centre + 1, resampling.PASS_BAND / max(up, down), window=window)
    stuffed = np.zeros(count * up)
    stuffed[::up] = samples
    expected = samples if up == down else fftconvolve(stuffed, response)[centre : centre + len(stuffed)][::down]
    np.testing.assert_allclose(resampled(samples, source, target), expected, rtol=0, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(STREAM_RATES, STREAM_RATES, st.floats(0.01, 0.8))
def test_a_tone_in_the_pass_band_comes_out_as_it_would_have_been_recorded(source, target, place):
    frequency = place * min(source, target) / 2
    got = resampled(tone(frequency, source, seconds=0.2), source, target)
    inside = slice(len(got) // 10, -len(got) // 10)
    ideal = tone(frequency, target, seconds=0.3)[: len(got)]
    np.testing.assert_allclose(got[inside], ideal[inside], rtol=0, atol=0.5e-4)  # -80 dB


@settings(max_examples=30, deadline=None)
@given(STREAM_RATES, STREAM_RATES, st.floats(1.08, 10))
def test_a_tone_over_the_new_nyquist_frequency_is_gone(source, target, place):
    frequency = place * target / 2
    if frequency < source / 2:
        got = resampled(tone(frequency, source, seconds=0.2), source, target)
        assert np.abs(got[len(got) // 10 : -len(got) // 10]).max() < 0.5e-4


@pytest.mark.parametrize(
    ("source", "target"), [(994_282, 8000), (999_983, 8000), (383_999, 16000), (1000, 44_117), (999_983, 1_000_000)]
)
def test_rates_that_have_no_small_ratio_take_no_more_than_others(source, target):
    """A filter for their exact ratio would take seconds and gigabytes."""
    sound = tone(100, source, seconds=0.3)
    tracemalloc.start()
    try:
        got = resampled(sound, source, target)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 100e6
    assert abs(len(got) - len(sound) * target / source) <= 2 + 3e-5 * len(got)
    middle = slice(len(got) // 3, 2 * len(got) // 3)
    ideal = tone(100, target, seconds=0.4)[: len(got)]
    np.testing.assert_allclose(got[middle], ideal[middle], rtol=0, atol=6e-3)


@given(st.sampled_from([8000, 48000]), hnp.arrays(np.float32, st.integers(0, 50), elements=st.floats(-1, 1, width=32)))
def test_a_stream_of_the_wanted_rate_passes_through(rate, samples):
    resampler = resampling.Resampler(rate, rate)
    np.testing.assert_array_equal(resampler.push(samples), samples)
    assert resampler.push(samples[:0], last=True).shape == (0,)


@given(STREAM_RATES, STREAM_RATES, st.integers(0, 4000))
@settings(max_examples=30, deadline=None)
def test_a_resampled_stream_is_no_more_behind_than_the_filter_looks_ahead(source, target, count):
    got = len(resampling.Resampler(source, target).push(np.zeros(count, np.float32)))
    behind = resampling.ZERO_CROSSINGS / min(source, target)
    assert got >= (count / source - behind) * target - 1


@pytest.mark.parametrize(("source", "target"), [(44100, 8000), (8000, 48000)])
def test_a_resampled_stream_may_be_endless(source, target):
    resampler, block = resampling.Resampler(source, target), np.zeros(source // 10, np.float32)
    resampler.push(block)
    tracemalloc.start()
    try:
        for _ in range(600):
            resampler.push(block)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 8 * block.nbytes, "of six hundred"


# Streams: files bit by bit


@pytest.mark.parametrize("seconds", [1e-9, 0.030, 0.5, 100])
@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype"),
    [
        ("a.wav", 8000, 1, "PCM_16"),
        ("a.wav", 44100, 2, "PCM_16"),
        ("a.flac", 16000, 2, "PCM_24"),
        ("a.wav", 11025, 3, "FLOAT"),
    ],
)
def test_blocks_are_the_file_in_pieces(tmp_path, name, rate, channels, subtype, seconds):
    count = 20 if seconds < 0.001 else rate + 7
    values = np.random.default_rng(0).uniform(-0.9, 0.9, (count, channels))
    soundfile.write(tmp_path / name, values, rate, subtype=subtype)
    found = list(audio.blocks(tmp_path / name, seconds))
    assert {rate for _, rate in found} == {rate}
    assert all(samples.dtype == np.float32 for samples, _ in found)
    size = max(1, round(seconds * rate))
    lengths = [len(samples) for samples, _ in found]
    assert lengths == [size] * (count // size) + [count % size] * (count % size > 0)
    whole = audio.load(tmp_path / name, rate).samples
    np.testing.assert_allclose(np.concatenate([samples for samples, _ in found]), whole, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.touch(), "is empty (0 bytes)"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_bytes(wav_bytes(b"")), "no samples"),
        (lambda path: path.write_text("no sound"), "is not sound"),
        (lambda path: path.write_bytes(wav_bytes(bytes(100), rate=10)), "10 Hz"),
        (lambda path: path.write_bytes(wav_bytes(packed(np.array([np.nan]), 32, 3), bits=32, code=3)), "a sample is"),
    ],
    ids=["missing", "empty", "folder", "no samples", "text", "rate", "nan"],
)
def test_blocks_of_what_is_no_recording(tmp_path, make, part):
    path = tmp_path / "a.wav"
    make(path)
    assert refused(lambda: list(audio.blocks(path, 0.03)), part).startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
@pytest.mark.parametrize("start", [0.0, 0.1, 1.0, 2.5])
def test_blocks_from_anywhere_in_a_file(tmp_path, name, start):
    values = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * 8000)
    soundfile.write(tmp_path / name, values, 8000)
    whole = audio.load(tmp_path / name, 8000).samples[round(start * 8000) :]
    if not len(whole):
        refused(lambda: list(audio.blocks(tmp_path / name, 0.3, start)), "no samples")
        return
    found = np.concatenate([samples for samples, _ in audio.blocks(tmp_path / name, 0.3, start)])
    np.testing.assert_allclose(found, whole, rtol=0, atol=1e-6)


# The module


def test_examples_in_docstrings():
    result = doctest.testmod(audio)
    assert result.attempted
    assert not result.failed


def test_importing_it_is_light():
    source = "import sys, recognizer.corpus; print({'soundfile', 'soxr', 'scipy'} & set(sys.modules))"
    root = Path(audio.__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, cwd=root, check=True)
    assert run.stdout == "set()\n"


# What is written to the terminal meanwhile


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    """Bytes changed, left out, put in or cut off, as discs and downloads do."""
    start, end = sorted(random.integers(0, len(content), 2))
    kind = random.integers(5)
    if kind == 0:
        return content[:end]
    if kind == 1:
        return content[:start] + content[end:]
    if kind == 2:
        return content[:start] + random.bytes(1000) + content[start:]
    changed = bytearray(content)
    for _ in range(random.choice([1, 10, 100])):
        changed[random.integers(len(content) if kind == 3 else 200)] = random.integers(256)
    return bytes(changed)


def read_anyhow(path: Path) -> None:
    with contextlib.suppress(AudioError):
        audio.load(path, 8000)


@pytest.mark.parametrize("format_", ["MP3", "OGG", "FLAC"])
def test_damaged_sound_writes_nothing_to_the_terminal(tmp_path, capfd, format_):
    random, whole = np.random.default_rng(0), tmp_path / "whole"
    soundfile.write(whole, 0.1 * random.standard_normal(16000), 8000, format=format_)
    for _ in range(60):
        (tmp_path / "a").write_bytes(damaged(whole.read_bytes(), random))
        read_anyhow(tmp_path / "a")
    assert capfd.readouterr() == ("", "")
    os.write(2, b"afterwards, it is heard")
    assert capfd.readouterr().err == "afterwards, it is heard"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("format_", ["AIFF", "MP3"])
def test_damaged_sound_from_a_pipe_writes_nothing_to_the_terminal(tmp_path, capfd, format_):
    random, whole = np.random.default_rng(0), tmp_path / "whole"
    soundfile.write(whole, 0.1 * random.standard_normal(4000), 8000, format=format_)
    os.mkfifo(tmp_path / "pipe")
    for _ in range(150):
        writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(damaged(whole.read_bytes(), random),))
        writer.start()
        read_anyhow(tmp_path / "pipe")
        writer.join()
    assert capfd.readouterr() == ("", "")


def test_damaged_mp3s_write_nothing_wherever_they_are_read(tmp_path, start, built, monkeypatch, capfd):
    """To the terminal, by a command that listens to them, or by workers."""
    random = np.random.default_rng(0)
    soundfile.write(tmp_path / "whole.mp3", 0.1 * random.standard_normal(16000), 8000)
    whole, files = (tmp_path / "whole.mp3").read_bytes(), [tmp_path / f"{n}.mp3" for n in range(12)]
    for file in files:
        file.write_bytes(damaged(whole, random))
    for file in files[:3]:
        said = start("live", "--from-file", file, "--fast", "--json", "--quiet").stderr
        assert [line for line in said.splitlines() if not line.startswith("error: ")] == []
    capfd.readouterr()
    monkeypatch.setattr(parallel, "WORTH", 1)
    monkeypatch.setattr(analysis, "FILES_AT_ONCE", 4)
    assert len(list(Recognizer(built).recognize_files(files, jobs=2))) == len(files)
    assert capfd.readouterr() == ("", "")


def test_a_sample_dump_prints_nothing(tmp_path, start):
    """Whatever it is called; its faults would come between the answers, when the program ends."""
    soundfile.write(tmp_path / "a.sds", tone(440, 8000), 8000, subtype="PCM_16")
    content = bytearray((tmp_path / "a.sds").read_bytes())
    content[21:] = bytes(len(content) - 21)
    (tmp_path / "a.wav").write_bytes(content)
    refused_file(tmp_path / "a.wav", "sample dump")
    outcome = start("batch", tmp_path / "a.wav", "--json")
    assert (outcome.status, outcome.stdout.count("\n")) == (1, 1)
    assert "sample dump" in outcome.stdout


def test_without_standard_error_sound_is_read(tmp_path):
    soundfile.write(tmp_path / "a.mp3", tone(440, 8000), 8000)
    kept = os.dup(2)
    os.close(2)
    try:
        recording = audio.load(tmp_path / "a.mp3", 8000)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert len(recording.samples) > 7000
