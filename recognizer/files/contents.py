"""What a file may say of itself: kinds of fields, and the fields of models and profiles, every one of them.

A field has a type, a shape, a range and a unit. The ranges are those of anything that could be meant, and with all of
them no computation overflows: features are held in single precision, up to 1e38, and their squares divided by the least
variance in double precision, up to 1e308.
"""

from __future__ import annotations

import reprlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
    """An array of float64, or of integers.

    Attributes
    ----------
    shape : numbers, or names of sizes that are the same wherever they stand, as in "dims" or "dims+1"
    least, most : the range
    whole : it is of integers
    impossible : minus infinity is allowed, too, the logarithm of a probability of zero
    told : said before what is wrong with its shape, for people
    of_values : the same of its values
    """

    shape: tuple[str | int, ...]
    least: float
    most: float
    whole: bool = False
    impossible: bool = False
    told: str = ""
    of_values: str = ""

    def fault(self, array: np.ndarray, where: str, sizes: dict[str, int]) -> str | None:
        """What is wrong with an array; sizes that are not known yet are those that it has, and noted."""
        if array.dtype.kind not in "iu" if self.whole else array.dtype != np.float64:
            needed = "integers" if self.whole else "float64"
            return _before(self.told, f"{where} holds numbers of the type {array.dtype}, not {needed}")
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


# The fields of models and profiles


MOST_WORDS = 10_000
MOST_STATES = 1000  # of a word, which could last no less than ten seconds
MOST_POSITIONS = 200_000  # of all words together; of so many every frame has a number in little memory
MOST_MOVES = 500_000  # of all words together, from any position to another
LONGEST_WORD = 1000  # characters
SINGLE = 3.5e38  # more than single precision holds

WORD = Text(LONGEST_WORD, 1)
SETTING = 1e6  # no setting and no weight is beyond


def whole(least: int, most: int, unit: str = "") -> Number:
    """A number without a fraction."""
    return Number(least, most, unit, whole=True)


CEPSTRA = Listing(Number(-SETTING, SETTING), 1000)
FRONT_END = Table(
    {
        "sample_rate": whole(1000, 1_000_000, "Hz"),
        "window": Number(1e-3, 1, "s"),
        "hop": Number(1e-3, 1, "s"),
        "pre_emphasis": Number(0, 1),
        "filters": whole(1, 1000),
        "low": Number(0, 500_000, "Hz"),
        "high": Number(1, 500_000, "Hz"),
        "cepstra": whole(1, 1000),
        "delta_width": whole(3, 999, "frames"),
        "smoothing_width": whole(1, 999, "frames"),
        "floor": Number(1e-15, SETTING),
        "mean_weight": Number(0, 1e9, "frames"),
        "mean": CEPSTRA,
        "deviation_weight": Number(0, 1e9, "frames"),
        "deviation": Listing(Number(0, SETTING), 1000),
        "warp": Number(0.5, 2),
    }
)
GIVEN = Table(
    {
        "kind": Text(40),
        "dims": whole(1, 10_000),
        "hop": Number(1e-7, 250, "s"),
        "symbols": whole(0, 32_767),
    }
)
MODEL = {
    "words": Listing(WORD, MOST_WORDS, 1),
    "endpointer": Table(
        {
            "threshold": Number(0, 1),
            "depth": Number(0, 1000, "dB"),
            "pause": Number(0, 60, "s"),
            "margin": Number(0, 60, "s"),
            "quietest": Number(-1000, 1000, "dB"),
            "flattest": Number(0, 1000, "dB"),
            "steady": Number(0.01, 60, "s"),
        }
    ),
    "calibration": Table({"scale": Number(1e-6, 1000)}),
    "history": Named(Listing(Number(-1e12, 1e12, "nats"), 100_000), 100, Text(200)),
}
NO_POINTS = "its rejection has no operating points from 0 to 1"
NO_WEIGHTS = "its rejection does not weigh the evidence"
REJECTION = Table(
    {
        "bias": Told(Number(-SETTING, SETTING), NO_WEIGHTS),
        "thresholds": Told(Table({name: Number(0, 1) for name in ("strict", "normal", "lenient")}), NO_POINTS),
    }
)
CARD = Named(Plain(), 1000)

