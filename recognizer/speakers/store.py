"""The speakers that are enrolled: a folder for each, with the profile and the takes it was made from.

A speaker may be enrolled in several conditions, each with a folder of its own: `anna`, and `anna@cold` for her voice
with a cold. Names are checked, and nothing is read or written outside the folder of the user's data.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import tempfile
import unicodedata
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from recognizer.corpus import AUDIO_SUFFIXES, Utterance
from recognizer.errors import (
    AudioError,
    NamingError,
    ProfileError,
    RecognizerError,
    RecognizerWarning,
    cited,
    listed,
    shown,
)
from recognizer.files import naming
from recognizer.files.user_folder import home, is_nobodys
from recognizer.files.writing import remedy, replacing
from recognizer.model import Model
from recognizer.sound import audio
from recognizer.speakers.profile import Profile

PROFILE, TAKES = "profile.npz", "takes"
VOICE = "voice.txt"  # among the takes: whose they are in the corpus that they were copied from
MARK = "@"  # between a speaker and a condition
HEARD = "heard-"  # before the number of a take whose word a recognizer told, not a person
BLOCK = 10.0  # seconds of a recording that are read at once, which bounds the memory whatever its length
LARGEST = 2**30  # bytes that an exported speaker may unpack to: nine hours of takes at 16 kHz
LOCK = ".lock"  # beside the speakers: one for all, whose name tells of nobody
PATIENCE = 120.0  # seconds to wait for another program; a thousand takes of a second are copied in one
NOTICE = 1.0  # seconds of waiting before it is told: most wait for a single take, a few milliseconds


def root() -> Path:
    """Where all speakers are kept."""
    return home() / "speakers"


def checked(name: str, besides: Collection[str] = ()) -> str:
    """A speaker's name, with the condition if there is one, as it is kept.

    Parameters
    ----------
    name : as somebody wrote it
    besides : speakers that it may be like, for they are to be renamed

    Raises
    ------
    NamingError
        if it cannot be a folder on every system, or differs from a speaker there is by case alone.
    """
    name = _well_formed(name)
    for known in names():
        if known in besides:
            continue
        for ours, theirs in zip(name.split(MARK), known.split(MARK)):
            if ours != theirs and ours.lower() == theirs.lower():
                raise NamingError(f"there is {known!r} already, which differs from {name!r} by case only; write it so")
            if ours != theirs:
                break
    return name


def _well_formed(name: str) -> str:
    """A name that can be a folder on every system."""
    speaker, mark, condition = name.partition(MARK)
    speaker = naming.checked_name(speaker, "speaker")
    return speaker + mark + naming.checked_name(condition, "condition") if mark else speaker


def names() -> list[str]:
    """All speakers, with their conditions; folders that are not named like one, such as lost+found, are none.

    Raises
    ------
    ProfileError
        if the folder of all speakers cannot be read.
    """
    return [entry.name for entry in _entries(root()) if entry.is_dir() and _is_name(entry.name)]


def _entries(place: Path) -> list[os.DirEntry]:
    """What is in a folder and not hidden, sorted by name; nothing where there is none."""
    with _reading(place):
        try:
            found = [entry for entry in os.scandir(place) if not entry.name.startswith(".")]
            return sorted(found, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return []


def _is_in(place: Path, name: str) -> bool:
    """Whether there is something of that name in a folder."""
    with _reading(place):
        try:
            os.stat(place / name)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True


@contextmanager
def _reading(place: Path) -> Iterator[None]:
    """Say which folder cannot be read: what is in it is not known then, which is not the same as nothing."""
    try:
        yield
    except OSError as error:
        raise ProfileError(
            f"{shown(place)} cannot be read ({error.strerror}); change its mode, or set RECOGNIZER_HOME to another "
            "folder"
        ) from error


def _is_name(name: str) -> bool:
    try:
        return bool(_well_formed(name))
    except NamingError:
        return False


def folder(name: str) -> Path:
    """The folder of a speaker, whether or not there is one yet; the name is checked."""
    return root() / checked(name)


def existing(name: str) -> Path:
    """The folder of a speaker that there is.

    Raises
    ------
    ProfileError
        if there is none of that name, or the folder of all speakers cannot be read.
    """
    place = folder(name)
    if place.name not in (known := names()):
        enrolled = listed(known) or "none yet"
        raise ProfileError(
            f"there is no speaker {name!r}; enrolled: {enrolled}; enroll with `recognizer enroll {name}`"
        )
    return place


def has_profile(name: str) -> bool:
    """Whether a speaker has been enrolled to the end.

    Raises
    ------
    ProfileError
        if the speaker's folder cannot be read.
    """
    return _is_in(folder(name), PROFILE)


def load(name: str) -> Profile:
    """The profile of a speaker.

    Raises
    ------
    ProfileError
        if there is no such speaker, no profile yet, or it is damaged.
    """
    place = existing(name)
    if not has_profile(name):
        raise ProfileError(f"speaker {name!r} has takes but no profile yet; finish with `recognizer enroll {name}`")
    return Profile.load(place / PROFILE)


def fitted(model: Model, name: str) -> Model:
    """A model fitted to a speaker.

    Raises
    ------
    ProfileError
        if there is no such speaker, or the profile was made for another model.
    """
    return load(name).apply(model)


def save(name: str, profile: Profile, made_from: Sequence[Utterance] | None = None) -> None:
    """Keep a profile; an earlier one stays if that fails.

    Parameters
    ----------
    name : of the speaker
    profile : to be kept
    made_from : the takes that were there when it was begun; not looked at when None

    Raises
    ------
    ProfileError
        if the takes are no longer the same, for somebody else has changed them, or it cannot be written.
    """
    with locked():
        if made_from is not None and takes(name) != list(made_from):
            raise ProfileError(
                f"another program changed the takes of {name!r} while a model was fitted to them, so that fit was not "
                f"kept; see `recognizer speakers list`, then `recognizer enroll {shlex.quote(name)}` again"
            )
        place = folder(name)
        new = not place.exists()
        _make(place)
        try:
            profile.save(place / PROFILE)
        except ProfileError:
            if new:  # an empty folder would be listed as a speaker
                place.rmdir()
            raise


def takes(name: str) -> list[Utterance]:
    """The takes that are kept of a speaker; none is no error.

    Raises
    ------
    ProfileError
        if a folder cannot be read.
    """
    place = folder(name) / TAKES
    return [
        Utterance(place / word.name / file.name, unicodedata.normalize("NFC", word.name), None)
        for word in _entries(place)
        if word.is_dir()
        for file in _entries(place / word.name)
        if Path(file.name).suffix.lower() in AUDIO_SUFFIXES
    ]


def take_path(name: str, word: str, *, heard: bool = False) -> Path:
    """A new file to keep a take of a word in; its folder is made. Others may take the same, unless all is `locked`.

    Parameters
    ----------
    name : of the speaker
    word : that is said
    heard : whether a recognizer told the word, not a person
    """
    place = folder(name) / TAKES / naming.checked_name(word, "word")
    _make(place)
    prefix = HEARD if heard else ""
    numbers = [number for file in place.glob("*.wav") if (number := file.stem.removeprefix(prefix)).isdecimal()]
    return place / f"{prefix}{1 + max(map(int, numbers), default=0)}.wav"


def add_take(name: str, word: str, samples: np.ndarray, rate: int, *, heard: bool = False) -> Path:
    """Keep a take of a word beside those there are, whoever else does so; gives its file.

    Parameters
    ----------
    name, word, heard : as for `take_path`
    samples, rate : of the take, as for `audio.save`

    Raises
    ------
    ProfileError
        if its folder cannot be made.
    AudioError
        if it cannot be written.
    """
    with locked():
        path = take_path(name, word, heard=heard)
        audio.save(path, samples, rate)
    return path


@contextmanager
def locked() -> Iterator[None]:
    """Keep other programs from changing any speaker meanwhile; who comes second waits, and then sees all there is.

    It is held while takes are counted and written, and while folders are moved, and not while somebody speaks or a
    model is fitted: what is fitted is looked at once more before it is kept, see `save`.

    Warns
    -----
    RecognizerWarning
        if another program is at it for longer than `NOTICE`.

    Raises
    ------
    ProfileError
        if another program is at it for longer than `PATIENCE`, or the file that tells so cannot be made.
    """
    import filelock

    _make(root())
    path = root() / LOCK
    lock = filelock.FileLock(path, is_singleton=True)  # the same one inside itself
    try:
        try:
            lock.acquire(timeout=min(NOTICE, PATIENCE))
        except filelock.Timeout:
            warnings.warn("another program is changing the speakers; waiting for it", RecognizerWarning, stacklevel=3)
            lock.acquire(timeout=PATIENCE)
    except filelock.Timeout as error:
        raise ProfileError(
            f"another program has been changing the speakers for {PATIENCE:.0f} s; try again when it is done"
        ) from error
    except OSError as error:
        what_to_do = remedy(error, "change its mode or that of its folder, or set RECOGNIZER_HOME to another one")
        raise ProfileError(f"{shown(path)} cannot be written ({error.strerror}); {what_to_do}") from error
    try:
        yield
    finally:
        lock.release()


def is_heard(take: Utterance) -> bool:
    """Whether the word of a kept take was told by a recognizer, not by a person."""
    return take.path.stem.startswith(HEARD)


def voice(name: str) -> str | None:
    """Whose the takes of a speaker are, as the corpus has it that they were copied from; None where that is unknown."""
    place = folder(name) / TAKES
    if not (_is_in(place, VOICE) and takes(name)):
        return None
    with _reading(place / VOICE):
        return (place / VOICE).read_text("utf-8", errors="replace")


def keep(name: str, recordings: Sequence[Utterance], *, heard: bool = False) -> int:
    """Copy recordings to the takes of a speaker, at their own rate; gives the number of those that were new.

    What is there already, by its content, stays, or moves to the word that it is now said to be: what a person says
    it is counts more than what a recognizer does. Whose voice it is, is remembered, see `voice`.

    Parameters
    ----------
    name : of the speaker
    recordings : with the words that are said
    heard : whether a recognizer told the words, not a person

    Raises
    ------
    AudioError
        if a recording cannot be read, or not be written; those before it are kept.
    """
    with locked():
        return _keep(name, recordings, heard)


def _keep(name: str, recordings: Sequence[Utterance], heard: bool) -> int:
    there, new = _by_content(takes(name)), 0
    whose = next((recording.speaker for recording in recordings if recording.speaker), None)
    if whose and voice(name) is None:
        _remember(name, whose)
    for recording in recordings:
        samples, rate = _read(recording.path)
        same = there[_content(samples, rate)]
        told = [take for take in same if not is_heard(take)]
        if heard and told:
            continue
        right = [take for take in same if take.word == recording.word and is_heard(take) == heard]
        if not right:
            path = add_take(name, recording.word, samples, rate, heard=heard)
            right = [Utterance(path, recording.word, None)]
            new += not same
        for take in same:
            if take not in right:
                take.path.unlink(missing_ok=True)
        same[:] = right
    return new


def _remember(name: str, whose: str) -> None:
    path = folder(name) / TAKES / VOICE
    _make(path.parent)
    try:
        with replacing(path) as temporary:
            temporary.write_text(whose, "utf-8")
    except OSError as error:
        raise ProfileError(
            f"{shown(path)} cannot be written ({error.strerror}); {remedy(error, 'change the mode of its folder')}"
        ) from error


def contradictory(recordings: Iterable[Utterance]) -> list[list[Utterance]]:
    """Those that are one and the same recording, by its content, but are said to be different words."""
    found = _by_content(recordings).values()
    return [same for same in found if len({recording.word for recording in same}) > 1]


def not_kept(name: str, paths: Iterable[Path]) -> list[Path]:
    """Those of some recordings whose content is not among the takes of a speaker; unreadable ones are none."""
    there = _by_content(takes(name))
    return [path for path in paths if (content := _content_of(path)) is None or content not in there]


def _by_content(recordings: Iterable[Utterance]) -> defaultdict[bytes, list[Utterance]]:
    """Recordings by what is in them; those that are damaged are left out."""
    found = defaultdict(list)
    for recording in recordings:
        if (content := _content_of(recording.path)) is not None:
            found[content].append(recording)
    return found


def _content_of(path: Path) -> bytes | None:
    try:
        return _content(*_read(path))
    except AudioError:
        return None


def _content(samples: np.ndarray, rate: int) -> bytes:
    """What tells a recording from all others, whatever file it is in."""
    return hashlib.sha256(audio.sixteen_bits(samples).tobytes() + str(rate).encode()).digest()


def _read(path: Path) -> tuple[np.ndarray, int]:
    """A recording as it is, mono, and its rate."""
    parts, rates = zip(*audio.blocks(path, BLOCK))
    return np.concatenate(parts), rates[0]


def forget_takes(name: str, chosen: Sequence[str]) -> None:
    """Delete some takes of a speaker; the profile stays as it is.

    Parameters
    ----------
    name : of the speaker
    chosen : each by the folder of its word and its file, as in `hum/2.wav`, or by its whole path

    Raises
    ------
    ProfileError
        if there is no such speaker or take, if no take would be left, or a file cannot be deleted.
    """
    existing(name)
    with locked():
        _forget_takes(name, chosen)


def _forget_takes(name: str, chosen: Sequence[str]) -> None:
    place = existing(name) / TAKES
    there = {take.path.relative_to(place).as_posix(): take.path for take in takes(name)}
    by_path = {str(path): path for path in there.values()}
    if unknown := [take for take in chosen if take not in there and take not in by_path]:
        raise ProfileError(
            f"speaker {name!r} has no take {cited(unknown[0])}; those kept are {listed(there) or 'none'}"
        )
    doomed = {there.get(take) or by_path[take] for take in chosen}
    if len(doomed) == len(there):
        raise ProfileError(
            f"speaker {name!r} has no other takes; delete the speaker with `recognizer speakers remove {name}`, or "
            f"first record more with `recognizer enroll {name}`"
        )
    for path in doomed:
        try:
            path.unlink()
        except OSError as error:
            raise ProfileError(f"{shown(path)} cannot be deleted ({error.strerror}); change its mode") from error


def forget_audio(name: str) -> None:
    """Delete the takes of a speaker; the profile stays, but can no longer be made anew.

    Raises
    ------
    ProfileError
        if a file cannot be deleted.
    """
    place = folder(name)
    with locked():
        if _is_in(place, TAKES):
            _delete(place / TAKES)


def with_conditions(name: str) -> list[str]:
    """A speaker and all conditions of it; a condition has none of its own."""
    return [known for known in names() if known == name or known.startswith(name + MARK)]


def rename(old: str, new: str) -> list[str]:
    """Rename a speaker with all conditions, or one condition; gives the new names.

    Raises
    ------
    ProfileError
        if there is no such speaker, the new name is taken, or a folder cannot be moved; nothing is changed then.
    """
    existing(old)
    with locked():
        return _renamed(existing(old).name, new)


def _renamed(old: str, new: str) -> list[str]:
    renamed = with_conditions(old)
    new = checked(new, besides=renamed)
    if with_conditions(new) or _is_another(root() / new, root() / old):
        raise ProfileError(f"there is a speaker {new!r} already; remove that one first, or choose another name")
    if (MARK in old) != (MARK in new):
        raise ProfileError(f"{old!r} and {new!r}: a condition stays one, a speaker stays one; write both the same way")
    places = {root() / known: root() / (new + known.removeprefix(old)) for known in renamed}
    try:
        _move(places)
    except OSError as error:
        raise ProfileError(
            f"{old!r} cannot be renamed ({error.strerror}); change the mode of {shown(root())}"
        ) from error
    for target in places.values():
        _rename_prior(target / PROFILE, old, new)
    return [target.name for target in places.values()]


def _is_another(place: Path, known: Path) -> bool:
    """Whether there is something at a place, and not what is known: names may differ by case alone, and systems by
    whether that makes two folders of them."""
    return place.exists() and not os.path.samefile(place, known)


def _rename_prior(path: Path, old: str, new: str) -> None:
    """The new name of the speaker from whose profile this one started; nothing but what is told depends on it."""
    with suppress(ProfileError):  # a profile of a newer program, or no room: then the old name is told
        profile = Profile.load(path)
        if profile.record.get("prior") == old:
            replace(profile, record=profile.record | {"prior": new}).save(path)


def remove(name: str) -> list[str]:
    """Delete a speaker with all conditions and takes, or one condition; gives the names deleted.

    Raises
    ------
    ProfileError
        if there is no such speaker, or a file cannot be deleted.
    """
    existing(name)
    with locked():
        removed = with_conditions(existing(name).name)
        for known in removed:
            _delete(root() / known)
    return removed


def export(name: str, path: Path) -> None:
    """Write a speaker with all conditions and takes to one file, a zip archive, whole or not at all.

    Raises
    ------
    ProfileError
        if there is no such speaker, or the file cannot be written.
    """
    chosen = with_conditions(existing(name).name)
    try:
        with replacing(path) as temporary, _new_archive(temporary) as archive:
            for known in chosen:
                for file in _files(known):
                    archive.write(file, file.relative_to(root()).as_posix())
    except OSError as error:
        what_to_do = remedy(error, "choose another file")
        raise ProfileError(f"{shown(path)} cannot be written: {error.strerror}; {what_to_do}") from error


def _files(name: str) -> list[Path]:
    """All that is kept of a speaker."""
    place = folder(name)
    others = [place / PROFILE] * has_profile(name) + [place / TAKES / VOICE] * _is_in(place / TAKES, VOICE)
    return others + [take.path for take in takes(name)]


def import_(path: Path) -> list[str]:
    """Take in a speaker that was exported, with all conditions; gives their names.

    Raises
    ------
    ProfileError
        if the file is no exported speaker, or there is a speaker of that name already; nothing is changed then.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _unpacked(path, archive)
    except RecognizerError:
        raise
    except OSError as error:
        unread = isinstance(error, PermissionError)
        what_to_do = remedy(error, "give a file you may read" if unread else "export it again")
        raise ProfileError(f"{shown(path)} cannot be imported: {error.strerror}; {what_to_do}") from error
    except Exception as error:  # zipfile and zlib have several for a damaged file
        raise ProfileError(
            f"{shown(path)} cannot be imported: it is no exported speaker, or is damaged; export it again"
        ) from error


