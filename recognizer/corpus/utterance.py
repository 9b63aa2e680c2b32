"""A labelled recording, and what its labels may be."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from recognizer.errors import CorpusError, cited, shown
from recognizer.files.contents import LONGEST_WORD


@dataclass(frozen=True)
class Utterance:
    """One recording of one word.

    Attributes
    ----------
    path : Path
        The sound file, below the folder (or the table's folder) that was searched.
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


def with_labels(path: Path, word: str, speaker: str | None, where: str | None = None) -> Utterance:
    """A recording with its labels as they are kept.

    Parameters
    ----------
    where : what tells the labels, for people; the path when None

    Raises
    ------
    CorpusError
        if the word is empty, a label too long, or has control characters; it begins with where the labels stand.
    """
    (word, wrong_word), (speaker, wrong_speaker) = _kept(word, "word"), _kept(speaker or "", "speaker")
    if wrong := ("empty word; name what is said" if not word else wrong_word or wrong_speaker):
        raise CorpusError(f"{where or shown(path)}: {wrong}")
    return Utterance(path, word, speaker or None)


@lru_cache(maxsize=10_000)  # most are those of many recordings
def _kept(label: str, what: str) -> tuple[str, str | None]:
    """A label as it is kept, and what is wrong with it."""
    label = nfc(label).strip()
    if len(label) > LONGEST_WORD:
        return label, f"a {what} of {len(label)} characters; {LONGEST_WORD} are the most; shorten it"
    # Control characters, halves of undecodable file names, and ends of lines.
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in label):
        return label, f"control character in {cited(label)}; rename it"
    return label, None


def look_alikes(utterances: Iterable[Utterance]) -> list[str]:
    """Words that are one, but for case, for characters that nobody sees, or for blanks: a line for each two of them."""
    kinds: tuple[tuple[Callable[[str], str], str], ...] = (
        # lower, not casefold, which would also make one word of the German Maße and Masse.
        (str.lower, "by case"),
        (seen, "by characters that cannot be seen or look the same"),
    )
    firsts: dict[tuple[int, str], Utterance] = {}
    found: dict[tuple[str, str], str] = {}
    of_word: dict[str, Utterance] = {}
    for utterance in utterances:
        of_word.setdefault(utterance.word, utterance)
    for utterance in of_word.values():
        for kind, (form, how) in enumerate(kinds):
            other = firsts.setdefault((kind, form(utterance.word)), utterance)
            if other is not utterance and (other.word, utterance.word) not in found:
                found[other.word, utterance.word] = (
                    f"words {cited(other.word)} ({shown(other.path)}) and {cited(utterance.word)} "
                    f"({shown(utterance.path)}) differ only {how}; rename one or merge them"
                )
    return list(found.values())


def seen(word: str) -> str:
    """A word as it looks: without characters that take no room, with one kind of blanks, letters and digits.

    Joiners between two letters of a script that needs them are kept, for there they can be seen.
    """
    letters = []
    for place, letter in enumerate(word):
        if unicodedata.category(letter) == "Cf" or "\ufe00" <= letter <= "\ufe0f":
            joins = letter in "\u200c\u200d" and 0 < place < len(word) - 1 and not word[place - 1].isascii()
            letters += [letter] if joins else []
        else:
            letters.append(letter)
    return " ".join(unicodedata.normalize("NFKC", "".join(letters)).split()).lower()


def nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)
