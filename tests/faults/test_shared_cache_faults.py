"""Kept answers whose server fails: they are passed by, in time, and never served wrong."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch

from rag.config.settings import Settings
from rag.core.errors import SearchUnavailable
from rag.core.protocols import AnswerStore, Store
from rag.stores import open_answer_store, open_store
from tests.contract.answers import (
    NOW,
    SCOPE,
    complaints,
    entry,
    kept,
    near,
    publish,
    put,
    served,
    settle,
)
from tests.contract.conftest import TIMEOUT_S, vector


@pytest.mark.parametrize("answering", [False, True], ids=["refuses", "stays silent"])
def test_a_server_that_does_not_answer_costs_the_time_given(
    indexed_store: Store, answering: bool, caplog: pytest.LogCaptureFixture
) -> None:
    one = entry(indexed_store, "k1", next(iter(indexed_store.records())))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if answering:
            listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        answers = open_answer_store(Settings(elasticsearch_url=url, _env_file=None))
        raised = [
            lambda: answers.get("k1", NOW, 0.3),
            lambda: answers.candidates(SCOPE, vector("k1"), 3, NOW, 0.3),
            lambda: answers.stats(0.3),
            lambda: answers.clear(0.3),
            lambda: answers.get("k1", NOW, 0.0),
        ]
        quiet = [
            (lambda: answers.put(one, 0.3), False),
            (lambda: answers.claim("k1", "me", 9.0, NOW, 0.3), True),
            (lambda: answers.release("k1", "me", 0.3), None),
            (lambda: answers.touch(one, "exact", NOW, 0.3), None),
            (lambda: answers.count("missed", 0.3), None),
        ]
        for use in raised:
            start = time.monotonic()
            with pytest.raises(SearchUnavailable):
                use()
            assert time.monotonic() - start < 0.6
        for use, result in quiet:
            start = time.monotonic()
            assert use() == result
            assert time.monotonic() - start < 0.6
        answers.close()
    assert len(complaints(caplog)) == 1


@pytest.fixture
def shared(elasticsearch_url: str, index_prefix: str) -> Iterator[tuple[Settings, Store]]:
    """Settings that name Elasticsearch, and an index of two pages there."""
    settings = Settings(
        elasticsearch_url=elasticsearch_url,
        elasticsearch_index=f"{index_prefix}aide",
        _env_file=None,
    )
    store = open_store(settings)
    publish(store, {"a": "alpha 1", "b": "beta 1"})
    yield settings, store
    store.close()


@pytest.fixture
def shared_answers(shared: tuple[Settings, Store]) -> Iterator[AnswerStore]:
    settings, store = shared
    opened = open_answer_store(settings)
    put(opened, entry(store, "k1", "a"), entry(store, "k2", "b"))
    yield opened
    opened.close()


@pytest.fixture
def client(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    with Elasticsearch(elasticsearch_url) as client:
        yield client


def test_a_server_with_a_full_disk_serves_what_it_has(
    shared: tuple[Settings, Store],
    shared_answers: AnswerStore,
    client: Elasticsearch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings, store = shared
    client.indices.put_settings(
        index=f"{settings.elasticsearch_index}-answers",
        settings={"index.blocks.read_only_allow_delete": True},
    )
    one = entry(store, "k3", "a")
    for _ in range(2):
        assert not shared_answers.put(one, TIMEOUT_S)
        shared_answers.touch(one, "exact", NOW, TIMEOUT_S)
        assert shared_answers.claim("k3", "me", 9.0, NOW, TIMEOUT_S)
    assert served(shared_answers, "k1", "k2", "k3") == {"k1", "k2"}
    assert len(complaints(caplog)) == 1
    assert "disk" in complaints(caplog)[0]


def test_answers_removed_behind_the_back_are_made_anew(
    shared: tuple[Settings, Store], shared_answers: AnswerStore, client: Elasticsearch
) -> None:
    settings, store = shared
    alias = f"{settings.elasticsearch_index}-answers"
    for again in range(2):
        (name,) = client.indices.get_alias(name=alias)
        client.indices.delete(index=name)
        assert served(shared_answers, "k1", "k2") == set()
        if again:
            shared_answers.touch(entry(store, "k1", "a"), "exact", NOW, TIMEOUT_S)
        put(shared_answers, entry(store, "k1", "a"))
        settle(settings)
        assert near(shared_answers, settings, "k1") == ["k1"]
    (body,) = client.indices.get_mapping(index=alias).values()
    assert body["mappings"]["dynamic"] == "strict"


def test_a_damaged_document_is_dropped_and_named(
    shared: tuple[Settings, Store],
    shared_answers: AnswerStore,
    client: Elasticsearch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings, store = shared
    alias = f"{settings.elasticsearch_index}-answers"
    for damaged in ({"question": 1}, {"pages": 7}, {"pages": [["a"]]}, {"answer": "texte"}):
        put(shared_answers, entry(store, "k1", "a"))
        client.update(index=alias, id="answer:k1", doc={"entry": damaged})
        assert served(shared_answers, "k1", "k2") == {"k2"} or "question" in damaged
        settle(settings)
        assert set(near(shared_answers, settings, "k1")) <= {"k1", "k2"}
    assert sum("damaged" in r.getMessage() for r in caplog.records) >= 3
    publish(store, {"b": "beta 2"})
    assert "k2" not in kept(shared_answers, settings)
