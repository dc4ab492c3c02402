"""Measure how well pages are found."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from commands.output import FOUND_NOTHING, Progress, print_json, printable


@click.command()
@click.option("--beir", type=click.Path(path_type=Path), help="Folder in BEIR's format.")
@click.option("--questions", type=click.Path(path_type=Path), help="File of your own questions.")
@click.option("--compare", nargs=2, type=click.Path(path_type=Path), metavar="A.json B.json")
@click.option("--fail-below", multiple=True, metavar="[MEASURE=]N", help="Exit with 1 below N.")
@click.option("-k", default=30, show_default=True, type=click.IntRange(20, 100), help="Chunks.")
@click.option("--misspelt", is_flag=True, help="Ask with accents gone and a typo a question.")
@click.option("--allow-unjudged", is_flag=True, help="Leave out queries without judgements.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def evaluate(as_json: bool, **asked: Any) -> None:
    """Measure how well the pages that answer are found; test whether two such reports differ.

    Without --beir, your own index is asked tests/quality/questions.jsonl or another file.
    Exit code: 0 measured, 1 a figure is below its threshold, 2 nothing was measured.
    """
    from indexer.memory import index_pages
    from rag.config.settings import load_settings
    from rag.diagnostics import evaluate as instrument

    request = instrument.Request(**asked)
    with Progress() as pages, Progress("Questions") as questions:
        bars = instrument.Bars(pages, questions)
        done = instrument.evaluate(request, load_settings(), index_pages, bars)
    for line in (*done.warnings, *done.failures):
        click.echo(printable(line), err=True)
    print_json(done.figures) if as_json else click.echo(printable("\n".join(done.lines)))
    sys.exit(FOUND_NOTHING if done.failures else 0)
