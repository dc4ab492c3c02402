"""How often one client may ask: a moving window for each address, for HTTP and WebSocket alike."""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Mapping
from typing import Any

from limits import parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from rag.server.settings import NO_LIMIT, ServerSettings

IPV6_BITS = 64  # one customer gets at least so many addresses


class Limiter:
    """Count what clients ask; one for a process, at ``app.state.doors.limiter``."""

    def __init__(self, settings: ServerSettings) -> None:
        text = settings.rate_limit
        self._limits = [] if text == NO_LIMIT else parse_many(text)
        self._window = MovingWindowRateLimiter(MemoryStorage())

    def hit(self, client: str) -> bool:
        """Count one question of a client (see `client_of`); say whether it may be asked."""
        if not all(self._window.test(limit, client) for limit in self._limits):
            return False
        counted = [self._window.hit(limit, client) for limit in self._limits]
        return all(counted)

    def retry_after_s(self, client: str) -> int:
        """Return in how many seconds, at least 1, a client may ask again."""
        full = [limit for limit in self._limits if not self._window.test(limit, client)]
        ends = [self._window.get_window_stats(limit, client).reset_time for limit in full]
        return max(1, math.ceil(max(ends, default=0.0) - time.time()))


def client_of(scope: Mapping[str, Any]) -> str:
    """Return the client that is counted: an IPv4 address, or the /64 of an IPv6 one.

    The server has put the address there that its trusted proxies name, if any.
    """
    host = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "unknown"  # a Unix socket: all its clients are one
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((int(address), IPV6_BITS), strict=False))
        return str(address.ipv4_mapped)
    return str(address)
