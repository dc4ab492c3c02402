"""The index file: its tables, connections, errors, and rows as values."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from rag.core.documents import Chunk, IndexMeta, PageRecord, ScreenLink, Window
from rag.core.errors import IndexBusy, SearchUnavailable
from rag.core.invocation import index_command
from rag.language import analyzer

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS pages (id TEXT PRIMARY KEY, root TEXT NOT NULL,"
    " hash TEXT NOT NULL, title TEXT NOT NULL, url TEXT NOT NULL, lang TEXT NOT NULL,"
    " chunk_ids TEXT NOT NULL, window_ids TEXT NOT NULL, links TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS chunks (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " page TEXT NOT NULL, position INTEGER NOT NULL, title TEXT NOT NULL, headings TEXT NOT NULL,"
    " url TEXT NOT NULL, lang TEXT NOT NULL, text TEXT NOT NULL, questions TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS chunks_of_page ON chunks (page)",
    "CREATE TABLE IF NOT EXISTS windows (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " page TEXT NOT NULL, lang TEXT NOT NULL, title TEXT NOT NULL, headings TEXT NOT NULL,"
    " questions TEXT NOT NULL, text TEXT NOT NULL, chunk_ids TEXT NOT NULL,"
    " version TEXT NOT NULL, audience TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS windows_of_page ON windows (page)",
    "CREATE TABLE IF NOT EXISTS vectors (number INTEGER PRIMARY KEY, vector BLOB NOT NULL)",
    "CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(title, headings, questions, text,"
    " tokenize = \"unicode61 remove_diacritics 0 tokenchars ''''\")",
    "CREATE VIRTUAL TABLE IF NOT EXISTS vocabulary USING fts5vocab(words, row)",
    "CREATE TABLE IF NOT EXISTS spellings (word TEXT PRIMARY KEY, windows INTEGER NOT NULL)",
)
TABLES = ("meta", "pages", "chunks", "windows", "vectors", "vocabulary", "words", "spellings")
BUSY_MS = 5_000
PAGE_COLUMNS = "id, root, hash, title, url, lang, chunk_ids, window_ids, links"
CHUNK_COLUMNS = "id, page, position, title, headings, url, lang, text, questions"
WINDOW_COLUMNS = "id, page, lang, title, headings, questions, text, chunk_ids, version, audience"


def connect(path: Path) -> sqlite3.Connection:
    """Open the file; a statement waits up to `BUSY_MS` for another writer."""
    connection = _opened(path.absolute().as_uri())
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("SELECT 1 FROM sqlite_master")
    except sqlite3.OperationalError:
        connection.close()
        if os.access(path.parent, os.W_OK) or not os.access(path, os.R_OK) or _has_log(path):
            raise
        # a file in WAL mode needs shared memory beside it, even to be read
        connection = _opened(f"{path.absolute().as_uri()}?mode=ro&immutable=1")
    return connection


def begin(connection: sqlite3.Connection, path: Path) -> None:
    """Begin the one transaction that may write. Raises: IndexBusy."""
    connection.execute("PRAGMA journal_mode = WAL")
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        raise IndexBusy(
            f"Another run is writing {path}. Wait until it ends, then run this again."
        ) from None


def state(path: Path) -> tuple[int, int, bool] | None:
    """Return what changes when a file that this process may only read is written elsewhere."""
    if os.access(path.parent, os.W_OK):
        return None  # SQLite itself sees every change
    found = path.stat()
    return found.st_mtime_ns, found.st_size, _has_log(path)


def _opened(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(
        uri, uri=True, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False
    )


def _has_log(path: Path) -> bool:
    """Say whether something was written that is not in the file itself yet."""
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Map SQLite's errors to ours, at one seam."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise SearchUnavailable(
            f"The index {path} cannot be used ({error}). Check the disk's space and the folder's"
            f" permissions, then run: {index_command()}"
        ) from error
    except sqlite3.DatabaseError as error:
        raise SearchUnavailable(
            f"The index {path} is damaged ({error}). Delete the file, then run: {index_command()}"
        ) from error


def read_value(connection: sqlite3.Connection, key: str) -> str | None:
    """Return a value of the meta table, None when it is not there."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def read_meta(connection: sqlite3.Connection) -> IndexMeta | None:
    """Return what the index says of itself, None when nothing was published."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is None:
        return None
    values = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    if "encoder" not in values:
        return None
    return IndexMeta(values["encoder"], int(values["dimension"]), int(values["schema"]))


def read_chunk(row: tuple[Any, ...]) -> Chunk:
    """Return the chunk of a row of `CHUNK_COLUMNS`."""
    chunk_id, page, position, title, headings, url, lang, text, questions = row
    path = tuple(orjson.loads(headings))
    asked = tuple(questions.split("\n")) if questions else ()
    return Chunk(chunk_id, page, position, title, path, url, lang, text, asked)


def read_window(row: tuple[Any, ...]) -> Window:
    """Return the window of a row of `WINDOW_COLUMNS`."""
    window_id, page, lang, title, headings, questions, text, chunk_ids, version, audience = row
    return Window(
        id=window_id,
        page=page,
        lang=lang,
        title=title,
        headings=tuple(orjson.loads(headings)),
        questions=tuple(orjson.loads(questions)),
        text=text,
        chunk_ids=tuple(orjson.loads(chunk_ids)),
        version=version,
        audience=audience,
    )


def read_record(row: tuple[Any, ...]) -> PageRecord:
    """Return the page of a row of `PAGE_COLUMNS`."""
    page_id, root, digest, title, url, lang, chunk_ids, window_ids, links_text = row
    links = orjson.loads(links_text)
    return PageRecord(
        id=page_id,
        root=root,
        hash=digest,
        title=title,
        url=url,
        lang=lang,
        chunk_ids=tuple(orjson.loads(chunk_ids)),
        window_ids=tuple(orjson.loads(window_ids)),
        see_also=tuple(links["see_also"]),
        actions=tuple(ScreenLink(**action) for action in links["actions"]),
        questions=tuple(links["questions"]),
    )


def spellings(*texts: str) -> set[str]:
    """Return the distinct folded words of the texts."""
    return {analyzer.fold(word) for text in texts for word in analyzer.words(text)}
