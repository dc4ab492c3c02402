"""What the journal holds: what was asked and what came of it, and what askers thought of it.

No question stands in it, unless the settings say so: a keyed hash tells that two were the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TypeVar

Channel = Literal["http", "websocket", "django", "mcp", "cli"]
Kind = Literal["asked", "feedback"]
LONGEST_COMMENT = 2_000


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold one question and its answer. ``at`` is in UTC, to the millisecond.

    ``question`` is a keyed hash of the question's normal form; ``text`` and ``conversation`` of an
    asker are not here, the text only by ``HELP_JOURNAL_TEXTS``. ``nearest`` is the page that the
    answer came from, else the best one found, ``title`` its title. ``reason`` is the name of a
    message, as `rag.messages` has it. ``first_text_ms`` is when there was something to read.
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


Record = Asked | Feedback
Of = TypeVar("Of", Asked, Feedback)


class JournalStore(Protocol):
    """Keep records. Safe between threads and processes; every method may block.

    All raise SearchUnavailable when the store cannot be used within ``timeout_s``.
    """

    def write(self, records: Sequence[Record], timeout_s: float) -> None:
        """Keep records; one that is there already is replaced, so that writing may be repeated.

        An answer has one feedback: the last one.
        """

    def asked(self, since: datetime, until: datetime, timeout_s: float) -> Iterator[Asked]:
        """Yield what was asked from ``since`` to before ``until``, the earliest first."""

    def feedback(self, since: datetime, until: datetime, timeout_s: float) -> Iterator[Feedback]:
        """Yield the feedback given from ``since`` to before ``until``, the earliest first."""

    def purge(self, before: datetime, timeout_s: float) -> int:
        """Remove what is older. Returns how many records that were."""

    def close(self) -> None:
        """Let go of files and connections."""


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
    return "asked" if isinstance(record, Asked) else "feedback"


def document(record: Record) -> dict[str, Any]:
    """Return a record as JSON holds it, and as an export shows it."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    values["at"] = written(record.at)
    if isinstance(record, Asked):
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
