"""Measure what questions cost."""

from __future__ import annotations

import sys

import click

from commands.output import FAILED, Progress, print_json, printable


@click.command()
@click.option(
    "--streaming-benchmark",
    "names",
    flag_value="streaming",
    multiple=True,
    help="Time events, cold and warm, and Stop.",
)
@click.option(
    "--cache-benchmark",
    "names",
    flag_value="cache",
    multiple=True,
    help="Time identical and similar questions among many kept answers.",
)
@click.option("--iterations", type=click.IntRange(1), help="How many questions, or rounds.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def benchmark(names: tuple[str, ...], iterations: int | None, as_json: bool) -> None:
    """Measure what questions cost on this machine, with the settings in force.

    Without a name, everything is measured. Nothing is taken from the answers kept, nor kept.
    Exit code: 0 measured, 2 nothing could be measured.
    """
    from rag.diagnostics import benchmark as instrument
    from rag.settings import load_settings

    with Progress("Measuring") as progress:
        done = instrument.benchmark(names, load_settings(), iterations, progress)
    for name, reason in done.failures.items():
        click.echo(f"Error: {name}: {printable(reason)}", err=True)
    if not done.measured:
        sys.exit(FAILED)
    print_json(done.figures) if as_json else click.echo(printable("\n".join(done.lines)))
