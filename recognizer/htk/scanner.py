"""The tokens of HTK's definitions: keywords, macro letters, names and numbers (HTK Book 3.4, chapter 7)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from recognizer.errors import ModelError, RecognizerWarning, cited, in_short, shown

LARGEST = float(np.finfo(np.float32).max)  # HTK computes in single precision
LARGEST_INTEGER = 32767  # HTK keeps sizes and indices in shorts
LONGEST_NAME = 255  # bytes; a longer one has lost the quote at its end
SPACE = re.compile(r"\s*")
KEYWORD = re.compile(r"<\s*([^<>\s]*)\s*>")
MACRO = re.compile(r"~[A-Za-z]")
NUMBERS_END = re.compile(r"[<~]")  # begin a keyword and a macro
OCTAL = re.compile(r"[0-3][0-7]{2}")
# What some place in a file has; parameter kinds come on top.
KEYWORDS = {"BEGINHMM", "ENDHMM", "NUMSTATES", "STATE", "NUMMIXES", "SWEIGHTS", "STREAM", "MIXTURE", "TMIX", "DPROB"}
KEYWORDS |= {"MEAN", "VARIANCE", "INVCOVAR", "LLTCOVAR", "XFORM", "GCONST", "DURATION", "TRANSP", "RCLASS", "NODE"}
KEYWORDS |= {"STREAMINFO", "VECSIZE", "HMMSETID", "NULLD", "DIAGC", "REGTREE", "TNODE"}


class Scanner:
    """A place in the text; knows how to tell it in a message."""

    def __init__(self, text: str, where: str):
        self.text, self.where, self.position = text, where, 0
        self.within: list[str] = []  # the model, the state

    def failure(self, message: str) -> ModelError:
        """The error that tells a message and this place."""
        line = self.text.count("\n", 0, self.position) + 1
        return ModelError(", ".join([self.where, f"line {line}", *self.within]) + f": {message}")

    def warn(self, message: str) -> None:
        """Warn with a message and this place."""
        warnings.warn(str(self.failure(message)), RecognizerWarning, stacklevel=2)

    @contextmanager
    def inside(self, what: str) -> Iterator[None]:
        """Within this, messages tell that they are of a model or a state."""
        self.within.append(what)
        yield  # not undone after an error: the message is made where it is raised
        self.within.pop()

    def at_end(self) -> bool:
        """Whether nothing but space is left, behind which this moves."""
        self.position = SPACE.match(self.text, self.position).end()
        return self.position == len(self.text)

    def peek(self) -> str:
        """The next keyword in upper case, such as "MEAN", or macro letter with its tilde, such as "~s"; "" at the end.

        Raises
        ------
        ModelError
            if something else comes.
        """
        if self.at_end():
            return ""
        if match := KEYWORD.match(self.text, self.position):
            return match[1].upper()
        if match := MACRO.match(self.text, self.position):
            return match[0]
        found = self.text[self.position :].split(maxsplit=1)[0][:40]
        raise self.failure(
            f"found {cited(found)} where a keyword such as <MEAN> or a macro such as ~h belongs; correct it"
        )

    def step(self) -> str:
        """As `peek`, and move behind it."""
        word = self.peek()
        if word.startswith("~"):
            self.position += len(word)
        elif word:
            self.position = self.text.index(">", self.position) + 1
        return word

    def take(self, *expected: str) -> str:
        """As `step`, if one of the expected words comes."""
        word = self.peek()
        if word not in expected:
            raise self.unexpected(word, " or ".join(map(shown_word, expected)))
        return self.step()

    def unexpected(self, word: str, expected: str) -> ModelError:
        """The error that a word, "" at the end, comes where another belongs."""
        if not word:
            return self.failure(f"the file ends where {expected} belongs; it is cut off, get it again")
        unknown = "" if word in KEYWORDS or word.startswith("~") else "unknown keyword "
        return self.failure(f"{unknown or 'found '}{shown_word(word)} where {expected} belongs; correct it")

    def name(self) -> str:
        """A string in quotes or up to the next space, with HTK's escapes: backslash and character, or octal byte."""
        if self.at_end():
            raise self.failure("the file ends where a name belongs; it is cut off, get it again")
        quote = self.text[self.position]
        quoted = quote in "\"'"
        place = self.position + quoted
        raw = bytearray()
        while place < len(self.text):
            character = self.text[place]
            if character == quote if quoted else character.isspace():
                break
            place += 1
            if character == "\\":
                if octal := OCTAL.match(self.text, place):
                    raw.append(int(octal[0], 8))
                    place += 3
                    continue
                character = self.text[place : place + 1]
                place += 1
            raw += character.encode("utf-8", "surrogatepass")
        else:
            if quoted:
                raise self.failure("a name begins with a quote that nothing ends; close it")
        self.position = place + quoted
        if len(raw) > LONGEST_NAME:
            start = bytes(raw[:20]).decode("utf-8", "replace")
            raise self.failure(
                f"the name that begins with {start!r} has {len(raw)} bytes, more than {LONGEST_NAME}; close its quote, "
                "or rename it"
            )
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.failure(f"the name {in_short(repr(bytes(raw)))} is not UTF-8; rename it") from error

    def tokens(self) -> list[str]:
        """All up to the next keyword or macro."""
        end = match.start() if (match := NUMBERS_END.search(self.text, self.position)) else len(self.text)
        numbers = self.text[self.position : end].rstrip()
        self.position += len(numbers)  # of the last number, whose line a message tells
        return numbers.split()

    def counted(self, what: str, words: list[str], count: int) -> None:
        """Refuse more or fewer words than `count`."""
        if len(words) < count and SPACE.fullmatch(self.text, self.position):
            raise self.failure(
                f"the file ends after {len(words)} of {count} numbers of {what}; it is cut off, get it again"
            )
        if len(words) != count:
            raise self.failure(f"{what} needs {amount(count, 'number')}, found {len(words)}; correct it")

    def number(self, word: str, what: str) -> float:
        """What a word says, a finite number in single precision."""
        try:
            value = float(word.replace("_", "?"))  # Python would take 1_000
        except ValueError:
            raise self.failure(f"{cited(word[:40])} in {what} is not a number; correct it") from None
        if not abs(value) <= LARGEST:
            raise self.failure(
                f"{what} holds {shown(word[:40])}, which is not a finite number in single precision; train the "
                "model again"
            )
        return value

    def numbers(self, count: int, what: str) -> np.ndarray:
        """The next `count` numbers, after which a keyword or macro must come."""
        words = self.tokens()
        self.counted(what, words, count)
        return self.values(words, what)

    def values(self, words: list[str], what: str) -> np.ndarray:
        """As `number`, of many words at once."""
        try:
            values = np.array([float(word) for word in words])
        except ValueError:
            values = np.array([np.nan])
        if not (np.abs(values) <= LARGEST).all() or any("_" in word for word in words):
            values = np.array([self.number(word, what) for word in words])
        return values

    def integers(self, what: str) -> list[int]:
        """All whole numbers up to the next keyword or macro, at least one, none negative."""
        words = self.tokens()
        if not words:
            self.counted(what, words, 1)
        return [self.integer(word, what) for word in words]

    def integer(self, word: str, what: str) -> int:
        """What a word says, a whole number that is not negative."""
        if not (word.isascii() and word.isdigit() and len(word) <= 9 and int(word) <= LARGEST_INTEGER):
            raise self.failure(
                f"{cited(word[:40])} after {what} is no whole number up to {LARGEST_INTEGER}; correct it"
            )
        return int(word)

    def one_integer(self, what: str) -> int:
        """The next number, a whole one, after which a keyword or macro must come."""
        words = self.tokens()
        self.counted(what, words, 1)
        return self.integer(words[0], what)

    def vector(self, what: str) -> np.ndarray:
        """A length and as many numbers."""
        words = self.tokens()
        if not words:
            self.counted(what, words, 1)
        count = self.integer(words[0], what)
        self.counted(f"{what} {count}", words[1:], count)
        return self.values(words[1:], what)

    def runs(self, count: int, what: str) -> np.ndarray:
        """`count` numbers, a number n times in a row as number*n."""
        values: list[float] = []
        for word in self.tokens():
            value, star, times = word.partition("*")
            values += [self.number(value, what)] * (self.integer(times, f"{shown(value)}* in {what}") if star else 1)
            if len(values) > count:
                break
        self.counted(what, [""] * len(values), count)
        return np.array(values)


def shown_word(word: str) -> str:
    """A keyword or macro letter, of which `Scanner.peek` gives the name, as it stands in files."""
    return word if word.startswith("~") else f"<{shown(word)}>"


def amount(count: int, what: str) -> str:
    """So many of something, for people: one value, two values."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def unquoted(name: str) -> str:
    """What a name stands for, in quotes or without, as HTK reads it."""
    return Scanner(name, name).name()
