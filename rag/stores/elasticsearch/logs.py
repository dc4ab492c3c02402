"""Journal and turns of conversations, in indexes of their own beside the alias."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from rag.config.settings import Settings
from rag.core.deadline import Deadline
from rag.core.errors import IndexMissing, SearchUnavailable
from rag.core.records import (
    EXPIRES_S,
    MOST_TURNS,
    Feedback,
    JournalEntry,
    Of,
    Record,
    Turn,
    conversation_key,
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
JOURNAL_MAPPING: dict[str, Any] = {
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
TURN_MAPPING = {
    "dynamic": "strict",
    "properties": {
        "at": {"type": "double"},
        "turns": {"type": "object", "enabled": False},
    },
}
APPEND = """
    if (ctx._source.at <= params.now - params.expires) { ctx._source.turns = []; }
    ctx._source.turns.add(params.turn);
    while (ctx._source.turns.size() > params.most) { ctx._source.turns.remove(0); }
    ctx._source.at = params.now;
"""
SWEEP_S = 300.0  # between two looks for what has expired


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
            body = {"settings": SETTINGS, "mappings": JOURNAL_MAPPING}
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


class ElasticsearchTurns:
    """Keep turns in an index, made on first use. Safe to share between threads and servers."""

    def __init__(self, settings: Settings) -> None:
        self._server = Server(settings)
        self._index = f"{self._server.alias}-conversations"
        self._made = False
        self._swept = 0.0

    def turns(self, conversation_id: str, now: float, timeout_s: float) -> tuple[Turn, ...]:
        """Return the last turns, oldest first. See `TurnStore.turns`."""
        with self._server.ask(timeout_s) as client:
            found = client.options(ignore_status=404).get(
                index=self._index, id=conversation_key(conversation_id)
            )
        source: dict[str, Any] = found.get("_source", {"at": 0.0, "turns": []})
        if source["at"] + EXPIRES_S <= now:
            return ()
        return tuple(
            Turn(one["question"], one["contextual"], tuple(one["pages"])) for one in source["turns"]
        )

    def add(self, conversation_id: str, turn: Turn, now: float, timeout_s: float) -> None:
        """Append a turn; what has expired goes now and then."""
        deadline = Deadline(timeout_s)
        try:
            self._append(conversation_key(conversation_id), turn, now, deadline)
        except IndexMissing as error:  # somebody removed it
            self._made = False
            if deadline.left_s() <= 0:
                raise SearchUnavailable(str(error)) from error
            self._append(conversation_key(conversation_id), turn, now, deadline)
        if now - self._swept > SWEEP_S:
            self._sweep(now, deadline)

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _append(self, key: str, turn: Turn, now: float, deadline: Deadline) -> None:
        self._ensure(deadline)
        body = {
            "question": turn.question,
            "contextual": turn.contextual,
            "pages": list(turn.pages),
        }
        parameters = {"turn": body, "now": now, "expires": EXPIRES_S, "most": MOST_TURNS}
        with self._server.ask(deadline.left_s()) as client:
            client.update(
                index=self._index,
                id=key,
                script={"source": APPEND, "params": parameters},
                upsert={"at": now, "turns": [body]},
                retry_on_conflict=5,
            )

    def _ensure(self, deadline: Deadline) -> None:
        if self._made:
            return
        with self._server.ask(deadline.left_s()) as client:
            if not client.indices.exists(index=self._index):
                # 400: another one was faster
                client.options(ignore_status=400).indices.create(
                    index=self._index, settings=SETTINGS, mappings=TURN_MAPPING
                )
        self._made = True

    def _sweep(self, now: float, deadline: Deadline) -> None:
        self._swept = now
        with self._server.ask(deadline.left_s()) as client:
            client.delete_by_query(
                index=self._index,
                query={"range": {"at": {"lte": now - EXPIRES_S}}},
                conflicts="proceed",
                wait_for_completion=False,
            )
