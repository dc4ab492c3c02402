"""The pipeline of one question, top to bottom: cache, retrieve, gate, extract, generate, keep.

It is one asynchronous generator of events; the command line, the WebSocket and the JSON endpoint
are renderings of it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Self

from rag import gate
from rag.answers import (
    Context,
    doubted,
    extract_answer,
    nothing_found,
    sources_of,
    unasked,
    unsearched,
)
from rag.cache import Flight, Request
from rag.conversation import SharedConversations
from rag.core.answers import Answer, AnswerEvent, CompleteEvent, SourcesEvent
from rag.core.deadline import Deadline
from rag.core.documents import Hit
from rag.core.errors import HelpError, SearchUnavailable
from rag.core.protocols import Store
from rag.core.records import Turn
from rag.extraction import extract_answer as extract_from
from rag.extraction.coverage import SubwordEncoder
from rag.prompt import Draft
from rag.question import read_question
from rag.question.small_talk import Replies, SmallTalk, reply_to
from rag.retriever import Retrieval, Retriever, check_length
from rag.search import Search
from rag.writing.once import Writing, replayed, write_once
from rag.writing.transcript import Transcript

logger = logging.getLogger(__name__)


class Assistant:
    """Answer questions from an index; ``writer`` None answers with extracts alone.

    ``flight`` looks answers up and keeps them; ``encoder`` helps to choose what of a page
    answers, and to tell which of the model's sentences the passages support; ``replies`` are the
    operator's own to small talk.
    """

    def __init__(
        self,
        store: Store,
        retriever: Retriever,
        writer: Writing | None,
        *,
        timeout_s: float,
        flight: Flight | None = None,
        encoder: SubwordEncoder | None = None,
        conversations: SharedConversations | None = None,
        replies: Replies | None = None,
    ) -> None:
        self._search = Search(store, retriever)
        self._writer = writer
        self._timeout_s = timeout_s
        self._flight = flight or Flight(None)
        self._encoder = encoder
        self._conversations = conversations or SharedConversations()
        self._replies = replies or {}
        self._running: dict[Deadline, str | None] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def answer(
        self,
        question: str,
        *,
        page: str | None = None,
        k: int = 5,
        conversation_id: str | None = None,
    ) -> Answer:
        """Return the whole answer. Raises what `stream` raises."""
        events = self.stream(question, page=page, k=k, conversation_id=conversation_id)
        async with aclosing(events):
            async for event in events:
                if isinstance(event, CompleteEvent):
                    return event.answer
        raise HelpError("The stream ended without an answer.")

    async def stream(
        self,
        question: str,
        *,
        page: str | None = None,
        k: int = 5,
        conversation_id: str | None = None,
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Yield the events of a question; exactly one `CompleteEvent`, last.

        ``page`` is the page that the asker is on; ``conversation_id`` keeps what was asked before,
        so that a follow-up is understood. The chunks' contents, joined, are the answer's text,
        unless it has a ``reason`` or answers nothing: it then replaces them.

        Raises: QuestionRefused for a question over `LONGEST_QUESTION` characters or an id that is
        too long; IndexMissing and IndexMismatch, which only the operator can cure. A store or
        model that does not answer gives a degraded answer instead.
        """
        check_length(question)
        deadline = Deadline(self._timeout_s)
        turns = await self._conversations.turns(conversation_id)
        read = read_question(question, turns)
        talk = read.small_talk
        lang = talk.language if talk else read.language
        if not question.strip():
            yield CompleteEvent(unasked(lang), lang)
            return
        if read.follows:  # it stays near the last answer's page
            page = page or next(iter(turns[-1].pages), "")
        request = Request(read, page or "", k)
        pages: tuple[str, ...] = ()
        replied = False
        self._running[deadline] = conversation_id
        try:
            async with aclosing(self._events(request, deadline)) as events:
                async for event in events:
                    if not isinstance(event, CompleteEvent):
                        yield event
                        continue
                    pages = tuple(dict.fromkeys(one.page for one in event.answer.sources))
                    replied = event.answer.talk is not None
                    yield CompleteEvent(event.answer, lang)
        finally:  # a follow-up may come after an answer that was stopped
            del self._running[deadline]
            if not replied:  # small talk is no topic
                turn = Turn(question, read.standalone, pages)
                await self._conversations.add(conversation_id, turn)

    def cut_short(self, conversation_id: str | None = None) -> None:
        """End the time of answers under way: each is what it is so far, or the extract.

        Those of one conversation were stopped by their asker, all of them by the operator.
        """
        for deadline, its_conversation in self._running.items():
            if conversation_id is None:
                deadline.cut("stopping")
            elif conversation_id == its_conversation:
                deadline.cut("stopped")

    async def load(self) -> None:
        """Load the index."""
        await self._search.warm()

    async def warm(self) -> bool:
        """Load the index, the model and its rules; say whether the model answers.

        The model may take minutes.
        """
        await self.load()
        return self._writer is not None and await self._writer.warm()

    async def close(self) -> None:
        """End what is under way in the background; the store stays open."""
        if self._writer is not None:
            await self._writer.close()

    async def _events(
        self, request: Request, deadline: Deadline
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Yield a kept answer's events, or those of a new one."""
        kept = await self._flight.find(request, deadline, self._with_living_links)
        if kept is not None:
            answer = replace(kept.answer, timings=_total(deadline))
            try:
                for event in (SourcesEvent(answer.retrieved, answer.text), *replayed(answer)):
                    yield event
            finally:
                await self._flight.count(kept)
            return
        talk = request.question.small_talk
        if talk and not talk.searched:
            yield CompleteEvent(self._reply(talk, deadline))
            return
        try:
            context = await self._context(request, deadline)
        except SearchUnavailable as error:
            logger.warning("%s", error)
            yield CompleteEvent(unsearched(request.question.language, deadline))
            return
        if isinstance(context, Answer):
            yield CompleteEvent(context)
            return
        yield SourcesEvent(context.retrieved, context.extract.text)
        if self._writer is None:
            yield CompleteEvent(extract_answer(context, "off"))
            return
        draft = Draft(context.retrieval.question, _read_hits(context))
        transcript = Transcript(context, self._encoder)
        events = write_once(self._writer, self._flight, request, draft, transcript)
        async with aclosing(events):
            async for event in events:
                yield event

    async def _context(self, request: Request, deadline: Deadline) -> Context | Answer:
        """Return what is found, or the answer that nothing is. Raises: SearchUnavailable…"""
        page = request.page or None
        cache_ms = _spent_ms(deadline)
        found = await self._search.find(request.question, page, request.k, deadline, _answers)
        retrieval = found.retrieval
        confidence = gate.confidence(retrieval.evidence)
        talk = request.question.small_talk
        if talk and confidence != "sure":
            return self._reply(talk, deadline)
        if confidence == "no":
            return nothing_found(retrieval, deadline)
        extract = extract_from(retrieval.question, retrieval.passages, found.chunks, self._encoder)
        if confidence == "perhaps":
            extract = doubted(extract, retrieval)
        search_ms = _spent_ms(deadline)
        retrieved = sources_of(retrieval.hits)
        times_ms = (search_ms, cache_ms)
        return Context(retrieval, retrieved, found.pages, extract, confidence, deadline, *times_ms)

    def _reply(self, talk: SmallTalk, deadline: Deadline) -> Answer:
        return Answer(reply_to(talk, self._replies), timings=_total(deadline), talk=talk.kind)

    def _with_living_links(self, answer: Answer, timeout_s: float) -> Answer:
        """Return a kept answer without what it would name of pages that are gone since."""
        found = {source.page for source in answer.retrieved}
        living = self._search.existing(sorted({*answer.see_also, *found}), timeout_s)
        return replace(
            answer,
            see_also=tuple(page for page in answer.see_also if page in living),
            retrieved=tuple(source for source in answer.retrieved if source.page in living),
        )


def _answers(retrieval: Retrieval) -> bool:
    return gate.answers(retrieval.evidence)


def _total(deadline: Deadline) -> dict[str, float]:
    return {"total_ms": _spent_ms(deadline)}


def _spent_ms(deadline: Deadline) -> float:
    return round(deadline.spent_s() * 1000, 1)


def _read_hits(context: Context) -> tuple[Hit, ...]:
    """Return the hits that the model reads, the passage of the extract first."""
    best, hits = context.extract.hits[0], context.retrieval.passages
    others = [hit for hit in hits if hit.chunk.id != best.chunk.id]
    return (best, *others)[: len(hits)]
