"""Where recordings are: in folders at any depth, whether they can be read here or not."""

from __future__ import annotations

import os
import unicodedata
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from recognizer.corpus.tables import SUFFIXES as TABLE_SUFFIXES
from recognizer.corpus.tables import of_table
from recognizer.errors import CorpusError, shown
from recognizer.features.parameter_files import SUFFIXES as PARAMETER_SUFFIXES
from recognizer.files import is_elsewhere
from recognizer.files.elsewhere import files_below
from recognizer.sound.formats import AUDIO_SUFFIXES, looks_like_recording, suffix_of

_SKIPPED = (".", "_background_noise_")


class _Found(NamedTuple):
    """Files by what is in them."""

    sound: list[Path]
    parameters: list[Path]

    def add(self, file: Path) -> None:
        """Keep a file where it belongs by its name, if anywhere."""
        if looks_like_recording(file.name):
            self.sound.append(file)
        elif suffix_of(file.name) in PARAMETER_SUFFIXES:
            self.parameters.append(file)


def audio_files(paths: Iterable[str | Path]) -> list[Path]:
    """List recordings, labelled or not.

    Parameters
    ----------
    paths : iterable of str or Path
        Files, taken as they are, even if missing (reading reports that); folders, searched at any depth as in
        `find`; and tables, which end in .csv or .tsv.

    Returns
    -------
    list of Path
        In the order of the arguments and of a table's lines; the files of each folder sorted. A folder below
        that cannot be opened stands there itself, for reading it to report why; so do recordings of a kind that
        cannot be read here.

    Raises
    ------
    CorpusError
        If a folder holds no audio or cannot be opened, or a table is wrong.
    """
    found = []
    for path in map(Path, paths):
        if is_folder(path):
            files, closed = search(path)
            found += sorted([*files, *closed])
        elif path.suffix.lower() in TABLE_SUFFIXES and os.path.isfile(path):
            found += [row.path for row in of_table(path)]
        else:
            found.append(path)
    return found


def is_folder(path: Path) -> bool:
    """Whether recordings are to be searched for in it; elsewhere, whatever has no ending of a recording is a folder."""
    return os.path.isdir(path) or (is_elsewhere(path) and not looks_like_recording(path.name))


def search(root: Path) -> tuple[list[Path], dict[Path, CorpusError]]:
    """All recordings below a folder, sorted, and the folders that cannot be opened; one of the two is not empty.

    Where there is no sound, parameter files take its place.
    """
    found, closed, entered, waiting = _Found([], []), {}, set(), deque([root])
    if is_elsewhere(root):
        found, waiting = _search_elsewhere(root), deque()
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
            elif _may_be_read(entry, link):
                found.add(folder / entry.name)
    files = found.sound or found.parameters
    if not files and not closed:
        suffixes = " ".join(sorted(AUDIO_SUFFIXES))
        raise CorpusError(f"{shown(root)}: no audio in this folder; put files there that end in {suffixes}")
    return sorted(files), closed


def _search_elsewhere(root: Path) -> _Found:
    try:
        found = files_below(root)
    except OSError as error:
        raise CorpusError(f"{shown(root)}: cannot be opened ({error.strerror}); check the address") from error
    inside = [file for file in found if not any(p.startswith(_SKIPPED) for p in file.relative_to(root).parts)]
    of_kinds = _Found([], [])
    for file in inside:
        of_kinds.add(file)
    return of_kinds


def names_of(file: Path, root: Path) -> tuple[str, ...]:
    """What a file's place tells: the names of its folders below a root, and its own without the end, NFC-normalised."""
    folders = file.parts[len(root.parts) : -1]
    return tuple(unicodedata.normalize("NFC", name) for name in (*folders, file.stem))


def tables_in(folder: Path) -> list[Path]:
    """Tables beside the recordings, which may say what is in them."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in TABLE_SUFFIXES and file.is_file())


def _may_be_read(entry: os.DirEntry, link: bool) -> bool:
    """Whether something is a file, or a link to one or to nothing, which is told of; a pipe would be waited for."""
    if link:
        return os.path.isfile(entry.path) or not os.path.exists(entry.path)
    return entry.is_file()
