"""Sound that comes while it happens, by a WebSocket: samples in, the events of `live --json` out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from recognizer.errors import AudioError, cited
from recognizer.live.events import Event
from recognizer.live.stream import Stream
from recognizer.serve.engine import Engine
from recognizer.serve.recordings import samples_of

PIECE = 0.1  # seconds of sound that are heard at once, before the others have their turn
COMMANDS = ("finish", "undo", "reset")
ENDED, UNSUPPORTED, WRONG = 1000, 1003, 1007  # why a WebSocket is closed: RFC 6455, 7.4.1


class MessageError(AudioError):
    """A message that is neither sound nor a command."""


async def converse(socket: WebSocket, stream: Stream, engine: Engine, patience: float) -> None:
    """Hear what comes until it ends, and tell what happens.

    Parameters
    ----------
    socket : that was accepted
    stream : that hears
    engine : that works
    patience : seconds without a message, after which the stream is ended
    """
    try:
        ended = False
        while not ended:
            try:
                async with asyncio.timeout(patience):
                    message = await socket.receive()
            except TimeoutError:
                await _refuse(socket, f"no sound came for {patience:.0f} s; begin again", ENDED)
                break
            if message["type"] == "websocket.disconnect":
                break
            if (data := message.get("bytes")) is not None:
                samples, size = samples_of(data) if data else np.zeros(0, np.int16), round(PIECE * stream.sample_rate)
                for first in range(0, len(samples), size):
                    await _tell(socket, await engine.run(stream.push, samples[first : first + size]))
            else:
                command = _command(message["text"])
                ended = command == "finish"
                await _tell(socket, await engine.run(_doing(stream, command)))
        if ended:
            await socket.close(ENDED)
    except MessageError as error:
        await _refuse(socket, str(error), UNSUPPORTED)
    except AudioError as error:
        await _refuse(socket, str(error), WRONG)
    except (WebSocketDisconnect, RuntimeError):
        if socket.application_state is not WebSocketState.DISCONNECTED and _is_open(socket):
            raise


def _doing(stream: Stream, command: str) -> Callable[[], list[Event]]:
    return {"finish": stream.finish, "undo": stream.session.undo, "reset": stream.session.reset}[command]


def _command(text: str) -> str:
    """What a text message asks for."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and list(found) == ["command"] and found["command"] in COMMANDS:
        return found["command"]
    known = " or ".join(json.dumps({"command": command}) for command in COMMANDS)
    raise MessageError(f"{cited(text)} is no command; send {known}, and sound as bytes")


async def _tell(socket: WebSocket, events: Iterable[Event]) -> None:
    for event in events:
        await socket.send_text(json.dumps(event.record(), ensure_ascii=False, separators=(",", ":")))


async def _refuse(socket: WebSocket, message: str, code: int) -> None:
    """Tell what is wrong, and end."""
    await socket.send_text(json.dumps({"event": "error", "message": message}, ensure_ascii=False))
    await socket.close(code)


def _is_open(socket: WebSocket) -> bool:
    return socket.client_state is WebSocketState.CONNECTED
