"""Who may ask, and who may look behind the scenes: keys of programs, tokens of pages.

With ``HELP_API_KEY`` set, a caller sends that key, or a token signed with it, which is what a page
may hold: it is good for some hours and opens nothing but the asking. It travels

- over HTTP as ``Authorization: Bearer TOKEN``;
- to the WebSocket as a subprotocol, since a browser can set no header there and an address ends up
  in logs: ``new WebSocket(url, ["souffleur", "souffleur.token." + token])``. The server checks it
  before it accepts, and accepts with the subprotocol that `subprotocol` returns. Programs may send
  ``Authorization`` instead.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from itsdangerous import BadSignature, TimestampSigner
from pydantic import SecretStr

from rag.core.errors import ConfigError
from rag.server.problems import Problem
from rag.server.settings import ServerSettings

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
