"""A kept answer and the stores that keep them: Entry, Scope, and the Protocol AnswerStore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from rag.types import Vectors

# an entry made later than this from now was made by a clock that was wrong
CLOCK_SKEW_S = 60.0
# what `touch` and `count` add up; `saved_ms` is the sum of what the hits spared
Counted = Literal["exact", "semantic", "missed", "waited", "warmed", "false_hits"]


@dataclass(frozen=True, slots=True)
class Scope:
    """Name the circumstances outside of which an answer is of no use.

    ``fingerprint`` covers the model, its rules, the encoder and the settings; ``page`` is where the
    asker was, ``conversation`` what was said before.
    """

    fingerprint: str
    lang: str
    page: str = ""
    conversation: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """Hold one kept answer, with all it depends on.

    ``pages`` gives the hash of every page that it came from, ``chunks`` the ids of its chunks:
    without the first it is not kept. ``asked`` and ``answer`` are JSON objects. Times are seconds
    since the epoch. ``vector`` is written and never read back. A ``pinned`` answer does not expire
    and is not evicted: it goes with its pages.
    """

    key: str
    scope: Scope
    question: str
    asked: Mapping[str, Any]
    answer: Mapping[str, Any]
    pages: Mapping[str, str]
    chunks: tuple[str, ...]
    created_at: float
    expires_at: float
    used_at: float
    saved_ms: float = 0.0
    hits: int = 0
    pinned: bool = False
    vector: Vectors | None = field(default=None, compare=False, repr=False)

    def is_fresh(self, now: float) -> bool:
        """Say whether it has not expired, and was not made by a clock that was wrong."""
        made = self.created_at <= now + CLOCK_SKEW_S
        return self.pinned or (made and self.expires_at > now)


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Hold what is kept and how it was used. ``pages`` counts the entries that name each page.

    ``hits`` are those of the entries that are kept now; ``counters`` go on from the first day.
    """

    entries: int = 0
    bytes: int = 0
    pinned: int = 0
    hits: int = 0
    oldest: float | None = None
    newest: float | None = None
    pages: dict[str, int] = field(default_factory=dict)
    counters: dict[str, float] = field(default_factory=dict)


class AnswerStore(Protocol):
    """Keep answers beside the index they came from; serve none whose pages have changed.

    Reading and dropping raise SearchUnavailable when the store does not answer within
    ``timeout_s``; the others never raise: what cannot be written now is left out.
    """

    def get(self, key: str, now: float, timeout_s: float) -> Entry | None:
        """Return the entry of a key if it has not expired and its pages stand unchanged."""

    def candidates(
        self, scope: Scope, vector: Vectors, k: int, now: float, timeout_s: float
    ) -> list[tuple[Entry, float]]:
        """Return the k such entries of a scope nearest by cosine, best first.

        In Elasticsearch, an entry is found here up to 1 s after it was put.
        """

    def put(self, entry: Entry, timeout_s: float) -> bool:
        """Keep an entry in place of its key's last one, then evict. Returns whether it is kept.

        Beyond the bounds, expired entries go first, then the least recently used.
        """

    def touch(self, entry: Entry, kind: Counted, now: float, timeout_s: float) -> None:
        """Count a hit of this kind, on the entry and in the counters; after it was served."""

    def count(self, name: Counted, timeout_s: float) -> None:
        """Add one to a counter."""

    def claim(self, key: str, owner: str, lease_s: float, now: float, timeout_s: float) -> bool:
        """Say whether this owner is the one to generate the answer of a key.

        False: another one is at it, or the answer has come meanwhile; ask `get` again. A claim is
        free again when it is released or ``lease_s`` old. True when nobody can tell.
        """

    def release(self, key: str, owner: str, timeout_s: float) -> None:
        """Give a claim back, once the answer was put or will never be."""

    def drop(self, keys: Sequence[str], timeout_s: float) -> int:
        """Remove entries. Returns how many were there."""

    def drop_page(self, page: str, timeout_s: float) -> int:
        """Remove the entries that came from a page."""

    def drop_others(self, fingerprint: str, timeout_s: float) -> int:
        """Remove the entries of every other fingerprint, the pinned ones left."""

    def sweep(self, now: float, timeout_s: float) -> int:
        """Remove the entries that expired or whose pages have changed."""

    def clear(self, timeout_s: float, *, keep_pinned: bool = False) -> int:
        """Remove all entries."""

    def entries(self, limit: int, offset: int, timeout_s: float) -> list[Entry]:
        """Return entries, the last used first, expired ones too."""

    def stats(self, timeout_s: float) -> CacheStats:
        """Return what is kept and how it was used."""

    def close(self) -> None:
        """Let go of files and connections."""
