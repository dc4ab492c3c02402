"""Records of the journal to the figures of a report. Pure; every share has its two numbers."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from rag.core.documents import Vectors
from rag.core.records import Feedback, JournalEntry

MOST_ASKED = 15
Label = Callable[[JournalEntry], str | None]
SAME_MATTER = 0.45  # cosine from which two questions are of one matter
EXAMPLES = 5
Encode = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True, slots=True)
class Period:
    """Hold a time from ``since`` to before ``until``, and the time zone of its days."""

    since: datetime
    until: datetime
    zone: tzinfo

    def days(self) -> list[date]:
        """Return its days, the first one and the last one whole or not."""
        first = self.since.astimezone(self.zone).date()
        last = (self.until - timedelta(microseconds=1)).astimezone(self.zone).date()
        return [first + timedelta(days=number) for number in range((last - first).days + 1)]


@dataclass(frozen=True, slots=True)
class Day:
    """Count one day's questions."""

    date: str
    asked: int
    unanswered: int
    degraded: int
    cached: int


@dataclass(frozen=True, slots=True)
class Times:
    """Hold nearest-rank percentiles of some answers' times; None where there is no answer."""

    answers: int
    first_text_p50_ms: float | None
    first_text_p95_ms: float | None
    total_p50_ms: float | None
    total_p95_ms: float | None


@dataclass(frozen=True, slots=True)
class Often:
    """Hold a question that came often; ``text`` is None where nothing tells it."""

    question: str
    text: str | None
    asked: int
    unanswered: int
    page: str | None
    title: str


