"""The index of kept answers: made on first use, written through its alias, checked by pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from rag.core.deadline import Deadline
from rag.core.errors import HelpError, IndexMissing, SearchUnavailable
from rag.stores.elasticsearch.answer_documents import (
    ANSWER,
    MAPPING,
    SETTINGS,
    VECTORS,
    of_kind,
    vector_mapping,
)
from rag.stores.elasticsearch.client import WRITE_TIMEOUT_S, Server
from rag.stores.elasticsearch.schema import record_id

VERSION = "v1"  # raised when the mapping changes
ID_BATCH = 1_000
Ties = tuple[Mapping[str, str], Sequence[str]]  # page -> hash, chunk ids


class AnswerIndex:
    """Hold the alias ``<ELASTICSEARCH_INDEX>-answers``; every request keeps to its deadline.

    Writing names the alias and requires it: an index that somebody removed is made anew with its
    mapping, never guessed by the server from a document.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.alias = f"{server.alias}-answers"
        self._dimensions: set[int] = set()

    def ensure(self, dimension: int, deadline: Deadline) -> None:
        """Make the index where it is missing, with a field for vectors of this length."""
        if dimension in self._dimensions:
            return
        body = {"settings": SETTINGS, "mappings": MAPPING}
        self.server.make_behind(self.alias, VERSION, body, deadline)
        with self.server.ask(deadline.left_s()) as client:
            client.indices.put_mapping(index=self.alias, properties=vector_mapping(dimension))
        self._dimensions.add(dimension)

    def forget(self) -> None:
        """Look again whether the index is there, before the next use."""
        self._dimensions.clear()

    def read(self, document_id: str, deadline: Deadline) -> Mapping[str, Any] | None:
        """Return a document as it is now, vectors left out; None when it is not there."""
        with self.server.ask(deadline.left_s()) as client:
            found = client.options(ignore_status=[404, 503]).get(
                index=self.alias, id=document_id, source_excludes=[VECTORS]
            )
        # another server is just making the index
        if found.meta.status == 503 and "no_shard_available" not in str(found.body):
            raise self.server.explain(503, found.body)
        return found.body if found.body.get("found") else None

    def bulk(
        self, operations: Sequence[Mapping[str, Any]], deadline: Deadline, *, refresh: bool = False
    ) -> list[Mapping[str, Any]]:
        """Send operations. Returns what became of each. Raises: HelpError for one refused."""
        if not operations:
            return []
        with self.server.ask(deadline.left_s()) as client:
            answer = client.bulk(
                index=self.alias, operations=operations, require_alias=True, refresh=refresh
            )
        results = [result for item in answer["items"] for result in item.values()]
        for result in results:
            if "error" in result and result["status"] not in (404, 409):
                raise self.server.explain(result["status"], result)
            if "error" in result and "index_not_found" in str(result["error"]):
                raise IndexMissing(f"There is no {self.alias} in {self.server.where}.")
        return results

    def delete(self, query: Mapping[str, Any], deadline: Deadline) -> int:
        """Delete what a query finds, the latest included. Returns how many."""
        with self.server.ask(deadline.left_s()) as client:
            client.options(ignore_status=404).indices.refresh(index=self.alias)
        with self.server.ask(deadline.left_s()) as client:
            done = client.options(ignore_status=404).delete_by_query(
                index=self.alias, query=query, conflicts="proceed", refresh=True
            )
        return int(done.get("deleted", 0))

    def drop_changed(self, deadline: Deadline) -> int:
        """Delete the answers whose pages are no longer as they were. Returns how many."""
        ties = dict(self._ties(deadline))
        if not ties:
            return 0
        valid = unchanged(self.server, ties, deadline)
        gone = [{"delete": {"_id": key}} for key in ties.keys() - valid]
        done = 0
        for start in range(0, len(gone), ID_BATCH):
            results = self.bulk(gone[start : start + ID_BATCH], deadline, refresh=True)
            done += sum(result["status"] == 200 for result in results)
        return done

    def _ties(self, deadline: Deadline) -> Iterator[tuple[str, Ties]]:
        with suppress(IndexMissing):
            with self.server.ask(deadline.left_s()) as client:
                client.indices.refresh(index=self.alias)
                moment = client.open_point_in_time(index=self.alias, keep_alive="1m")["id"]
            after = None
            while True:
                with self.server.ask(deadline.left_s()) as client:
                    found = client.search(
                        pit={"id": moment, "keep_alive": "1m"},
                        query=of_kind(ANSWER),
                        size=ID_BATCH,
                        sort="_shard_doc",
                        search_after=after,
                        source_includes=["entry.pages", "entry.chunks"],
                        track_total_hits=False,
                    )["hits"]["hits"]
                if not found:
                    break
                yield from ((hit["_id"], _read_ties(hit["_source"])) for hit in found)
                after = found[-1]["sort"]
            with suppress(HelpError), self.server.ask(deadline.left_s()) as client:
                client.close_point_in_time(id=moment)


def unchanged(server: Server, ties: Mapping[str, Ties], deadline: Deadline) -> set[str]:
    """Return the keys whose every page has its hash still, and every chunk its id.

    The published generation is asked by id, so that what it says is not older than the question.
    """
    wanted: dict[str, str | bool] = {
        chunk: False for _, chunks in ties.values() for chunk in chunks
    }
    wanted |= {record_id(page): "record.hash" for pages, _ in ties.values() for page in pages}
    held = dict(_held(server, list(wanted.items()), deadline))
    return {
        key
        for key, (pages, chunks) in ties.items()
        if pages
        and all(held.get(record_id(page)) == digest for page, digest in pages.items())
        and all(chunk in held for chunk in chunks)
    }


def _held(
    server: Server, wanted: Sequence[tuple[str, str | bool]], deadline: Deadline
) -> Iterator[tuple[str, str | None]]:
    """Yield the ids that are published, pages with their hash; ``wanted`` says what is read."""
    for start in range(0, len(wanted), ID_BATCH):
        batch = wanted[start : start + ID_BATCH]
        with server.ask(deadline.left_s()) as client:
            found = client.mget(
                index=server.alias, docs=[{"_id": key, "_source": part} for key, part in batch]
            )
        for document in found["docs"]:
            if "error" in document:
                error = server.explain(404, document)
                if isinstance(error, IndexMissing):
                    return
                raise error
            if document["found"]:
                source = document.get("_source", {})
                yield document["_id"], source.get("record", {}).get("hash")


def _read_ties(source: Mapping[str, Any]) -> Ties:
    try:
        return dict(source["entry"]["pages"]), source["entry"]["chunks"]
    except (KeyError, TypeError, ValueError):
        return {}, ()  # damaged: it names no page, and goes


def drop_changed_answers(server: Server) -> None:
    """Delete the answers of changed pages as far as the server answers: none is served anyway."""
    with suppress(HelpError):
        AnswerIndex(server).drop_changed(Deadline(WRITE_TIMEOUT_S))


@contextmanager
def or_unavailable() -> Iterator[None]:
    """Turn every other error of the server into SearchUnavailable: the cache is passed by."""
    try:
        yield
    except SearchUnavailable:
        raise
    except HelpError as error:
        raise SearchUnavailable(str(error)) from error
