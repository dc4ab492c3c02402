"""The versions of an index behind its alias: make one, publish it in one step, sweep the old.

A published generation is closed to writing and never changes. A run that changes a few pages
works on a clone of it (hard links, no copy), so that readers see all of a run or none of it, and
a run that dies leaves only an index that nobody reads and that the next run removes.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rag.config.settings import Settings
from rag.core.documents import IndexMeta, PageRecord, check_meta
from rag.core.errors import HelpError, IndexMismatch
from rag.core.invocation import index_command, rebuild_command
from rag.stores.elasticsearch.client import METADATA_TIMEOUT_S, WRITE_TIMEOUT_S, Server
from rag.stores.elasticsearch.lock import BuildLock
from rag.stores.elasticsearch.schema import index_settings, mapping, read_record

NAMED = "%Y%m%dt%H%M%S"  # when a generation was begun, in its name


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
