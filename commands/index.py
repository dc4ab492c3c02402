"""Index help pages."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from commands.output import SKIPPED, Progress, print_json, print_report


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--full", is_flag=True, help="Rebuild the whole index from these pages alone.")
@click.option("--dry-run", is_flag=True, help="Say what would change; write nothing.")
@click.option("--allow-skips", is_flag=True, help="Exit with 0 although pages were skipped.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def index(
    sources: tuple[Path, ...], full: bool, dry_run: bool, allow_skips: bool, as_json: bool
) -> None:
    """Index help pages: a folder, a file, or several.

    Only what changed since the last run is read again. Pages that are gone from an indexed folder
    leave the index. Exit code: 0 all pages indexed, 3 some were skipped, 2 nothing was done.
    """
    from indexer.pipeline import run
    from rag.encoders import open_encoder
    from rag.settings import load_settings
    from rag.stores import open_store

    settings = load_settings()
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
