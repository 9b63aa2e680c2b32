"""Everything that can go wrong, as the package says it: one line, the value, the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import accumulate
from pathlib import PurePath

LONGEST = 500  # characters of a name or a value in a message: paths are mostly whole
LONGEST_LINE = 1000  # characters of a message, with all names in it
ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):[/\\]+(.+)")  # two letters at least, for C: is a drive
_PARTS = re.compile(r"\\(?:x..|u.{4}|U.{8}|.)|.", re.DOTALL)  # a character, or what escapes one


class RecognizerError(Exception):
    """Base of all errors the package raises on purpose; its text is one line for the user."""

    def __str__(self) -> str:
        return in_short(printable(super().__str__()), LONGEST_LINE)


class AudioError(RecognizerError):
    """A recording that cannot be read, or holds nothing that could be analysed."""


class CorpusError(RecognizerError):
    """A folder or manifest that does not yield labelled recordings."""


class ModelError(RecognizerError):
    """A model file that is missing, damaged, foreign, or from a newer version."""


class TrainingError(RecognizerError):
    """Recordings from which no model can be estimated."""


class MicrophoneError(RecognizerError):
    """A microphone that is missing, in use, not allowed or not understood, or no library to reach it."""


class LoudspeakerError(RecognizerError):
    """A loudspeaker that is missing or cannot be opened."""


class NamingError(RecognizerError):
    """A name for a speaker or a word that cannot be a folder on every system."""


class AdaptationError(RecognizerError):
    """Recordings to which models cannot be fitted, or a way of fitting that there is not."""


class ProfileError(RecognizerError):
    """A speaker's profile that is missing, damaged, from a newer version, or for another model."""


class NewerProfileError(ProfileError):
    """A profile that a newer program made: what this one cannot read, it must not replace."""


class RecognizerWarning(UserWarning):
    """Something the user should know although the work was done; its text is one line."""

    def __str__(self) -> str:
        return in_short(printable(super().__str__()), LONGEST_LINE)


class HeaderWarning(RecognizerWarning):
    """A recording whose header does not tell the truth, and what was heard of it."""


def shown(name: object) -> str:
    """A name that is not the program's own, such as that of a file, in a message or on a terminal.

    As it is; in quotes and escaped where a character would break the line, move the cursor or not be seen; without its
    middle where it is long.
    """
    name = name_of(name) if isinstance(name, PurePath) else str(name)
    return in_short(name) if name.isprintable() else cited(name)


def name_of(path: PurePath) -> str:
    """A path as whoever gave it wrote it, also one that is an address and has lost a slash."""
    found = ADDRESS.fullmatch(str(path))
    return "://".join(found.groups()) if found else str(path)


def retold(message: str, path: PurePath, given: PurePath) -> str:
    """A message about a file that was read under another name than the one given."""
    return message.replace(shown(path), shown(given))


def cited(value: object) -> str:
    """As `shown`, in quotes in any case: for what is compared letter by letter, or may have spaces."""
    return in_short(repr(str(value)))


def listed(names: Iterable[object], most: int = 20) -> str:
    """Names with commas, each as `shown`: the first ones, and how many more there are."""
    names = list(names)
    told = [shown(name) for name in names[:most]]
    told = told[: max(1, sum(length <= LONGEST for length in accumulate(map(len, told))))]
    more = len(names) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")


def counted(number: int, what: str, several: str | None = None) -> str:
    """A number of things, in words that go with it; `several` where it takes more than an s."""
    return f"{number} {what if number == 1 else several or f'{what}s'}"


def printable(line: str) -> str:
    """A line of text with escapes for what must not reach a terminal, whoever wrote it.

    That are controls, marks that turn the direction of writing or take no room, halves of characters, ends of lines.
    """
    if line.isprintable():
        return line
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in line)


def in_short(text: str, longest: int = LONGEST) -> str:
    """A printable text without its middle where it is long; what is an escape stays whole."""
    if len(text) <= longest:
        return text
    parts, half = _PARTS.findall(text), longest // 2
    return f"{_fitting(parts, half)}…{_fitting(parts[::-1], half - 1, -1)}"


def _fitting(parts: list[str], room: int, order: int = 1) -> str:
    """As many of the first parts as there is room for, in order or the other way round."""
    count = sum(length <= room for length in accumulate(map(len, parts)))
    return "".join(parts[:count][::order])