CHAIN = Array(("words", "positions"), -SETTING, 1e-6, impossible=True)
TYING = Array(("words", "states"), 0, MOST_POSITIONS, whole=True)
MATRICES = {
    "window": Array(("window",), -1000, 1000),
    "filters": Array(("filters", "bins"), 0, 1000),
    "cosines": Array(("cepstra", "filters"), -1000, 1000),
    "smoothing": Array((1, "smoothing_width"), -1000, 1000),
    "derivatives": Array((2, "delta_width"), -1000, 1000),
}
WEIGHTS = Array(("evidence",), -SETTING, SETTING, told=NO_WEIGHTS, of_values=NO_WEIGHTS)
EVIDENCE = {
    "least": replace(WEIGHTS, least=-SINGLE, most=SINGLE),
    "most": replace(WEIGHTS, least=-SINGLE, most=SINGLE),
    "weights": WEIGHTS,
    "hidden": replace(WEIGHTS, shape=("evidence+1", "units")),
    "output": replace(WEIGHTS, shape=("units",)),
}
# HTK's features may be powers of samples of 16 bits, and sums of them.
FARTHEST, LEAST_VARIANCE, MOST_VARIANCE = 1e15, 1e-20, 1e30
MOST_SHARE = 1.01  # weights may have been printed with few digits


def density(name: str) -> dict[frozenset[str], dict[str, Array]]:
    """What the arrays of a density must be, by their names: one table for each kind.

    Parameters
    ----------
    name : of the density, as messages and its own sizes have it
    """
    gaussians, weights, streams, cells = (
        f"the {name}'s {what}" for what in ("Gaussians", "weights", "streams", "cells")
    )
    own, shared = (f"{name} states", f"{name} mixtures"), (f"{name} streams", f"{name} entries")
    means = Array((*own, "dims"), -FARTHEST, FARTHEST, told=gaussians, of_values=gaussians)
    variances = replace(means, least=LEAST_VARIANCE, most=MOST_VARIANCE)
    shares = Array(own, 0, MOST_SHARE, told=gaussians, of_values=weights)
    of_stream = Array((f"{name} streams", "dims"), 0, 1, told=streams, of_values=streams)
    shared_means, shared_variances = (replace(x, shape=(*shared, "dims")) for x in (means, variances))
    shared_shares = replace(shares, shape=(f"{name} states", *shared))
    kinds = (
        {"weights": shares, "means": means, "variances": variances},
        {"weights": shared_shares, "means": shared_means, "variances": shared_variances, "streams": of_stream},
        {
            "weights": replace(shared_shares, told=cells),
            "centres": replace(shared_means, told=cells, of_values=cells),
            "precision": replace(of_stream, most=1 / LEAST_VARIANCE, of_values=cells),
        },
    )
    return {frozenset(kind): kind for kind in kinds}


METHOD = Table(
    {
        "kind": OneOf(("none", "map", "mllr", "cmllr", "mllr-map", "cmllr-map")),
        "shape": OneOf(("bias", "diagonal", "block", "full")),
        "tau": Number(0, 20, "frames"),
        "class_frames": Nullable(Number(1e-6, 1e9, "frames")),
        "variances": Flag(),
        "weight": Number(0, 1),
    }
)
COUNT = whole(0, 1_000_000_000)
TRIAL = Table({"correct": COUNT, "n": COUNT, "confidence": Number(0, 1)}, frozenset({"confidence"}))
RECORD_FIELDS = {
    "made": Text(40),
    "takes": Named(COUNT, MOST_WORDS, WORD),
    "method": Text(1000),
    "why": Text(10_000),
    "before": Nullable(TRIAL),
    "after": Nullable(TRIAL),
    "prior": Nullable(Text(1000)),
    "asked": Nullable(METHOD),
    "unlabelled": Flag(),
    "vtln": Flag(),
    "warp": FRONT_END.fields["warp"],
    "recordings": COUNT,
    "passes": COUNT,
}
PROFILE = Table(
    {
        "format": Text(40),
        "version": whole(0, 1000),
        "base": Text(200, 1),
        "model_name": Text(5000, lines=True),
        "mean": CEPSTRA,
        "mean_weight": FRONT_END.fields["mean_weight"],
        "warp": FRONT_END.fields["warp"],
        "record": Table(RECORD_FIELDS, frozenset(RECORD_FIELDS), Plain()),
    }
)
TRANSFORM = Array(("dims", "dims+1"), -SETTING, SETTING)
