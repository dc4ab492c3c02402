"""What the command line shows: answers, hits, reports, progress bars."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

FOUND_NOTHING, FAILED, SKIPPED = 1, 2, 3  # exit codes


class FilePath(click.Path):
    """Read a path of the command line as a `Path`, whose module `--help` does not load."""

    def coerce_path_result(self, value: Any) -> Any:
        """Return the `Path`."""
        from pathlib import Path

        return Path(value)


def print_json(value: Any) -> None:
    """Print a value or dataclass as indented JSON."""
    import orjson

    # not through dataclasses.asdict, which makes another thing of a Counter
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def print_report(report: Any, dry_run: bool) -> None:
    """Print what an indexing run did; the skipped pages on standard error."""
    for skip in report.skipped:
        click.echo(f"skipped {printable(skip.page)!r}: {printable(skip.reason)}", err=True)
    verb = "would be written" if dry_run else "written"
    click.echo(
        f"{counted(report.pages, 'page')}, {counted(report.chunks, 'chunk')}: {report.written}"
        f" {verb}, {report.unchanged} unchanged; {counted(report.deleted, 'page')} deleted,"
        f" {len(report.skipped)} skipped ({report.seconds:.1f} s)"
    )


def counted(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or plural."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def hit_row(hit: Any) -> dict[str, Any]:
    """Return a hit as `search --json` prints it."""
    chunk = hit.chunk
    return {
        "rank": hit.rank,
        "score": hit.score,
        "page": chunk.page,
        "title": chunk.title,
        "heading": chunk.heading,
        "url": chunk.url,
        "text": chunk.text,
        "legs": hit.legs,
    }


def print_hit(hit: Any) -> None:
    """Print a hit in three lines: path, scores and address, beginning of its text."""
    legs = ", ".join(f"{name} {score:.3f}" for name, score in hit.legs.items())
    click.secho(f"{hit.rank}. {printable(hit.chunk.path)}", bold=True)
    click.echo(f"   {hit.score:.3f} ({legs})  {printable(hit.chunk.url)}")
    first = " ".join(printable(hit.chunk.text).split())
    click.echo(f"   {first[:160]}{'…' if len(first) > 160 else ''}")


def print_answer(answer: Any, lang: str, *, seen: bool = False) -> None:
    """Print an answer with its sources; its text is left out when it was ``seen``."""
    from rag.language.messages import message, more_left

    if not seen:
        click.echo(printable(answer.text))
    if more := answer.more:
        click.secho(f"\n{printable(more_left(more.left, more.unit, more.url, lang))}", dim=True)
    if answer.reason and answer.answered:
        reason = message("degraded", lang, reason=answer.reason)
        click.secho(f"\n{printable(reason)}", fg="yellow")
    elif answer.unsupported and answer.answered:
        click.secho(f"\n{message('dropped', lang)}", dim=True)
    if answer.truncated:
        click.secho(f"\n{message('truncated', lang)}", fg="yellow")
    if answer.sources:
        click.echo(f"\n{message('sources', lang)}")
    for source in answer.sources:
        path = " > ".join(part for part in (source.title, source.heading) if part)
        click.echo(f"  [{source.n}] {printable(path)}\n      {printable(source.url)}")
    if answer.see_also and answer.answered:
        pages = ", ".join(answer.see_also)
        click.echo(f"\n{message('see_also', lang)} {printable(pages)}")
    for action in answer.actions if answer.answered else ():
        click.echo(f"→ {printable(action.label)} : {printable(action.url)}")


def print_checks(checks: Sequence[Any]) -> None:
    """Print what was looked at, a line each, and below what is wrong the command that cures it."""
    width = max((len(check.name) for check in checks), default=0)
    for check in checks:
        mark = click.style("✓", fg="green") if check.ok else click.style("✗", fg="red", bold=True)
        click.echo(f"{mark} {check.name:<{width}}  {printable(check.detail)}")
        if check.cure:
            click.echo(f"  {'':<{width}}  → {printable(check.cure)}")


def printable(text: str) -> str:
    """Return the text without the control characters that could drive a terminal."""
    return "".join(c for c in text if c in "\n\t" or c.isprintable() or c in "\u00a0\u202f")


class Progress:
    """Show a bar on a terminal for what takes long; stay silent elsewhere."""

    def __init__(self, label: str = "Pages") -> None:
        self._label = label
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __call__(self, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` are through."""
        if not sys.stderr.isatty():
            return
        if self._bar is None:
            self._bar = click.progressbar(length=total, label=self._label, file=sys.stderr)
            self._bar.__enter__()
        self._bar.update(done - self._bar.pos)

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(*error)
