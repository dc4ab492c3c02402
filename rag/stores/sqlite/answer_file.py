"""The connections of the kept answers to the index file: one reads, one writes and never waits."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rag.core.errors import SearchUnavailable
from rag.core.invocation import index_command
from rag.stores.sqlite.answer_rows import ANSWER_SCHEMA
from rag.stores.sqlite.file import explained, read_meta

READ_WAIT_S = 0.05
Identity = tuple[int, int]


class AnswerFile:
    """Lend connections to an index file that is there; never make it. Safe between threads.

    A file that was put in the place of another is opened anew: the old one's pages say nothing
    of the new one's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader = _Side(path)
        self._writer = _Side(path)

    @contextmanager
    def reading(self, timeout_s: float) -> Iterator[sqlite3.Connection | None]:
        """Lend the reading connection; None when no answer was ever kept in the file."""
        with self._reader.turn(timeout_s), _explained(self._path):
            connection = self._reader.opened(READ_WAIT_S)
            yield connection if connection is not None and self._has_answers(connection) else None

    @contextmanager
    def writing(self, wait_s: float) -> Iterator[sqlite3.Connection]:
        """Lend a transaction, once another writer is done within ``wait_s``, and commit it.

        Raises: SearchUnavailable when there is no index, or it cannot be written now.
        """
        with self._writer.turn(wait_s), _explained(self._path):
            connection = self._writer.opened(wait_s)
            if connection is None:
                raise SearchUnavailable(f"There is no index {self._path} to keep answers in.")
            try:
                self._begin(connection)
                self._prepare(connection)
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        self._writer.ready = True

    def close(self) -> None:
        """Close both connections."""
        for side in (self._reader, self._writer):
            side.close()

    def _begin(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise SearchUnavailable(
                f"Another process is writing {self._path}. Wait until it ends, then run this again."
            ) from None

    def _has_answers(self, connection: sqlite3.Connection) -> bool:
        if not self._reader.ready:
            row = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'answer_claims'")
            self._reader.ready = row.fetchone() is not None
        return self._reader.ready

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if self._writer.ready:
            return
        if read_meta(connection) is None:
            raise SearchUnavailable(f"There is no index in {self._path} to keep answers in.")
        for statement in ANSWER_SCHEMA:
            connection.execute(statement)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Map SQLite's errors to ours, also those that it cannot put into words."""
    try:
        with explained(path):
            yield
    except (sqlite3.Error, UnicodeError, MemoryError, OverflowError) as error:
        raise SearchUnavailable(
            f"The index {path} is damaged ({type(error).__name__}). Delete the file, then run:"
            f" {index_command()}"
        ) from error


class _Side:
    """Hold one connection, whose turn it is, and whether the tables of answers were seen."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._identity: Identity | None = None
        self.ready = False

    @contextmanager
    def turn(self, timeout_s: float) -> Iterator[None]:
        if not self._lock.acquire(timeout=max(0.0, timeout_s)):
            raise SearchUnavailable(f"The index {self._path} was busy for {timeout_s:.2g} s.")
        try:
            yield
        finally:
            self._lock.release()

    def opened(self, wait_s: float) -> sqlite3.Connection | None:
        """Return the connection to the file that stands there now, None when none does."""
        found = _identity(self._path)
        if found != self._identity or self._connection is None:
            self._close()
            if found is None:
                return None
            # "rw" never makes a file; one that may only be read is opened so
            self._connection = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=rw",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
            self._identity = found
            self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(f"PRAGMA busy_timeout = {int(wait_s * 1000)}")
        return self._connection

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._identity, self.ready = None, None, False


def _identity(path: Path) -> Identity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
