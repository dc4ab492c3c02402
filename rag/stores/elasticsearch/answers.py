"""Kept answers in Elasticsearch, shared by servers: checked against the pages. See AnswerStore."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from elasticsearch import ConflictError

from rag.config.settings import Settings
from rag.core.deadline import Deadline
from rag.core.documents import Vectors
from rag.core.errors import IndexMissing, SearchUnavailable
from rag.core.records import CLOCK_SKEW_S, CachedAnswer, CacheStats, Counted, Scope
from rag.stores.elasticsearch.answer_documents import (
    ANSWER,
    CLAIM,
    COUNTERS,
    MAX_WINDOW,
    TOTALS,
    USED,
    VECTORS,
    answer_id,
    both,
    counted,
    entry_document,
    fresh,
    has_direction,
    key_of,
    near,
    of_kind,
    read_entry,
    read_stats,
)
from rag.stores.elasticsearch.answer_index import AnswerIndex, or_unavailable, unchanged
from rag.stores.elasticsearch.client import Server

EVICT_BATCH = 1_000
Result = TypeVar("Result")
logger = logging.getLogger(__name__)


def evict(
    index: AnswerIndex, max_entries: int, max_bytes: int, now: float, deadline: Deadline
) -> None:
    """Remove what is beyond the bounds: the expired, then the least used; the pinned stay."""
    count, size = _total(index, deadline)
    if count <= max_entries and size <= max_bytes:
        return
    index.delete(both(of_kind(ANSWER), but=fresh(now)), deadline)
    count, size = _total(index, deadline)
    # a hundredth more, so that not every answer at the bounds costs these requests
    max_entries, max_bytes = max_entries - max_entries // 100, max_bytes - max_bytes // 100
    gone = []
    for document_id, held in _least_used(index, deadline):
        if count <= max_entries and size <= max_bytes:
            break
        gone.append({"delete": {"_id": document_id}})
        count, size = count - 1, size - held
    index.bulk(gone, deadline)


def _total(index: AnswerIndex, deadline: Deadline) -> tuple[int, int]:
    with index.server.ask(deadline.left_s()) as client:
        found = client.search(
            index=index.alias,
            query=of_kind(ANSWER),
            size=0,
            track_total_hits=True,
            aggs={"bytes": {"sum": {"field": "bytes"}}},
        )
    return found["hits"]["total"]["value"], int(found["aggregations"]["bytes"]["value"])


def _least_used(index: AnswerIndex, deadline: Deadline) -> list[tuple[str, int]]:
    """Return (document id, bytes), the least recently used first."""
    with index.server.ask(deadline.left_s()) as client:
        found = client.search(
            index=index.alias,
            query=both(of_kind(ANSWER), {"term": {"pinned": False}}),
            sort=["used_at", "created_at"],
            size=EVICT_BATCH,
            source_includes=["bytes"],
            track_total_hits=False,
        )
    return [(hit["_id"], hit["_source"]["bytes"]) for hit in found["hits"]["hits"]]


def take_claim(
    index: AnswerIndex, key: str, owner: str, lease_s: float, now: float, deadline: Deadline
) -> bool:
    """Say whether this owner has the claim now. Raises: HelpError."""
    document = {"kind": CLAIM, "owner": owner, "until": now + lease_s}
    if _write(index, key, document, deadline, op_type="create"):
        return True
    found = index.read(_claim_id(key), deadline)
    if found is None:
        return _write(index, key, document, deadline, op_type="create")
    held = found["_source"]
    lapsed = held["until"] <= now or held["until"] > now + lease_s + CLOCK_SKEW_S
    if not lapsed and held["owner"] != owner:
        return False
    return _write(index, key, document, deadline, **_as_seen(found))


def give_back_claim(index: AnswerIndex, key: str, owner: str, deadline: Deadline) -> None:
    """Remove a claim, unless another owner has taken it over. Raises: HelpError."""
    found = index.read(_claim_id(key), deadline)
    if found is not None and found["_source"]["owner"] == owner:
        with index.server.ask(deadline.left_s()) as client:
            client.options(ignore_status=[404, 409]).delete(
                index=index.alias, id=_claim_id(key), **_as_seen(found)
            )


def _write(
    index: AnswerIndex, key: str, document: dict[str, Any], deadline: Deadline, **condition: Any
) -> bool:
    with index.server.ask(deadline.left_s()) as client:
        try:
            client.index(
                index=index.alias,
                id=_claim_id(key),
                document=document,
                require_alias=True,
                **condition,
            )
        except ConflictError:
            return False
    return True


def _as_seen(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}


def _claim_id(key: str) -> str:
    return f"{CLAIM}:{key}"


class ElasticsearchAnswers:
    """Keep answers in an index beside the pages'. Safe to share between threads and servers."""

    def __init__(self, settings: Settings) -> None:
        self._server = Server(settings)
        self._index = AnswerIndex(self._server)
        self._dimension = settings.embedding_dimension
        self._bounds = (settings.cache_max_entries, settings.cache_max_bytes)
        self._complained = False

    def get(self, key: str, now: float, timeout_s: float) -> CachedAnswer | None:
        """Return the entry of a key if it has not expired and its pages stand unchanged."""
        deadline = Deadline(timeout_s)
        with or_unavailable():
            found = self._index.read(answer_id(key), deadline)
            entries = self._read([found] if found else [], deadline)
            valid = self._valid([e for e in entries if e.is_fresh(now)], deadline)
        return valid[0] if valid else None

    def candidates(
        self, scope: Scope, vector: Vectors, k: int, now: float, timeout_s: float
    ) -> list[tuple[CachedAnswer, float]]:
        """Return the k valid entries of a scope nearest by cosine."""
        if not has_direction(vector):
            return []
        deadline = Deadline(timeout_s)
        with or_unavailable():
            self._index.ensure(len(vector), deadline)
            # more are asked for when some are of pages that have changed
            for size in (k, min(10 * k + 10, MAX_WINDOW)):
                hits = self._search({"knn": near(scope, vector, size, now), "size": size}, deadline)
                cosines = {key_of(hit["_id"]): 2.0 * hit["_score"] - 1.0 for hit in hits}
                valid = self._valid(self._read(hits, deadline), deadline)
                if len(valid) >= k or len(hits) < size:
                    break
        return [(entry, cosines[entry.key]) for entry in valid][:k]

    def put(self, entry: CachedAnswer, timeout_s: float) -> bool:
        """Keep an entry, unless its pages have changed meanwhile; then evict."""
        try:
            document = entry_document(entry)
        except (TypeError, ValueError) as error:
            logger.warning("An answer cannot be kept: %s", error)
            return False
        dimension = self._dimension if entry.vector is None else len(entry.vector)

        def write(deadline: Deadline) -> bool:
            if not self._valid([entry], deadline) or document["bytes"] > self._bounds[1]:
                return False
            self._index.ensure(dimension, deadline)
            self._index.bulk([{"index": {"_id": answer_id(entry.key)}}, document], deadline)
            evict(self._index, *self._bounds, entry.created_at, deadline)
            return True

        return self._quietly(write, timeout_s, False)

    def touch(self, entry: CachedAnswer, kind: Counted, now: float, timeout_s: float) -> None:
        """Count a hit on the entry and in the counters, in one request."""
        script = {**USED, "params": {"now": now}}
        used: list[Mapping[str, Any]] = [
            {"update": {"_id": answer_id(entry.key), "retry_on_conflict": 5}},
            {"script": script},
        ]
        operations = [*used, *counted({kind: 1.0, "saved_ms": entry.saved_ms})]

        def write(deadline: Deadline) -> None:
            self._index.bulk(operations, deadline)

        self._quietly(write, timeout_s, None)

    def count(self, name: Counted, timeout_s: float) -> None:
        """Add one to a counter."""

        def write(deadline: Deadline) -> None:
            self._index.ensure(self._dimension, deadline)
            self._index.bulk(counted({name: 1.0}), deadline)

        self._quietly(write, timeout_s, None)

    def claim(self, key: str, owner: str, lease_s: float, now: float, timeout_s: float) -> bool:
        """Say whether this owner is the one to generate. See `AnswerStore.claim`."""

        def write(deadline: Deadline) -> bool:
            self._index.ensure(self._dimension, deadline)
            if not take_claim(self._index, key, owner, lease_s, now, deadline):
                return False
            if self.get(key, now, deadline.left_s()) is None:
                return True
            give_back_claim(self._index, key, owner, deadline)
            return False

        return self._quietly(write, timeout_s, True)

    def release(self, key: str, owner: str, timeout_s: float) -> None:
        """Give a claim back; one that cannot be given back lapses."""
        self._quietly(lambda d: give_back_claim(self._index, key, owner, d), timeout_s, None)

    def drop(self, keys: Sequence[str], timeout_s: float) -> int:
        """Remove entries. Returns how many were there."""
        ids = {"ids": {"values": [answer_id(key) for key in keys]}}
        return self._delete(both(of_kind(ANSWER), ids), timeout_s)

    def drop_page(self, page: str, timeout_s: float) -> int:
        """Remove the entries that came from a page."""
        return self._delete(both(of_kind(ANSWER), {"term": {"pages": page}}), timeout_s)

    def clear(self, timeout_s: float, *, keep_pinned: bool = False) -> int:
        """Remove all entries."""
        but = {"term": {"pinned": True}} if keep_pinned else None
        return self._delete(both(of_kind(ANSWER), but=but), timeout_s)

    def sweep(self, now: float, timeout_s: float) -> int:
        """Remove the entries that expired or whose pages have changed, and the lapsed claims."""
        deadline = Deadline(timeout_s)
        with or_unavailable():
            lapsed = both(of_kind(CLAIM), {"range": {"until": {"lte": now}}})
            self._index.delete(lapsed, deadline)
            expired = self._index.delete(both(of_kind(ANSWER), but=fresh(now)), deadline)
            return expired + self._index.drop_changed(deadline)

    def entries(self, limit: int, offset: int, timeout_s: float) -> list[CachedAnswer]:
        """Return entries, the last used first, expired ones too; the first 10,000 at most."""
        size = min(limit, MAX_WINDOW - offset)
        if size <= 0:
            return []
        sort = [{"used_at": "desc"}, {"created_at": "asc"}]
        body = {"query": of_kind(ANSWER), "sort": sort, "size": size, "from_": offset}
        deadline = Deadline(timeout_s)
        with or_unavailable():
            return self._read(self._search(body, deadline), deadline)

    def stats(self, timeout_s: float) -> CacheStats:
        """Return what is kept and how it was used, as of a second ago."""
        deadline = Deadline(timeout_s)
        with or_unavailable():
            with self._server.ask(deadline.left_s()) as client:
                found = client.options(ignore_status=404).search(
                    index=self._index.alias,
                    query=of_kind(ANSWER),
                    size=0,
                    track_total_hits=True,
                    aggs=TOTALS,
                )
            kept = self._index.read(COUNTERS, deadline)
        if "hits" not in found:
            return CacheStats()
        return read_stats(found.body, kept["_source"]["counters"] if kept else {})

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _search(self, body: Mapping[str, Any], deadline: Deadline) -> list[Mapping[str, Any]]:
        with self._server.ask(deadline.left_s()) as client:
            found = client.options(ignore_status=404).search(
                index=self._index.alias,
                source_excludes=[VECTORS],
                track_total_hits=False,
                **body,
            )
        if "hits" not in found:
            self._index.forget()
            return []
        return list(found["hits"]["hits"])

    def _read(
        self, documents: Sequence[Mapping[str, Any]], deadline: Deadline
    ) -> list[CachedAnswer]:
        """Return documents as entries; those that are damaged are dropped."""
        entries = []
        for document in documents:
            key = key_of(document["_id"])
            try:
                entries.append(read_entry(key, document["_source"]))
            except (KeyError, TypeError, ValueError) as error:
                logger.warning("A kept answer is damaged and was dropped: %s: %r", key, error)
                self._index.bulk([{"delete": {"_id": document["_id"]}}], deadline)
        return entries

    def _valid(self, entries: Sequence[CachedAnswer], deadline: Deadline) -> list[CachedAnswer]:
        ties = {entry.key: (entry.pages, entry.chunks) for entry in entries}
        keys = unchanged(self._server, ties, deadline) if ties else set()
        return [entry for entry in entries if entry.key in keys]

    def _delete(self, query: Mapping[str, Any], timeout_s: float) -> int:
        with or_unavailable():
            return self._index.delete(query, Deadline(timeout_s))

    def _quietly(
        self, write: Callable[[Deadline], Result], timeout_s: float, otherwise: Result
    ) -> Result:
        """Write; when that cannot be done now, say so once, and go on."""
        deadline = Deadline(timeout_s)
        try:
            with or_unavailable():
                try:
                    result = write(deadline)
                except IndexMissing:  # somebody removed it
                    self._index.forget()
                    result = write(deadline)
        except SearchUnavailable as error:
            if not self._complained:
                logger.warning("Answers are not kept for now: %s", error)
            self._complained = True
            return otherwise
        self._complained = False
        return result
