"""Writing an index file: one run is one transaction."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy

from rag.core.documents import Chunk, IndexMeta, PageRecord, Vectors, check_meta
from rag.core.errors import HelpError
from rag.core.invocation import rebuild_command
from rag.language import analyzer
from rag.stores.sqlite.answer_rows import ANSWER_SCHEMA, drop_changed
from rag.stores.sqlite.file import (
    CHUNK_COLUMNS,
    SCHEMA,
    TABLES,
    begin,
    connect,
    explained,
    read_meta,
    read_value,
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
        self, record: PageRecord, chunks: Sequence[Chunk], vectors: dict[str, Vectors]
    ) -> None:
        """Write a page: its record, its new chunks, the positions of the others."""
        with explained(self._path):
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
        with explained(self._path):
            self._drop_chunks(page_id, keep=set())
            self._connection.execute("DELETE FROM pages WHERE id = ?", (page_id,))

    def publish(self) -> None:
        """Check that every page has its chunks, drop the answers of changed pages, then commit."""
        with explained(self._path):
            listed, stored = self._connection.execute(
                "SELECT (SELECT coalesce(sum(json_array_length(chunk_ids)), 0) FROM pages),"
                " (SELECT count(*) FROM chunks)"
            ).fetchone()
            if listed != stored:
                raise HelpError(
                    f"The pages list {listed} chunks, but {stored} were written to {self._path}."
                    f" Nothing was published. Rebuild it: {rebuild_command()}"
                )
            self._connection.executemany(
                "INSERT INTO spellings VALUES (?, ?)"
                " ON CONFLICT (word) DO UPDATE SET chunks = chunks + excluded.chunks",
                self._spellings.items(),
            )
            self._connection.execute("DELETE FROM spellings WHERE chunks <= 0")
            drop_changed(self._connection)
            if self._replaces:
                remember(self._path)
            self._connection.execute("COMMIT")
            self._connection.close()

    def abort(self) -> None:
        """Roll the run back, unless it was published."""
        self._connection.close()  # SQLite rolls an open transaction back

    def _insert(self, chunk: Chunk, vector: Vectors) -> None:
        headings = json.dumps(chunk.headings, ensure_ascii=False)
        number = self._connection.execute(
            f"INSERT INTO chunks ({CHUNK_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (chunk.id, chunk.page, chunk.position, chunk.title, headings)
            + (chunk.url, chunk.lang, chunk.text, "\n".join(chunk.questions)),
        ).lastrowid
        fields = (chunk.title, chunk.heading, "\n".join(chunk.questions), chunk.text)
        self._spellings.update(spellings(*fields))
        self._connection.execute(
            "INSERT INTO words (rowid, title, headings, questions, text) VALUES (?, ?, ?, ?, ?)",
            (number, *(" ".join(analyzer.stems(field, chunk.lang)) for field in fields)),
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
            self._spellings.subtract(spellings(title, " ".join(json.loads(headings)), *texts))
        numbers = [(row[0],) for row in dropped]
        self._connection.executemany("DELETE FROM chunks WHERE number = ?", numbers)
        self._connection.executemany("DELETE FROM vectors WHERE number = ?", numbers)
        self._connection.executemany("DELETE FROM words WHERE rowid = ?", numbers)
