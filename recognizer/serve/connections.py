"""Connections that must ask for something soon: one that is silent would keep out others, and needs no token for it."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

PATIENCE = 20.0  # seconds from the connection to the end of the first call's headers


class Impatient(HttpToolsProtocol):
    """HTTP, as uvicorn speaks it, with those who ask for something."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._silence = self.loop.call_later(PATIENCE, transport.abort)

    def on_headers_complete(self) -> None:
        self._silence.cancel()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._silence.cancel()
        super().connection_lost(exc)
