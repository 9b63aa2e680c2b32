"""What can be called, for programs that read it: OpenAPI 3.1."""

from __future__ import annotations

from importlib.metadata import version

from recognizer.serve.limits import STREAM_RATES

VERSION = version("recognizer")
NUMBER, TEXT, YES_NO = {"type": "number"}, {"type": "string"}, {"type": "boolean"}
NAME = TEXT | {"minLength": 1}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
WORDS = {"type": "array", "items": TEXT}


def _or_null(schema: dict) -> dict:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(schema: dict) -> dict:
    return {"type": "array", "items": schema}


def _object(**properties: dict) -> dict:
    """All of whose properties are always there."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def _of(name: str) -> dict:
    return {"$ref": f"#/components/schemas/{name}"}


_HEARD = {
    "word": _or_null(TEXT) | {"description": "the answer; null where there is none"},
    "confidence": SHARE,
    "accepted": YES_NO,
    "reason": _or_null(TEXT) | {"description": "why there is no answer"},
    "nbest": _list(_of("Candidate"))
    | {"description": "all words, best first; of over 300 those that fit best; none in silence"},
}
_SPAN = {"start": NUMBER | {"description": "seconds"}, "end": NUMBER | {"description": "seconds"}}
SCHEMAS = {
    "Error": _object(error=TEXT | {"description": "what is wrong and what to do, one line"}),
    "Candidate": _object(word=TEXT, score=NUMBER | {"description": "log likelihood a frame"}, confidence=SHARE),
    "Recognition": _object(
        **_HEARD,
        **{name: _or_null(schema) for name, schema in _SPAN.items()},
        duration=NUMBER | {"description": "of the recording, seconds"},
        warnings=WORDS | {"description": "what makes the answer doubtful"},
    ),
    "Transcription": _object(answers=_list(_object(**_HEARD, **_SPAN))),
    "Explanation": _object(
        words=_list(
            _object(
                word=TEXT,
                score=NUMBER,
                growth=_list(NUMBER) | {"description": "log likelihood up to each frame"},
                segments=_list(
                    _object(label=TEXT, **_SPAN, rival=_or_null(TEXT), ahead=_or_null(NUMBER))
                    | {"description": "a state of the word, and the other word that fits best there"}
                ),
            )
        )
    ),
    "Model": _object(
        name=TEXT,
        words=WORDS,
        spoken={"type": "object", "additionalProperties": TEXT},
        sample_rate=_or_null({"type": "integer"}),
        fingerprint=TEXT,
        card={"type": "object"},
    ),
    "Whole": {"allOf": [_of("Model"), _object(confusable=_list({"type": "object"}), history={"type": "object"})]},
    "Models": _object(models=_list(_of("Model"))),
    "Speakers": _object(speakers=_list(_object(name=TEXT, enrolled=YES_NO))),
    "Told": {"type": "object"},
    "Health": _object(status={"const": "ok"}, version=TEXT),
}
PARAMETERS = {
    "model": (NAME, "name of a model, see /v1/models; the one that the server was started with when left out"),
    "speaker": (NAME, "name of an enrolled speaker, or of a condition: anna, anna@cold"),
    "words": (WORDS, "the only words to choose from; commas divide what is given once"),
    "threshold": (
        {"anyOf": [{"enum": ["strict", "normal", "lenient"]}, SHARE], "default": "normal"},
        "how sure an answer must be",
    ),
    "rate": (
        {"type": "integer", "minimum": 1000, "maximum": 1_000_000},
        "sample rate, Hz, where samples come without a file: 16-bit integers, little-endian, of one channel",
    ),
    "hangover": (
        {"type": "integer", "minimum": 100, "maximum": 2000, "default": 250},
        "silence that ends a word, milliseconds",
    ),
    "takes": ({"type": "integer", "minimum": 1}, "how often each word is to be said"),
    "to": (NAME, "the new name"),
    "replace": (YES_NO | {"default": False}, "what is there under that name may be lost"),
    "adapt": (YES_NO | {"default": False}, "learn from answers that are sure"),
}
# Of a conversation, which needs it.
RATE = {
    "required": True,
    "schema": {
        "type": "integer",
        "minimum": STREAM_RATES[0],
        "maximum": STREAM_RATES[-1],
        "multipleOf": STREAM_RATES.step,
    },
}
ERRORS = {
    400: "something in the address is not understood",
    401: "a token is needed",
    403: "the caller is not one of this server's",
    404: "there is no such model or speaker",
    405: "nothing is done so here",
    409: "somebody else is at it, or it is there already",
    408: "the recording did not come",
    413: "the recording is too large",
    422: "the recording cannot be used, or there is no such word",
    426: "a WebSocket is needed",
    507: "the server's disk is full",
    503: "too much is being done; Retry-After tells when to try again",
}


STREAMING = 'Words while they are spoken, by a WebSocket: commands are "finish", "undo" and "reset"'
ENROLLING = 'A voice is asked for words, by a WebSocket: commands are "undo", "skip", "play" and "finish"'
RECORDING = 'Own words are asked for, by a WebSocket: commands are "undo", "skip", "play" and "finish"'
SAID = (
    "Binary messages are samples, 16-bit integers, little-endian, of one channel, as many as there are. Text messages "
    'to the server are commands, {"command": "finish"} the last. Text messages from it are events, as the program '
    "tells them as JSON; one that is an error ends the conversation."
)


def document(parameters: dict[str, tuple[str, ...]], token: bool) -> dict:
    """The description of a server.

    Parameters
    ----------
    parameters : names behind the ? of each address that takes some
    token : whether one is needed
    """

    def call(summary: str, answer: str, address: str, errors: tuple[int, ...] = (), sound: bool = False) -> dict:
        body = {"required": True, "content": {"application/octet-stream": {}, "audio/*": {}}}
        described = {"summary": summary, "parameters": [_parameter(name) for name in parameters.get(address, ())]}
        described |= {"requestBody": body} if sound else {}
        described["responses"] = {"200": _answer("the answer", answer)} | {
            str(status): _answer(ERRORS[status], "Error") for status in (400, 401, 403, *errors)
        }
        return described

    recordings = (404, 408, 413, 422, 503, 507)
    name = {"name": "name", "in": "path", "required": True, "schema": TEXT}

    def taught(summary: str, *names: str, answer: str = "200", body: dict | None = None, **kinds: dict) -> dict:
        """A call of those by which voices and words are taught; what else than JSON it answers is given by kind."""
        described: dict = {"summary": summary, "parameters": [_parameter(name) for name in names]}
        described |= {"requestBody": {"required": True, "content": body}} if body else {}
        found = {"content": kinds} if kinds else _answer("", "Told")
        errors = {str(status): _answer(text, "Error") for status, text in ERRORS.items()}
        return described | {"responses": {answer: found | {"description": "the answer"}} | errors}

    sound: dict = {"application/octet-stream": {}, "audio/*": {}}
    file: dict = {"application/octet-stream": {}, "application/zip": {}, "audio/wav": {}, "audio/x-wav": {}}
    parts = {part: name | {"name": part} for part in ("word", "file")}
    paths = {
        "/v1/recognize": {
            "post": call("The word in a recording", "Recognition", "/v1/recognize", recordings, sound=True)
        },
        "/v1/transcribe": {
            "post": call("All words in a recording", "Transcription", "/v1/transcribe", recordings, sound=True)
        },
        "/v1/explain": {
            "post": call("Why a recording is taken for a word", "Explanation", "/v1/explain", recordings, sound=True)
        },
        "/v1/stream": {"get": _stream(parameters["/v1/stream"], STREAMING)},
        "/v1/models": {"get": call("The models that there are", "Models", "/v1/models")},
        "/v1/models/{name}": {
            "get": call("A model, with all of its card", "Whole", "/v1/models/{name}", (404,)),
            "delete": taught("Remove a model of the user's own"),
            "parameters": [name],
        },
        "/v1/models/{name}/file": {"get": taught("A model as a file", **file), "parameters": [name]},
        "/v1/speakers": {"get": call("The speakers that there are", "Speakers", "/v1/speakers")},
        "/v1/speakers/{name}": {
            "get": taught("What is known of a speaker"),
            "delete": taught("Remove a speaker, or a condition"),
            "parameters": [name],
        },
        "/v1/speakers/{name}/rename": {"post": taught("Rename a speaker", "to"), "parameters": [name]},
        "/v1/speakers/{name}/export": {"get": taught("A speaker as a file", **file), "parameters": [name]},
        "/v1/speakers/import": {"post": taught("Take in such a file", body={"application/octet-stream": {}})},
        "/v1/enroll": {"get": _stream(("speaker", "model", "words", "takes", "rate"), ENROLLING)},
        "/v1/alike": {"get": taught("Whether words are the same, or written alike", "words")},
        "/v1/reading": {"post": taught("Which words names of files tell", body={"application/json": {}})},
        "/v1/words": {"get": taught("Collections of own words")},
        "/v1/words/{name}": {
            "get": taught("What is in a collection"),
            "put": taught("Make a collection, or add words to it", "words"),
            "delete": taught("Remove a collection"),
            "parameters": [name],
        },
        "/v1/words/{name}/check": {"get": taught("What is wrong in a collection"), "parameters": [name]},
        "/v1/words/{name}/record": {
            "get": _stream(("words", "takes", "rate"), RECORDING),
            "parameters": [name],
        },
        "/v1/words/{name}/takes/{word}": {
            "post": taught("Add a recording of a word", body=sound),
            "delete": taught("Remove a word with its recordings"),
            "parameters": [name, parts["word"]],
        },
        "/v1/words/{name}/takes/{word}/{file}": {
            "get": taught("A recording", **file),
            "delete": taught("Remove a recording"),
            "parameters": [name, parts["word"], parts["file"]],
        },
        "/v1/words/{name}/train": {
            "post": taught("Train a model on a collection", "model", "replace", answer="202"),
            "parameters": [name],
        },
        "/v1/training": {
            "get": taught("How far the training is"),
            "delete": taught("End the training"),
        },
        "/healthz": {"get": call("Whether the server works", "Health", "/healthz") | {"security": []}},
    }
    described = {
        "openapi": "3.1.0",
        "info": {
            "title": "recognizer",
            "version": VERSION,
            "description": "Isolated words, private and offline.",
        },
        "paths": paths,
        "components": {"schemas": SCHEMAS},
    }
    if token:
        described["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        described["security"] = [{"token": []}]
    return described


def _stream(names: tuple[str, ...], about: str) -> dict:
    """OpenAPI knows no WebSocket: the call that begins one, and what is said then."""
    parameters = [_parameter(name) | (RATE if name == "rate" else {}) for name in names]
    errors = (400, 401, 403, 404, 409, 422, 426, 503)
    return {
        "summary": about.partition(":")[0],
        "description": f"{about}. {SAID}",
        "parameters": parameters,
        "responses": {
            "101": {"description": "the WebSocket"},
            **{str(status): _answer(ERRORS[status], "Error") for status in errors},
        },
    }


def _parameter(name: str) -> dict:
    schema, description = PARAMETERS[name]
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _answer(description: str, schema: str) -> dict:
    return {"description": description, "content": {"application/json": {"schema": _of(schema)}}}
