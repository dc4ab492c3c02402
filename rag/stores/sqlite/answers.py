"""Kept answers in the index file: valid by the pages of the same snapshot. See AnswerStore.

Their vectors are kept in memory: one matrix a scope, brought up to date by what is new.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy
import orjson

from rag.core.documents import Vectors
from rag.core.errors import SearchUnavailable
from rag.core.records import CLOCK_SKEW_S, CachedAnswer, CacheStats, Counted, Scope
from rag.stores.sqlite.answer_file import AnswerFile
from rag.stores.sqlite.answer_rows import (
    FRESH,
    OF_PAGE,
    READ_COLUMNS,
    Use,
    drop_changed,
    entry_row,
    evict,
    live_row,
    live_rows,
    read_entry,
    read_stats,
    replace_row,
    write_uses,
)

SPARE_ROWS = 1_000
GONE = -1
WRITE_WAIT_S = 0.05
MAX_USES = 1_000  # hits remembered while the file cannot be written
Result = TypeVar("Result")
logger = logging.getLogger(__name__)


class Matrix:
    """Hold unit vectors with their numbers, ascending; it grows by doubling."""

    def __init__(self, dimension: int) -> None:
        self.numbers = numpy.empty(0, numpy.int64)
        self.vectors: Vectors = numpy.empty((0, dimension), numpy.float32)
        self.count = 0

    def add(self, numbers: Sequence[int], vectors: Vectors) -> None:
        """Add rows."""
        end = self.count + len(numbers)
        if end > len(self.numbers):
            size = max(end, 2 * len(self.numbers)) if self.count else end
            self.numbers = numpy.resize(self.numbers, size)
            self.vectors = numpy.resize(self.vectors, (size, self.vectors.shape[1]))
        self.numbers[self.count : end] = numbers
        self.vectors[self.count : end] = vectors
        self.count = end

    def remove(self, numbers: Collection[int]) -> None:
        """Mark the rows of these numbers as gone: moving the others would take 10 ms."""
        gone = numpy.isin(self.numbers[: self.count], list(numbers))
        self.numbers[: self.count][gone] = GONE
        self.vectors[: self.count][gone] = 0.0


class Nearest:
    """Find the nearest vectors of a scope. Not safe to share between threads.

    Rows that were removed from the file stay here until a search meets them (`forget`); all is read
    again when there are a quarter more than the last whole reading found.
    """

    def __init__(self) -> None:
        self._limit = 0
        self._matrices: dict[Scope, Matrix] = {}
        self._last = 0
        self._rows = 0

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Read what was added since the last time."""
        if self._rows > self._limit:
            self._matrices, self._last, self._rows = {}, 0, 0
        whole = self._last == 0
        rows = connection.execute(
            "SELECT number, fingerprint, lang, page, conversation, vector FROM answers"
            " WHERE number > ? ORDER BY number",
            (self._last,),
        )
        new: dict[tuple[Scope, int], tuple[list[int], list[bytes]]] = {}
        for number, fingerprint, lang, page, conversation, blob in rows:
            self._last = number
            if isinstance(blob, bytes) and blob and len(blob) % 4 == 0:
                place = Scope(fingerprint, lang, page, conversation), len(blob) // 4
                numbers, blobs = new.setdefault(place, ([], []))
                numbers.append(number)
                blobs.append(blob)
        for (scope, dimension), (numbers, blobs) in new.items():
            self._add(scope, dimension, numbers, b"".join(blobs))
        if whole:
            self._limit = self._rows * 5 // 4 + SPARE_ROWS

    def search(self, scope: Scope, vector: Vectors, k: int) -> Iterator[list[tuple[int, float]]]:
        """Yield the (number, cosine) of a scope in batches, the nearest first, k at first."""
        matrix = self._matrices.get(scope)
        if matrix is None or vector.shape != matrix.vectors.shape[1:] or not vector.any():
            return
        scores = matrix.vectors[: matrix.count] @ (vector / numpy.linalg.norm(vector))
        numbers = matrix.numbers[: matrix.count].copy()
        start, size = 0, k
        while start < len(scores):
            best = _best(scores, min(start + size, len(scores)))[start:]
            found = [(int(numbers[row]), float(scores[row])) for row in best]
            yield [(number, cosine) for number, cosine in found if number != GONE]
            start, size = start + size, size * 4

    def forget(self, scope: Scope, numbers: Collection[int]) -> None:
        """Leave out rows that the file no longer holds, or that are no longer valid."""
        if numbers:
            self._matrices[scope].remove(numbers)

    def _add(self, scope: Scope, dimension: int, numbers: Sequence[int], data: bytes) -> None:
        matrix = self._matrices.setdefault(scope, Matrix(dimension))
        if matrix.vectors.shape[1] == dimension:
            vectors = numpy.frombuffer(data, numpy.float32).reshape(-1, dimension)
            matrix.add(numbers, numpy.nan_to_num(vectors))
            self._rows += len(numbers)


