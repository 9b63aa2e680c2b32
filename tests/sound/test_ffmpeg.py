"""Recordings that libsndfile does not know, made and read by the true ffmpeg; and the same where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from refusing import refusal
from synthetic import say

from recognizer.errors import AudioError
from recognizer.sound import audio, ffmpeg, formats

RATE = 16000
PROGRAM = formats.ffmpeg()
needs_ffmpeg = pytest.mark.skipif(PROGRAM is None, reason="ffmpeg is not installed; install ffmpeg")
WORD = np.concatenate([np.zeros(4000), say("rise", rate=RATE), np.zeros(4000)])
PICTURE = ["-f", "lavfi", "-i", "testsrc=duration=1:size=64x64:rate=5"]


def made(path: Path, samples: np.ndarray = WORD, *options: str, before: tuple[str, ...] = ()) -> Path:
    """Samples, (n,) or (n, channels), at 16 kHz, as ffmpeg writes them into a file of that name."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    source = ["-f", "f32le", "-ar", str(RATE), "-ac", str(channels), "-i", "pipe:0"]
    call = [PROGRAM, "-v", "error", "-y", *before, *source, *options, "-strict", "-2", f"file:{path}"]
    subprocess.run(call, input=samples.astype("<f4").tobytes(), check=True, timeout=60, cwd="/")
    return path


@pytest.fixture
def processes(monkeypatch) -> list[subprocess.Popen]:
    """Those that are started, one after the other."""
    started = []
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *of, **how: started.append(start(*of, **how)) or started[-1])
    return started


def refused(path: Path, *parts: object) -> str:
    text = refusal(AudioError, lambda: audio.load(path, RATE), *parts)
    assert text.startswith(f"{path}: ")
    assert text.isprintable()
    return text


def beside(found: np.ndarray, expected: np.ndarray) -> float:
    """How alike two sounds are, 1 at most, at the best of all delays: encoders put some silence before."""
    size = len(found) + len(expected)
    product = np.fft.irfft(np.fft.rfft(found, size) * np.conj(np.fft.rfft(expected, size)), size)
    return float(product.max() / np.sqrt(np.sum(found**2.0) * np.sum(expected**2.0)))


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "options"),
    [
        *[(name, ()) for name in ("a.m4a", "a.mp4", "a.mov", "a.3gp", "a.aac", "a.wma", "a.mka", "a.webm", "a.avi")],
        *[(name, ()) for name in ("a.ac3", "a.wv", "a.tta", "a.flv", "a.m4b")],
        ("a.m4a", ("-c:a", "alac")),
        ("a.mkv", ("-c:a", "flac")),
    ],
)
def test_what_ffmpeg_knows_is_heard(tmp_path, name, options, capfd):
    if name == "a.flv":
        options = ("-ar", "22050")
    if name == "a.3gp":
        options = ("-c:a", "aac")
    recording = audio.load(made(tmp_path / name, WORD, *options), RATE)
    assert recording.samples.dtype == np.float32
    assert abs(len(recording.samples) - len(WORD)) < 0.2 * RATE
    assert beside(recording.samples, WORD) > 0.95
    assert capfd.readouterr() == ("", "")


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a", "a.txt"])
def test_what_it_is_decides_and_not_what_it_is_called(tmp_path, name):
    made(tmp_path / "a.m4a").rename(tmp_path / name)
    assert beside(audio.load(tmp_path / name, RATE).samples, WORD) > 0.95


@needs_ffmpeg
def test_a_wave_called_otherwise_needs_no_ffmpeg(tmp_path, processes):
    audio.save(tmp_path / "a.wav", WORD, RATE)
    (tmp_path / "a.wav").rename(tmp_path / "a.m4a")
    assert len(audio.load(tmp_path / "a.m4a", RATE).samples) == len(WORD)
    assert processes == []


@needs_ffmpeg
def test_channels_are_as_those_of_other_files(tmp_path):
    path = made(tmp_path / "a.m4a", np.stack([WORD, -WORD], axis=1), "-c:a", "alac")
    recording = audio.load(path, RATE)
    assert recording.channel == 1
    np.testing.assert_allclose(recording.samples, WORD, atol=1e-4)
    same = audio.load(made(tmp_path / "b.m4a", np.stack([WORD, WORD], axis=1), "-c:a", "alac"), RATE)
    assert same.channel is None
    np.testing.assert_allclose(same.samples, WORD, atol=1e-4)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.m4a", "a.aac", "a.mka", "a.wma"])
