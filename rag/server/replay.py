"""The last messages of each conversation, numbered, for a client whose connection broke."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import orjson

MOST_BYTES = 256 * 1024  # of one conversation
MOST_BYTES_OF_ALL = 16 * 1024 * 1024
MOST_KEPT = 2_000
KEPT_S = 300.0
TIDY_S = 1.0


@dataclass(frozen=True, slots=True)
class Numbered:
    """Hold a message as it is sent, ``first`` when it is the first piece of an answer's text."""

    seq: int
    text: str
    first: bool = False


class Replay:
    """Number the messages of one conversation and keep the last `MOST_BYTES` of them."""

    def __init__(self) -> None:
        self.last = 0
        self.series = secrets.token_hex(4)
        self.bytes = 0
        self._kept: deque[Numbered] = deque()

    def add(self, message: dict[str, object], *, first: bool = False) -> Numbered:
        """Return a message with its number; the earliest ones are dropped for want of room."""
        self.last += 1
        text = orjson.dumps({**message, "seq": self.last, "series": self.series}).decode()
        numbered = Numbered(self.last, text, first)
        self._kept.append(numbered)
        self.bytes += len(text)
        while self.bytes > MOST_BYTES and len(self._kept) > 1:
            self.bytes -= len(self._kept.popleft().text)
        return numbered

    def after(self, seq: int) -> list[Numbered] | None:
        """Return what came after a number; None when that is not known any more."""
        if seq > self.last or seq + 1 < self.last + 1 - len(self._kept):
            return None
        return [numbered for numbered in self._kept if numbered.seq > seq]


Kept = TypeVar("Kept")


class Shelf(Generic[Kept]):
    """Keep things by their name for a while, bounded in number, size and time.

    What is in use is kept whatever the bounds: something else bounds that.
    """

    def __init__(
        self,
        size: Callable[[Kept], int],
        in_use: Callable[[Kept], bool],
        *,
        most: int = MOST_KEPT,
        most_bytes: int = MOST_BYTES_OF_ALL,
        kept_s: float = KEPT_S,
    ) -> None:
        self._size = size
        self._in_use = in_use
        self._most, self._most_bytes, self._kept_s = most, most_bytes, kept_s
        self._kept: OrderedDict[str, tuple[float, Kept]] = OrderedDict()
        self._tidied_at = 0.0

    def get(self, name: str) -> Kept | None:
        """Return what is kept under a name; it is young again."""
        self._tidy_now_and_then()
        found = self._kept.get(name)
        if found is None:
            return None
        self.put(name, found[1])
        return found[1]

    def put(self, name: str, thing: Kept) -> None:
        """Keep a thing, or make it young again."""
        self._kept[name] = (time.monotonic(), thing)
        self._kept.move_to_end(name)
        self._tidy_now_and_then()

    def all(self) -> list[Kept]:
        """Return everything that is kept, the oldest first."""
        return [thing for _, thing in self._kept.values()]

    def __len__(self) -> int:
        return len(self._kept)

    def _tidy_now_and_then(self) -> None:
        now = time.monotonic()
        if len(self._kept) > self._most or now - self._tidied_at > TIDY_S:
            self._tidied_at = now
            self.tidy()

    def tidy(self) -> None:
        """Drop what is too old, then the oldest of what is too much."""
        total = sum(self._size(thing) for thing in self.all())
        too_old = time.monotonic() - self._kept_s
        for name, (used_at, thing) in list(self._kept.items()):
            full = len(self._kept) > self._most or total > self._most_bytes
            if used_at > too_old and not full:
                break
            if not self._in_use(thing):
                total -= self._size(thing)
                del self._kept[name]
