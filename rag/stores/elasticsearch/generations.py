"""The versions of an index behind its alias: make one, publish it in one step, sweep the old.

A published generation is closed to writing and never changes. A run that changes a few pages
works on a clone of it (hard links, no copy), so that readers see all of a run or none of it, and
a run that dies leaves only an index that nobody reads and that the next run removes.

One writer at a time: a lock document with its owner's name and heartbeat.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from elasticsearch import ConflictError

from rag.config.settings import Settings
from rag.core.documents import IndexMeta, PageRecord, check_meta
from rag.core.errors import HelpError, IndexBusy, IndexMismatch
from rag.core.invocation import index_command, rebuild_command
from rag.stores.elasticsearch.client import METADATA_TIMEOUT_S, WRITE_TIMEOUT_S, Server
from rag.stores.elasticsearch.schema import index_settings, mapping, read_record

BEAT_S = 15.0
STALE_S = 120.0
LOCK_ID = "writer"
FIELDS = {
    "host": {"type": "keyword"},
    "pid": {"type": "long"},
    "beat": {"type": "double"},
    "since": {"type": "keyword"},
}
NAMED = "%Y%m%dt%H%M%S"  # when a generation was begun, in its name


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


def current(server: Server, timeout_s: float = METADATA_TIMEOUT_S) -> list[str]:
    """Return the generations that the alias names: none before the first run, else one.

    Raises: HelpError when an index stands under the alias's own name.
    """
    with server.ask(timeout_s) as client:
        found = client.options(ignore_status=404).indices.get_alias(index=server.alias)
    if found.meta.status == 404:
        return []
    if server.alias in found:
        raise HelpError(
            f"{server.alias!r} in Elasticsearch at {server.where} is an index, not an alias: "
            "Souffleur did not make it. Name another with ELASTICSEARCH_INDEX, or delete it."
        )
    return sorted(found)


def read_meta(server: Server, timeout_s: float = METADATA_TIMEOUT_S) -> IndexMeta | None:
    """Return what the published generation says of itself, None when there is none.

    Raises: IndexMismatch when the alias names several indexes or one that is not ours.
    """
    with server.ask(timeout_s) as client:
        found = client.options(ignore_status=404).indices.get_mapping(index=server.alias)
    if found.meta.status == 404:
        return None
    if len(found) > 1:
        raise IndexMismatch(
            f"The alias {server.alias!r} in Elasticsearch at {server.where} names several indexes "
            f"({', '.join(sorted(found))}). Rebuild it: {rebuild_command()}"
        )
    (body,) = found.values()
    said = body["mappings"].get("_meta", {})
    if not {"encoder", "dimension", "schema"} <= set(said):
        raise IndexMismatch(
            f"The index {server.alias!r} in Elasticsearch at {server.where} was not made by "
            f"Souffleur. Name another with ELASTICSEARCH_INDEX, or replace it: {rebuild_command()}"
        )
    return IndexMeta(said["encoder"], said["dimension"], said["schema"])


def read_records(server: Server, index: str) -> dict[str, PageRecord]:
    """Return every page of an index or alias by its id, from one moment, in any number."""
    records: dict[str, PageRecord] = {}
    with server.ask(WRITE_TIMEOUT_S) as client:
        moment = client.open_point_in_time(index=index, keep_alive="1m")["id"]
        after = None
        while True:
            found = client.search(
                pit={"id": moment, "keep_alive": "1m"},
                query={"term": {"kind": "page"}},
                size=1_000,
                sort="_shard_doc",
                search_after=after,
                source_includes=["record"],
                track_total_hits=False,
            )["hits"]["hits"]
            if not found:
                client.close_point_in_time(id=moment)
                return records
            for hit in found:
                record = read_record(hit["_source"])
                records[record.id] = record
            after = found[-1]["sort"]


def create(server: Server, meta: IndexMeta) -> str:
    """Create an empty generation that nobody reads yet. Returns its name."""
    name = _new_name(server.alias)
    with server.ask(WRITE_TIMEOUT_S) as client:
        client.indices.create(index=name, settings=index_settings(), mappings=mapping(meta))
    return name


def clone(server: Server, source: str) -> str:
    """Clone a published generation, open to writing. Returns the clone's name."""
    name = _new_name(server.alias)
    with server.ask(WRITE_TIMEOUT_S) as client:
        client.indices.add_block(index=source, block="write")
    with server.ask(WRITE_TIMEOUT_S) as client:
        client.indices.clone(index=source, target=name, settings={"index.blocks.write": None})
    return name


