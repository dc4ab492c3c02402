"""A report's figures as sections to be shown: the terminal and the page show the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag.language.messages import report_word
from rag.language.profiles import load_profile
from rag.reports.figures import Disliked, Often, Times
from rag.reports.gaps import Gap
from rag.reports.report import Report
from rag.reports.words import (
    day,
    duration,
    milliseconds,
    number,
    reason_words,
    share,
)


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
class Section:
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


def sections(report: Report, lang: str) -> list[Section]:
    """Return the report's sections, those that have something to say."""
    if not report.counts.asked:
        found = [
            Section(report_word("overview", lang), report_word("nothing", lang)),
            _unused(report, lang),
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
            _unused(report, lang),
        ]
    return [one for one in found if one.intro or one.facts or one.bars or one.table]


def _overview(report: Report, lang: str) -> Section:
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
    return Section(
        report_word("overview", lang),
        report_word("texts", lang) if told else "",
        tuple((report_word(key, lang), value) for key, value in facts),
    )


def _days(report: Report, lang: str) -> Section:
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
    return Section(report_word("days", lang), bars=bars)


def _times(report: Report, lang: str) -> Section:
    kinds = (("all", report.times), ("written", report.written), ("kept", report.kept))
    rows = tuple(
        _times_row(report_word(key, lang), found, lang) for key, found in kinds if found.answers
    )
    headers = ("kind", "number", "first_p50", "first_p95", "total_p50", "total_p95")
    table = Table(tuple(report_word(key, lang) for key in headers), rows, numeric=(1, 2, 3, 4, 5))
    return Section(report_word("times", lang), report_word("times_intro", lang), table=table)


def _times_row(name: str, found: Times, lang: str) -> tuple[str, ...]:
    values = (
        found.first_text_p50_ms,
        found.first_text_p95_ms,
        found.total_p50_ms,
        found.total_p95_ms,
    )
    return (name, number(found.answers, lang), *(milliseconds(value, lang) for value in values))


def _gaps(found: Sequence[Gap], lang: str) -> Section:
    if not found:
        return Section(report_word("gaps", lang))
    headers = tuple(report_word(key, lang) for key in ("times_asked", "questions", "nearest"))
    rows = tuple(
        (number(gap.asked, lang), _told(gap, lang), _page(gap.nearest, gap.title)) for gap in found
    )
    return Section(
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


def _often(found: Sequence[Often], lang: str) -> Section:
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
    return Section(report_word("often", lang), table=Table(headers, rows))


def _disliked(found: Sequence[Disliked], lang: str) -> Section:
    if not found:
        return Section(report_word("disliked", lang))
    headers = tuple(report_word(key, lang) for key in ("times_asked", "page", "said"))
    rows = tuple(
        (
            number(one.unhelpful, lang),
            _page(one.page, one.title),
            "\n".join((*one.questions, *_said(one.comments, lang))),
        )
        for one in found
    )
    return Section(report_word("disliked", lang), table=Table(headers, rows))


def _tallied(title: str, found: dict[str, int], lang: str) -> Section:
    bars = tuple(Bar(name, count, number(count, lang)) for name, count in found.items())
    return Section(report_word(title, lang), bars=bars)


def _reasons(report: Report, lang: str) -> dict[str, int]:
    return {reason_words(name, lang): count for name, count in report.reasons.items()}


def _unused(report: Report, lang: str) -> Section:
    if not report.unused:
        return Section(report_word("unused", lang))
    intro = report_word("unused_intro", lang, unused=len(report.unused), pages=report.pages)
    rows = tuple((one.title, one.page) for one in report.unused)
    table = Table((report_word("page", lang), "Id"), rows, numeric=())
    return Section(report_word("unused", lang), intro, table=table)


def _page(page: str | None, title: str) -> str:
    return f"{title}\n{page}" if page and title else page or "–"


def _said(comments: Sequence[str], lang: str) -> Iterator[str]:
    """Yield each comment once, with how often it came."""
    for text, count in Counter(comments).items():
        quoted = load_profile(lang).text("typography.quote").format(text=text)
        yield f"{quoted} ×\u202f{count}" if count > 1 else quoted
