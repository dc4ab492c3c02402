"""Report what was asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.output import counted, print_json, printable

if TYPE_CHECKING:
    from rag.reports.report import Report


@click.command()
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 3_650), help="Period.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page here.")
@click.option("--lang", default="fr", show_default=True, type=click.Choice(["fr", "en"]))
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--purge", is_flag=True, help="Remove what the journal holds instead.")
@click.option(
    "--before", type=click.IntRange(0), help="With --purge: only what is so many days old."
)
def report(
    days: int, html: Path | None, lang: str, as_json: bool, purge: bool, before: int | None
) -> None:
    """Report what was asked and what came of it.

    Questions a day, response times, what the help pages lack, what did not help, pages that no
    answer came from. The journal is kept for HELP_JOURNAL_DAYS; it holds no question's text unless
    HELP_JOURNAL_TEXTS is true.
    """
    if before is not None and not purge:
        raise click.UsageError("--before goes with --purge.")
    if purge:
        return _purge(before or 0)
    from rag.config.settings import load_settings
    from rag.reports.report import last_days, read_report

    found = read_report(load_settings(), last_days(days))
    if html is not None:
        _write(html, found, lang)
    if as_json:
        print_json(found)
    elif html is None:
        _show(found, lang)
    return None


def _show(found: Report, lang: str) -> None:
    from rag.reports.terminal import lines

    for line in lines(found, lang):
        title = line.startswith("# ")
        click.secho(printable(line.removeprefix("# ") if title else line), bold=title)


def _write(path: Path, found: Report, lang: str) -> None:
    from rag.core.errors import HelpError
    from rag.reports.page import page

    try:
        path.write_text(page(found, lang), encoding="utf-8")
    except OSError as error:
        raise HelpError(f"The report cannot be written to {path}: {error.strerror}.") from None
    click.echo(f"written: {printable(str(path))}", err=True)


def _purge(days: int) -> None:
    from datetime import timedelta

    from rag.config.settings import load_settings
    from rag.core.records import now
    from rag.stores import open_journal_store

    store = open_journal_store(load_settings())
    try:
        # what another machine's clock dates ahead goes too
        before = now() - timedelta(days=days) if days else now() + timedelta(days=1)
        gone = store.purge(before, 60.0)
    finally:
        store.close()
    click.echo(f"{counted(gone, 'record')} removed")
