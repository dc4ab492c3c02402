"""What the Elasticsearch store promises beyond the contract: generations, alias, lock, faults."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import socket
import time

import pytest
from elastic_transport import Transport
from elasticsearch import Elasticsearch

from rag.config.settings import Settings
from rag.core.documents import IndexMeta
from rag.core.errors import HelpError, IndexBusy, IndexMismatch
from rag.core.protocols import Store
from rag.stores import open_store
from rag.stores.elasticsearch import setup
from tests.contract.conftest import (
    META,
    chunk,
    found_by_words,
    generations,
    put,
    record,
    write,
)


@pytest.fixture
def settings(elasticsearch_url: str, index_prefix: str) -> Settings:
    return Settings(
        elasticsearch_url=elasticsearch_url,
        elasticsearch_index=f"{index_prefix}aide",
        _env_file=None,
    )


def published(client: Elasticsearch, settings: Settings) -> list[str]:
    return list(client.indices.get_alias(name=settings.elasticsearch_index))


def test_setup_creates_everything_says_so_and_can_be_repeated(
    store: Store, settings: Settings, client: Elasticsearch
) -> None:
    lines = setup(settings, META)
    (name,) = published(client, settings)
    assert f"Created alias {settings.elasticsearch_index} -> {name}." in lines
    assert (store.meta(), store.count()) == (META, 0)
    assert "already there" in setup(settings, META)[0]
    assert published(client, settings) == [name]

    body = client.indices.get(index=name)[name]
    field = body["mappings"]["properties"]["vector"]
    assert body["mappings"]["dynamic"] == "strict"
    assert body["mappings"]["_meta"] == {"encoder": "essai-16", "dimension": 16, "schema": 1}
    assert field["similarity"] == "cosine"
    assert field["index_options"]["type"] == "flat"

    with pytest.raises(IndexMismatch) as refused:
        setup(settings, IndexMeta("autre", 768, 1))
    for part in ("essai-16", "16 dim", "autre", "768 dim", "python cli.py index --full corpus/"):
        assert part in str(refused.value)
    write(store, {"p": [chunk("p", "texte")]})
    assert found_by_words(store, "texte")


def test_one_old_generation_is_kept_and_published_ones_cannot_be_written(
    store: Store, settings: Settings, client: Elasticsearch
) -> None:
    seen = []
    for number, full in enumerate((False, False, True, False)):
        write(store, {"p": [chunk("p", f"texte {number}")]}, full=full)
        seen.append(*published(client, settings))
        assert generations(client, settings) == seen[-2:]
        assert client.count(index=seen[-1], query={"term": {"kind": "chunk"}})["count"] == 1
    assert len(set(seen)) == 4
    refused = client.options(ignore_status=403).index(index=seen[-1], document={})
    assert refused["error"]["type"] == "cluster_block_exception"


def test_an_unchanged_run_makes_no_generation(
    store: Store, settings: Settings, client: Elasticsearch
) -> None:
    write(store, {"p": [chunk("p", "texte")]})
    before = generations(client, settings)
    store.writer(META, full=False).publish()
    assert generations(client, settings) == before


def test_an_index_that_is_not_ours_is_not_touched(
    store: Store, settings: Settings, client: Elasticsearch
) -> None:
    client.indices.create(index=settings.elasticsearch_index)
    neighbour = f"{settings.elasticsearch_index}-autre-20260101t000000-abcdef"
    client.indices.create(index=neighbour)
    for full in (False, True):
        with pytest.raises(HelpError, match="ELASTICSEARCH_INDEX"):
            store.writer(META, full=full)
    with pytest.raises(IndexMismatch, match="not made by Souffleur"):
        store.meta()
    client.indices.delete(index=settings.elasticsearch_index)
    write(store, {"p": [chunk("p", "texte")]})
    write(store, {"p": [chunk("p", "texte")]}, full=True)
    assert client.indices.exists(index=neighbour)


def test_an_alias_of_two_indices_is_refused_and_repaired_by_a_full_run(
    store: Store, settings: Settings, client: Elasticsearch
) -> None:
    write(store, {"p": [chunk("p", "texte")]})
    write(store, {"p": [chunk("p", "texte nouveau")]})
    for name in generations(client, settings):
        client.indices.put_alias(index=name, name=settings.elasticsearch_index)
    for act in (store.meta, lambda: store.writer(META, full=False)):
        with pytest.raises(IndexMismatch, match="several indexes"):
            act()
    write(store, {"p": [chunk("p", "texte")]}, full=True)
    assert store.meta() == META
    assert len(published(client, settings)) == 1


def test_the_lock_names_its_owner_and_one_without_heartbeat_is_taken_over(
    store: Store, settings: Settings, client: Elasticsearch
) -> None:
    writer = store.writer(META, full=False)
    with pytest.raises(IndexBusy) as refused:
        store.writer(META, full=False)
    assert f"process {os.getpid()} on {socket.gethostname()}" in str(refused.value)

    lock = f"{settings.elasticsearch_index}-lock"
    far = {"host": "ailleurs", "pid": 1, "since": "hier", "beat": time.time() - 30}
    client.index(index=lock, id="writer", document=far)
    with pytest.raises(IndexBusy, match="process 1 on ailleurs, since hier"):
        store.writer(META, full=False)
    client.index(index=lock, id="writer", document=far | {"beat": time.time() - 600})
    other = store.writer(META, full=False)

    put(writer, record("p", []), [], {})
    with pytest.raises(IndexBusy, match="took over"):
        writer.publish()
    with pytest.raises(IndexBusy):
        store.writer(META, full=False)
    assert store.meta() is None
    other.abort()
    write(store, {"p": [chunk("p", "texte")]})


def die_after(settings: Settings, requests: int, number: int) -> None:
    """Publish version ``number``, but die when the server has answered ``requests`` times."""
    left = itertools.count(requests, -1)
    perform = Transport.perform_request

    def count(*args: object, **options: object) -> object:
        answer = perform(*args, **options)
        if next(left) == 1:
            os._exit(9)
        return answer

    Transport.perform_request = count
    write(open_store(settings), version(number))


def version(number: int) -> dict[str, list[object]]:
    return {p: [chunk(p, f"version {number}", name=f"{p}-{number}")] for p in ("p", "q")}


def test_a_run_killed_after_any_request_leaves_a_whole_index(
    store: Store, settings: Settings, client: Elasticsearch
) -> None:
    write(store, version(0))
    last, context = 0, multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.contract.test_elasticsearch"])
    for number in itertools.count(1):
        child = context.Process(target=die_after, args=(settings, number, number))
        child.start()
        child.join()
        found = found_by_words(store, "version")
        assert found in ([f"p-{last}", f"q-{last}"], [f"p-{number}", f"q-{number}"])
        assert set(store.records()) == {"p", "q"}
        last = int(found[0].removeprefix("p-"))
        assert len(generations(client, settings)) <= 3
        if child.exitcode == 0:
            break
        assert child.exitcode == 9
    assert number > 15
    assert last == number
    assert len(generations(client, settings)) == 2
    assert store.count() == 2
