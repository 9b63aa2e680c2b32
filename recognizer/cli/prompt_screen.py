"""What a person who is asked for words sees on a terminal: a level meter, the word to say, and what became of it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.text import Text

from recognizer.cli.drawing import WIDTH, Meter, framed, large, poster, share_row
from recognizer.errors import printable, shown
from recognizer.live import events

if TYPE_CHECKING:
    from recognizer.live.guide import Guide
    from recognizer.sound.listener import Listener

INDENT = 4  # cells before a verdict, its mark among them
KEYS = "u: take the last back   p: play it   s: skip this word   Ctrl-C: stop"
FEW_KEYS = "u back  p play  s skip  Ctrl-C stop"  # where there is no room
VERDICT_CELLS = 120  # as long as the longest verdict on a word
STATES = {
    "calibrating": ("◌ be quiet for a moment", "yellow"),
    "pause": ("◌ wait", "yellow"),
    "listening": ("● say it now", "bold green"),
    "speech": ("● recording", "bold red"),
    "lost": ("○ microphone lost: waiting for it", "bold yellow"),
    "done": ("● done", "green"),
}


class LevelPicture:
    """The level of a microphone that is tried, and how much of the time is over.

    Parameters
    ----------
    listener : what hears the sound
    title : the command and the device
    seconds : that it takes
    width : cells
    """

    def __init__(self, listener: Listener, title: str, seconds: float, width: int = WIDTH) -> None:
        self._listener, self._seconds, self._width = listener, seconds, width
        self._title, self._meter = f"recognizer {title}", Meter(listener, width)

    def take(self, event: events.Event) -> None:
        """Nothing happens but sound."""

    def seen(self) -> tuple:
        """What the picture depends on; while it is the same, there is nothing to draw."""
        return self._meter.follow(), round(self._listener.time, 1)

    def draw(self) -> Panel:
        """The picture."""
        share = min(1.0, self._listener.time / self._seconds)
        after = f" {self._seconds * share:.1f} of {self._seconds:.0f} s"
        lines = [self._meter.line("● say a few words", "bold green"), share_row("time", share, "", after, self._width)]
        return framed(lines, self._title, self._width)


class PromptPicture:
    """The state of the screen.

    Parameters
    ----------
    guide : whose prompts, level and state are shown
    title : the command and the device
    width : cells
    keys : whether keys other than Ctrl-C do something
    """

    def __init__(self, guide: Guide, title: str, width: int = WIDTH, keys: bool = False) -> None:
        self._keys = {"keys": KEYS if width == WIDTH else FEW_KEYS} if keys else {}
        self._guide, self._width, self._title = guide, width, f"recognizer {title}"
        self._meter = Meter(guide.listener, width)
        self._word = " "
        self._verdict, self._note = self._told("", "", ""), ""
        self._version = 0

    def take(self, event: events.Event) -> None:
        """Learn of an event."""
        self._version += 1
        match event:
            case events.Prompted():
                self._word = shown(event.prompt.word)
            case events.Kept():
                but = f", but {event.note}" if event.note else ""
                self._verdict = self._told("✓", "green", f"{event.prompt.word}{but}")
            case events.Again():
                self._verdict = self._told("✗", "yellow", f"{event.prompt.word}, again: {event.problem}")
            case events.Skipped():
                self._verdict = self._told("✗", "red", f"{event.prompt.word} is left out: {event.problem}")
            case events.Undone():
                self._verdict = self._told("↶", "yellow", event.note)
            case events.LeftOut():
                self._verdict = self._told("→", "yellow", event.note)
            case events.Finished():
                self._word = " "
        self._note = printable(
            "" if isinstance(event, events.Verdict | events.Undone | events.LeftOut) else event.note or ""
        )

    def seen(self) -> tuple:
        """What the picture depends on; while it is the same, there is nothing to draw."""
        return self._version, self._guide.state, self._meter.follow()

    def draw(self) -> Panel:
        """The picture."""
        guide = self._guide
        state, style = STATES[guide.state]
        asked = guide.state in ("listening", "speech")
        attempt = f"   attempt {guide.attempt}" if guide.attempt > 1 and guide.current else ""
        progress = f" {guide.done} of {guide.total}{attempt}"
        blank = [Text()] if self._width == WIDTH else []
        lines = [
            self._meter.line(state, style),
            *blank,
            poster(Text(large(self._word, self._width), style="bold cyan" if asked else "dim"), self._width),
            share_row("progress", guide.done / max(1, guide.total), "", progress, self._width),
            *blank,
            self._verdict,
            Text(self._note, style="yellow"),
        ]
        return framed(lines, self._title, self._width, **self._keys)

    def _told(self, mark: str, style: str, what: str) -> Text:
        """What became of the last take, on so many lines that nothing moves whatever is told."""
        length = max(1, self._width - INDENT - 6)
        lines = textwrap.wrap(printable(what), length)
        blank = "\n" * max(0, -(-VERDICT_CELLS // length) - max(1, len(lines)))
        return Text.assemble((f"{mark:>{INDENT}} ", style), ("\n" + " " * (INDENT + 1)).join(lines) + blank)
