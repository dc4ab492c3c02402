"""The command line: `souffleur …` where it is installed, `python cli.py …` in a checkout."""

from __future__ import annotations

import os
from typing import Any

import click

from rag.core.invocation import command
from souffleur.cli import ask, cache, chat, demo, index, quality, serve
from souffleur.cli.output import FAILED, printable

# two BLAS threads on a busy machine make one small product 100 times slower: see docs/adr/0003
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


class ExplainingGroup(click.Group):
    """Print what went wrong and its cure instead of a traceback; exit with 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, explaining Souffleur's own errors."""
        from rag.core.errors import HelpError

        try:
            return super().invoke(ctx)
        except HelpError as error:
            return self._explain(ctx, error, str(error))
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click says these itself
        except Exception as error:
            said = f"{type(error).__name__}: {error}. See where: {command('--debug …')}"
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
@click.version_option(package_name="souffleur-help", prog_name="souffleur")
@click.pass_context
def main(ctx: click.Context, setup_elasticsearch: bool, debug: bool) -> None:
    """Answer questions from your help pages, with sources, on time."""
    import logging

    from rag.config import LINE, formatter

    handler = logging.StreamHandler()
    handler.setFormatter(formatter(LINE if debug else "%(message)s"))
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, handlers=[handler])
    # the client's own retry notes say less than our errors do
    logging.getLogger("elastic_transport").setLevel(logging.DEBUG if debug else logging.ERROR)
    if setup_elasticsearch:
        from rag.config.settings import load_settings

        quality.setup(load_settings())
    elif ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for one in (
    ask.ask,
    ask.search,
    ask.status,
    cache.cache,
    chat.chat,
    demo.demo,
    index.backup,
    index.index,
    index.restore,
    index.verify,
    quality.benchmark,
    quality.doctor,
    quality.evaluate,
    quality.optimize,
    quality.report,
    serve.mcp,
    serve.serve,
    serve.token,
):
    main.add_command(one)
