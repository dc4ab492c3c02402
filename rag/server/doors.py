"""What stands before the routes: limits, origins, keys, headers, and how errors are told.

Everything that they share is at ``app.state.doors``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from rag.server.bodies import BoundedBodies
from rag.server.headers import SecurityHeaders
from rag.server.keys import holds_api_key, require_caller
from rag.server.limits import Limiter, client_of
from rag.server.origins import listed_origins, origin_allowed
from rag.server.problems import Problem, document_problems, install_problems, problem_response
from rag.server.settings import ServerSettings

METHODS = ("GET", "POST")  # of pages elsewhere; what the operator does is done from no page
HEADERS = ("Authorization", "Content-Type", "Last-Event-ID")
PREFLIGHT_S = 600


@dataclass(frozen=True, slots=True)
class Doors:
    """Hold what every way in asks: the settings, and the one count of questions."""

    settings: ServerSettings
    limiter: Limiter


class Cors(CORSMiddleware):
    """Let pages of the allowed origins read answers; a foreign one's preflight is a problem."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a preflight."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        vary = {"Vary": response.headers.get("vary", "Origin")}
        language = request_headers.get("accept-language", "")
        return problem_response(Problem(403, "forbidden", vary), "", language)


def install_doors(app: FastAPI, settings: ServerSettings) -> None:
    """Put the doors before an application's routes."""
    app.state.doors = Doors(settings, Limiter(settings))
    app.router.redirect_slashes = False  # it would send clients to whatever Host they named
    install_problems(app)
    app.add_middleware(BoundedBodies)  # the last one added is asked first
    app.add_middleware(
        Cors,
        allow_origins=sorted(listed_origins(settings)),
        allow_methods=METHODS,
        allow_headers=HEADERS,
        expose_headers=("Retry-After",),
        max_age=PREFLIGHT_S,
    )
    app.add_middleware(SecurityHeaders)
    _document(app)


async def admit(request: Request, _: Annotated[None, Depends(require_caller)]) -> None:
    """Let a question in: its page's origin, its caller, and how often they ask.

    Raises: Problem 401, 403 for a page of a foreign origin, 429 with ``Retry-After``.
    """
    doors: Doors = request.app.state.doors
    origin = request.headers.get("origin")
    host = request.headers.get("host")
    scheme = request.scope["scheme"]
    if origin is not None and not origin_allowed(doors.settings, origin, host, scheme):
        raise Problem(403, "forbidden")
    client = client_of(request.scope)
    if not holds_api_key(doors.settings, request.headers) and not doors.limiter.hit(client):
        raise Problem(429, "too_many", {"Retry-After": str(doors.limiter.retry_after_s(client))})


def _document(app: FastAPI) -> None:
    described = app.openapi

    def openapi() -> dict[str, Any]:
        return app.openapi_schema or document_problems(described())

    app.openapi = openapi  # type: ignore[method-assign]
