"""Kept answers: an identical question's, else a very similar one's, never another question's.

Within a deadline, one generation serves all who ask the same at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TypeAlias, TypeVar

from rag.cache.match import match
from rag.core.answers import Answer, read_answer, worth_keeping_s
from rag.core.deadline import CircuitBreaker, Deadline, Guarded
from rag.core.documents import Hit, PageRecord
from rag.core.errors import SearchUnavailable
from rag.core.protocols import AnswerStore
from rag.core.records import CachedAnswer, Counted, Scope
from rag.encoders.static import StaticEncoder
from rag.question import Question
from rag.question.signature import QuestionSignature

CANDIDATES = 8  # of which a guard may refuse some
LEASE_MARGIN_S = 1.0
PINNED = "pinned"  # the owner's own words stand, whatever model and settings
KEY_PREFIX = "ai_response:"
# the form is the users': their guide and their log filters name it
HIT_LINE = "Réponse récupérée du cache pour la clé: %s%s..."
logger = logging.getLogger("rag.cache.answers")  # the name is the users': their guide shows it
Result = TypeVar("Result")
Refresh: TypeAlias = Callable[[Answer, float], Answer]  # within so many seconds
LOOK_UP_S = 0.3
KEEP_S = 0.3  # the first of a process loads what it is compared by
POLL_S = 0.05
LEFT_S = 0.3  # before the deadline, waiting ends: the extract is shown


@dataclass(frozen=True, slots=True)
class Request:
    """Hold what a kept answer is looked up by, its question not mended.

    ``page`` is the asker's, mostly empty; ``k`` is the number of hits that are read.
    """

    question: Question
    page: str = ""
    k: int = 5


@dataclass(frozen=True, slots=True)
class Kept:
    """Hold an answer that was found, with its entry and the kind of the hit."""

    answer: Answer
    entry: CachedAnswer
    kind: Counted


class AnswerCache:
    """Look answers up and keep them; ``fingerprint`` stands for all that would change them.

    ``made`` is what an answer that had to be written counts as. What an asker waits for never
    raises: a store that fails is passed by, with a warning.
    """

    def __init__(
        self,
        store: AnswerStore,
        encoder: Callable[[], StaticEncoder],
        fingerprint: str,
        *,
        ttl_s: float,
        made: Counted = "missed",
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._fingerprint = fingerprint
        self._ttl_s = ttl_s
        self._made = made
        self._owner = uuid.uuid4().hex
        self._writing: dict[str, float] = {}  # what this process writes, and until when
        self._lock = threading.Lock()

    def find(self, request: Request, timeout_s: float) -> Kept | None:
        """Return the answer kept for a question, ``cached`` saying how it was found.

        It is the caller's to `count` once it was served.
        """
        try:
            exact = self._exact(request, timeout_s)
            if exact is not None:
                return _kept(exact, "exact")
            similar = self._similar(request, timeout_s)
            return _kept(similar, "semantic") if similar else None
        except SearchUnavailable as error:
            logger.warning("The answer cache is passed by: %s", error)
            return None

    def holds(self, request: Request, timeout_s: float) -> bool:
        """Say whether a question would be answered from what is kept; this counts as no hit.

        Raises: SearchUnavailable.
        """
        return bool(self._exact(request, timeout_s) or self._similar(request, timeout_s))

    def await_exact(self, request: Request, timeout_s: float) -> Kept | None:
        """Return the answer that another one was writing, if it has come; to `count` as above."""
        try:
            entry = self._exact(request, timeout_s)
            return _kept(entry, "waited") if entry else None
        except SearchUnavailable:
            return None

    def count(self, kept: Kept, timeout_s: float) -> None:
        """Count a hit; a write that no asker has to wait for."""
        self._store.touch(kept.entry, kept.kind, time.time(), timeout_s)

    def claim(self, request: Request, lease_s: float, timeout_s: float) -> bool:
        """Say whether this caller is the one to have the answer written."""
        key = self._key(request, self._fingerprint)
        lease_s += LEASE_MARGIN_S
        with self._lock:  # the store knows processes, not who asks in them
            now = time.monotonic()
            if self._writing.get(key, now) > now:
                return False
            self._writing[key] = now + lease_s
        claimed = self._store.claim(key, self._owner, lease_s, time.time(), timeout_s)
        if not claimed:
            self._written(key)
        return claimed

    def release(self, request: Request, timeout_s: float) -> None:
        """Let others write the answer."""
        key = self._key(request, self._fingerprint)
        self._store.release(key, self._owner, timeout_s)
        self._written(key)

    def keep(
        self,
        request: Request,
        answer: Answer,
        hits: tuple[Hit, ...],
        pages: Mapping[str, PageRecord],
        timeout_s: float,
    ) -> bool:
        """Keep an answer written from these passages, if it is whole and fully supported."""
        self._store.count(self._made, timeout_s)
        cited = [source.page for source in answer.sources]
        used = dict.fromkeys([*cited, *(hit.chunk.page for hit in hits)])
        ttl_s = min(self._ttl_s, worth_keeping_s(answer))
        if ttl_s <= 0 or not used.keys() <= pages.keys():
            return False
        hashes = {page: pages[page].hash for page in used}
        chunks = tuple(dict.fromkeys(hit.chunk.id for hit in hits))
        entry = self._entry(request, answer, hashes, chunks)
        entry = replace(entry, expires_at=entry.created_at + ttl_s)
        return self._store.put(entry, timeout_s)

    def pin(
        self, request: Request, answer: Answer, pages: Mapping[str, PageRecord], timeout_s: float
    ) -> CachedAnswer | None:
        """Keep the owner's own words for a question, as long as their pages stay as they are.

        Returns the entry, None when the store does not take it.
        """
        hashes = {page: record.hash for page, record in pages.items()}
        entry = replace(self._entry(request, answer, hashes, (), PINNED), pinned=True)
        return entry if self._store.put(entry, timeout_s) else None

    def _written(self, key: str) -> None:
        with self._lock:
            self._writing.pop(key, None)

    def _exact(self, request: Request, timeout_s: float) -> CachedAnswer | None:
        for fingerprint in (PINNED, self._fingerprint):
            entry = self._store.get(self._key(request, fingerprint), time.time(), timeout_s)
            if entry is not None:
                return entry
        return None

    def _similar(self, request: Request, timeout_s: float) -> CachedAnswer | None:
        encoder = self._encoder()
        vector = request.question.vector(encoder)
        if not vector.any():
            return None
        for fingerprint in (PINNED, self._fingerprint):
            scope = self._scope(request, fingerprint)
            near = self._store.candidates(scope, vector, CANDIDATES, time.time(), timeout_s)
            for entry, cosine in near:  # most often there is none, and no word need be read
                here = replace(self._asked(request, encoder), page=scope.page)
                if match(QuestionSignature.from_json(entry.asked), here, cosine):
                    return entry
        return None

    def _entry(
        self,
        request: Request,
        answer: Answer,
        pages: dict[str, str],
        chunks: tuple[str, ...],
        fingerprint: str | None = None,
    ) -> CachedAnswer:
        encoder = self._encoder()
        fingerprint = fingerprint or self._fingerprint
        scope = self._scope(request, fingerprint)
        now = time.time()
        return CachedAnswer(
            key=self._key(request, fingerprint),
            scope=scope,
            question=request.question.standalone,
            asked=replace(self._asked(request, encoder), page=scope.page).to_json(),
            answer=asdict(answer),
            pages=pages,
            chunks=chunks,
            created_at=now,
            expires_at=now + self._ttl_s,
            used_at=now,
            saved_ms=answer.timings.get("total_ms", 0.0),
            vector=request.question.vector(encoder),
        )

    def _asked(self, request: Request, encoder: StaticEncoder) -> QuestionSignature:
        read = request.question.signature(encoder)
        return replace(read, page=request.page, conversation=request.question.follows)

    def _scope(self, request: Request, fingerprint: str) -> Scope:
        question = request.question
        if fingerprint == PINNED:  # wherever the asker is
            return Scope(PINNED, question.language, "", question.follows)
        fingerprint = f"{fingerprint}/{request.k}"
        return Scope(fingerprint, question.language, request.page, question.follows)

    def _key(self, request: Request, fingerprint: str) -> str:
        scope = self._scope(request, fingerprint)
        named = (scope.fingerprint, scope.lang, scope.page, scope.conversation)
        parts = (*named, request.question.normal_form)
        return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def _kept(entry: CachedAnswer, kind: Counted) -> Kept:
    logger.info(HIT_LINE, KEY_PREFIX, entry.key[:5])
    answer = read_answer(entry.answer)
    return Kept(replace(answer, cached="semantic" if kind == "semantic" else "exact"), entry, kind)


class Flight:
    """Ask an `AnswerCache` from an event loop; a slow store is passed by for a while.

    ``cache`` None keeps nothing and finds nothing.
    """

    def __init__(self, cache: AnswerCache | None) -> None:
        self._cache = cache
        self._guarded = Guarded(CircuitBreaker(slow_s=LOOK_UP_S / 2))

    async def find(self, request: Request, deadline: Deadline, refresh: Refresh) -> Kept | None:
        """Return the kept answer of a question, if there is one; it is to be counted.

        ``refresh`` brings it up to date, in the thread of the look-up.
        """
        limit_s = deadline.left_s(LOOK_UP_S)

        def look_up(cache: AnswerCache) -> Kept | None:
            kept = cache.find(request, limit_s)
            return replace(kept, answer=refresh(kept.answer, limit_s)) if kept else None

        return await self._asked(look_up, None, limit_s)

    async def count(self, kept: Kept) -> None:
        """Count a hit, after it was served."""
        await self._asked(lambda cache: cache.count(kept, KEEP_S), None, KEEP_S)

    async def join(self, request: Request, deadline: Deadline) -> Answer | None:
        """Return the answer that another one is writing; None when it is the caller's to write.

        Who is to write it calls `release` afterwards. Raises: TimeoutError when the answer does
        not come in time.
        """
        lease_s = deadline.left_s()
        while deadline.left_s() > LEFT_S:
            if await self._asked(
                lambda cache: cache.claim(request, lease_s, LOOK_UP_S), True, LOOK_UP_S
            ):
                return None
            found = await self._asked(
                lambda cache: cache.await_exact(request, LOOK_UP_S), None, LOOK_UP_S
            )
            if found is not None:
                await self.count(found)
                return found.answer
            await asyncio.sleep(POLL_S)
        raise TimeoutError

    async def keep(
        self,
        request: Request,
        answer: Answer,
        hits: tuple[Hit, ...],
        pages: Mapping[str, PageRecord],
    ) -> None:
        """Keep an answer if it is worth it."""
        await self._asked(
            lambda cache: cache.keep(request, answer, hits, pages, KEEP_S), False, KEEP_S
        )

    async def release(self, request: Request) -> None:
        """Let others write the answer of a question."""
        await self._asked(lambda cache: cache.release(request, KEEP_S), None, KEEP_S)

    async def _asked(
        self, call: Callable[[AnswerCache], Result], otherwise: Result, limit_s: float
    ) -> Result:
        cache = self._cache
        if cache is None:
            return otherwise
        return await self._guarded.call(lambda: call(cache), otherwise, limit_s)
