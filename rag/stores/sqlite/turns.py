"""Turns of conversations in a file of their own, shared by the processes of one machine."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from rag.core.errors import SearchUnavailable
from rag.core.records import EXPIRES_S, MOST_TURNS, Turn, conversation_key

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS turns (number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " conversation TEXT NOT NULL, at REAL NOT NULL, turn BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS turns_of_conversation ON turns (conversation, number)",
    "CREATE INDEX IF NOT EXISTS turns_by_time ON turns (at)",
)
READ = f"SELECT at, turn FROM turns WHERE conversation = ? ORDER BY number DESC LIMIT {MOST_TURNS}"
TRIM = (
    "DELETE FROM turns WHERE conversation = :key AND number NOT IN (SELECT number FROM turns"
    f" WHERE conversation = :key ORDER BY number DESC LIMIT {MOST_TURNS})"
)


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
            rows = connection.execute(READ, (conversation_key(conversation_id),)).fetchall()
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
            connection.execute(TRIM, {"key": key})
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
        for statement in SCHEMA:
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
