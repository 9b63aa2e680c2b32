"""The page: its files, held in memory and compressed, each with a name for its content so that browsers keep it."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "page"
INDEX = "index.html"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class _File:
    kind: str
    plain: bytes
    small: bytes
    tag: str

    async def serve(self, request: Request) -> Response:
        # No-cache means: ask whether it is still the same. An old script with a new server is nobody's wish.
        headers = {"ETag": self.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if self.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.small, headers=headers | {"Content-Encoding": "gzip"}, media_type=self.kind)
        return Response(self.plain, headers=headers, media_type=self.kind)


def routes() -> list[Route]:
    """Where each file of the page is; the first is the page itself."""
    found = []
    for path in sorted(file for file in FOLDER.rglob("*") if file.is_file()):
        plain = path.read_bytes()
        tag = f'"{hashlib.sha256(plain).hexdigest()[:16]}"'
        file = _File(KINDS[path.suffix], plain, gzip.compress(plain, mtime=0), tag)
        name = path.relative_to(FOLDER).as_posix()
        found.append(Route("/" if name == INDEX else f"/{name}", file.serve))
    return found
