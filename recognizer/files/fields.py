"""What a file may say of itself: descriptions of fields, and what a value has that its description does not allow."""

from __future__ import annotations

import reprlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

BROKEN = ("Cc", "Cs", "Zl", "Zp")  # characters that break a line or cannot be printed
DEEPEST = 20  # lists and tables inside each other, which nobody needs and Python's own stack limits
LARGEST = 1e100  # number in data of whatever kind: its square is finite, too
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 40
_SHORT.maxlist = _SHORT.maxdict = 3
_SHORT.maxlevel = 2


def shortened(value: object) -> str:
    """A value as it is named in a message: no longer than a few words, on one line."""
    text = _SHORT.repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


class Field(Protocol):
    """What a value of plain JSON data may be."""

    def fault(self, value: object, where: str) -> str | None:
        """What is wrong with a value, `where` being its name; None when nothing is."""


@dataclass(frozen=True)
class Number:
    """A finite number; true and false are none.

    Attributes
    ----------
    least, most : the range
    unit : for people
    whole : without a fraction
    """

    least: float
    most: float
    unit: str = ""
    whole: bool = False

    def fault(self, value: object, where: str) -> str | None:
        number = isinstance(value, int if self.whole else int | float) and not isinstance(value, bool)
        if number and self.least <= value <= self.most:
            return None
        what = "a whole number" if self.whole else "a number"
        return f"{where} is {shortened(value)}, not {what} from {self.least:g} to {self.most:g} {self.unit}".rstrip()


@dataclass(frozen=True)
class Text:
    """A text on one line.

    Attributes
    ----------
    longest, shortest : characters
    lines : it may have any characters, for it is the name of a file
    """

    longest: int
    shortest: int = 0
    lines: bool = False

    def fault(self, value: object, where: str) -> str | None:
        if not isinstance(value, str):
            return f"{where} is {shortened(value)}, not a text"
        if not self.shortest <= len(value) <= self.longest:
            return f"{where} has {len(value)} characters, not {self.shortest} to {self.longest}"
        if not self.lines and any(unicodedata.category(character) in BROKEN for character in value):
            return f"{where} is {shortened(value)}, which is not text on one line"
        return None


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def fault(self, value: object, where: str) -> str | None:
        return None if isinstance(value, bool) else f"{where} is {shortened(value)}, not true or false"


@dataclass(frozen=True)
class OneOf:
    """One of several texts."""

    choices: tuple[str, ...]

    def fault(self, value: object, where: str) -> str | None:
        if isinstance(value, str) and value in self.choices:
            return None
        return f"{where} is {shortened(value)}, not {', '.join(self.choices)}"


@dataclass(frozen=True)
class Nullable:
    """What a field is, or null."""

    field: Field

    def fault(self, value: object, where: str) -> str | None:
        return None if value is None else self.field.fault(value, where)


@dataclass(frozen=True)
class Listing:
    """A list of so many values of one kind."""

    item: Field
    most: int
    least: int = 0

    def fault(self, value: object, where: str) -> str | None:
        if not isinstance(value, list | tuple):
            return f"{where} is {shortened(value)}, not a list"
        if not self.least <= len(value) <= self.most:
            return f"{where} has {len(value)} values, not {self.least} to {self.most}"
        faults = (self.item.fault(item, f"{where}[{place}]") for place, item in enumerate(value))
        return next(filter(None, faults), None)


@dataclass(frozen=True)
class Named:
    """So many values of one kind, each under a name of its own."""

    item: Field
    most: int
    key: Text = Text(1000)

    def fault(self, value: object, where: str) -> str | None:
        if not isinstance(value, dict):
            return f"{where} is {shortened(value)}, not values by name"
        if len(value) > self.most:
            return f"{where} has {len(value)} values, more than {self.most}"
        for key, item in value.items():
            if fault := self.key.fault(key, f"a name in {where}") or self.item.fault(item, _inside(where, key)):
                return fault
        return None


@dataclass(frozen=True)
class Table:
    """Values under names that are known.

    Attributes
    ----------
    fields : by name
    optional : names that may be missing
    others : what may be under any other name; None where there may be no other
    """

    fields: Mapping[str, Field]
    optional: frozenset[str] = frozenset()
    others: Field | None = None

    def fault(self, value: object, where: str) -> str | None:
        if not isinstance(value, dict):
            return f"{where} is {shortened(value)}, not values by name"
        if lacking := [name for name in self.fields if name not in value and name not in self.optional]:
            return f"{where or 'it'} lacks {lacking[0]}"
        for name, item in value.items():
            if name not in self.fields and self.others is None:
                return f"{where or 'it'} has {shortened(name)}, which is not known"
            if fault := self.fields.get(name, self.others).fault(item, _inside(where, name)):
                return fault
        return None


