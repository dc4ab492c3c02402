"""What every generator tells alike: whether an answer had begun when it failed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import wraps
from typing import Any, TypeAlias

from rag.core.answers import Usage
from rag.core.deadline import Deadline
from rag.core.errors import ModelUnavailable
from rag.prompt import Prompt

Stream: TypeAlias = Callable[[Any, Prompt, Deadline], AsyncGenerator[str | Usage, None]]


def told_apart(stream: Stream) -> Stream:
    """Call a failure ``error`` where no piece had come, so that nothing has broken off."""

    @wraps(stream)
    async def told(
        self: Any, prompt: Prompt, deadline: Deadline
    ) -> AsyncGenerator[str | Usage, None]:
        begun = False
        try:
            async with aclosing(stream(self, prompt, deadline)) as pieces:
                async for piece in pieces:
                    begun = begun or isinstance(piece, str)
                    yield piece
        except ModelUnavailable as error:
            if error.reason == "failed" and not begun:
                error.reason = "error"
            raise

    return told
