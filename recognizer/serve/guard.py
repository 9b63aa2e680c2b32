"""Who may call: this computer's own pages, and those who know the token.

A page of somebody else, open in the same browser, could otherwise listen through the server: browsers let any page
open a WebSocket to this computer, and a name that points here (DNS rebinding) makes their pages ours. So a call must
name a host that is this server's, and the page it comes from, where it tells of one, must be of the same host.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recognizer.errors import cited

API = "/v1/"  # the rest is the page, and whether the server works, which say nothing of anybody
OWN = (None, "same-origin", "none")  # what browsers say of calls of the server's own page, or of nobody's
BEARER = "bearer."  # begins a subprotocol that is the token: a page cannot send other headers with a WebSocket
LOCAL = ("127.0.0.1", "localhost", "[::1]")
_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
SECURITY = [(name.lower().encode(), value.encode()) for name, value in _SECURITY.items()]


class Guard:
    """Lets calls through to an application, or refuses them.

    Parameters
    ----------
    application : behind it
    hosts : names that this server has; None where a token is enough to tell who may call
    token : that a call to the API must have; None where none is needed
    """

    def __init__(self, application: ASGIApp, hosts: tuple[str, ...] | None, token: str | None) -> None:
        self._application, self._hosts, self._token = application, hosts, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._application(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                message["headers"] = [*message["headers"], *SECURITY]  # which no answer has of its own
            await send(message)

        refusal = self._refusal(scope)
        await (self._application if refusal is None else refusal)(scope, receive, secured)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        host = headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            return refused(403, f"this server is not {cited(host)}; call it as it tells its address")
        origin, api = headers.get("origin"), path.startswith(API)
        foreign = api and headers.get("sec-fetch-site") not in OWN  # a link to the page may be anywhere
        if (origin is not None and not _is_of(origin, host)) or foreign:
            return refused(403, f"pages of {cited(origin or 'elsewhere')} may not call this server; open its own")
        if self._token is None or not api:
            return None
        if any(hmac.compare_digest(given.encode(), self._token.encode()) for given in _tokens(headers)):
            return None
        what = "a token is needed; send it as 'Authorization: Bearer TOKEN'"
        return refused(401, what, {"WWW-Authenticate": "Bearer"})


def refused(status: int, error: str, headers: dict[str, str] | None = None) -> Response:
    """An answer that says what is wrong."""
    return JSONResponse({"error": error}, status, headers)


def _tokens(headers: Headers) -> Iterator[str]:
    """The tokens that a call has."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        yield token.strip()
    for name in headers.get("sec-websocket-protocol", "").split(","):
        if name.strip().startswith(BEARER):
            yield name.strip().removeprefix(BEARER)


def _name(host: str) -> str:
    """Of a host, without the port."""
    return (host if host.endswith("]") else host.rpartition(":")[0] or host).lower()


def _is_of(origin: str, host: str) -> bool:
    """Whether a page's origin is this server."""
    try:
        return urlsplit(origin).netloc.lower() == host.lower() != ""
    except ValueError:
        return False