@dataclass(frozen=True)
class Told:
    """What a field is; where it is not, that is told to people in these words first."""

    field: Field
    words: str

    def fault(self, value: object, where: str) -> str | None:
        fault = self.field.fault(value, where)
        return fault and f"{self.words}: {fault}"


@dataclass(frozen=True)
class Plain:
    """Any plain data: numbers that can be counted with, texts that can be printed, lists and tables of them."""

    def fault(self, value: object, where: str, depth: int = 0) -> str | None:
        if depth > DEEPEST:
            return f"{where[:80]} lies more than {DEEPEST} levels deep"
        if isinstance(value, dict | list | tuple):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, item in items:
                inside = _inside(where, key)
                if fault := (self._key(key, where) or self.fault(item, inside, depth + 1)):
                    return fault
            return None
        if isinstance(value, str):
            return self._key(value, where)
        if isinstance(value, int | float) and not abs(value) <= LARGEST:
            return f"{where} is {shortened(value)}, not a number from {-LARGEST:g} to {LARGEST:g}"
        return None

    @staticmethod
    def _key(text: object, where: str) -> str | None:
        """Half of a character, which no program can print."""
        if isinstance(text, str) and any("\ud800" <= character <= "\udfff" for character in text):
            return f"{where} holds {shortened(text)}, which is not text"
        return None


@dataclass(frozen=True)
class Array:
    """An array of float64.

    Attributes
    ----------
    shape : numbers, or names of sizes that are the same wherever they stand, as in "dims" or "dims+1"
    least, most : the range
    impossible : minus infinity is allowed, too, the logarithm of a probability of zero
    told : said before what is wrong with its shape, for people
    of_values : the same of its values
    """

    shape: tuple[str | int, ...]
    least: float
    most: float
    impossible: bool = False
    told: str = ""
    of_values: str = ""

    def fault(self, array: np.ndarray, where: str, sizes: dict[str, int]) -> str | None:
        """What is wrong with an array; sizes that are not known yet are those that it has, and noted."""
        if array.dtype != np.float64:
            return _before(self.told, f"{where} holds numbers of the type {array.dtype}, not float64")
        if array.ndim != len(self.shape):
            return _before(self.told, f"{where} has the shape {array.shape}, not {self._needed(sizes)}")
        for size, needed in zip(array.shape, self.shape):
            name, _, more = str(needed).partition("+")
            known = int(needed) if isinstance(needed, int) else sizes.setdefault(name, size - int(more or 0))
            if size != known + int(more or 0) or known < 0:
                return _before(self.told, f"{where} has the shape {array.shape}, not {self._needed(sizes)}")
        allowed = (array >= self.least) & (array <= self.most)  # neither of NaN
        if self.impossible:
            allowed |= np.isneginf(array)
        if allowed.all():
            return None
        wrong = array.flat[int(allowed.argmin())]
        return _before(self.of_values, f"{where} holds {wrong:g}, not numbers from {self.least:g} to {self.most:g}")

    def _needed(self, sizes: Mapping[str, int]) -> str:
        """The shape in words, its sizes as far as they are known."""
        named = []
        for needed in self.shape:
            name, plus, more = str(needed).partition("+")
            known = sizes.get(name, name)
            named.append(str(known + int(more or 0)) if isinstance(known, int) else f"{known}{plus}{more}")
        return f"({', '.join(named)})"


def array_fault(arrays: Mapping[str, np.ndarray], table: Mapping[str, Array], sizes: dict[str, int]) -> str | None:
    """What keeps arrays from being those of a table; None when nothing does.

    Parameters
    ----------
    arrays : by name
    table : by name, what each must be
    sizes : that are known; those that the arrays tell are added
    """
    if wrong := sorted(table.keys() ^ arrays.keys()):
        return f"it {'lacks' if wrong[0] in table else 'has'} the array {shortened(wrong[0])}"
    return next(filter(None, (table[name].fault(arrays[name], name, sizes) for name in table)), None)


def _inside(where: str, key: object) -> str:
    """The name of what stands inside something, no longer than a message bears."""
    name = shortened(key) if not isinstance(key, str) or not key.isprintable() or len(key) > 40 else key
    inside = f"{where}.{name}" if where else name
    return inside if len(inside) <= 120 else f"...{inside[-117:]}"


def _before(told: str, fault: str) -> str:
    return f"{told}: {fault}" if told else fault
