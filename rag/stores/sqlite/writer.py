"""Writing an index file: one run is one transaction."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy

from rag.core.documents import Chunk, IndexMeta, PageRecord, Vectors, Window, check_meta
from rag.core.errors import HelpError
from rag.core.invocation import rebuild_command
from rag.language import analyzer
from rag.stores.sqlite.answer_rows import ANSWER_SCHEMA, drop_changed
from rag.stores.sqlite.file import (
    CHUNK_COLUMNS,
    PAGE_COLUMNS,
    SCHEMA,
    TABLES,
    WINDOW_COLUMNS,
    begin,
    connect,
    explained,
    read_meta,
    read_value,
    read_window,
    spellings,
)
from rag.stores.sqlite.previous import remember


class SqliteWriter:
    """Hold one run's transaction: a crash at any moment leaves the index as it was."""

    def __init__(self, path: Path, meta: IndexMeta, *, full: bool) -> None:
        self._path = path
        self._spellings: Counter[str] = Counter()
        path.parent.mkdir(parents=True, exist_ok=True)
        with explained(path):
            self._connection = connect(path)
            try:
                self._begin(meta, full)
            except BaseException:
                self._connection.close()
                raise

    def _begin(self, meta: IndexMeta, full: bool) -> None:
        begin(self._connection, self._path)
        found = read_meta(self._connection)
        self._replaces = found is not None
        generation = int(read_value(self._connection, "generation") or 0) if found else 0
        if full:
            for table in TABLES:
                self._connection.execute(f"DROP TABLE IF EXISTS {table}")
        elif found is not None:
            check_meta(found, meta)
        for statement in (*SCHEMA, *ANSWER_SCHEMA):
            self._connection.execute(statement)
        values = {**asdict(meta), "generation": generation + 1, "published_at": time.time()}
        self._connection.executemany(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)", [(k, str(v)) for k, v in values.items()]
        )

    def put_page(
        self,
        record: PageRecord,
        chunks: Sequence[Chunk],
        windows: Sequence[Window],
        vectors: Mapping[str, Vectors],
    ) -> None:
        """Write a page: its record, its chunks, its new windows."""
        with explained(self._path):
            self._drop_windows(record.id, keep={w.id for w in windows if w.id not in vectors})
            for window in windows:
                if window.id in vectors:
                    self._insert(window, vectors[window.id])
            self._connection.execute("DELETE FROM chunks WHERE page = ?", (record.id,))
            self._connection.executemany(
                f"INSERT INTO chunks ({CHUNK_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                map(_chunk_row, chunks),
            )
            self._connection.execute(
                f"INSERT OR REPLACE INTO pages ({PAGE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                _record_row(record),
            )

    def delete_page(self, page_id: str) -> None:
        """Remove a page, its chunks and windows."""
        with explained(self._path):
            self._drop_windows(page_id, keep=set())
            self._connection.execute("DELETE FROM chunks WHERE page = ?", (page_id,))
            self._connection.execute("DELETE FROM pages WHERE id = ?", (page_id,))

    def publish(self) -> None:
        """Check that every page has its parts, drop the answers of changed pages, then commit."""
        with explained(self._path):
            for unit in ("chunk", "window"):
                self._check_count(unit)
            self._connection.executemany(
                "INSERT INTO spellings VALUES (?, ?)"
                " ON CONFLICT (word) DO UPDATE SET windows = windows + excluded.windows",
                self._spellings.items(),
            )
            self._connection.execute("DELETE FROM spellings WHERE windows <= 0")
            drop_changed(self._connection)
            if self._replaces:
                remember(self._path)
            self._connection.execute("COMMIT")
            self._connection.close()

    def abort(self) -> None:
        """Roll the run back, unless it was published."""
        self._connection.close()  # SQLite rolls an open transaction back

    def _check_count(self, unit: str) -> None:
        listed, stored = self._connection.execute(
            f"SELECT (SELECT coalesce(sum(json_array_length({unit}_ids)), 0) FROM pages),"
            f" (SELECT count(*) FROM {unit}s)"
        ).fetchone()
        if listed != stored:
            raise HelpError(
                f"The pages list {listed} {unit}s, but {stored} were written to {self._path}."
                f" Nothing was published. Rebuild it: {rebuild_command()}"
            )

    def _insert(self, window: Window, vector: Vectors) -> None:
        marks = ", ".join("?" * len(WINDOW_COLUMNS.split(", ")))
        number = self._connection.execute(
            f"INSERT INTO windows ({WINDOW_COLUMNS}) VALUES ({marks})", _window_row(window)
        ).lastrowid
        fields = _fields(window)
        self._spellings.update(spellings(*fields))
        self._connection.execute(
            "INSERT INTO words (rowid, title, headings, questions, text) VALUES (?, ?, ?, ?, ?)",
            (number, *(" ".join(analyzer.stems(field, window.lang)) for field in fields)),
        )
        if vector.any():
            blob = numpy.ascontiguousarray(vector, numpy.float32).tobytes()
            self._connection.execute("INSERT INTO vectors VALUES (?, ?)", (number, blob))

    def _drop_windows(self, page_id: str, keep: set[str]) -> None:
        rows = self._connection.execute(
            f"SELECT number, {WINDOW_COLUMNS} FROM windows WHERE page = ?", (page_id,)
        ).fetchall()
        dropped = [(row[0], read_window(row[1:])) for row in rows if row[1] not in keep]
        for _, window in dropped:
            self._spellings.subtract(spellings(*_fields(window)))
        numbers = [(number,) for number, _ in dropped]
        for table, key in (("windows", "number"), ("vectors", "number"), ("words", "rowid")):
            self._connection.executemany(f"DELETE FROM {table} WHERE {key} = ?", numbers)


def _fields(window: Window) -> tuple[str, ...]:
    """Return what is searched of a window, in the order of the index's columns."""
    return (
        window.title, "\n".join(window.headings), "\n".join(window.questions), window.text
    )  # fmt: skip


def _chunk_row(chunk: Chunk) -> tuple[object, ...]:
    headings = json.dumps(chunk.headings, ensure_ascii=False)
    questions = "\n".join(chunk.questions)
    place = (chunk.id, chunk.page, chunk.position, chunk.title, headings, chunk.url, chunk.lang)
    return (*place, chunk.text, questions)


def _window_row(window: Window) -> tuple[object, ...]:
    lists = (window.headings, window.questions)
    headings, questions = (json.dumps(one, ensure_ascii=False) for one in lists)
    names = (window.id, window.page, window.lang, window.title, headings, questions)
    return (*names, window.text, json.dumps(window.chunk_ids), window.version, window.audience)


def _record_row(record: PageRecord) -> tuple[object, ...]:
    links = {
        "see_also": record.see_also,
        "actions": [asdict(action) for action in record.actions],
        "questions": record.questions,
    }
    names = (record.id, record.root, record.hash, record.title, record.url, record.lang)
    lists = (record.chunk_ids, record.window_ids, links)
    return (*names, *map(json.dumps, lists))
