"""Which pages may ask: an exact list of origins, or the server's own alone."""

from __future__ import annotations

from functools import lru_cache

from rag.server.settings import DEFAULT_PORTS, ORIGIN, ServerSettings, parts

SCHEMES = {"ws": "http", "wss": "https"}


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
    return _listed(settings.allowed_origins)


@lru_cache(maxsize=8)
def _listed(text: str) -> frozenset[str]:
    return frozenset(parts(text))


def _is_own(origin: str, host: str, scheme: str) -> bool:
    """Say whether an origin is the server's own; TLS may have ended at a proxy before it."""
    found = ORIGIN.fullmatch(origin)
    if not found or found[1] not in {scheme, "https"}:
        return False
    default = DEFAULT_PORTS[found[1]]
    if found[3] == default:
        return False  # no browser writes it
    return origin == f"{found[1]}://{host.removesuffix(f':{default}')}"
