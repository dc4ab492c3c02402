"""Where chunks live: SQLite by default, Elasticsearch where the settings name one."""

from __future__ import annotations

from rag.cache.types import AnswerStore
from rag.conversation.turns import TurnStore
from rag.journal import JournalStore
from rag.settings import Settings
from rag.types import Store

INDEX_FILE = "index.sqlite3"
TURNS_FILE = "conversations.sqlite3"
JOURNAL_FILE = "journal.sqlite3"


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
        from rag.stores.elasticsearch.turns import ElasticsearchTurns

        return ElasticsearchTurns(settings)
    from rag.stores.sqlite.turns import SqliteTurns

    return SqliteTurns(settings.data_dir / TURNS_FILE)
