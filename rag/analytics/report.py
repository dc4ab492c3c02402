"""A period's report: read from the journal and the index, laid out in sections to be shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rag.analytics.figures import (
    Counts,
    Day,
    Disliked,
    Encode,
    Gap,
    Often,
    Opinions,
    Period,
    Times,
    by_day,
    counts,
    gaps,
    most_asked,
    opinions,
    tally,
    times,
)
from rag.analytics.recorder import journal_key, question_hash
from rag.analytics.words import day, duration, milliseconds, number, reason_words, share
from rag.config.settings import Settings
from rag.core.documents import PageRecord
from rag.core.errors import HelpError
from rag.core.records import Feedback, JournalEntry, now
from rag.language.messages import report_word
from rag.language.profiles import load_profile
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
        unused=None if pages is None else _unused_pages(asked, pages),
    )


def _known(pages: Mapping[str, PageRecord], key: bytes) -> dict[str, str]:
    """Return the pages' own questions and titles by their hashes."""
    texts = [text for page in pages.values() for text in (*page.questions, page.title)]
    return {question_hash(text, key): text for text in reversed(texts)}


def _unused_pages(
    asked: Sequence[JournalEntry], pages: Mapping[str, PageRecord]
) -> tuple[Unused, ...]:
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


@dataclass(frozen=True, slots=True)
class Bar:
    """Hold one bar: ``part`` of its ``value`` is drawn apart, ``said`` beside it."""

    label: str
    value: int
    said: str
    part: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Hold rows under headers; a cell may have several lines. ``numeric`` columns align right."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class ReportSection:
    """Hold one part of a report; what is empty is not shown."""

    title: str
    intro: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    bars: tuple[Bar, ...] = ()
    table: Table | None = None


def period_line(report: Report, lang: str) -> str:
    """Return what period the report is of."""
    first, last = (day(one.date, lang) for one in (report.days[0], report.days[-1]))
    return report_word("period", lang, first=first, last=last)


def sections(report: Report, lang: str) -> list[ReportSection]:
    """Return the report's sections, those that have something to say."""
    if not report.counts.asked:
        found = [
            ReportSection(report_word("overview", lang), report_word("nothing", lang)),
            _unused_section(report, lang),
        ]
    else:
        found = [
            _overview(report, lang),
            _days(report, lang),
            _gaps(report.gaps, lang),
            _often(report.most_asked, lang),
            _disliked(report.opinions.disliked, lang),
            _times(report, lang),
            _tallied(
                "reasons", {reason_words(r, lang): n for r, n in report.reasons.items()}, lang
            ),
            _tallied("models", report.models, lang),
            _tallied("channels", report.channels if len(report.channels) > 1 else {}, lang),
            _unused_section(report, lang),
        ]
    return [one for one in found if one.intro or one.facts or one.bars or one.table]


def _overview(report: Report, lang: str) -> ReportSection:
    found, whole = report.counts, report.counts.asked
    answered = whole - found.unanswered - found.failed
    facts = [("asked", number(whole, lang)), ("answered", share(answered, whole, lang))]
    facts += [("unanswered", share(found.unanswered, whole, lang))]
    facts += [("failed", share(found.failed, whole, lang))] * bool(found.failed)
    facts += [("degraded", share(found.degraded, whole, lang))]
    facts += [("truncated", share(found.truncated, whole, lang))] * bool(found.truncated)
    facts += [("cached", share(found.exact + found.semantic, whole, lang))]
    facts += [("saved", duration(found.saved_s, lang))]
    opinions = report.opinions
    if opinions.helpful + opinions.unhelpful:
        liked = [number(value, lang) for value in (opinions.helpful, opinions.unhelpful)]
        facts += [("opinions", report_word("liked", lang, helpful=liked[0], unhelpful=liked[1]))]
    if found.prompt_tokens:
        tokens = [number(value, lang) for value in (found.prompt_tokens, found.output_tokens)]
        facts += [("tokens", " + ".join(tokens))]
    told = any(often.text is None for often in report.most_asked)
    return ReportSection(
        report_word("overview", lang),
        report_word("texts", lang) if told else "",
        tuple((report_word(key, lang), value) for key, value in facts),
    )


