"""What an owner does with kept answers: look through them, pin, remove, report, add up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from rag.core.answers import Answer, Source
from rag.core.documents import PageRecord
from rag.core.errors import HelpError
from rag.core.invocation import command
from rag.core.protocols import AnswerStore
from rag.core.records import CachedAnswer, CacheStats
from rag.question.normalization import normal_form

TIMEOUT_S = 10.0
CLEAR_S = 30.0
BATCH = 500
# as the log line shows it, and as `cache list` does
KEY = re.compile(r"(?:ai_response:)?([0-9a-f]{5,64})(?:\.\.\.|…)?")
HITS = ("exact", "semantic", "waited")


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
