"""What a file is by its first bytes, where libsndfile does not know it."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO

from recognizer.sound.formats import LOCKED, THROUGH_FFMPEG, UNREAD

HEAD = 4096  # bytes that tell
LONGEST_TAG = 1 << 20  # bytes of title and picture before the sound
# What locked sound has in it: a codec in the table of MP4, and the object of ASF that tells of encryption.
LOCKS = re.compile(rb"stsd.{12}(drms|enca)|" + re.escape(bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e")), re.DOTALL)
PICTURE = "a picture, not sound; put the recording in its place"


@dataclass(frozen=True)
class Container:
    """A kind of file that ffmpeg reads.

    Attributes
    ----------
    name : for people
    demuxer : the part of ffmpeg that reads it, and the only one that may
    marks : any of which begins it
    at : where they are
    """

    name: str
    demuxer: str
    marks: tuple[bytes, ...]
    at: int = 0


CONTAINERS = (
    Container("MP4", "mov", (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"), at=4),
    Container("Matroska", "matroska", (bytes.fromhex("1a45dfa3"),)),
    Container("WMA", "asf", (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),)),
    Container("AMR", "amr", (b"#!AMR",)),
    Container("AAC", "aac", (b"\xff\xf0", b"\xff\xf1", b"\xff\xf8", b"\xff\xf9")),
    Container("AVI", "avi", (b"AVI ", b"AVIX"), at=8),
    Container("AC3", "ac3", (b"\x0b\x77",)),
    Container("Flash video", "flv", (b"FLV\x01",)),
    Container("CAF", "caf", (b"caff",)),
    Container("Speex", "ogg", (b"Speex   ",), at=28),
    Container("Monkey's Audio", "ape", (b"MAC ",)),
    Container("WavPack", "wv", (b"wvpk",)),
    Container("TTA", "tta", (b"TTA1", b"TTA2")),
    Container("DSD", "dsf", (b"DSD ",)),
    Container("Musepack", "mpc", (b"MP+",)),
    Container("Musepack", "mpc8", (b"MPCK",)),
    Container("Shorten", "shn", (b"ajkg",)),
    Container("RealAudio", "rm", (b".RMF", b".ra\xfd")),
    Container("DSS", "dss", (b"\x02dss", b"\x03dss")),
)
FOREIGN = {
    b"%PDF": "a PDF document, not sound; put the recording in its place",
    b"PK\x03\x04": "a ZIP archive, not sound; unpack it",
    b"\x1f\x8b": "a gzip archive, not sound; unpack it",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive, not sound; unpack it",
    b"Rar!\x1a\x07": "a RAR archive, not sound; unpack it",
    b"\x89PNG": PICTURE,
    b"\xff\xd8\xff": PICTURE,
    b"GIF8": PICTURE,
    b"MThd": "MIDI, which is notes without sound; play it with an instrument, and record that",
    b"#EXTM3U": "a playlist, not sound; give the files that it names",
    b"[playlist]": "a playlist, not sound; give the files that it names",
    b"version https://git-lfs": "a Git LFS pointer, not the sound; run `git lfs pull` in its folder",
    b"/annex/objects/": "a git-annex pointer, not the sound; run `git annex get` in its folder",
}


def container(file: BinaryIO) -> Container | None:
    """The kind of a file for ffmpeg, by what it begins with behind a tag."""
    head = _read(file, 0)
    if head[:3] == b"ID3" and len(head) >= 10:  # its length is written in four times seven bits
        length = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0)))
        if length <= LONGEST_TAG:
            head = _read(file, 10 + length)
    return next((kind for kind in CONTAINERS if head[kind.at :].startswith(kind.marks)), None)


def foreign(path: PurePath, file: BinaryIO) -> str | None:
    """What a file is that is no sound, or none that is read, and the remedy; None where that is not known."""
    head = _read(file, 0)
    for mark, what in FOREIGN.items():
        if head.startswith(mark):
            return f"is {what}"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return f"is {PICTURE}"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<"):
        what = "a web page" if b"<html" in text else "XML"
        return f"is {what}, not sound; download it again with the link to the file itself"
    if _is_text(head):
        return "is not sound or is damaged (it is text); put the sound in its place, or convert it to WAV, FLAC or OGG"
    if path.suffix.lower() in UNREAD:
        return (
            protection(path, file) or f"is {name(path)} sound, which is not read; convert it to WAV, FLAC, OGG or MP3"
        )
    return None


def protection(path: PurePath, file: BinaryIO) -> str | None:
    """What to do about a file that only the player of a shop can decode, None if it is no such file."""
    file.seek(0)
    if path.suffix.lower() in LOCKED or LOCKS.search(file.read(LONGEST_TAG)):
        return "is locked against other players than its shop's (DRM); record it while it plays, or get it unlocked"
    return None


def name(path: PurePath, kind: Container | None = None) -> str:
    """A kind of file for people: as the file's name ends, if it is such a name, or else by what is in it."""
    suffix = path.suffix.lower()
    return suffix[1:].upper() if suffix in THROUGH_FFMPEG | UNREAD or not kind else kind.name


def _read(file: BinaryIO, place: int) -> bytes:
    file.seek(place)
    return file.read(HEAD)


def _is_text(head: bytes) -> bool:
    """Whether that begins a text; the last letter may lack a part."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return bool(text) and all(letter.isprintable() or letter.isspace() for letter in text)
