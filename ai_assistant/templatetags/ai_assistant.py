"""``{% load ai_assistant %}{% help_widget %}``: the help on a page."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

from django import template
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.forms.utils import flatatt
from django.http import HttpRequest
from django.template import Context
from django.urls import get_script_prefix, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ai_assistant.access import may_see
from ai_assistant.asgi import SOCKET_PATH, socket_served
from ai_assistant.conf import SOCKET
from rag.core.errors import ConfigError

if TYPE_CHECKING:
    from rag.server.settings import ServerSettings

logger = logging.getLogger(__name__)
register = template.Library()
NO_SOCKET = "none"


@register.simple_tag(takes_context=True)
def help_widget(context: Context, **attributes: str) -> SafeString:
    """Return the widget's script tag, nothing for those who may not ask.

    ``attributes`` are those of docs/widget.md without ``data-``: ``title="Aide" side="left"``.
    """
    request = context.get("request")
    if request is not None and not may_see(request):
        return SafeString("")
    data = {
        "query": reverse("ai_assistant:query"),
        "feedback": reverse("ai_assistant:feedback"),
        "socket": _socket(request),
        "token": _token(),
        **attributes,
    }
    tag = {
        "src": reverse("ai_assistant:widget"),
        "defer": True,
        "nonce": _nonce(context, request),
        **{f"data-{name.replace('_', '-')}": value for name, value in data.items() if value},
    }
    return format_html("<script{}></script>", flatatt(tag))


def _socket(request: HttpRequest | None) -> str:
    """Return the WebSocket's address, ``none`` where the page's server cannot serve one."""
    named = getattr(settings, SOCKET, None)
    if named is not None:
        return str(named) if named else NO_SOCKET
    if not isinstance(request, ASGIRequest) or not socket_served():
        return NO_SOCKET
    return f"{get_script_prefix().rstrip('/')}{SOCKET_PATH}"


def _token() -> str | None:
    """Return a token for the page where the help asks for a key."""
    from rag.server.security import mint_token

    try:
        doors = _doors()
    except ConfigError as error:  # the page lives without its help
        logger.error("%s", error)
        return None
    return mint_token(doors) if doors.api_key else None


@cache
def _doors() -> ServerSettings:
    """Return the server's settings, read once: two milliseconds a page are too many."""
    from rag.server.settings import load_server_settings

    return load_server_settings()


def _nonce(context: Context, request: HttpRequest | None) -> str | None:
    """Return the page's nonce: django-csp's on the request, Django's own in the context."""
    nonce: Any = getattr(request, "csp_nonce", None)
    if nonce is None:  # one that was not used yet is false
        nonce = context.get("csp_nonce")
    return None if nonce is None else str(nonce)
