"""Pages: HTML that a browser opens from a disk, that fetches nothing, and takes no text for more than text.

Whatever comes from files and labels goes through `text` or `data`; the policy in the head of a page keeps a browser
from running or loading anything else, should that ever be forgotten.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence

from recognizer.files.html import Markup, text

POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"
)
# Colours of the system follow what its user prefers, light or dark; greys are half transparent, and so fit to both.
STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; max-width: 70rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif;
  background: Canvas; color: CanvasText; overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.2; }
h2 { margin-top: 2.5rem; }
a { color: LinkText; }
nav a { display: inline-block; padding: 0.25rem 0.75rem 0.25rem 0; }
:focus-visible { outline: 3px solid #1a73e8; outline-offset: 2px; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
caption { text-align: left; font-weight: bold; padding-bottom: 0.25rem; }
th, td { padding: 0.2rem 0.6rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid rgb(128 128 128 / 0.4); }
.number { text-align: right; white-space: nowrap; }
.reach { position: relative; display: block; width: 8rem; height: 1.2em; background: rgb(128 128 128 / 0.2); }
.reach * { position: absolute; top: 0; bottom: 0; background: #4878a8; }
.reach .point { width: 2px; background: CanvasText; }
svg.curve { width: 10rem; height: 2.5rem; fill: none; stroke: currentColor; stroke-width: 1.5; }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: 0.2rem 1rem; margin: 0; }
dt { font-weight: bold; }
dd { margin: 0; }
@media (max-width: 32rem) { dl { display: block; } dd { margin: 0 0 0.5rem 1rem; } }
@media print { body { max-width: none; padding: 0; } nav, audio { display: none; } .scroll { overflow: visible; }
  * { print-color-adjust: exact; } tr, figure, li { break-inside: avoid; } }
"""
REACH = ("n", "%", "of 0 to 100 %", "95 % interval", "bootstrap", "over")  # what `measured` gives


def whole_page(title: str, body: str, style: str = "", script: str = "") -> str:
    """A whole page.

    Parameters
    ----------
    title : of the page, which is its heading, too
    body : HTML below that
    style : CSS of this page, beside what all have
    script : of the program's own, with nothing of files and labels in it: these come as `data`
    """
    policy, run = POLICY, ""
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy, run = f"{policy}; script-src 'sha256-{digest}'", f"<script>{script}</script>\n"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{text(title)}</title>\n'
        f"<style>{STYLE}{style}</style>\n</head>\n<body>\n<main>\n<h1>{own(title)}</h1>\n{body}\n</main>\n{run}"
        "</body>\n</html>\n"
    )


def sections(parts: Mapping[str, tuple[str, str]]) -> Markup:
    """Sections of a page with links to them: titles and HTML by the names in the links; empty ones are left out."""
    parts = {name: part for name, part in parts.items() if part[1]}
    links = " ".join(f'<a href="#{name}">{text(title)}</a>' for name, (title, _) in parts.items())
    each = (
        f'<section id="{name}">\n<h2>{text(title)}</h2>\n{body}\n</section>' for name, (title, body) in parts.items()
    )
    return Markup(f'<nav aria-label="sections">{links}</nav>\n' + "\n".join(each))


def own(words: object) -> Markup:
    """A text that runs in its own direction, whatever stands around it."""
    return Markup(f"<bdi>{text(words)}</bdi>")


def captioned(
    caption: str,
    header: Sequence[object],
    rows: Iterable[Sequence[object]],
    numbers: Collection[int] = (),
    kind: str = "",
) -> Markup:
    """A table; where it is wider than the screen, it alone is moved.

    Parameters
    ----------
    caption : of the table
    header : names of the columns
    rows : cells, the first of which names the row; `Markup` is kept
    numbers : columns whose cells end below each other
    kind : class of the table for CSS
    """
    head = "".join(_cell("th", cell, place in numbers, "col") for place, cell in enumerate(header))
    lines = (
        _cell("th", row[0], 0 in numbers, "row")
        + "".join(_cell("td", cell, place in numbers) for place, cell in enumerate(row[1:], 1))
        for row in rows
    )
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    about = f' class="{kind}"' if kind else ""
    return Markup(
        f'<div class="scroll" role="group" tabindex="0" aria-label="{text(caption)}">'
        f"<table{about}><caption>{text(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _cell(tag: str, cell: object, number: bool, scope: str = "") -> str:
    about = f' scope="{scope}"' if scope else ""
    about += ' class="number"' if number else ' dir="auto"'
    return f"<{tag}{about}>{text(cell)}</{tag}>"


def measured(score: Mapping, share: str = "accuracy") -> list[object]:
    """Cells below REACH for what `Proportion.as_json` gives; a card that was written earlier may lack an interval."""
    low, high = score["interval"]
    lowest, highest = score.get("bootstrap") or score["interval"]
    ends = f"{100 * lowest:.1f} to {100 * highest:.1f}" if score.get("bootstrap") else "not known"
    picture = _reach(score[share], min(low, lowest), max(high, highest))
    told = f"{100 * low:.1f} to {100 * high:.1f}"
    return [score["n"], f"{100 * score[share]:.2f}", picture, told, ends, score.get("over", "")]


def _reach(share: float, low: float, high: float) -> Markup:
    """An interval of shares of one, and the share in it; only what the numbers beside it tell."""
    share, low, high = (100 * min(max(end, 0.0), 1.0) for end in (share, low, high))
    return Markup(
        f'<span class="reach" aria-hidden="true"><span style="left: {low:.1f}%; width: {high - low:.1f}%"></span>'
        f'<span class="point" style="left: {share:.1f}%"></span></span>'
    )


def curve(values: Sequence[float]) -> Markup:
    """A line through values; only what the numbers beside it tell."""
    low, high = min(values), max(values)
    wide, room = max(len(values) - 1, 1), (high - low) or 1.0
    points = " ".join(f"{100 * x / wide:.1f},{24 - 23 * (y - low) / room:.1f}" for x, y in enumerate(values))
    return Markup(
        f'<svg class="curve" viewBox="0 0 100 25" preserveAspectRatio="none" aria-hidden="true">'
        f'<polyline points="{points}" vector-effect="non-scaling-stroke"/></svg>'
    )


def data(name: str, values: object) -> Markup:
    """Values for the script of a page, which finds them by their name: JSON in which nothing can end the element."""
    written = json.dumps(values, separators=(",", ":"), allow_nan=False)  # in ASCII: no separators of lines either
    for letter in "<>&":
        written = written.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(f'<script type="application/json" id="{name}">{written}</script>')


def embedded(kind: str, content: bytes) -> str:
    """What is as good as the address of a file, for it has the whole of it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
