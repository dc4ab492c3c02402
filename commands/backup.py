"""Everything that is kept, into one file and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.output import Progress, counted, print_json

if TYPE_CHECKING:
    from rag.copying import Copied

FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
JSON = click.option("--json", "as_json", is_flag=True, help="Print what was copied as JSON.")


@click.command()
@FILE
@JSON
def backup(file: Path, as_json: bool) -> None:
    """Write index, kept answers, journal and saved switches to one file.

    It can be restored into SQLite or Elasticsearch, whichever it came from. Servers go on
    meanwhile.
    """
    from rag.backup import back_up
    from rag.config.settings import load_settings

    with Progress() as progress:
        copied = back_up(load_settings(), file, progress)
    _say(copied, f"written to {file}", as_json)


@click.command()
@FILE
@JSON
def restore(file: Path, as_json: bool) -> None:
    """Put a backup's index in the place of the present one, and add the rest to what is there.

    Servers go on meanwhile. To undo it: python cli.py index --rollback.
    """
    from rag.backup import restore as restored
    from rag.config.settings import load_settings

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
