"""Bulk writes: requests of a bounded size, retried with growing pauses, refusals named by page."""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Mapping
from typing import Any

import numpy
import orjson

from rag.core.documents import Vectors
from rag.core.errors import HelpError, SearchUnavailable
from rag.core.invocation import index_command
from rag.stores.elasticsearch.client import (
    METADATA_TIMEOUT_S,
    WRITE_TIMEOUT_S,
    Server,
    is_disk_full,
)

MAX_OPERATIONS = 500
MAX_BYTES = 5_000_000
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
BUSY = (429, 503)
PACKED_SINCE = (9, 3)

Operation = tuple[str, bytes]  # page, lines


class Bulk:
    """Gather operations on one index and send them; each may be repeated without harm."""

    def __init__(self, server: Server, index: str, *, packed: bool) -> None:
        self._server = server
        self._index = index
        self._packed = packed
        self._operations: list[Operation] = []
        self._bytes = 0

    def pack(self, vector: Vectors) -> str | list[float]:
        """Return a vector as the server reads it: base64 (4 kB instead of 17) or a list."""
        if self._packed:
            return base64.b64encode(vector.astype(">f4").tobytes()).decode()
        return [float(number) for number in vector.astype(numpy.float32)]

    def index(self, doc_id: str, document: Mapping[str, Any], page: str) -> None:
        """Write a whole document."""
        self._add(page, {"index": {"_id": doc_id}}, document)

    def delete(self, doc_id: str, page: str) -> None:
        """Remove a document, if it is there."""
        self._add(page, {"delete": {"_id": doc_id}})

    def flush(self) -> None:
        """Send what is gathered.

        Raises: HelpError naming the page and the reason of a refusal, SearchUnavailable when the
        server stayed away for a minute.
        """
        waiting, self._operations, self._bytes = self._operations, [], 0
        for pause_s in (*PAUSES_S, None):
            if not waiting:
                return
            try:
                waiting = self._send(waiting)
            except SearchUnavailable as error:
                if pause_s is None:
                    raise SearchUnavailable(
                        f"{error} Nothing was published. Run again: {index_command()}"
                    ) from error
            if waiting and pause_s is not None:
                time.sleep(pause_s)
        if waiting:
            raise SearchUnavailable(
                f"Elasticsearch at {self._server.where} stayed too busy to write. "
                f"Nothing was published. Run again: {index_command()}"
            )

    def _add(self, page: str, *lines: Mapping[str, Any]) -> None:
        try:
            data = b"\n".join(map(orjson.dumps, lines))
        except TypeError as error:
            raise HelpError(f"{page} cannot be written: {error}") from error
        if self._bytes + len(data) > MAX_BYTES or len(self._operations) >= MAX_OPERATIONS:
            self.flush()
        self._operations.append((page, data))
        self._bytes += len(data)

    def _send(self, operations: list[Operation]) -> list[Operation]:
        """Send one request. Returns the operations to send again."""
        lines: list[Any] = [data for _, data in operations]
        with self._server.ask(WRITE_TIMEOUT_S) as client:
            answer = client.bulk(
                index=self._index,
                operations=lines,
                filter_path="errors,items.*.status,items.*.error",
            )
        if not answer["errors"]:
            return []
        again = []
        for (page, data), item in zip(operations, answer["items"], strict=True):
            (result,) = item.values()
            if "error" not in result:
                continue
            if result["status"] not in BUSY or is_disk_full(str(result["error"])):
                raise self._refused(page, result)
            again.append((page, data))
        return again

    def _refused(self, page: str, result: Mapping[str, Any]) -> HelpError:
        explained = self._server.explain(result["status"], result)
        return HelpError(f"{page}: {explained} Nothing was published.")


def packs_vectors(server: Server) -> bool:
    """Say whether the server reads base64 vectors; one that does not say its version does not."""
    with contextlib.suppress(HelpError), server.ask(METADATA_TIMEOUT_S) as client:
        major, minor = client.info()["version"]["number"].split(".")[:2]
        return (int(major), int(minor)) >= PACKED_SINCE
    return False
