"""Turns of conversations in an index of their own, shared by servers: a document each."""

from __future__ import annotations

from typing import Any

from rag.config.settings import Settings
from rag.core.deadline import Deadline
from rag.core.errors import IndexMissing, SearchUnavailable
from rag.core.records import EXPIRES_S, MOST_TURNS, Turn, conversation_key
from rag.stores.elasticsearch.answer_documents import SETTINGS
from rag.stores.elasticsearch.client import Server

MAPPING = {
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
                    index=self._index, settings=SETTINGS, mappings=MAPPING
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
