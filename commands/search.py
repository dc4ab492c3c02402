"""Show the chunks found for a question."""

from __future__ import annotations

import sys

import click

from commands.output import FOUND_NOTHING, hit_row, print_hit, print_json


@click.command()
@click.argument("question")
@click.option("-k", default=5, show_default=True, type=click.IntRange(1, 50), help="Hits to show.")
@click.option("--page", help="Page that the asker is on.")
@click.option("--json", "as_json", is_flag=True, help="Print the hits as JSON.")
def search(question: str, k: int, page: str | None, as_json: bool) -> None:
    """Show the chunks found for QUESTION, with their scores."""
    from rag.api import open_retriever
    from rag.config.settings import load_settings
    from rag.stores import open_store

    settings = load_settings()
    retriever = open_retriever(settings, open_store(settings))
    hits = retriever.retrieve(question, k, page=page, timeout_s=settings.timeout_s).hits
    if as_json:
        print_json({"hits": [hit_row(hit) for hit in hits]})
    for hit in () if as_json else hits:
        print_hit(hit)
    if not hits:
        click.echo("Nothing found.", err=as_json)
        sys.exit(FOUND_NOTHING)
