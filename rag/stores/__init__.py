"""Where chunks live: SQLite by default, Elasticsearch where the settings name one."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rag.config.settings import Settings
from rag.core.errors import HelpError
from rag.core.protocols import AnswerStore, JournalStore, Store, TurnStore

INDEX_FILE = "index.sqlite3"
TURNS_FILE = "conversations.sqlite3"
JOURNAL_FILE = "journal.sqlite3"
PREFIX = "souffleur-evaluate"  # of a store for one measurement
logger = logging.getLogger(__name__)


def open_store(settings: Settings) -> Store:
    """Open the store that the settings name. Nothing is created before something is written."""
    if settings.uses_elasticsearch:
        from rag.stores.elasticsearch import ElasticsearchStore

        return ElasticsearchStore(settings)
    from rag.stores.sqlite import SqliteStore

    return SqliteStore(settings.data_dir / INDEX_FILE)


def open_answer_store(settings: Settings) -> AnswerStore:
    """Open the kept answers that lie beside the index, within the bounds of the settings.

    Raises: ConfigError.
    """
    if settings.uses_elasticsearch:
        from rag.stores.elasticsearch import ElasticsearchAnswers

        return ElasticsearchAnswers(settings)
    from rag.stores.sqlite import SqliteAnswers

    return SqliteAnswers(
        settings.data_dir / INDEX_FILE, settings.cache_max_entries, settings.cache_max_bytes
    )


def open_journal_store(settings: Settings) -> JournalStore:
    """Open the journal that lies beside the index. Raises: ConfigError."""
    if settings.uses_elasticsearch:
        from rag.stores.elasticsearch import ElasticsearchJournal

        return ElasticsearchJournal(settings)
    from rag.stores.sqlite import SqliteJournal

    return SqliteJournal(settings.data_dir / JOURNAL_FILE)


def open_turn_store(settings: Settings) -> TurnStore:
    """Open the conversations that processes share. Raises: ConfigError."""
    if settings.uses_elasticsearch:
        from rag.stores.elasticsearch.logs import ElasticsearchTurns

        return ElasticsearchTurns(settings)
    from rag.stores.sqlite.logs import SqliteTurns

    return SqliteTurns(settings.data_dir / TURNS_FILE)


@contextmanager
def throwaway_store(settings: Settings) -> Iterator[Store]:
    """Lend an empty store of the kind that the settings name, and remove it, also after an error.

    SQLite lies in a temporary folder, Elasticsearch's index behind an alias of its own.
    """
    with throwaway_settings(settings) as own, _opened(own) as store:
        yield store


@contextmanager
def throwaway_settings(settings: Settings) -> Iterator[Settings]:
    """Lend settings that name such a store, for all that opens by settings."""
    if settings.uses_elasticsearch:
        alias = f"{PREFIX}-{secrets.token_hex(6)}"
        own = settings.model_copy(update={"elasticsearch_index": alias})
        try:
            yield own
        finally:
            _remove_from_elasticsearch(own)
        return
    with TemporaryDirectory(prefix=PREFIX) as folder:
        yield settings.model_copy(update={"data_dir": Path(folder)})


@contextmanager
def _opened(settings: Settings) -> Iterator[Store]:
    store = open_store(settings)
    try:
        yield store
    finally:
        store.close()


def _remove_from_elasticsearch(settings: Settings) -> None:
    from rag.stores.elasticsearch.client import WRITE_TIMEOUT_S, Server

    server = Server(settings)
    try:
        with server.ask(WRITE_TIMEOUT_S) as client:
            # by their names: a server may refuse to delete what a wildcard matches
            names = list(client.indices.get(index=f"{server.alias}-*", expand_wildcards="all"))
            if names:
                client.options(ignore_status=404).indices.delete(index=names)
    except HelpError as error:
        logger.warning("The index %s-* could not be removed: %s", server.alias, error)
    finally:
        server.close()
