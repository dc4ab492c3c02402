"""One run of the indexer on Elasticsearch: bulk writes to a hidden index, then one alias swap."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping, Sequence

from rag.core.documents import Chunk, IndexMeta, PageRecord, Vectors, Window, check_meta
from rag.core.errors import HelpError
from rag.core.invocation import rebuild_command
from rag.stores.elasticsearch import generations
from rag.stores.elasticsearch.answer_index import drop_changed_answers
from rag.stores.elasticsearch.bulk import Bulk, packs_vectors
from rag.stores.elasticsearch.client import WRITE_TIMEOUT_S, Server
from rag.stores.elasticsearch.generations import BuildLock
from rag.stores.elasticsearch.schema import (
    VECTOR,
    WINDOW_PREFIX,
    chunk_document,
    document_ids,
    record_document,
    record_id,
    window_document,
    window_id,
)

SAMPLE = 20
SAME_SCORE = 0.999
MERGE_TIMEOUT_S = 600.0


class ElasticsearchWriter:
    """Collect a run's changes in a generation that nobody reads; see `StoreWriter`.

    A run without changes creates nothing and publishes nothing, unless it is a full one.
    """

    def __init__(self, server: Server, meta: IndexMeta, *, full: bool) -> None:
        self._server = server
        self._meta = meta
        self._lock = BuildLock(server)
        self._name: str | None = None
        self._bulk: Bulk | None = None
        self._pages: dict[str, frozenset[str]] = {}
        self._sample: dict[str, Vectors] = {}
        self._offered = 0
        try:
            self._base = self._choose_base(full)
            generations.sweep(server)
        except BaseException:
            self._lock.release()
            raise
        self._rebuilds = self._base is None

    def put_page(
        self,
        record: PageRecord,
        chunks: Sequence[Chunk],
        windows: Sequence[Window],
        vectors: Mapping[str, Vectors],
    ) -> None:
        """Write a page. Raises: HelpError naming the page that Elasticsearch refused."""
        bulk = self._open()
        new = document_ids(record)
        for gone in self._pages.get(record.id, frozenset()) - new:
            bulk.delete(gone, record.id)
        for chunk in chunks:
            bulk.index(chunk.id, chunk_document(chunk), record.id)
        for window in windows:
            if window.id in vectors:
                self._put_window(bulk, window, vectors[window.id])
        bulk.index(record_id(record.id), record_document(record), record.id)
        self._pages[record.id] = new

    def _put_window(self, bulk: Bulk, window: Window, vector: Vectors) -> None:
        document = window_document(window)
        if vector.any():
            document[VECTOR] = bulk.pack(vector)
            self._note_sample(window.id, vector)
        bulk.index(window_id(window.id), document, window.page)

    def delete_page(self, page_id: str) -> None:
        """Remove a page, its chunks and windows."""
        bulk = self._open()
        for gone in self._pages.pop(page_id, frozenset()):
            bulk.delete(gone, page_id)
        bulk.delete(record_id(page_id), page_id)

    def publish(self) -> None:
        """Verify the new generation, then swap the alias to it.

        Raises: HelpError when a count or a sampled vector is wrong, IndexBusy when another run
        took the index over, SearchUnavailable. Nothing is published then.
        """
        try:
            if self._rebuilds:
                self._open()
            if self._name is not None and self._bulk is not None:
                self._bulk.flush()
                self._verify(self._name)
                self._lock.renew()
                generations.publish(self._server, self._name)
                drop_changed_answers(self._server)
                # what cannot be removed now is removed by the next run
                with contextlib.suppress(HelpError):
                    generations.sweep(self._server)
        except BaseException:
            self.abort()
            raise
        self._name = None
        self._lock.release()

    def abort(self) -> None:
        """Delete the unfinished generation, as far as the server answers, and end the run."""
        with contextlib.suppress(HelpError):
            if self._name is not None:
                generations.drop(self._server, self._name)
        self._lock.release()

    def _choose_base(self, full: bool) -> str | None:
        names = generations.current(self._server)
        if full or not names:
            return None
        found = generations.read_meta(self._server)
        if found is not None:
            check_meta(found, self._meta)
        return names[0]

    def _open(self) -> Bulk:
        if self._bulk is not None:
            return self._bulk
        if self._base is None:
            self._name = generations.create(self._server, self._meta)
        else:
            records = generations.read_records(self._server, self._base)
            self._pages = {page: document_ids(record) for page, record in records.items()}
            self._name = generations.clone(self._server, self._base)
        self._bulk = Bulk(self._server, self._name, packed=packs_vectors(self._server))
        return self._bulk

    def _note_sample(self, name: str, vector: Vectors) -> None:
        self._offered += 1
        if len(self._sample) >= SAMPLE:
            if random.random() > SAMPLE / self._offered:
                return
            self._sample.pop(random.choice(list(self._sample)))
        self._sample[name] = vector

    def _verify(self, name: str) -> None:
        with self._server.ask(MERGE_TIMEOUT_S) as client:
            # one segment without the deleted windows: their words would still count in the scores
            client.indices.forcemerge(index=name, max_num_segments=1)
            client.indices.refresh(index=name)
        listed = {i for ids in self._pages.values() for i in ids}
        windows = sum(i.startswith(WINDOW_PREFIX) for i in listed)
        expected = {"page": len(self._pages), "chunk": len(listed) - windows, "window": windows}
        for kind, number in expected.items():
            with self._server.ask(WRITE_TIMEOUT_S) as client:
                stored = client.count(index=name, query={"term": {"kind": kind}})["count"]
            if stored != number:
                raise HelpError(
                    f"{number} {kind}s were sent to Elasticsearch at {self._server.where}, but "
                    f"{stored} are there. Nothing was published. Rebuild it: {rebuild_command()}"
                )
        for window, vector in self._sample.items():
            if window_id(window) in listed:
                self._find_by_vector(name, window, vector)

    def _find_by_vector(self, name: str, window: str, vector: Vectors) -> None:
        knn = {
            "field": VECTOR,
            "query_vector": vector.tolist(),
            "k": 1,
            "num_candidates": 1,
            "filter": {"ids": {"values": [window_id(window)]}},
        }
        with self._server.ask(WRITE_TIMEOUT_S) as client:
            found = client.search(index=name, knn=knn, source=False)["hits"]["hits"]
        if not found or found[0]["_score"] < SAME_SCORE:
            raise HelpError(
                f"The window {window} is not found by its own vector in Elasticsearch at "
                f"{self._server.where}. Nothing was published. Rebuild it: {rebuild_command()}"
            )