@pytest.mark.parametrize("start", [0.3, 2.5, 3.99])
def test_blocks_from_anywhere_are_the_file_from_there(tmp_path, name, start):
    samples = np.random.default_rng(0).uniform(-0.2, 0.2, 4 * RATE)
    path = made(tmp_path / name, samples)
    whole = audio.load(path, RATE).samples[round(start * RATE) :]
    parts = [part for part, _ in audio.blocks(path, 0.5, start)]
    assert {len(part) for part in parts[:-1]} <= {RATE // 2}
    found = np.concatenate(parts)
    assert abs(len(found) - len(whole)) <= 2048  # a frame of the encoder
    size = min(len(found), len(whole))
    assert size < 2048 or beside(found[-size:], whole[-size:]) > 0.99


@needs_ffmpeg
def test_behind_the_end_there_is_nothing(tmp_path):
    path = made(tmp_path / "a.m4a")
    refusal(AudioError, lambda: list(audio.blocks(path, 0.5, 60.0)), path)


@needs_ffmpeg
@pytest.mark.parametrize(
    "name", ["-i.m4a", "a:b.m4a", "concat:a.m4a", "http:a.m4a", "%d.m4a", "a\nb.m4a", "a'b \"c.m4a", "é 语音.m4a"]
)
def test_any_name_is_a_name(tmp_path, monkeypatch, name):
    if sys.platform == "win32":
        pytest.skip("Windows has no such names")
    made(tmp_path / "a.m4a").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert beside(audio.load(name, RATE).samples, WORD) > 0.95


@needs_ffmpeg
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_read(tmp_path):
    content = made(tmp_path / "a.m4a").read_bytes()
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(content,))
    writer.start()
    assert beside(audio.load(tmp_path / "pipe", RATE).samples, WORD) > 0.95
    writer.join()


@needs_ffmpeg
def test_no_more_is_read_than_may_be(tmp_path, processes):
    path = made(tmp_path / "a.m4a", np.zeros(60 * RATE))
    processes.clear()
    refusal(AudioError, lambda: audio.load(path, RATE, 10 * RATE), path, "10 s are the most")
    assert [process.returncode is not None for process in processes] == [True]


@needs_ffmpeg
def test_ffmpeg_ends_when_its_reader_does(tmp_path, processes):
    path = made(tmp_path / "a.m4a", np.random.default_rng(0).uniform(-0.1, 0.1, 60 * RATE))
    processes.clear()
    with closing(audio.blocks(path, 0.1)) as parts:
        next(parts)
        assert [process.poll() for process in processes] == [None]
    assert [process.returncode is not None for process in processes] == [True]


@needs_ffmpeg
@pytest.mark.parametrize("content", [b"#EXTM3U\n{}\n", b"ffconcat version 1.0\nfile {}\n", b"[playlist]\nFile1={}\n"])
@pytest.mark.parametrize("name", ["a.m4a", "a.wav", "a.mkv"])
def test_a_list_of_files_opens_none(tmp_path, processes, content, name):
    secret = made(tmp_path / "secret.m4a")
    processes.clear()
    (tmp_path / name).write_bytes(content.replace(b"{}", os.fsencode(secret)))
    refused(tmp_path / name)
    assert processes == []


@needs_ffmpeg
def test_only_the_one_part_of_ffmpeg_runs_that_reads_the_file(tmp_path, monkeypatch):
    calls = []
    start = subprocess.Popen
    path = made(tmp_path / "a.m4a")
    monkeypatch.setattr(subprocess, "Popen", lambda call, **how: calls.append(call) or start(call, **how))
    audio.load(path, RATE)
    [call] = calls
    at = call.index("-i")
    assert call[call.index("-f") + 1] == "mov"
    assert call[call.index("-protocol_whitelist") + 1] == "file"
    assert call.index("-f") < at
    assert call.index("-protocol_whitelist") < at
    assert os.fsdecode(call[at + 1]) == f"file:{path.resolve()}"


@needs_ffmpeg
def test_a_film_without_sound(tmp_path):
    path = tmp_path / "a.mp4"
    subprocess.run([PROGRAM, "-v", "error", *PICTURE, str(path)], check=True, timeout=60)
    refused(path, "is MP4 without sound; choose another file")


@needs_ffmpeg
def test_of_a_film_the_sound_is_heard(tmp_path):
    path = made(tmp_path / "a.mp4", WORD, "-shortest", before=tuple(PICTURE))
    assert beside(audio.load(path, RATE).samples, WORD) > 0.8  # the picture lasts a second


@needs_ffmpeg
@pytest.mark.parametrize("kept", [12, 100, 2000])
def test_a_file_cut_short_is_damaged(tmp_path, kept, capfd):
    path = made(tmp_path / "a.m4a")
    path.write_bytes(path.read_bytes()[:kept])  # what tells where the sound is, is at the end
    refused(path, "is no M4A sound or is damaged", "copy it again")
    assert capfd.readouterr() == ("", "")


