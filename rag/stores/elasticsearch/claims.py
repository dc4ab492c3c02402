"""Who generates an answer, among several servers: one document a claim, made or taken over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from elasticsearch import ConflictError

from rag.core.deadline import Deadline
from rag.core.records import CLOCK_SKEW_S
from rag.stores.elasticsearch.answer_documents import CLAIM
from rag.stores.elasticsearch.answer_index import AnswerIndex


def take(
    index: AnswerIndex, key: str, owner: str, lease_s: float, now: float, deadline: Deadline
) -> bool:
    """Say whether this owner has the claim now. Raises: HelpError."""
    document = {"kind": CLAIM, "owner": owner, "until": now + lease_s}
    if _write(index, key, document, deadline, op_type="create"):
        return True
    found = index.read(_id(key), deadline)
    if found is None:
        return _write(index, key, document, deadline, op_type="create")
    held = found["_source"]
    lapsed = held["until"] <= now or held["until"] > now + lease_s + CLOCK_SKEW_S
    if not lapsed and held["owner"] != owner:
        return False
    return _write(index, key, document, deadline, **_as_seen(found))


def give_back(index: AnswerIndex, key: str, owner: str, deadline: Deadline) -> None:
    """Remove a claim, unless another owner has taken it over. Raises: HelpError."""
    found = index.read(_id(key), deadline)
    if found is not None and found["_source"]["owner"] == owner:
        with index.server.ask(deadline.left_s()) as client:
            client.options(ignore_status=[404, 409]).delete(
                index=index.alias, id=_id(key), **_as_seen(found)
            )


def _write(
    index: AnswerIndex, key: str, document: dict[str, Any], deadline: Deadline, **condition: Any
) -> bool:
    with index.server.ask(deadline.left_s()) as client:
        try:
            client.index(
                index=index.alias, id=_id(key), document=document, require_alias=True, **condition
            )
        except ConflictError:
            return False
    return True


def _as_seen(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}


def _id(key: str) -> str:
    return f"{CLAIM}:{key}"
