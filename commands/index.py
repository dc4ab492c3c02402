"""Index help pages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.output import SKIPPED, Progress, counted, print_json, print_report

if TYPE_CHECKING:
    from rag.core.protocols import Store


@click.command()
@click.argument("sources", nargs=-1, type=click.Path(path_type=Path))
@click.option("--full", is_flag=True, help="Rebuild the whole index from these pages alone.")
@click.option("--dry-run", is_flag=True, help="Say what would change; write nothing.")
@click.option("--rollback", is_flag=True, help="Bring back the index before the last run.")
@click.option("--allow-skips", is_flag=True, help="Exit with 0 although pages were skipped.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def index(
    sources: tuple[Path, ...],
    full: bool,
    dry_run: bool,
    rollback: bool,
    allow_skips: bool,
    as_json: bool,
) -> None:
    """Index help pages: a folder, a file, or several.

    Only what changed since the last run is read again. Pages that are gone from an indexed folder
    leave the index. Who asks meanwhile is answered from the index as it was. That one is kept for
    --rollback, which a second one undoes. Exit code: 0 all pages indexed, 3 some were skipped, 2
    nothing was done.
    """
    from indexer.pipeline import run
    from rag.config.settings import load_settings
    from rag.encoders import open_encoder
    from rag.stores import open_store

    if rollback == bool(sources) or (rollback and (full or dry_run)):
        raise click.UsageError("Name the pages to index, or --rollback alone.")
    settings = load_settings()
    if rollback:
        return _roll_back(open_store(settings), as_json)
    with Progress() as progress:
        report = run(
            sources,
            open_store(settings),
            open_encoder(settings),
            full=full,
            dry_run=dry_run,
            on_progress=progress,
        )
    if as_json:
        print_json(report)
    else:
        print_report(report, dry_run)
    if report.skipped and not allow_skips:
        sys.exit(SKIPPED)
    return None


def _roll_back(store: Store, as_json: bool) -> None:
    store.rollback()
    meta, pages, chunks = store.meta(), len(store.records()), store.count()
    if as_json:
        print_json({"pages": pages, "chunks": chunks, "encoder": meta.encoder if meta else None})
        return
    made = f", made with {meta.encoder}" if meta else ""
    click.echo(f"Back to {counted(pages, 'page')}, {counted(chunks, 'chunk')}{made}.")
