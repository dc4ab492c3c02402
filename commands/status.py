"""Show what is in force and what is there."""

from __future__ import annotations

import click

from commands.output import print_checks, print_json, printable


@click.command()
@click.option("--all", "everything", is_flag=True, help="Show settings at their default too.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def status(everything: bool, as_json: bool) -> None:
    """Show switches, settings with where each comes from, index, cache and services at a glance.

    Nothing is tried out: `doctor` does that. Exit code: 0, or 2 when a setting cannot be read.
    """
    from rag.config.settings import load_settings
    from rag.diagnostics.doctor.overview import overview

    found = overview(load_settings())
    if as_json:
        print_json(found.figures())
        return
    print_checks(found.found)
    click.echo(printable("\n".join(["", *found.lines(everything=everything)])))
