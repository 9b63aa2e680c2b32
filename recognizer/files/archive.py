"""The one kind of file that models and profiles are kept in: NumPy arrays and a JSON header, in an `.npz`.

What such a file says of itself is checked before it is believed: nothing is unpacked whose size, as the directory has
it, is out of proportion to the file, and no array is made whose own header says anything else than the directory does.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from recognizer.files.contents import shortened
from recognizer.files.writing import replacing

HEADER = "header"  # the name of the array that holds it
MEMBER = re.compile(r"[A-Za-z0-9_-]{1,100}\.npy")
MEMBERS = 1000  # at most
# Bytes that a file may unpack to: as many as any model of a few words, or so many times those it packs; and never more.
SMALL, TIMES, LARGEST = 32 << 20, 10, 1 << 30
HELD = 96 << 20  # bytes of its numbers in double precision, likewise: a thousand words of ten states and ten Gaussians
LARGEST_HEADER = 16 << 20  # bytes, four a character
DEEPEST = 100  # lists inside each other
LONGEST_DIMENSION = 1 << 30
LOCAL_HEADER = 30  # bytes before the name and the content of each member
ENCRYPTED = 1  # of the flags of a member


class DamagedError(ValueError):
    """A file that is no archive of arrays with a header, or is one no longer."""


class NoNumbersError(DamagedError):
    """An archive in which something else than numbers stands where arrays should."""


class ForeignError(ValueError):
    """An archive of somebody else's: it does not say that it is of the format that was asked for."""


def write(
    path: Path,
    header: Mapping[str, object],
    arrays: Mapping[str, np.ndarray],
    *,
    private: bool = False,
    new: bool = False,
) -> None:
    """Write an archive, whole or not at all; numbers that single precision holds exactly take half the room.

    Parameters
    ----------
    path : of the file; what was there is replaced
    header : plain JSON data; `format` and `version` tell what the archive is
    arrays : by name, none of which is `header`
    private : whether nobody but its owner may read it
    new : whether the name must be free

    Raises
    ------
    OSError
        if the file cannot be written; what was there stays.
    """
    with replacing(path, private=private, new=new) as temporary, open(temporary, "wb") as file:
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
    if stat.S_ISFIFO(os.stat(path).st_mode):  # it would be waited for
        raise DamagedError("it is a pipe")
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = _members(archive, os.fstat(file.fileno()).st_size)
                header = _header(archive, members.pop(HEADER))
                if header.get("format") == format_:
                    _check_held(archive, members)
                    return header, {name: _array(archive, member) for name, member in members.items()}
        except NoNumbersError:
            raise
        except Exception as error:  # zipfile, zlib, NumPy and json each have several for a damaged file
            raise DamagedError(str(error)) from error
    raise ForeignError(f"its format is not {format_}")


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """What the directory of an archive in a file of so many bytes has, by name, if all of it can be believed."""
    members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    if len(members) > MEMBERS:
        raise DamagedError(f"it has {len(members)} members")
    if members and members[0].header_offset:
        raise DamagedError("something stands before its first member")
    end = 0
    for member in members:
        if not MEMBER.fullmatch(member.filename) or member.flag_bits & ENCRYPTED:
            raise DamagedError(f"{member.filename!r} is no array, or encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.header_offset < end:
            raise DamagedError(f"{member.filename!r} is compressed in another way, or overlaps another member")
        end = member.header_offset + LOCAL_HEADER + len(member.filename) + member.compress_size
    found = {member.filename.removesuffix(".npy"): member for member in members}
    if end > size or len(found) < len(members):
        raise DamagedError("its directory is wrong")
    packed = sum(member.compress_size for member in members)
    if sum(member.file_size for member in members) > min(max(SMALL, TIMES * packed), LARGEST):
        raise DamagedError("it would unpack to more than such a file can hold")
    return found


def _check_held(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> None:
    """Refuse arrays that would take too much memory as numbers of 8 bytes, before one is made."""
    held = 0
    for member in members.values():
        with archive.open(member) as file:
            held += math.prod(_declared(file)[1]) * 8
    if held > max(HELD, TIMES * sum(member.compress_size for member in members.values())):
        raise DamagedError("its numbers would take more memory than such a file can need")


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> dict:
    if member.file_size > LARGEST_HEADER:
        raise DamagedError("its header is too large")
    with archive.open(member) as file:
        dtype, shape, _ = _declared(file)
        if dtype.kind != "U" or shape or dtype.itemsize != member.file_size - file.tell():
            raise DamagedError("its header is no text")
        text = np.frombuffer(_content(file, dtype.itemsize), dtype)[0] if dtype.itemsize else ""
    header = json.loads(str(text))
    if not isinstance(header, dict):
        return {}
    _check_depth(header)
    return header


def _check_depth(value: object) -> None:
    """Refuse data that lie so deep inside each other that Python's own stack would end while they are walked."""
    level = [value]
    for _ in range(DEEPEST):
        inside = [part.values() if isinstance(part, dict) else part for part in level if isinstance(part, dict | list)]
        level = [item for part in inside for item in part]
    if level:
        raise DamagedError("its header is too deep")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """An array of integers, or of floats in double precision; its size is that of its member before it is made."""
    with archive.open(member) as file:
        dtype, shape, fortran = _declared(file)
        if dtype.kind not in "fiu" or dtype.itemsize > 8:
            raise NoNumbersError(f"{member.filename} holds {dtype}")
        size = member.file_size - file.tell()
        if any(not 0 <= n <= LONGEST_DIMENSION for n in shape) or math.prod(shape) * dtype.itemsize != size:
            raise DamagedError(f"{member.filename} has the shape {shape}, and {size} bytes")
        content = _content(file, size)
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(np.float64 if dtype.kind == "f" else dtype.newbyteorder("="))


def _declared(file: BinaryIO) -> tuple[np.dtype, tuple[int, ...], bool]:
    """What an array says of itself: its type, its shape, and whether its columns stand together."""
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy would mend what it does not understand
        shape, fortran, dtype = readers[npy.read_magic(file)](file)
    return dtype, shape, fortran


def _content(file: BinaryIO, size: int) -> bytes:
    """So many bytes, which are all there are; at their end the checksum of the member is compared."""
    content = file.read(size + 1)
    if len(content) != size:
        raise DamagedError(f"it holds {len(content)} bytes of {size}")
    return content


def _smallest(array: np.ndarray) -> np.ndarray:
    """Numbers in half the room where nothing is lost by it."""
    with np.errstate(over="ignore", under="ignore"):
        single = array.astype(np.float32) if array.dtype == np.float64 else array
    return single if np.array_equal(single, array) else array


def named_version(version: object) -> str:
    """What a header has as its version, for a message."""
    return version if isinstance(version, str) and version.isalnum() and len(version) < 20 else shortened(version)
