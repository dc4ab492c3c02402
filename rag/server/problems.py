"""Everything that goes wrong, as application/problem+json (RFC 9457): never a trace or a path.

What the asker reads is general and in French or English; what the operator must know is logged.
Under ``/v1`` errors have the shape that OpenAI's clients read. Every response carries headers that
say what a browser may do with it; they are ASGI middleware by themselves: a stream passes through
as it comes, and so does a client's leaving.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag.core.errors import (
    ConfigError,
    DeadlineExceeded,
    EncoderError,
    HelpError,
    IndexFault,
    ModelUnavailable,
    QuestionRefused,
    SearchUnavailable,
    ServiceStopping,
)
from rag.language.messages import preferred_language, problem_codes, problem_text

# for pages of our own: nothing inline, nothing from elsewhere, in nobody's frame
PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": DATA_POLICY,
}
PRIVATE = ("/api/", "/v1/")  # what is answered there is nobody else's
logger = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
OPENAI_PATHS = "/v1/"
UNAVAILABLE = (
    ConfigError,
    DeadlineExceeded,
    EncoderError,
    IndexFault,
    ModelUnavailable,
    SearchUnavailable,
    ServiceStopping,
)
AGAIN_S = 5  # when to try again, where something does not answer
MOST_FAULTS = 5
CODES = {
    400: "bad_message",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "bad_method",
    408: "slow",
    413: "too_long",
    415: "not_json",
    422: "bad_message",
    429: "too_many",
    503: "unavailable",
}


class SecurityHeaders:
    """Add the headers that a response does not have yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its response back with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                _complete(MutableHeaders(scope=message), scope["path"])
            await send(message)

        await self._app(scope, receive, sending)


def _complete(headers: MutableHeaders, path: str) -> None:
    if headers.get("content-type", "").startswith("text/html"):
        headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    if path.startswith(PRIVATE):
        headers.setdefault("Cache-Control", "no-store")
    for name, value in SECURITY.items():
        headers.setdefault(name, value)


class Problem(Exception):
    """Stand for an answer that says what went wrong; ``code`` names it, ``more`` adds fields."""

    def __init__(
        self,
        status: int,
        code: str,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.headers = dict(headers or {})
        self.more = dict(more or {})


def problem_of(error: Exception) -> Problem:
    """Return what an error is to a client."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        code = CODES.get(error.status_code, "internal" if error.status_code >= 500 else "refused")
        return Problem(error.status_code, code, error.headers)
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, QuestionRefused):
        return Problem(422, "too_long")
    if isinstance(error, UNAVAILABLE):
        return Problem(503, "unavailable", {"Retry-After": str(AGAIN_S)})
    return Problem(500, "internal")


def problem_response(problem: Problem, path: str, accept_language: str = "") -> JSONResponse:
    """Return a problem as the client of this path reads it."""
    said = problem_text(problem.code, preferred_language(accept_language))
    title = HTTPStatus(problem.status).phrase
    if path.startswith(OPENAI_PATHS):
        kind = "server_error" if problem.status >= 500 else "invalid_request_error"
        message = "; ".join([said, *(fault["message"] for fault in problem.more.get("errors", []))])
        error = {"message": message, "type": kind, "param": None, "code": problem.code}
        return JSONResponse({"error": error}, problem.status, problem.headers)
    body = {
        "type": "about:blank",
        "title": title,
        "status": problem.status,
        "detail": said,
        "code": problem.code,
        **problem.more,
    }
    return JSONResponse(body, problem.status, problem.headers, media_type=MEDIA_TYPE)


def install_problems(app: FastAPI) -> None:
    """Have every error of the application answered as a problem."""
    for kind in (Problem, HTTPException, RequestValidationError, HelpError):
        app.add_exception_handler(kind, _handled)
    app.add_exception_handler(Exception, _unforeseen)


def document_problems(schema: dict[str, Any]) -> dict[str, Any]:
    """Write into an OpenAPI document that every operation may answer with a problem."""
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = PROBLEM_SCHEMA
    schemas["OpenAIError"] = OPENAI_SCHEMA
    for path, operations in schema.get("paths", {}).items():
        openai = path.startswith(OPENAI_PATHS)
        name, media = ("OpenAIError", "application/json") if openai else ("Problem", MEDIA_TYPE)
        content = {media: {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        for operation in operations.values():
            responses = operation["responses"]
            responses.pop("422", None)  # FastAPI's own shape, which nobody is sent
            responses["default"] = {"description": "What went wrong", "content": content}
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    return schema


async def _handled(request: Request, error: Exception) -> JSONResponse:
    problem = problem_of(error)
    if isinstance(error, HelpError) and not isinstance(error, QuestionRefused):
        logger.error("%s: %s", request.url.path, error)  # with the cure, for the operator
    return problem_response(problem, request.url.path, request.headers.get("accept-language", ""))


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    # answered outside the middleware that adds these headers; the trace goes to the log
    response = await _handled(request, error)
    response.headers.update(SECURITY)
    return response


def _invalid(error: RequestValidationError) -> Problem:
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return Problem(400, "not_json_text")
    said = [
        {"field": ".".join(map(str, fault["loc"][1:]))[:100], "message": str(fault["msg"])[:200]}
        for fault in faults[:MOST_FAULTS]
    ]
    return Problem(422, "bad_message", more={"errors": said})


PROBLEM_SCHEMA = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong (RFC 9457); `detail` is fit for an asker's eyes.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string", "example": "Too Many Requests"},
        "status": {"type": "integer", "example": 429},
        "detail": {"type": "string", "example": problem_text("too_many", "en")},
        "code": {"type": "string", "enum": problem_codes()},
        "errors": {
            "type": "array",
            "description": "Which fields of the request are wrong",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}

OPENAI_SCHEMA = {
    "type": "object",
    "title": "OpenAIError",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
        }
    },
}
