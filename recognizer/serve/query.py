"""What a caller asks for, as it stands behind the ? of an address."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from recognizer.errors import ModelError, RecognizerError, cited, listed
from recognizer.live.asking import MOST_TAKES
from recognizer.recognition.chosen import chosen_words, operating_point
from recognizer.serve.limits import STREAM_RATES
from recognizer.sound.audio import HIGHEST_RATE, LOWEST_RATE

SHORTEST_HANGOVER, LONGEST_HANGOVER = 100, 2000  # milliseconds
YES, NO = ("true", "1"), ("false", "0")


class WishError(RecognizerError):
    """Something in an address that is not understood."""


@dataclass(frozen=True)
class Wishes:
    """What a caller asks for.

    Attributes
    ----------
    model, speaker : names
    words : the only ones to choose from, as texts that commas divide
    threshold : how sure an answer must be
    rate : of samples that come alone, Hz; None where a file comes
    hangover : silence that ends a word, seconds
    adapt : learn from sure answers
    takes : wanted of each word
    to : a new name
    replace : what is there may be lost
    """

    model: str | None = None
    speaker: str | None = None
    words: tuple[str, ...] = ()
    threshold: str | float = "normal"
    rate: int | None = None
    hangover: float = 0.25
    adapt: bool = False
    takes: int | None = None
    to: str | None = None
    replace: bool = False

    def with_rate(self) -> Wishes:
        """The same, which must tell the rate.

        Raises
        ------
        WishError
            if it does not.
        """
        if self.rate is None:
            raise WishError("rate is missing; add the sample rate of the sound in Hz, as in ?rate=16000")
        if self.rate not in STREAM_RATES:
            most = f"{STREAM_RATES.step} up to {STREAM_RATES[-1]}"
            raise WishError(f"rate {self.rate} is no rate of a sound card; send the sound at a multiple of {most} Hz")
        return self

    def chosen(self, vocabulary: Collection[str]) -> list[str] | None:
        """The words to choose from; None for all."""
        return chosen_words(self.words, vocabulary)


def wishes_of(query: QueryParams, known: Collection[str]) -> Wishes:
    """Read an address.

    Parameters
    ----------
    query : behind its ?
    known : names that mean something there, of the attributes of `Wishes`

    Raises
    ------
    WishError
        if a name means nothing, stands twice, or its value is none.
    """
    found: dict = {}
    for name, value in query.multi_items():
        if name not in known:
            known_names = f"there are {listed(sorted(known))}" if known else "nothing does"
            raise WishError(f"{cited(name)} means nothing here; {known_names}")
        if name == "words":
            found["words"] = (*found.get("words", ()), value)
        elif name in found:
            raise WishError(f"{name} is given twice; give it once")
        else:
            found[name] = _READ.get(name, _text)(name, value)
    return Wishes(**found)


def _text(name: str, value: str) -> str:
    if not value:
        raise WishError(f"{name} is empty; name one or leave it out")
    return value


def _threshold(name: str, value: str) -> str | float:
    try:
        return operating_point(value, f"threshold {cited(value)}")
    except ModelError as error:
        raise WishError(str(error)) from error


def _whole(name: str, value: str, least: int, most: int) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10 and least <= int(value) <= most):
        raise WishError(f"{name} {cited(value)} is no whole number from {least} to {most}")
    return int(value)


def _rate(name: str, value: str) -> int:
    return _whole(name, value, LOWEST_RATE, HIGHEST_RATE)


def _hangover(name: str, value: str) -> float:
    return _whole(name, value, SHORTEST_HANGOVER, LONGEST_HANGOVER) / 1000


def _takes(name: str, value: str) -> int:
    return _whole(name, value, 1, MOST_TAKES)


def _flag(name: str, value: str) -> bool:
    if value not in (*YES, *NO):
        raise WishError(f"{name} {cited(value)} is neither true nor false")
    return value in YES


_READ = {
    "threshold": _threshold,
    "rate": _rate,
    "hangover": _hangover,
    "adapt": _flag,
    "replace": _flag,
    "takes": _takes,
}
