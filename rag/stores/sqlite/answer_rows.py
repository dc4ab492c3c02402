"""Kept answers as rows of the index file: tables, what makes a row valid, rows as entries."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from typing import Any

import numpy
import orjson

from rag.core.documents import Vectors
from rag.core.records import CLOCK_SKEW_S, CachedAnswer, CacheStats, Scope

ANSWER_SCHEMA = (
    # a number is never given twice: those who hold vectors in memory ask for the ones above theirs
    "CREATE TABLE IF NOT EXISTS answers (number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " key TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL, lang TEXT NOT NULL, page TEXT NOT NULL,"
    " conversation TEXT NOT NULL, created_at REAL NOT NULL, expires_at REAL NOT NULL,"
    " used_at REAL NOT NULL, saved_ms REAL NOT NULL, hits INTEGER NOT NULL,"
    " pinned INTEGER NOT NULL, bytes INTEGER NOT NULL, pages TEXT NOT NULL, chunks TEXT NOT NULL,"
    " question TEXT NOT NULL, asked TEXT NOT NULL, answer TEXT NOT NULL,"
    " checksum INTEGER NOT NULL, vector BLOB)",
    "CREATE INDEX IF NOT EXISTS answers_by_use ON answers (pinned, used_at, bytes)",
    "CREATE INDEX IF NOT EXISTS answers_by_expiry ON answers (expires_at)",
    "CREATE TABLE IF NOT EXISTS answer_counters (name TEXT PRIMARY KEY, value REAL NOT NULL)",
    "CREATE TABLE IF NOT EXISTS answer_claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL,"
    " until REAL NOT NULL)",
)
READ_COLUMNS = (
    "answers.key, fingerprint, lang, page, conversation, question, asked, answer, pages, chunks,"
    " created_at, expires_at, checksum, used_at, saved_ms, hits, pinned"
)
COLUMNS = READ_COLUMNS.replace("answers.", "") + ", bytes, vector"
FRESH = f"(pinned OR (expires_at > :now AND created_at <= :now + {CLOCK_SKEW_S}))"
# every page has its hash and every chunk its id still; a damaged list is no proof of it
UNCHANGED = (
    "CASE WHEN json_valid(answers.pages) AND json_valid(answers.chunks) THEN answers.pages <> '[]'"
    " AND NOT EXISTS (SELECT 1 FROM json_each(answers.pages) AS tie LEFT JOIN pages AS held"
    " ON held.id = json_extract(tie.value, '$[0]') AND held.hash = json_extract(tie.value, '$[1]')"
    " WHERE held.id IS NULL)"
    " AND NOT EXISTS (SELECT 1 FROM json_each(answers.chunks) AS tie LEFT JOIN chunks AS held"
    " ON held.id = tie.value WHERE held.id IS NULL) ELSE 0 END"
)
OF_PAGE = (
    "CASE WHEN json_valid(answers.pages) THEN EXISTS (SELECT 1 FROM json_each(answers.pages)"
    " WHERE json_extract(value, '$[0]') = ?) ELSE 1 END"
)
Use = tuple[str, str, float, float]  # key or "", counter, time, milliseconds saved
ROW_BYTES = 400  # an empty row with its places in the three indexes, measured


def drop_changed(connection: sqlite3.Connection) -> int:
    """Remove the answers whose pages are no longer as they were. Returns how many."""
    return connection.execute(f"DELETE FROM answers WHERE NOT ({UNCHANGED})").rowcount


def entry_row(entry: CachedAnswer) -> tuple[Any, ...]:
    """Return an entry as the values of `COLUMNS`. Raises: TypeError for what JSON cannot hold."""
    texts = [
        orjson.dumps(value).decode()
        for value in (entry.asked, entry.answer, list(entry.pages.items()), entry.chunks)
    ]
    scope = (entry.scope.fingerprint, entry.scope.lang, entry.scope.page, entry.scope.conversation)
    blob = vector_bytes(entry.vector)
    texts_bytes = sum(len(text.encode()) for text in (entry.question, *scope, *texts))
    size = ROW_BYTES + texts_bytes + len(blob or b"")
    lasting = (entry.key, *scope, entry.question, *texts, entry.created_at, entry.expires_at)
    used_at = max(entry.used_at, entry.created_at)
    uses = (used_at, entry.saved_ms, entry.hits, entry.pinned)
    return (*lasting, _checksum(lasting), *uses, size, blob)


def vector_bytes(vector: Vectors | None) -> bytes | None:
    """Return a vector made unit as bytes; None for zeros, which are near nothing."""
    if vector is None or not numpy.isfinite(vector).all() or not vector.any():
        return None
    unit = numpy.asarray(vector, numpy.float32) / numpy.linalg.norm(vector)
    return unit.astype(numpy.float32).tobytes()


def read_entry(row: tuple[Any, ...]) -> CachedAnswer:
    """Return the entry of a row of `READ_COLUMNS`. Raises: ValueError, TypeError when damaged."""
    *lasting, checksum, used_at, saved_ms, hits, pinned = row
    if _checksum(lasting) != checksum:
        raise ValueError("its checksum is another")
    key, fingerprint, lang, page, conversation, question, *texts, created_at, expires_at = lasting
    asked, answer, pages, chunks = (orjson.loads(text) for text in texts)
    return CachedAnswer(
        key=key,
        scope=Scope(fingerprint, lang, page, conversation),
        question=question,
        asked=asked,
        answer=answer,
        pages=dict(pages),
        chunks=tuple(chunks),
        created_at=created_at,
        expires_at=expires_at,
        used_at=used_at,
        saved_ms=saved_ms,
        hits=hits,
        pinned=bool(pinned),
    )


def _checksum(values: Sequence[object]) -> int:
    """Return the CRC-32 of what an entry says: a file has none of its own."""
    return zlib.crc32(repr(tuple(values)).encode("utf-8", "surrogatepass"))


def live_row(connection: sqlite3.Connection, key: str, now: float) -> tuple[Any, ...] | None:
    """Return the row of a key if it is valid."""
    sql = f"SELECT {READ_COLUMNS} FROM answers WHERE key = :key AND {FRESH} AND {UNCHANGED}"
    row: tuple[Any, ...] | None = connection.execute(sql, {"key": key, "now": now}).fetchone()
    return row


def live_rows(
    connection: sqlite3.Connection, numbers: Sequence[int], now: float
) -> dict[int, tuple[Any, ...]]:
    """Return those of these rows that are valid, by their number."""
    rows = connection.execute(
        f"SELECT answers.number, {READ_COLUMNS} FROM answers WHERE {FRESH} AND {UNCHANGED}"
        " AND answers.number IN (SELECT value FROM json_each(:numbers))",
        {"now": now, "numbers": orjson.dumps(numbers).decode()},
    )
    return {number: tuple(row) for number, *row in rows}


def replace_row(connection: sqlite3.Connection, row: tuple[Any, ...]) -> bool:
    """Write a row in place of its key's last one, unless its pages have changed meanwhile."""
    connection.execute("DELETE FROM answers WHERE key = ?", row[:1])
    marks = ",".join("?" * len(row))
    connection.execute(f"INSERT INTO answers ({COLUMNS}) VALUES ({marks})", row)
    changed = f"DELETE FROM answers WHERE key = ? AND NOT ({UNCHANGED})"
    return connection.execute(changed, row[:1]).rowcount == 0


