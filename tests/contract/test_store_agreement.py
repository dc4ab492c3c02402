"""Both stores rank the sample pages alike: who changes the store keeps the answers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy
import pytest

from indexer.chunker import chunk_page
from indexer.sources import find_pages, load_page
from rag.config.settings import Settings
from rag.core.documents import Chunk
from rag.core.protocols import Store
from rag.language import analyzer
from rag.stores import open_store
from tests.contract.conftest import TIMEOUT_S, write

ROOT = Path(__file__).parents[2]
K = 10


def sample_pages() -> dict[str, list[Chunk]]:
    found = find_pages([ROOT / "corpus"])
    return {
        candidate.id: chunk_page(
            load_page(candidate), lambda texts: [len(t.split()) for t in texts]
        )
        for candidate in found.candidates
    }


def questions() -> list[tuple[list[str], str]]:
    lines = [
        json.loads(line)
        for path in sorted((ROOT / "tests" / "quality").glob("questions*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return [
        (analyzer.content_words(line["question"], ("fr", "en")), line["page"])
        for line in lines
        if line.get("page")
    ]


def test_both_stores_rank_alike(tmp_path: Path, elasticsearch_url: str, index_prefix: str) -> None:
    pages = sample_pages()
    stores = [
        open_store(Settings(data_dir=tmp_path, _env_file=None)),
        open_store(
            Settings(
                elasticsearch_url=elasticsearch_url,
                elasticsearch_index=f"{index_prefix}aide",
                _env_file=None,
            )
        ),
    ]
    for store in stores:
        write(store, pages)
    page_of = {c.id: page for page, chunks in pages.items() for c in chunks}
    gains, overlaps = [], []
    for words, page in questions():
        ranked = [search(store, words) for store in stores]
        gains.append([gain([page_of[chunk_id] for chunk_id in ids], page) for ids in ranked])
        overlaps.append(len(set(ranked[0]) & set(ranked[1])) / max(1, len(ranked[0])))
    for store in stores:
        store.close()
    embedded, server = numpy.mean(gains, axis=0)
    assert server == pytest.approx(embedded, abs=0.01)
    assert numpy.mean(overlaps) > 0.85


def search(store: Store, words: list[str]) -> list[str]:
    return [
        chunk_id for chunk_id, _ in store.search(None, dict.fromkeys(words, 1.0), K, TIMEOUT_S).bm25
    ]


def gain(ranked: list[str], page: str) -> float:
    """Return nDCG@10 where one page is right."""
    pages = list(dict.fromkeys(ranked))
    return 1 / math.log2(pages.index(page) + 2) if page in pages else 0.0
