"""Journal and turns of conversations, each in a file of its own: the indexer holds up neither."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path

import orjson

from rag.core.errors import SearchUnavailable
from rag.core.records import (
    EXPIRES_S,
    MOST_TURNS,
    Feedback,
    JournalEntry,
    Of,
    Record,
    Turn,
    conversation_key,
    document,
    kind_of,
    read_document,
    written,
)

JOURNAL_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS records (kind TEXT NOT NULL, answer_id TEXT NOT NULL,"
    " at TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, answer_id))",
    "CREATE INDEX IF NOT EXISTS records_of_time ON records (kind, at, answer_id)",
)
WRITE_RECORD = "INSERT OR REPLACE INTO records (kind, answer_id, at, body) VALUES (?, ?, ?, ?)"
READ_RECORDS = (
    "SELECT answer_id, at, body FROM records WHERE kind = ? AND at < ? AND (at, answer_id) > (?, ?)"
    " ORDER BY at, answer_id LIMIT ?"
)
BATCH = 1_000
TURN_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS turns (number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " conversation TEXT NOT NULL, at REAL NOT NULL, turn BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS turns_of_conversation ON turns (conversation, number)",
    "CREATE INDEX IF NOT EXISTS turns_by_time ON turns (at)",
)
READ_TURNS = (
    f"SELECT at, turn FROM turns WHERE conversation = ? ORDER BY number DESC LIMIT {MOST_TURNS}"
)
TRIM_TURNS = (
    "DELETE FROM turns WHERE conversation = :key AND number NOT IN (SELECT number FROM turns"
    f" WHERE conversation = :key ORDER BY number DESC LIMIT {MOST_TURNS})"
)


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
            for statement in JOURNAL_SCHEMA:
                connection.execute(statement)
            connection.executemany(WRITE_RECORD, rows)

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
                rows = connection.execute(READ_RECORDS, values).fetchall()
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


class SqliteTurns:
    """Keep turns in a file; who reads does not wait for who writes. Safe for threads, processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader, self._writer = _Side(path), _Side(path)

    def turns(self, conversation_id: str, now: float, timeout_s: float) -> tuple[Turn, ...]:
        """Return the last turns, oldest first. See `TurnStore.turns`."""
        if not self._path.exists():
            return ()
        with self._reader.opened(timeout_s) as connection:
            rows = connection.execute(READ_TURNS, (conversation_key(conversation_id),)).fetchall()
        if not rows or rows[0][0] + EXPIRES_S <= now:
            return ()
        return tuple(read_turn(row[1]) for row in reversed(rows))

    def add(self, conversation_id: str, turn: Turn, now: float, timeout_s: float) -> None:
        """Append a turn; what has expired goes."""
        key = conversation_key(conversation_id)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._writer.opened(timeout_s) as connection:
            connection.execute("BEGIN IMMEDIATE")
            # what went before is of another conversation by now
            connection.execute("DELETE FROM turns WHERE at <= ?", (now - EXPIRES_S,))
            connection.execute(
                "INSERT INTO turns (conversation, at, turn) VALUES (?, ?, ?)",
                (key, now, orjson.dumps(turn)),
            )
            connection.execute(TRIM_TURNS, {"key": key})
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connections."""
        for side in (self._reader, self._writer):
            side.close()


class _Side:
    """Hold one connection, lent to one caller at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        with self._lock:
            self._forget()

    @contextmanager
    def opened(self, timeout_s: float) -> Iterator[sqlite3.Connection]:
        """Lend the connection; after an error it is opened anew. Raises: SearchUnavailable."""
        if not self._lock.acquire(timeout=timeout_s):
            raise SearchUnavailable(f"The conversations in {self._path} were busy.")
        try:
            if self._connection is None or not self._path.exists():
                self._forget()
                self._connection = self._connect()
            self._connection.execute(f"PRAGMA busy_timeout = {int(timeout_s * 1000)}")
            yield self._connection
        except (sqlite3.Error, ValueError, KeyError) as error:
            self._forget()
            raise SearchUnavailable(
                f"The conversations in {self._path} cannot be used ({error}). Check the disk's"
                " space and the folder's permissions, or delete the file."
            ) from error
        finally:
            self._lock.release()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")  # lost with the machine's power
        connection.execute("PRAGMA secure_delete = ON")
        for statement in TURN_SCHEMA:
            connection.execute(statement)
        return connection

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def read_turn(data: bytes) -> Turn:
    """Return the turn that was written as JSON. Raises: ValueError, KeyError."""
    values = orjson.loads(data)
    return Turn(values["question"], values["contextual"], tuple(values["pages"]))
