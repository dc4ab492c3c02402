"""Who may ask: pages of the site and of trusted origins, and whom the site's own rule lets in."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.http import is_same_domain
from django.utils.module_loading import import_string

from ai_assistant.conf import ACCESS

UNFORGED = {"none", "same-origin"}  # Sec-Fetch-Site: by the asker's own hand, or from our page


def is_own_page(request: HttpRequest) -> bool:
    """Say whether a request comes from a page of the site, of a trusted origin, or of no page.

    The origin is compared as Django's CSRF protection does it. Only JSON is read besides, which
    no form of a foreign page can send. Raises: DisallowedHost.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        return request.headers.get("Sec-Fetch-Site", "none") in UNFORGED
    return origin == own_origin(request) or any(
        _is_trusted(origin, pattern) for pattern in settings.CSRF_TRUSTED_ORIGINS
    )


def own_origin(request: HttpRequest) -> str:
    """Return the site's origin as the asker sees it. Raises: DisallowedHost."""
    return f"{request.scheme}://{request.get_host()}"


def access_rule() -> Callable[[HttpRequest], Any] | None:
    """Return what ``AI_ASSISTANT_ACCESS`` names, None when it is unset.

    Raises: ImproperlyConfigured when it names nothing that can be called.
    """
    named = getattr(settings, ACCESS, None)
    if named is None:
        return None
    try:
        rule: Any = import_string(named) if isinstance(named, str) else named
    except ImportError as error:
        raise ImproperlyConfigured(f"{ACCESS} = {named!r}: {error}") from error
    if not callable(rule):
        raise ImproperlyConfigured(f"{ACCESS} = {named!r} cannot be called with a request.")
    return rule


async def may_ask(request: HttpRequest) -> bool:
    """Say whether the site's rule lets the request's sender ask; without a rule everybody may."""
    rule = access_rule()
    if rule is None:
        return True
    if iscoroutinefunction(rule):
        return bool(await rule(request))
    # it may look at request.user, which is a query that must not hold up the event loop
    return bool(await sync_to_async(rule)(request))


def may_see(request: HttpRequest) -> bool:
    """Say what `may_ask` says, to what is not asynchronous."""
    return access_rule() is None or async_to_sync(may_ask)(request)


def _is_trusted(origin: str, pattern: str) -> bool:
    if "*" not in pattern:
        return origin == pattern
    wanted, found = urlsplit(pattern), urlsplit(origin)
    return found.scheme == wanted.scheme and is_same_domain(found.netloc, wanted.netloc.lstrip("*"))