def _days(report: Report, lang: str) -> ReportSection:
    bars = tuple(
        Bar(
            day(one.date, lang),
            one.asked,
            report_word("days_more", lang, asked=one.asked, unanswered=one.unanswered)
            if one.unanswered
            else str(one.asked),
            one.unanswered,
        )
        for one in report.days
    )
    return ReportSection(report_word("days", lang), bars=bars)


def _times(report: Report, lang: str) -> ReportSection:
    kinds = (("all", report.times), ("written", report.written), ("kept", report.kept))
    rows = tuple(
        _times_row(report_word(key, lang), found, lang) for key, found in kinds if found.answers
    )
    headers = ("kind", "number", "first_p50", "first_p95", "total_p50", "total_p95")
    table = Table(tuple(report_word(key, lang) for key in headers), rows, numeric=(1, 2, 3, 4, 5))
    return ReportSection(report_word("times", lang), report_word("times_intro", lang), table=table)


def _times_row(name: str, found: Times, lang: str) -> tuple[str, ...]:
    values = (
        found.first_text_p50_ms,
        found.first_text_p95_ms,
        found.total_p50_ms,
        found.total_p95_ms,
    )
    return (name, number(found.answers, lang), *(milliseconds(value, lang) for value in values))


def _gaps(found: Sequence[Gap], lang: str) -> ReportSection:
    if not found:
        return ReportSection(report_word("gaps", lang))
    headers = tuple(report_word(key, lang) for key in ("times_asked", "questions", "nearest"))
    rows = tuple(
        (number(gap.asked, lang), _told(gap, lang), _page(gap.nearest, gap.title)) for gap in found
    )
    return ReportSection(
        report_word("gaps", lang), report_word("gaps_intro", lang), table=Table(headers, rows)
    )


def _told(gap: Gap, lang: str) -> str:
    if gap.questions:
        more = gap.different - len(gap.questions)
        tail = (report_word("more", lang, count=more),) if more > 0 else ()
        return "\n".join((*gap.questions, *tail))
    return report_word(
        "untold_one" if gap.different == 1 else "untold", lang, different=gap.different
    )


def _often(found: Sequence[Often], lang: str) -> ReportSection:
    headers = tuple(report_word(key, lang) for key in ("times_asked", "question", "page"))
    rows = tuple(
        (
            number(one.asked, lang),
            one.text or f"({one.question[:8]}…)",
            report_word("without", lang)
            if one.unanswered == one.asked
            else _page(one.page, one.title),
        )
        for one in found
    )
    return ReportSection(report_word("often", lang), table=Table(headers, rows))


def _disliked(found: Sequence[Disliked], lang: str) -> ReportSection:
    if not found:
        return ReportSection(report_word("disliked", lang))
    headers = tuple(report_word(key, lang) for key in ("times_asked", "page", "said"))
    rows = tuple(
        (
            number(one.unhelpful, lang),
            _page(one.page, one.title),
            "\n".join((*one.questions, *_said(one.comments, lang))),
        )
        for one in found
    )
    return ReportSection(report_word("disliked", lang), table=Table(headers, rows))


def _tallied(title: str, found: dict[str, int], lang: str) -> ReportSection:
    bars = tuple(Bar(name, count, number(count, lang)) for name, count in found.items())
    return ReportSection(report_word(title, lang), bars=bars)


def _unused_section(report: Report, lang: str) -> ReportSection:
    if not report.unused:
        return ReportSection(report_word("unused", lang))
    intro = report_word("unused_intro", lang, unused=len(report.unused), pages=report.pages)
    rows = tuple((one.title, one.page) for one in report.unused)
    table = Table((report_word("page", lang), "Id"), rows, numeric=())
    return ReportSection(report_word("unused", lang), intro, table=table)


def _page(page: str | None, title: str) -> str:
    return f"{title}\n{page}" if page and title else page or "–"


def _said(comments: Sequence[str], lang: str) -> Iterator[str]:
    """Yield each comment once, with how often it came."""
    for text, count in Counter(comments).items():
        quoted = load_profile(lang).text("typography.quote").format(text=text)
        yield f"{quoted} ×\u202f{count}" if count > 1 else quoted
