"""Pages given in memory to an index, with the pieces of the pipeline that folders go through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from indexer.chunker import chunk_page
from indexer.pipeline import Change, OnProgress, Report, page_change, write_changes
from rag.core.documents import Page
from rag.core.protocols import Encoder, Store


def index_pages(
    pages: Sequence[Page],
    store: Store,
    encoder: Encoder,
    *,
    on_progress: OnProgress = lambda done, total: None,
) -> Report:
    """Make an index of these pages and of nothing else. Their ids must differ.

    Raises: IndexBusy, SearchUnavailable.
    """
    report = Report(pages=len(pages))
    changes = _changes(pages, encoder, report, on_progress)
    write_changes(store, encoder, True, changes, list, report)
    return report


def _changes(
    pages: Sequence[Page], encoder: Encoder, report: Report, on_progress: OnProgress
) -> Iterator[Change]:
    for done, page in enumerate(pages, 1):
        chunks = tuple(chunk_page(page, encoder.count_tokens))
        report.chunks += len(chunks)
        yield page_change(page, chunks, digest="", root="")
        on_progress(done, len(pages))
