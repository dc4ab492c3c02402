"""A store for one measurement: empty, apart from the user's own index, and gone afterwards."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rag.errors import HelpError
from rag.settings import Settings
from rag.stores import open_store
from rag.types import Store

PREFIX = "souffleur-evaluate"
logger = logging.getLogger(__name__)


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
