"""A corpus that grows take by take: a folder for each word, a number for each take, as whoever records keeps it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

from recognizer.corpus.layouts import SPEAKER_MARK
from recognizer.corpus.utterance import nfc, seen
from recognizer.errors import NamingError, cited
from recognizer.files import naming
from recognizer.files.writing import make_private_folder
from recognizer.sound import audio
from recognizer.sound.formats import AUDIO_SUFFIXES

RESERVED = ("_nohash", "_background_noise_")  # would be read otherwise from the names of files and folders


def checked_label(name: str, what: str) -> str:
    """The name of a word or a speaker, which can be part of a file's and is read from there as it is.

    Raises
    ------
    NamingError
        if it cannot.
    """
    name = naming.checked_name(name, what)
    reserved = next((mark for mark in RESERVED if mark in name), None)
    if reserved:
        raise NamingError(f"{what} {cited(name)} has {reserved!r} in it, which divides names of files; leave it out")
    return name


def checked_words(words: Iterable[str]) -> list[str]:
    """The words, no two of which are the same, be it but for case or what nobody sees.

    Raises
    ------
    NamingError
        if two are, or one cannot be the name of a folder.
    """
    spelled: dict[str, str] = {}
    for word in words:
        word = checked_label(word, "word")
        for form in {word.lower(), seen(word)}:
            if form in spelled:
                raise NamingError(f"words {cited(spelled[form])} and {cited(word)} are the same word; leave one out")
        spelled |= dict.fromkeys((word.lower(), seen(word)), word)
    return list(dict.fromkeys(spelled.values()))


def word_folder(corpus: Path, word: str) -> Path:
    """Where the recordings of a word are: in the folder of that name, whichever way its letters are composed."""
    entries = os.listdir(corpus) if corpus.is_dir() and os.access(corpus, os.R_OK) else []
    return corpus / next((entry for entry in entries if nfc(entry) == word), word)


def take_numbers(folder: Path, speaker: str | None) -> list[int]:
    """The numbers of the recordings that a speaker, or nobody named, has in a word's folder; 0 for any without one."""
    numbers = []
    for file in folder.iterdir() if folder.is_dir() else ():
        who, mark, number = nfc(file.stem).partition(SPEAKER_MARK)
        if not mark:
            who, number = None, who
        if file.suffix.lower() in AUDIO_SUFFIXES and file.name[0] != "." and who == speaker:
            numbers.append(int(number) if number.isdecimal() else 0)
    return numbers


def add_recording(folder: Path, samples: np.ndarray, rate: int, speaker: str | None = None) -> Path:
    """Write a take beside those that are in a word's folder, whoever else does so; gives its file.

    Raises
    ------
    OSError
        if the folder cannot be made.
    AudioError
        if the take cannot be written.
    """
    make_private_folder(folder)
    prefix = "" if speaker is None else f"{speaker}{SPEAKER_MARK}"
    for number in itertools.count(max(take_numbers(folder, speaker), default=0) + 1):
        with suppress(FileExistsError):  # another program was faster
            audio.save(path := folder / f"{prefix}{number}.wav", samples, rate, new=True)
            return path
    raise AssertionError("numbers do not end")
