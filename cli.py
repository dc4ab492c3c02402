"""Souffleur's command line: parse, call, render. What it does lives in `rag` and `indexer`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from cli_output import (
    Progress,
    hit_row,
    print_answer,
    print_hit,
    print_json,
    print_report,
    printable,
)

# two BLAS threads on a busy machine make one small product 100 times slower: see docs/adr/0003
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

FOUND_NOTHING, FAILED, SKIPPED = 1, 2, 3


class ExplainingGroup(click.Group):
    """Print what went wrong and its cure instead of a traceback; exit with 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, explaining Souffleur's own errors."""
        from rag.errors import HelpError

        try:
            return super().invoke(ctx)
        except HelpError as error:
            return self._explain(ctx, error, str(error))
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click says these itself
        except Exception as error:
            said = f"{type(error).__name__}: {error}. See where: python cli.py --debug …"
            return self._explain(ctx, error, said)

    def _explain(self, ctx: click.Context, error: Exception, said: str) -> None:
        if ctx.params.get("debug"):
            import traceback

            traceback.print_exception(error)
        click.echo(f"Error: {printable(said)}", err=True)
        ctx.exit(FAILED)


@click.group(cls=ExplainingGroup, invoke_without_command=True)
@click.option(
    "--setup-elasticsearch", is_flag=True, help="Create the index in Elasticsearch; safe to repeat."
)
@click.option("--debug", is_flag=True, help="Show tracebacks and debug logs.")
@click.version_option(package_name="souffleur", prog_name="souffleur")
@click.pass_context
def main(ctx: click.Context, setup_elasticsearch: bool, debug: bool) -> None:
    """Answer questions from your help pages, with sources, on time."""
    import logging

    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING,
        format="[%(levelname)s] %(asctime)s %(name)s - %(message)s" if debug else "%(message)s",
    )
    # the client's own retry notes say less than our errors do
    logging.getLogger("elastic_transport").setLevel(logging.DEBUG if debug else logging.ERROR)
    if setup_elasticsearch:
        _setup_elasticsearch()
    elif ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@main.command()
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


@main.command()
@click.argument("question")
@click.option("-k", default=5, show_default=True, type=click.IntRange(1, 50), help="Hits to show.")
@click.option("--page", help="Page that the asker is on.")
@click.option("--json", "as_json", is_flag=True, help="Print the hits as JSON.")
def search(question: str, k: int, page: str | None, as_json: bool) -> None:
    """Show the chunks found for QUESTION, with their scores."""
    from rag.api import open_retriever
    from rag.settings import load_settings
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


@main.command()
@click.argument("question")
@click.option("-k", default=5, show_default=True, type=click.IntRange(1, 20), help="Hits to read.")
@click.option("--page", help="Page that the asker is on.")
@click.option("--no-llm", is_flag=True, help="Answer with an extract, without the language model.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer as JSON.")
def ask(question: str, k: int, page: str | None, no_llm: bool, as_json: bool) -> None:
    """Answer QUESTION from the indexed pages.

    Exit code: 0 answered, 1 the pages do not answer, 2 something is wrong.
    """
    import asyncio

    from rag.analysis import question_language
    from rag.api import open_assistant
    from rag.settings import load_settings

    settings = load_settings()
    assistant = open_assistant(settings, use_model=not no_llm)
    shown = settings.streaming_enabled and not as_json
    events = assistant.stream(question, page=page, k=k)
    answer = asyncio.run(_render(events, question_language(question), as_json, shown))
    if as_json:
        print_json(answer)
    if not answer.answered:
        sys.exit(FAILED if answer.degraded else FOUND_NOTHING)


@main.command()
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
    from rag.diagnostics import evaluate as instrument
    from rag.settings import load_settings

    request = instrument.Request(**asked)
    with Progress() as pages, Progress("Questions") as questions:
        bars = instrument.Bars(pages, questions)
        done = instrument.evaluate(request, load_settings(), index_pages, bars)
    for line in (*done.warnings, *done.failures):
        click.echo(printable(line), err=True)
    print_json(done.figures) if as_json else click.echo(printable("\n".join(done.lines)))
    sys.exit(FOUND_NOTHING if done.failures else 0)


async def _render(events: Any, lang: str, as_json: bool, shown: bool) -> Any:
    """Print a stream's events as they come; return its answer."""
    from rag.types import ChunkEvent, CompleteEvent, SourcesEvent

    streamed, answer = False, None
    async for event in events:
        if isinstance(event, CompleteEvent):
            answer = event.answer
        elif as_json:
            continue
        elif isinstance(event, ChunkEvent) and shown:
            streamed = True
            click.echo(printable(event.content), nl=False)
        elif isinstance(event, SourcesEvent) and sys.stderr.isatty():
            click.secho(f"{len(event.retrieved)} passages…", err=True, dim=True)
    if not as_json:
        print_answer(answer, lang, streamed)
    return answer


def _setup_elasticsearch() -> None:
    from rag.api import index_meta
    from rag.encoders import open_encoder
    from rag.errors import ConfigError
    from rag.settings import load_settings

    settings = load_settings()
    if not settings.uses_elasticsearch:
        raise ConfigError(
            "ELASTICSEARCH_URL is not set. Set it in the environment or in .env, for example:"
            " ELASTICSEARCH_URL=http://127.0.0.1:9200"
        )
    from rag.stores.elasticsearch import setup

    for line in setup(settings, index_meta(open_encoder(settings))):
        click.echo(line)


if __name__ == "__main__":
    main()
