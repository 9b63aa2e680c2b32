"""`recognizer serve`: recognition for browsers and other programs."""

from __future__ import annotations

import logging
import os
import re
import secrets
import unicodedata
import warnings
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from recognizer.cli.options import DebugOption, JsonOption, ModelOption, QuietOption, usage_error
from recognizer.cli.reporting import ExitStatus, complain, print_json, reports_errors, say, sigterm_interrupts
from recognizer.errors import RecognizerError, RecognizerWarning, shown

if TYPE_CHECKING:
    import socket

    from recognizer.serve.limits import Limits

EXTRA = "the server needs starlette and uvicorn; install them with: pip install 'recognizer[serve]'"
HOME_EXTRA = "Home Assistant needs wyoming; install it with: pip install 'recognizer[serve,home]'"
THIS_COMPUTER = "127.0.0.1"
PORT = 8740
SHORTEST_TOKEN = 16  # characters: shorter ones can be guessed
TOKEN = re.compile(rf"[A-Za-z0-9_.~-]{{{SHORTEST_TOKEN},}}")  # which needs no quotes anywhere that it is sent
REFUSED = "without completing handshake"  # what uvicorn calls an error when a stream is refused with an answer
GRACE = 3  # seconds that calls may still take when the server ends


@reports_errors
def serve(
    model: ModelOption = "digits",
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; others than this computer need the token.")
    ] = THIS_COMPUTER,
    port: Annotated[int, typer.Option("--port", help="Port; 0 for any that is free.", min=0, max=65535)] = PORT,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            help="What callers must know; made up where others can call and none is given.",
            envvar="RECOGNIZER_TOKEN",
            show_default=False,
        ),
    ] = None,
    streams: Annotated[int, typer.Option("--streams", help="Streams at the same time, at most.", min=1, max=1000)] = 64,
    wyoming: Annotated[
        str | None,
        typer.Option(
            "--wyoming",
            metavar="URI",
            help="Serve Home Assistant, too: tcp://HOST:PORT or unix:///PATH.",
            show_default=False,
        ),
    ] = None,
    wake_word: Annotated[
        str | None,
        typer.Option(
            "--wake-word", metavar="WORD", help="With --wyoming: the word that wakes the house.", show_default=False
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Serve a page to speak to, and recognition to other programs, until Ctrl-C.

    Only this computer can call, unless --host is given, and then only with a token. Nothing that is heard is kept,
    but for voices and words that it is taught on the page.
    """
    if token is not None and not TOKEN.fullmatch(token):
        raise usage_error(f"the token must be {SHORTEST_TOKEN} letters, digits, -, _, . or ~, or more of them")
    try:
        import uvicorn

        from recognizer.serve.application import application
        from recognizer.serve.connections import Impatient
        from recognizer.serve.guard import LOCAL
    except ModuleNotFoundError as error:
        raise RecognizerError(EXTRA) from error
    from recognizer.serve.limits import Limits

    alone = host in (THIS_COMPUTER, "localhost", "::1")
    if not alone and token is None:
        token = secrets.token_urlsafe(SHORTEST_TOKEN)
    limits = Limits(streams=streams)
    _allow_connections()
    with _listening(host, port) as listening, _home(wyoming, wake_word, model, limits) as (homes, beside):
        address, failures = _address(host, listening.getsockname()[1], token), []

        def ready() -> None:
            """Tell where it can be called: now, when Ctrl-C would end it. What goes wrong ends it, too."""
            try:
                _announce(address, homes, as_json, quiet)
                if open_:
                    webbrowser.open(address)
            except BaseException as error:
                failures.append(error)
                server.should_exit = True

        hosts, threads = LOCAL if alone else None, os.cpu_count() or 1
        settings = {"model": model, "hosts": hosts, "token": token, "limits": limits, "threads": threads}
        served = application(**settings, ready=ready, ending=lambda: server.should_exit, **beside)
        how = {"log_level": "error", "access_log": False, "server_header": False, "lifespan": "on", "http": Impatient}
        how |= {"ws": "websockets-sansio", "ws_max_size": limits.message, "timeout_graceful_shutdown": GRACE}
        server = uvicorn.Server(uvicorn.Config(served, **how))
        logging.getLogger("uvicorn.error").addFilter(lambda record: REFUSED not in record.getMessage())
        with suppress(KeyboardInterrupt), sigterm_interrupts():  # which is how it ends
            server.run(sockets=[listening])
    for failure in failures:
        raise failure
    return ExitStatus.OK if server.started else ExitStatus.FAILED


def _announce(address: str, homes: Sequence[str], as_json: bool, quiet: bool) -> None:
    """Tell where it can be called."""
    if as_json:
        print_json({"address": address, "wyoming": homes[0] if homes else None})
    else:
        for line in (address, *homes):
            say(line)
    if not quiet:
        complain("Ctrl-C ends; nothing that is heard is kept, but for what you teach it")


@contextmanager
def _home(uri: str | None, word: str | None, model: str, limits: Limits) -> Iterator[tuple[list[str], dict]]:
    """Where Home Assistant can call, and what the application needs for it; nothing where it is not wanted."""
    if uri is None:
        if word is not None:
            raise usage_error("--wake-word goes with --wyoming, by which it is asked for")
        yield [], {}
        return
    from recognizer.serve.addresses import AddressError, is_public, listening_at, uri_of

    try:
        from recognizer.serve.home import Home
    except ModuleNotFoundError as error:
        raise RecognizerError(HOME_EXTRA) from error
    if word is not None:
        from recognizer.recognizer import Recognizer

        Recognizer.load(model).indices([word])  # which refuses what is no word of it
        word = unicodedata.normalize("NFC", word)
    with ExitStack() as stack:
        try:
            listening = stack.enter_context(listening_at(uri))
        except AddressError as error:
            raise usage_error(f"--wyoming {error}") from error
        if is_public(listening):
            who = f"all who reach {uri_of(listening)} can send sound to it"
            warnings.warn(f"{who}, for Wyoming knows no token; mind your firewall", RecognizerWarning, stacklevel=2)
        yield [uri_of(listening)], {"beside": lambda engine, shelf: Home(engine, shelf, limits, word).open(listening)}


def _allow_connections() -> None:
    """Let as many connections be open as the system lets at all: whoever opens many must not keep out others."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows, which has no such limit
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _address(host: str, port: int, token: str | None) -> str:
    """What to open; a token is behind #, which browsers do not send."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/" + (f"#token={token}" if token else "")


def _listening(host: str, port: int) -> socket.socket:
    from recognizer.serve.addresses import AddressError, listening_on

    try:
        return listening_on(host, port, f"{shown(host)}, port {port}")
    except AddressError as error:
        raise usage_error(f"--host {error}") from error
