"""Look after the answers that are kept: `kept` does what these commands say."""

from __future__ import annotations

import sys
from typing import TextIO

import click

from commands import kept
from commands.output import FOUND_NOTHING, Progress, counted, print_json, printable

INTERRUPTED = 130  # as shells name a program that Ctrl-C ended
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def cache() -> None:
    """Look after the answers that are kept.

    An answer is named by its question, or by the first digits of its key, as `cache list` and the
    log show it.
    """


@cache.command()
@JSON
def stats(as_json: bool) -> None:
    """Say how many answers are kept and what they spared."""
    from rag.cache.keeping import TIMEOUT_S, figures

    with kept.opened() as store:
        found = figures(store.stats(TIMEOUT_S))
    print_json(found) if as_json else kept.print_stats(found)


@cache.command(name="list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="At most.")
@JSON
def list_(limit: int, as_json: bool) -> None:
    """Show the answers kept, the last used first."""
    from itertools import islice

    from rag.cache.keeping import every_entry

    with kept.opened() as store:
        rows = [kept.row(entry) for entry in islice(every_entry(store), limit)]
    if as_json:
        print_json({"answers": rows})
    elif rows:
        kept.print_rows(rows)
    else:
        click.echo("No answer is kept.")


@cache.command()
@click.option("--page", help="Only the answers that came from this page.")
@click.option("--expired", is_flag=True, help="Only the answers that are too old to be served.")
@click.option("--pinned", is_flag=True, help="Remove pinned answers too.")
@JSON
def clear(page: str | None, expired: bool, pinned: bool, as_json: bool) -> None:
    """Remove the answers kept; those pinned stay."""
    import time

    from rag.cache.keeping import CLEAR_S
    from rag.cache.keeping import clear as remove

    if expired and (page is not None or pinned):
        raise click.UsageError("--expired goes alone: a pinned answer does not expire.")
    with kept.opened() as store:
        gone = store.sweep(time.time(), CLEAR_S) if expired else remove(store, page, pinned=pinned)
    _say_removed(gone, as_json)


@cache.command()
@click.argument("question")
@click.option("--answer", help="The answer, in your own words.")
@click.option("--file", type=click.File(encoding="utf-8"), help="Read the answer here; -: stdin.")
@click.option("--page", "pages", multiple=True, required=True, help="A page that it rests on.")
@JSON
def pin(
    question: str, answer: str | None, file: TextIO | None, pages: tuple[str, ...], as_json: bool
) -> None:
    """Pin your own words as the answer of QUESTION.

    They answer what means the same too, and are served from any page, with or without a language
    model, until one of their pages changes.
    """
    if (answer is None) == (file is None):
        raise click.UsageError("Give the answer by --answer or by --file.")
    text = file.read() if file else answer or ""
    if not text.strip() or not question.strip():
        raise click.UsageError("The question or the answer is empty.")
    entry = kept.pin(question, text.strip(), pages)
    if as_json:
        print_json(kept.row(entry))
    else:
        click.echo(f"pinned {entry.key[:5]}: {printable(question)}")


@cache.command()
@click.argument("which")
@JSON
def unpin(which: str, as_json: bool) -> None:
    """Remove the pinned answer of a question or a key."""
    from rag.cache.keeping import drop, entries_named
    from rag.core.errors import HelpError

    with kept.opened() as store:
        found = [entry for entry in entries_named(store, which) if entry.pinned]
        if not found:
            raise HelpError(f"The answer of {which!r} is not pinned. See: python cli.py cache list")
        gone = drop(store, found)
    _say_removed(gone, as_json)


@cache.command()
@click.argument("which")
@JSON
def report_false_hit(which: str, as_json: bool) -> None:
    """Remove an answer served wrongly; count that.

    WHICH is the question that it was written for, or the first digits of its key.
    """
    from rag.cache.keeping import entries_named
    from rag.cache.keeping import report_false_hit as report

    with kept.opened() as store:
        found = entries_named(store, which)
        report(store, found)
    _say_removed(len(found), as_json)


@cache.command()
@click.argument("question")
@click.argument("other")
@JSON
def explain(question: str, other: str, as_json: bool) -> None:
    """Say if OTHER is served the answer of QUESTION.

    Exit code: 0 it would, 1 it would not.
    """
    from rag.cache.match import explain as explained
    from rag.encoders import bundled_encoder

    encoder = bundled_encoder()
    hit, score, guard = explained(question, other, encoder)
    if as_json:
        print_json({"hit": hit, "score": round(score, 4), "guard": guard})
    else:
        kept.print_explained(question, other, score, guard, encoder.knows)
    if not hit:
        sys.exit(FOUND_NOTHING)


@cache.command()
@click.option("--limit", type=click.IntRange(1), help="Answer so many questions at most.")
@click.option("--most-asked", is_flag=True, help="Only what was asked most, not the pages' own.")
@click.option("--timeout", type=click.FloatRange(0, 600, min_open=True), help="Seconds an answer.")
@JSON
def warm(limit: int | None, most_asked: bool, timeout: float | None, as_json: bool) -> None:
    """Write answers before anybody asks for them.

    The pages' own questions, their titles and what was asked most, one at a time, at low priority.
    What is kept already is skipped, so that a run that was stopped goes on. Exit code: 0 done, 2
    the model does not answer, 130 stopped by Ctrl-C.
    """
    with Progress("Answers") as progress:
        done, stopped = kept.warm(limit, most_asked, timeout, progress)
    print_json(done) if as_json else kept.print_warmed(done)
    if stopped:
        sys.exit(INTERRUPTED)


def _say_removed(gone: int, as_json: bool) -> None:
    print_json({"removed": gone}) if as_json else click.echo(f"{counted(gone, 'answer')} removed")
