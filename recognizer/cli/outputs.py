"""Files that commands write for other programs: JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from recognizer.cli.reporting import writing
from recognizer.files.writing import replacing

SPREADSHEETS = "utf-8-sig"  # Excel reads UTF-8 only where a byte order mark says so
FORMULA = tuple("=+-@\t\r")  # a cell that begins so is computed, not shown, and may call programs


@contextmanager
def written_whole(path: Path, option: str, encoding: str = "utf-8") -> Iterator[Callable[[str], object]]:
    """Gives a function that writes text to a file, which is there once all of it is; what is no text, with escapes."""
    with (
        writing(path, option),
        replacing(path) as temporary,
        open(temporary, "w", encoding=encoding, errors="backslashreplace", newline="") as file,
    ):
        yield file.write


def spreadsheet_row(cells: Iterable[object]) -> str:
    """A row of CSV whose cells are shown by spreadsheets as they are: an apostrophe says that one is no formula."""
    row = io.StringIO()
    safe = (f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell for cell in cells)
    csv.writer(row).writerow(safe)
    return row.getvalue()
