"""Words of one's own: collections of recordings, each a folder with a folder for each word, that the page fills.

They are kept in the user's folder, where nobody else may read them, until they are removed here or by hand. They are
such folders as `recognizer record` writes and `recognizer train` reads.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath

import numpy as np

from recognizer import own_models
from recognizer.corpus import WORD_FOLDER, LayoutError, Pattern, find, growing
from recognizer.corpus.files import names_of
from recognizer.corpus.layouts import labels_of, of_files
from recognizer.corpus.likeness import alike_in_writing
from recognizer.errors import AudioError, CorpusError, NamingError, RecognizerError, cited, listed
from recognizer.evaluation.checking import check_corpus
from recognizer.files import naming, privacy
from recognizer.files.user_folder import home, is_nobodys, writing_to
from recognizer.files.writing import make_private_folder, try_out
from recognizer.live.guide import Guide
from recognizer.live.lesson import Lesson
from recognizer.live.prompts import Prompt, prompts
from recognizer.live.takes import Takes
from recognizer.recognition.chosen import chosen_words
from recognizer.serve.engine import ConflictError, Engine
from recognizer.serve.lessons import Asking, talk_of
from recognizer.serve.limits import Limits
from recognizer.serve.query import WishError, Wishes
from recognizer.serve.streams import Conversation, Messages
from recognizer.serve.uploads import TooLargeError
from recognizer.sound import audio
from recognizer.sound.formats import AUDIO_SUFFIXES

COLLECTION = "collection"
TAKES = 3  # of each word
RATE = 16000  # of takes at the microphone, Hz, where it has as much
CLOSE = 25.0  # nats a frame: three in five rhymes are nearer, no two digits of a person (recipes/owners/ALIKE.md)
MOST_READ = 5000  # names of recordings that are looked at together


class MissingError(RecognizerError):
    """Something that is not among the own words."""


def root() -> Path:
    """Where all collections are kept."""
    return home() / "words"


def folder(name: str) -> Path:
    """The folder of a collection, whether or not there is one yet.

    Raises
    ------
    NamingError
        if none can be called so, or one is, but for case.
    """
    name = naming.checked_name(name, COLLECTION)
    for known in _names():
        if known != name and known.lower() == name.lower():
            raise ConflictError(f"there is {cited(known)} already, which differs from {cited(name)} by case only")
    return root() / name


def existing(name: str) -> Path:
    """The folder of a collection that there is.

    Raises
    ------
    MissingError
        if there is none of that name.
    """
    place = folder(name)
    if not place.is_dir():
        raise MissingError(f"there is no collection {cited(name)}; there are {listed(_names()) or 'none yet'}")
    return place


def overview() -> dict:
    """All collections, what they take, and where they are."""
    return {"collections": [contents(name) for name in _names()], "bytes": _size(root()), "folder": str(root())}


def contents(name: str) -> dict:
    """What is in a collection: the recordings of each word, by the names of their files."""
    place = existing(name)
    return {"name": place.name, "words": {word: _recordings(place, word) for word in _words(place)}}


def compared(words: Sequence[str], limits: Limits) -> dict:
    """What can be said of words before anybody has said them.

    Raises
    ------
    NamingError
        if a word cannot be one, or two are the same.
    TooLargeError
        if they are more than a collection may have.
    """
    wanted = chosen_words(words, ()) or []
    _check_count(wanted, limits)
    words = growing.checked_words(wanted)
    return {"words": words, "alike": [{"words": list(pair)} for pair in alike_in_writing(words)]}


def begun(name: str, words: Sequence[str], limits: Limits) -> dict:
    """Make sure that there is a collection, and that these words are in it.

    Raises
    ------
    NamingError
        if the collection or a word cannot be called so, or two words are the same.
    TooLargeError
        if it would have too many words.
    """
    place = folder(name)
    there = _words(place)
    wanted = growing.checked_words([*there, *(word for word in chosen_words(words, ()) or [] if word not in there)])
    _check_count(wanted, limits)
    if is_nobodys(place):
        raise CorpusError("there is no home folder to keep recordings in; set RECOGNIZER_HOME to a folder")
    with writing_to(place, CorpusError):
        make_private_folder(place)
        privacy.close(place)
        for word in wanted:
            make_private_folder(growing.word_folder(place, word))
    return contents(name)


def _check_count(words: Sequence[str], limits: Limits) -> None:
    if len(words) > limits.words:
        raise TooLargeError(f"{len(words)} words are too many for a collection; {limits.words} are the most")


def checked(name: str) -> dict:
    """What `recognizer check` says of a collection: what is wrong with takes, and which words sound alike."""
    place = existing(name)
    if not any(_recordings(place, word) for word in _words(place)):
        return {"problems": {}, "few": [], "left_out": [], "doubles": [], "alike": []}
    found = check_corpus(find(place, layout=WORD_FOLDER))

    def of(path: Path) -> str:
        return path.relative_to(place).as_posix()

    doubtful = {path: [what for _, what in take.problems] for path, take in found.heard.items() if take.problems}
    return {
        "problems": {of(path): problems for path, problems in doubtful.items()},
        "few": found.few,
        "left_out": [reason.removeprefix(f"{place}{os.sep}") for reason in found.unread],
        "doubles": [[of(u.path) for u in group] for group in (*found.two_words, *found.twice)],
        "alike": [pair for pair in found.alike if pair["distance"] < CLOSE],
    }


def added(name: str, word: str, path: Path, limits: Limits) -> dict:
    """Take in a recording of a word.

    Raises
    ------
    AudioError
        if it cannot be read.
    TooLargeError
        if there is no room for it.
    """
    place = existing(name)
    into = _word_folder(place, word)
    try:
        recording = audio.load(path, None)
    except AudioError as error:
        raise AudioError(str(error).replace(str(path), "the recording")) from error
    with writing_to(into, CorpusError):
        file = _add(into, recording.samples, recording.sample_rate, limits)
    return {"word": word, "file": file.name}


def recording(name: str, word: str, file: str) -> Path:
    """The file of a take.

    Raises
    ------
    MissingError
        if there is none.
    """
    place = _word_folder(existing(name), word)
    if file not in _recordings(place.parent, place.name):
        raise MissingError(f"{cited(word)} has no recording {cited(file)}")
    return place / file


def removed(name: str, word: str | None = None, file: str | None = None) -> dict:
    """Delete a take, a word with all takes, or a whole collection."""
    place = existing(name)
    doomed = place if word is None else _word_folder(place, word)
    if file is not None:
        doomed = recording(name, word, file)
    with writing_to(doomed, CorpusError):
        shutil.rmtree(doomed) if doomed.is_dir() else doomed.unlink()
    return {"removed": doomed.relative_to(root()).as_posix()}


def read(files: Sequence[str], known: Collection[str]) -> dict:
    """Which words the names of recordings tell, see `recognizer.corpus.layouts`.

    Parameters
    ----------
    files : names, with the folders that they are in, and / between
    known : words that may be said

    Returns
    -------
    Of each way to read them, the pattern and the words by file; none where nothing tells, one where it is plain.
    """
    if len(files) > MOST_READ:
        raise TooLargeError(f"{len(files)} recordings are too many at once; {MOST_READ} are the most")
    top = Path("recordings")
    paths = {file: top.joinpath(*_parts(file)) for file in files if _parts(file)}
    if not paths:
        return {"readings": []}
    try:
        patterns = [of_files(top, sorted(paths.values()), known)]
    except LayoutError as error:
        patterns = [reading.pattern for reading in error.readings]
    except CorpusError:
        patterns = []
    readings = []
    for pattern in patterns:
        labels = {file: labels_of(Pattern(pattern), names_of(path, top)) for file, path in paths.items()}
        readings.append({"pattern": pattern, "words": {file: found[0] for file, found in labels.items() if found}})
    return {"readings": readings}


def model_file(name: str, instead: bool) -> Path:
    """Where a model of that name is to be written.

    Raises
    ------
    ConflictError
        if there is one, which must not be lost.
    NamingError
        if no model can be called so.
    """
    try:
        return own_models.new_file(name, instead)
    except own_models.TakenError as error:
        raise ConflictError(str(error)) from error


@asynccontextmanager
async def recording_words(name: str, wishes: Wishes, engine: Engine, limits: Limits) -> AsyncIterator[Conversation]:
    """A conversation in which words are asked for, as `recognizer record` does it; takes are kept at once.

    Parameters
    ----------
    name : of the collection
    wishes : words, takes of each; the rate of the sound
    engine, limits : of the server

    Raises
    ------
    WishError, NamingError, TooLargeError, CorpusError
        if these words cannot be recorded.
    ConflictError
        if somebody records for the same collection.
    """
    name = (await engine.run(folder, name)).name
    with engine.alone(COLLECTION, name):
        asked = await engine.run(_Recording, name, wishes, limits)
        yield talk_of(asked, wishes.rate, engine)


class _Recording(Asking):
    """Words that are said for a collection."""

    def __init__(self, name: str, wishes: Wishes, limits: Limits) -> None:
        place = root() / begun(name, wishes.words, limits)["name"]
        words = growing.checked_words(chosen_words(wishes.words, ()) or _words(place))
        if not words:
            raise WishError("words are missing; say which to ask for, as in ?words=yes,no")
        with writing_to(place, CorpusError):
            try_out(place)
        have = {word: len(_recordings(place, word)) for word in words}
        takes = wishes.takes or TAKES
        self._place, self._limits = place, limits
        self.rate = min(wishes.rate, RATE)
        before = sum(min(count, takes) for count in have.values())
        guide = Guide(prompts(words, takes, have), self.rate, before=before)
        self.lesson = Lesson(Takes(guide, self._keep, Path.unlink), wishes.rate)

    def finish(self) -> Messages:
        counts = {word: len(files) for word, files in contents(self._place.name)["words"].items()}
        return [*super().finish(), {"event": "recorded", "collection": self._place.name, "words": counts}]

    def _keep(self, prompt: Prompt, samples: np.ndarray) -> Path:
        into = growing.word_folder(self._place, prompt.word)
        if not into.is_dir():  # what somebody deleted must not come back
            there = self._place.is_dir()
            what = f"word {cited(prompt.word)}" if there else f"collection {cited(self._place.name)}"
            raise MissingError(f"{what} was removed meanwhile; begin again")
        return _add(into, samples, self.rate, self._limits)


def _add(into: Path, samples: np.ndarray, rate: int, limits: Limits) -> Path:
    """Keep a take, where there is room."""
    if len(_recordings(into.parent, into.name)) >= limits.takes:
        raise TooLargeError(f"{cited(into.name)} has {limits.takes} recordings, which are the most")
    if _size(root()) + 2 * len(samples) > limits.kept:
        raise TooLargeError(f"own words take {limits.kept >> 20} MB, which are the most; remove some first")
    return growing.add_recording(into, samples, rate)


def _word_folder(place: Path, word: str) -> Path:
    """The folder of a word that a collection has."""
    if word not in _words(place):
        raise MissingError(f"{cited(place.name)} has no word {cited(word)}; it has {listed(_words(place)) or 'none'}")
    return growing.word_folder(place, word)


def _names() -> list[str]:
    """All collections; folders that are not named like one are none."""
    return [name for name in _visible(root(), Path.is_dir) if _is_name(name)]


def _is_name(name: str) -> bool:
    try:
        return naming.checked_name(name) == name
    except NamingError:
        return False


def _words(place: Path) -> list[str]:
    return _visible(place, Path.is_dir)


def _recordings(place: Path, word: str) -> list[str]:
    """The files of a word, those with numbers in their order."""
    found = _visible(growing.word_folder(place, word), Path.is_file)
    sounds = [file for file in found if Path(file).suffix.lower() in AUDIO_SUFFIXES]
    return sorted(sounds, key=lambda file: (len(file), file))


def _visible(place: Path, kind: Callable[[Path], bool]) -> list[str]:
    """What is in a folder, of a kind, sorted; nothing where there is none."""
    try:
        return sorted(entry.name for entry in place.iterdir() if entry.name[0] != "." and kind(entry))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _size(place: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(os.path.getsize(Path(top, file)) for top, _, files in os.walk(place) for file in files)


def _parts(file: str) -> list[str]:
    """The folders and the name, without what would lead out of them."""
    return [part for part in PurePosixPath(file.replace("\\", "/")).parts if part not in ("/", ".", "..")]
