"""What an owner does with kept answers: list, pin, remove, add up; answers written beforehand."""

from __future__ import annotations

import asyncio
import math
import os
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from rag.cache import AnswerCache, Request
from rag.core.answers import Answer, Source, worth_keeping_s
from rag.core.documents import PageRecord
from rag.core.errors import HelpError
from rag.core.invocation import command
from rag.core.protocols import AnswerStore
from rag.core.records import CachedAnswer, CacheStats
from rag.question import read_question
from rag.question.normalization import normal_form

TIMEOUT_S = 10.0
CLEAR_S = 30.0
BATCH = 500
# as the log line shows it, and as `cache list` does
KEY = re.compile(r"(?:ai_response:)?([0-9a-f]{5,64})(?:\.\.\.|…)?")
HITS = ("exact", "semantic", "waited")
NICENESS = 10
QUIET_S = 5.0  # after somebody was answered, others may be about to ask
PATIENCE_S = 60.0  # a busy site is not waited for for ever
FAILURES = 5  # in a row: the model is not there any more
OnProgress = Callable[[int, int], None]


def every_entry(store: AnswerStore) -> Iterator[CachedAnswer]:
    """Yield all entries, the last used first, expired ones too. Raises: SearchUnavailable."""
    offset = 0
    while found := store.entries(BATCH, offset, TIMEOUT_S):
        yield from found
        offset += BATCH


def entries_named(store: AnswerStore, which: str) -> list[CachedAnswer]:
    """Return the entries of a question, or whose key begins so; one key at most begins so.

    Raises: HelpError when there is none, or when several keys begin so; SearchUnavailable.
    """
    key = KEY.fullmatch(which.strip())
    if key:
        found = [entry for entry in every_entry(store) if entry.key.startswith(key[1])]
    else:
        form = normal_form(which)
        found = [entry for entry in every_entry(store) if normal_form(entry.question) == form]
    if not found:
        raise HelpError(f"No kept answer is that of {which!r}. See: {command('cache list')}")
    if key and len(found) > 1:
        keys = ", ".join(entry.key[: len(key[1]) + 3] for entry in found)
        raise HelpError(f"Several keys begin with {key[1]}: {keys}. Give more digits.")
    return found


def pinned_answer(text: str, pages: Sequence[PageRecord]) -> Answer:
    """Return the owner's own words as an answer whose sources are these pages."""
    sources = tuple(
        Source(number, page.title, "", page.url, page.id, 1.0)
        for number, page in enumerate(pages, 1)
    )
    first = pages[0]
    return Answer(
        text,
        page_effective=first.id,
        see_also=first.see_also,
        sources=sources,
        retrieved=sources,
        actions=first.actions,
    )


def clear(store: AnswerStore, page: str | None, *, pinned: bool) -> int:
    """Remove entries, those of one page or all; the pinned ones too if ``pinned``.

    Returns how many were removed. Raises: SearchUnavailable.
    """
    if page is None:
        return store.clear(CLEAR_S, keep_pinned=not pinned)
    if pinned:
        return store.drop_page(page, CLEAR_S)
    entries = list(every_entry(store))
    return drop(store, [one for one in entries if page in one.pages and not one.pinned])


def drop(store: AnswerStore, entries: Sequence[CachedAnswer]) -> int:
    """Remove entries. Returns how many were there. Raises: SearchUnavailable."""
    return store.drop([entry.key for entry in entries], CLEAR_S) if entries else 0


def report_false_hit(store: AnswerStore, entries: Sequence[CachedAnswer]) -> None:
    """Remove answers that were served to another question, and count that once."""
    drop(store, entries)
    store.count("false_hits", TIMEOUT_S)


def figures(stats: CacheStats) -> dict[str, Any]:
    """Return what `cache stats --json` prints. ``hit_rate`` is None before the first question."""
    counted = {name: int(stats.counters.get(name, 0)) for name in (*HITS, "missed")}
    hits = sum(counted[name] for name in HITS)
    asked = hits + counted["missed"]
    return {
        "entries": stats.entries,
        "bytes": stats.bytes,
        "pinned": stats.pinned,
        **counted,
        "hit_rate": round(hits / asked, 4) if asked else None,
        "saved_s": round(stats.counters.get("saved_ms", 0.0) / 1000, 1),
        "false_hits": int(stats.counters.get("false_hits", 0)),
        "warmed": int(stats.counters.get("warmed", 0)),
        "oldest": stats.oldest,
        "newest": stats.newest,
        "pages": stats.pages,
    }


