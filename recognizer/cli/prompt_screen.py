"""What a person who is asked for words sees on a terminal: a level meter, the word to say, and what became of it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from recognizer.cli.drawing import FALL, METER, WIDTH, cells, headline, kept_up_to_date, large, meter_bar, poster, row

if TYPE_CHECKING:
    from recognizer.live.guide import Guide, GuideEvent

BAR_CELLS = 30
INDENT = 4  # cells before a verdict
VERDICT_LINES = 2
STATES = {
    "calibrating": ("◌ be quiet for a moment", "yellow"),
    "pause": ("◌ wait", "yellow"),
    "listening": ("● say it now", "bold green"),
    "speech": ("● recording", "bold red"),
    "lost": ("○ microphone lost: waiting for it", "bold yellow"),
    "done": ("● done", "green"),
}


@contextmanager
def screen(guide: Guide, title: str) -> Iterator[Callable[[list[GuideEvent]], None]]:
    """A picture of what is asked that is kept up to date: gives a function of what has happened since."""
    console = Console()
    with kept_up_to_date(PromptPicture(guide, title, min(WIDTH, console.width)), console) as show:
        yield show


class PromptPicture:
    """The state of the screen.

    Parameters
    ----------
    guide : whose prompts, level and state are shown
    title : the command and the device
    width : cells
    """

    def __init__(self, guide: Guide, title: str, width: int = WIDTH) -> None:
        self._guide, self._width = guide, width
        self._title = headline(f"recognizer {title}", width)
        self._word = " "
        self._verdict, self._note = self._told("", "", ""), ""
        self._meter = METER[0]
        self._version = 0

    def take(self, event: GuideEvent) -> None:
        """Learn of an event."""
        self._version += 1
        match event.kind:
            case "prompt":
                self._word = event.prompt.word
            case "kept":
                but = f", but {event.note}" if event.note else ""
                self._verdict = self._told("✓", "green", f"{event.prompt.word}{but}")
            case "again":
                self._verdict = self._told("✗", "yellow", f"{event.prompt.word}, again: {event.problem}")
            case "skipped":
                self._verdict = self._told("✗", "red", f"{event.prompt.word} is left out: {event.problem}")
            case "finished":
                self._word = " "
        self._note = event.note or "" if event.kind not in ("kept", "again", "skipped") else ""

    def seen(self) -> tuple:
        """What the picture depends on; while it is the same, there is nothing to draw."""
        self._meter = max(self._guide.level, self._meter - FALL)
        return self._version, self._guide.state, cells(self._meter), cells(self._guide.floor)

    def draw(self) -> Panel:
        """The picture."""
        guide = self._guide
        state, style = STATES[guide.state]
        asked = guide.state in ("listening", "speech")
        attempt = f"   attempt {guide.attempt}" if guide.attempt > 1 and guide.current else ""
        lines = [
            Text.assemble("  ", meter_bar(self._meter, guide.floor), "  ", (state, style)),
            Text(),
            poster(Text(large(self._word, self._width), style="bold cyan" if asked else "dim")),
            row("progress", Text.assemble(self._bar(), f" {guide.done} of {guide.total}{attempt}")),
            Text(),
            self._verdict,
            Text(self._note, style="yellow"),
        ]
        return Panel(Group(*lines), title=self._title, subtitle="Ctrl-C ends", width=self._width, padding=(1, 1))

    def _told(self, mark: str, style: str, what: str) -> Text:
        """What became of the last take, on so many lines that nothing moves whatever is told."""
        lines = textwrap.wrap(what, max(1, self._width - INDENT - 6))
        blank = "\n" * max(0, VERDICT_LINES - max(1, len(lines)))
        return Text.assemble((f"{mark:>{INDENT}} ", style), ("\n" + " " * (INDENT + 1)).join(lines) + blank)

    def _bar(self) -> Text:
        full = round(self._guide.done / max(1, self._guide.total) * BAR_CELLS)
        return Text.assemble(("━" * full, "green"), ("━" * (BAR_CELLS - full), "dim"))
