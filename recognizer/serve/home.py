"""The server for Home Assistant: speech to text and a wake word, by the Wyoming protocol.

A caller asks for one of the two, and sends sound. Whoever asks for nothing gets the words, as the protocol has it. What
a caller does wrong is answered by one event, and ends that connection.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
import traceback
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from wyoming.asr import Transcript
from wyoming.error import Error
from wyoming.event import Event, Eventable, async_write_event
from wyoming.ping import Pong

with warnings.catch_warnings():  # it uses audioop, as long as Python has it
    warnings.simplefilter("ignore", DeprecationWarning)
    from wyoming.wake import Detection, NotDetected

from recognizer.errors import RecognizerError, cited
from recognizer.live.events import Event as Happened
from recognizer.live.events import Heard
from recognizer.live.session import Session
from recognizer.recognizer import Recognizer
from recognizer.serve import home_catalogue
from recognizer.serve.engine import BusyError, Engine
from recognizer.serve.home_messages import HEADER, ProtocolError, received
from recognizer.serve.limits import STREAM_RATES, STREAMS, Limits
from recognizer.serve.shelf import Shelf
from recognizer.serve.streams import PIECE
from recognizer.sound.audio import whole_rate
from recognizer.sound.pipes import Samples
from recognizer.sound.source import Block

MOST_CHANNELS = 8
LONGEST = 600  # seconds of sound in which words are sought: what is said to a house lasts a few
LINGER = 1.0  # seconds in which a caller who is told what is wrong may still send, lest the answer be lost
WIDEST = 4  # bytes of a sample


@dataclass(frozen=True)
class Home:
    """What all callers share.

    Attributes
    ----------
    engine, shelf, limits : those of the server
    wake_word : of the usual model, which `detect` waits for; None for none
    """

    engine: Engine
    shelf: Shelf
    limits: Limits
    wake_word: str | None = None

    @asynccontextmanager
    async def open(self, listening: socket.socket) -> AsyncIterator[None]:
        """Answer those who come to a socket; at the end, nobody is left."""
        callers: set[asyncio.Task] = set()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            callers.add(asyncio.current_task())
            try:
                with suppress(asyncio.CancelledError):  # at the end
                    await _Caller(self, reader, writer).converse()
            finally:
                callers.discard(asyncio.current_task())

        unix = hasattr(socket, "AF_UNIX") and listening.family == socket.AF_UNIX
        start = asyncio.start_unix_server if unix else asyncio.start_server
        await self.engine.run(home_catalogue.offered, self.shelf.usual)  # which a house waits for but a second
        server = await start(answer, sock=listening, limit=HEADER)
        try:
            yield
        finally:
            server.close()
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)


class _Hearing:
    """Sound that is heard while it comes, a piece at a time."""

    def __init__(self, recognizer: Recognizer, form: Samples) -> None:
        self.form, self.seconds = form, 0.0
        self._session = Session(recognizer, partial=False)
        self._waiting = bytearray()

    def take(self, data: bytes) -> None:
        """Keep sound that has come."""
        if len(data) % self.form.frame:
            raise ProtocolError(f"{len(data)} bytes are no whole samples of {self.form.frame} bytes; send whole ones")
        self._waiting += data
        self.seconds += len(data) / self.form.frame / self.form.rate

    def pieces(self, last: bool) -> list[Callable[[], list[Happened]]]:
        """Pieces of work that make events of what has come; with the last of them, it is over."""
        size = max(1, round(PIECE * self.form.rate)) * self.form.frame
        count = len(self._waiting) // size
        return [lambda: self._hear(size)] * count + [lambda: [*self._hear(size), *self._session.finish()]] * last

    def _hear(self, size: int) -> list[Happened]:
        data = bytes(self._waiting[:size])
        del self._waiting[:size]
        if not data:
            return []
        return self._session.hear(Block(self.form.read(data), self.form.rate, time.perf_counter()))


@dataclass
class _Words:
    """Who waits for words.

    Attributes
    ----------
    model : by name; None for the usual one
    """

    model: str | None
    found: list[str] = field(default_factory=list)
    longest: float = LONGEST

    def heard(self, word: str, moment: int) -> Eventable | None:
        """What to tell of a word at once."""
        self.found.append(word)
        return None

    def over(self) -> Eventable | None:
        """What to tell at the end of the sound."""
        text, self.found = " ".join(self.found), []
        return Transcript(text)


@dataclass
class _Waking:
    """Who waits for the wake word."""

    word: str
    found: bool = False
    model: None = None
    longest: float = float("inf")

    def heard(self, word: str, moment: int) -> Eventable | None:
        if word != self.word:
            return None
        self.found = True
        return Detection(word, moment)

    def over(self) -> Eventable | None:
        found, self.found = self.found, False
        return None if found else NotDetected()


class _Caller:
    """One connection."""

    def __init__(self, home: Home, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._home, self._reader, self._writer = home, reader, writer
        self._wish: _Words | _Waking = _Words(None)
        self._hearing: _Hearing | None = None

    async def converse(self) -> None:
        """Answer all that comes, until the caller goes."""
        try:
            try:
                with self._home.engine.place(STREAMS):
                    await self._answer_all()
            except (BusyError, RecognizerError) as error:
                await self._refuse(str(error))
            except OSError:  # gone, or it does not listen
                pass
            except Exception as error:
                traceback.print_exception(error, file=sys.stderr)
                await self._refuse("an error in the server, which its terminal tells; please report it")
            self._writer.close()
            async with asyncio.timeout(self._home.limits.patience):  # what was told may still be on its way
                await self._writer.wait_closed()
        except OSError:
            pass
        finally:
            self._writer.transport.abort()

    async def _answer_all(self) -> None:
        """One event after the other."""
        patience, most = self._home.limits.patience, self._home.limits.message
        answers = {
            "describe": self._describe,
            "ping": self._ping,
            "transcribe": self._transcribe,
            "detect": self._detect,
            "audio-start": self._start,
            "audio-chunk": self._chunk,
            "audio-stop": self._stop,
        }
        while True:
            try:
                async with asyncio.timeout(patience):
                    event = await received(self._reader, most)
            except TimeoutError:
                raise ProtocolError(f"nothing came for {patience:g} s; connect again") from None
            if event is None:
                return
            if answer := answers.get(event.type):  # others are for servers of other things
                await answer(event)

    async def _describe(self, event: Event) -> None:
        home = self._home
        await self._tell(await home.engine.run(home_catalogue.information, home.shelf.usual, home.wake_word))

    async def _ping(self, event: Event) -> None:
        await self._tell(Pong(_text(event, "text")))

    async def _transcribe(self, event: Event) -> None:
        usual, name, language = self._home.shelf.usual, _text(event, "name"), _text(event, "language")
        if name is None and language is not None:
            name = await self._home.engine.run(home_catalogue.fitting, usual, language)
        self._wish, self._hearing = _Words(None if name == home_catalogue.public(usual) else name), None

    async def _detect(self, event: Event) -> None:
        word, names = self._home.wake_word, event.data.get("names") or []
        if word is None:
            raise ProtocolError("this server waits for no wake word; start it with one")
        if not isinstance(names, list) or (names and word not in names):
            raise ProtocolError(f"there is no wake word {cited(names)}; there is {cited(word)}")
        self._wish, self._hearing = _Waking(word), None

    async def _start(self, event: Event) -> None:
        """Begin to hear, anew where something else was heard: so do those who want to be woken once more."""
        form = _form(event)
        recognizer = await self._home.engine.run(self._home.shelf.take, self._wish.model)
        self._wish.over()
        self._hearing = await self._home.engine.run(_Hearing, recognizer, form)

    async def _chunk(self, event: Event) -> None:
        if self._hearing is None:
            raise ProtocolError("audio-chunk came before audio-start; send that first")
        if _form(event) != self._hearing.form:
            raise ProtocolError("audio-chunk has not the rate, width and channels of audio-start; send the same ones")
        self._hearing.take(event.payload or b"")
        if self._hearing.seconds > self._wish.longest:
            raise ProtocolError(f"the sound has more than {self._wish.longest} s; send audio-stop earlier")
        await self._hear(event.data.get("timestamp"), last=False)

    async def _stop(self, event: Event) -> None:
        if self._hearing is None:
            raise ProtocolError("audio-stop came before audio-start; send that first")
        await self._hear(event.data.get("timestamp"), last=True)
        self._hearing = None
        if (answer := self._wish.over()) is not None:
            await self._tell(answer)

    async def _hear(self, moment: object, last: bool) -> None:
        """Hear what has come up to a moment, milliseconds, and tell what is known by it."""
        if type(moment) is not int:
            moment = round(1000 * self._hearing.seconds)
        for piece in self._hearing.pieces(last):
            for event in await self._home.engine.run(piece):
                if isinstance(event, Heard) and (answer := self._wish.heard(event.result.word, moment)):
                    await self._tell(answer)

    async def _tell(self, answer: Eventable) -> None:
        async with asyncio.timeout(self._home.limits.patience):
            await async_write_event(answer.event(), self._writer)

    async def _refuse(self, message: str) -> None:
        """Tell what is wrong, and hear no more; who closes on what still comes makes that answer be lost."""
        await self._tell(Error(message))
        if self._writer.can_write_eof():
            self._writer.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                while await self._reader.read(HEADER):
                    pass


def _form(event: Event) -> Samples:
    """How the sound of an event is written.

    Raises
    ------
    AudioError, ProtocolError
        if nothing is written so.
    """
    rate = whole_rate(event.data.get("rate"), "rate")
    if rate not in STREAM_RATES:
        raise ProtocolError(f"rate is {rate} Hz, not a multiple of {STREAM_RATES.step} up to {STREAM_RATES[-1]}")
    for name, most in (("width", WIDEST), ("channels", MOST_CHANNELS)):
        value = event.data.get(name)
        if type(value) is not int or not 1 <= value <= most:
            raise ProtocolError(f"{name} is {cited(value)}, not a whole number from 1 to {most}")
    return Samples(rate, event.data["channels"], bits=8 * event.data["width"])


def _text(event: Event, name: str) -> str | None:
    text = event.data.get(name)
    if not isinstance(text, str | None):
        raise ProtocolError(f"{name} of {event.type} is {cited(text)}, not a text")
    return text
