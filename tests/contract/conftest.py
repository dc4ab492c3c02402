"""The stores under contract: a new backend is one more parameter of `backend`."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy
import pytest
from elasticsearch import Elasticsearch

from rag.config.settings import Settings
from rag.core.documents import Chunk, IndexMeta, PageRecord, Vectors, Window
from rag.core.protocols import AnswerStore, Store, StoreWriter
from rag.stores import open_answer_store, open_store

DIMENSION = 16
META = IndexMeta("essai-16", DIMENSION, 1)
TIMEOUT_S = 10.0

OpenStore = Callable[[], Store]
OpenAnswers = Callable[..., AnswerStore]


def vector(seed: int | str, dimension: int = DIMENSION) -> Vectors:
    """Return a unit vector that follows from the seed."""
    draw = random.Random(str(seed))
    values = numpy.array([draw.gauss(0, 1) for _ in range(dimension)], numpy.float32)
    return values / numpy.linalg.norm(values)


def chunk(
    page: str,
    text: str,
    position: int = 0,
    *,
    title: str = "Page",
    headings: Sequence[str] = (),
    lang: str = "fr",
    name: str | None = None,
) -> Chunk:
    key = name or uuid.uuid5(uuid.NAMESPACE_URL, f"{page}\0{headings}\0{text}").hex
    url = f"/aide/{position}"
    return Chunk(key, page, position, title, tuple(headings), url, lang, text)


def record(page: str, chunks: Sequence[Chunk], **changes: object) -> PageRecord:
    values = {
        "id": page,
        "root": "/pages",
        "hash": f"hash of {[c.text for c in chunks]}",
        "title": chunks[0].title if chunks else "Page",
        "url": f"/aide/{page}",
        "lang": chunks[0].lang if chunks else "fr",
        "chunk_ids": tuple(c.id for c in chunks),
        "window_ids": tuple(c.id for c in chunks),
        **changes,
    }
    return PageRecord(**values)  # type: ignore[arg-type]


def write(
    store: Store,
    pages: dict[str, Sequence[Chunk]],
    vectors: dict[str, Vectors] | None = None,
    *,
    full: bool = False,
    meta: IndexMeta = META,
) -> None:
    """Publish these pages in one run; a chunk's vector follows from its id unless given."""
    writer = store.writer(meta, full=full)
    for page, chunks in pages.items():
        given = {c.id: vector(c.id, meta.dimension) for c in chunks} | (vectors or {})
        put(writer, record(page, chunks), chunks, {c.id: given[c.id] for c in chunks})
    writer.publish()


def put(
    writer: StoreWriter, page: PageRecord, chunks: Sequence[Chunk], vectors: dict[str, Vectors]
) -> None:
    """Write a page, each of whose chunks is a window by itself, of the same id."""
    writer.put_page(page, chunks, [window(c) for c in chunks], vectors)


def window(of: Chunk) -> Window:
    return Window(of.id, of.page, of.lang, of.title, of.headings, of.questions, of.text, (of.id,))


def asked(*words: str) -> dict[str, float]:
    """Return the words of a question, each with its own weight."""
    return dict.fromkeys(words, 1.0)


def found_by_words(store: Store, *words: str, k: int = 10) -> list[str]:
    return [i for i, _ in store.search(None, asked(*words), k, TIMEOUT_S).bm25]


@pytest.fixture(params=["sqlite", "elasticsearch"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings that name a store with nothing in it."""
    if request.param == "sqlite":
        return Settings(data_dir=tmp_path, _env_file=None)
    return Settings(
        data_dir=tmp_path,
        elasticsearch_url=request.getfixturevalue("elasticsearch_url"),
        elasticsearch_index=f"{request.getfixturevalue('index_prefix')}aide",
        _env_file=None,
    )


@pytest.fixture
def open_another(settings: Settings) -> Iterator[OpenStore]:
    """Open one more store object on the same index, as another process would."""
    opened: list[Store] = []

    def open_one() -> Store:
        opened.append(open_store(settings))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(open_another: OpenStore) -> Store:
    return open_another()


@pytest.fixture
def open_answers(settings: Settings) -> Iterator[OpenAnswers]:
    """Open kept answers on the index of `settings`, as one more process would."""
    opened: list[AnswerStore] = []

    def open_one(**changes: object) -> AnswerStore:
        opened.append(open_answer_store(settings.model_copy(update=changes)))
        return opened[-1]

    yield open_one
    for answers in opened:
        answers.close()


@pytest.fixture
def answers(open_answers: OpenAnswers, store: Store) -> AnswerStore:
    """Kept answers beside an index of three pages."""
    write(
        store,
        {
            p: [chunk(p, f"{word} 1")]
            for p, word in zip("abc", ("alpha", "beta", "gamma"), strict=True)
        },
    )
    return open_answers()


@pytest.fixture
def client(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    with Elasticsearch(elasticsearch_url) as client:
        yield client


def generations(client: Elasticsearch, settings: Settings) -> list[str]:
    names = client.indices.get(index=f"{settings.elasticsearch_index}-2*").body
    return sorted(names, key=lambda name: int(names[name]["settings"]["index"]["creation_date"]))