def _new_archive(path: Path) -> zipfile.ZipFile:
    """To write; a zip knows no times before 1980, which are no reason to fail."""
    return zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED, strict_timestamps=False)


def _belongs(name: str) -> bool:
    """Whether a file of an archive, or below `root`, is a part of a speaker: the profile, a take, or whose they are."""
    parts = name.split("/")
    if "\\" in name or any(part.startswith(".") for part in parts):
        return False
    take = len(parts) == 4 and parts[1] == TAKES and Path(parts[3]).suffix.lower() in AUDIO_SUFFIXES
    return parts[1:] in ([PROFILE], [TAKES, VOICE]) or take


def _unpacked(path: Path, archive: zipfile.ZipFile) -> list[str]:
    members = [info for info in archive.infolist() if not info.is_dir()]
    foreign = ProfileError(f"{shown(path)} is no exported speaker; make one with `recognizer speakers export`")
    if sum(info.file_size for info in members) > LARGEST:
        raise ProfileError(f"{shown(path)} holds more than {LARGEST >> 20} MB; that is no exported speaker")
    if not all(_belongs(info.filename) for info in members):
        raise foreign
    for word in {parts[2] for info in members if len(parts := info.filename.split("/")) == 4}:
        naming.checked_name(word, "word")
    found = {folder: checked(folder) for folder in sorted({info.filename.split("/")[0] for info in members})}
    if len({name.partition(MARK)[0] for name in found.values()}) != 1:
        raise foreign
    if len({name.lower() for name in found.values()}) < len(found):  # two that no name could tell apart
        raise foreign
    with locked():
        _take_in(path, archive, members, found)
    return sorted(found.values())


