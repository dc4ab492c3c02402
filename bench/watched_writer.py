"""A writer that keeps what it sends and gets back."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from rag.core.answers import Usage
from rag.core.deadline import Deadline
from rag.prompt import Draft, whole_tokens
from rag.writing.once import Writing
from rag.writing.writer import Sent


@dataclass(slots=True)
class Generation:
    """Hold what was sent to the model for one question, and what came back."""

    passages: int = 0
    estimated_prompt_tokens: int = 0
    pieces: int = 0
    usage: Usage | None = None

    @property
    def prompt_tokens(self) -> int:
        """Return the server's count, ours where the answer was cut off."""
        return self.usage.prompt_tokens if self.usage else self.estimated_prompt_tokens

    @property
    def output_tokens(self) -> int:
        """Return the server's count, the pieces where the answer was cut off."""
        return self.usage.output_tokens if self.usage else self.pieces


class WatchedWriter:
    """Pass a writer's items on, and keep what they say of each generation."""

    def __init__(self, writer: Writing) -> None:
        self._writer = writer
        self.generations: list[Generation] = []

    async def stream(
        self, draft: Draft, deadline: Deadline
    ) -> AsyncGenerator[Sent | str | Usage, None]:
        """Yield what the writer yields."""
        seen = Generation()
        self.generations.append(seen)
        async with aclosing(self._writer.stream(draft, deadline)) as items:
            async for item in items:
                if isinstance(item, Sent):
                    seen.passages = len(item.prompt.passages)
                    seen.estimated_prompt_tokens = whole_tokens(item.prompt)
                elif isinstance(item, Usage):
                    seen.usage = item
                else:
                    seen.pieces += 1
                yield item

    async def warm(self) -> bool:
        """Load the model."""
        return await self._writer.warm()

    async def close(self) -> None:
        """End what is under way."""
        await self._writer.close()
