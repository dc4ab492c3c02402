"""Who may ask, and who may look behind the scenes: origins, keys of programs, tokens of pages.

With ``HELP_API_KEY`` set, a caller sends that key, or a token signed with it, which is what a page
may hold: it is good for some hours and opens nothing but the asking. It travels

- over HTTP as ``Authorization: Bearer TOKEN``;
- to the WebSocket as a subprotocol, since a browser can set no header there and an address ends up
  in logs: ``new WebSocket(url, ["souffleur", "souffleur.token." + token])``. The server checks it
  before it accepts, and accepts with the subprotocol that `subprotocol` returns. Programs may send
  ``Authorization`` instead.

What stands before the routes is put there by `install_doors`; what they share is at
``app.state.doors``.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from itsdangerous import BadSignature, TimestampSigner
from pydantic import BaseModel, Field, SecretStr
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from rag.core.errors import ConfigError
from rag.server.middleware import BoundedBodies, Limiter, client_of
from rag.server.problems import (
    Problem,
    SecurityHeaders,
    document_problems,
    install_problems,
    problem_response,
)
from rag.server.settings import DEFAULT_PORTS, ORIGIN, ServerSettings, parts

SCHEMES = {"ws": "http", "wss": "https"}
PROTOCOL = "souffleur"
TOKEN_PROTOCOL = "souffleur.token."
SALT = "souffleur.widget"
HOLDER = b"widget"
LONGEST_TOKEN = 500
_caller_scheme = HTTPBearer(
    auto_error=False,
    scheme_name="caller",
    description="`HELP_API_KEY` or a token; needed where the server has that key",
)
_admin_scheme = HTTPBearer(auto_error=False, scheme_name="admin", description="`HELP_ADMIN_KEY`")
METHODS = ("GET", "POST")  # of pages elsewhere; what the operator does is done from no page
HEADERS = ("Authorization", "Content-Type", "Last-Event-ID")
PREFLIGHT_S = 600
router = APIRouter(tags=["help"])


def origin_allowed(
    settings: ServerSettings, origin: str | None, host: str | None, scheme: str = "http"
) -> bool:
    """Say whether a browser's page of this origin may ask the server called ``host``.

    ``origin`` and ``host`` are the headers of those names, ``scheme`` is that of the request
    (``scope["scheme"]``: http, https, ws, wss). Compared is text with text: browsers write an
    origin in one way. Without an Origin, only ``HELP_ALLOW_NO_ORIGIN`` opens; HTTP requests, which
    name none when they come from no page, are not asked here then.
    """
    if origin is None:
        return settings.allow_no_origin
    if listed := listed_origins(settings):
        return origin in listed
    return _is_own(origin, host or "", SCHEMES.get(scheme, scheme))


def listed_origins(settings: ServerSettings) -> frozenset[str]:
    """Return the origins allowed by name; none: only the server's own is."""
    return frozenset(parts(settings.allowed_origins))


def _is_own(origin: str, host: str, scheme: str) -> bool:
    """Say whether an origin is the server's own; TLS may have ended at a proxy before it."""
    found = ORIGIN.fullmatch(origin)
    if not found or found[1] not in {scheme, "https"}:
        return False
    default = DEFAULT_PORTS[found[1]]
    if found[3] == default:
        return False  # no browser writes it
    return origin == f"{found[1]}://{host.removesuffix(f':{default}')}"


def mint_token(settings: ServerSettings) -> str:
    """Return a token for a page's widget. Raises: ConfigError without a key to sign it with."""
    signer = _signer(settings)
    if signer is None:
        raise ConfigError(
            "A token needs a key to be signed with: set HELP_API_KEY (or HELP_TOKEN_SECRET)."
        )
    return signer.sign(HOLDER).decode("ascii")


def token_good(settings: ServerSettings, token: str) -> bool:
    """Say whether a token was made with this server's key, and not too long ago."""
    signer = _signer(settings)
    if signer is None or len(token) > LONGEST_TOKEN or not token.isascii():
        return False
    try:
        return signer.unsign(token, max_age=settings.token_max_age_s) == HOLDER
    except BadSignature:  # an expired one is among them
        return False


def caller_allowed(settings: ServerSettings, headers: Mapping[str, str]) -> bool:
    """Say whether a request or a WebSocket's handshake with these headers may ask."""
    if settings.api_key is None:
        return True
    shown = _bearer(headers) or _offered_token(headers)
    return same(settings.api_key, shown) or token_good(settings, shown)


def holds_api_key(settings: ServerSettings, headers: Mapping[str, str]) -> bool:
    """Say whether the key itself was sent: a program asks for many askers, and is not limited."""
    return same(settings.api_key, _bearer(headers))


def subprotocol(headers: Mapping[str, str]) -> str | None:
    """Return the subprotocol to accept a handshake with, None where it offers none of ours."""
    return PROTOCOL if PROTOCOL in _offered(headers) else None


def same(key: SecretStr | None, shown: str) -> bool:
    """Compare a key with what was sent, in a time that tells nothing of either."""
    if key is None:
        return False
    return hmac.compare_digest(key.get_secret_value().encode(), shown.encode("utf-8", "replace"))


async def require_caller(
    request: Request,
    _: Annotated[HTTPAuthorizationCredentials | None, Depends(_caller_scheme)],
) -> None:
    """Let in who may ask. Raises: Problem 401."""
    if not caller_allowed(request.app.state.doors.settings, request.headers):
        raise Problem(401, "unauthorized", headers={"WWW-Authenticate": "Bearer"})


async def require_admin(
    request: Request,
    _: Annotated[HTTPAuthorizationCredentials | None, Depends(_admin_scheme)],
) -> None:
    """Let in the operator. Raises: Problem 403 where no key is set, 401 for another one."""
    settings: ServerSettings = request.app.state.doors.settings
    if settings.admin_key is None:
        raise Problem(403, "closed")
    if not same(settings.admin_key, _bearer(request.headers)):
        raise Problem(401, "unauthorized", headers={"WWW-Authenticate": "Bearer"})


def _signer(settings: ServerSettings) -> TimestampSigner | None:
    secret = settings.token_secret or settings.api_key
    return TimestampSigner(secret.get_secret_value(), salt=SALT) if secret else None


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    return shown.strip() if scheme.lower() == "bearer" else ""


def _offered(headers: Mapping[str, str]) -> list[str]:
    return [part.strip() for part in headers.get("sec-websocket-protocol", "").split(",")]


def _offered_token(headers: Mapping[str, str]) -> str:
    tokens = (part for part in _offered(headers) if part.startswith(TOKEN_PROTOCOL))
    return next(tokens, "").removeprefix(TOKEN_PROTOCOL)


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


class Token(BaseModel):
    """Hold a token, and for how long it is good."""

    token: str
    expires_in: int = Field(description="Seconds")


@router.post("/api/help/token", dependencies=[Depends(require_caller)])
async def make_token(request: Request) -> Token:
    """Make a token for a page's widget. The key itself is needed: a token makes no other one."""
    doors: Doors = request.app.state.doors
    if doors.settings.api_key is None:
        raise Problem(404, "not_found")  # anybody may ask: no token is needed
    if not holds_api_key(doors.settings, request.headers):
        raise Problem(401, "unauthorized", headers={"WWW-Authenticate": "Bearer"})
    return Token(token=mint_token(doors.settings), expires_in=doors.settings.token_max_age_s)
