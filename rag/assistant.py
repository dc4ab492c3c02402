"""The pipeline of one question, top to bottom: retrieve, gate, extract, generate, check.

It is one asynchronous generator of events; the command line, the WebSocket and the JSON endpoint
are renderings of it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from rag import gate, messages
from rag.analysis import question_language
from rag.deadline import Deadline, bounded
from rag.errors import (
    DeadlineExceeded,
    HelpError,
    IndexFault,
    ModelUnavailable,
    SearchUnavailable,
)
from rag.extract import Extract, extract_answer
from rag.generators import Generator
from rag.prompt import REFUSAL, Prompt, build_prompt
from rag.retriever import Retrieval, Retriever, check_length
from rag.types import (
    Answer,
    Chunk,
    ChunkEvent,
    CompleteEvent,
    Event,
    Hit,
    PageRecord,
    Source,
    SourcesEvent,
    Store,
)

SEARCH_SHARE = 0.3  # of the deadline, at most, goes to retrieval
NEAREST_TITLES = 3
SEE_ALSO = 4
CITATION = re.compile(r"\s?\[\d{1,3}(?:\s*[,;]\s*\d{1,3})*\]")
LATE_SEARCH = "The search did not answer in time."
logger = logging.getLogger(__name__)


class Assistant:
    """Answer questions from an index; ``generator`` None answers with extracts alone."""

    def __init__(
        self,
        store: Store,
        retriever: Retriever,
        generator: Generator | None,
        *,
        timeout_s: float,
    ) -> None:
        self._store = store
        self._retriever = retriever
        self._generator = generator
        self._timeout_s = timeout_s

    async def answer(self, question: str, *, page: str | None = None, k: int = 5) -> Answer:
        """Return the whole answer. Raises what `stream` raises."""
        async with aclosing(self.stream(question, page=page, k=k)) as events:
            async for event in events:
                if isinstance(event, CompleteEvent):
                    return event.answer
        raise HelpError("The stream ended without an answer.")

    async def stream(
        self, question: str, *, page: str | None = None, k: int = 5
    ) -> AsyncGenerator[Event, None]:
        """Yield the events of a question; exactly one `CompleteEvent`, last.

        Raises: QuestionRefused for a question over `LONGEST_QUESTION` characters; IndexMissing and
        IndexMismatch, which only the operator can cure. A store or model that does not answer
        gives a degraded answer instead.
        """
        check_length(question)
        deadline = Deadline(self._timeout_s)
        lang = question_language(question)
        if not question.strip():
            yield CompleteEvent(Answer(messages.message("empty", lang), answered=False))
            return
        try:
            retrieval = await self._retrieve(question, page, k, deadline)
        except (SearchUnavailable, TimeoutError) as error:
            logger.warning("%s", str(error) or LATE_SEARCH)
            yield CompleteEvent(_unsearched(lang, deadline))
            return
        if not gate.answers(retrieval.evidence):
            yield CompleteEvent(_nothing(retrieval, lang, deadline))
            return
        pages, section = await self._context(retrieval.hits, deadline)
        extract = extract_answer(question, retrieval.hits, section)
        context = Context(lang, retrieval, pages, extract, deadline)
        yield SourcesEvent(_sources(retrieval.hits), extract.text)
        async with aclosing(self._generate(question, context)) as events:
            async for event in events:
                yield event

    async def _retrieve(
        self, question: str, page: str | None, k: int, deadline: Deadline
    ) -> Retrieval:
        limit_s = deadline.left_s() * SEARCH_SHARE
        return await bounded(
            lambda: self._retriever.retrieve(question, k, page=page, timeout_s=limit_s), limit_s
        )

    async def _context(
        self, hits: Sequence[Hit], deadline: Deadline
    ) -> tuple[dict[str, PageRecord], list[Chunk]]:
        """Return the hits' pages, and the chunks of the best hit's page in order."""
        limit_s = deadline.left_s(SEARCH_SHARE * self._timeout_s)
        try:
            return await bounded(lambda: self._read_pages(hits, limit_s), limit_s)
        except (SearchUnavailable, IndexFault, TimeoutError) as error:
            logger.warning("%s", str(error) or LATE_SEARCH)
            return {}, []

    def _read_pages(
        self, hits: Sequence[Hit], limit_s: float
    ) -> tuple[dict[str, PageRecord], list[Chunk]]:
        deadline = Deadline(limit_s)
        ids = list(dict.fromkeys(hit.chunk.page for hit in hits))
        pages = self._store.pages(ids, deadline.left_s())
        best = pages.get(hits[0].chunk.page)
        listed = best.chunk_ids if best else ()
        chunks = self._store.chunks(listed, deadline.left_s())
        return pages, [chunks[i] for i in listed if i in chunks]

    async def _generate(self, question: str, context: Context) -> AsyncGenerator[Event, None]:
        if self._generator is None:
            yield CompleteEvent(context.degraded("off"))
            return
        prompt = build_prompt(question, context.retrieval.hits)
        written: list[str] = []
        reason = "silent"
        try:
            async with aclosing(self._generator.stream(prompt, context.deadline)) as pieces:
                async for piece in pieces:
                    written.append(piece)
                    yield ChunkEvent(piece)
        except ModelUnavailable as error:
            logger.warning("%s", error)
            reason = error.reason
        except DeadlineExceeded:
            reason = "late"
        yield CompleteEvent(context.complete("".join(written), prompt, reason))


class Context:
    """Hold what is known of a question when its answer is written."""

    def __init__(
        self,
        lang: str,
        retrieval: Retrieval,
        pages: dict[str, PageRecord],
        extract: Extract,
        deadline: Deadline,
    ) -> None:
        self.lang = lang
        self.retrieval = retrieval
        self.pages = pages
        self.extract = extract
        self.deadline = deadline

    def complete(self, written: str, prompt: Prompt, reason: str) -> Answer:
        """Return the model's answer, cut at its last sentence if it was stopped, or the extract."""
        text = written.strip()
        truncated = reason in {"late", "failed"}
        if truncated:
            text = whole_sentences(text)
        if not text:
            return self.degraded(reason)
        if says_nothing(text):
            return _nothing(self.retrieval, self.lang, self.deadline)
        sources = _sources(prompt.passages)
        text, cited = checked_citations(text, len(sources))
        shown = tuple(s for s in sources if s.n in cited) or (_best(sources),)
        return self._answer(text, shown, truncated=truncated)

    def degraded(self, reason: str) -> Answer:
        """Return the extractive answer with its reason in the asker's language."""
        shown = _sources([self.extract.hit])
        said = messages.message(reason, self.lang)
        return self._answer(self.extract.text, shown, reason=said)

    def _answer(
        self,
        text: str,
        sources: tuple[Source, ...],
        *,
        reason: str | None = None,
        truncated: bool = False,
    ) -> Answer:
        effective = _best(sources).page
        record = self.pages.get(effective)
        return Answer(
            text=text,
            page_effective=effective,
            see_also=self._see_also(effective),
            degraded=reason is not None,
            reason=reason,
            sources=sources,
            retrieved=_sources(self.retrieval.hits),
            actions=record.actions if record else (),
            legs=_legs(self.retrieval.hits),
            timings=_timings(self.deadline),
            truncated=truncated,
        )

    def _see_also(self, page: str) -> tuple[str, ...]:
        """Return the page's own links, then the other pages found."""
        record = self.pages.get(page)
        linked = record.see_also if record else ()
        found = (hit.chunk.page for hit in self.retrieval.hits)
        related = (other for other in (*linked, *found) if other != page)
        return tuple(dict.fromkeys(related))[:SEE_ALSO]


