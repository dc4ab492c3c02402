"""A chunk read once, however often it is found: what each room reads of it is kept beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar, cast

from rag.core.documents import Chunk

PASSAGES_KEPT = 2_000  # some 26 KB each where a sentence was checked against it, else 2
Part = TypeVar("Part")


class Passage:
    """Hold a chunk and what was read of it. Safe to share between threads."""

    __slots__ = ("_parts", "chunk")

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self._parts: dict[Callable[[Chunk], Any], Any] = {}

    def part(self, read: Callable[[Chunk], Part]) -> Part:
        """Return what a function reads of the chunk alone: the same object every time."""
        if read not in self._parts:
            self._parts[read] = read(self.chunk)
        return cast(Part, self._parts[read])


@lru_cache(maxsize=PASSAGES_KEPT)
def read_passage(chunk: Chunk) -> Passage:
    """Return the passage that a chunk is, with what was read of it before."""
    return Passage(chunk)
