"""What is known of a question to its Answer: the model's, the extract, or that there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rag.core.answers import Answer, Confidence, Source, Usage
from rag.core.deadline import Deadline
from rag.core.documents import Hit, PageRecord
from rag.extraction import Extract
from rag.language import messages
from rag.retriever import Retrieval

OTHERS = 2  # pages that may answer, where the first may not
NEAREST_TITLES = 3
SEE_ALSO = 4


@dataclass(frozen=True, slots=True)
class Context:
    """Hold what is known of a question when its answer is written.

    ``retrieved`` are the hits as sources, ``pages`` the records of the hits' pages and of those
    that they link, by id; ``confidence`` is not ``no``. ``cache_ms`` is when it was known that no
    answer is kept, ``search_ms`` when the search was through.
    """

    retrieval: Retrieval
    retrieved: tuple[Source, ...]
    pages: dict[str, PageRecord]
    extract: Extract
    confidence: Confidence
    deadline: Deadline
    search_ms: float
    cache_ms: float = 0.0


@dataclass(slots=True)
class Written:
    """Hold what a model wrote, checked; ``usage`` None: it did not end by itself."""

    model: str = ""
    passages: tuple[Hit, ...] = ()
    text: str = ""
    cited: set[int] = field(default_factory=set)
    dropped: int = 0
    usage: Usage | None = None
    first_token_ms: float | None = None


def written_answer(context: Context, written: Written) -> Answer:
    """Return the answer that the model wrote. Its sources are what it cites, else the best."""
    numbered = enumerate(written.passages, 1)
    cited = tuple(_source(n, hit) for n, hit in numbered if n in written.cited)
    shown = cited or (_best(sources_of(written.passages)),)
    truncated = written.usage is None or written.usage.ended != "stop"
    model = written.model or None
    return _answer(context, written.text, shown, written, model=model, truncated=truncated)


def extract_answer(
    context: Context, reason: str, written: Written | None = None, *, degraded: bool = True
) -> Answer:
    """Return the extractive answer with its reason in the asker's language.

    ``degraded`` False: the model answered, but not from the pages.
    """
    shown = sources_of(context.extract.hits)
    said = messages.message(reason, context.retrieval.question.language)
    written = written or Written()
    extract = context.extract
    answer = _answer(context, extract.text, shown, written, degraded=degraded, reason=said)
    return replace(answer, more=extract.more)


def doubted(extract: Extract, retrieval: Retrieval) -> Extract:
    """Return an extract that may not answer, said as such, with the other pages that may."""
    lang = retrieval.question.language
    shown = {hit.chunk.page for hit in extract.hits}
    others = [hit.chunk.title for hit in retrieval.hits if hit.chunk.page not in shown]
    lines = [messages.message("perhaps", lang), "", extract.text]
    if others:
        lines += ["", messages.message("nearest", lang)]
        lines += [f"- {title}" for title in dict.fromkeys(others[:OTHERS])]
    return replace(extract, text="\n".join(lines))


def unasked(lang: str) -> Answer:
    """Return the answer to a question without a word."""
    return Answer(messages.message("empty", lang), answered=False, confidence="no")


def nothing_found(retrieval: Retrieval, deadline: Deadline) -> Answer:
    """Return the answer that says that the pages do not answer, with the nearest titles."""
    nearest = list(dict.fromkeys(hit.chunk.title for hit in retrieval.hits))[:NEAREST_TITLES]
    lang = retrieval.question.language
    lines = [messages.message("nothing", lang)]
    if nearest:
        lines += [messages.message("nearest", lang), *(f"- {title}" for title in nearest)]
    return Answer(
        "\n".join(lines),
        see_also=tuple(dict.fromkeys(hit.chunk.page for hit in retrieval.hits))[:SEE_ALSO],
        retrieved=sources_of(retrieval.hits),
        legs=_legs(retrieval.hits),
        timings={"total_ms": _ms(deadline)},
        answered=False,
        confidence="no",
    )


def unsearched(lang: str, deadline: Deadline) -> Answer:
    """Return the answer that says that the search does not answer."""
    return Answer(
        messages.message("search", lang),
        degraded=True,
        reason=messages.message("unsearched", lang),
        timings={"total_ms": _ms(deadline)},
        answered=False,
        confidence="no",
    )


def sources_of(hits: Sequence[Hit]) -> tuple[Source, ...]:
    """Return the hits as sources, numbered from 1 in their order."""
    return tuple(_source(n, hit) for n, hit in enumerate(hits, 1))


def _source(n: int, hit: Hit) -> Source:
    chunk = hit.chunk
    return Source(n, chunk.title, chunk.heading, chunk.url, chunk.page, round(hit.score, 4))


def _answer(
    context: Context,
    text: str,
    sources: tuple[Source, ...],
    written: Written,
    *,
    model: str | None = None,
    truncated: bool = False,
    degraded: bool = False,
    reason: str | None = None,
) -> Answer:
    effective = _best(sources).page
    record = context.pages.get(effective)
    return Answer(
        text=text,
        page_effective=effective,
        see_also=_see_also(context, effective),
        sources=sources,
        retrieved=context.retrieved,
        actions=record.actions if record else (),
        legs=_legs(context.retrieval.hits),
        timings=_timings(context, written),
        degraded=degraded,
        reason=reason,
        truncated=truncated,
        unsupported=written.dropped,
        model=model,
        usage=written.usage,
        confidence=context.confidence,
    )


def _see_also(context: Context, page: str) -> tuple[str, ...]:
    """Return the page's own links to pages that are there, then the other pages found."""
    record = context.pages.get(page)
    linked = [other for other in record.see_also if other in context.pages] if record else []
    found = (hit.chunk.page for hit in context.retrieval.hits)
    related = (other for other in (*linked, *found) if other != page)
    return tuple(dict.fromkeys(related))[:SEE_ALSO]


def _best(sources: Sequence[Source]) -> Source:
    """Return the source of the highest score, the first of equals."""
    return max(sources, key=lambda source: source.score)


def _legs(hits: Sequence[Hit]) -> tuple[str, ...]:
    return tuple(sorted({leg for hit in hits for leg in hit.legs}))


def _timings(context: Context, written: Written) -> dict[str, float]:
    timings = {
        "cache_ms": context.cache_ms,
        "encode_ms": context.retrieval.encode_ms,
        "search_ms": context.search_ms,
        "total_ms": _ms(context.deadline),
    }
    if written.first_token_ms is not None:
        timings["first_token_ms"] = written.first_token_ms
    return timings


def _ms(deadline: Deadline) -> float:
    return round(deadline.spent_s() * 1000, 1)
