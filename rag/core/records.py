"""What stores keep besides pages: kept answers, turns of conversations, what was asked; checks.

No question stands in the journal, unless the settings say so: a keyed hash tells that two were the
same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from rag.core.documents import Vectors

# an entry made later than this from now was made by a clock that was wrong
CLOCK_SKEW_S = 60.0

# what `touch` and `count` add up; `saved_ms` is the sum of what the hits spared
Counted = Literal["exact", "semantic", "missed", "waited", "warmed", "false_hits"]

MOST_TURNS = 10  # of one conversation

EXPIRES_S = 1_800.0  # after the last turn

Channel = Literal["http", "websocket", "django", "mcp", "cli"]

Kind = Literal["asked", "feedback"]

LONGEST_COMMENT = 2_000


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
class CachedAnswer:
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


@dataclass(frozen=True, slots=True)
class Turn:
    """Hold a question, what it meant in its conversation, and the pages its answer rests on."""

    question: str
    contextual: str
    pages: tuple[str, ...] = ()


def conversation_key(conversation_id: str) -> str:
    """Return what stands for a conversation's id, which opens it to whoever knows it."""
    return hashlib.sha256(conversation_id.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """Hold one question and its answer. ``at`` is in UTC, to the millisecond.

    ``question`` is a keyed hash of the question's normal form; ``text`` and ``conversation`` of an
    asker are not here, the text only by ``HELP_JOURNAL_TEXTS``. ``nearest`` is the page that the
    answer came from, else the best one found, ``title`` its title. ``reason`` is the name of a
    message (`language.messages`). ``first_text_ms`` is when there was something to read.
    ``writing_ms`` is what a model took to write the answer, now or when it was kept.
    """

    at: datetime
    answer_id: str
    question: str
    lang: str
    channel: str = "http"
    text: str | None = None
    page: str | None = None
    sources: tuple[str, ...] = ()
    nearest: str | None = None
    title: str = ""
    answered: bool = True
    degraded: bool = False
    cached: str | None = None
    reason: str | None = None
    truncated: bool = False
    unsupported: int = 0
    first_text_ms: float = 0.0
    total_ms: float = 0.0
    writing_ms: float = 0.0
    model: str | None = None
    prompt_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Feedback:
    """Hold what an asker thought of an answer; ``comment`` is kept where texts are."""

    at: datetime
    answer_id: str
    helpful: bool
    commented: bool = False
    comment: str | None = None


Record = JournalEntry | Feedback

Of = TypeVar("Of", JournalEntry, Feedback)


def now() -> datetime:
    """Return the time as records carry it."""
    return rounded(datetime.now(UTC))


def rounded(at: datetime) -> datetime:
    """Return a time in UTC, cut to the millisecond: the finest that every store keeps."""
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def written(at: datetime) -> str:
    """Return a time as text that sorts as time does."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


def kind_of(record: Record) -> Kind:
    """Return which of the two a record is."""
    return "asked" if isinstance(record, JournalEntry) else "feedback"


def document(record: Record) -> dict[str, Any]:
    """Return a record as JSON holds it, and as an export shows it."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    values["at"] = written(record.at)
    if isinstance(record, JournalEntry):
        values["sources"] = list(record.sources)
    return {"kind": kind_of(record), **values}


def read_document(of: type[Of], values: Mapping[str, Any]) -> Of:
    """Return the record of a document. What a later version wrote besides is left out.

    Raises: KeyError, TypeError, ValueError for one that is damaged.
    """
    known = {field.name for field in fields(of)}
    read = {name: value for name, value in values.items() if name in known}
    read["at"] = datetime.fromisoformat(values["at"])
    if "sources" in read:
        read["sources"] = tuple(read["sources"])
    return of(**read)


@dataclass(frozen=True, slots=True)
class Check:
    """Hold what was found; ``cure`` is empty when nothing is wrong."""

    name: str
    ok: bool
    detail: str
    cure: str = ""
