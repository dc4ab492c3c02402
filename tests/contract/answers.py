"""Kept answers that tests put, find and lose, and an index for them to depend on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import pytest

from rag.config.settings import Settings
from rag.core.documents import PageRecord
from rag.core.protocols import AnswerStore, Store
from rag.core.records import CachedAnswer, Scope
from tests.contract.conftest import TIMEOUT_S, chunk, vector, write
from tests.services import request

Records = Mapping[str, PageRecord]
NOW = 1_900_000_000.0
SCOPE = Scope("empreinte", "fr", "/clients", "")


def publish(store: Store, versions: Mapping[str, str], *, full: bool = False) -> None:
    """Publish one chunk a page, whose text is the version given."""
    write(store, {page: [chunk(page, text)] for page, text in versions.items()}, full=full)


def entry(
    store: Store, key: str, *pages: str, records: Records | None = None, **changes: object
) -> CachedAnswer:
    """Return an entry that depends on these pages as they are published now."""
    records = records or store.records()
    values = {
        "key": key,
        "scope": SCOPE,
        "question": f"Comment faire {key} ?",
        "asked": {"mots": ["faire", key], "nombres": []},
        "answer": {"text": f"Réponse à {key} [1].", "sources": [{"n": 1, "url": "/aide"}]},
        "pages": {page: records[page].hash for page in pages},
        "chunks": tuple(chunk_id for page in pages for chunk_id in records[page].chunk_ids),
        "created_at": NOW,
        "expires_at": NOW + 3600,
        "used_at": NOW,
        "saved_ms": 2500.0,
        "vector": vector(key),
        **changes,
    }
    return CachedAnswer(**values)


def put(answers: AnswerStore, *entries: CachedAnswer) -> None:
    for one in entries:
        assert answers.put(one, TIMEOUT_S)


def settle(settings: Settings) -> None:
    """Let Elasticsearch find what was put, as it does within a second."""
    if settings.uses_elasticsearch:
        index = f"{settings.elasticsearch_index}-answers"
        request(f"{settings.elasticsearch_url}/{index}/_refresh?ignore_unavailable=true", "POST")


def kept(answers: AnswerStore, settings: Settings) -> set[str]:
    """Return the keys that the store holds, served or not."""
    settle(settings)
    return {one.key for one in answers.entries(1_000, 0, TIMEOUT_S)}


def served(answers: AnswerStore, *keys: str, now: float = NOW) -> set[str]:
    """Return those of the keys that are served."""
    return {key for key in keys if answers.get(key, now, TIMEOUT_S) is not None}


def near(
    answers: AnswerStore, settings: Settings, key: str, k: int = 3, scope: Scope = SCOPE
) -> list[str]:
    settle(settings)
    found = answers.candidates(scope, vector(key), k, NOW, TIMEOUT_S)
    return [one.key for one, _ in found]


def generate_once(
    answers: AnswerStore,
    wanted: CachedAnswer,
    owner: str,
    generation_s: float,
    limit_s: float = 20.0,
) -> bool:
    """Answer as the assistant does: kept, claimed and made, or waited for. True: made here."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if answers.get(wanted.key, NOW, TIMEOUT_S) is not None:
            return False
        if answers.claim(wanted.key, owner, limit_s, NOW, TIMEOUT_S):
            time.sleep(generation_s)
            assert answers.put(replace(wanted, vector=None), TIMEOUT_S)
            answers.release(wanted.key, owner, TIMEOUT_S)
            return True
        time.sleep(0.05)
    raise TimeoutError(owner)


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if "Answers are not kept" in r.getMessage()]
