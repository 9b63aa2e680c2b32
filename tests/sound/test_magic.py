"""Files that are called recordings and are something else: each is told what it is, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from refusing import refusal

from recognizer.errors import AudioError
from recognizer.sound import audio, formats, magic

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 7622\n"
FOREIGN = {
    "lfs": (POINTER.encode(), "is a Git LFS pointer, not the sound; run `git lfs pull` in its folder"),
    "annex": (b"/annex/objects/SHA256E-s1--0.wav\n", "is a git-annex pointer", "run `git annex get`"),
    "page": (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "is a web page", "download it again"),
    "page with a mark": (b"\xef\xbb\xbf\n <HTML>\n", "is a web page", "the link to the file itself"),
    "page of XML": (b'<?xml version="1.0"?>\n<html xmlns="x">', "is a web page"),
    "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "is XML", "download it again"),
    "json": (b'{"message": "Not Found"}', "is not sound", "it is text"),
    "csv": ("path,word\nä.wav,ä\n".encode(), "is not sound", "it is text"),
    "utf-16": ("path,word".encode("utf-16"), "is not sound", "it is text"),
    "pdf": (b"%PDF-1.7\n\x00", "is a PDF document", "put the recording in its place"),
    "zip": (b"PK\x03\x04" + bytes(50), "is a ZIP archive", "unpack it"),
    "gzip": (b"\x1f\x8b\x08" + bytes(50), "is a gzip archive", "unpack it"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(50), "is a picture"),
    "jpeg": (b"\xff\xd8\xff\xe0" + bytes(50), "is a picture"),
    "webp": (b"RIFF\x00\x01\x00\x00WEBPVP8 " + bytes(50), "is a picture"),
    "midi": (b"MThd\x00\x00\x00\x06" + bytes(50), "is MIDI, which is notes without sound"),
    "playlist": (b"#EXTM3U\n#EXT-X-TARGETDURATION:10\nhttp://localhost:9/a.ts\n", "is a playlist"),
}


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".m4a", ".au", ".snd", ".vox", ".gsm"])
@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_sound_is_named(tmp_path, name, suffix):
    """Whatever it is called, also where libsndfile would take all bytes for sound."""
    content, *parts = FOREIGN[name]
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    assert refusal(AudioError, lambda: audio.load(path, 8000), *parts).startswith(f"{path}: ")


@pytest.mark.parametrize("suffix", sorted(formats.UNREAD))
def test_recordings_that_are_not_read_are_named(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"\x00\x01\x02\x80" * 100)
    remedy = "DRM" if suffix in formats.LOCKED else "which is not read; convert it to WAV"
    refusal(AudioError, lambda: audio.load(path, 8000), path, remedy)


@pytest.mark.parametrize("suffix", sorted(formats.THROUGH_FFMPEG))
def test_what_is_called_so_and_is_nothing_known_is_damaged(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(bytes(1000))
    refusal(AudioError, lambda: audio.load(path, 8000), f"is no {suffix[1:].upper()} sound or is damaged", "copy it")


def test_a_container_is_known_behind_a_tag(tmp_path):
    path = tmp_path / "a.aac"
    path.write_bytes(b"ID3\x04\x00\x00\x00\x00\x02\x01" + bytes(257) + b"\xff\xf1\x6c\x40")
    with open(path, "rb") as file:
        assert magic.container(file).demuxer == "aac"


def test_kinds_are_told_apart():
    marks = [(kind.at, mark) for kind in magic.CONTAINERS for mark in kind.marks]
    assert len(marks) == len(set(marks))
    for at, mark in marks:
        assert [other for other in marks if other[0] == at and other[1].startswith(mark)] == [(at, mark)]
        assert not mark.startswith(tuple(magic.FOREIGN))


@pytest.mark.parametrize("head", [b"", b"\x00", b"ID3", b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f", b"RIFF"])
def test_little_is_nothing(tmp_path, head):
    path = Path(tmp_path / "a")
    path.write_bytes(head)
    with open(path, "rb") as file:
        assert magic.container(file) is None
