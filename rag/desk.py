"""One process's help desk: the assistant of the settings in force, for every way in.

The server, Django and MCP ask here; what it yields are the assistant's events.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from rag.api import open_assistant
from rag.errors import HelpError
from rag.settings import Settings, load_settings
from rag.types import Answer, CompleteEvent, Event


class HelpDesk:
    """Answer askers from one index; ``place`` and ``title`` are where on the site they are."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self._assistant = open_assistant(self.settings)

    async def stream(
        self,
        question: str,
        *,
        place: str = "",
        title: str = "",
        conversation_id: str | None = None,
        k: int = 5,
    ) -> AsyncGenerator[Event, None]:
        """Yield an answer's events. Raises what `Assistant.stream` raises."""
        page = self.page_of(place, title)
        events = self._assistant.stream(question, page=page, k=k, conversation_id=conversation_id)
        async with aclosing(events):
            async for event in events:
                yield event

    async def answer(
        self, question: str, *, place: str = "", title: str = "", **more: str
    ) -> Answer:
        """Return the whole answer. Raises what `stream` raises."""
        async with aclosing(self.stream(question, place=place, title=title, **more)) as events:
            async for event in events:
                if isinstance(event, CompleteEvent):
                    return event.answer
        raise HelpError("The stream ended without an answer.")

    def page_of(self, place: str, title: str = "") -> str | None:
        """Return the help page of a place on the site: by its id, its address, or its screens'."""
        return place or None

    async def warm(self) -> bool:
        """Load index and model; say whether the model answers. It may take minutes."""
        return await self._assistant.warm()

    async def close(self) -> None:
        """End what is under way."""
        await self._assistant.close()