def whole_sentences(text: str) -> str:
    """Return the text up to its last whole sentence or line; empty when there is none."""
    ends = [m.end() for m in re.finditer(r"[.!?…»](?:\s?\[\d+\])*(?=\s|$)|\n", text)]
    return text[: ends[-1]].rstrip() if ends else ""


def says_nothing(text: str) -> bool:
    """Say whether the model wrote, as its rules ask, that the pages do not answer."""
    return _bare(CITATION.sub("", text)) == _bare(REFUSAL)


def _bare(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip().casefold()


def checked_citations(text: str, count: int) -> tuple[str, set[int]]:
    """Return the text without citations of passages that were not sent, and the numbers cited."""
    cited: set[int] = set()

    def kept(found: re.Match[str]) -> str:
        numbers = [n for n in map(int, re.findall(r"\d+", found.group())) if 1 <= n <= count]
        cited.update(numbers)
        return f" [{', '.join(map(str, numbers))}]" if numbers else ""

    return CITATION.sub(kept, text), cited


def _best(sources: Sequence[Source]) -> Source:
    """Return the source of the highest score, the first of equals."""
    return max(sources, key=lambda source: source.score)


def _sources(hits: Sequence[Hit]) -> tuple[Source, ...]:
    return tuple(
        Source(
            n=n,
            title=hit.chunk.title,
            heading=hit.chunk.heading,
            url=hit.chunk.url,
            page=hit.chunk.page,
            score=round(hit.score, 4),
        )
        for n, hit in enumerate(hits, 1)
    )


def _legs(hits: Sequence[Hit]) -> tuple[str, ...]:
    return tuple(sorted({leg for hit in hits for leg in hit.legs}))


def _timings(deadline: Deadline) -> dict[str, float]:
    return {"total_ms": round(deadline.spent_s() * 1000, 1)}


def _nothing(retrieval: Retrieval, lang: str, deadline: Deadline) -> Answer:
    nearest = list(dict.fromkeys(hit.chunk.title for hit in retrieval.hits))[:NEAREST_TITLES]
    lines = [messages.message("nothing", lang)]
    if nearest:
        lines += [messages.message("nearest", lang), *(f"- {title}" for title in nearest)]
    return Answer(
        "\n".join(lines),
        see_also=tuple(dict.fromkeys(hit.chunk.page for hit in retrieval.hits))[:SEE_ALSO],
        retrieved=_sources(retrieval.hits),
        legs=_legs(retrieval.hits),
        timings=_timings(deadline),
        answered=False,
    )


def _unsearched(lang: str, deadline: Deadline) -> Answer:
    return Answer(
        messages.message("search", lang),
        degraded=True,
        reason=messages.message("unsearched", lang),
        timings=_timings(deadline),
        answered=False,
    )
