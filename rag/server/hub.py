"""All WebSockets of a process: how many there are, whose, and what they share."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Protocol

from starlette.applications import Starlette
from starlette.websockets import WebSocket

from rag.core.errors import HelpError
from rag.desk import HelpDesk
from rag.server.conversations import Conversation, Reception
from rag.server.keys import holds_api_key
from rag.server.limits import client_of
from rag.server.replay import Shelf
from rag.writing.writer import seconds

if TYPE_CHECKING:
    from rag.server.doors import Doors

LOOKED_UP_AT_ONCE = 2  # of newcomers, and of those who had an answer before
GRACE_S = 5.0  # an answer goes on for so long while nobody listens
WARM_S = 300.0  # at most; a model stays in memory for longer
WARM_AGAIN_S = 15.0
logger = logging.getLogger("rag.server.socket")


class Connection(Protocol):
    """Be one open WebSocket, as far as the others are concerned."""

    @property
    def answering(self) -> int:
        """Return how many answers are under way for this client."""

    def leave(self) -> None:
        """Tell the client that the server is stopping, and close."""


def hub_of(app: Starlette) -> Hub:
    """Return the application's hub, made when it is first asked for."""
    if not hasattr(app.state, "hub"):
        app.state.hub = Hub(app.state.desk, app.state.doors)
    hub: Hub = app.state.hub
    return hub


class Hub:
    """Hold what connections share; it belongs to one event loop."""

    def __init__(self, desk: HelpDesk, doors: Doors) -> None:
        self.desk = desk
        self.leaving = False
        self.shelf: Shelf[Conversation] = Shelf(
            lambda conversation: conversation.replay.bytes,
            lambda conversation: conversation.answering,
        )
        newcomers = asyncio.Semaphore(LOOKED_UP_AT_ONCE)
        regulars = asyncio.Semaphore(LOOKED_UP_AT_ONCE)
        self.reception = Reception(desk, newcomers, regulars, self._note_used)
        self._doors = doors
        self._connections: set[Connection] = set()
        self._of_client: Counter[str] = Counter()
        self._warming: asyncio.Task[None] | None = None
        self._warm_until = 0.0
        self._leave: asyncio.Task[None] | None = None

    @property
    def open_sockets(self) -> int:
        """Return how many WebSockets are open."""
        return len(self._connections)

    def full(self, websocket: WebSocket) -> int | None:
        """Return the HTTP status that refuses one more WebSocket, None if it may be opened."""
        settings = self._doors.settings
        if self.leaving or len(self._connections) >= settings.max_connections:
            return 503
        client = client_of(websocket.scope)
        return 429 if self._of_client[client] >= settings.max_connections_per_client else None

    def join(self, connection: Connection, client: str) -> None:
        """Count an open WebSocket; it is to `part`."""
        self._connections.add(connection)
        self._of_client[client] += 1

    def part(self, connection: Connection, client: str) -> None:
        """Forget a WebSocket that is closed."""
        self._connections.discard(connection)
        self._of_client[client] -= 1
        if not self._of_client[client]:
            del self._of_client[client]

    def may_ask(self, websocket: WebSocket) -> bool:
        """Count one question of a client; say whether it may be asked."""
        if holds_api_key(self._doors.settings, websocket.headers):
            return True
        return self._doors.limiter.hit(client_of(websocket.scope))

    def unheard(self, conversation: Conversation) -> None:
        """Stop an answer that nobody listens to: in a while if it can be resumed, else at once."""
        if not conversation.answering:
            return
        if not conversation.resumable:
            conversation.stop()
            return
        exchange = conversation.exchange

        def give_up() -> None:
            if not conversation.listeners and conversation.exchange is exchange:
                conversation.stop()

        asyncio.get_running_loop().call_later(GRACE_S, give_up)

    def warm(self) -> None:
        """Have the model loaded, unless that is under way or it was used lately."""
        if self._warming is None and time.monotonic() > self._warm_until and not self.leaving:
            self._warming = asyncio.create_task(self._warm())

    def leave(self) -> None:
        """Take no more questions; end what is under way, then close every WebSocket."""
        if self._leave is None:
            self.leaving = True
            self._leave = asyncio.create_task(self._leaving())

    async def close(self) -> None:
        """End what is under way, answers that nobody listens to among them."""
        self.leave()
        if self._leave is not None:
            await self._leave
        if self._warming is not None:
            self._warming.cancel()

    async def _leaving(self) -> None:
        for connection in list(self._connections):
            if not connection.answering:
                connection.leave()
        await self.desk.drain()
        for conversation in self.shelf.all():
            conversation.stop()
        for connection in list(self._connections):
            connection.leave()

    async def _warm(self) -> None:
        self._warm_until = time.monotonic() + WARM_AGAIN_S
        try:
            if await self.desk.warm():
                self._note_used()
        except HelpError as error:
            logger.warning("%s", error)
        finally:
            self._warming = None

    def _note_used(self) -> None:
        in_memory_s = seconds(self.desk.settings.keep_alive) / 2
        self._warm_until = max(self._warm_until, time.monotonic() + min(in_memory_s, WARM_S))
