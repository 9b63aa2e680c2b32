"""What `live` shows on a terminal: a level meter, the state, the word in large letters, and what came before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from recognizer.cli.common import adapted_to
from recognizer.cli.drawing import FALL, METER, WIDTH, cells, headline, kept_up_to_date, large, meter_bar, poster, row

if TYPE_CHECKING:
    from recognizer.live.events import Event
    from recognizer.live.session import Session

BAR_CELLS = 30
HISTORY = 8
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
    with kept_up_to_date(Picture(session, title, min(WIDTH, console.width)), console) as show:
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
        self._title = headline(f"recognizer live: {title}", width)
        self._word: Text | None = None
        self._confidence: float | None = None
        self._others = ""
        self._history: deque[Text] = deque(maxlen=HISTORY)
        self._note = ""
        self._adapted = "not adapted yet: it learns from answers that it is sure of"
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
        if event.kind == "adapted":
            self._adapted = adapted_to(event)
        elif event.kind in ("result", "rejected") or event.note:
            self._note = event.note or ""

    def seen(self) -> tuple:
        """What the picture depends on; while it is the same, there is nothing to draw."""
        self._meter = max(self._session.level, self._meter - FALL)
        return self._version, self._session.state, cells(self._meter), cells(self._session.floor)

    def draw(self) -> Panel:
        """The picture."""
        state, style = STATES[self._session.state]
        lines = [
            Text.assemble("  ", meter_bar(self._meter, self._session.floor), "  ", (state, style)),
            Text(),
            poster(self._word or Text("say a word", style="dim")),
            row("confidence", self._bar()),
            row("otherwise", Text(self._others)),
            row("before", Text("   ").join(list(self._history))),
            *([] if self._session.learned is None else [row("", Text(self._adapted, style="dim"))]),
            Text(self._note, style="yellow"),
        ]
        return Panel(Group(*lines), title=self._title, subtitle="Ctrl-C ends", width=self._width, padding=(1, 1))

    def _say(self, word: str, style: str, confidence: float | None, others: str) -> None:
        self._word, self._confidence, self._others = Text(large(word, self._width), style=style), confidence, others

    def _bar(self) -> Text:
        if self._confidence is None:
            return Text()
        full = round(self._confidence * BAR_CELLS)
        return Text.assemble(f"{self._confidence:.2f} ", ("━" * full, "green"), ("━" * (BAR_CELLS - full), "dim"))
