"""What one store keeps, into another: index, kept answers, journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, islice

import numpy

from rag.cache.keeping import every_entry
from rag.config.settings import Settings
from rag.core.errors import MAKE, HelpError, IndexMissing
from rag.core.protocols import AnswerStore, JournalStore, Store
from rag.core.records import Record
from rag.encoders import bundled_encoder
from rag.stores import open_answer_store, open_journal_store, open_store

BATCH = 500
TIMEOUT_S = 60.0
EVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """Count what was copied. ``answers`` leaves out those of pages that have changed since."""

    pages: int
    chunks: int
    answers: int
    records: int


def copy_all(source: Settings, target: Settings, on_progress: OnProgress) -> Copied:
    """Copy what the stores of one configuration keep to those of another.

    The index takes the place of the target's; answers and records are added to what is there.
    Raises: IndexMissing, HelpError, IndexBusy, SearchUnavailable.
    """
    # closed, the files that were written are whole: what is in a log only would not be packed
    with closing(open_store(source)) as read, closing(open_store(target)) as write:
        pages, chunks = copy_index(read, write, on_progress)
    with closing(open_answer_store(source)) as kept, closing(open_answer_store(target)) as keeping:
        answers = copy_answers(kept, keeping)
    with closing(open_journal_store(source)) as old, closing(open_journal_store(target)) as new:
        records = copy_journal(old, new)
    return Copied(pages, chunks, answers, records)


def copy_index(source: Store, target: Store, on_progress: OnProgress) -> tuple[int, int]:
    """Publish an index in another store. Returns how many pages and chunks it has."""
    meta = source.meta()
    if meta is None:
        raise IndexMissing(f"Nothing is indexed. Index your pages: {MAKE}")
    zero = numpy.zeros(meta.dimension, numpy.float32)
    records = source.records()
    writer = target.writer(meta, full=True)
    try:
        for done, page in enumerate(sorted(records), 1):
            ids = records[page].chunk_ids
            held, vectors = source.chunks(ids, TIMEOUT_S), source.vectors(ids, TIMEOUT_S)
            if held.keys() != set(ids):
                raise HelpError("The index was written anew while it was read. Run this again.")
            given = {chunk_id: vectors.get(chunk_id, zero) for chunk_id in ids}
            writer.put_page(records[page], [held[chunk_id] for chunk_id in ids], given)
            on_progress(done, len(records))
        writer.publish()
    except BaseException:
        writer.abort()
        raise
    return len(records), sum(len(record.chunk_ids) for record in records.values())


def copy_answers(source: AnswerStore, target: AnswerStore) -> int:
    """Keep one store's answers in another. Returns how many it took."""
    encoder = bundled_encoder()
    entries = list(every_entry(source))
    vectors = encoder.encode_queries([entry.question for entry in entries])
    return sum(
        target.put(replace(entry, vector=vector), TIMEOUT_S)
        for entry, vector in zip(entries, vectors, strict=True)
    )


def copy_journal(source: JournalStore, target: JournalStore) -> int:
    """Write one journal's records to another. Returns how many."""
    records: Iterator[Record] = chain(
        source.asked(*EVER, TIMEOUT_S), source.feedback(*EVER, TIMEOUT_S)
    )
    count = 0
    while batch := list(islice(records, BATCH)):
        target.write(batch, TIMEOUT_S)
        count += len(batch)
    return count
