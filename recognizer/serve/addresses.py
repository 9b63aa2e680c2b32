"""Where a server listens beside HTTP: tcp://HOST:PORT, or unix:///PATH, which only its owner can reach."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from recognizer.errors import RecognizerError, cited

EXAMPLES = "tcp://127.0.0.1:10300 or unix:///run/recognizer/home.sock"
OWNERS_ALONE = 0o177  # what a new socket is not: usable by others


class AddressError(RecognizerError):
    """Something that is no address."""


@contextmanager
def listening_at(address: str) -> Iterator[socket.socket]:
    """A socket that callers can reach, and that is gone at the end.

    Raises
    ------
    AddressError
        if that is no address of this computer.
    RecognizerError
        if nobody can listen there.
    """
    try:
        parts = urlsplit(address)
        place = (parts.hostname, parts.port) if parts.scheme == "tcp" else parts.path
    except ValueError as error:  # a port that is none
        raise AddressError(f"{cited(address)} is no address ({error}); give {EXAMPLES}") from error
    if parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc:
        with _unix(address, parts.path) as listening:
            yield listening
    elif parts.scheme == "tcp" and None not in place and parts.path in ("", "/"):
        with listening_on(*place, cited(address)) as listening:
            yield listening
    else:
        raise AddressError(f"{cited(address)} is no address; give {EXAMPLES}")


def uri_of(listening: socket.socket) -> str:
    """The address of a socket."""
    place = listening.getsockname()
    if isinstance(place, str):
        return f"unix://{place}"
    host = f"[{place[0]}]" if ":" in place[0] else place[0]
    return f"tcp://{host}:{place[1]}"


def is_public(listening: socket.socket) -> bool:
    """Whether other computers can reach a socket."""
    place = listening.getsockname()
    return not isinstance(place, str) and not ipaddress.ip_address(place[0].partition("%")[0]).is_loopback


def listening_on(host: str, port: int, called: str) -> socket.socket:
    """A socket of the network that callers can reach, which messages call so.

    Raises
    ------
    AddressError
        if the host is none of this computer.
    RecognizerError
        if nobody can listen there.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise AddressError(f"{cited(host)} is no address of this computer; give 127.0.0.1 or 0.0.0.0") from error
    family, kind, protocol, _, place = found[0]
    listening = socket.socket(family, kind, protocol)
    if os.name != "nt":  # there it would let two programs have the same port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return _bound(listening, called, place, "choose another address, or port 0 for any that is free")


@contextmanager
def _unix(address: str, path: str) -> Iterator[socket.socket]:
    if not hasattr(socket, "AF_UNIX"):
        raise AddressError(f"{cited(address)} is no address on this system; give tcp://127.0.0.1:10300")
    _clear(address, path)
    before = os.umask(OWNERS_ALONE)
    try:
        listening = _bound(socket.socket(socket.AF_UNIX), cited(address), path, "choose another address")
    finally:
        os.umask(before)
    try:
        with listening:
            yield listening
    finally:
        with suppress(OSError):
            os.unlink(path)


def _clear(address: str, path: str) -> None:
    """Remove the socket of a server that was killed."""
    with suppress(OSError, ValueError):  # whoever binds tells what is wrong
        if Path(path).is_socket():
            with socket.socket(socket.AF_UNIX) as caller:
                try:
                    caller.connect(path)
                except ConnectionRefusedError:
                    os.unlink(path)


def _bound(listening: socket.socket, called: str, place: object, what_to_do: str) -> socket.socket:
    try:
        listening.bind(place)
        listening.listen()
    except (OSError, OverflowError, ValueError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise RecognizerError(f"cannot listen at {called} ({reason}); {what_to_do}") from error
    return listening