def _best(scores: Vectors, count: int) -> list[int]:
    """Return the places of the highest scores, best first, ties to the earlier."""
    kept = numpy.arange(len(scores))
    if len(scores) > count:
        kept = numpy.flatnonzero(scores >= numpy.partition(scores, -count)[-count])
    order = numpy.argsort(-scores[kept], kind="stable")
    return [int(row) for row in kept[order][:count]]


class SqliteAnswers:
    """Keep answers in an index file. Safe to share between threads and processes."""

    def __init__(self, path: Path, max_entries: int, max_bytes: int) -> None:
        self._file = AnswerFile(path)
        self._bounds = (max_entries, max_bytes)
        self._nearest = Nearest()
        self._nearest_of: sqlite3.Connection | None = None
        self._uses: deque[Use] = deque(maxlen=MAX_USES)
        self._complained = False

    def get(self, key: str, now: float, timeout_s: float) -> CachedAnswer | None:
        """Return the entry of a key if it has not expired and its pages stand unchanged."""
        with self._file.reading(timeout_s) as connection:
            if connection is None:
                return None
            row = live_row(connection, key, now)
        entries = self._read([row] if row else [])
        return entries[0] if entries else None

    def candidates(
        self, scope: Scope, vector: Vectors, k: int, now: float, timeout_s: float
    ) -> list[tuple[CachedAnswer, float]]:
        """Return the k valid entries of a scope nearest by cosine, ties to the older."""
        found: list[tuple[tuple[Any, ...], float]] = []
        with self._file.reading(timeout_s) as connection:
            if connection is None:
                return []
            if connection is not self._nearest_of:
                self._nearest, self._nearest_of = Nearest(), connection
            self._nearest.refresh(connection)
            for batch in self._nearest.search(scope, vector, k):
                rows = live_rows(connection, [number for number, _ in batch], now)
                found += [(rows[number], cosine) for number, cosine in batch if number in rows]
                self._nearest.forget(scope, {number for number, _ in batch} - rows.keys())
                if len(found) >= k:
                    break
        cosines = {row[0]: cosine for row, cosine in found}
        return [(e, cosines[e.key]) for e in self._read([row for row, _ in found])][:k]

    def put(self, entry: CachedAnswer, timeout_s: float) -> bool:
        """Keep an entry, unless its pages have changed meanwhile; then evict."""
        try:
            row = entry_row(entry)
        except (TypeError, ValueError) as error:
            logger.warning("An answer cannot be kept: %s", error)
            return False

        def write(connection: sqlite3.Connection) -> bool:
            if not replace_row(connection, row):
                return False
            evict(connection, *self._bounds, entry.created_at)
            sql = "SELECT 1 FROM answers WHERE key = ?"
            return connection.execute(sql, (entry.key,)).fetchone() is not None

        kept = self._quietly(write, min(timeout_s, WRITE_WAIT_S), False)
        self._flush()
        return kept

    def touch(self, entry: CachedAnswer, kind: Counted, now: float, timeout_s: float) -> None:
        """Count a hit; while the file cannot be written, remember it for the next time."""
        self._uses.append((entry.key, kind, now, entry.saved_ms))
        self._flush()

    def count(self, name: Counted, timeout_s: float) -> None:
        """Add one to a counter, as `touch` does."""
        self._uses.append(("", name, 0.0, 0.0))
        self._flush()

    def claim(self, key: str, owner: str, lease_s: float, now: float, timeout_s: float) -> bool:
        """Say whether this owner is the one to generate. See `AnswerStore.claim`."""
        values = {"key": key, "owner": owner, "now": now, "until": now + lease_s}

        def write(connection: sqlite3.Connection) -> bool:
            if live_row(connection, key, now):
                return False
            taken = connection.execute(
                "INSERT INTO answer_claims VALUES (:key, :owner, :until) ON CONFLICT (key)"
                " DO UPDATE SET owner = excluded.owner, until = excluded.until"
                " WHERE owner = excluded.owner OR until <= :now"
                f" OR until > excluded.until + {CLOCK_SKEW_S}",
                values,
            )
            return taken.rowcount == 1

        return self._quietly(write, min(timeout_s, WRITE_WAIT_S), True)

    def release(self, key: str, owner: str, timeout_s: float) -> None:
        """Give a claim back; one that cannot be given back lapses."""
        sql = "DELETE FROM answer_claims WHERE key = ? AND owner = ?"
        self._quietly(lambda c: c.execute(sql, (key, owner)), min(timeout_s, WRITE_WAIT_S), None)

    def drop(self, keys: Sequence[str], timeout_s: float) -> int:
        """Remove entries. Returns how many were there."""
        return self._remove(
            "key IN (SELECT value FROM json_each(?))", orjson.dumps(list(keys)).decode(), timeout_s
        )

    def drop_page(self, page: str, timeout_s: float) -> int:
        """Remove the entries that came from a page."""
        return self._remove(OF_PAGE, page, timeout_s)

    def clear(self, timeout_s: float, *, keep_pinned: bool = False) -> int:
        """Remove all entries."""
        return self._remove("NOT (pinned AND ?)", keep_pinned, timeout_s)

    def sweep(self, now: float, timeout_s: float) -> int:
        """Remove the entries that expired or whose pages have changed, and the lapsed claims."""
        if not self._is_there(timeout_s):
            return 0
        with self._file.writing(timeout_s) as connection:
            connection.execute("DELETE FROM answer_claims WHERE until <= ?", (now,))
            old = connection.execute(f"DELETE FROM answers WHERE NOT {FRESH}", {"now": now})
            return old.rowcount + drop_changed(connection)

    def entries(self, limit: int, offset: int, timeout_s: float) -> list[CachedAnswer]:
        """Return entries, the last used first, expired ones too."""
        sql = f"SELECT {READ_COLUMNS} FROM answers ORDER BY used_at DESC, number LIMIT ? OFFSET ?"
        with self._file.reading(timeout_s) as connection:
            rows = connection.execute(sql, (limit, offset)).fetchall() if connection else []
        return self._read(rows)

    def stats(self, timeout_s: float) -> CacheStats:
        """Return what is kept and how it was used."""
        self._flush()
        with self._file.reading(timeout_s) as connection:
            return read_stats(connection) if connection else CacheStats()

    def close(self) -> None:
        """Write the hits that wait, and close the connections."""
        self._flush()
        self._file.close()

    def _read(self, rows: Sequence[tuple[Any, ...]]) -> list[CachedAnswer]:
        """Return rows as entries; those that are damaged are dropped."""
        entries = []
        for row in rows:
            try:
                entries.append(read_entry(row))
            except (ValueError, TypeError) as error:
                logger.warning("A kept answer is damaged and was dropped: %s: %s", row[0], error)
                self._discard(row[0])
        return entries

    def _discard(self, key: str) -> None:
        sql = "DELETE FROM answers WHERE key = ?"
        self._quietly(lambda c: c.execute(sql, (key,)), WRITE_WAIT_S, None)

    def _flush(self) -> None:
        waiting = []
        with suppress(IndexError):
            while True:
                waiting.append(self._uses.popleft())
        if waiting and not self._quietly(lambda c: write_uses(c, waiting), 0.0, False):
            self._uses.extendleft(reversed(waiting))

    def _is_there(self, timeout_s: float) -> bool:
        with self._file.reading(timeout_s) as connection:
            return connection is not None

    def _remove(self, condition: str, value: object, timeout_s: float) -> int:
        if not self._is_there(timeout_s):
            return 0
        with self._file.writing(timeout_s) as connection:
            return connection.execute(f"DELETE FROM answers WHERE {condition}", (value,)).rowcount

    def _quietly(
        self, write: Callable[[sqlite3.Connection], Result], wait_s: float, otherwise: Result
    ) -> Result:
        """Write in a transaction; when that cannot be done now, say so once, and go on."""
        try:
            with self._file.writing(wait_s) as connection:
                result = write(connection)
        except SearchUnavailable as error:
            if wait_s and not self._complained:  # who does not wait comes again
                logger.warning("Answers are not kept for now: %s", error)
                self._complained = True
            return otherwise
        self._complained = False
        return result
