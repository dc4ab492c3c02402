"""One writer at a time: a lock document with its owner's name and heartbeat."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

from elasticsearch import ConflictError

from rag.core.errors import HelpError, IndexBusy
from rag.stores.elasticsearch.client import METADATA_TIMEOUT_S, Server

BEAT_S = 15.0
STALE_S = 120.0
LOCK_ID = "writer"
FIELDS = {
    "host": {"type": "keyword"},
    "pid": {"type": "long"},
    "beat": {"type": "double"},
    "since": {"type": "keyword"},
}


class _Taken(Exception):
    """Say that the lock document is not as it was last seen."""


class BuildLock:
    """Hold the right to write an index until `release`.

    A thread renews the heartbeat, so that the lock of a run that died is free after two minutes,
    or at once on the machine where it died. Raises: IndexBusy naming the owner.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._index = f"{server.alias}-lock"
        self._since = time.strftime("%Y-%m-%d %H:%M:%S %Z")
        self._ended = threading.Event()
        self._turn = threading.Lock()
        self._create_index()
        self._held = self._acquire()
        self._thread = threading.Thread(target=self._beat, name="index-lock", daemon=True)
        self._thread.start()

    def renew(self) -> None:
        """Renew the heartbeat. Raises: IndexBusy when another run has taken the lock over."""
        with self._turn:
            try:
                self._held = self._write(**self._held)
            except _Taken:
                raise IndexBusy(
                    f"Another run took over the index {self._server.alias!r} while this one was "
                    "standing still. Nothing was published. Run this again when it has ended."
                ) from None

    def release(self) -> None:
        """Let the next run begin. A server that is gone is no reason to fail."""
        self._ended.set()
        self._thread.join()
        with contextlib.suppress(HelpError), self._server.ask(METADATA_TIMEOUT_S) as client:
            client.options(ignore_status=[404, 409]).delete(
                index=self._index, id=LOCK_ID, **self._held
            )

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_S):
            # a server that is away comes back, and a lost lock is noticed before publishing
            with contextlib.suppress(HelpError):
                self.renew()

    def _create_index(self) -> None:
        with self._server.ask(METADATA_TIMEOUT_S) as client:
            if client.indices.exists(index=self._index):
                return
            # 400: another run was faster
            client.options(ignore_status=400).indices.create(
                index=self._index,
                settings={"number_of_shards": 1, "auto_expand_replicas": "0-1"},
                mappings={"dynamic": "strict", "properties": FIELDS},
            )

    def _acquire(self) -> dict[str, Any]:
        try:
            return self._write(op_type="create")
        except _Taken:
            pass
        with self._server.ask(METADATA_TIMEOUT_S) as client:
            found = client.options(ignore_status=404).get(index=self._index, id=LOCK_ID)
        if not found["found"]:
            return self._acquire()
        owner = found["_source"]
        try:
            if _is_dead(owner):
                held = {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}
                return self._write(**held)
        except _Taken:
            pass
        raise IndexBusy(
            f"Another run is writing the index {self._server.alias!r}: process {owner['pid']} on "
            f"{owner['host']}, since {owner['since']}. Wait until it ends, then run this again."
        )

    def _write(self, **condition: Any) -> dict[str, Any]:
        document = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "beat": time.time(),
            "since": self._since,
        }
        with self._server.ask(METADATA_TIMEOUT_S) as client:
            try:
                done = client.index(index=self._index, id=LOCK_ID, document=document, **condition)
            except ConflictError:
                raise _Taken from None
        return {"if_seq_no": done["_seq_no"], "if_primary_term": done["_primary_term"]}


def _is_dead(owner: Mapping[str, Any]) -> bool:
    if time.time() - owner["beat"] > STALE_S:
        return True
    # on Windows, signal 0 would end the process
    if owner["host"] != socket.gethostname() or os.name == "nt":
        return False
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