def _take_in(path: Path, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], found: dict[str, str]) -> None:
    """Unpack an archive whose names are checked; `found` tells the speaker that each of its folders becomes."""
    if taken := set(found.values()) & set(names()):
        raise ProfileError(
            f"there is a speaker {min(taken)!r} already; remove or rename that one, then import {shown(path)} again"
        )
    with tempfile.TemporaryDirectory(dir=root(), prefix=".") as place:
        archive.extractall(place, members)
        for file in Path(place).glob(f"*/{PROFILE}"):
            Profile.load(file)
        _move({Path(place) / folder: root() / name for folder, name in found.items()})


def _move(places: dict[Path, Path]) -> None:
    """Move folders, all or none."""
    moved = []
    try:
        for source, target in places.items():
            os.rename(source, target)
            moved.append((source, target))
    except OSError:
        for source, target in moved:
            os.rename(target, source)
        raise


def _delete(place: Path) -> None:
    try:
        shutil.rmtree(place)
    except OSError as error:
        raise ProfileError(f"{shown(place)} cannot be deleted ({error.strerror}); change its mode") from error


def _make(place: Path) -> None:
    if is_nobodys(place):
        raise ProfileError("there is no home folder to keep a speaker in; set RECOGNIZER_HOME to a folder")
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what_to_do = remedy(error, "allow it, or set RECOGNIZER_HOME to another folder")
        raise ProfileError(f"{shown(place)} cannot be made ({error.strerror}); {what_to_do}") from error
