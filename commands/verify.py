"""Prove that index, pages and kept answers agree."""

from __future__ import annotations

import sys

import click

from commands.output import FOUND_NOTHING, Progress, print_checks, print_json


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def verify(as_json: bool) -> None:
    """Prove that index, pages and kept answers agree; change nothing.

    Every chunk and vector is read, every page compared with its file, some chunks are searched for
    and encoded once more. Exit code: 0 all agree, 1 something does not, 2 it could not be read.
    """
    from indexer.verify import verify as verified
    from rag.config.settings import load_settings
    from rag.encoders import open_encoder
    from rag.stores import open_answer_store, open_store

    settings = load_settings()
    encoder = open_encoder(settings) if settings.embeddings_enabled else None
    with Progress("Chunks") as progress:
        checks = verified(open_store(settings), open_answer_store(settings), encoder, progress)
    print_json({"checks": checks}) if as_json else print_checks(checks)
    if not all(check.ok for check in checks):
        sys.exit(FOUND_NOTHING)
