"""Sound that comes while it happens, by a WebSocket: samples in, events out, as commands print them as JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from recognizer.errors import AudioError, RecognizerError, cited
from recognizer.live.events import Event
from recognizer.serve.recordings import samples_of

LAST = 5.0  # seconds that the last message may take
PIECE = 0.1  # seconds of sound that are heard at once, before the others have their turn
FINISH = "finish"  # the command that ends a conversation
ENDED, UNSUPPORTED, WRONG, FAILED = 1000, 1003, 1007, 1011  # why a WebSocket is closed: RFC 6455, 7.4.1

Messages = Iterable[Event | dict | bytes]  # events, what else is said as JSON, and sound


@dataclass(frozen=True)
class Conversation:
    """Who is spoken to.

    Attributes
    ----------
    sample_rate : of the sound, Hz
    push : hears some of it
    commands : what else can be asked for, by name; `FINISH` among them
    """

    sample_rate: int
    push: Callable[[np.ndarray], Awaitable[Messages]]
    commands: Mapping[str, Callable[[], Awaitable[Messages]]]


class MessageError(AudioError):
    """A message that is neither sound nor a command."""


async def converse(socket: WebSocket, with_: Conversation, patience: float) -> None:
    """Hear what comes until it ends, and tell what happens.

    Parameters
    ----------
    socket : that was accepted
    with_ : who hears
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
                samples, size = samples_of(data) if data else np.zeros(0, np.int16), round(PIECE * with_.sample_rate)
                for first in range(0, len(samples), size):
                    await _tell(socket, await with_.push(samples[first : first + size]), patience)
            else:
                command = _command(message["text"], with_.commands)
                ended = command == FINISH
                await _tell(socket, await with_.commands[command](), patience)
        if ended:
            await socket.close(ENDED)
    except TimeoutError:
        return  # whoever does not read what was asked for gives the place to others
    except MessageError as error:
        await _refuse(socket, str(error), UNSUPPORTED)
    except AudioError as error:
        await _refuse(socket, str(error), WRONG)
    except RecognizerError as error:
        await _refuse(socket, str(error), FAILED)
    except (WebSocketDisconnect, RuntimeError):
        if socket.application_state is not WebSocketState.DISCONNECTED and _is_open(socket):
            raise


def _command(text: str, commands: Iterable[str]) -> str:
    """What a text message asks for."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and list(found) == ["command"] and found["command"] in list(commands):
        return found["command"]
    known = " or ".join(json.dumps({"command": command}) for command in commands)
    raise MessageError(f"{cited(text)} is no command; send {known}, and sound as bytes")


async def _tell(socket: WebSocket, messages: Messages, patience: float) -> None:
    """Send what there is to tell; a TimeoutError if it is not read."""
    for message in messages:
        async with asyncio.timeout(patience):
            if isinstance(message, bytes):
                await socket.send_bytes(message)
            else:
                record = message.record() if isinstance(message, Event) else message
                await socket.send_text(json.dumps(record, ensure_ascii=False, separators=(",", ":")))


async def _refuse(socket: WebSocket, message: str, code: int) -> None:
    """Tell what is wrong, and end; soon, for it may be that nobody reads."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST):
            await socket.send_text(json.dumps({"event": "error", "message": message}, ensure_ascii=False))
            await socket.close(code)


def _is_open(socket: WebSocket) -> bool:
    return socket.client_state is WebSocketState.CONNECTED
