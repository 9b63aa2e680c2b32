"""Labelled recordings, found from the names of folders and files or from a table."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from recognizer.corpus.files import audio_files, is_folder, names_of, search, tables_in
from recognizer.corpus.layouts import SHOWN, WORD_FOLDER, LayoutError, labels_of, of_files, written
from recognizer.corpus.patterns import Pattern
from recognizer.corpus.tables import MANIFEST, is_kaldi, of_kaldi, of_table
from recognizer.corpus.utterance import Utterance, look_alikes, nfc, with_labels
from recognizer.errors import CorpusError, counted, listed, shown
from recognizer.files import is_elsewhere


@dataclass(frozen=True)
class Corpus:
    """Labelled recordings, and how their labels were found.

    Attributes
    ----------
    utterances : sorted by path, at least one
    layouts : by what the names in each folder were read; of a table, None
    told : a line for each folder or table: what was taken for words and speakers, with an example
    faults : what has to be mended before anything is learned from it, a line each; none unless they were asked for
    """

    utterances: list[Utterance]
    layouts: tuple[str | None, ...]
    told: tuple[str, ...]
    faults: tuple[str, ...] = ()


def find(*corpora: str | Path, layout: str | None = None, known: Collection[str] = ()) -> list[Utterance]:
    """Find labelled recordings, as `read_corpus` does, and nothing else.

    Returns
    -------
    list of Utterance
        Sorted by path, at least one.
    """
    return read_corpus(*corpora, layout=layout, known=known).utterances


def read_corpus(
    *corpora: str | Path, layout: str | None = None, known: Collection[str] = (), strict: bool = True
) -> Corpus:
    """Find labelled recordings in folders, at any depth, or in tables.

    A folder has one layout, such as ``{word}/*`` or ``{word}_{speaker}_{take}``, see `Pattern`; every file must fit it.
    Where none is given, a file ``layout.txt`` in the folder does, and else the names tell it, see
    `recognizer.corpus.layouts`: a part of the names is the word if no other part could be. If others could, words that
    are known decide, and else it is an error that shows the readings. What stands before ``_nohash_`` in a name is the
    speaker, and then the nearest folder is the word.

    Hidden files and folders, and those named ``_background_noise_``, are skipped. Links to folders are
    followed, but no folder is searched twice. Links to files that are gone, and recordings of kinds that cannot be read
    here, are listed; reading reports them.

    A table is text with a header that has the columns ``path,word,speaker``, or others of the names that are usual
    (``file;label``, ``client_id path sentence``); the speaker may be empty or missing, and relative paths start from
    the table's folder. A column ``weight`` may say as how many recordings each counts in training, a number over 0;
    where it is empty, as one. A folder with the files ``wav.scp`` and ``text`` is one of Kaldi's.

    Parameters
    ----------
    *corpora : str or Path
        Folders and tables, each with a layout of its own.
    layout : how names are written in all folders
    known : words that may be said, which tell words from speakers where names may be read in several ways
    strict : whether files that do not fit and words that are alike are errors; else they are among the faults

    Returns
    -------
    Corpus
        Words and speakers are in Unicode's NFC form, so that two ways to write a letter are one word.

    Raises
    ------
    LayoutError
        If names may be read in more than one way.
    CorpusError
        If there is no recording; if a file does not fit; if a word is empty or has control characters; if
        two words differ only by case or by what nobody sees; if two corpora hold one file; if a line of a table is
        wrong. One line that names the file (and the line of a table).
    """
    pattern = None if layout is None else Pattern(layout)
    utterances, layouts, told, faults = [], [], [], []
    for corpus in map(Path, corpora):
        found, read_by, misfits = _of_one(corpus, pattern, known)
        if misfits and (strict or not found):
            raise CorpusError(misfits[0])
        utterances += found
        faults += misfits
        layouts.append(read_by)
        told.append(_told(corpus, read_by, found))
    faults += look_alikes(utterances)
    if faults and strict:
        raise CorpusError(faults[0])
    if len(corpora) > 1:
        _refuse_doubles(utterances)
    utterances.sort(key=lambda utterance: utterance.path)
    return Corpus(utterances, tuple(layouts), tuple(told), tuple(faults))


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
            said = {utterance.path: utterance.word for utterance in find(folder, known=words)}
        except CorpusError:  # names that tell no words are welcome
            said = {}
        for file in files:
            if said.get(file) in words:
                known.append(file)
            else:
                unknown.setdefault(file, Path(folder))
    return unknown, known


def _of_one(
    corpus: Path, pattern: Pattern | None, known: Collection[str]
) -> tuple[list[Utterance], str | None, list[str]]:
    """The recordings of a folder or a table, by what layout they were read, and what does not fit it."""
    if is_folder(corpus):
        if pattern is None and is_kaldi(corpus):
            return of_kaldi(corpus), None, []
        return _of_folder(corpus, pattern, known)
    if os.path.exists(corpus):
        return of_table(corpus), None, []
    raise CorpusError(f"{shown(corpus)}: no such folder or manifest; check the name")


def _of_folder(root: Path, pattern: Pattern | None, known: Collection[str]) -> tuple[list[Utterance], str, list[str]]:
    files, closed = search(root)
    for error in closed.values():
        raise error
    inferred = pattern is None
    if inferred:
        pattern = Pattern(written(root) or _by_names(root, files, known))
    utterances, misfits = [], []
    # The folder of one speaker or one word may be given on its own, even as ".".
    above = () if any(file.parent != root for file in files) else (nfc(Path(os.path.abspath(root)).name),)
    for file in files:
        if (labels := labels_of(pattern, (*above, *names_of(file, root)))) is None:
            misfits.append(file)
        else:
            utterances.append(with_labels(file, *labels))
    if inferred and pattern.text == WORD_FOLDER:
        _refuse_words_in_words(root, files)
    faults = []
    if misfits:
        others = f", nor do {len(misfits) - 1} others" if len(misfits) > 1 else ""
        faults.append(
            f"{shown(misfits[0])}: tells no word; it does not fit {pattern.text}, the layout of all files{others}; "
            f"rename or move files to fit it, or write {MANIFEST}"
        )
    return utterances, pattern.text, faults


def _refuse_words_in_words(root: Path, files: list[Path]) -> None:
    """Refuse folders of words within a folder that has recordings of a word itself."""
    folders = {file.parent for file in files} - {root}
    if within := {folder for folder in folders if folder.parent in folders}:
        file = next(file for file in files if file.parent in within)
        raise CorpusError(
            f"{shown(file)}: lies in a folder within {shown(file.parent.parent)}, which has recordings itself; move "
            f"them, or write {MANIFEST}"
        )


def _by_names(root: Path, files: list[Path], known: Collection[str]) -> str:
    """The pattern that the names tell; where they do not, tables beside them are named, which may."""
    try:
        return of_files(root, files, known)
    except CorpusError as error:
        readable = []
        for table in () if is_elsewhere(root) else tables_in(root):
            try:
                of_table(table)
            except CorpusError:
                continue
            readable.append(table)
        if not readable:
            raise
        hint = f"or name a table instead of the folder: {listed(readable, 3)}"
        if isinstance(error, LayoutError):
            raise LayoutError(root, error.readings, f"{error.why}, {hint}") from error
        raise CorpusError(f"{error}, {hint}") from error


def _told(corpus: Path, layout: str | None, utterances: list[Utterance]) -> str:
    """In one line what was taken for words and speakers."""
    folder = is_folder(corpus)
    how = f"names are {layout}" if layout else "wav.scp and text tell" if folder else "a table tells"
    words = sorted({utterance.word for utterance in utterances})
    speakers = sorted({utterance.speaker for utterance in utterances if utterance.speaker})
    first = utterances[0]
    example = f"{shown(os.path.relpath(first.path, corpus) if folder else first.path.name)} is {shown(first.word)}"
    example += f" by {shown(first.speaker)}" if first.speaker else ""
    counts = [f"{counted(len(utterances), 'recording')}"]
    counts += [f"{counted(len(words), 'word')} ({listed(words, 2 * SHOWN)})"]
    counts += [f"{counted(len(speakers), 'speaker')} ({listed(speakers, SHOWN)})"] if speakers else []
    return f"{shown(corpus)}: {how}: {', '.join(counts)}; {example}"


def _refuse_doubles(utterances: list[Utterance]) -> None:
    seen = set()
    for utterance in utterances:
        if (path := os.path.abspath(utterance.path)) in seen:
            raise CorpusError(f"{shown(utterance.path)}: is in two of the corpora; name each folder once")
        seen.add(path)