@dataclass(frozen=True, slots=True)
class Disliked:
    """Hold a page whose answers did not help, as far as that was said."""

    page: str | None
    title: str
    unhelpful: int
    questions: tuple[str, ...]
    comments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opinions:
    """Count what askers thought. ``unknown`` opinions are of answers not in the period."""

    helpful: int
    unhelpful: int
    commented: int
    unknown: int
    disliked: tuple[Disliked, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """Count a period's questions. ``unanswered``: the pages do not say; ``failed``: no search."""

    asked: int
    unanswered: int
    failed: int
    degraded: int
    truncated: int
    exact: int
    semantic: int
    saved_s: float
    prompt_tokens: int
    output_tokens: int


def counts(records: Sequence[JournalEntry]) -> Counts:
    """Return the sums. What the cache saved is what writing took, less the time of serving it."""
    kept = [one for one in records if one.cached]
    return Counts(
        asked=len(records),
        unanswered=sum(is_gap(one) for one in records),
        failed=sum(not one.answered and one.degraded for one in records),
        degraded=sum(one.degraded for one in records),
        truncated=sum(one.truncated for one in records),
        exact=sum(one.cached == "exact" for one in kept),
        semantic=sum(one.cached == "semantic" for one in kept),
        saved_s=round(sum(max(0.0, o.writing_ms - o.total_ms) for o in kept) / 1000, 1),
        prompt_tokens=sum(one.prompt_tokens for one in records if not one.cached),
        output_tokens=sum(one.output_tokens for one in records if not one.cached),
    )


def is_gap(record: JournalEntry) -> bool:
    """Say whether the pages did not answer, although they were searched."""
    return not record.answered and not record.degraded


def by_day(records: Sequence[JournalEntry], period: Period) -> tuple[Day, ...]:
    """Return every day of the period with its counts, those without a question too."""
    found: dict[date, list[JournalEntry]] = defaultdict(list)
    for one in records:
        found[one.at.astimezone(period.zone).date()].append(one)
    return tuple(
        Day(
            day.isoformat(),
            asked=len(found[day]),
            unanswered=sum(is_gap(one) for one in found[day]),
            degraded=sum(one.degraded for one in found[day]),
            cached=sum(one.cached is not None for one in found[day]),
        )
        for day in period.days()
    )


def times(records: Sequence[JournalEntry]) -> Times:
    """Return the percentiles of these answers' times."""
    first = [one.first_text_ms for one in records]
    total = [one.total_ms for one in records]
    return Times(
        len(records),
        percentile(first, 0.5),
        percentile(first, 0.95),
        percentile(total, 0.5),
        percentile(total, 0.95),
    )


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that so large a share of the values does not exceed."""
    if not values:
        return None
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


def tally(values: Sequence[str]) -> dict[str, int]:
    """Return how often each value comes, the most frequent first, ties by name."""
    return dict(sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0])))


def most_asked(records: Sequence[JournalEntry], label: Label) -> tuple[Often, ...]:
    """Return what came most often, ties to what came first."""
    groups: dict[str, list[JournalEntry]] = defaultdict(list)
    for one in records:
        groups[one.question].append(one)
    chosen = sorted(groups.values(), key=lambda group: -len(group))[:MOST_ASKED]
    return tuple(_often(group, label) for group in chosen)


def _often(group: Sequence[JournalEntry], label: Label) -> Often:
    page, title = _usual_page(group)
    return Often(
        question=group[0].question,
        text=next((text for text in map(label, group) if text), None),
        asked=len(group),
        unanswered=sum(is_gap(one) for one in group),
        page=page,
        title=title,
    )


def _usual_page(group: Sequence[JournalEntry]) -> tuple[str | None, str]:
    """Return the page that most of the answers came from, or came nearest to."""
    return Counter((one.nearest, one.title) for one in group).most_common(1)[0][0]


def opinions(
    records: Sequence[JournalEntry], feedback: Sequence[Feedback], label: Label
) -> Opinions:
    """Return what askers thought of the answers that they were given."""
    answers: Mapping[str, JournalEntry] = {one.answer_id: one for one in records}
    known = [one for one in feedback if one.answer_id in answers]
    groups: dict[str | None, list[Feedback]] = defaultdict(list)
    for one in known:
        if not one.helpful:
            groups[answers[one.answer_id].nearest].append(one)
    disliked = [
        Disliked(
            page,
            answers[group[0].answer_id].title,
            len(group),
            tuple(dict.fromkeys(t for o in group if (t := label(answers[o.answer_id])))),
            tuple(one.comment for one in group if one.comment),
        )
        for page, group in groups.items()
    ]
    return Opinions(
        helpful=sum(one.helpful for one in known),
        unhelpful=sum(not one.helpful for one in known),
        commented=sum(one.commented for one in known),
        unknown=len(feedback) - len(known),
        disliked=tuple(sorted(disliked, key=lambda one: (-one.unhelpful, one.page or ""))),
    )


@dataclass(frozen=True, slots=True)
class Gap:
    """Hold a group of unanswered questions. ``nearest`` is the page that came nearest to most."""

    asked: int
    different: int
    questions: tuple[str, ...]
    nearest: str | None
    title: str


def gaps(records: Sequence[JournalEntry], label: Label, encode: Encode) -> tuple[Gap, ...]:
    """Return the unanswered questions in groups, the largest first.

    Questions whose text is known go together by what they mean, the others by their nearest page.
    """
    asked: dict[str, list[JournalEntry]] = defaultdict(list)
    for one in records:
        if is_gap(one):
            asked[one.question].append(one)
    texts = {key: next((t for t in map(label, group) if t), None) for key, group in asked.items()}
    told = [key for key in asked if texts[key]]
    groups = _by_meaning(sorted(told, key=lambda key: -len(asked[key])), texts, encode)
    untold: dict[str | None, list[str]] = defaultdict(list)
    for key in asked:
        if not texts[key]:
            untold[asked[key][0].nearest].append(key)
    found = [_gap([asked[key] for key in keys], texts) for keys in (*groups, *untold.values())]
    return tuple(sorted(found, key=lambda gap: (-gap.asked, gap.title, gap.questions)))


def _by_meaning(
    keys: Sequence[str], texts: dict[str, str | None], encode: Encode
) -> list[list[str]]:
    """Put each question, the most asked first, to the first group whose first one is near."""
    if not keys:
        return []
    vectors = encode([texts[key] or "" for key in keys])
    groups: list[list[int]] = []
    for number in range(len(keys)):
        cosines = [float(vectors[group[0]] @ vectors[number]) for group in groups]
        best = max(range(len(groups)), key=cosines.__getitem__, default=None)
        if best is not None and cosines[best] >= SAME_MATTER:
            groups[best].append(number)
        else:
            groups.append([number])
    return [[keys[number] for number in group] for group in groups]


def _gap(questions: Sequence[Sequence[JournalEntry]], texts: dict[str, str | None]) -> Gap:
    records = [one for group in questions for one in group]
    pages: dict[tuple[str | None, str], int] = defaultdict(int)
    for one in records:
        pages[one.nearest, one.title] += 1
    nearest, title = max(pages, key=lambda page: pages[page])
    said = [texts[group[0].question] for group in sorted(questions, key=lambda group: -len(group))]
    examples = tuple(text for text in said if text)[:EXAMPLES]
    return Gap(len(records), len(questions), examples, nearest, title)
