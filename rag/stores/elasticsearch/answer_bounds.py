"""Keeping the kept answers within their bounds, as counted by the last refresh."""

from __future__ import annotations

from rag.core.deadline import Deadline
from rag.stores.elasticsearch.answer_documents import ANSWER, both, fresh, of_kind
from rag.stores.elasticsearch.answer_index import AnswerIndex

EVICT_BATCH = 1_000


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
