"""Events of the Wyoming protocol on a connection, none of them larger than a server takes on.

The protocol's own reader waits for as many bytes as a header says, and keeps them all.
"""

from __future__ import annotations

import asyncio
import json

from wyoming.event import Event

from recognizer.errors import RecognizerError, cited

HEADER = 1 << 16  # bytes of a line, and of the data behind it


class ProtocolError(RecognizerError):
    """Something that is no event, too large a one, or one that makes no sense where it came."""


async def received(reader: asyncio.StreamReader, most: int) -> Event | None:
    """The next event; None where there is none, or not all of it.

    Parameters
    ----------
    reader : of a connection, which takes lines of up to HEADER bytes
    most : bytes of sound in it

    Raises
    ------
    ProtocolError
        if it is none, or too large.
    """
    try:
        line = await reader.readline()
    except ValueError as error:
        raise ProtocolError(f"a line has more than {HEADER} bytes; send sound as the payload of audio-chunk") from error
    if not line.endswith(b"\n"):
        return None
    header = _table(line)
    kind, data = header.get("type"), header.get("data") or {}
    if not isinstance(kind, str) or not isinstance(data, dict):
        raise ProtocolError(f"{cited(_text(line))} is no event; type must be a text, and data an object")
    more, size = _length(header, "data_length", HEADER), _length(header, "payload_length", most)
    try:
        data |= _table(await reader.readexactly(more)) if more else {}
        return Event(kind, data, await reader.readexactly(size) if size else None)
    except asyncio.IncompleteReadError:
        return None


def _length(header: dict, name: str, most: int) -> int:
    length = header.get(name) or 0
    if not (isinstance(length, int) and 0 <= length <= most):
        raise ProtocolError(f"{name} is {cited(length)}, not a whole number from 0 to {most}; send smaller events")
    return length


def _table(data: bytes) -> dict:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProtocolError(f"{cited(_text(data))} is no JSON object, with which every event begins; speak Wyoming")
    return found


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").rstrip("\n")
