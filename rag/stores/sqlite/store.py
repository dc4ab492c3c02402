"""Reading an index file: exact cosine over one matrix, BM25 by FTS5, spellings."""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy
from rapidfuzz.distance import OSA

from rag.core.documents import Chunk, IndexMeta, PageRecord, SearchLegs, Vectors, Window
from rag.core.errors import IndexMissing
from rag.core.invocation import index_command
from rag.core.protocols import StoreWriter
from rag.language import analyzer
from rag.stores.sqlite import previous
from rag.stores.sqlite.file import (
    CHUNK_COLUMNS,
    PAGE_COLUMNS,
    WINDOW_COLUMNS,
    connect,
    explained,
    read_chunk,
    read_meta,
    read_record,
    read_value,
    read_window,
    state,
)
from rag.stores.sqlite.writer import SqliteWriter

ID_BATCH = 500
BUSY_S = 5.0


class SqliteStore:
    """Search an index file. Safe to share between threads; a publish elsewhere is seen at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._state: tuple[int, int, bool] | None = None
        self._generation = -1
        self._ids: list[str] = []
        self._langs: tuple[int, tuple[str, ...]] = (-1, ())
        self._matrix: Vectors = numpy.empty((0, 0), numpy.float32)

    def meta(self, timeout_s: float = BUSY_S) -> IndexMeta | None:
        """Return what the index says of itself, None when there is none."""
        if not self._path.exists():
            return None
        with self._reading() as connection:
            return read_meta(connection)

    def version(self, timeout_s: float = BUSY_S) -> str | None:
        """Return the number of the last run that was published, None without an index."""
        if self.meta() is None:
            return None
        with self._reading() as connection:
            return f"{self._path.stat().st_ino} {read_value(connection, 'generation')}"

    def published_at(self, timeout_s: float = BUSY_S) -> float | None:
        """Return when the last run was written, None for an index of an older version."""
        if self.meta() is None:
            return None
        with self._reading() as connection:
            return float(read_value(connection, "published_at") or 0) or None

    def records(self) -> dict[str, PageRecord]:
        """Return every page by its id."""
        if self.meta() is None:
            return {}
        with self._reading() as connection:
            rows = connection.execute(f"SELECT {PAGE_COLUMNS} FROM pages ORDER BY id")
            return {row[0]: read_record(row) for row in rows}

    def count(self) -> int:
        """Return the number of chunks."""
        if self.meta() is None:
            return 0
        with self._reading() as connection:
            return int(connection.execute("SELECT count(*) FROM chunks").fetchone()[0])

    def writer(self, meta: IndexMeta, *, full: bool) -> StoreWriter:
        """Begin a run in one transaction. Raises: IndexBusy, IndexMismatch."""
        return SqliteWriter(self._path, meta, full=full)

    def rollback(self) -> None:
        """Exchange the index and the generation before it. See `Store`."""
        previous.rollback(self._path)

    def search(
        self, vector: Vectors | None, words: Mapping[str, float], k: int, timeout_s: float
    ) -> SearchLegs:
        """Search the matrix exactly and the words by FTS5's BM25, in one snapshot."""
        with self._searching() as connection:
            connection.execute("BEGIN")
            try:
                knn = [] if vector is None else self._search_vector(connection, vector, k)
                total = int(connection.execute("SELECT count(*) FROM windows").fetchone()[0])
                langs = self._languages(connection)
                weights = _stem_weights(words, langs)
                counts = _document_counts(connection, weights)
                bm25 = _search_stems(connection, counts, weights, total, k)
                groups = [analyzer.query_stems(word, langs) for word in words]
                frequencies = [max(counts.get(stem, 0) for stem in group) for group in groups]
            finally:
                connection.execute("COMMIT")
        return SearchLegs(knn, bm25, frequencies, total)

    def nearest_words(self, words: Sequence[str], timeout_s: float) -> dict[str, str]:
        """Return, for each folded word, itself when held, else the nearest word held."""
        with self._searching() as connection:
            found = {word: _nearest_word(connection, word) for word in words}
        return {word: near for word, near in found.items() if near}

    def windows(self, ids: Sequence[str], timeout_s: float) -> dict[str, Window]:
        """Return the windows of these ids that exist."""
        return {row[0]: read_window(row) for row in self._rows("windows", WINDOW_COLUMNS, ids)}

    def chunks(self, ids: Sequence[str], timeout_s: float) -> dict[str, Chunk]:
        """Return the chunks of these ids that exist."""
        return {row[0]: read_chunk(row) for row in self._rows("chunks", CHUNK_COLUMNS, ids)}

    def pages(self, ids: Sequence[str], timeout_s: float) -> dict[str, PageRecord]:
        """Return the pages of these ids that exist."""
        return {row[0]: read_record(row) for row in self._rows("pages", PAGE_COLUMNS, ids)}

    def vectors(self, ids: Sequence[str], timeout_s: float) -> dict[str, Vectors]:
        """Return the vectors of these windows; a window that has none is left out."""
        joined = "windows JOIN vectors USING (number)"
        return {
            row[0]: numpy.frombuffer(row[1], numpy.float32)
            for row in self._rows(joined, "id, vector", ids)
        }

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

    def _connect(self) -> sqlite3.Connection:
        found = state(self._path)
        if self._connection is not None and found != self._state:
            self.close()
        if self._connection is None:
            self._connection, self._state = connect(self._path), found
        return self._connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, explained(self._path):
            connection = self._connect()
            yield connection

    @contextmanager
    def _searching(self) -> Iterator[sqlite3.Connection]:
        missing = f"Nothing is indexed in {self._path}. Index your pages: {index_command()}"
        if not self._path.exists():
            raise IndexMissing(missing)
        with self._reading() as connection:
            if read_meta(connection) is None:
                raise IndexMissing(missing)
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

    def _languages(self, connection: sqlite3.Connection) -> tuple[str, ...]:
        """Return the languages in whose stems a question is looked for."""
        generation = int(read_value(connection, "generation") or 0)
        if generation != self._langs[0]:
            rows = connection.execute("SELECT DISTINCT lang FROM pages ORDER BY lang")
            self._langs = generation, analyzer.languages(*(row[0] for row in rows))
        return self._langs[1]

    def _load_matrix(self, connection: sqlite3.Connection) -> None:
        generation = int(read_value(connection, "generation") or 0)
        if generation == self._generation:
            return
        rows = connection.execute(
            "SELECT id, vector FROM windows JOIN vectors USING (number) ORDER BY id"
        ).fetchall()
        self._ids = [row[0] for row in rows]
        flat = numpy.frombuffer(b"".join(row[1] for row in rows), numpy.float32)
        self._matrix = flat.reshape(len(rows), -1) if rows else flat.reshape(0, 0)
        self._generation = generation


