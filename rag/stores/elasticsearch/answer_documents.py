"""How kept answers, claims and counters lie in Elasticsearch: mapping, documents, searches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy
import orjson

from rag.core.documents import Vectors
from rag.core.records import CLOCK_SKEW_S, CachedAnswer, CacheStats, Scope
from rag.stores.elasticsearch.schema import VECTOR_INDEX

ANSWER = "answer"
CLAIM = "claim"
COUNTERS = "counters"
VECTORS = "vector_*"
MAX_WINDOW = 10_000
MAX_PAGES = 1_000  # pages that statistics name
SETTINGS: dict[str, Any] = {
    "number_of_shards": 1,
    "auto_expand_replicas": "0-1",
    # said, so that an index that nobody searched for 30 s does not stop refreshing
    "refresh_interval": "1s",
}
_SCOPE = ("fingerprint", "lang", "page", "conversation")
_TIMES = ("created_at", "expires_at", "used_at")
MAPPING: dict[str, Any] = {
    "dynamic": "strict",
    "properties": {
        "kind": {"type": "keyword"},
        **{name: {"type": "keyword", "ignore_above": 8_000} for name in (*_SCOPE, "pages")},
        **{name: {"type": "double"} for name in (*_TIMES, "saved_ms", "until")},
        **{name: {"type": "long"} for name in ("hits", "bytes")},
        "pinned": {"type": "boolean"},
        "owner": {"type": "keyword"},
        "entry": {"type": "object", "enabled": False},
        "counters": {"type": "object", "enabled": False},
    },
}
USED = {
    "source": "ctx._source.hits += 1;"
    " ctx._source.used_at = Math.max(ctx._source.used_at, params.now)",
    "lang": "painless",
}
COUNTED = {
    "source": "for (e in params.added.entrySet()) { ctx._source.counters[e.getKey()] ="
    " ctx._source.counters.getOrDefault(e.getKey(), 0.0) + e.getValue() }",
    "lang": "painless",
}

TOTALS: dict[str, Any] = {
    **{name: {"sum": {"field": name}} for name in ("bytes", "hits")},
    "pinned": {"filter": {"term": {"pinned": True}}},
    "oldest": {"min": {"field": "created_at"}},
    "newest": {"max": {"field": "created_at"}},
    "pages": {"terms": {"field": "pages", "size": MAX_PAGES}},
}


def answer_id(key: str) -> str:
    """Return the document id of a key's answer."""
    return f"{ANSWER}:{key}"


def key_of(document_id: str) -> str:
    """Return the key of an answer's document id."""
    return document_id.removeprefix(f"{ANSWER}:")


def vector_field(dimension: int) -> str:
    """Return the name of the field for vectors of this length."""
    return f"vector_{dimension}"


def vector_mapping(dimension: int) -> dict[str, Any]:
    """Return the mapping of that field: encoders of several lengths share an index."""
    field = {
        "type": "dense_vector",
        "dims": dimension,
        "index": True,
        "similarity": "cosine",
        "index_options": VECTOR_INDEX,
    }
    return {vector_field(dimension): field}


def has_direction(vector: Vectors | None) -> bool:
    """Say whether a vector is near anything: zeros are refused by the server."""
    return vector is not None and bool(numpy.isfinite(vector).all() and vector.any())


def entry_document(entry: CachedAnswer) -> dict[str, Any]:
    """Return an entry's document. Raises: TypeError for what JSON cannot hold."""
    body = {
        "question": entry.question,
        "asked": entry.asked,
        "answer": entry.answer,
        "pages": list(entry.pages.items()),
        "chunks": entry.chunks,
    }
    document = {
        "kind": ANSWER,
        **{name: getattr(entry.scope, name) for name in _SCOPE},
        "pages": list(entry.pages),
        "created_at": entry.created_at,
        "expires_at": entry.expires_at,
        "used_at": max(entry.used_at, entry.created_at),
        "saved_ms": entry.saved_ms,
        "hits": entry.hits,
        "pinned": entry.pinned,
        "entry": body,
    }
    vector = entry.vector
    length = 0
    if vector is not None and has_direction(vector):
        document[vector_field(len(vector))] = [float(number) for number in vector]
        length = 4 * len(vector)
    return {**document, "bytes": len(orjson.dumps(body)) + length}


def read_entry(key: str, source: Mapping[str, Any]) -> CachedAnswer:
    """Return the entry of a document. Raises: KeyError, TypeError, ValueError when damaged."""
    body = source["entry"]
    if not (isinstance(body["asked"], dict) and isinstance(body["answer"], dict)):
        raise ValueError("not a JSON object")
    return CachedAnswer(
        key=key,
        scope=Scope(**{name: source[name] for name in _SCOPE}),
        question=body["question"],
        asked=body["asked"],
        answer=body["answer"],
        pages=dict(body["pages"]),
        chunks=tuple(body["chunks"]),
        created_at=float(source["created_at"]),
        expires_at=float(source["expires_at"]),
        used_at=float(source["used_at"]),
        saved_ms=float(source["saved_ms"]),
        hits=int(source["hits"]),
        pinned=bool(source["pinned"]),
    )


def fresh(now: float) -> dict[str, Any]:
    """Return the query of the answers that have not expired."""
    made = {"range": {"created_at": {"lte": now + CLOCK_SKEW_S}}}
    lasting = {"range": {"expires_at": {"gt": now}}}
    either = [{"term": {"pinned": True}}, {"bool": {"filter": [made, lasting]}}]
    return {"bool": {"filter": [of_kind(ANSWER)], "should": either, "minimum_should_match": 1}}


def near(scope: Scope, vector: Vectors, k: int, now: float) -> dict[str, Any]:
    """Return the kNN search of a scope's fresh answers; every vector is compared."""
    field = vector_field(len(vector))
    # with a filter, documents without a vector are found too
    held = {"exists": {"field": field}}
    return {
        "field": field,
        "query_vector": [float(number) for number in vector],
        "k": k,
        "num_candidates": k,
        "filter": [held, fresh(now), *({"term": {name: getattr(scope, name)}} for name in _SCOPE)],
    }


def of_kind(kind: str) -> dict[str, Any]:
    """Return the query of the documents of a kind."""
    return {"term": {"kind": kind}}


def both(*queries: Mapping[str, Any], but: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the query of what meets all queries, ``but`` left out."""
    return {"bool": {"filter": list(queries), "must_not": [but] if but else []}}


def counted(added: Mapping[str, float]) -> list[Mapping[str, Any]]:
    """Return the operation that adds to the counters, made where they are not there yet."""
    return [
        {"update": {"_id": COUNTERS, "retry_on_conflict": 5}},
        {
            "scripted_upsert": True,
            "script": {**COUNTED, "params": {"added": added}},
            "upsert": {"kind": COUNTERS, "counters": {}},
        },
    ]


def read_stats(found: Mapping[str, Any], counters: Mapping[str, float]) -> CacheStats:
    """Return the statistics of an answer to `TOTALS`."""
    totals = found["aggregations"]
    return CacheStats(
        entries=found["hits"]["total"]["value"],
        bytes=int(totals["bytes"]["value"]),
        pinned=totals["pinned"]["doc_count"],
        hits=int(totals["hits"]["value"]),
        oldest=totals["oldest"]["value"],
        newest=totals["newest"]["value"],
        pages={bucket["key"]: bucket["doc_count"] for bucket in totals["pages"]["buckets"]},
        counters=dict(counters),
    )
