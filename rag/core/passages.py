"""A chunk or window read once, however often it is found: what each room reads of it is kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar, cast

from rag.core.documents import Chunk, Window

PASSAGES_KEPT = 2_000  # some 26 KB each where a sentence was checked against it, else 2
Part = TypeVar("Part")


class Passage:
    """Hold a chunk or window and what was read of it. Safe to share between threads."""

    __slots__ = ("_parts", "_unit")

    def __init__(self, unit: Chunk | Window) -> None:
        self._unit = unit
        self._parts: dict[Callable[[Any], Any], Any] = {}

    def part(self, read: Callable[[Any], Part]) -> Part:
        """Return what a function reads of the chunk alone: the same object every time."""
        if read not in self._parts:
            self._parts[read] = read(self._unit)
        return cast(Part, self._parts[read])


@lru_cache(maxsize=PASSAGES_KEPT)
def read_passage(unit: Chunk | Window) -> Passage:
    """Return the passage that a chunk is, or a window, with what was read of it before."""
    return Passage(unit)
