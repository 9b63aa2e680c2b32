"""Files that are changed as chance has it: bits and stretches of them, and, behind sound checksums, what they say."""

from __future__ import annotations

import io
import json
import string
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from recognizer import model as models

ODD = (
    *(None, True, False, 0, -1, 1, 2, 1.5, 2**31, 2**63, 10**30, -(10**40)),
    *(float("nan"), float("inf"), float("-inf"), 1e308, -1e308, 5e-324, 1e-300, 1e-12, 1e6, 1e20),
    *("", "x", "1", "a\nb", "\x1b[31m", "\u2028", "\x00", "\ud800", "é" * 3000, "../x", "none"),
    *([], [None], [1], [[1]], [["a", 1]], {}, {"a": 1}, {"n": [None]}, {"": ""}, ["x"] * 2000),
)
EXTREMES = (
    *(np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 1e-300, 1e-20, 1e-12, 0.0),
    *(-1.0, 1.0, 2.0, 1e6, -1e6, 1e15, 1e30, 1e39, 123.456),
)
TYPES = ("f2", "f4", ">f8", "i1", "i8", "u2", "c16", "?", "U3", "S3", "O", "M8[s]", "g")
TOKENS = (
    "",
    "0",
    "-1",
    "1e308",
    "1e-308",
    "nan",
    "inf",
    "1e38",
    "99999999",
    "<NUMSTATES>",
    '"',
    "~h",
    "\x00",
    "x" * 500,
)


def changed_bytes(content: bytes, random: np.random.Generator, other: bytes = b"") -> bytes:
    """With flipped bits, an end that lacks, a stretch twice, out of place, of zeros, or of another file."""
    content = bytearray(content)
    if not content:
        return b"\x00"
    first, last = sorted(random.integers(0, len(content) + 1, 2))
    last = min(last, first + int(2 ** random.uniform(0, 14)))
    match random.integers(7):
        case 0 | 1:
            for place in random.integers(0, len(content), random.integers(1, 9)):
                content[place] ^= 1 << random.integers(8)
        case 2:
            del content[first:]
        case 3:
            del content[first:last]
        case 4:
            content[first:first] = content[first:last] * int(random.integers(1, 4))
        case 5:
            content[first:last] = bytes(last - first) if random.random() < 0.5 else b"\xff" * (last - first)
        case 6:
            start = random.integers(0, len(other) + 1)
            content[first:last] = other[start : start + last - first]
    return bytes(content)


def changed_text(content: bytes, random: np.random.Generator) -> bytes:
    """With some of its words exchanged, left out, said twice, or odd."""
    if random.random() < 0.3:
        return changed_bytes(content, random)
    separator = b"\n" if random.random() < 0.3 else b" " if b" " in content else b","
    words = content.split(separator)
    for _ in range(random.integers(1, 4)):
        place, other = random.integers(0, len(words), 2)
        match random.integers(4):
            case 0:
                words[place] = str(TOKENS[random.integers(len(TOKENS))]).encode()
            case 1:
                words[place] = words[other]
            case 2:
                words[place] = b""
            case 3:
                words.insert(place, words[other])
    return separator.join(words)


def changed_json(value: object, random: np.random.Generator) -> object:
    """Plain data in which one value, somewhere, is odd, missing or new."""
    inside = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    if not len(inside) or random.random() < 0.15:
        return ODD[random.integers(len(ODD))]
    key = list(inside)[random.integers(len(inside))]
    copy = value.copy()
    chance = random.random()
    if chance < 0.08:
        del copy[key]
    elif chance < 0.14 and isinstance(copy, dict):
        copy["".join(random.choice(list(string.ascii_lowercase), 3))] = ODD[random.integers(len(ODD))]
    elif isinstance(copy[key], int | float) and not isinstance(copy[key], bool) and chance < 0.4:
        copy[key] = copy[key] * float(10 ** random.uniform(-20, 20))
    else:
        copy[key] = changed_json(copy[key], random)
    return copy


def changed_array(array: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Of another type or shape, or with extreme values."""
    array = np.array(array)
    match random.integers(8):
        case 0:
            with suppress(TypeError, ValueError), warnings.catch_warnings(action="ignore"):
                return array.astype(TYPES[random.integers(len(TYPES))])
        case 1:
            shapes: list[Callable] = [
                *(lambda x: x.ravel(), lambda x: x[..., None], lambda x: x[None], lambda x: x.T),
                *(lambda x: x[1:] if x.ndim else x, lambda x: x[..., 1:] if x.ndim else x),
                *(lambda x: x.ravel()[:0], lambda x: np.array(1.0), lambda x: np.concatenate([x, x]) if x.ndim else x),
            ]
            return shapes[random.integers(len(shapes))](array)
        case 2:
            return np.full_like(array, EXTREMES[random.integers(len(EXTREMES))], dtype=np.float64)
        case 3:
            with np.errstate(all="ignore"):
                return array.astype(np.float64) * 10 ** random.uniform(-30, 30)
        case 4:
            return array.astype(np.float64) * random.choice([-1.0, 0.5, 2.0])
    array = array.astype(np.float64)
    for place in random.integers(0, max(1, array.size), random.integers(1, 5)):
        if array.size:
            array.flat[place] = EXTREMES[random.integers(len(EXTREMES))]
    return array


def changed_archive(content: bytes, random: np.random.Generator) -> bytes:
    """A model or a profile that says something else, its checksums and its fingerprint made good."""
    with np.load(io.BytesIO(content)) as file:
        arrays = {name: file[name] for name in file.files}
    header = json.loads(str(arrays.pop("header")))
    for _ in range(random.integers(1, 3)):
        name = list(arrays)[random.integers(len(arrays))]
        chance = random.random()
        if chance < 0.45:
            header = changed_json(header, random)
        elif chance < 0.9:
            arrays[name] = changed_array(arrays[name], random)
        elif chance < 0.93:
            del arrays[name]
        else:
            arrays[f"{name}{random.integers(10)}"] = arrays[name]
    return archive_of(header, arrays)


def archive_of(header: object, arrays: dict[str, np.ndarray]) -> bytes:
    """The file of a header and arrays, the fingerprint made good where there is one."""
    if isinstance(header, dict) and "fingerprint" in header:
        bare = {key: value for key, value in header.items() if key not in ("card", "fingerprint")}
        doubles = {k: np.asarray(a, dtype=np.float64 if a.dtype.kind in "fiub" else a.dtype) for k, a in arrays.items()}
        with suppress(TypeError, ValueError), warnings.catch_warnings(action="ignore"):
            header = header | {"fingerprint": models._fingerprint(doubles, bare)}
    np.savez_compressed(file := io.BytesIO(), header=np.array(json.dumps(header)), **arrays)
    return file.getvalue()


def changed_zip(content: bytes, random: np.random.Generator, change: dict[str, Callable]) -> bytes:
    """A zip archive whose members are changed, by the end of their name, or called otherwise, or there twice."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    place = random.integers(len(members))
    name, inside = members[place]
    match random.integers(4):
        case 0:
            odd = ("../../x", "/x", f"{name}/x", name.upper(), "a\\b", name.replace("/", "//"), f"{name}\n", "x" * 300)
            members[place] = odd[random.integers(len(odd))], inside
        case 1:
            members.append((members[random.integers(len(members))][0].upper(), bytes(2**20)))
        case _:
            function = next((f for ending, f in change.items() if name.endswith(ending)), changed_bytes)
            members[place] = name, function(inside, random)
    with zipfile.ZipFile(file := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, inside in members:
            archive.writestr(name, inside)
    return file.getvalue()
