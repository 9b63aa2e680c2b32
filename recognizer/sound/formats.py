"""Which files are recordings, by the ends of their names, and what reads them: libsndfile, or ffmpeg where it is."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import PurePath

# What libsndfile reads, of the names that are given to sound alone.
AUDIO_SUFFIXES = frozenset(
    {".wav", ".wave", ".bwf", ".w64", ".rf64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".mpga"}
    | {".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".sph", ".nist", ".voc", ".avr", ".paf", ".pvf"}
    | {".svx", ".8svx", ".16sv", ".wve", ".sf", ".ircam", ".vox", ".gsm"}
)
# What ffmpeg reads besides: of phones and computers, of films, and of those who collect music.
THROUGH_FFMPEG = frozenset(
    {".m4a", ".m4b", ".m4r", ".aac", ".amr", ".awb", ".3ga", ".wma", ".weba", ".mka", ".qta", ".spx", ".ra", ".rm"}
    | {".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3gpp", ".3g2", ".webm", ".mkv", ".avi", ".wmv", ".asf", ".flv"}
    | {".ac3", ".eac3", ".ape", ".wv", ".tta", ".mpc", ".dsf", ".shn", ".dss"}
)
LOCKED = frozenset({".m4p", ".aa", ".aax"})  # as shops sell them
# Recordings that neither reads: those, and some of dictation machines and messengers.
UNREAD = LOCKED | {".ds2", ".dvf", ".msv", ".silk", ".rmvb"}
RECORDINGS = AUDIO_SUFFIXES | THROUGH_FFMPEG | UNREAD


def is_readable(path: str | PurePath) -> bool:
    """Whether a file is one to read by its name: libsndfile does, or ffmpeg, which is installed."""
    suffix = suffix_of(path)
    return suffix in AUDIO_SUFFIXES or (suffix in THROUGH_FFMPEG and ffmpeg() is not None)


def looks_like_recording(path: str | PurePath) -> bool:
    """Whether a file is a recording by its name, be it one that can be read here or not."""
    return suffix_of(path) in RECORDINGS


def suffix_of(path: str | PurePath) -> str:
    """The end of a file's name, from its last point on, in small letters."""
    return os.path.splitext(path)[1].lower()  # five times as fast as PurePath's, which of a large corpus is seconds


def ffmpeg() -> str | None:
    """Where the program ffmpeg is, None where it is not installed, or where RECOGNIZER_FFMPEG is set to nothing."""
    named = os.environ.get("RECOGNIZER_FFMPEG")
    return _in_folders(os.environ.get("PATH", os.defpath)) if named is None else named or None


@cache
def _in_folders(path: str) -> str | None:
    """Only of folders with their whole names: what lies beside the recordings is never run, as Windows would."""
    name = "ffmpeg.exe" if os.name == "nt" else "ffmpeg"
    files = (os.path.join(folder, name) for folder in path.split(os.pathsep) if os.path.isabs(folder))
    return next((file for file in files if shutil.which(file)), None)
