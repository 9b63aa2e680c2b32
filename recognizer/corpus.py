"""Labelled recordings, found from the names of folders and files or from a manifest."""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from recognizer.errors import CorpusError, cited, shown
from recognizer.features.parameter_files import SUFFIXES as PARAMETER_SUFFIXES
from recognizer.files.contents import LONGEST_WORD

AUDIO_SUFFIXES = frozenset(
    {".wav", ".wave", ".w64", ".rf64", ".flac", ".ogg", ".oga", ".opus", ".mp3"}
    | {".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".sph"}
)

WORD_FOLDER = "{word}/{anything}.wav"
WORD_SPEAKER_TAKE = "{word}_{speaker}_{take}.wav"
SPEAKER_WORD_TAKE = "{speaker}/{speaker}-{word}-{take}.wav"
MANIFEST_SUFFIX = ".csv"  # compare in lower case
MANIFEST = "a CSV manifest with the columns path,word,speaker"
SPEAKER_MARK = "_nohash_"  # what stands before it in a name is the speaker
WEIGHTS = (1e-6, 1e6)  # least and greatest: what is lighter is better left out
_SKIPPED = (".", "_background_noise_")
_WORD_SPEAKER_TAKE = re.compile(r"(.+)_([^_]+)_\d+")
# Folders that tell neither word nor speaker.
_SPLITS = frozenset({"train", "training", "dev", "val", "valid", "validation", "eval", "evaluation", "test", "testing"})


@dataclass(frozen=True)
class Utterance:
    """One recording of one word.

    Attributes
    ----------
    path : Path
        The sound file, below the folder (or the manifest's folder) that was searched.
    word : str
        What is said in it, NFC-normalised.
    speaker : str or None
        Who says it, NFC-normalised; None where the corpus does not tell.
    weight : float
        As how many recordings it counts in training, over 0.
    """

    path: Path
    word: str
    speaker: str | None
    weight: float = 1.0


def find(*corpora: str | Path) -> list[Utterance]:
    """Find labelled recordings in folders, at any depth, or in CSV manifests.

    A folder has one layout, decided by what most of its files look like; every file must then fit it.
    The first that holds is taken:

    1. ``{speaker}/{speaker}-{word}-{take}.wav`` if most names begin with the name of their folder and a
       hyphen, and end in a hyphen and digits.
    2. ``{word}_{speaker}_{take}.wav`` if most names are such, the take being digits, and if besides they
       all lie in one folder (or in folders called train, test and the like), or most lie in a folder named
       as their word or their speaker. Only the last two underscores divide, so words may have more.
    3. ``{word}/{anything}.wav`` otherwise; the word is the nearest folder. What stands before
       ``_nohash_`` in a name is the speaker, and such names are never taken for layout 2.

    So ``yes/anna_home_1.wav`` beside ``no/bob_home_2.wav`` are the words yes and no, while
    ``recordings/yes_anna_1.wav`` and ``anna/yes_anna_1.wav`` are the word yes, said by anna.

    Hidden files and folders, and those named ``_background_noise_``, are skipped. Links to folders are
    followed, but no folder is searched twice. Links to files that are gone are listed; reading reports them.

    A manifest is UTF-8 text with the header ``path,word,speaker``; the speaker may be empty or missing,
    and relative paths start from the manifest's folder. A column ``weight`` may say as how many recordings each
    counts in training, a number over 0; where it is empty, as one.

    Parameters
    ----------
    *corpora : str or Path
        Folders and manifests, each with a layout of its own.

    Returns
    -------
    list of Utterance
        Sorted by path, at least one. Words and speakers are in Unicode's NFC form, so that two ways to
        write a letter are one word.

    Raises
    ------
    CorpusError
        If there is no recording; if a file does not fit; if a word is empty or has control characters; if
        two words differ only by case; if two corpora hold one file; if a line of a manifest is wrong. One line
        that names the file (and the line of a manifest).
    """
    utterances = [utterance for corpus in corpora for utterance in _of_one(Path(corpus))]
    _refuse_case_variants(utterances)
    if len(corpora) > 1:
        _refuse_doubles(utterances)
    return sorted(utterances, key=lambda utterance: utterance.path)


def weight(text: str, where: str) -> float:
    """A weight as it was written; none is one.

    Raises
    ------
    CorpusError
        if it is not a number over 0, from WEIGHTS.
    """
    try:
        found = float(text or 1)
    except ValueError:
        found = 0.0
    least, greatest = WEIGHTS
    if not least <= found <= greatest:
        raise CorpusError(
            f"{where}: weight {cited(text)} is not a number over 0 (from {least:g} to {greatest:g}); write 2 to count "
            "as two recordings would, 0.5 as half of one"
        )
    return found


def _of_one(corpus: Path) -> list[Utterance]:
    if os.path.isdir(corpus):
        return _from_folder(corpus)
    if os.path.exists(corpus):
        return _from_manifest(corpus)
    raise CorpusError(f"{shown(corpus)}: no such folder or manifest; check the name")


def layout(folder: str | Path) -> str | None:
    """How the recordings in a folder are named, as `find` takes it.

    Returns
    -------
    WORD_FOLDER, WORD_SPEAKER_TAKE or SPEAKER_WORD_TAKE; None where there are no recordings.
    """
    try:
        files, _ = _search(Path(folder))
    except CorpusError:
        return None
    return _layout([_name(file, Path(folder)) for file in files])[0] if files else None


def audio_files(paths: Iterable[str | Path]) -> list[Path]:
    """List sound files, labelled or not.

    Parameters
    ----------
    paths : iterable of str or Path
        Files, taken as they are, even if missing (reading reports that); folders, searched at any depth as in
        `find`; and manifests, which end in .csv.

    Returns
    -------
    list of Path
        In the order of the arguments and of a manifest's lines; the files of each folder sorted. A folder below
        that cannot be opened stands there itself, for reading it to report why.

    Raises
    ------
    CorpusError
        If a folder holds no audio or cannot be opened, or a manifest is wrong.
    """
    found = []
    for path in map(Path, paths):
        if os.path.isdir(path):
            files, closed = _search(path)
            found += sorted([*files, *closed])
        elif path.suffix.lower() == MANIFEST_SUFFIX and os.path.isfile(path):
            found += [utterance.path for utterance in _from_manifest(path)]
        else:
            found.append(path)
    return found


def unknown_files(folders: Iterable[str | Path], words: Collection[str]) -> tuple[dict[Path, Path], list[Path]]:
    """List recordings of whatever is not in a vocabulary, in any layout.

    Parameters
    ----------
    folders : of other words and of noises, searched as `audio_files` does
    words : the vocabulary

    Returns
    -------
    unknown : dict of Path
        The files, each with the folder in which it was found.
    known : list of Path
        Those left out because `find` reads from their names that they hold a word of the vocabulary.
    """
    unknown: dict[Path, Path] = {}
    known: list[Path] = []
    for folder in folders:
        files = audio_files([folder])
        try:
            said = {utterance.path: utterance.word for utterance in find(folder)}
        except CorpusError:  # names that tell no words are welcome
            said = {}
        for file in files:
            if said.get(file) in words:
                known.append(file)
            else:
                unknown.setdefault(file, Path(folder))
    return unknown, known


def _search(root: Path) -> tuple[list[Path], dict[Path, CorpusError]]:
    """All sound files below a folder, sorted, and the folders that cannot be opened; one of the two is not empty.

    Where there is no sound, parameter files take its place.
    """
    files, closed, entered, waiting = [], {}, set(), deque([root])
    while waiting:
        folder = waiting.popleft()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in entered:
                continue
            entered.add((status.st_dev, status.st_ino))
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            closed[folder] = CorpusError(
                f"{shown(folder)}: cannot be opened ({error.strerror}); change its mode or move it away"
            )
            if folder == root:
                raise closed[root] from error
            continue
        for entry in entries:
            if entry.name.startswith(_SKIPPED):
                continue
            link = entry.is_symlink()
            # A link in a circle of links is an error for entry.is_dir, a plain no for os.path.isdir.
            if os.path.isdir(entry.path) if link else entry.is_dir():
                # Links wait until all true folders are done: a folder keeps its own name where it has one.
                (waiting.append if link else waiting.appendleft)(folder / entry.name)
            elif Path(entry.name).suffix.lower() in AUDIO_SUFFIXES | PARAMETER_SUFFIXES and _may_be_read(entry, link):
                files.append(folder / entry.name)
    files = [file for file in files if file.suffix.lower() in AUDIO_SUFFIXES] or files
    if not files and not closed:
        suffixes = " ".join(sorted(AUDIO_SUFFIXES))
        raise CorpusError(f"{shown(root)}: no audio in this folder; put files there that end in {suffixes}")
    return sorted(files), closed


def _may_be_read(entry: os.DirEntry, link: bool) -> bool:
    """Whether something is a file, or a link to one or to nothing, which is told of; a pipe would be waited for."""
    if link:
        return os.path.isfile(entry.path) or not os.path.exists(entry.path)
    return entry.is_file()


@dataclass(frozen=True)
class _Name:
    """What a file's place tells: NFC-normalised name without suffix, and name of its folder."""

    stem: str
    folder: str
    at_top: bool  # lies directly in the folder that was searched


def _name(file: Path, root: Path) -> _Name:
    at_top = file.parent == root
    # One speaker's folder may be searched on its own, even as "."; its name is still that of the speaker.
    folder = Path(os.path.abspath(root)) if at_top else file.parent
    return _Name(_nfc(file.stem), _nfc(folder.name), at_top)


_Labels = tuple[str, str | None]


def _speaker_word_take(name: _Name) -> _Labels | None:
    prefix = f"{name.folder}-"
    word, _, take = name.stem.removeprefix(prefix).rpartition("-")
    fits = name.stem.startswith(prefix) and word and take.isdecimal()
    return (word, name.folder) if fits else None


def _word_speaker_take(name: _Name) -> _Labels | None:
    match = _WORD_SPEAKER_TAKE.fullmatch(name.stem)
    return match.groups() if match and SPEAKER_MARK not in name.stem else None


def _word_folder(name: _Name) -> _Labels | None:
    speaker, mark, _ = name.stem.partition(SPEAKER_MARK)
    return None if name.at_top else (name.folder, speaker if mark else None)


def _layout(names: list[_Name]) -> tuple[str, Callable[[_Name], _Labels | None]]:
    """Choose the layout by the rule in `find`: how to write it, and how to read it."""

    def most(fits: Callable[[_Name], object]) -> bool:
        return 2 * sum(map(bool, map(fits, names))) > len(names)

    if most(_speaker_word_take):
        return SPEAKER_WORD_TAKE, _speaker_word_take
    folders = {name.folder.lower() for name in names}
    neutral = len(folders) == 1 or folders <= _SPLITS
    if most(_word_speaker_take) and (neutral or most(lambda n: n.folder in (_word_speaker_take(n) or ()))):
        return WORD_SPEAKER_TAKE, _word_speaker_take
    return WORD_FOLDER, _word_folder


def _from_folder(root: Path) -> list[Utterance]:
    files, closed = _search(root)
    for error in closed.values():
        raise error
    names = [_name(file, root) for file in files]
    layout, read = _layout(names)
    utterances = []
    for file, name in zip(files, names, strict=True):
        if (labels := read(name)) is None:
            raise CorpusError(
                f"{shown(file)}: tells no word; it does not fit {layout}, the layout chosen for all files; "
                f"rename or move files to fit {WORD_FOLDER}, {WORD_SPEAKER_TAKE} or {SPEAKER_WORD_TAKE}, "
                f"or write {MANIFEST}"
            )
        utterances.append(_utterance(file, *labels, where=shown(file)))
    return utterances


def _from_manifest(manifest: Path) -> list[Utterance]:
    utterances, lines = [], {}
    for line, row in rows(manifest, ("path", "word"), "begin with the header path,word,speaker"):
        where = f"{shown(manifest)}: line {line}"
        if not row["path"]:
            raise CorpusError(f"{where}: empty path; name the sound file")
        path = manifest.parent / row["path"]
        if path in lines:
            raise CorpusError(f"{where}: {shown(path)} is on line {lines[path]} already; remove one")
        lines[path] = line
        heard = _utterance(path, row["word"], row.get("speaker"), where)
        utterances.append(replace(heard, weight=weight(row.get("weight", ""), where)))
    if not utterances:
        raise CorpusError(f"{shown(manifest)}: no recordings in this manifest; add lines below the header")
    return utterances


def rows(manifest: Path, needed: Sequence[str], remedy: str) -> Iterable[tuple[int, dict[str, str]]]:
    """Line number and stripped cells, by column, of every line of a CSV file that is not blank.

    Parameters
    ----------
    manifest : UTF-8 text with a header
    needed : columns that the header must have, in lower case
    remedy : what to do if it has not

    Raises
    ------
    CorpusError
        if it cannot be read, or is no such file.
    """
    name = shown(manifest)
    try:
        content = manifest.read_bytes()
    except OSError as error:
        raise CorpusError(f"{name}: cannot be read ({error.strerror}); change its mode or copy it") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CorpusError(f"{name}: line {line} is not UTF-8 text; name a folder, or {MANIFEST}") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = None
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            where = f"{name}: line {reader.line_num}"
            if header is None:
                header = [cell.lower() for cell in cells]
                for column in needed:
                    if column not in header:
                        raise CorpusError(f"{where}: no column {cited(column)}; {remedy}")
            elif len(cells) > len(header):
                raise CorpusError(
                    f"{where}: {len(cells)} cells under {len(header)} columns; quote cells that have commas"
                )
            else:
                cells += [""] * (len(header) - len(cells))
                yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise CorpusError(f"{name}: line {reader.line_num} is not CSV ({error}); correct its quotes") from error


def _utterance(path: Path, word: str, speaker: str | None, where: str) -> Utterance:
    word, speaker = _nfc(word).strip(), _nfc(speaker or "").strip()
    if not word:
        raise CorpusError(f"{where}: empty word; name what is said")
    for what, label in (("word", word), ("speaker", speaker)):
        if len(label) > LONGEST_WORD:
            raise CorpusError(f"{where}: a {what} of {len(label)} characters; {LONGEST_WORD} are the most; shorten it")
        # Control characters, halves of undecodable file names, and ends of lines.
        if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in label):
            raise CorpusError(f"{where}: control character in {cited(label)}; rename it")
    return Utterance(path, word, speaker or None)


def _refuse_case_variants(utterances: list[Utterance]) -> None:
    # lower, not casefold, which would also make one word of the German Maße and Masse.
    spelled = {}
    for utterance in utterances:
        other = spelled.setdefault(utterance.word.lower(), utterance)
        if other.word != utterance.word:
            raise CorpusError(
                f"words {cited(other.word)} ({shown(other.path)}) and {cited(utterance.word)} "
                f"({shown(utterance.path)}) differ only by case; rename one or merge them"
            )


def _refuse_doubles(utterances: list[Utterance]) -> None:
    seen = set()
    for utterance in utterances:
        if (path := os.path.abspath(utterance.path)) in seen:
            raise CorpusError(f"{shown(utterance.path)}: is in two of the corpora; name each folder once")
        seen.add(path)


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)
