"""The index as it was before the last run that changed it, in a file beside the index's own."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from rag.core.errors import HelpError
from rag.core.invocation import index_command
from rag.stores.sqlite.answer_rows import ANSWER_SCHEMA, drop_changed
from rag.stores.sqlite.file import SCHEMA, TABLES, begin, connect, explained, read_value

WORDS = "rowid, title, headings, questions, text"
COPIED = ("meta", "pages", "chunks", "windows", "vectors", "spellings")


def previous_file(path: Path) -> Path:
    """Return where the generation before that of an index file lies."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def remember(path: Path) -> None:
    """Copy what readers of an index file see now to the file of the generation before.

    Called by whoever holds the file's lock, before its changes are committed: a crash in between
    leaves two equal generations.
    """
    copied = _copy(path)
    copied.replace(previous_file(path))


def rollback(path: Path) -> None:
    """Exchange an index and the generation before it, in one transaction; answers stay.

    Raises: HelpError when none is kept; IndexBusy; SearchUnavailable.
    """
    before = previous_file(path)
    if not (path.exists() and before.exists()):
        raise HelpError(
            f"No earlier generation of {path} is kept: there is one after the second run that"
            f" changes something. Index your pages: {index_command()}"
        )
    with explained(path):
        with closing(connect(path)) as connection:
            connection.execute("ATTACH ? AS before", (str(before),))
            begin(connection, path)
            generation = int(read_value(connection, "generation") or 0)
            copied = _copy(path)
            try:
                _exchange(connection, generation + 1)
                connection.execute("COMMIT")
            except BaseException:
                copied.unlink()
                raise
        copied.replace(before)


def _exchange(connection: sqlite3.Connection, generation: int) -> None:
    for table in TABLES:
        connection.execute(f"DROP TABLE IF EXISTS main.{table}")
    for statement in (*SCHEMA, *ANSWER_SCHEMA):
        connection.execute(statement)
    for table in COPIED:
        connection.execute(f"INSERT INTO main.{table} SELECT * FROM before.{table}")
    connection.execute(f"INSERT INTO main.words ({WORDS}) SELECT {WORDS} FROM before.words")
    connection.execute("UPDATE main.meta SET value = ? WHERE key = 'generation'", (generation,))
    drop_changed(connection)


def _copy(path: Path) -> Path:
    """Copy what is committed in a file. Returns the copy, whole and in a single file."""
    target = previous_file(path).with_suffix(".part")
    with suppress(FileNotFoundError):
        target.unlink()
    with closing(connect(path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    return target
