"""Measure what questions cost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from commands.output import FAILED, Progress, print_json, printable


def _section(name: str, told: str) -> Any:
    return click.option(f"--{name}-benchmark", "names", flag_value=name, multiple=True, help=told)


@click.command()
@_section("embedding", "Time encoding by batch size, and how well it finds.")
@_section("retrieval", "Time searches by vectors and words, and how well they find.")
@_section("streaming", "Time events, cold and warm, and Stop.")
@_section("cache", "Time identical and similar questions among many kept answers.")
@click.option("--iterations", type=click.IntRange(1), help="How many questions, or rounds.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the times into a .png or .svg.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def benchmark(
    names: tuple[str, ...], iterations: int | None, plot: Path | None, as_json: bool
) -> None:
    """Measure what questions cost on this machine, with the settings in force.

    Without a name, everything is measured. Nothing is taken from the answers kept, nor kept.
    Exit code: 0 measured, 2 nothing could be measured.
    """
    from rag.config.settings import load_settings
    from rag.diagnostics import benchmark as instrument

    if plot is not None:
        from rag.diagnostics.plot import check_plot

        check_plot(plot)  # before minutes are spent
    with Progress("Measuring") as progress:
        done = instrument.benchmark(names, load_settings(), iterations, progress)
    for name, reason in done.failures.items():
        click.echo(f"Error: {name}: {printable(reason)}", err=True)
    if not done.measured:
        sys.exit(FAILED)
    print_json(done.figures) if as_json else click.echo(printable("\n".join(done.lines)))
    if plot is not None:
        from rag.diagnostics.plot import plot as draw

        draw(done.figures, plot)
