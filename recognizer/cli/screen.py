"""What `live` shows on a terminal: a level meter, the state, the word in large letters, and what came before."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.align import Align
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

if TYPE_CHECKING:
    from recognizer.live import Event, Session

REFRESH = 0.12  # seconds between two pictures at least, and only when something has changed
METER = (-80.0, 0.0)  # dB full scale at its ends
METER_CELLS, BAR_CELLS = 32, 30
FALL = 3.0  # dB a picture that the meter falls at most, so that the eye can follow
HISTORY = 8
WIDTH = 76
TALL = 6  # lines of the large letters
STATES = {
    "calibrating": ("◌ calibrating: be quiet for a moment", "yellow"),
    "listening": ("● listening", "green"),
    "speech": ("● speech", "bold red"),
    "thinking": ("● thinking", "cyan"),
    "lost": ("○ microphone lost: waiting for it", "bold yellow"),
}


@contextmanager
def screen(session: Session, title: str) -> Iterator[Callable[[list[Event]], None]]:
    """A picture of the session that is kept up to date: gives a function of what has happened since."""
    console = Console()
    picture = Picture(session, title, min(WIDTH, console.width))
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


class Picture:
    """The state of the screen.

    Parameters
    ----------
    session : whose level and state are shown
    title : the model and the device
    width : cells
    """

    def __init__(self, session: Session, title: str, width: int = WIDTH) -> None:
        self._session, self._width = session, width
        self._title = Text(f"recognizer live: {title}")  # a Text, because names may look like markup
        self._title.truncate(max(0, width - 6), overflow="ellipsis")
        self._word: Text | None = None
        self._confidence: float | None = None
        self._others = ""
        self._history: deque[Text] = deque(maxlen=HISTORY)
        self._note = ""
        self._meter = METER[0]
        self._version = 0

    def take(self, event: Event) -> None:
        """Learn of an event."""
        self._version += 1
        result = event.result
        if event.kind == "calibrated":
            self._note = ""
        elif event.kind == "partial":
            self._say(result.nbest[0].word, "dim", None, "")
        elif event.kind == "result":
            others = "   ".join(f"{c.word} {c.confidence:.2f}" for c in result.nbest[1:4])
            self._say(result.word, "bold green", result.confidence, others)
            self._history.appendleft(Text(f"{result.word} {result.confidence:.2f}"))
        elif event.kind == "rejected":
            nearest = "   ".join(f"{c.word} {c.confidence:.2f}" for c in result.nbest[:3])
            self._word, self._confidence = Text(f"rejected: {result.reason}", style="yellow"), None
            self._others = f"nearest: {nearest}" if nearest else ""
            self._history.appendleft(Text(f"({result.reason})", style="dim"))
        if event.kind in ("result", "rejected") or event.note:
            self._note = event.note or ""

    def seen(self) -> tuple:
        """What the picture depends on; while it is the same, there is nothing to draw."""
        self._meter = max(self._session.level, self._meter - FALL)
        return self._version, self._session.state, self._cells(self._meter), self._cells(self._session.floor)

    def draw(self) -> Panel:
        """The picture."""
        state, style = STATES[self._session.state]
        large = self._word or Text("say a word", style="dim")
        padding = Text("\n" * max(0, TALL - 1 - len(large.plain.splitlines())))
        lines = [
            Text.assemble("  ", self._meter_bar(), "  ", (state, style)),
            Text(),
            Align.center(large),
            padding,
            self._row("confidence", self._bar()),
            self._row("otherwise", Text(self._others)),
            self._row("before", Text("   ").join(list(self._history))),
            Text(self._note, style="yellow"),
        ]
        return Panel(Group(*lines), title=self._title, subtitle="Ctrl-C ends", width=self._width, padding=(1, 1))

    def _say(self, word: str, style: str, confidence: float | None, others: str) -> None:
        self._word, self._confidence, self._others = Text(large(word, self._width), style=style), confidence, others

    @staticmethod
    def _row(name: str, value: Text) -> Text:
        return Text.assemble((f"{name:>12}  ", "dim"), value, no_wrap=True, overflow="ellipsis")

    def _bar(self) -> Text:
        if self._confidence is None:
            return Text()
        full = round(self._confidence * BAR_CELLS)
        return Text.assemble(f"{self._confidence:.2f} ", ("━" * full, "green"), ("━" * (BAR_CELLS - full), "dim"))

    def _meter_bar(self) -> Text:
        full, floor = self._cells(self._meter), self._cells(self._session.floor)
        bar = Text("█" * full + "·" * (METER_CELLS - full))
        bar.stylize("green", 0, full)
        bar.stylize("red", round(0.9 * METER_CELLS), full)
        bar.stylize("dim", full)
        if floor < METER_CELLS:
            bar.stylize("yellow", floor, floor + 1)
        return bar

    @staticmethod
    def _cells(level: float) -> int:
        low, high = METER
        return round(min(1.0, max(0.0, (level - low) / (high - low))) * METER_CELLS)


def large(word: str, width: int = WIDTH) -> str:
    """A word in letters of several lines; spaced out where its script has none, or they would not fit the width."""
    from pyfiglet import Figlet

    if word.isascii():
        drawn = Figlet(font="standard", width=10 * WIDTH).renderText(word).rstrip("\n ")
        if max(map(len, drawn.splitlines()), default=width) <= width - 6:
            return drawn
    return "\n\n" + (" ".join(word) if len(word) < width // 3 else word) + "\n"