def evict(connection: sqlite3.Connection, max_entries: int, max_bytes: int, now: float) -> None:
    """Remove what is beyond the bounds: the expired, then the least used; the pinned stay."""
    count, size = _total(connection)
    if count <= max_entries and size <= max_bytes:
        return
    connection.execute("DELETE FROM answers WHERE NOT pinned AND expires_at <= ?", (now,))
    count, size = _total(connection)
    while count > max_entries or size > max_bytes:
        row = connection.execute(
            "SELECT number, bytes FROM answers WHERE pinned = 0 ORDER BY used_at, number LIMIT 1"
        ).fetchone()
        if row is None:
            return
        connection.execute("DELETE FROM answers WHERE number = ?", row[:1])
        count, size = count - 1, size - row[1]


def _total(connection: sqlite3.Connection) -> tuple[int, int]:
    count, size = connection.execute(
        "SELECT count(*), coalesce(sum(bytes), 0) FROM answers"
    ).fetchone()
    return count, size


def write_uses(connection: sqlite3.Connection, uses: Sequence[Use]) -> bool:
    """Add hits to their rows, and hits and events to the counters."""
    connection.executemany(
        "UPDATE answers SET hits = hits + 1, used_at = max(used_at, ?) WHERE key = ?",
        [(now, key) for key, _, now, _ in uses if key],
    )
    added = [(name, 1.0) for _, name, _, _ in uses]
    connection.executemany(
        "INSERT INTO answer_counters VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
        added + [("saved_ms", saved_ms) for key, _, _, saved_ms in uses if key],
    )
    return True


def read_stats(connection: sqlite3.Connection) -> CacheStats:
    """Return what is kept and how it was used."""
    totals = connection.execute(
        "SELECT count(*), coalesce(sum(bytes), 0), coalesce(sum(pinned), 0),"
        " coalesce(sum(hits), 0), min(created_at), max(created_at) FROM answers"
    ).fetchone()
    pages = connection.execute(
        "SELECT json_extract(value, '$[0]'), count(*) FROM answers,"
        " json_each(CASE WHEN json_valid(answers.pages) THEN answers.pages ELSE '[]' END)"
        " GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    counters = connection.execute("SELECT name, value FROM answer_counters ORDER BY name")
    count, size, pinned, hits, oldest, newest = totals
    return CacheStats(
        entries=count,
        bytes=size,
        pinned=pinned,
        hits=hits,
        oldest=oldest,
        newest=newest,
        pages=dict(pages.fetchall()),
        counters=dict(counters.fetchall()),
    )
