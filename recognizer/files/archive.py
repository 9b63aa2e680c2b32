"""The one kind of file that models and profiles are kept in: NumPy arrays and a JSON header, in an `.npz`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recognizer.files.writing import replacing

HEADER = "header"  # the name of the array that holds it


class DamagedError(ValueError):
    """A file that is no archive of arrays with a header, or is one no longer."""


class ForeignError(ValueError):
    """An archive of somebody else's: it does not say that it is of the format that was asked for."""


def write(path: Path, header: Mapping[str, object], arrays: Mapping[str, np.ndarray], *, private: bool = False) -> None:
    """Write an archive, whole or not at all; numbers that single precision holds exactly take half the room.

    Parameters
    ----------
    path : of the file; what was there is replaced
    header : plain JSON data; `format` and `version` tell what the archive is
    arrays : by name, none of which is `header`
    private : whether nobody but its owner may read it

    Raises
    ------
    OSError
        if the file cannot be written; what was there stays.
    """
    with replacing(path, private=private) as temporary, open(temporary, "wb") as file:
        kept = {name: _smallest(array) for name, array in arrays.items()}
        np.savez_compressed(file, **{HEADER: np.array(json.dumps(header, ensure_ascii=False))}, **kept)


def read(path: Path, format_: str) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and the arrays of an archive; nothing in it is run.

    Parameters
    ----------
    path : of the file
    format_ : what its header must say

    Raises
    ------
    OSError
        if the file is missing or cannot be opened.
    DamagedError
        if it is no archive, or a damaged one.
    ForeignError
        if it is one of another format.
    """
    with open(path, "rb") as file:  # here, because np.load leaves a damaged file open
        try:
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: _in_double_precision(archive[name]) for name in archive.files}
            header = json.loads(str(arrays.pop(HEADER)))
        except Exception as error:  # zipfile, zlib, NumPy and json each have several for a damaged file
            raise DamagedError(str(error)) from error
    if not isinstance(header, dict) or header.get("format") != format_:
        raise ForeignError(f"its format is not {format_}")
    return header, arrays


def _smallest(array: np.ndarray) -> np.ndarray:
    """Numbers in half the room where nothing is lost by it."""
    with np.errstate(over="ignore", under="ignore"):
        single = array.astype(np.float32) if array.dtype == np.float64 else array
    return single if np.array_equal(single, array) else array


def _in_double_precision(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64) if array.dtype == np.float32 else array
