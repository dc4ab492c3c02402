"""Index help pages with the settings in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from indexer.pipeline import OnProgress, Report, run
from rag.config.settings import Settings, load_settings
from rag.encoders import open_encoder
from rag.stores import open_store

if TYPE_CHECKING:
    from os import PathLike


def index_folder(
    *sources: str | PathLike[str],
    settings: Settings | None = None,
    full: bool = False,
    dry_run: bool = False,
    on_progress: OnProgress = lambda done, total: None,
) -> Report:
    """Index the pages of folders and files, as `souffleur index` does; return what was done.

    Without ``settings``, those in force. ``full`` rebuilds the index from these pages alone;
    ``dry_run`` writes nothing. Pages that cannot be read are in the report's ``skipped``.

    Raises: ConfigError; CorpusError when no page is there; IndexMismatch, IndexBusy,
    SearchUnavailable, EncoderError.
    """
    settings = settings or load_settings()
    store = open_store(settings)
    try:
        return run(
            [Path(source) for source in sources],
            store,
            open_encoder(settings),
            full=full,
            dry_run=dry_run,
            on_progress=on_progress,
        )
    finally:
        store.close()
