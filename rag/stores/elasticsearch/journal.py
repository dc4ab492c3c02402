"""The journal in an index of its own beside the alias: ``<ELASTICSEARCH_INDEX>-journal``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from rag.config.settings import Settings
from rag.core.deadline import Deadline
from rag.core.errors import IndexMissing
from rag.core.records import (
    Feedback,
    JournalEntry,
    Of,
    Record,
    document,
    kind_of,
    read_document,
    written,
)
from rag.stores.elasticsearch.answer_documents import SETTINGS
from rag.stores.elasticsearch.client import Server

VERSION = "v1"  # raised when the mapping changes
_KEYWORDS = (
    *("kind", "answer_id", "question", "lang", "channel", "page", "sources", "nearest"),
    *("title", "cached", "reason", "model"),
)
MAPPING: dict[str, Any] = {
    "dynamic": False,  # a later version's fields are kept, and not searched
    "properties": {
        "at": {"type": "date"},
        **{name: {"type": "keyword", "ignore_above": 8_000} for name in _KEYWORDS},
        **{
            name: {"type": "boolean"}
            for name in ("answered", "degraded", "truncated", "helpful", "commented")
        },
        **{
            name: {"type": "float"}
            for name in ("first_text_ms", "total_ms", "writing_ms", "unsupported")
        },
        **{name: {"type": "long"} for name in ("prompt_tokens", "output_tokens")},
    },
}
BATCH = 1_000


class ElasticsearchJournal:
    """Keep records in an index, made on first use. Safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._server = Server(settings)
        self._alias = f"{self._server.alias}-journal"
        self._made = False

    def write(self, records: Sequence[Record], timeout_s: float) -> None:
        """Keep records. See `JournalStore.write`."""
        deadline = Deadline(timeout_s)
        operations: list[Mapping[str, Any]] = []
        for one in records:
            operations += [{"index": {"_id": f"{kind_of(one)}:{one.answer_id}"}}, document(one)]
        try:
            self._bulk(operations, deadline)
        except IndexMissing:  # somebody removed it
            self._made = False
            self._bulk(operations, deadline)

    def asked(self, since: datetime, until: datetime, timeout_s: float) -> Iterator[JournalEntry]:
        """Yield what was asked in a time, the earliest first."""
        return self._read(JournalEntry, "asked", since, until, timeout_s)

    def feedback(self, since: datetime, until: datetime, timeout_s: float) -> Iterator[Feedback]:
        """Yield the feedback given in a time, the earliest first."""
        return self._read(Feedback, "feedback", since, until, timeout_s)

    def purge(self, before: datetime, timeout_s: float) -> int:
        """Remove what is older. Returns how many records that were."""
        deadline = Deadline(timeout_s)
        self._refresh(deadline)
        with self._server.ask(deadline.left_s()) as client:
            done = client.options(ignore_status=404).delete_by_query(
                index=self._alias,
                query={"range": {"at": {"lt": written(before)}}},
                conflicts="proceed",
                refresh=True,
            )
        return int(done.get("deleted", 0))

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _bulk(self, operations: Sequence[Mapping[str, Any]], deadline: Deadline) -> None:
        self._ensure(deadline)
        with self._server.ask(deadline.left_s()) as client:
            answer = client.bulk(index=self._alias, operations=operations, require_alias=True)
        results = [result for item in answer["items"] for result in item.values()]
        for result in results:
            if "error" not in result:
                continue
            if "index_not_found" in str(result["error"]):
                raise IndexMissing(f"There is no {self._alias} in {self._server.where}.")
            raise self._server.explain(result["status"], result)

    def _ensure(self, deadline: Deadline) -> None:
        if not self._made:
            body = {"settings": SETTINGS, "mappings": MAPPING}
            self._server.make_behind(self._alias, VERSION, body, deadline)
            self._made = True

    def _refresh(self, deadline: Deadline) -> None:
        with self._server.ask(deadline.left_s()) as client:
            client.options(ignore_status=404).indices.refresh(index=self._alias)

    def _read(
        self, of: type[Of], kind: str, since: datetime, until: datetime, timeout_s: float
    ) -> Iterator[Of]:
        self._refresh(Deadline(timeout_s))
        period = {"range": {"at": {"gte": written(since), "lt": written(until)}}}
        query = {"bool": {"filter": [{"term": {"kind": kind}}, period]}}
        after: list[Any] | None = None
        while True:
            with self._server.ask(timeout_s) as client:
                found = client.options(ignore_status=404).search(
                    index=self._alias,
                    query=query,
                    sort=[{"at": "asc"}, {"answer_id": "asc"}],
                    size=BATCH,
                    search_after=after,
                    track_total_hits=False,
                )
            hits = found["hits"]["hits"] if "hits" in found else []
            for hit in hits:
                with suppress(KeyError, TypeError, ValueError):  # a damaged one is left out
                    yield read_document(of, hit["_source"])
            if len(hits) < BATCH:
                return
            after = hits[-1]["sort"]
