"""What is said in recordings: words, written by a person or in a table."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from recognizer.corpus import rows
from recognizer.corpus.layouts import SPEAKER_MARK
from recognizer.errors import CorpusError, cited, shown

# How a number is said digit by digit, where the vocabulary spells digits out.
NUMERALS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
NAMED_WORDS = 20  # of a vocabulary, in an error, which is to stay one line


@dataclass(frozen=True)
class Sentence:
    """A recording of known words.

    Attributes
    ----------
    path : the sound file
    words : what is said in it, in order, as the vocabulary has it
    speaker : who says it; None where nobody tells
    """

    path: Path
    words: tuple[str, ...]
    speaker: str | None


def spelled(text: str, vocabulary: Sequence[str]) -> tuple[str, ...]:
    """The words in a text, as the vocabulary has them.

    Words are divided by commas, or by spaces where a vocabulary's word has none. Upper and lower case are the same. A
    number is said digit by digit: it is words `0` to `9` if the vocabulary has these, else the English ones.

    Parameters
    ----------
    text : such as `three five nine` or `359`
    vocabulary : words, no two of which differ by case alone

    Raises
    ------
    CorpusError
        if a word is not in the vocabulary, or there is none.

    Examples
    --------
    >>> spelled("Three, 07", ["zero", "three", "seven"])
    ('three', 'zero', 'seven')
    """
    known = {word.lower(): word for word in vocabulary}
    found: list[str] = []
    for part in _nfc(text).lower().split(","):
        for token in [part.strip()] if part.strip() in known else part.split():
            said = [token]
            if token not in known and re.fullmatch("[0-9]+", token):
                said = [digit if digit in known else NUMERALS[int(digit)] for digit in token]
            if unknown := next((word for word in said if word not in known), None):
                raise CorpusError(f"the model has no word {cited(unknown)}; it has {_listed(vocabulary)}")
            found += [known[word] for word in said]
    if not found:
        raise CorpusError("no words are given; write those that are said, in order")
    return tuple(found)


def read_transcript(transcript: Path, column: str, vocabulary: Sequence[str]) -> list[Sentence]:
    """Read which words are said in which recordings.

    Parameters
    ----------
    transcript : a CSV file with the columns `path`, relative to the file's folder, and that of the words; a column
        `speaker` counts, others do not
    column : the name of the words' column
    vocabulary : see `spelled`

    Returns
    -------
    One a line, in order

    Raises
    ------
    CorpusError
        if it is no such file; if a line has no words or one that is not in the vocabulary, or names a recording
        twice. One line that names the file and the line.
    """
    needed = ("path", _nfc(column).strip().lower())
    sentences, lines = [], {}
    for line, row in rows(transcript, needed, "name the column of the words"):
        where = f"{shown(transcript)}: line {line}"
        if not row["path"]:
            raise CorpusError(f"{where}: empty path; name the sound file")
        path = transcript.parent / row["path"]
        if path in lines:
            raise CorpusError(f"{where}: {shown(path)} is on line {lines[path]} already; remove one")
        lines[path] = line
        try:
            words = spelled(row[needed[1]], vocabulary)
        except CorpusError as error:
            raise CorpusError(f"{where}: {error}") from error
        sentences.append(Sentence(path, words, _nfc(row.get("speaker", "")) or named_speaker(path)))
    if not sentences:
        raise CorpusError(f"{shown(transcript)}: no recordings in this transcript; add lines below the header")
    return sentences


def named_speaker(path: Path) -> str | None:
    """The speaker that a recording's name tells, as it would in a corpus."""
    speaker, mark, _ = _nfc(path.stem).partition(SPEAKER_MARK)
    return speaker if mark and speaker else None


def _listed(vocabulary: Collection[str]) -> str:
    more = ", ..." if len(vocabulary) > NAMED_WORDS else ""
    return ", ".join(map(shown, list(vocabulary)[:NAMED_WORDS])) + more


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)
