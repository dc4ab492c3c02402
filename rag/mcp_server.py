"""The help pages for programs that speak the Model Context Protocol: two tools, on two transports.

Over HTTP it listens on this machine alone, and asks pages of other sites for nothing: the host and
the origin of each request are checked.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

from rag.api import open_retriever
from rag.config.settings import load_settings
from rag.core.deadline import bounded
from rag.core.documents import Hit
from rag.core.errors import ConfigError, HelpError
from rag.desk import HelpDesk, Served
from rag.question import read_question
from rag.retriever import LONGEST_QUESTION, Retriever
from rag.stores import open_store

HOST = "127.0.0.1"
PATH = "/mcp"
NAMES = ("127.0.0.1", "localhost", "[::1]")
INSTRUCTIONS = (
    "Answers questions about one product from its own help pages, in French or English. Use"
    " ask_help for an answer with its sources, search_help for the passages themselves. When"
    " ask_help says answered: false, the pages do not say: do not make an answer up."
)
READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
Result = TypeVar("Result")


class Passage(BaseModel):
    """Hold a piece of a help page."""

    page: str = Field(description="Id of the page")
    title: str
    heading: str = Field(description="Headings below the title, outermost first")
    url: str
    text: str
    score: float = Field(description="Higher is better; comparable within one search")


class Found(BaseModel):
    """Hold what a search found, best first."""

    passages: list[Passage]


class CitedSource(BaseModel):
    """Name a place that an answer cites as [n]."""

    n: int
    title: str
    heading: str
    url: str
    page: str


class Screen(BaseModel):
    """Name a screen of the product that the answer leads to."""

    label: str
    url: str


class Left(BaseModel):
    """Say how much of what is quoted stands on the page still."""

    left: int
    unit: str
    url: str


class HelpAnswer(BaseModel):
    """Hold an answer from the help pages."""

    answered: bool = Field(description="False: the pages do not answer; text says so")
    confidence: str = Field(description="sure, perhaps (text says so), or no")
    text: str
    more: Left | None = Field(description="What text leaves out of what it quotes")
    sources: list[CitedSource]
    actions: list[Screen]
    page: str | None = Field(description="Id of the page that answers")
    see_also: list[str] = Field(description="Ids of related pages")
    degraded: bool = Field(description="True: an extract, written without the language model")
    reason: str | None = Field(description="Why it is an extract")
    lang: str


def make_server(desk: HelpDesk, retriever: Retriever) -> MCPServer[object]:
    """Return the server of these pages."""
    server: MCPServer[object] = MCPServer(
        "souffleur", title="Souffleur", instructions=INSTRUCTIONS, log_level="WARNING"
    )

    @server.tool(title="Search the help pages", annotations=READS)
    async def search_help(
        query: Annotated[str, Field(min_length=1, max_length=LONGEST_QUESTION)],
        k: Annotated[int, Field(ge=1, le=20, description="How many passages")] = 5,
    ) -> Found:
        """Find the passages of the help pages that are nearest to a query, best first."""
        limit_s = desk.settings.timeout_s
        asked = read_question(query)
        retrieval = await _told(
            lambda: bounded(lambda: retriever.retrieve(asked, k, timeout_s=limit_s), limit_s)
        )
        return Found(passages=[_passage(hit) for hit in retrieval.hits])

    @server.tool(title="Ask the help pages", annotations=READS)
    async def ask_help(
        question: Annotated[str, Field(min_length=1, max_length=LONGEST_QUESTION)],
        page: Annotated[
            str, Field(description="Where the asker is: id, path or address", max_length=2_000)
        ] = "",
    ) -> HelpAnswer:
        """Answer a question from the help pages, with the sources that the text cites as [n]."""
        return _answer(await _told(lambda: desk.answer(question, place=page, channel="mcp")))

    return server


async def serve_stdio() -> None:
    """Serve over standard input and output until the client closes them. Raises: ConfigError."""
    async with _Opened() as server:
        await server.run_stdio_async()


async def serve_http(port: int, say: Callable[[str], None]) -> None:
    """Serve over streamable HTTP on this machine until a signal comes.

    Raises: ConfigError, also for a port that is taken.
    """
    listener = _listening(port)
    async with _Opened() as server:
        app = server.streamable_http_app(
            streamable_http_path=PATH,
            transport_security=TransportSecuritySettings(
                allowed_hosts=[f"{name}:*" for name in NAMES],
                allowed_origins=[f"http://{name}:*" for name in NAMES],
            ),
        )
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
        say(f"MCP: http://{HOST}:{listener.getsockname()[1]}{PATH} (Ctrl-C ends it)")
        await uvicorn.Server(config).serve(sockets=[listener])


class _Opened:
    """Hold the desk and the index open while a server runs."""

    async def __aenter__(self) -> MCPServer[object]:
        settings = load_settings()
        self._store = open_store(settings)
        self._desk = HelpDesk()
        return make_server(self._desk, open_retriever(settings, self._store))

    async def __aexit__(self, *_: object) -> None:
        await self._desk.close()
        self._store.close()


async def _told(call: Callable[[], Awaitable[Result]]) -> Result:
    """Return what a call gives; what went wrong and its cure is for the model to read."""
    try:
        return await call()
    except HelpError as error:
        raise ToolError(str(error)) from error
    except TimeoutError as error:
        raise ToolError("The search did not answer in time. Try again in a moment.") from error


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"Port {port} of {HOST} cannot be had ({error}). Name another one: --port N"
        ) from None


def _passage(hit: Hit) -> Passage:
    chunk = hit.chunk
    return Passage(
        page=chunk.page,
        title=chunk.title,
        heading=chunk.heading,
        url=chunk.url,
        text=chunk.text,
        score=hit.score,
    )


def _answer(served: Served) -> HelpAnswer:
    answer = served.answer
    more = answer.more
    return HelpAnswer(
        answered=answer.answered,
        confidence=answer.confidence,
        text=answer.text,
        more=Left(left=more.left, unit=more.unit, url=more.url) if more else None,
        sources=[
            CitedSource(n=s.n, title=s.title, heading=s.heading, url=s.url, page=s.page)
            for s in answer.sources
        ],
        actions=[Screen(label=action.label, url=action.url) for action in answer.actions],
        page=answer.page_effective,
        see_also=list(answer.see_also),
        degraded=answer.degraded,
        reason=answer.reason,
        lang=served.lang,
    )


def run(port: int | None, say: Callable[[str], None]) -> None:
    """Serve over HTTP on a port, or over standard input and output. Raises: ConfigError."""
    asyncio.run(serve_stdio() if port is None else serve_http(port, say))
