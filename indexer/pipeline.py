"""Load, chunk, encode, write, publish: only what changed since the last run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from indexer.chunker import chunk_page
from indexer.sources import (
    Candidate,
    Skip,
    find_candidates,
    hash_page,
    is_named,
    load_page,
    no_page,
    place,
    read_page,
)
from indexer.windows import windows_of
from rag.api import index_meta
from rag.core.documents import Chunk, Page, PageRecord, Vectors, Window, check_meta
from rag.core.errors import CorpusError
from rag.core.protocols import Encoder, Store, StoreWriter

ENCODE_BATCH = 512  # windows: enough to fill an encoder's batch, little enough to hold in memory
OnProgress = Callable[[int, int], None]


@dataclass(slots=True)
class Report:
    """Hold what a run did. ``written`` and ``unchanged`` count chunks, ``deleted`` pages."""

    pages: int = 0
    chunks: int = 0
    written: int = 0
    unchanged: int = 0
    deleted: int = 0
    skipped: list[Skip] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """Hold a page to write: its record, its chunks and windows in order, and which are new.

    ``written`` counts the new chunks; ``new`` are the windows that have no vector yet.
    """

    record: PageRecord
    chunks: tuple[Chunk, ...]
    windows: tuple[Window, ...]
    new: tuple[Window, ...]
    written: int


def run(
    sources: Sequence[Path],
    store: Store,
    encoder: Encoder,
    *,
    full: bool = False,
    dry_run: bool = False,
    on_progress: OnProgress = lambda done, total: None,
) -> Report:
    """Bring the index up to date with the pages under ``sources``, and say what was done.

    Pages of these folders that are gone leave the index; pages of other folders stay, unless
    ``full`` rebuilds it from ``sources`` alone. Nothing is visible before everything is written.

    Raises: CorpusError when the sources hold no page, or ``full`` could read none of them;
    IndexMismatch, IndexBusy, SearchUnavailable, EncoderError.
    """
    start = time.monotonic()
    known = {} if full else _known_pages(store, encoder)
    report = Report()
    candidates, report.skipped = find_candidates(sources, known)
    unread: set[str] = set()
    changes = _changes(candidates, known, encoder, report, unread=unread, on_progress=on_progress)
    gone = _gone(sources, candidates, known, unread)
    if dry_run:
        _count(changes, report)
        report.deleted = len(set(gone()))
    else:
        write_changes(store, encoder, full, changes, gone, report)
    report.seconds = round(time.monotonic() - start, 3)
    return report


def _known_pages(store: Store, encoder: Encoder) -> dict[str, PageRecord]:
    meta = store.meta()
    if meta is None:
        return {}
    check_meta(meta, index_meta(encoder))
    return store.records()


def _changes(
    candidates: Sequence[Candidate],
    known: dict[str, PageRecord],
    encoder: Encoder,
    report: Report,
    *,
    unread: set[str],
    on_progress: OnProgress,
) -> Iterator[Change]:
    """Yield the pages that changed, in order, counting what did not; collect those ``unread``."""
    for done, candidate in enumerate(candidates, 1):
        try:
            change = _change(candidate, known.get(candidate.id), encoder)
        except CorpusError as error:
            report.skipped.append(Skip(candidate.id, error.reason))
            unread.add(candidate.id)
        else:
            report.pages += 1
            old = known.get(candidate.id)
            kept = len(old.chunk_ids) if old else 0
            if change:
                kept = len(change.chunks) - change.written
                yield change
            report.unchanged += kept
            report.chunks += len(change.chunks) if change else kept
        on_progress(done, len(candidates))


def _change(candidate: Candidate, old: PageRecord | None, encoder: Encoder) -> Change | None:
    data = read_page(candidate)
    digest, root = hash_page(data), str(place(candidate.root))
    if old is not None and (old.hash, old.root) == (digest, root):
        return None
    page = load_page(candidate, data)
    chunks = tuple(chunk_page(page, encoder.count_tokens))
    return page_change(page, chunks, digest, root, old)


def page_change(
    page: Page, chunks: tuple[Chunk, ...], digest: str, root: str, old: PageRecord | None = None
) -> Change:
    """Return what to write of a page whose source has this hash and lies under ``root``.

    ``old`` is what is kept of it: its windows that are the same need no new vector.
    """
    windows = tuple(windows_of(chunks))
    kept_chunks = set(old.chunk_ids) if old else set()
    kept_windows = set(old.window_ids) if old else set()
    record = PageRecord(
        id=page.id,
        root=root,
        hash=digest,
        title=page.title,
        url=page.url or page.id,
        lang=page.lang,
        chunk_ids=tuple(chunk.id for chunk in chunks),
        window_ids=tuple(window.id for window in windows),
        see_also=page.see_also,
        actions=page.actions,
        questions=page.questions,
    )
    new = tuple(window for window in windows if window.id not in kept_windows)
    written = sum(chunk.id not in kept_chunks for chunk in chunks)
    return Change(record, chunks, windows, new, written)


def _gone(
    sources: Sequence[Path],
    candidates: Sequence[Candidate],
    known: dict[str, PageRecord],
    unread: set[str],
) -> Callable[[], list[str]]:
    """Return a function that lists the pages to remove, once all pages were read.

    These are the pages of the sources named that are there no more, those of a folder that was
    moved to where a source is now, and those that were unread.
    """
    present = {candidate.id for candidate in candidates}
    absent = [record for record in known.values() if record.id not in present]
    moved = {
        record.root
        for record in (known[page_id] for page_id in present & known.keys())
        if not Path(record.root).exists()
    }
    removed = {
        record.id
        for record in absent
        if record.root in moved or is_named(Path(record.root, record.id), sources)
    }

    def pages() -> list[str]:
        return [page_id for page_id in known if page_id in removed or page_id in unread]

    return pages


def write_changes(
    store: Store,
    encoder: Encoder,
    full: bool,
    changes: Iterator[Change],
    gone: Callable[[], list[str]],
    report: Report,
) -> None:
    """Write the changes in batches and publish them at once; open no writer when there are none."""
    writer: StoreWriter | None = store.writer(index_meta(encoder), full=True) if full else None
    try:
        for batch in _batches(changes):
            writer = writer or store.writer(index_meta(encoder), full=False)
            _put(writer, encoder, batch, report)
        for page_id in gone():
            writer = writer or store.writer(index_meta(encoder), full=False)
            writer.delete_page(page_id)
            report.deleted += 1
        if full and report.skipped and not report.pages:
            raise no_page([], report.skipped)
        if writer is not None:
            writer.publish()
    except BaseException:
        if writer is not None:
            writer.abort()
        raise


def _batches(changes: Iterator[Change]) -> Iterator[list[Change]]:
    batch: list[Change] = []
    size = 0
    for change in changes:
        batch.append(change)
        size += len(change.new) or 1
        if size >= ENCODE_BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _put(writer: StoreWriter, encoder: Encoder, batch: list[Change], report: Report) -> None:
    new = [window for change in batch for window in change.new]
    vectors: dict[str, Vectors] = {}
    if new:
        rows = encoder.encode_passages([window.searched for window in new])
        vectors = {window.id: row for window, row in zip(new, rows, strict=True)}
    for change in batch:
        own = {window.id: vectors[window.id] for window in change.new}
        writer.put_page(change.record, change.chunks, change.windows, own)
        report.written += change.written


def _count(changes: Iterator[Change], report: Report) -> None:
    report.written = sum(change.written for change in changes)
