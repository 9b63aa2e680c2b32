"""A server of one's own: the real command, on a port that is free."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np

from recognizer.sound import audio


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> dict:
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes
    ----------
    address : as it told it
    process : it
    """

    address: str
    process: subprocess.Popen

    @property
    def port(self) -> int:
        return urlsplit(self.address).port

    def ask(self, path: str, body: object = None, method: str | None = None, **headers: str) -> Answer:
        """Call it; headers with _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body, named)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def socket(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"


@contextmanager
def serving(*options: object, largest_file: int | None = None, **environment: str) -> Iterator[Server]:
    """Start it, and end it as Ctrl-C does; it must then end well and have said nothing more.

    With a largest file, bytes, the disk has no room for what is larger.
    """
    command = [sys.executable, "-m", "recognizer", "serve", "--port", "0", "--quiet", *map(str, options)]
    if largest_file is not None:
        command = ["sh", "-c", f'ulimit -f {largest_file // 512}; exec "$@"', "sh", *command]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://"), process.communicate(timeout=60)
        yield Server(address, process)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stdout, stderr) == (0, "", ""), stderr
    finally:
        process.kill()
        process.communicate()


def as_bytes(path: object, rate: int) -> bytes:
    """A recording as a stream sends it: 16-bit integers, little-endian."""
    return audio.sixteen_bits(audio.load(path, rate).samples).astype("<i2").tobytes()


def with_pauses(paths: list, rate: int, seconds: float = 0.7) -> np.ndarray:
    """Recordings with quiet noise between them, as int16."""
    random = np.random.default_rng(0)

    def quiet() -> np.ndarray:
        return random.normal(scale=3e-4, size=round(seconds * rate)).astype(np.float32)

    parts = [quiet(), quiet()]
    for path in paths:
        parts += [audio.load(path, rate).samples, quiet()]
    return audio.sixteen_bits(np.concatenate(parts))
