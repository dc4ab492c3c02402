"""Everything that Souffleur keeps, in one archive: index, kept answers, journal, saved switches.

The journal's key is there too: without it, the questions to come would match none of before.

The archive holds SQLite files whatever store it came from, and is restored into whatever store
the settings name: it also carries an index from one kind of store to the other.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy

from rag.analytics.recorder import KEY_FILE, make_key
from rag.cache.maintenance import every_entry
from rag.config.settings import SWITCHES_FILE, Settings
from rag.core.errors import HelpError, IndexMissing
from rag.core.invocation import command, index_command
from rag.core.protocols import AnswerStore, JournalStore, Store
from rag.core.records import Record
from rag.encoders import bundled_encoder
from rag.stores import (
    INDEX_FILE,
    JOURNAL_FILE,
    open_answer_store,
    open_journal_store,
    open_store,
)

FORMAT = "souffleur-backup 1"
FORMAT_FILE = "FORMAT"
FILES = (INDEX_FILE, JOURNAL_FILE, KEY_FILE, SWITCHES_FILE)
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


def back_up(
    settings: Settings, archive: Path, on_progress: OnProgress = lambda done, total: None
) -> Copied:
    """Write an archive; it is whole or not there. Raises: IndexMissing, HelpError."""
    with TemporaryDirectory(prefix="souffleur-backup") as name:
        folder = Path(name)
        copied = copy_all(settings, _embedded(settings, folder), on_progress)
        for file in (KEY_FILE, SWITCHES_FILE):
            with suppress(FileNotFoundError):
                shutil.copy(settings.data_dir / file, folder)
        with _explained(archive, "written", "backup FILE"):
            _pack(folder, archive)
    return copied


def restore(
    settings: Settings, archive: Path, on_progress: OnProgress = lambda done, total: None
) -> Copied:
    """Put an archive's index in the place of the present one, at once, and add the rest.

    The present index becomes the generation before: `Store.rollback` brings it back. Answers and
    journal records that are there stay, so does the journal's key; saved switches are replaced.
    Raises: HelpError, IndexBusy.
    """
    with TemporaryDirectory(prefix="souffleur-restore") as name:
        folder = Path(name)
        with _explained(archive, "read", "restore FILE"):
            _unpack(archive, folder)
        copied = copy_all(_embedded(settings, folder), settings, on_progress)
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.copy(folder / SWITCHES_FILE, settings.data_dir)
        with suppress(FileNotFoundError):
            make_key(settings.data_dir / KEY_FILE, (folder / KEY_FILE).read_bytes())
    return copied


def _embedded(settings: Settings, folder: Path) -> Settings:
    """Return settings whose stores are SQLite files of a folder."""
    nowhere = {"elasticsearch_url": None, "elasticsearch_cloud_id": None}
    return settings.model_copy(update={**nowhere, "data_dir": folder})


def _pack(folder: Path, archive: Path) -> None:
    part = archive.with_name(f"{archive.name}.part")
    try:
        part.touch(0o600)  # it holds the key
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(FORMAT_FILE, FORMAT)
            for name in FILES:
                if (folder / name).exists():
                    packed.write(folder / name, name)
        part.replace(archive)
    finally:
        part.unlink(missing_ok=True)


def _unpack(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        held = set(packed.namelist())
        if FORMAT_FILE not in held or packed.read(FORMAT_FILE).decode("ascii") != FORMAT:
            raise zipfile.BadZipFile(f"it is no archive of the format {FORMAT!r}")
        for name in held & set(FILES):  # by their names: nothing lands elsewhere
            packed.extract(name, folder)


@contextmanager
def _explained(archive: Path, done: str, arguments: str) -> Iterator[None]:
    try:
        yield
    except (OSError, zipfile.BadZipFile, UnicodeError, KeyError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise HelpError(
            f"The archive {archive} cannot be {done}: {said}. Name another file:"
            f" {command(arguments)}"
        ) from None


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
        raise IndexMissing(f"Nothing is indexed. Index your pages: {index_command()}")
    zero = numpy.zeros(meta.dimension, numpy.float32)
    records = source.records()
    writer = target.writer(meta, full=True)
    try:
        for done, page in enumerate(sorted(records), 1):
            record = records[page]
            chunks = source.chunks(record.chunk_ids, TIMEOUT_S)
            windows = source.windows(record.window_ids, TIMEOUT_S)
            if {*chunks, *windows} != {*record.chunk_ids, *record.window_ids}:
                raise HelpError("The index was written anew while it was read. Run this again.")
            vectors = source.vectors(record.window_ids, TIMEOUT_S)
            writer.put_page(
                record,
                [chunks[i] for i in record.chunk_ids],
                [windows[i] for i in record.window_ids],
                {i: vectors.get(i, zero) for i in record.window_ids},
            )
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
