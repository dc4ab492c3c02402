"""The embedded store: one SQLite file in WAL mode; FTS5 for words, one matrix for vectors."""

from rag.stores.sqlite.answers import SqliteAnswers
from rag.stores.sqlite.logs import SqliteJournal
from rag.stores.sqlite.store import SqliteStore

__all__ = ["SqliteAnswers", "SqliteJournal", "SqliteStore"]
