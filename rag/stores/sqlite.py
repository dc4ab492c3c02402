"""The embedded store: one SQLite file in WAL mode; FTS5 for words, one matrix for vectors."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy
from rapidfuzz.distance import OSA

from rag import analysis
from rag.errors import HelpError, IndexBusy, IndexMissing, SearchUnavailable
from rag.stores.common import check_meta
from rag.types import Action, Chunk, IndexMeta, PageRecord, SearchLegs, StoreWriter, Vectors

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pages (
    id TEXT PRIMARY KEY, root TEXT NOT NULL, hash TEXT NOT NULL, title TEXT NOT NULL,
    url TEXT NOT NULL, lang TEXT NOT NULL, chunk_ids TEXT NOT NULL, links TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS chunks (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, page TEXT NOT NULL,
    position INTEGER NOT NULL, title TEXT NOT NULL, headings TEXT NOT NULL, url TEXT NOT NULL,
    lang TEXT NOT NULL, text TEXT NOT NULL, questions TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS vectors (number INTEGER PRIMARY KEY, vector BLOB NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
    title, headings, questions, text, tokenize = "unicode61 remove_diacritics 0 tokenchars ''''");
CREATE TABLE IF NOT EXISTS spellings (word TEXT PRIMARY KEY, chunks INTEGER NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS vocabulary USING fts5vocab(words, row);
"""
BUSY_MS = 5_000
ID_BATCH = 500
PAGE_COLUMNS = "id, root, hash, title, url, lang, chunk_ids, links"
COLUMNS = "id, page, position, title, headings, url, lang, text, questions"


class SqliteStore:
    """Search an index file. Safe to share between threads; a publish elsewhere is seen at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._generation = -1
        self._ids: list[str] = []
        self._matrix: Vectors = numpy.empty((0, 0), numpy.float32)

    def meta(self) -> IndexMeta | None:
        """Return what the index says of itself, None when there is none."""
        if not self._path.exists():
            return None
        with self._reading() as connection:
            return _read_meta(connection)

    def records(self) -> dict[str, PageRecord]:
        """Return every page by its id."""
        if self.meta() is None:
            return {}
        with self._reading() as connection:
            rows = connection.execute(f"SELECT {PAGE_COLUMNS} FROM pages ORDER BY id")
            return {row[0]: _record(row) for row in rows}

    def count(self) -> int:
        """Return the number of chunks."""
        if self.meta() is None:
            return 0
        with self._reading() as connection:
            return int(connection.execute("SELECT count(*) FROM chunks").fetchone()[0])

    def writer(self, meta: IndexMeta, *, full: bool) -> StoreWriter:
        """Begin a run in one transaction. Raises: IndexBusy, IndexMismatch."""
        return SqliteWriter(self._path, meta, full=full)

    def search(
        self, vector: Vectors | None, words: Sequence[str], k: int, timeout_s: float
    ) -> SearchLegs:
        """Search the matrix exactly and the words by FTS5's BM25, in one snapshot."""
        with self._searching() as connection:
            connection.execute("BEGIN")
            try:
                knn = [] if vector is None else self._search_vector(connection, vector, k)
                bm25 = _search_words(connection, words, k)
                frequencies = [_frequency(connection, word) for word in words]
                total = connection.execute("SELECT count(*) FROM chunks").fetchone()[0]
            finally:
                connection.execute("COMMIT")
        return SearchLegs(knn, bm25, frequencies, int(total))

    def nearest_words(self, words: Sequence[str], timeout_s: float) -> dict[str, str]:
        """Return, for each folded word, itself when held, else the nearest word held."""
        with self._searching() as connection:
            found = {word: _nearest_word(connection, word) for word in words}
        return {word: near for word, near in found.items() if near}

    def chunks(self, ids: Sequence[str], timeout_s: float) -> dict[str, Chunk]:
        """Return the chunks of these ids that exist."""
        return {row[0]: _chunk(row) for row in self._rows("chunks", COLUMNS, ids)}

    def pages(self, ids: Sequence[str], timeout_s: float) -> dict[str, PageRecord]:
        """Return the pages of these ids that exist."""
        return {row[0]: _record(row) for row in self._rows("pages", PAGE_COLUMNS, ids)}

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _rows(self, table: str, columns: str, ids: Sequence[str]) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        with self._searching() as connection:
            for start in range(0, len(ids), ID_BATCH):
                batch = list(ids[start : start + ID_BATCH])
                marks = ",".join("?" * len(batch))
                sql = f"SELECT {columns} FROM {table} WHERE id IN ({marks})"
                rows.extend(connection.execute(sql, batch))
        return rows

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _explained(self._path):
            if self._connection is None:
                self._connection = _connect(self._path)
            yield self._connection

    @contextmanager
    def _searching(self) -> Iterator[sqlite3.Connection]:
        if self.meta() is None:
            raise IndexMissing(
                f"Nothing is indexed in {self._path}. Index your pages: python cli.py index corpus/"
            )
        with self._reading() as connection:
            yield connection

    def _search_vector(
        self, connection: sqlite3.Connection, vector: Vectors, k: int
    ) -> list[tuple[str, float]]:
        self._load_matrix(connection)
        if not vector.any() or not self._ids:
            return []
        scores = self._matrix @ vector
        kept = numpy.arange(len(scores))
        if len(scores) > k:
            kept = numpy.flatnonzero(scores >= numpy.partition(scores, -k)[-k])
        # rows stand in the order of their ids: a stable sort gives ties to the lower one
        best = kept[numpy.argsort(-scores[kept], kind="stable")][:k]
        return [(self._ids[row], float(scores[row])) for row in best]

    def _load_matrix(self, connection: sqlite3.Connection) -> None:
        generation = int(_read_value(connection, "generation") or 0)
        if generation == self._generation:
            return
        rows = connection.execute(
            "SELECT id, vector FROM chunks JOIN vectors USING (number) ORDER BY id"
        ).fetchall()
        self._ids = [row[0] for row in rows]
        flat = numpy.frombuffer(b"".join(row[1] for row in rows), numpy.float32)
        self._matrix = flat.reshape(len(rows), -1) if rows else flat.reshape(0, 0)
        self._generation = generation


