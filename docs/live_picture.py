"""Makes `live.svg`, the moving picture of the README: `python docs/live_picture.py`.

It is the program's own screen, drawn while `live` hears a few of `audio_samples` one after another, at the times at
which it would be drawn if they were spoken. Nothing in it is written by hand.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
from rich.console import Console
from rich.style import Style

from recognizer.cli.drawing import REFRESH, WIDTH
from recognizer.cli.screen import LivePicture
from recognizer.live.session import Session
from recognizer.recognizer import Recognizer
from recognizer.sound.source import BLOCK, play

DOCS = Path(__file__).resolve().parent
RATE = 16000  # Hz, of the samples below
SPOKEN = (("five_slt_0", 1), ("seven_awb_0", -1), ("six_slt_0", 1), ("nine_ked_0", 1))  # -1: played backwards
PAUSE = 1.0  # seconds between them, so that an answer can be read
HISS = 10 ** (-70 / 20)  # as in the samples: a microphone is never quite silent
CELL, LINE, MARGIN = 8.4, 17, 14  # pixels: a character of 14 pixels, its line, and around all of them
COLOURS = {"green": "#3fb950", "red": "#f85149", "yellow": "#d29922", "cyan": "#39c5cf", None: "#e6edf3"}
FONTS = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
PAPER, EDGE = "#0d1117", "#6e7681"
EDGES = " ─│╭╮╰╯"  # of the frame, which is drawn as a rectangle

Run = tuple[int, int, str, Style]  # line and column, text, how it looks


def stream() -> np.ndarray:
    """The samples that are spoken, with pauses."""
    random = np.random.default_rng(1)
    parts = []
    for name, direction in SPOKEN:
        samples, rate = soundfile.read(DOCS.parent / "audio_samples" / f"{name}.wav")
        assert rate == RATE
        parts += [HISS * random.standard_normal(round(PAUSE * RATE)), samples[::direction]]
    return np.concatenate([*parts, HISS * random.standard_normal(round(2 * PAUSE * RATE))])


def frames(path: Path) -> list[tuple[float, list[Run]]]:
    """The pictures that `recognizer live --from-file` draws, with the second at which each is due."""
    now = 0.0
    session = Session(Recognizer.load("digits"), clock=lambda: now)
    picture = LivePicture(session, f"digits, {path.name}")
    drawn, due, shown = picture.seen(), 0.0, [(now, runs(picture))]
    for block in play(path, fast=True):
        now += BLOCK
        events = session.hear(block)
        for event in events:
            picture.take(event)
        if (events or now >= due) and picture.seen() != drawn:
            drawn, due = picture.seen(), now + REFRESH
            shown.append((now, runs(picture)))
    return [*shown, (now, [])]


def runs(picture: LivePicture) -> list[Run]:
    """What is on the screen, without its frame: pieces of text that look alike all through."""
    console = Console(width=WIDTH, color_system="standard", force_terminal=True)
    found = []
    for line, segments in enumerate(console.render_lines(picture.draw())):
        column = 0
        for text, style, *_ in segments:
            if text.strip(EDGES):
                start = len(text) - len(text.lstrip(EDGES))
                found.append((line, column + start, text.strip(EDGES), style or Style()))
            column += len(text)
    return found


def svg(pictures: list[tuple[float, list[Run]]]) -> str:
    """An animation that begins anew when it is over; where it stands still, it shows the first answer."""
    times = [time for time, _ in pictures]
    visible: dict[Run, list[bool]] = {}
    for number, (_, pieces) in enumerate(pictures):
        for run in pieces:
            visible.setdefault(run, [False] * len(pictures))[number] = True
    still = next(number for number, (_, pieces) in enumerate(pictures) if any("━" in run[2] for run in pieces))
    height = 1 + max(line for line, *_ in visible)
    wide, tall = round(WIDTH * CELL + 2 * MARGIN), height * LINE + 2 * MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{tall}" viewBox="0 0 {wide} {tall}" '
        f'font-family="{FONTS}" font-size="14" role="img">',
        "<title>recognizer live, hearing four recordings</title>",
        f'<rect width="{wide}" height="{tall}" rx="10" fill="{PAPER}"/>',
        f'<rect x="{MARGIN}" y="{MARGIN + LINE / 2}" width="{wide - 2 * MARGIN}" height="{(height - 1) * LINE}" rx="6" '
        f'fill="none" stroke="{EDGE}"/>',
    ]
    for run, seen in visible.items():
        if run[0] in (0, height - 1):  # the titles stand in the frame
            x, top, length = MARGIN + run[1] * CELL, MARGIN + run[0] * LINE, len(run[2]) * CELL
            lines.append(
                f'<rect x="{x - CELL:.1f}" y="{top}" width="{length + 2 * CELL:.1f}" height="{LINE}" fill="{PAPER}"/>'
            )
        hidden = "" if seen[still] else ' visibility="hidden"'
        lines.append(f"<g{hidden}>{blinking(times, seen)}{drawn(run)}</g>")
    return "\n".join([*lines, "</svg>\n"])


def drawn(run: Run) -> str:
    """A piece of text; bars as shapes, because not every font has them in the width of a letter."""
    line, column, text, style = run
    x, middle, length = MARGIN + column * CELL, MARGIN + (line + 0.5) * LINE, len(text) * CELL
    colour = COLOURS[style.color and style.color.name]
    look = f'fill="{colour}"' + ' opacity="0.6"' * bool(style.dim) + ' font-weight="bold"' * bool(style.bold)
    if text.strip("█") == "":
        return f'<rect x="{x:.1f}" y="{middle - 7:.1f}" width="{length:.1f}" height="14" {look}/>'
    if text.strip("━") == "":
        return f'<rect x="{x:.1f}" y="{middle - 1.5:.1f}" width="{length:.1f}" height="3" {look}/>'
    if text.strip("·") == "":
        dots = f'stroke="{colour}" stroke-width="2" stroke-dasharray="2 {CELL - 2:.1f}" opacity="0.6"'
        return f'<path d="M{x + CELL / 2 - 1:.1f} {middle}h{length:.1f}" {dots}/>'
    kept = escape(text).replace(" ", "\N{NO-BREAK SPACE}")  # of others, several in a row would shrink to one
    return f'<text x="{x:.1f}" y="{middle + 4.5}" textLength="{length:.1f}" {look}>{kept}</text>'


def blinking(times: list[float], seen: list[bool]) -> str:
    """When a piece of text is visible, as an animation; nothing, where it always is."""
    changes = [number for number in range(len(seen) - 1) if number == 0 or seen[number] != seen[number - 1]]
    if changes == [0]:
        return ""
    values = ";".join("visible" if seen[number] else "hidden" for number in changes)
    moments = ";".join(f"{times[number] / times[-1]:.4g}" for number in changes)
    return (
        f'<animate attributeName="visibility" values="{values}" keyTimes="{moments}" calcMode="discrete" '
        f'dur="{times[-1]:.2f}s" repeatCount="indefinite"/>'
    )


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        recording = Path(folder) / "speech.wav"
        soundfile.write(recording, stream(), RATE, subtype="PCM_16")
        (DOCS / "live.svg").write_text(svg(frames(recording)), encoding="utf-8")
