"""The Elasticsearch store: pages, chunks and windows behind an alias, searched within a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from rag.config.settings import Settings
from rag.core.documents import Chunk, IndexMeta, PageRecord, SearchLegs, Vectors, Window
from rag.core.errors import IndexMissing
from rag.core.protocols import StoreWriter
from rag.stores.elasticsearch import generations
from rag.stores.elasticsearch.answer_index import drop_changed_answers
from rag.stores.elasticsearch.client import METADATA_TIMEOUT_S, WRITE_TIMEOUT_S, Server
from rag.stores.elasticsearch.queries import (
    count_search,
    spelling_search,
    text_search,
    vector_search,
)
from rag.stores.elasticsearch.schema import (
    VECTOR,
    read_chunk,
    read_record,
    read_window,
    record_id,
    window_id,
)


class ElasticsearchStore:
    """Search the published generation. Safe to share between threads. See `Store`."""

    def __init__(self, settings: Settings) -> None:
        self._server = Server(settings)

    def meta(self, timeout_s: float = METADATA_TIMEOUT_S) -> IndexMeta | None:
        """Return what the published index says of itself, None when there is none."""
        return generations.read_meta(self._server, timeout_s)

    def version(self, timeout_s: float = METADATA_TIMEOUT_S) -> str | None:
        """Return the name of the published generation, None when there is none."""
        return next(iter(generations.current(self._server, timeout_s)), None)

    def published_at(self, timeout_s: float = METADATA_TIMEOUT_S) -> float | None:
        """Return when the published generation was begun, None when there is none."""
        return generations.begun_at(self.version(timeout_s) or "")

    def records(self) -> dict[str, PageRecord]:
        """Return every page of the published index by its id; none when there is no index."""
        try:
            return generations.read_records(self._server, self._server.alias)
        except IndexMissing:
            return {}

    def count(self) -> int:
        """Return the number of chunks in the published index."""
        with self._server.ask(WRITE_TIMEOUT_S) as client:
            found = client.options(ignore_status=404).count(
                index=self._server.alias, query={"term": {"kind": "chunk"}}
            )
        return int(found.get("count", 0))

    def writer(self, meta: IndexMeta, *, full: bool) -> StoreWriter:
        """Begin a run. Raises: IndexBusy naming the other run, IndexMismatch."""
        from rag.stores.elasticsearch.writer import ElasticsearchWriter

        return ElasticsearchWriter(self._server, meta, full=full)

    def rollback(self) -> None:
        """Publish the generation before the published one. See `Store`."""
        generations.rollback(self._server)
        drop_changed_answers(self._server)

    def search(
        self, vector: Vectors | None, words: Mapping[str, float], k: int, timeout_s: float
    ) -> SearchLegs:
        """Search by vector and by words in one request. See `Store`.

        The words are searched with BM25F over all fields of a window. Vectors are compared
        exactly, but 300 or more equal ones at the end of the ranking may not stand by their ids.
        """
        bodies = {"count": count_search(words)}
        if vector is not None and vector.any():
            bodies["knn"] = vector_search(vector, k)
        if words:
            bodies["bm25"] = text_search(words, k)
        answers = self._search(bodies, timeout_s)
        counted = answers["count"]
        return SearchLegs(
            knn=[(window, 2.0 * score - 1.0) for window, score in _scored(answers.get("knn"))],
            bm25=_scored(answers.get("bm25")),
            frequencies=_frequencies(counted, len(words)),
            total=int(counted["hits"]["total"]["value"]),
        )

    def nearest_words(self, words: Sequence[str], timeout_s: float) -> dict[str, str]:
        """Return, for each folded word, itself when held, else the nearest word held."""
        if not words:
            return {}
        answer = self._search({"words": spelling_search(words)}, timeout_s)["words"]
        found = {}
        for n, (word, windows) in enumerate(
            zip(words, _frequencies(answer, len(words)), strict=True)
        ):
            (entry,) = answer["suggest"].get(str(n)) or [{"options": []}]
            near = [(-option["freq"], option["text"]) for option in entry["options"]]
            if windows or near:
                found[word] = word if windows else min(near)[1]
        return found

    def windows(self, ids: Sequence[str], timeout_s: float) -> dict[str, Window]:
        """Return the windows of these ids that exist."""
        found = self._documents([window_id(i) for i in ids], timeout_s)
        return {window.id: window for window in map(read_window, found)}

    def chunks(self, ids: Sequence[str], timeout_s: float) -> dict[str, Chunk]:
        """Return the chunks of these ids that exist."""
        found = self._documents(ids, timeout_s)
        return {source["id"]: read_chunk(source) for source in found if source["kind"] == "chunk"}

    def pages(self, ids: Sequence[str], timeout_s: float) -> dict[str, PageRecord]:
        """Return the pages of these ids that exist."""
        found = self._documents([record_id(page) for page in ids], timeout_s)
        return {record.id: record for record in map(read_record, found)}

    def vectors(self, ids: Sequence[str], timeout_s: float) -> dict[str, Vectors]:
        """Return the vectors of these windows; a window that has none is left out."""
        if not ids:
            return {}
        with self._server.ask(timeout_s) as client:
            documents = client.search(
                index=self._server.alias,
                query={"ids": {"values": [window_id(i) for i in ids]}},
                size=len(ids),
                source_includes=["id", VECTOR],
                source_exclude_vectors=False,
                track_total_hits=False,
            )["hits"]["hits"]
        return {
            hit["_source"]["id"]: numpy.asarray(hit["_source"][VECTOR], numpy.float32)
            for hit in documents
            if hit["_source"].get(VECTOR) is not None
        }

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _documents(self, ids: Sequence[str], timeout_s: float) -> list[Mapping[str, Any]]:
        if not ids:
            return []
        with self._server.ask(timeout_s) as client:
            answer = client.mget(index=self._server.alias, ids=list(ids), source_excludes=[VECTOR])
        for document in answer["docs"]:
            if "error" in document:
                raise self._server.explain(404, document)
        return [document["_source"] for document in answer["docs"] if document["found"]]

    def _search(self, bodies: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        """Send searches as one request. Returns their answers by name, each of them whole."""
        header = {"index": self._server.alias, "allow_partial_search_results": False}
        with self._server.ask(timeout_s) as client:
            answers = client.msearch(
                searches=[part for body in bodies.values() for part in (header, body)]
            )["responses"]
        for answer in answers:
            if "error" in answer:
                raise self._server.explain(answer["status"], answer)
        return dict(zip(bodies, answers, strict=True))


def _scored(answer: Mapping[str, Any] | None) -> list[tuple[str, float]]:
    hits = answer["hits"]["hits"] if answer else []
    return [(hit["sort"][1], float(hit["sort"][0])) for hit in hits]


def _frequencies(answer: Mapping[str, Any], words: int) -> list[int]:
    buckets = answer["aggregations"]["words"]["buckets"] if words else []
    return [int(bucket["doc_count"]) for bucket in buckets] + [0] * (words - len(buckets))
