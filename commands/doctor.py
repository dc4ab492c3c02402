"""Say what is wrong, and the command that cures it; mend an Ollama that hangs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.output import FOUND_NOTHING, Progress, print_checks, print_json, printable

if TYPE_CHECKING:
    from rag.diagnostics.doctor import Diagnosis

OWN = "-"  # without a file, the pages' own questions


@click.command()
@click.option("--fix", is_flag=True, help="Restart an Ollama that is blocked or stopped.")
@click.option("--pull", is_flag=True, help="With --fix: fetch the models that are missing.")
@click.option(
    "--performance",
    is_flag=False,
    flag_value=OWN,
    metavar="[FILE]",
    help="Time three questions, or those of a file, one a line.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def doctor(fix: bool, pull: bool, performance: str | None, as_json: bool) -> None:
    """Look at settings, disk, index, pages, Elasticsearch and Ollama, all within 15 seconds.

    Each fault comes with the command that cures it. Exit code: 0 nothing is wrong (with
    --performance: the targets are met), 1 something is, 2 it could not be found out or mended.
    """
    if performance is not None:
        return _performance(None if performance == OWN else Path(performance), as_json)
    if pull and not fix:
        raise click.UsageError("--pull goes with --fix.")
    from rag.diagnostics.doctor import diagnose

    found = diagnose()
    mended = fix and _mend(found, pull)
    if mended:
        found = diagnose()
    if as_json:
        print_json(found.figures())
    else:
        print_checks(found.checks)
    sys.exit(0 if found.ok else FOUND_NOTHING)


def _mend(found: Diagnosis, pull: bool) -> bool:
    """Mend what can be; say whether anything was done. Raises: HelpError."""
    if found.settings is None or not found.faults:
        click.echo("Nothing here can be mended by a restart.", err=True)
        return False
    from rag.diagnostics.repair import pull_missing, restart_ollama

    if found.faults & {"blocked", "stopped"}:
        restart_ollama(found.settings, _say)
    if "missing" in found.faults or pull:
        if not pull:
            click.echo("A model is missing: add --pull to fetch it.", err=True)
            return bool(found.faults - {"missing"})
        with Progress("Bytes") as progress:
            pull_missing(found.settings, _say, progress)
    return True


def _say(line: str) -> None:
    click.echo(printable(line), err=True)


def _performance(path: Path | None, as_json: bool) -> None:
    from rag.config.settings import load_settings
    from rag.diagnostics.doctor.performance import measure_performance

    with Progress("Questions") as progress:
        done = measure_performance(load_settings(), path, progress)
    print_json(done.figures) if as_json else click.echo(printable("\n".join(done.lines)))
    sys.exit(0 if done.ok else FOUND_NOTHING)