def publish(server: Server, name: str) -> None:
    """Point the alias to a generation and to nothing else, at once; then close it to writing."""
    olds = current(server)
    swap: list[Mapping[str, Any]] = [
        {"remove": {"index": old, "alias": server.alias}} for old in olds
    ]
    swap += [{"remove": {"index": old, "alias": _before(server)}} for old in previous(server)]
    swap += [{"add": {"index": old, "alias": _before(server)}} for old in olds[-1:]]
    with server.ask(WRITE_TIMEOUT_S) as client:
        client.indices.update_aliases(
            actions=[*swap, {"add": {"index": name, "alias": server.alias}}]
        )
    # it is published: a run that dies here leaves the closing to the next one
    with contextlib.suppress(HelpError), server.ask(WRITE_TIMEOUT_S) as client:
        client.indices.add_block(index=name, block="write")


def previous(server: Server) -> list[str]:
    """Return the generation that was published before the one that is: none or one."""
    with server.ask(METADATA_TIMEOUT_S) as client:
        found = client.options(ignore_status=404).indices.get_alias(name=_before(server))
    return [] if found.meta.status == 404 else sorted(found)


def rollback(server: Server) -> None:
    """Publish the generation before the published one. See `Store.rollback`."""
    lock = BuildLock(server)
    try:
        names = previous(server)
        if not names:
            raise HelpError(
                f"No earlier generation of {server.alias!r} is kept in Elasticsearch at "
                f"{server.where}: there is one after the second run that changes something. "
                f"Index your pages: {index_command()}"
            )
        publish(server, names[-1])
    finally:
        lock.release()


def drop(server: Server, name: str) -> None:
    """Delete a generation, unless it is the published one."""
    if name not in current(server):
        with server.ask(WRITE_TIMEOUT_S) as client:
            client.options(ignore_status=404).indices.delete(index=name)


def sweep(server: Server) -> None:
    """Delete the generations that nobody needs: all but the published one and the one before it.

    Only the owner of the lock may call it: another run's unfinished index looks like a dead one.
    """
    with server.ask(METADATA_TIMEOUT_S) as client:
        found = client.indices.get_alias(index=f"{server.alias}-*")
    ours = re.compile(re.escape(server.alias) + r"-\d{8}t\d{6}-[0-9a-f]{6}")
    unused = {
        name
        for name, body in found.items()
        if ours.fullmatch(name) and not body["aliases"].keys() & {server.alias, _before(server)}
    }
    for name in unused:
        drop(server, name)


def setup(settings: Settings, meta: IndexMeta) -> list[str]:
    """Create the index and its alias where they are missing. Returns what was done, in lines.

    Raises: IndexMismatch when the index that is there has another encoder, dimension or schema.
    """
    server = Server(settings)
    try:
        return _setup(server, meta)
    finally:
        server.close()


def _setup(server: Server, meta: IndexMeta) -> list[str]:
    made = f"encoder {meta.encoder}, {meta.dimension} dimensions, schema {meta.schema}"
    if names := current(server):
        found = read_meta(server)
        if found is not None:
            check_meta(found, meta)
        return [f"Alias {server.alias} -> {names[0]}: already there ({made}). Nothing to do."]
    lock = BuildLock(server)
    try:
        if current(server):
            return _setup(server, meta)
        sweep(server)
        name = create(server, meta)
        publish(server, name)
    finally:
        lock.release()
    return [
        f"Created index {name} in Elasticsearch at {server.where} ({made}): French and English "
        "analyzers, cosine vectors searched exactly (flat).",
        f"Created alias {server.alias} -> {name}.",
        f"Next: {index_command()}",
    ]


def _before(server: Server) -> str:
    """Return the alias of the generation before the published one."""
    return f"{server.alias}-previous"


def begun_at(name: str) -> float | None:
    """Return when a generation was begun, in seconds since 1970, by its name."""
    found = re.search(r"-(\d{8}t\d{6})-[0-9a-f]{6}$", name)
    made = datetime.strptime(found[1], NAMED) if found else None
    return made.replace(tzinfo=UTC).timestamp() if made else None


def _new_name(alias: str) -> str:
    return f"{alias}-{datetime.now(UTC):{NAMED}}-{secrets.token_hex(3)}"
