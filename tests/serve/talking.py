"""A server within the test's own process, and somebody who says there what is asked for."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import uvicorn
from serving import Answer, Server
from synthetic import answer, quiet
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect

from recognizer.live.prompts import Prompt
from recognizer.serve.application import application
from recognizer.serve.limits import Limits
from recognizer.sound import audio

PATIENCE = 60  # seconds


class Here(Server):
    """A server in a thread of this process, whose files and limits a test can reach."""

    def __init__(self, port: int) -> None:
        super().__init__(f"http://127.0.0.1:{port}/", None)

    @contextmanager
    def talk(self, path: str) -> Iterator[ClientConnection]:
        """A WebSocket; how it ends is no matter, for what is wrong is told before."""
        opening = connect(self.socket(path), max_size=None)
        opened = opening.__enter__()
        try:
            yield opened
        finally:
            with suppress(ConnectionClosedError):
                opening.__exit__(None, None, None)

    def told(self, path: str, method: str = "GET", body: object = None) -> dict:
        """What it answers where nothing is wrong."""
        found = self.ask(path, body, method)
        assert found.status < 300, found.body
        return found.data

    def refused(self, path: str, method: str = "GET", body: object = None) -> tuple[int, str]:
        found: Answer = self.ask(path, body, method, Recognizer_Probe="1")
        return found.status, found.data["error"]


@contextmanager
def here(model: object, **limits: object) -> Iterator[Here]:
    """Start one, for the body of a test; its end is the end of the body."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        served = application(str(model), limits=Limits(**limits))
        server = uvicorn.Server(uvicorn.Config(served, log_level="critical", lifespan="on"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
        thread.start()
        try:
            end = time.monotonic() + PATIENCE
            while not server.started:
                assert time.monotonic() < end
                time.sleep(0.01)
            yield Here(listening.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(PATIENCE)


def as_sent(samples: np.ndarray) -> bytes:
    return audio.sixteen_bits(samples).astype("<i2").tobytes()


def listen_and_say(
    talk: ClientConnection,
    until: str,
    say: Callable[[Prompt], np.ndarray] = answer,
    after: Callable[[dict], str | None] = lambda event: None,
) -> list[dict]:
    """Say what is asked for until an event of a kind comes; `after` may give a command for each event."""
    found: list[dict] = []
    talk.send(as_sent(quiet(1.0)))
    end = time.monotonic() + PATIENCE
    while True:
        try:
            message = talk.recv(timeout=0.3)
        except TimeoutError:
            assert time.monotonic() < end, found
            talk.send(as_sent(quiet(0.5)))
            continue
        event = json.loads(message)
        found.append(event)
        if event["event"] in (until, "error"):
            return found
        if command := after(event):
            talk.send(json.dumps({"command": command}))
        elif event["event"] == "prompt":
            talk.send(as_sent(say(Prompt(event["word"], event["take"]))))


def commanded(talk: ClientConnection, command: str, kind: str | None) -> dict | bytes:
    """What comes of a command: an event of a kind, or sound where none is named; others before it are passed over."""
    talk.send(json.dumps({"command": command}))
    while True:
        message = talk.recv(timeout=PATIENCE)
        if isinstance(message, bytes):
            assert kind is None
            return message
        if (event := json.loads(message))["event"] == kind:
            return event
