"""Prove that index, pages and kept answers agree, by reading all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy

from indexer.loader import Candidate, hash_page, read_page
from indexer.sources import find_candidates
from rag.cache.keeping import every_entry
from rag.core.documents import Chunk, IndexMeta, PageRecord, Vectors
from rag.core.errors import CorpusError, HelpError
from rag.core.invocation import command, index_command, rebuild_command
from rag.core.protocols import AnswerStore, Encoder, Store
from rag.core.records import Check

BATCH = 500  # chunks read at once
TIMEOUT_S = 60.0
SAMPLE = 20  # chunks searched for by their vector, and encoded once more
UNIT = 1e-3  # how far from 1 a vector's length may lie
SAME = 0.999  # cosine of a vector and of its chunk encoded once more
SHOWN = 3
OnProgress = Callable[[int, int], None]


def verify(
    store: Store,
    answers: AnswerStore,
    encoder: Encoder | None,
    on_progress: OnProgress = lambda done, total: None,
) -> list[Check]:
    """Return what was found, one check a kind; nothing is changed.

    ``encoder`` None: the vectors' content is not compared. Raises: SearchUnavailable.
    """
    meta = store.meta()
    if meta is None:
        return [Check("index", False, "nothing is indexed", index_command())]
    records = store.records()
    held = _Held(store, records, on_progress)
    return [
        _chunks_check(store, records, held),
        _vectors_check(meta, held),
        _search_check(store, held.sample),
        _encoder_check(encoder, meta, held.sample),
        _pages_check(records),
        _answers_check(records, held.ids, answers),
    ]


class _Held:
    """Hold what reading every chunk once told."""

    def __init__(
        self, store: Store, records: Mapping[str, PageRecord], on_progress: OnProgress
    ) -> None:
        self.ids: set[str] = set()
        self.lost: list[str] = []
        self.misplaced: list[str] = []
        self.lengths: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.without = 0
        self.sample: list[tuple[Chunk, Vectors]] = []
        listed = [(page, chunk) for page in sorted(records) for chunk in records[page].chunk_ids]
        step = max(1, len(listed) // SAMPLE)
        for start in range(0, len(listed), BATCH):
            batch = listed[start : start + BATCH]
            ids = [chunk for _, chunk in batch]
            chunks, vectors = store.chunks(ids, TIMEOUT_S), store.vectors(ids, TIMEOUT_S)
            for number, (page, chunk_id) in enumerate(batch, start):
                self._note(page, chunk_id, chunks.get(chunk_id), vectors.get(chunk_id))
                if number % step == 0 and chunk_id in chunks and chunk_id in vectors:
                    self.sample.append((chunks[chunk_id], vectors[chunk_id]))
            on_progress(min(start + BATCH, len(listed)), len(listed))

    def _note(self, page: str, chunk_id: str, chunk: Chunk | None, vector: Vectors | None) -> None:
        if chunk is None:
            self.lost.append(page)
            return
        self.ids.add(chunk_id)
        if chunk.page != page:
            self.misplaced.append(page)
        if vector is None:
            self.without += 1
            return
        self.lengths[len(vector)] += 1
        if not abs(float(numpy.linalg.norm(vector)) - 1.0) <= UNIT:
            self.wrong.append(page)


def _chunks_check(store: Store, records: Mapping[str, PageRecord], held: _Held) -> Check:
    stored = store.count()
    faults = [
        *_fault("chunk lost", held.lost),
        *_fault("chunk under another page", held.misplaced),
    ]
    if stored != len(held.ids):
        faults.append(f"{stored} chunks are stored, {len(held.ids)} are listed by pages")
    said = f"{len(records)} pages, {len(held.ids)} chunks"
    return _check("chunks", faults, said, rebuild_command())


def _vectors_check(meta: IndexMeta, held: _Held) -> Check:
    faults = [
        f"{count} vectors are {length} long, not {meta.dimension}"
        for length, count in held.lengths.items()
        if length != meta.dimension
    ]
    faults += _fault("vector not of length 1", held.wrong)
    said = f"{held.lengths[meta.dimension]} of {meta.dimension} numbers by {meta.encoder}"
    return _check("vectors", faults, f"{said}; {held.without} chunks have none", rebuild_command())


def _search_check(store: Store, sample: Sequence[tuple[Chunk, Vectors]]) -> Check:
    lost = [chunk.page for chunk, vector in sample if not _finds(store, chunk, vector)]
    faults = _fault("chunk not found by its own vector", lost)
    return _check(
        "search", faults, f"{len(sample)} chunks found by their own vectors", rebuild_command()
    )


def _finds(store: Store, chunk: Chunk, vector: Vectors) -> bool:
    found = store.search(vector, (), 1, TIMEOUT_S).knn
    return bool(found) and found[0][1] >= SAME


def _encoder_check(
    encoder: Encoder | None, meta: IndexMeta, sample: Sequence[tuple[Chunk, Vectors]]
) -> Check:
    if encoder is None or not sample:
        return Check("encoder", True, "not compared: embeddings are off or there is no vector")
    if (encoder.name, encoder.dimension) != (meta.encoder, meta.dimension):
        said = f"the settings name {encoder.name}, the index was made with {meta.encoder}"
        return Check(
            "encoder", False, said, f"{rebuild_command()} — or {command('index --rollback')}"
        )
    again = encoder.encode_passages([chunk.searched for chunk, _ in sample])
    cosines = [float(row @ vector) for row, (_, vector) in zip(again, sample, strict=True)]
    other = [chunk.page for (chunk, _), c in zip(sample, cosines, strict=True) if c < SAME]
    faults = _fault("vector not what the encoder gives", other)
    return _check(
        "encoder", faults, f"{len(sample)} chunks encoded once more: the same", rebuild_command()
    )


def _pages_check(records: Mapping[str, PageRecord]) -> Check:
    """Compare every page with its file, and look for pages that are not indexed."""
    named: dict[str, list[str]] = {}
    for record in records.values():
        state = _state(record)
        if state:
            named.setdefault(state, []).append(record.id)
    for page in _new_pages(records):
        named.setdefault("new", []).append(page)
    faults = [text for state, pages in named.items() for text in _fault(f"page {state}", pages)]
    roots = " ".join(sorted({record.root for record in records.values()}))
    return _check("pages", faults, f"{len(records)} as their files are", command(f"index {roots}"))


def _state(record: PageRecord) -> str:
    path = Path(record.root, record.id)
    if not path.exists():
        return "gone"
    try:
        data = read_page(Candidate(path.parent, record.id, path, path.stat().st_size))
    except CorpusError:
        return "unreadable"
    return "" if hash_page(data) == record.hash else "changed"


def _new_pages(records: Mapping[str, PageRecord]) -> Iterator[str]:
    roots = sorted({Path(record.root) for record in records.values()})
    try:
        candidates, _ = find_candidates([root for root in roots if root.exists()], dict(records))
    except HelpError:
        return
    yield from (candidate.id for candidate in candidates if candidate.id not in records)


def _answers_check(
    records: Mapping[str, PageRecord], chunk_ids: set[str], answers: AnswerStore
) -> Check:
    """Look for kept answers whose pages are not as they were: none of them is ever served."""
    count = 0
    stale = []
    for entry in every_entry(answers):
        count += 1
        same = all(
            page in records and records[page].hash == digest for page, digest in entry.pages.items()
        )
        if not (same and chunk_ids.issuperset(entry.chunks)):
            stale.append(entry.question)
    faults = _fault("answer of pages that have changed", stale)
    return _check(
        "answers", faults, f"{count} kept, all of pages as they are", command("cache clear")
    )


def _fault(what: str, where: Sequence[str]) -> list[str]:
    if not where:
        return []
    names = ", ".join(islice(dict.fromkeys(where), SHOWN))
    more = ", …" if len(set(where)) > SHOWN else ""
    return [f"{len(where)} × {what}: {names}{more}"]


def _check(name: str, faults: Sequence[str], said: str, cure: str) -> Check:
    return Check(name, not faults, "; ".join(faults) or said, cure if faults else "")