@dataclass(slots=True)
class Warmed:
    """Hold how far it got: ``kept`` of those ``answered``; ``skipped`` were kept already.

    ``not_kept`` counts the reasons why the others were not.
    """

    questions: int = 0
    skipped: int = 0
    answered: int = 0
    kept: int = 0
    not_kept: Counter[str] = field(default_factory=Counter)


def questions_to_warm(
    records: Mapping[str, PageRecord], store: AnswerStore, *, most_asked: bool = False
) -> list[str]:
    """Return the questions that are worth an answer at hand, each once.

    First those asked most, by the hits of their kept answers; then, unless ``most_asked``, the
    pages' own questions, a page's first one before any page's second, and the titles.
    Raises: SearchUnavailable.
    """
    asked = [
        entry
        for entry in every_entry(store)
        if entry.hits and not (entry.pinned or entry.scope.page or entry.scope.conversation)
    ]
    asked.sort(key=lambda entry: -entry.hits)
    found = [entry.question for entry in asked]
    if not most_asked:
        pages = [records[name] for name in sorted(records)]
        rounds = zip_longest(*(page.questions for page in pages))
        found += [question for one in rounds for question in one if question]
        found += [page.title for page in pages]
    return _once(found)


class Warmer:
    """Have questions answered and kept one after the other, giving way to those who ask."""

    def __init__(
        self,
        cache: AnswerCache,
        store: AnswerStore,
        *,
        quiet_s: float = QUIET_S,
    ) -> None:
        self._cache = cache
        self._store = store
        self._quiet_s = quiet_s
        self._askers: float | None = None
        self.done = Warmed()

    async def warm(
        self,
        answered: Callable[[str], Awaitable[Answer]],
        questions: list[str],
        limit: int | None = None,
        on_progress: OnProgress = lambda done, total: None,
    ) -> None:
        """Have those ``answered`` that are not kept yet, at most ``limit``; `done` tells how far.

        Stopped at any point, it goes on where it was when it is called again. Raises: HelpError
        when the model stops answering; SearchUnavailable.
        """
        be_nice()
        self.done.questions = len(questions)
        failures = 0
        for number, question in enumerate(questions):
            on_progress(number, len(questions))
            if self.done.answered == limit:
                break
            if self._held(question):
                self.done.skipped += 1
                continue
            await self._wait_for_quiet()
            answer = await answered(question)
            failures = failures + 1 if self._note(question, answer) else 0
            if failures == FAILURES:
                raise HelpError(
                    f"The model gave no answer {FAILURES} times in a row: {answer.reason}."
                    f" See: {command('ask …')}, then run this again: it goes on from here."
                )
        on_progress(len(questions), len(questions))

    def _held(self, question: str) -> bool:
        return self._cache.holds(_request(question), TIMEOUT_S)

    def _note(self, question: str, answer: Answer) -> bool:
        """Count an answer; say whether the model failed."""
        self.done.answered += 1
        reason = why_not_kept(answer)
        if reason is None and not self._held(question):
            reason = "the cache did not take it"
        if reason is None:
            self.done.kept += 1
        else:
            self.done.not_kept[reason] += 1
        return answer.degraded

    async def _wait_for_quiet(self) -> None:
        """Wait while others are being answered."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            before, self._askers = self._askers, self._count_askers()
            if before in {None, self._askers}:
                return
            await asyncio.sleep(self._quiet_s)

    def _count_askers(self) -> float:
        counters = self._store.stats(TIMEOUT_S).counters
        return sum(counters.get(name, 0.0) for name in (*HITS, "missed"))


def why_not_kept(answer: Answer) -> str | None:
    """Return in a few words why an answer is not kept for long, None when it is."""
    if worth_keeping_s(answer) == math.inf:
        return None
    if not answer.answered:
        return "the pages do not answer"
    if answer.degraded:
        return f"extract: {answer.reason}"
    if answer.truncated:
        return "cut short by the time limit"
    return "the pages do not support all of it"


def be_nice() -> None:
    """Let every other program go first, where the system knows how."""
    with suppress(AttributeError, OSError):  # not on Windows
        os.nice(max(0, NICENESS - os.nice(0)))


def _request(question: str) -> Request:
    return Request(read_question(question))


def _once(questions: Iterable[str]) -> list[str]:
    """Return the questions without those that say the same as an earlier one."""
    return list({normal_form(one): one for one in reversed(list(questions))}.values())[::-1]
