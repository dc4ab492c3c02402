"""Show on the sample pages, in a temporary place, what an answer looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from souffleur.cli.ask import answered
from souffleur.cli.output import print_report

if TYPE_CHECKING:
    from pathlib import Path

QUESTION = "Comment créer un client ?"


@click.command()
@click.argument("question", default=QUESTION)
def demo(question: str) -> None:
    """Index the sample pages in a temporary place and answer QUESTION from them.

    Nothing of yours is read or changed, and no language model is asked.
    """
    import asyncio
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from rag.api import open_assistant
    from rag.config.settings import Settings
    from souffleur.indexing import index_folder

    with TemporaryDirectory(prefix="souffleur-demo") as folder:
        # the defaults: what is set for an installation here stays out of it
        settings = Settings.model_construct(data_dir=Path(folder))
        click.secho("The sample pages", bold=True)
        print_report(index_folder(sample_pages(), settings=settings), dry_run=False)
        click.secho(f"\n{question}", bold=True)
        assistant = open_assistant(settings, use_model=False)
        asyncio.run(answered(assistant, question, None, 5, streaming=False))
    _say_what_next()


def sample_pages() -> Path:
    """Return the folder of the sample pages: a package's own, or the checkout's `corpus/`."""
    from pathlib import Path

    here = Path(__file__).parents[1]
    packaged = here / "sample_pages"
    return packaged if packaged.is_dir() else here.parent / "corpus"


def _say_what_next() -> None:
    from rag.core.invocation import command

    click.secho("\nNext, with your own pages (Markdown, HTML, reStructuredText, …):", bold=True)
    for arguments, what in (
        ("index FOLDER", "index them"),
        ('ask "…"', "answer a question; through Ollama a language model writes, if one is there"),
        ("serve", "answer over HTTP, with a widget for your site's pages"),
        ("doctor", "say what is missing, and what cures it"),
    ):
        click.echo(f"  {command(arguments):<28}{what}")
