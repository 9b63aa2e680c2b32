"""Tables for notebooks: HTML that needs nothing from elsewhere, and takes no text for more than text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from recognizer.errors import printable

MOST_ROWS = 20  # of a table in a notebook; more are counted
WIDTH = 120  # pixels of a bar of one


class Markup(str):
    """Text that is HTML already."""


def table(title: str, rows: Iterable[Sequence[object]], header: Sequence[str] = ()) -> str:
    """A table with a line above it.

    Parameters
    ----------
    title : of the table
    rows : cells, which are shown as they are written, whatever is in them; `Markup` is kept
    header : names of the columns, if they have any
    """
    rows = list(rows)
    lines = [_row("th", header)] if header else []
    lines += [_row("td", row) for row in rows[:MOST_ROWS]]
    if len(rows) > MOST_ROWS:
        lines.append(_row("td", [f"and {len(rows) - MOST_ROWS} more"]))
    return f"<div>{text(title)}<table>{''.join(lines)}</table></div>"


def bar(share: float) -> Markup:
    """A bar as long as a share of one."""
    pixels = round(WIDTH * min(max(share, 0.0), 1.0))
    style = f"background: #4878a8; height: 0.8em; width: {pixels}px"
    return Markup(f'<div style="{style}"></div>')


def _row(kind: str, cells: Iterable[object]) -> str:
    written = [f'<{kind} style="text-align: left">{text(cell)}</{kind}>' for cell in cells]
    return f"<tr>{''.join(written)}</tr>"


def text(cell: object) -> str:
    """Whatever it is as HTML, also inside quotes, with nothing in it but text; `Markup` is kept."""
    return cell if isinstance(cell, Markup) else escape(printable(str(cell)))
