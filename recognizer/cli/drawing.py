"""What the pictures on a terminal share: a level meter, words in large letters, and when to draw anew."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.align import Align
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from recognizer.errors import printable

if TYPE_CHECKING:
    from recognizer.live.events import Event

REFRESH = 0.12  # seconds between two pictures at least, and only when something has changed: eight a second look alive
METER = (-80.0, 0.0)  # dB full scale at its ends: from a quiet room to clipping
METER_CELLS = 32  # 2.5 dB each
LOUD = 0.9  # of the meter, from where on it is red: -8 dB, where peaks, which stand out by 12, clip
FALL = 3.0  # dB a picture that the meter falls at most, so that the eye can follow
WIDTH = 76  # cells of a picture, which fits a terminal of 80; what is narrower is a small one
NAME_CELLS = 12  # of what stands before a line: `confidence`, and a margin
TALL = 6  # lines of the large letters, as pyfiglet's font has them
BAR_CELLS = 30  # of a bar that shows a share: three a tenth


class Picture(Protocol):
    """What can be kept up to date on a terminal."""

    def take(self, event: Event) -> None:
        """Learn of an event."""

    def seen(self) -> tuple:
        """What the picture depends on; while it is the same, there is nothing to draw."""

    def draw(self) -> RenderableType:
        """The picture."""


class Listening(Protocol):
    """A stream of sound that a meter can show; levels in dB full scale."""

    level: float
    floor: float


class Meter:
    """The level of a stream, with a mark at the noise floor; it falls no faster than an eye can follow.

    Parameters
    ----------
    stream : whose level it is
    width : of the picture, cells
    """

    def __init__(self, stream: Listening, width: int) -> None:
        self._stream, self._level = stream, METER[0]
        self._narrow, self._length = width < WIDTH, min(METER_CELLS, width - 8)

    def follow(self) -> tuple[int, int]:
        """Go with the level: how many cells are full now, and where the mark is."""
        self._level = max(self._stream.level, self._level - FALL)
        return self._cells(self._level), self._cells(self._stream.floor)

    def line(self, state: str, style: str) -> Text:
        """The picture of it, with a state beside it, or below where there is no room."""
        full, mark = self._cells(self._level), self._cells(self._stream.floor)
        bar = Text("█" * full + "·" * (self._length - full))
        bar.stylize("green", 0, full)
        bar.stylize("red", round(LOUD * self._length), full)
        bar.stylize("dim", full)
        if mark < self._length:
            bar.stylize("yellow", mark, mark + 1)
        return Text.assemble(
            "  ", bar, "\n" if self._narrow else "  ", (state, style), no_wrap=True, overflow="ellipsis"
        )

    def _cells(self, level: float) -> int:
        """How far a level, dB full scale, reaches."""
        low, high = METER
        return round(min(1.0, max(0.0, (level - low) / (high - low))) * self._length)


@contextmanager
def kept_up_to_date(make: Callable[[int], Picture]) -> Iterator[Callable[[list[Event]], None]]:
    """Draw a picture whenever it has changed: gives a function of what has happened since.

    Parameters
    ----------
    make : the picture, given its width in cells
    """
    console = Console()
    picture = make(min(WIDTH, console.width))
    with Live(picture.draw(), console=console, auto_refresh=False, transient=False) as live:
        drawn, due = picture.seen(), 0.0

        def show(events: list[Event]) -> None:
            nonlocal drawn, due
            for event in events:
                picture.take(event)
            now = time.monotonic()
            if not events and now < due:
                return
            seen = picture.seen()
            if seen != drawn:
                live.update(picture.draw(), refresh=True)
                drawn, due = seen, now + REFRESH

        yield show


def framed(lines: list[RenderableType], title: str, width: int, keys: str = "Ctrl-C ends") -> Panel:
    """Lines in a frame, and what the keys do; where it is narrow, mostly low as well, without blank lines."""
    padding = (0 if width < WIDTH else 1, 1)
    return Panel(Group(*lines), title=title_line(title, width), subtitle=keys, width=width, padding=padding)


def share_row(name: str, share: float, before: str, after: str, width: int) -> Text:
    """A line with a bar of which a share from 0 to 1 is full, between two texts."""
    length = max(0, min(BAR_CELLS, width - NAME_CELLS - 6 - cell_len(before + after)))
    full = round(share * length)
    return row(name, Text.assemble(before, ("━" * full, "green"), ("━" * (length - full), "dim"), after))


def title_line(text: str, width: int) -> Text:
    """A title that fits into the frame; a Text, because names may look like markup."""
    title = Text(printable(text))
    title.truncate(max(0, width - 6), overflow="ellipsis")
    return title


def poster(word: Text, width: int) -> Group:
    """A word in the middle of a picture that is so wide, as high whatever it is."""
    inside = width - 4
    lines = sum(max(1, -(-cell_len(line) // inside)) for line in word.plain.split("\n"))
    return Group(Align.center(word), *[Text()] * max(0, TALL - lines))


def row(name: str, value: Text) -> Text:
    """A line with its name before it."""
    return Text.assemble((f"{name:>{NAME_CELLS}}  ", "dim"), value, no_wrap=True, overflow="ellipsis")


def large(word: str, width: int = WIDTH) -> str:
    """A word in letters of several lines; spaced out where its script has none, or they would not fit the width."""
    from pyfiglet import Figlet

    if word.isascii():
        drawn = Figlet(font="standard", width=10 * WIDTH).renderText(word).rstrip("\n ")
        if max(map(len, drawn.splitlines()), default=width) <= width - 6:
            return drawn
    spaced = " ".join(word)
    return "\n\n" + (spaced if cell_len(spaced) <= width - 6 and not any(map(_joins, word)) else word)


def _joins(character: str) -> bool:
    """Whether a character changes its form, or its place, with the one beside it, as in Devanagari or Arabic."""
    return unicodedata.category(character)[0] == "M" or unicodedata.bidirectional(character) == "AL"
