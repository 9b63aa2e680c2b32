"""The addresses at which voices and words are taught, and what is kept of them is looked after."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.websockets import WebSocket

from recognizer import own_models
from recognizer.errors import ModelError, cited
from recognizer.model import installed
from recognizer.serve import own_words, voices
from recognizer.serve.engine import ConflictError, Engine
from recognizer.serve.limits import RECORDINGS, Limits
from recognizer.serve.query import WishError, wishes_of
from recognizer.serve.shelf import Shelf
from recognizer.serve.streams import Conversation
from recognizer.serve.training import Training
from recognizer.serve.uploads import Uploads
from recognizer.speakers import records

ENROLLMENTS = "enrollments"  # whose places both conversations take
OF_ENROLLMENT = ("speaker", "model", "words", "takes", "rate")
OF_RECORDING = ("words", "takes", "rate")
MOST_NAMES = 4 << 20  # bytes of names of files: of a hundred thousand
OF_TRAINING = ("model", "replace")

Opened = Callable[[Request | WebSocket], "AsyncIterator[Conversation]"]
Conversing = Callable[[str, str, Sequence[str], Opened], list[BaseRoute]]


class Teaching:
    """What these addresses share.

    Parameters
    ----------
    engine, shelf, limits : of the server
    uploads : gives what receives recordings, once the server runs
    """

    def __init__(self, engine: Engine, shelf: Shelf, limits: Limits, uploads: Callable[[], Uploads]) -> None:
        self._engine, self._shelf, self._limits, self._uploads = engine, shelf, limits, uploads
        self._training = Training()

    def routes(self, conversing: Conversing) -> list[BaseRoute]:
        """All of them.

        Parameters
        ----------
        conversing : gives the routes of a conversation: its address, the kind of places it takes, what
            can be wished, what opens it
        """
        words = "/v1/words/{name}"
        return [
            *conversing("/v1/enroll", ENROLLMENTS, OF_ENROLLMENT, self._enrolling),
            Route("/v1/speakers/import", self.take_in, methods=["POST"]),
            Route("/v1/speakers/{name}", self.speaker, methods=["GET", "DELETE"]),
            Route("/v1/speakers/{name}/rename", self.rename, methods=["POST"]),
            Route("/v1/speakers/{name}/export", self.export),
            Route("/v1/models/{name}/file", self.model_file),
            Route("/v1/alike", self.alike),
            Route("/v1/reading", self.reading, methods=["POST"]),
            Route("/v1/training", self.training, methods=["GET", "DELETE"]),
            Route("/v1/words", self.collections),
            Route(words, self.collection, methods=["GET", "PUT", "DELETE"]),
            Route(f"{words}/check", self.check),
            *conversing(f"{words}/record", ENROLLMENTS, OF_RECORDING, self._recording),
            Route(f"{words}/train", self.train, methods=["POST"]),
            Route(f"{words}/takes/{{word}}", self.word, methods=["POST", "DELETE"]),
            Route(f"{words}/takes/{{word}}/{{file}}", self.take, methods=["GET", "DELETE"]),
        ]

    def close(self) -> None:
        """End what runs."""
        self._training.cancel()

    @asynccontextmanager
    async def _received(self, request: Request, most: int | None = None) -> AsyncIterator[Path]:
        """What comes with a call, which takes a place as every recording does."""
        with self._engine.place(RECORDINGS):
            async with self._uploads().kept(request, most=most) as path:
                yield path

    # Voices

    @asynccontextmanager
    async def _enrolling(self, call: Request | WebSocket) -> AsyncIterator[Conversation]:
        wishes = wishes_of(call.query_params, OF_ENROLLMENT).with_rate()
        async with voices.enrolling(wishes, self._engine, self._shelf) as talk:
            yield talk

    async def speaker(self, request: Request) -> Response:
        """What there is to tell of a speaker; or the speaker is removed."""
        wishes_of(request.query_params, ())
        work = voices.removed if request.method == "DELETE" else records.details
        return JSONResponse(await self._engine.run(work, request.path_params["name"]))

    async def rename(self, request: Request) -> Response:
        to = wishes_of(request.query_params, ("to",)).to
        return JSONResponse(await self._engine.run(voices.renamed, request.path_params["name"], to))

    async def export(self, request: Request) -> Response:
        """A file that `take_in` takes, of a speaker with all conditions and takes."""
        wishes_of(request.query_params, ())
        path = self._uploads().free()
        name = await self._engine.run_at_length(voices.exported, request.path_params["name"], path)
        return FileResponse(path, filename=name, background=BackgroundTask(os.unlink, path))

    async def take_in(self, request: Request) -> Response:
        wishes_of(request.query_params, ())
        async with self._received(request) as path:
            return JSONResponse(await self._engine.run(voices.imported, path))

    # Models

    async def model_file(self, request: Request) -> Response:
        wishes_of(request.query_params, ())
        name = request.path_params["name"]
        path = (await self._engine.run(installed)).get(name)
        if path is None:
            raise ModelError(f"there is no model {cited(name)}")
        return FileResponse(path, filename=path.name)

    async def remove_model(self, request: Request) -> Response:
        """Delete a model of the user's own; tells the speakers whose profiles were made for it."""
        wishes_of(request.query_params, ())
        name = request.path_params["name"]
        if name == self._shelf.usual:
            raise ConflictError(f"{cited(name)} is the model that this server was started with; start it with another")
        return JSONResponse({"removed": name, "speakers": await self._engine.run(own_models.remove, name)})

    # Words

    @asynccontextmanager
    async def _recording(self, call: Request | WebSocket) -> AsyncIterator[Conversation]:
        wishes = wishes_of(call.query_params, OF_RECORDING).with_rate()
        name = call.path_params["name"]
        async with own_words.recording_words(name, wishes, self._engine, self._limits) as talk:
            yield talk

    async def alike(self, request: Request) -> Response:
        """Whether words can be told from each other, as far as their spelling tells."""
        words = wishes_of(request.query_params, ("words",)).words
        return JSONResponse(await self._engine.run(own_words.compared, words, self._limits))

    async def reading(self, request: Request) -> Response:
        """Which words the names of recordings tell: `{"files": [...], "words": [...]}`, the words that may be said."""
        wishes_of(request.query_params, ())
        async with self._received(request, MOST_NAMES) as path:
            files, words = await self._engine.run(_names_in, path)
        return JSONResponse(await self._engine.run(own_words.read, files, words))

    async def collections(self, request: Request) -> Response:
        wishes_of(request.query_params, ())
        return JSONResponse(await self._engine.run(own_words.overview))

    async def collection(self, request: Request) -> Response:
        """What is in a collection; it is there and has these words; or it is removed."""
        name, words = request.path_params["name"], wishes_of(request.query_params, ("words",)).words
        if request.method == "PUT":
            return JSONResponse(await self._engine.run(own_words.begun, name, words, self._limits))
        work = own_words.removed if request.method == "DELETE" else own_words.contents
        return JSONResponse(await self._engine.run(work, name))

    async def check(self, request: Request) -> Response:
        wishes_of(request.query_params, ())
        return JSONResponse(await self._engine.run_at_length(own_words.checked, request.path_params["name"]))

    async def word(self, request: Request) -> Response:
        """A recording of a word is taken in; or the word is removed with all recordings."""
        wishes_of(request.query_params, ())
        name, word = request.path_params["name"], request.path_params["word"]
        if request.method == "DELETE":
            return JSONResponse(await self._engine.run(own_words.removed, name, word))
        async with self._received(request) as path:
            return JSONResponse(await self._engine.run(own_words.added, name, word, path, self._limits))

    async def take(self, request: Request) -> Response:
        """A recording, to be heard; or it is removed."""
        wishes_of(request.query_params, ())
        place = tuple(request.path_params[part] for part in ("name", "word", "file"))
        if request.method == "DELETE":
            return JSONResponse(await self._engine.run(own_words.removed, *place))
        return FileResponse(await self._engine.run(own_words.recording, *place))

    async def train(self, request: Request) -> Response:
        """Begin to train; how far that is, `training` tells. The model gets a name among the user's own."""
        wishes = wishes_of(request.query_params, OF_TRAINING)
        place = await self._engine.run(own_words.existing, request.path_params["name"])
        file = await self._engine.run(own_words.model_file, wishes.model or place.name, wishes.replace)
        self._training.begin(place, file, wishes.replace)
        return JSONResponse(self._training.told(), 202)

    async def training(self, request: Request) -> Response:
        """How far the training is that runs or ran last; or it is ended."""
        wishes_of(request.query_params, ())
        if request.method == "DELETE":
            self._training.cancel()
        return JSONResponse(self._training.told())


def _names_in(path: Path) -> tuple[list[str], list[str]]:
    """Files and words in a call's body."""
    try:
        found = json.loads(path.read_bytes())
        files, words = found["files"], found.get("words", [])
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        files, words = None, None
    if not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in (files, words)):
        raise WishError('the body is not JSON such as {"files": ["yes/1.wav"], "words": ["yes"]}')
    return files, words
