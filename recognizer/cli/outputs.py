"""Files that commands write for other programs: JSON and CSV, and whether they can be written at all."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from recognizer.cli.options import usage_error
from recognizer.cli.reporting import writing
from recognizer.errors import shown
from recognizer.files.writing import replacing

SPREADSHEETS = "utf-8-sig"  # Excel reads UTF-8 only where a byte order mark says so
FORMULA = tuple("=+-@\t\r")  # a cell that begins so is computed, not shown, and may call programs


def check_file(path: Path, option: str, recordings: Collection[Path] = ()) -> None:
    """Refuse, before anything is done, a name under which no file can be written, or that of a recording."""
    name = f"{option} {shown(path)}"
    if path.is_dir():
        raise usage_error(f"{name} is a folder; name a file")
    if path.exists() and not path.is_file():
        raise usage_error(f"{name} is a device or a pipe; leave {option} out to print")
    if os.path.abspath(path) in {os.path.abspath(recording) for recording in recordings}:
        raise usage_error(f"{name} is the recording itself; choose another")
    _check_parent(path, name)


def check_folder(path: Path, option: str) -> None:
    """Refuse, before anything is done, a folder into which nothing can be written, or that cannot be made."""
    name = f"{option} {shown(path)}"
    if path.is_dir():
        if not os.access(path, os.W_OK | os.X_OK):
            raise usage_error(f"{name}: no permission to write into it; change its mode, or choose another")
    elif os.path.lexists(path):
        raise usage_error(f"{name} is no folder, and there may be several recordings; name a folder")
    else:
        _check_parent(path, name)


def _check_parent(path: Path, name: str) -> None:
    parent = path.absolute().parent
    if not parent.is_dir():
        raise usage_error(f"{name}: the folder {shown(parent)} does not exist; make it first")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise usage_error(f"{name}: no permission to write into {shown(parent)}; choose another")


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
