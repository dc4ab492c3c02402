"""Elasticsearch absent, silent, busy, full, refusing: each is named, and nothing is half done."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest
from elasticsearch import Elasticsearch

from rag.config.settings import Settings
from rag.core.errors import ConfigError, HelpError, IndexMismatch, SearchUnavailable
from rag.core.protocols import Store
from rag.stores import open_store
from rag.stores.elasticsearch import bulk
from tests.contract.conftest import (
    META,
    TIMEOUT_S,
    asked,
    chunk,
    found_by_words,
    generations,
    put,
    record,
    vector,
    write,
)
from tests.contract.proxy import Proxy


@pytest.fixture
def settings(elasticsearch_url: str, index_prefix: str) -> Settings:
    return Settings(
        elasticsearch_url=elasticsearch_url,
        elasticsearch_index=f"{index_prefix}aide",
        _env_file=None,
    )


@pytest.mark.parametrize("answers", [False, True], ids=["refuses", "stays silent"])
def test_a_server_that_does_not_answer_costs_the_time_given(answers: bool) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if answers:
            listener.listen()
        url = f"http://souffleur:secret@127.0.0.1:{listener.getsockname()[1]}"
        store = open_store(Settings(elasticsearch_url=url, _env_file=None))
        for act in asks(store, 0.3):
            started = time.monotonic()
            with pytest.raises(SearchUnavailable, match=r"127\.0\.0\.1") as refused:
                act()
            assert time.monotonic() - started < 0.6
            assert "secret" not in str(refused.value)
        with pytest.raises(SearchUnavailable):
            store.search(None, asked("texte"), 5, 0.0)
        store.close()


def asks(store: Store, timeout_s: float) -> list[Callable[[], object]]:
    return [
        lambda: store.search(vector(1), asked("texte"), 5, timeout_s),
        lambda: store.chunks(["a"], timeout_s),
        lambda: store.pages(["a"], timeout_s),
    ]


def test_a_vector_of_another_length_is_a_mismatch(store: Store) -> None:
    write(store, {"p": [chunk("p", "texte")]})
    with pytest.raises(IndexMismatch, match="--full"):
        store.search(vector(1, 8), {}, 5, TIMEOUT_S)


def test_a_full_disk_is_named_and_nothing_is_published(
    store: Store, settings: Settings, client: Elasticsearch
) -> None:
    write(store, {"p": [chunk("p", "texte")]})
    writer = store.writer(META, full=True)
    put(writer, record("q", []), [], {})
    building = generations(client, settings)[-1]
    client.indices.put_settings(
        index=building, settings={"index.blocks.read_only_allow_delete": True}
    )
    started = time.monotonic()
    with pytest.raises(HelpError, match="disk of Elasticsearch"):
        writer.publish()
    assert time.monotonic() - started < 5
    assert found_by_words(store, "texte")
    assert building not in generations(client, settings)


@pytest.fixture
def proxied(settings: Settings, elasticsearch_url: str) -> Iterator[tuple[Store, Proxy]]:
    with Proxy(elasticsearch_url) as proxy:
        store = open_store(settings.model_copy(update={"elasticsearch_url": proxy.url}))
        yield store, proxy
        store.close()


@pytest.mark.parametrize("fault", ["item 429", "whole 503", "cut off", "item 429 twice"])
def test_a_busy_server_is_tried_again_and_nothing_is_lost_or_doubled(
    proxied: tuple[Store, Proxy], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, proxy = proxied
    monkeypatch.setattr(bulk, "PAUSES_S", (0.1, 0.2))
    proxy.faults = [fault.removesuffix(" twice")] * (2 if fault.endswith("twice") else 1)
    write(store, {f"p{n}": [chunk(f"p{n}", f"texte {n}")] for n in range(10)})
    assert proxy.faults == []
    assert (store.count(), len(store.records())) == (10, 10)


def test_a_server_that_stays_busy_is_given_up_with_the_command_to_run(
    proxied: tuple[Store, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, proxy = proxied
    monkeypatch.setattr(bulk, "PAUSES_S", (0.1, 0.2))
    proxy.faults = ["whole 503"] * 3
    with pytest.raises(SearchUnavailable, match=r"Nothing was published.*cli\.py index"):
        write(store, {"p": [chunk("p", "texte")]})
    assert store.meta() is None
    write(store, {"p": [chunk("p", "texte")]})


def test_a_page_that_is_refused_is_named_with_the_reason(proxied: tuple[Store, Proxy]) -> None:
    store, proxy = proxied
    write(store, {"p": [chunk("p", "texte")]})
    proxy.faults = ["item refused"]
    with pytest.raises(HelpError, match=r"p4: .*mapper_parsing_exception.*Nothing was published"):
        write(store, {f"p{n}": [chunk(f"p{n}", f"autre {n}")] for n in range(10)})
    assert set(store.records()) == {"p"}


def test_credentials_that_are_refused_name_their_settings(proxied: tuple[Store, Proxy]) -> None:
    store, proxy = proxied
    proxy.status = 401
    for act in (*asks(store, 2.0), store.meta):
        with pytest.raises(ConfigError, match="ELASTICSEARCH_API_KEY"):
            act()


def test_a_question_is_asked_once_and_never_again(proxied: tuple[Store, Proxy]) -> None:
    store, proxy = proxied
    proxy.status = 503
    for number, act in enumerate(asks(store, 2.0), 1):
        with pytest.raises(SearchUnavailable, match="_cluster/health"):
            act()
        assert proxy.requests == number
