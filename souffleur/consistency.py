"""Prove that index, pages and kept answers agree, by reading all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy

from indexer.sources import Candidate, find_candidates, hash_page, read_page
from rag.cache.maintenance import every_entry
from rag.core.documents import Chunk, IndexMeta, PageRecord, Vectors, Window
from rag.core.errors import CorpusError, HelpError
from rag.core.invocation import command, index_command, rebuild_command
from rag.core.protocols import AnswerStore, Encoder, Store
from rag.core.records import Check

BATCH = 500  # chunks or windows read at once
TIMEOUT_S = 60.0
SAMPLE = 20  # windows searched for by their vector, and encoded once more
UNIT = 1e-3  # how far from 1 a vector's length may lie
SAME = 0.999  # cosine of a vector and of its window encoded once more
SHOWN = 3
Listed = Sequence[tuple[str, str]]  # page, id of its chunk or window
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
    """Hold what reading every chunk and window once told."""

    def __init__(
        self, store: Store, records: Mapping[str, PageRecord], on_progress: OnProgress
    ) -> None:
        self.ids: set[str] = set()
        self.lost: list[str] = []
        self.misplaced: list[str] = []
        self.lengths: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.without = 0
        self.sample: list[tuple[Window, Vectors]] = []
        chunks = [(page, i) for page in sorted(records) for i in records[page].chunk_ids]
        windows = [(page, i) for page in sorted(records) for i in records[page].window_ids]
        whole = len(chunks) + len(windows)
        for done, batch in _batches(chunks):
            self._note_chunks(batch, store.chunks([i for _, i in batch], TIMEOUT_S))
            on_progress(done, whole)
        step = max(1, len(windows) // SAMPLE)
        for done, batch in _batches(windows):
            ids = [i for _, i in batch]
            found, vectors = store.windows(ids, TIMEOUT_S), store.vectors(ids, TIMEOUT_S)
            self._note_windows(batch, found, vectors)
            sampled = (i for n, i in enumerate(ids, done - len(batch)) if n % step == 0)
            self.sample += [(found[i], vectors[i]) for i in sampled if i in found and i in vectors]
            on_progress(len(chunks) + done, whole)

    def _note_chunks(self, listed: Listed, found: Mapping[str, Chunk]) -> None:
        self.ids |= found.keys()
        self._note_places(listed, found)

    def _note_windows(
        self, listed: Listed, found: Mapping[str, Window], vectors: Mapping[str, Vectors]
    ) -> None:
        self._note_places(listed, found)
        self.without += len(found.keys() - vectors.keys())
        for page, i in listed:
            if (vector := vectors.get(i)) is not None:
                self.lengths[len(vector)] += 1
                if not abs(float(numpy.linalg.norm(vector)) - 1.0) <= UNIT:
                    self.wrong.append(page)

    def _note_places(self, listed: Listed, found: Mapping[str, Chunk | Window]) -> None:
        self.lost += [page for page, i in listed if i not in found]
        self.misplaced += [page for page, i in listed if i in found and found[i].page != page]


def _batches(listed: Listed) -> Iterator[tuple[int, Listed]]:
    """Yield how many will have been read, and the next of them."""
    for start in range(0, len(listed), BATCH):
        batch = listed[start : start + BATCH]
        yield start + len(batch), batch


def _chunks_check(store: Store, records: Mapping[str, PageRecord], held: _Held) -> Check:
    stored = store.count()
    faults = [
        *_fault("chunk or window lost", held.lost),
        *_fault("chunk or window under another page", held.misplaced),
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
    return _check("vectors", faults, f"{said}; {held.without} windows have none", rebuild_command())


def _search_check(store: Store, sample: Sequence[tuple[Window, Vectors]]) -> Check:
    lost = [window.page for window, vector in sample if not _finds(store, vector)]
    faults = _fault("window not found by its own vector", lost)
    return _check(
        "search", faults, f"{len(sample)} windows found by their own vectors", rebuild_command()
    )


def _finds(store: Store, vector: Vectors) -> bool:
    found = store.search(vector, {}, 1, TIMEOUT_S).knn
    return bool(found) and found[0][1] >= SAME


def _encoder_check(
    encoder: Encoder | None, meta: IndexMeta, sample: Sequence[tuple[Window, Vectors]]
) -> Check:
    if encoder is None or not sample:
        return Check("encoder", True, "not compared: embeddings are off or there is no vector")
    if (encoder.name, encoder.dimension) != (meta.encoder, meta.dimension):
        said = f"the settings name {encoder.name}, the index was made with {meta.encoder}"
        return Check(
            "encoder", False, said, f"{rebuild_command()} — or {command('index --rollback')}"
        )
    again = encoder.encode_passages([window.searched for window, _ in sample])
    cosines = [float(row @ vector) for row, (_, vector) in zip(again, sample, strict=True)]
    other = [window.page for (window, _), c in zip(sample, cosines, strict=True) if c < SAME]
    faults = _fault("vector not what the encoder gives", other)
    return _check(
        "encoder", faults, f"{len(sample)} windows encoded once more: the same", rebuild_command()
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
