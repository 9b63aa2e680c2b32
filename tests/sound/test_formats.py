"""Names of recordings, and the program that reads those which libsndfile does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from recognizer.sound import formats


@pytest.fixture
def folder_of_programs(tmp_path, monkeypatch) -> Path:
    """A folder, the only one with programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path) -> Path:
    """A program of the name of ffmpeg."""
    file = folder / ("ffmpeg.exe" if os.name == "nt" else "ffmpeg")
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_what_libsndfile_reads_is_readable_always(folder_of_programs):
    for suffix in formats.AUDIO_SUFFIXES:
        assert formats.is_readable(Path("a" + suffix))
        assert formats.is_readable("some/A.B" + suffix.upper())
        assert formats.looks_like_recording("a" + suffix)


def test_what_ffmpeg_reads_is_readable_where_it_is(folder_of_programs):
    for suffix in formats.THROUGH_FFMPEG:
        assert not formats.is_readable("a" + suffix)
        assert formats.looks_like_recording("a" + suffix.upper())


def test_ffmpeg_is_found_on_the_path(folder_of_programs):
    file = program(folder_of_programs)
    assert formats.ffmpeg() == str(file)
    assert all(formats.is_readable("a" + suffix.upper()) for suffix in formats.THROUGH_FFMPEG)


def test_what_neither_reads_is_still_a_recording(folder_of_programs):
    program(folder_of_programs)
    for suffix in formats.UNREAD:
        assert not formats.is_readable("a" + suffix)
        assert formats.looks_like_recording("a" + suffix)


@pytest.mark.parametrize("name", ["a.txt", "a", "wav", ".wav", "a.wav.txt", "a.py", "a.mid", "a.mat", "a.raw", "a.csv"])
def test_other_files_are_no_recordings(name):
    assert not formats.is_readable(name)
    assert not formats.looks_like_recording(name)


def test_each_name_has_one_reader():
    three = formats.AUDIO_SUFFIXES, formats.THROUGH_FFMPEG, formats.UNREAD
    assert sum(map(len, three)) == len(frozenset().union(*three))
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in frozenset().union(*three))


@pytest.mark.parametrize("path", ["", ".", "bin", os.pathsep.join(["", ".", "bin"])])
def test_a_program_beside_the_recordings_is_never_run(tmp_path, monkeypatch, path):
    (tmp_path / "bin").mkdir()
    program(tmp_path)
    program(tmp_path / "bin")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", path)
    assert formats.ffmpeg() is None


def test_importing_it_is_light():
    source = "import sys, recognizer.sound.formats; print({'numpy', 'soundfile'} & set(sys.modules))"
    root = Path(formats.__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, cwd=root, check=True)
    assert run.stdout == "set()\n"
