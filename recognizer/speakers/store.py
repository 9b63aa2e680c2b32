"""The speakers that are enrolled: a folder for each, with the profile and the takes it was made from.

A speaker may be enrolled in several conditions, each with a folder of its own: `anna`, and `anna@cold` for her voice
with a cold. Names are checked, and nothing is read or written outside the folder of the user's data. Nobody but its
owner may read what is in it.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
import unicodedata
import warnings
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from recognizer.corpus import Utterance
from recognizer.corpus.doubles import of_two_words, same_content
from recognizer.errors import (
    AudioError,
    NamingError,
    NewerProfileError,
    ProfileError,
    RecognizerError,
    RecognizerWarning,
    cited,
    listed,
    shown,
)
from recognizer.files import naming, privacy
from recognizer.files.user_folder import home, is_nobodys, writing_to
from recognizer.files.writing import FULL, PRIVATE_FILE, make_private_folder, remedy, replacing, sweep, try_out
from recognizer.model import Model
from recognizer.sound import audio
from recognizer.sound.formats import AUDIO_SUFFIXES
from recognizer.speakers import moving
from recognizer.speakers.profile import Profile

PROFILE, TAKES = "profile.npz", "takes"
VOICE = "voice.txt"  # among the takes: whose they are in the corpus that they were copied from
MARK = "@"  # between a speaker and a condition
HEARD = "heard-"  # before the number of a take whose word a recognizer told, not a person
LARGEST = 2**30  # bytes that an exported speaker may unpack to: nine hours of takes at 16 kHz
MOST_MEMBERS = 20_000  # of an exported speaker: nine hours of words
SMALL, MOST_TIMES = 32 << 20, 50  # bytes that any may unpack to, else so many times its own: silence packs well
LARGEST_PROFILE, LARGEST_VOICE = 64 << 20, 64 << 10  # bytes
LONGEST_NUMBER = 9  # digits, of a take
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
    if (moving.is_begun(root()) or privacy.is_open(root())) and os.access(root(), os.W_OK):
        with locked():  # so that nobody sees a half of it, and others nothing
            pass
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


def _is_folder(path: str) -> bool:
    """Whether there is a folder; a link that leads nowhere is nothing that can be read."""
    with _reading(Path(path)):
        return stat.S_ISDIR(os.stat(path).st_mode)


@contextmanager
def _appearing(name: str) -> Iterator[Path]:
    """The folder of a speaker to write to; a new one is there when something is in it, and not before."""
    place = folder(name)
    if os.path.lexists(place):
        yield place
        return
    with writing_to(root(), ProfileError), moving.aside(root()) as hidden:
        make_private_folder(hidden / place.name)
        with _unhidden(hidden):
            yield hidden / place.name
        os.rename(hidden / place.name, place)


@contextmanager
def _unhidden(hidden: Path) -> Iterator[None]:
    """Name what cannot be written as it would be called, had it been."""
    try:
        yield
    except RecognizerError as error:
        raise type(error)(str(error).replace(f"{hidden.name}{os.sep}", "")) from error


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
        with _appearing(name) as place:
            profile.save(place / PROFILE)


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
        if _is_folder(word.path)
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
    return _next_take(folder(name), naming.checked_name(word, "word"), heard)


def _next_take(speaker: Path, word: str, heard: bool) -> Path:
    place = speaker / TAKES / word
    _make(place)
    prefix = HEARD if heard else ""
    numbers = [number for file in place.glob("*.wav") if (number := file.stem.removeprefix(prefix)).isdecimal()]
    numbers = [number for number in numbers if len(number) <= LONGEST_NUMBER]  # other names are nobody's numbers
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
    word = naming.checked_name(word, "word")
    with locked(), _appearing(name) as place:
        path = _next_take(place, word, heard)
        audio.save(path, samples, rate)
    return folder(name) / path.relative_to(place)


def remove_take(name: str, path: Path) -> None:
    """Delete a take that `add_take` has just kept, as if it had never been; gone already is no error.

    Raises
    ------
    ProfileError
        if it cannot be deleted.
    """
    with locked():
        there = [take.path for take in takes(name)]
        alone = there == [path] and not has_profile(name)
        if path in there:
            _discard([folder(name)] if alone else [path])


@contextmanager
def locked() -> Iterator[None]:
    """Keep other programs from changing any speaker meanwhile; who comes second waits, and then sees all there is.

    It is held while takes are counted and written, and while folders are moved, and not while somebody speaks or a
    model is fitted: what is fitted is looked at once more before it is kept, see `save`.

    Warns
    -----
    RecognizerWarning
        if another program is at it for longer than `NOTICE`; if others could read the takes until now.

    Raises
    ------
    ProfileError
        if another program is at it for longer than `PATIENCE`, or the file that tells so cannot be made.
    """
    import filelock

    _make(root())
    path = root() / LOCK
    lock = filelock.FileLock(path, mode=PRIVATE_FILE, is_singleton=True)  # the same one inside itself
    outermost = not lock.is_locked
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
        if outermost:
            _mend()
        yield
    finally:
        lock.release()


def _mend() -> None:
    """Finish what a killed program had begun, delete what it was writing, and close to others what is open to them."""
    with writing_to(root(), ProfileError):
        try:
            moving.finish(root(), _rename_priors)
        except OSError:
            if moving.is_written_down(root()):
                raise
            # Else it was undone, and is to be done again by who wants it.
        moving.tidy(root())
        for place, _, _ in os.walk(root()):
            sweep(Path(place))
        privacy.close(root())


def make_ready(name: str) -> None:
    """Make sure that takes and a profile of a speaker can be kept, before somebody speaks in vain.

    Raises
    ------
    ProfileError
        if a folder cannot be written to, or there is no room.
    """
    with locked():
        place = folder(name)
        for part in (place, place / TAKES, *(Path(word.path) for word in _entries(place / TAKES))):
            if os.path.isdir(part) and not os.access(part, os.R_OK | os.W_OK | os.X_OK):
                raise ProfileError(f"{shown(part)} cannot be read and written to; change its mode or owner")
        with writing_to(root(), ProfileError):
            try_out(root())


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
    there, new = same_content(takes(name), _content_of), 0
    whose = next((recording.speaker for recording in recordings if recording.speaker), None)
    if voice(name) is not None:
        whose = None
    for recording in recordings:
        new += _keep_one(name, recording, heard, there)
        if whose:  # after a take, without which nobody is there
            _remember(name, whose)
            whose = None
    return new


def _keep_one(name: str, recording: Utterance, heard: bool, there: Mapping[bytes, list[Utterance]]) -> bool:
    """Keep a recording beside those there are, by their content, or move it to its word; whether it is new."""
    samples, rate = _read(recording.path)
    same = there[_content(samples, rate)]
    if heard and any(not is_heard(take) for take in same):
        return False
    new = not same
    right = [take for take in same if take.word == recording.word and is_heard(take) == heard]
    if new:
        path = add_take(name, recording.word, samples, rate, heard=heard)
        right = [Utterance(path, recording.word, None)]
    elif not right:
        path = take_path(name, recording.word, heard=heard)
        with writing_to(root(), ProfileError), moving.aside(root()) as hidden, _unhidden(hidden):
            audio.save(hidden / path.name, samples, rate)
            moving.move(root(), {hidden / path.name: path} | _away([take.path for take in same], hidden))
        right = [Utterance(path, recording.word, None)]
    elif wrong := [take.path for take in same if take not in right]:
        _discard(wrong)
    same[:] = right
    return new


def _remember(name: str, whose: str) -> None:
    path = folder(name) / TAKES / VOICE
    try:
        with replacing(path, private=True) as temporary:
            temporary.write_text(whose, "utf-8")
    except OSError as error:
        raise ProfileError(
            f"{shown(path)} cannot be written ({error.strerror}); {remedy(error, 'change the mode of its folder')}"
        ) from error


def contradictory(recordings: Iterable[Utterance]) -> list[list[Utterance]]:
    """Those that are one and the same recording, by its content, but are said to be different words."""
    return of_two_words(same_content(recordings, _content_of).values())


def not_kept(name: str, paths: Iterable[Path]) -> list[Path]:
    """Those of some recordings whose content is not among the takes of a speaker; unreadable ones are none."""
    there = same_content(takes(name), _content_of)
    return [path for path in paths if (content := _content_of(path)) is None or content not in there]


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
    recording = audio.load(path, None)
    return recording.samples, recording.sample_rate


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
    doomed = list(dict.fromkeys(there.get(take) or by_path[take] for take in chosen))
    if len(doomed) == len(there):
        raise ProfileError(
            f"speaker {name!r} has no other takes; delete the speaker with `recognizer speakers remove {name}`, or "
            f"first record more with `recognizer enroll {name}`"
        )
    _discard(doomed)


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
            _discard([place / TAKES])


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
        moving.move(root(), places, _rename_priors)
    except OSError as error:
        raise ProfileError(
            f"{old!r} cannot be renamed ({error.strerror}); {remedy(error, f'change the mode of {shown(root())}')}"
        ) from error
    return [target.name for target in places.values()]


def _is_another(place: Path, known: Path) -> bool:
    """Whether there is something at a place, and not what is known: names may differ by case alone, and systems by
    whether that makes two folders of them."""
    return place.exists() and not os.path.samefile(place, known)


def _rename_priors(moved: Mapping[str, str]) -> None:
    """The new name of the speaker from whose profile those moved started; nothing but what is told depends on it."""
    for path in (root() / target / PROFILE for target in moved.values() if not target.startswith(moving.HIDDEN)):
        with suppress(ProfileError):  # a profile of a newer program, or no room: then the old name is told
            profile = Profile.load(path)
            prior = profile.record.get("prior")
            if isinstance(prior, str) and prior in moved:
                replace(profile, record=profile.record | {"prior": moved[prior]}).save(path)


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
        _discard([root() / known for known in removed])
    return removed


def export(name: str, path: Path) -> None:
    """Write a speaker with all conditions and takes to one file, a zip archive, whole or not at all.

    Nobody but its owner may read it.

    Raises
    ------
    ProfileError
        if there is no such speaker, something of it cannot be read, it is more than `import_` takes in, or the file
        cannot be written.
    NamingError
        if a folder among the takes has a name that no word has.
    """
    chosen = with_conditions(existing(name).name)
    for word in sorted({take.word for known in chosen for take in takes(known)}):
        naming.checked_name(word, "word")
    try:
        with replacing(path, private=True) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for known in chosen:
                for file in _files(known):
                    _pack(file, archive)
            archive.close()
            if fault := _disproportion(archive.infolist(), os.stat(temporary).st_size):
                raise ProfileError(
                    f"what is kept of {name!r} {fault}, and could not be imported; export a condition by itself, or "
                    f"forget takes with `recognizer speakers forget {shlex.quote(name)}`"
                )
    except OSError as error:
        what_to_do = remedy(error, "choose another file")
        raise ProfileError(f"{shown(path)} cannot be written: {error.strerror}; {what_to_do}") from error


def _pack(file: Path, archive: zipfile.ZipFile) -> None:
    """Add a file to an archive; a zip knows no times before 1980, which are no reason to fail."""
    name = file.relative_to(root()).as_posix()
    try:
        content = file.read_bytes()
        member = zipfile.ZipInfo.from_file(file, name, strict_timestamps=False)
    except OSError as error:
        raise ProfileError(
            f"{shown(file)} cannot be read ({error.strerror}), and nothing was exported without it; change its mode or "
            "remove it"
        ) from error
    archive.writestr(member, content, zipfile.ZIP_STORED)  # sound hardly packs, and silence packs like a bomb


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
        what_to_do = remedy(error, "check its name and its mode")
        raise ProfileError(f"{shown(path)} cannot be imported: {error.strerror}; {what_to_do}") from error
    except Exception as error:  # zipfile and zlib have several for a damaged file
        raise ProfileError(
            f"{shown(path)} cannot be imported: it is no exported speaker, or is damaged; export it again"
        ) from error


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
    if fault := _disproportion(members, os.stat(path).st_size):
        raise ProfileError(f"{shown(path)} {fault}; that is no exported speaker, so ask for it to be exported again")
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
        try:
            _take_in(path, archive, members, found)
        except OSError as error:
            what_to_do = remedy(error, f"change the mode of {shown(root())}, or set RECOGNIZER_HOME to another folder")
            raise ProfileError(f"{shown(path)} cannot be imported: {error.strerror}; {what_to_do}") from error
    return sorted(found.values())


def _disproportion(members: Sequence[zipfile.ZipInfo], size: int) -> str | None:
    """What the directory of a file of so many bytes says that cannot be true of a speaker; None when nothing does.

    What it says is kept to: of a member, no more is unpacked than its size there.
    """
    if sum(info.file_size for info in members) > LARGEST:
        return f"holds more than {LARGEST >> 20} MB"
    if len(members) > MOST_MEMBERS:
        return f"has {len(members)} files in it, more than {MOST_MEMBERS}"
    if sum(info.compress_size for info in members) > size or len({info.filename for info in members}) < len(members):
        return "has the same file in it twice"
    if not {info.compress_type for info in members} <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return "is compressed in another way than `export` does it"
    if sum(info.file_size for info in members) > max(SMALL, MOST_TIMES * size):
        return f"would unpack to more than {MOST_TIMES} times its size"
    largest = {PROFILE: LARGEST_PROFILE, VOICE: LARGEST_VOICE}
    large = [info.filename for info in members if info.file_size > largest.get(Path(info.filename).name, LARGEST)]
    return f"has {shown(large[0])} in it, which is too large" if large else None


def _take_in(path: Path, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], found: dict[str, str]) -> None:
    """Unpack an archive whose names are checked; `found` tells the speaker that each of its folders becomes."""
    if taken := [name for name in found.values() if os.path.lexists(root() / name)]:
        raise ProfileError(
            f"there is a speaker {min(taken)!r} already; remove or rename that one, then import {shown(path)} again"
        )
    with moving.aside(root()) as hidden:
        archive.extractall(hidden, members)
        privacy.close(hidden)
        for file in hidden.glob(f"*/{PROFILE}"):
            _check_profile(file, f"{shown(path)}: {file.relative_to(hidden)}")
        moving.move(root(), {hidden / folder: root() / name for folder, name in found.items()})


def _check_profile(file: Path, name: str) -> None:
    """Refuse a profile that nobody could load, by the name that it has where it comes from."""
    try:
        Profile.load(file)
    except NewerProfileError as error:
        raise NewerProfileError(str(error).replace(shown(file), name)) from error
    except ProfileError as error:
        fault, _, _ = str(error).replace(shown(file), name).rpartition("; ")
        raise ProfileError(f"{fault}; ask for it to be exported again") from error


def _discard(doomed: Sequence[Path]) -> None:
    """Delete files and folders, all or none; on a full disk, where nothing can be written down, one after the other."""
    away: dict[Path, Path] = {}
    try:
        try:
            with moving.aside(root()) as hidden:
                away = _away(doomed, hidden)
                moving.move(root(), away)
        except OSError as error:
            if error.errno not in FULL:
                raise
            for path in doomed:
                moving.delete(path)
    except OSError as error:
        where = Path(error.filename or "")
        whence = (place / where.relative_to(target) for place, target in away.items() if where.is_relative_to(target))
        raise ProfileError(
            f"{shown(next(whence, doomed[0]))} cannot be deleted ({error.strerror}); change its mode or that of the "
            "folder above it"
        ) from error


def _away(doomed: Sequence[Path], hidden: Path) -> dict[Path, Path]:
    """Where each is moved to be deleted."""
    return {path: hidden / f"{number}" for number, path in enumerate(doomed)}


def _make(place: Path) -> None:
    if is_nobodys(place):
        raise ProfileError("there is no home folder to keep a speaker in; set RECOGNIZER_HOME to a folder")
    try:
        make_private_folder(place)
    except OSError as error:
        what_to_do = remedy(error, "allow it, or set RECOGNIZER_HOME to another folder")
        raise ProfileError(f"{shown(place)} cannot be made ({error.strerror}); {what_to_do}") from error
