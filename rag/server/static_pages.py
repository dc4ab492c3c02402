"""Files for browsers: the widget's script as one cacheable file, and the interface's documentation.

Neither loads anything from elsewhere.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

STYLE = Path(__file__).parent / "static" / "docs.css"
DEEPEST = 4  # of an example
router = APIRouter(include_in_schema=False)
PARTS = ("settings", "texts", "styles", "markdown", "connection", "talk", "entry", "widget")
HEAD = '(() => {\n"use strict";\nif (customElements.get("souffleur-widget")) return;\n'
TAIL = "})();\n"
MAX_AGE_S = 300  # a new version is on every page that soon
widget_router = APIRouter()


@router.get("/docs", response_class=HTMLResponse)
async def read_reference(request: Request) -> HTMLResponse:
    """Show every endpoint with its fields and an example."""
    root = str(request.scope.get("root_path", "")).rstrip("/")
    return HTMLResponse(page_of(request.app.openapi(), root))


@router.get("/docs.css")
async def read_style() -> FileResponse:
    """Return that page's style sheet."""
    return FileResponse(STYLE, media_type="text/css", headers={"Cache-Control": "max-age=3600"})


def page_of(document: dict[str, Any], root: str = "") -> str:
    """Return an OpenAPI document as a page; ``root`` is the path under which it is published."""
    operations = [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    listed = "".join(
        f'<li><a href="#{_anchor(method, path)}"><code>{method} {escape(path)}</code></a>'
        f" {escape(operation.get('summary', ''))}</li>"
        for method, path, operation in operations
    )
    shown = "".join(_operation(document, *operation) for operation in operations)
    title = escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="stylesheet" href="{escape(root)}/docs.css"></head><body><main>'
        f"<h1>{title}</h1><p>{escape(document['info'].get('description', ''))} For programs:"
        f' <a href="{escape(root)}/openapi.json">openapi.json</a>.</p>'
        f"<nav><ul>{listed}</ul></nav>{shown}</main></body></html>"
    )


def _operation(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [
        f'<h2 id="{_anchor(method, path)}"><span class="method">{method}</span>'
        f"<code>{escape(path)}</code></h2>",
        f"<p>{escape(operation.get('description', ''))}</p>",
        _parameters(document, operation.get("parameters", [])),
    ]
    sent = operation.get("requestBody", {}).get("content", {})
    parts += [_content(document, "Request", sent)]
    for status, response in operation.get("responses", {}).items():
        if status != "default":
            heading = f"{status}: {response.get('description', '')}"
            parts.append(_content(document, heading, response.get("content", {})) or _h3(heading))
    return "".join(parts)


def _parameters(document: dict[str, Any], parameters: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}</td>"
        f"<td>{escape(one.get('description', ''))}</td></tr>"
        for one in parameters
    )
    head = "<tr><th>Parameter</th><th>In</th><th></th></tr>"
    return f"<table>{head}{rows}</table>" if rows else ""


def _content(document: dict[str, Any], heading: str, content: dict[str, Any]) -> str:
    for media, body in content.items():
        schema = _resolved(document, body.get("schema", {}))
        example = _example(document, schema)
        shown = json.dumps(example, indent=2, ensure_ascii=False)
        text = f"<pre>{escape(shown)}</pre>" if "json" in media else ""
        return _h3(f"{heading} ({media})") + _fields(document, schema) + text
    return ""


def _fields(document: dict[str, Any], schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(_kind(field))}"
        f"{'' if name in required else ', optional'}</td>"
        f"<td>{escape(field.get('description', ''))}</td></tr>"
        for name, field in schema.get("properties", {}).items()
    )
    return f"<table><tr><th>Field</th><th>Type</th><th></th></tr>{rows}</table>" if rows else ""


def _kind(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2].removesuffix("Body")
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _example(document: dict[str, Any], schema: dict[str, Any], depth: int = 0) -> Any:
    schema = _resolved(document, schema)
    if given := schema.get("examples"):
        return given[0]
    if depth > DEEPEST or "example" in schema or "default" in schema:
        return schema.get("example", schema.get("default"))
    if "anyOf" in schema:
        return _example(document, schema["anyOf"][0], depth + 1)
    if "properties" in schema:
        fields = schema["properties"].items()
        return {name: _example(document, field, depth + 1) for name, field in fields}
    if schema.get("type") == "array":
        return [_example(document, schema.get("items", {}), depth + 1)]
    values = {"integer": 1, "number": 1.0, "boolean": True, "object": {}, "string": ""}
    return schema.get("const", schema.get("enum", [values.get(schema.get("type", ""))])[0])


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def _anchor(method: str, path: str) -> str:
    words = "".join(c if c.isalnum() else "-" for c in path).strip("-")
    return f"{method.lower()}-{words}"


def _h3(text: str) -> str:
    return f"<h3>{escape(text)}</h3>"


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


@widget_router.get("/widget.js", include_in_schema=False)
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
