"""What `live` shows on a terminal: a level meter, the state, the word in large letters, and what came before."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.text import Text

from recognizer.cli.drawing import WIDTH, Meter, framed, large, poster, row, share_row
from recognizer.cli.reporting import adapted_to
from recognizer.errors import printable, shown
from recognizer.live import events

if TYPE_CHECKING:
    from recognizer.live.session import Session
    from recognizer.recognition.result import Candidate

HISTORY = 8  # answers, which fill a line
STATES = {
    "calibrating": ("◌ calibrating: be quiet for a moment", "yellow"),
    "listening": ("● listening", "green"),
    "speech": ("● speech", "bold red"),
    "thinking": ("● thinking", "cyan"),
    "lost": ("○ microphone lost: waiting for it", "bold yellow"),
}


class LivePicture:
    """The state of the screen.

    Parameters
    ----------
    session : whose level and state are shown
    title : the model and the device
    width : cells
    """

    def __init__(self, session: Session, title: str, width: int = WIDTH) -> None:
        self._session, self._width, self._title = session, width, f"recognizer live: {title}"
        self._meter = Meter(session.listener, width)
        self._word: Text | None = None
        self._confidence: float | None = None
        self._others = ""
        self._history: deque[Text] = deque(maxlen=HISTORY)
        self._note = ""
        self._adapted = "not adapted yet: it learns from answers that it is sure of"
        self._version = 0

    def take(self, event: events.Event) -> None:
        """Learn of an event."""
        self._version += 1
        match event:
            case events.Partial(result=result):
                self._say(result.nbest[0].word, "dim", None, "")
            case events.Heard(result=result):
                self._say(result.word, "bold green", result.confidence, _ranked(result.nbest[1:4]))
                self._history.appendleft(Text(f"{shown(result.word)} {result.confidence:.2f}"))
            case events.Rejected(result=result):
                self._word, self._confidence = Text(f"rejected: {printable(result.reason)}", style="yellow"), None
                self._others = f"nearest: {_ranked(result.nbest[:3])}" if result.nbest else ""
                self._history.appendleft(Text(f"({printable(result.reason)})", style="dim"))
        if isinstance(event, events.Adapted):
            self._adapted = printable(adapted_to(event))
        elif isinstance(event, events.Calibrated | events.Answer) or event.note:
            self._note = printable(event.note or "")

    def seen(self) -> tuple:
        """What the picture depends on; while it is the same, there is nothing to draw."""
        return self._version, self._session.state, self._meter.follow()

    def draw(self) -> Panel:
        """The picture."""
        state, style = STATES[self._session.state]
        lines = [
            self._meter.line(state, style),
            Text(),
            poster(self._word or Text("say a word", style="dim"), self._width),
            self._confidence_row(),
            row("otherwise", Text(self._others)),
            row("before", Text("   ").join(list(self._history))),
            *([] if self._session.learned is None else [row("", Text(self._adapted, style="dim"))]),
            Text(self._note, style="yellow"),
        ]
        return framed(lines, self._title, self._width)

    def _say(self, word: str, style: str, confidence: float | None, others: str) -> None:
        self._word, self._confidence, self._others = (
            Text(large(shown(word), self._width), style=style),
            confidence,
            others,
        )

    def _confidence_row(self) -> Text:
        if self._confidence is None:
            return row("confidence", Text())
        return share_row("confidence", self._confidence, f"{self._confidence:.2f} ", "", self._width)


def _ranked(candidates: tuple[Candidate, ...]) -> str:
    return "   ".join(f"{shown(candidate.word)} {candidate.confidence:.2f}" for candidate in candidates)
