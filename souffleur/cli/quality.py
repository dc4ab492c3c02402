"""Measure, report and mend: evaluate, benchmark, report, doctor, optimize."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from souffleur.cli.output import (
    FAILED,
    FOUND_NOTHING,
    FilePath,
    Progress,
    counted,
    print_checks,
    print_json,
    printable,
)

if TYPE_CHECKING:
    from pathlib import Path

    from rag.analytics.report import Report
    from rag.config.settings import Settings
    from rag.diagnostics.doctor import Diagnosis

OWN_QUESTIONS = "-"  # without a file, the pages' own questions
CLEAR_S = 30.0
SWITCHES = ("cache", "streaming", "embeddings")


@click.command()
@click.option("--beir", type=FilePath(), help="Folder in BEIR's format.")
@click.option("--questions", type=FilePath(), help="File of your own questions.")
@click.option("--compare", nargs=2, type=FilePath(), metavar="A.json B.json")
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
    from rag.config.settings import load_settings
    from rag.diagnostics import evaluation as instrument

    request = instrument.Request(**asked)
    with Progress() as pages, Progress("Questions") as questions:
        bars = instrument.Bars(pages, questions)
        done = instrument.evaluate(request, load_settings(), index_pages, bars)
    for line in (*done.warnings, *done.failures):
        click.echo(printable(line), err=True)
    print_json(done.figures) if as_json else click.echo(printable("\n".join(done.lines)))
    sys.exit(FOUND_NOTHING if done.failures else 0)


def _section(name: str, told: str) -> Callable[[Any], Any]:
    return click.option(f"--{name}-benchmark", "names", flag_value=name, multiple=True, help=told)


@click.command()
@_section("embedding", "Time encoding by batch size, and how well it finds.")
@_section("retrieval", "Time searches by vectors and words, and how well they find.")
@_section("streaming", "Time events, cold and warm, and Stop.")
@_section("cache", "Time identical and similar questions among many kept answers.")
@click.option("--iterations", type=click.IntRange(1), help="How many questions, or rounds.")
@click.option("--plot", type=FilePath(), help="Draw the times into a .png or .svg.")
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


@click.command()
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 3_650), help="Period.")
@click.option("--html", type=FilePath(dir_okay=False), help="Write a page here.")
@click.option("--lang", default="fr", show_default=True, type=click.Choice(["fr", "en"]))
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--purge", is_flag=True, help="Remove what the journal holds instead.")
@click.option(
    "--before", type=click.IntRange(0), help="With --purge: only what is so many days old."
)
def report(
    days: int, html: Path | None, lang: str, as_json: bool, purge: bool, before: int | None
) -> None:
    """Report what was asked and what came of it.

    Questions a day, response times, what the help pages lack, what did not help, pages that no
    answer came from. The journal is kept for HELP_JOURNAL_DAYS; it holds no question's text unless
    HELP_JOURNAL_TEXTS is true.
    """
    if before is not None and not purge:
        raise click.UsageError("--before goes with --purge.")
    if purge:
        return _purge_journal(before or 0)
    from rag.analytics.report import last_days, read_report
    from rag.config.settings import load_settings

    found = read_report(load_settings(), last_days(days))
    if html is not None:
        _write_report(html, found, lang)
    if as_json:
        print_json(found)
    elif html is None:
        _show_report(found, lang)
    return None


def _show_report(found: Report, lang: str) -> None:
    from rag.analytics.rendering import lines

    for line in lines(found, lang):
        title = line.startswith("# ")
        click.secho(printable(line.removeprefix("# ") if title else line), bold=title)


def _write_report(path: Path, found: Report, lang: str) -> None:
    from rag.analytics.rendering import page
    from rag.core.errors import HelpError

    try:
        path.write_text(page(found, lang), encoding="utf-8")
    except OSError as error:
        raise HelpError(f"The report cannot be written to {path}: {error.strerror}.") from None
    click.echo(f"written: {printable(str(path))}", err=True)


def _purge_journal(days: int) -> None:
    from datetime import timedelta

    from rag.config.settings import load_settings
    from rag.core.records import now
    from rag.stores import open_journal_store

    store = open_journal_store(load_settings())
    try:
        # what another machine's clock dates ahead goes too
        before = now() - timedelta(days=days) if days else now() + timedelta(days=1)
        gone = store.purge(before, 60.0)
    finally:
        store.close()
    click.echo(f"{counted(gone, 'record')} removed")


@click.command()
@click.option("--fix", is_flag=True, help="Restart an Ollama that is blocked or stopped.")
@click.option("--pull", is_flag=True, help="With --fix: fetch the models that are missing.")
@click.option(
    "--performance",
    is_flag=False,
    flag_value=OWN_QUESTIONS,
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
        return _performance(performance, as_json)
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
    from rag.diagnostics.ollama_restart import pull_missing, restart_ollama

    if found.faults & {"blocked", "stopped"}:
        restart_ollama(found.settings, _say_error)
    if "missing" in found.faults or pull:
        if not pull:
            click.echo("A model is missing: add --pull to fetch it.", err=True)
            return bool(found.faults - {"missing"})
        with Progress("Bytes") as progress:
            pull_missing(found.settings, _say_error, progress)
    return True


def _say_error(line: str) -> None:
    click.echo(printable(line), err=True)


def _performance(questions: str, as_json: bool) -> None:
    from pathlib import Path

    from rag.config.settings import load_settings
    from rag.diagnostics.doctor import measure_performance

    path = None if questions == OWN_QUESTIONS else Path(questions)
    with Progress("Questions") as progress:
        done = measure_performance(load_settings(), path, progress)
    print_json(done.figures) if as_json else click.echo(printable("\n".join(done.lines)))
    sys.exit(0 if done.ok else FOUND_NOTHING)


@click.command()
@click.option("--enable-cache", is_flag=True, help="Keep answers.")
@click.option("--disable-cache", is_flag=True, help="Look up and keep no answer.")
@click.option("--clear-cache", is_flag=True, help="Remove the answers kept; those pinned stay.")
@click.option("--enable-streaming", is_flag=True, help="Show answers as they are written.")
@click.option("--disable-streaming", is_flag=True, help="Show answers when they are whole.")
@click.option("--enable-embeddings", is_flag=True, help="Search by vectors and by words.")
@click.option("--disable-embeddings", is_flag=True, help="Search by words alone.")
@click.option("--setup-elasticsearch", is_flag=True, help="Create the index; safe to repeat.")
@click.option("--json", "as_json", is_flag=True, help="Print the resulting state as JSON.")
def optimize(clear_cache: bool, setup_elasticsearch: bool, as_json: bool, **flags: bool) -> None:
    """Switch parts on and off; without an option, say what is on.

    A switch is saved in HELP_DATA_DIR and survives; an environment variable or .env wins over it.
    """
    from rag.config import overruling, states_of, switch

    settings, without_effect = switch(_wanted_switches(flags))
    for name in without_effect:
        click.echo(f"{name}: saved, but {overruling(name)} wins over it.", err=True)
    if setup_elasticsearch:
        setup(settings, quiet=as_json)
    states = states_of(settings)
    cleared = _clear_answers(settings) if clear_cache else None
    if as_json:
        print_json({**states, **({} if cleared is None else {"cleared": cleared})})
        return
    for name, on in states.items():
        click.echo(f"{name}: {'on' if on else 'off'}")
    if cleared is not None:
        click.echo(f"{counted(cleared, 'answer')} removed")


def setup(settings: Settings, *, quiet: bool = False) -> None:
    """Create the index in Elasticsearch, saying what is done. Raises: ConfigError."""
    from rag.api import index_meta
    from rag.core.errors import ConfigError
    from rag.encoders import open_encoder

    if not settings.uses_elasticsearch:
        raise ConfigError(
            "ELASTICSEARCH_URL is not set. Set it in the environment or in .env, for example:"
            " ELASTICSEARCH_URL=http://127.0.0.1:9200"
        )
    from rag.stores.elasticsearch import setup as create

    for line in create(settings, index_meta(open_encoder(settings))):
        click.echo(line, err=quiet)


def _wanted_switches(flags: dict[str, bool]) -> dict[str, bool]:
    """Return what is to be on and off. Raises: UsageError for both at once."""
    wanted: dict[str, bool] = {}
    for name in SWITCHES:
        on, off = flags[f"enable_{name}"], flags[f"disable_{name}"]
        if on and off:
            raise click.UsageError(f"--enable-{name} and --disable-{name} contradict each other.")
        if on or off:
            wanted[name] = on
    return wanted


def _clear_answers(settings: Settings) -> int:
    from rag.stores import open_answer_store

    store = open_answer_store(settings)
    try:
        return store.clear(CLEAR_S, keep_pinned=True)
    finally:
        store.close()