@needs_ffmpeg
def test_a_locked_file_is_told_so(tmp_path):
    path = made(tmp_path / "a.m4a")
    path.write_bytes(path.read_bytes().replace(b"mp4a", b"drms", 1))
    refused(path, "DRM")


def test_an_empty_file(tmp_path):
    (tmp_path / "a.m4a").touch()
    refused(tmp_path / "a.m4a", "is empty (0 bytes)")


@needs_ffmpeg
def test_changed_files_are_heard_or_refused_in_one_line(tmp_path, capfd):
    random, path = np.random.default_rng(0), made(tmp_path / "a.m4a")
    whole, found = path.read_bytes(), [0, 0]
    for _ in range(20):
        content = bytearray(whole)
        for place in random.integers(8, len(content), 30):
            content[place] = random.integers(256)
        path.write_bytes(content)
        with warnings.catch_warnings(action="error"):
            try:
                samples, refusal_ = audio.load(path, None).samples, ""
            except AudioError as error:
                samples, refusal_ = np.zeros(1), str(error)
        assert np.isfinite(samples).all()
        assert refusal_.isprintable()
        found[bool(refusal_)] += 1
    assert sum(found) == 20
    assert capfd.readouterr() == ("", "")


# Where there is none, or none that works


M4A = b"\x00\x00\x00\x1cftypM4A \x00\x00\x02\x00" + bytes(1000)


HEADER = r".snd\0\0\0\030\377\377\377\377\0\0\0\006\0\0\037\100\0\0\0\001"  # of AU, 8 kHz, mono


def script(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is taken for ffmpeg."""
    if os.name == "nt":
        pytest.skip("a program on Windows is no script")
    folder.mkdir(exist_ok=True)
    (folder / "ffmpeg").write_text(text)
    (folder / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("RECOGNIZER_FFMPEG", str(folder / "ffmpeg"))


def test_without_ffmpeg_the_remedy_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.m4a").write_bytes(M4A)
    text = refused(tmp_path / "a.m4a", "is M4A sound, which needs ffmpeg; install ffmpeg (`", "convert it to WAV")
    assert ffmpeg.INSTALL.get(sys.platform, ffmpeg.INSTALL_ELSEWHERE) in text
    (tmp_path / "a.m4a").rename(tmp_path / "a.wav")
    refused(tmp_path / "a.wav", "is MP4 sound, which needs ffmpeg")


def test_it_can_be_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("RECOGNIZER_FFMPEG", "")
    (tmp_path / "a.m4a").write_bytes(M4A)
    refused(tmp_path / "a.m4a", "needs ffmpeg")
    assert not formats.is_readable("a.m4a")


def test_without_ffmpeg_batch_goes_on(tmp_path, run, monkeypatch, model_file):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.m4a").write_bytes(M4A)
    audio.save(tmp_path / "b.wav", say("rise"), 8000)
    outcome = run("batch", tmp_path / "a.m4a", tmp_path / "b.wav", "--model", model_file)
    assert outcome.status == 1
    assert "is M4A sound, which needs ffmpeg; install ffmpeg" in outcome.stdout
    assert "rise" in outcome.stdout


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("no program", "needs ffmpeg, and that cannot be started"),
        ("#!/nowhere/at/all\n", "needs ffmpeg, and that cannot be started"),
        ("#!/bin/sh\nexit 1\n", "is no M4A sound or is damaged"),
        ("#!/bin/sh\necho all is well\n", "is no M4A sound or is damaged"),
        ("#!/bin/sh\nprintf 'something else that is long enough'\n", "is no M4A sound or is damaged"),
        (
            "#!/bin/sh\nprintf '.snd\\0\\0\\0\\030\\377\\377\\377\\377\\0\\0\\0\\006\\0\\0\\037\\100\\0\\0\\0\\001'",
            "no samples",
        ),
        (
            f"#!/bin/sh\nprintf '{HEADER}'\nhead -c 4000 /dev/zero\nkill -9 $$\n",
            "is no M4A sound or is damaged",
        ),
        ("#!/bin/sh\necho 'Stream map 0:a:0 matches no streams.' >&2\nexit 1\n", "is M4A without sound"),
        ("#!/bin/sh\necho 'Unknown input format: mov' >&2\nexit 1\n", "that this ffmpeg does not decode"),
    ],
)
def test_an_ffmpeg_that_fails_is_told_in_one_line(tmp_path, monkeypatch, capfd, text, part):
    script(tmp_path / "bin", text, monkeypatch)
    (tmp_path / "a.m4a").write_bytes(M4A)
    refused(tmp_path / "a.m4a", part)
    assert capfd.readouterr() == ("", "")