class SqliteWriter:
    """Hold one run's transaction: a crash at any moment leaves the index as it was."""

    def __init__(self, path: Path, meta: IndexMeta, *, full: bool) -> None:
        self._path = path
        self._spellings: Counter[str] = Counter()
        path.parent.mkdir(parents=True, exist_ok=True)
        with _explained(path):
            self._connection = _connect(path)
            try:
                self._begin(meta, full)
            except BaseException:
                self._connection.close()
                raise

    def _begin(self, meta: IndexMeta, full: bool) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.executescript(SCHEMA)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            raise IndexBusy(
                f"Another run is writing {self._path}. Wait until it ends, then run this again."
            ) from None
        found = _read_meta(self._connection)
        if full:
            for table in ("pages", "chunks", "vectors", "words", "spellings"):
                self._connection.execute(f"DELETE FROM {table}")
        elif found is not None:
            check_meta(found, meta)
        generation = int(_read_value(self._connection, "generation") or 0) + 1
        values = {**asdict(meta), "generation": generation}
        self._connection.executemany(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)", [(k, str(v)) for k, v in values.items()]
        )

    def put_page(
        self, record: PageRecord, chunks: Sequence[Chunk], vectors: dict[str, Vectors]
    ) -> None:
        """Write a page: its record, its new chunks, the positions of the others."""
        with _explained(self._path):
            self._drop_chunks(record.id, keep={c.id for c in chunks if c.id not in vectors})
            for chunk in chunks:
                if chunk.id in vectors:
                    self._insert(chunk, vectors[chunk.id])
                else:
                    self._connection.execute(
                        "UPDATE chunks SET position = ? WHERE id = ?", (chunk.position, chunk.id)
                    )
            links = {
                "see_also": record.see_also,
                "actions": [asdict(action) for action in record.actions],
                "questions": record.questions,
            }
            self._connection.execute(
                "INSERT OR REPLACE INTO pages VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (record.id, record.root, record.hash, record.title, record.url, record.lang)
                + (json.dumps(record.chunk_ids), json.dumps(links)),
            )

    def delete_page(self, page_id: str) -> None:
        """Remove a page and its chunks."""
        with _explained(self._path):
            self._drop_chunks(page_id, keep=set())
            self._connection.execute("DELETE FROM pages WHERE id = ?", (page_id,))

    def publish(self) -> None:
        """Check that every page has its chunks, then commit."""
        with _explained(self._path):
            listed, stored = self._connection.execute(
                "SELECT (SELECT coalesce(sum(json_array_length(chunk_ids)), 0) FROM pages),"
                " (SELECT count(*) FROM chunks)"
            ).fetchone()
            if listed != stored:
                self.abort()
                raise HelpError(
                    f"The pages list {listed} chunks, but {stored} were written to {self._path}."
                    " Nothing was published. Rebuild it: python cli.py index --full corpus/"
                )
            self._connection.executemany(
                "INSERT INTO spellings VALUES (?, ?)"
                " ON CONFLICT (word) DO UPDATE SET chunks = chunks + excluded.chunks",
                self._spellings.items(),
            )
            self._connection.execute("DELETE FROM spellings WHERE chunks <= 0")
            self._connection.execute("COMMIT")
            self._connection.close()

    def abort(self) -> None:
        """Roll the run back."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._connection.close()

    def _insert(self, chunk: Chunk, vector: Vectors) -> None:
        headings = json.dumps(chunk.headings, ensure_ascii=False)
        number = self._connection.execute(
            f"INSERT INTO chunks ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (chunk.id, chunk.page, chunk.position, chunk.title, headings)
            + (chunk.url, chunk.lang, chunk.text, "\n".join(chunk.questions)),
        ).lastrowid
        fields = (chunk.title, chunk.heading, "\n".join(chunk.questions), chunk.text)
        self._spellings.update(_spellings(*fields))
        self._connection.execute(
            "INSERT INTO words (rowid, title, headings, questions, text) VALUES (?, ?, ?, ?, ?)",
            (number, *(" ".join(analysis.stems(field, chunk.lang)) for field in fields)),
        )
        if vector.any():
            blob = numpy.ascontiguousarray(vector, numpy.float32).tobytes()
            self._connection.execute("INSERT INTO vectors VALUES (?, ?)", (number, blob))

    def _drop_chunks(self, page_id: str, keep: set[str]) -> None:
        rows = self._connection.execute(
            "SELECT number, id, title, headings, questions, text FROM chunks WHERE page = ?",
            (page_id,),
        ).fetchall()
        dropped = [row for row in rows if row[1] not in keep]
        for _, _, title, headings, *texts in dropped:
            self._spellings.subtract(_spellings(title, " ".join(json.loads(headings)), *texts))
        numbers = [(row[0],) for row in dropped]
        self._connection.executemany("DELETE FROM chunks WHERE number = ?", numbers)
        self._connection.executemany("DELETE FROM vectors WHERE number = ?", numbers)
        self._connection.executemany("DELETE FROM words WHERE rowid = ?", numbers)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Map SQLite's errors to ours, at one seam."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise SearchUnavailable(
            f"The index {path} cannot be used ({error}). Check the disk's space and the folder's"
            " permissions, then run: python cli.py index corpus/"
        ) from error
    except sqlite3.DatabaseError as error:
        raise SearchUnavailable(
            f"The index {path} is damaged ({error}). Delete the file, then run:"
            " python cli.py index corpus/"
        ) from error


def _read_value(connection: sqlite3.Connection, key: str) -> str | None:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def _read_meta(connection: sqlite3.Connection) -> IndexMeta | None:
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is None:
        return None
    values = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    if "encoder" not in values:
        return None
    return IndexMeta(values["encoder"], int(values["dimension"]), int(values["schema"]))


def _search_words(
    connection: sqlite3.Connection, words: Sequence[str], k: int
) -> list[tuple[str, float]]:
    terms = sorted({stem for word in words for stem in analysis.query_stems(word)})
    weights = ", ".join(str(weight) for weight in analysis.FIELD_WEIGHTS.values())
    rows = connection.execute(
        f"SELECT chunks.id, found.score FROM (SELECT rowid AS number, -bm25(words, {weights})"
        " AS score FROM words WHERE words MATCH ?) AS found"
        " JOIN chunks USING (number) ORDER BY found.score DESC, chunks.id LIMIT ?",
        (" OR ".join(f'"{term}"' for term in terms), k),
    )
    return [(row[0], float(row[1])) for row in rows] if terms else []


def _frequency(connection: sqlite3.Connection, word: str) -> int:
    stems = analysis.query_stems(word)
    marks = ",".join("?" * len(stems))
    sql = f"SELECT max(doc) FROM vocabulary WHERE term IN ({marks})"
    return int(connection.execute(sql, stems).fetchone()[0] or 0)


def _spellings(*texts: str) -> set[str]:
    return {analysis.fold(word) for text in texts for word in analysis.words(text)}


def _nearest_word(connection: sqlite3.Connection, word: str) -> str | None:
    if connection.execute("SELECT 1 FROM spellings WHERE word = ?", (word,)).fetchone():
        return word
    rows = connection.execute(
        "SELECT word, chunks FROM spellings WHERE word >= ? AND word < ?"
        " AND length(word) BETWEEN ? AND ?",
        (word[:1], word[:1] + "\U0010ffff", len(word) - 1, len(word) + 1),
    )
    near = [(-count, held) for held, count in rows if OSA.distance(held, word) == 1]
    return min(near)[1] if near else None


def _chunk(row: tuple[Any, ...]) -> Chunk:
    chunk_id, page, position, title, headings, url, lang, text, questions = row
    path = tuple(json.loads(headings))
    asked = tuple(questions.split("\n")) if questions else ()
    return Chunk(chunk_id, page, position, title, path, url, lang, text, asked)


def _record(row: tuple[Any, ...]) -> PageRecord:
    page_id, root, digest, title, url, lang, chunk_ids, links_text = row
    links = json.loads(links_text)
    return PageRecord(
        id=page_id,
        root=root,
        hash=digest,
        title=title,
        url=url,
        lang=lang,
        chunk_ids=tuple(json.loads(chunk_ids)),
        see_also=tuple(links["see_also"]),
        actions=tuple(Action(**action) for action in links["actions"]),
        questions=tuple(links["questions"]),
    )
