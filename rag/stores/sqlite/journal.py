"""The journal in a file of its own: its writers never wait for a run of the indexer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

import orjson

from rag.core.errors import SearchUnavailable
from rag.core.records import (
    Feedback,
    JournalEntry,
    Of,
    Record,
    document,
    kind_of,
    read_document,
    written,
)

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS records (kind TEXT NOT NULL, answer_id TEXT NOT NULL,"
    " at TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, answer_id))",
    "CREATE INDEX IF NOT EXISTS records_of_time ON records (kind, at, answer_id)",
)
WRITE = "INSERT OR REPLACE INTO records (kind, answer_id, at, body) VALUES (?, ?, ?, ?)"
READ = (
    "SELECT answer_id, at, body FROM records WHERE kind = ? AND at < ? AND (at, answer_id) > (?, ?)"
    " ORDER BY at, answer_id LIMIT ?"
)
BATCH = 1_000


class SqliteJournal:
    """Keep records in a file. Safe between threads and processes; a connection an operation."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, records: Sequence[Record], timeout_s: float) -> None:
        """Keep records. See `JournalStore.write`."""
        rows = [
            (kind_of(one), one.answer_id, written(one.at), orjson.dumps(document(one)))
            for one in records
        ]
        self._make_folder()
        with self._writing(timeout_s) as connection:
            for statement in SCHEMA:
                connection.execute(statement)
            connection.executemany(WRITE, rows)

    def asked(self, since: datetime, until: datetime, timeout_s: float) -> Iterator[JournalEntry]:
        """Yield what was asked in a time, the earliest first."""
        return self._read(JournalEntry, "asked", since, until, timeout_s)

    def feedback(self, since: datetime, until: datetime, timeout_s: float) -> Iterator[Feedback]:
        """Yield the feedback given in a time, the earliest first."""
        return self._read(Feedback, "feedback", since, until, timeout_s)

    def purge(self, before: datetime, timeout_s: float) -> int:
        """Remove what is older. Returns how many records that were."""
        if not self._path.exists():
            return 0
        with self._writing(timeout_s) as connection:
            if not _has_records(connection):
                return 0
            # what is removed is overwritten: nobody finds it in the file
            connection.execute("PRAGMA secure_delete = ON")
            sql = "DELETE FROM records WHERE at < ?"
            return connection.execute(sql, (written(before),)).rowcount

    def close(self) -> None:
        """Do nothing: no connection outlives its operation."""

    def _read(
        self, of: type[Of], kind: str, since: datetime, until: datetime, timeout_s: float
    ) -> Iterator[Of]:
        after: tuple[str, str] = written(since), ""
        while self._path.exists():
            with self._opened(timeout_s) as connection:
                if not _has_records(connection):
                    return
                values = (kind, written(until), *after, BATCH)
                rows = connection.execute(READ, values).fetchall()
            for _, _, body in rows:
                with suppress(KeyError, TypeError, ValueError):  # a damaged one is left out
                    yield read_document(of, orjson.loads(body))
            if len(rows) < BATCH:
                return
            after = rows[-1][1], rows[-1][0]

    def _make_folder(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SearchUnavailable(
                f"The journal {self._path} cannot be made ({error}). Check HELP_DATA_DIR."
            ) from error

    @contextmanager
    def _writing(self, timeout_s: float) -> Iterator[sqlite3.Connection]:
        with self._opened(timeout_s) as connection:
            with suppress(sqlite3.OperationalError):  # another process is just doing it
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _opened(self, timeout_s: float) -> Iterator[sqlite3.Connection]:
        """Lend a connection; map SQLite's errors to ours."""
        try:
            with closing(
                sqlite3.connect(self._path, timeout=timeout_s, isolation_level=None)
            ) as connection:
                yield connection
        except sqlite3.OperationalError as error:
            raise SearchUnavailable(
                f"The journal {self._path} cannot be used ({error}). Check the disk's space and"
                " the folder's permissions."
            ) from error
        except sqlite3.DatabaseError as error:
            raise SearchUnavailable(
                f"The journal {self._path} is damaged ({error}). Delete the file: a new one is"
                " made, and what was in it is lost."
            ) from error


def _has_records(connection: sqlite3.Connection) -> bool:
    sql = "SELECT 1 FROM sqlite_master WHERE name = 'records'"
    return connection.execute(sql).fetchone() is not None
