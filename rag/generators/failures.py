"""What every generator tells alike: addresses without passwords, how far an answer had come."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import wraps
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from rag.deadline import Deadline
from rag.errors import ModelUnavailable
from rag.prompt import Prompt
from rag.types import Usage

CREDENTIALS = re.compile(r"(?<=://)\S*@|(?<![\w/])[^\s:/@]+:(?!//)\S*@")
Stream: TypeAlias = Callable[[Any, Prompt, Deadline], AsyncGenerator[str | Usage, None]]


def shown(text: str) -> str:
    """Return a text whose addresses are without the names and passwords that they carried."""
    return CREDENTIALS.sub("", text)


def is_address(url: str) -> bool:
    """Say whether a server can be asked for at a URL; its scheme may be left out."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        return parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:
        return False


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
