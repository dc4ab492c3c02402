"""Look after the index: make it, prove it, copy it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from souffleur.cli.output import (
    FOUND_NOTHING,
    SKIPPED,
    FilePath,
    Progress,
    counted,
    print_checks,
    print_json,
    print_report,
)

if TYPE_CHECKING:
    from pathlib import Path

    from souffleur.backup import Copied

FILE = click.argument("file", type=FilePath(dir_okay=False))
COPIED_JSON = click.option("--json", "as_json", is_flag=True, help="Print what was copied as JSON.")


@click.command()
@click.argument("sources", nargs=-1, type=FilePath())
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
    from souffleur.indexing import index_folder

    if rollback == bool(sources) or (rollback and (full or dry_run)):
        raise click.UsageError("Name the pages to index, or --rollback alone.")
    if rollback:
        return _roll_back(as_json)
    with Progress() as progress:
        report = index_folder(*sources, full=full, dry_run=dry_run, on_progress=progress)
    if as_json:
        print_json(report)
    else:
        print_report(report, dry_run)
    if report.skipped and not allow_skips:
        sys.exit(SKIPPED)
    return None


def _roll_back(as_json: bool) -> None:
    from rag.config.settings import load_settings
    from rag.stores import open_store

    store = open_store(load_settings())
    store.rollback()
    meta, pages, chunks = store.meta(), len(store.records()), store.count()
    if as_json:
        print_json({"pages": pages, "chunks": chunks, "encoder": meta.encoder if meta else None})
        return
    made = f", made with {meta.encoder}" if meta else ""
    click.echo(f"Back to {counted(pages, 'page')}, {counted(chunks, 'chunk')}{made}.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def verify(as_json: bool) -> None:
    """Prove that index, pages and kept answers agree; change nothing.

    Every chunk and vector is read, every page compared with its file, some chunks are searched for
    and encoded once more. Exit code: 0 all agree, 1 something does not, 2 it could not be read.
    """
    from rag.config.settings import load_settings
    from rag.encoders import open_encoder
    from rag.stores import open_answer_store, open_store
    from souffleur.consistency import verify as verified

    settings = load_settings()
    encoder = open_encoder(settings) if settings.embeddings_enabled else None
    with Progress("Chunks") as progress:
        checks = verified(open_store(settings), open_answer_store(settings), encoder, progress)
    print_json({"checks": checks}) if as_json else print_checks(checks)
    if not all(check.ok for check in checks):
        sys.exit(FOUND_NOTHING)


@click.command()
@FILE
@COPIED_JSON
def backup(file: Path, as_json: bool) -> None:
    """Write index, kept answers, journal and saved switches to one file.

    It can be restored into SQLite or Elasticsearch, whichever it came from. Servers go on
    meanwhile.
    """
    from rag.config.settings import load_settings
    from souffleur.backup import back_up

    with Progress() as progress:
        copied = back_up(load_settings(), file, progress)
    _say(copied, f"written to {file}", as_json)


@click.command()
@FILE
@COPIED_JSON
def restore(file: Path, as_json: bool) -> None:
    """Put a backup's index in the place of the present one, and add the rest to what is there.

    Servers go on meanwhile. `index --rollback` undoes it.
    """
    from rag.config.settings import load_settings
    from souffleur.backup import restore as restored

    with Progress() as progress:
        copied = restored(load_settings(), file, progress)
    _say(copied, f"restored from {file}", as_json)


def _say(copied: Copied, done: str, as_json: bool) -> None:
    if as_json:
        return print_json(copied)
    click.echo(
        f"{counted(copied.pages, 'page')}, {counted(copied.chunks, 'chunk')},"
        f" {counted(copied.answers, 'kept answer')}, {counted(copied.records, 'journal record')}"
        f" {done}."
    )
    return None
