"""The server: its addresses, and what happens at each."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from recognizer.errors import ModelError, NamingError, ProfileError, RecognizerError, RecognizerWarning, cited
from recognizer.live.stream import Stream
from recognizer.recognizer import Recognizer
from recognizer.serve import catalogue, openapi, pages
from recognizer.serve.engine import BusyError, ConflictError, Engine
from recognizer.serve.guard import BEARER, Guard, refused
from recognizer.serve.limits import RECORDINGS, STREAMS, Limits
from recognizer.serve.own_words import MissingError
from recognizer.serve.query import WishError, Wishes, wishes_of
from recognizer.serve.recordings import explained, transcribing
from recognizer.serve.shelf import Shelf
from recognizer.serve.streams import Conversation, converse
from recognizer.serve.teaching import ENROLLMENTS, Teaching
from recognizer.serve.together import Together
from recognizer.serve.uploads import NoRoomError, TooLargeError, TooSlowError, Uploads

OF_EXPLAINED = ("model", "speaker", "words", "rate")
OF_RECORDINGS = ("model", "speaker", "words", "threshold", "rate")
OF_LONG = (*OF_RECORDINGS, "hangover")
OF_STREAMS = (*OF_LONG, "adapt")
TAKEN = {
    "/v1/recognize": OF_RECORDINGS,
    "/v1/explain": OF_EXPLAINED,
    "/v1/transcribe": OF_LONG,
    "/v1/stream": OF_STREAMS,
}
SMALL = 500  # states of all words of a stream, up to which a piece of sound takes milliseconds
PROBE = "recognizer-probe"  # a header
RETRY = {"Retry-After": "1"}
STATUS = {  # of errors; all others of the program are of what was sent
    WishError: 400,
    NamingError: 400,
    ModelError: 404,
    ProfileError: 404,
    MissingError: 404,
    TooSlowError: 408,
    ConflictError: 409,
    TooLargeError: 413,
    NoRoomError: 507,
}

Beside = Callable[[Engine, Shelf], AbstractAsyncContextManager]


def application(
    model: str = "digits",
    *,
    hosts: tuple[str, ...] | None = None,
    token: str | None = None,
    limits: Limits = Limits(),
    threads: int = 1,
    ready: Callable[[], None] = lambda: None,
    ending: Callable[[], bool] = lambda: False,
    beside: Beside = lambda engine, shelf: nullcontext(),
) -> ASGIApp:
    """The server as an ASGI application.

    Parameters
    ----------
    model : of those who name none
    hosts, token : who may call, see `Guard`
    limits : what is taken on
    threads : that recognise
    ready : called when calls can come
    ending : whether the server is to end, and what takes long shall be given up
    beside : what else is served, with the same engine and models, as long as calls can come

    Raises
    ------
    ModelError
        if there is no such model, or it is damaged.
    """
    server = _Server(model, limits, threads, ready, ending, beside)
    routes = [
        Route("/healthz", server.health),
        Route("/v1/recognize", server.recognize, methods=["POST"]),
        Route("/v1/transcribe", server.transcribe, methods=["POST"]),
        Route("/v1/explain", server.explain, methods=["POST"]),
        *server.conversing("/v1/stream", STREAMS, OF_STREAMS, server.streaming),
        Route("/v1/models", server.models),
        Route("/v1/models/{name}", server.model, methods=["GET", "DELETE"]),
        Route("/v1/speakers", server.speakers),
        Route("/openapi.json", _served(openapi.document(TAKEN, token is not None))),
        *server.teaching.routes(server.conversing),
        *pages.routes(),
    ]
    handlers = {
        RecognizerError: _wrong,
        BusyError: _busy,
        HTTPException: _not_here,
        ClientDisconnect: _gone,
        FileNotFoundError: _removed,
        Exception: _broken,
    }
    made = Starlette(routes=routes, exception_handlers=handlers, lifespan=server.life)
    made.router.redirect_slashes = False
    return Guard(made, hosts, token)


class _Server:
    """What its addresses share."""

    def __init__(
        self,
        model: str,
        limits: Limits,
        threads: int,
        ready: Callable[[], None],
        ending: Callable[[], bool],
        beside: Beside,
    ) -> None:
        self._limits, self._ready, self._ending, self._beside = limits, ready, ending, beside
        places = {RECORDINGS: limits.waiting, STREAMS: limits.streams, ENROLLMENTS: limits.enrollments}
        self._engine = Engine(threads, places)
        self._together = Together(self._engine, threads)
        self._shelf = Shelf(model, limits.models)
        self._shelf.take()  # so that the first call need not wait, and what is wrong with it is told at once
        self._uploads: Uploads
        self.teaching = Teaching(self._engine, self._shelf, limits, lambda: self._uploads)

    @asynccontextmanager
    async def life(self, _: Starlette) -> AsyncIterator[None]:
        """From the first call to the last."""
        with warnings.catch_warnings():  # answers say what matters of them; nobody reads the terminal
            warnings.simplefilter("ignore", RecognizerWarning)
            self._uploads = Uploads(self._limits)
            try:
                async with self._beside(self._engine, self._shelf):
                    self._ready()
                    yield
            finally:
                self.teaching.close()
                self._engine.close()
                self._uploads.close()

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "version": openapi.VERSION, **self._engine.taken})

    async def recognize(self, request: Request) -> Response:
        async with self._of_a_recording(request, OF_RECORDINGS) as given:
            return JSONResponse(await self._together.recognize(*given))

    async def explain(self, request: Request) -> Response:
        async with self._of_a_recording(request, OF_EXPLAINED) as given:
            return JSONResponse(await self._engine.run(explained, *given))

    async def transcribe(self, request: Request) -> Response:
        async with self._of_a_recording(request, OF_LONG) as given:
            pieces = await self._engine.run(transcribing, *given)
            answers: list[dict] = []
            while (found := await self._engine.run(next, pieces, None)) is not None:
                answers += found
                if await request.is_disconnected():
                    raise ClientDisconnect
                if self._ending():
                    raise BusyError("the server is ending; send it again when it is back")
            return JSONResponse({"answers": answers})

    @asynccontextmanager
    async def _of_a_recording(
        self, request: Request, known: Sequence[str]
    ) -> AsyncIterator[tuple[Recognizer, Path, Wishes]]:
        """What a call asks for, and the recording that comes with it."""
        with self._engine.place(RECORDINGS):
            wishes = wishes_of(request.query_params, known)
            wanted = wishes.model, wishes.speaker
            recognizer = self._shelf.at_hand(*wanted) or await self._engine.run(self._shelf.take, *wanted)
            async with self._uploads.kept(request, wishes.rate) as path:
                yield recognizer, path, wishes

    def conversing(
        self,
        path: str,
        kind: str,
        known: Sequence[str],
        opened: Callable[[Request | WebSocket], AbstractAsyncContextManager[Conversation]],
    ) -> list[BaseRoute]:
        """The routes of a conversation: its address, the kind of places it takes, what can be wished, what opens it."""

        async def talk(socket: WebSocket) -> None:
            try:
                with self._engine.place(kind):
                    async with opened(socket) as conversation:
                        given = [name for name in socket.scope["subprotocols"] if name.startswith(BEARER)]
                        await socket.accept(given[0] if given else None)
                        await converse(socket, conversation, self._limits.patience)
            except BusyError as error:
                await socket.send_denial_response(refused(503, str(error), RETRY))
            except RecognizerError as error:
                await socket.send_denial_response(refused(_status(error), str(error)))

        async def no_talk(request: Request) -> Response:
            """What one that is asked for so would meet: a page cannot read why a WebSocket was refused.

            Only for the page: the header shows that it is no link or picture of somebody else.
            """
            wishes_of(request.query_params, known).with_rate()
            if PROBE in request.headers:
                with self._engine.place(kind):
                    async with opened(request):
                        pass
            return refused(426, "a stream needs a WebSocket; begin one at this address", {"Upgrade": "websocket"})

        return [Route(path, no_talk), WebSocketRoute(path, talk)]

    @asynccontextmanager
    async def streaming(self, call: Request | WebSocket) -> AsyncIterator[Conversation]:
        stream, small = await self._engine.run(self._opened, wishes_of(call.query_params, OF_STREAMS).with_rate())
        run = self._engine.run_now if small else self._engine.run
        work = {"finish": stream.finish, "undo": stream.session.undo, "reset": stream.session.reset}
        commands = {name: partial(run, each) for name, each in work.items()}
        yield Conversation(stream.sample_rate, partial(run, stream.push), commands)

    def _opened(self, wishes: Wishes) -> tuple[Stream, bool]:
        """A stream, and whether hearing a piece of it takes milliseconds: few words, and nothing is learned."""
        recognizer = self._shelf.take(wishes.model, wishes.speaker)
        how = {"threshold": wishes.threshold, "hangover": wishes.hangover, "adapt": wishes.adapt}
        words = wishes.chosen(recognizer.words)
        states = len(recognizer.indices(words)) * recognizer.model.acoustics.chain.log_stay.shape[-1]
        stream = Stream(recognizer, wishes.rate, words=words, spare=self._engine.has_time, **how)
        return stream, states <= SMALL and not wishes.adapt

    async def models(self, request: Request) -> Response:
        wishes_of(request.query_params, ())
        return JSONResponse({"models": await self._engine.run(catalogue.models, self._shelf.usual)})

    async def model(self, request: Request) -> Response:
        if request.method == "DELETE":
            return await self.teaching.remove_model(request)
        wishes_of(request.query_params, ())
        name = request.path_params["name"]
        path = await self._engine.run(self._shelf.path, name)
        return JSONResponse(await self._engine.run_at_length(catalogue.whole, name, path))

    async def speakers(self, request: Request) -> Response:
        wishes_of(request.query_params, ())
        return JSONResponse({"speakers": await self._engine.run(catalogue.speakers)})


def _served(document: dict) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        return JSONResponse(document)

    return serve


def _status(error: RecognizerError) -> int:
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 422)


async def _wrong(request: Request, error: RecognizerError) -> Response:
    return refused(_status(error), str(error))


async def _busy(request: Request, error: BusyError) -> Response:
    return refused(503, str(error), RETRY)


async def _not_here(request: Request, error: HTTPException) -> Response:
    path = cited(request.url.path)
    what = f"{request.method} is not for {path}" if error.status_code == 405 else f"there is nothing at {path}"
    return refused(error.status_code, f"{what}; see /openapi.json", error.headers)


async def _removed(request: Request, error: FileNotFoundError) -> Response:
    return refused(404, "it was removed meanwhile; look again at what there is")


async def _gone(request: Request, error: ClientDisconnect) -> Response:
    return Response(status_code=499)  # which nobody reads


async def _broken(request: Request, error: Exception) -> Response:
    traceback.print_exception(error, file=sys.stderr)
    return refused(500, "an error in the server, which its terminal tells; please report it")
