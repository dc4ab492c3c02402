"""A period's report: the journal read, the index asked what its pages are, the figures taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rag.config.settings import Settings
from rag.core.documents import PageRecord
from rag.core.errors import HelpError
from rag.core.records import Feedback, JournalEntry, now
from rag.noting import journal_key, question_hash
from rag.reports.figures import (
    Counts,
    Day,
    Often,
    Opinions,
    Period,
    Times,
    by_day,
    counts,
    most_asked,
    opinions,
    tally,
    times,
)
from rag.reports.gaps import Encode, Gap, gaps
from rag.stores import open_journal_store, open_store

READ_S = 30.0
LATER = timedelta(days=3_650)


@dataclass(frozen=True, slots=True)
class Unused:
    """Name a page that no answer came from."""

    page: str
    title: str


@dataclass(frozen=True, slots=True)
class Report:
    """Hold a period's figures; ``unused`` is None where the index cannot be read.

    ``written`` are the times of the answers that a model wrote then and there.
    """

    since: datetime
    until: datetime
    counts: Counts
    days: tuple[Day, ...]
    times: Times
    written: Times
    kept: Times
    reasons: dict[str, int]
    channels: dict[str, int]
    languages: dict[str, int]
    models: dict[str, int]
    most_asked: tuple[Often, ...]
    gaps: tuple[Gap, ...]
    opinions: Opinions
    pages: int | None
    unused: tuple[Unused, ...] | None


def last_days(number: int, at: datetime | None = None) -> Period:
    """Return the period of so many days, today the last of them, in this machine's time zone."""
    until = (at or now()).astimezone()
    first = (until - timedelta(days=number - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    zone = until.tzinfo or UTC
    return Period(first, until + timedelta(milliseconds=1), zone)


def read_report(settings: Settings, period: Period) -> Report:
    """Return the report of a period. Raises: SearchUnavailable when the journal cannot be read."""
    store = open_journal_store(settings)
    try:
        asked = list(store.asked(period.since, period.until, READ_S))
        # an opinion comes after its answer, at times after the period
        feedback = list(store.feedback(period.since, period.until + LATER, READ_S))
    finally:
        store.close()
    from rag.encoders import bundled_encoder

    encode = bundled_encoder().encode_queries
    return make_report(asked, feedback, period, _pages(settings), journal_key(settings), encode)


def make_report(
    asked: Sequence[JournalEntry],
    feedback: Sequence[Feedback],
    period: Period,
    pages: Mapping[str, PageRecord] | None,
    key: bytes,
    encode: Encode,
) -> Report:
    """Return the figures of these records; ``key`` is that of their questions' hashes."""
    known = _known(pages or {}, key)

    def label(record: JournalEntry) -> str | None:
        """Return a question's text: as it was kept, else as a page has it among its own."""
        return record.text or known.get(record.question)

    return Report(
        since=period.since,
        until=period.until,
        counts=counts(asked),
        days=by_day(asked, period),
        times=times(asked),
        written=times([one for one in asked if one.model and not one.cached]),
        kept=times([one for one in asked if one.cached]),
        reasons=tally([one.reason or "?" for one in asked if one.degraded]),
        channels=tally([one.channel for one in asked]),
        languages=tally([one.lang for one in asked]),
        models=tally([one.model for one in asked if one.model and not one.cached]),
        most_asked=most_asked(asked, label),
        gaps=gaps(asked, label, encode),
        opinions=opinions(asked, feedback, label),
        pages=None if pages is None else len(pages),
        unused=None if pages is None else _unused(asked, pages),
    )


def _known(pages: Mapping[str, PageRecord], key: bytes) -> dict[str, str]:
    """Return the pages' own questions and titles by their hashes."""
    texts = [text for page in pages.values() for text in (*page.questions, page.title)]
    return {question_hash(text, key): text for text in reversed(texts)}


def _unused(asked: Sequence[JournalEntry], pages: Mapping[str, PageRecord]) -> tuple[Unused, ...]:
    used = {page for one in asked if one.answered for page in (one.page, *one.sources)}
    return tuple(Unused(name, pages[name].title) for name in sorted(pages) if name not in used)


def _pages(settings: Settings) -> dict[str, PageRecord] | None:
    try:
        store = open_store(settings)
        try:
            return store.records() or None
        finally:
            store.close()
    except HelpError:  # the report is of the journal: it goes on without the index
        return None
