"""The widget's script: its parts, in one closure, as one cacheable file."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response

PARTS = ("settings", "texts", "styles", "markdown", "connection", "talk", "entry", "widget")
HEAD = '(() => {\n"use strict";\nif (customElements.get("souffleur-widget")) return;\n'
TAIL = "})();\n"
MAX_AGE_S = 300  # a new version is on every page that soon

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Script:
    """Hold a file that is served: its bytes, the same compressed, and what names this version."""

    body: bytes
    compressed: bytes
    etag: str


@cache
def widget_script() -> Script:
    """Return the widget as its one script tag loads it."""
    folder = files("rag.server").joinpath("static", "widget")
    parts = [folder.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in PARTS]
    body = (HEAD + "\n".join(parts) + TAIL).encode()
    # no time stamp: every process of a server serves the same bytes
    return Script(body, gzip.compress(body, 9, mtime=0), hashlib.sha256(body).hexdigest()[:20])


def script_headers(script: Script) -> dict[str, str]:
    """Return the headers that let browsers keep the script, compressed or not."""
    return {
        "ETag": f'W/"{script.etag}"',
        "Cache-Control": f"public, max-age={MAX_AGE_S}",
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "cross-origin",  # pages of other sites include it
    }


@router.get("/widget.js", include_in_schema=False)
async def widget(request: Request) -> Response:
    """Serve the widget."""
    script = widget_script()
    headers = script_headers(script)
    if script.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = script.body
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = script.compressed
    return Response(body, media_type="text/javascript; charset=utf-8", headers=headers)