def _search_stems(
    connection: sqlite3.Connection,
    counts: Mapping[str, int],
    weights: Mapping[str, float],
    total: int,
    k: int,
) -> list[tuple[str, float]]:
    """Score each stem by itself, to give it Lucene's idf in place of FTS5's.

    ``counts`` are the stems that some window holds, and in how many windows each stands.
    FTS5's is next to nothing for a stem that half of the windows hold; Lucene's never is.
    """
    if not counts:
        return []
    fields = ", ".join(str(weight) for weight in analyzer.FIELD_WEIGHTS.values())
    part = f"SELECT rowid AS number, -bm25(words, {fields}) * ? AS part"
    parts = " UNION ALL ".join([f"{part} FROM words WHERE words MATCH ?"] * len(counts))
    parameters: list[float | str] = []
    for stem, count in counts.items():
        parameters += [weights[stem] * _idf_ratio(total, count), f'"{stem}"']
    rows = connection.execute(
        # FTS5 cannot score inside an aggregate: the parts are computed first. Ids are read for the
        # k best and their equals alone
        f"WITH parts AS MATERIALIZED ({parts}), scores AS MATERIALIZED"
        " (SELECT number, sum(part) AS score FROM parts GROUP BY number),"
        " last AS (SELECT score FROM scores ORDER BY score DESC LIMIT 1 OFFSET ?)"
        " SELECT windows.id, score FROM scores JOIN windows USING (number)"
        " WHERE score >= coalesce((SELECT score FROM last), 0)"
        " ORDER BY score DESC, windows.id LIMIT ?",
        [*parameters, k - 1, k],
    )
    return [(row[0], float(row[1])) for row in rows]


def _stem_weights(words: Mapping[str, float], langs: tuple[str, ...]) -> dict[str, float]:
    """Return the weight of each stem: the greatest of the words that may stand under it."""
    weights: dict[str, float] = {}
    for word, weight in words.items():
        for stem in analyzer.query_stems(word, langs):
            weights[stem] = max(weight, weights.get(stem, 0.0))
    return weights


def _idf_ratio(total: int, count: int) -> float:
    """Return Lucene's idf of a stem divided by FTS5's, and by the k1 + 1 that Lucene leaves out."""
    odds = (total - count + 0.5) / (count + 0.5)
    fts5 = max(math.log(odds), 1e-6)
    return math.log(1 + odds) / fts5 / 2.2


def _document_counts(connection: sqlite3.Connection, stems: Collection[str]) -> dict[str, int]:
    """Return in how many windows each stem stands, those in none left out."""
    marks = ",".join("?" * len(stems))
    sql = f"SELECT term, doc FROM vocabulary WHERE term IN ({marks}) ORDER BY term"
    return dict(connection.execute(sql, list(stems)).fetchall())


def _nearest_word(connection: sqlite3.Connection, word: str) -> str | None:
    if connection.execute("SELECT 1 FROM spellings WHERE word = ?", (word,)).fetchone():
        return word
    rows = connection.execute(
        "SELECT word, windows FROM spellings WHERE word >= ? AND word < ?"
        " AND length(word) BETWEEN ? AND ?",
        (word[:1], word[:1] + "\U0010ffff", len(word) - 1, len(word) + 1),
    )
    near = [(-count, held) for held, count in rows if OSA.distance(held, word) == 1]
    return min(near)[1] if near else None
