"""Look after the answers that are kept: list, pin, remove, explain, write ahead."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import click

from rag.core.invocation import command, index_command
from souffleur.cli.output import FOUND_NOTHING, Progress, counted, print_json, printable

if TYPE_CHECKING:
    from rag.cache.maintenance import OnProgress, Warmed, Warmer
    from rag.config.settings import Settings
    from rag.core.protocols import AnswerStore, Lexicon
    from rag.core.records import CachedAnswer
    from rag.question import Question

INTERRUPTED = 130  # as shells name a program that Ctrl-C ended
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


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
    from rag.cache.maintenance import TIMEOUT_S, figures

    with _opened_answers() as store:
        found = figures(store.stats(TIMEOUT_S))
    print_json(found) if as_json else _print_stats(found)


@cache.command(name="list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="At most.")
@JSON
def list_(limit: int, as_json: bool) -> None:
    """Show the answers kept, the last used first."""
    from itertools import islice

    from rag.cache.maintenance import every_entry

    with _opened_answers() as store:
        rows = [_entry_row(entry) for entry in islice(every_entry(store), limit)]
    if as_json:
        print_json({"answers": rows})
    elif rows:
        _print_entries(rows)
    else:
        click.echo("No answer is kept.")


@cache.command()
@click.option("--page", help="Only the answers that came from this page.")
@click.option("--expired", is_flag=True, help="Only the answers that are too old to be served.")
@click.option("--pinned", is_flag=True, help="Remove pinned answers too.")
@JSON
def clear(page: str | None, expired: bool, pinned: bool, as_json: bool) -> None:
    """Remove the answers kept; those pinned stay."""
    from rag.cache.maintenance import CLEAR_S
    from rag.cache.maintenance import clear as remove

    if expired and (page is not None or pinned):
        raise click.UsageError("--expired goes alone: a pinned answer does not expire.")
    with _opened_answers() as store:
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
    entry = _pin(question, text.strip(), pages)
    if as_json:
        print_json(_entry_row(entry))
    else:
        click.echo(f"pinned {entry.key[:5]}: {printable(question)}")


@cache.command()
@click.argument("which")
@JSON
def unpin(which: str, as_json: bool) -> None:
    """Remove the pinned answer of a question or a key."""
    from rag.cache.maintenance import drop, entries_named
    from rag.core.errors import HelpError

    with _opened_answers() as store:
        found = [entry for entry in entries_named(store, which) if entry.pinned]
        if not found:
            raise HelpError(f"The answer of {which!r} is not pinned. See: {command('cache list')}")
        gone = drop(store, found)
    _say_removed(gone, as_json)


@cache.command()
@click.argument("which")
@JSON
def report_false_hit(which: str, as_json: bool) -> None:
    """Remove an answer served wrongly; count that.

    WHICH is the question that it was written for, or the first digits of its key.
    """
    from rag.cache.maintenance import entries_named
    from rag.cache.maintenance import report_false_hit as report

    with _opened_answers() as store:
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
    from rag.question import read_question

    encoder = bundled_encoder()
    asked, compared = read_question(question), read_question(other)
    hit, score, guard = explained(asked, compared, encoder)
    if as_json:
        print_json({"hit": hit, "score": round(score, 4), "guard": guard})
    else:
        _print_explained(asked, compared, score, guard, encoder)
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
        done, stopped = _warm(limit, most_asked, timeout, progress)
    print_json(done) if as_json else _print_warmed(done)
    if stopped:
        sys.exit(INTERRUPTED)


def _say_removed(gone: int, as_json: bool) -> None:
    print_json({"removed": gone}) if as_json else click.echo(f"{counted(gone, 'answer')} removed")


@contextmanager
def _opened_answers() -> Iterator[AnswerStore]:
    """Lend the kept answers of the settings in force."""
    from rag.config.settings import load_settings
    from rag.stores import open_answer_store

    store = open_answer_store(load_settings())
    try:
        yield store
    finally:
        store.close()


def _entry_row(entry: CachedAnswer) -> dict[str, Any]:
    """Return an entry as `cache list --json` prints it; ``expires_in_s`` is None when pinned."""
    now = time.time()
    return {
        "key": entry.key,
        "question": entry.question,
        "text": entry.answer.get("text", ""),
        "age_s": round(now - entry.created_at, 1),
        "expires_in_s": None if entry.pinned else round(entry.expires_at - now, 1),
        "hits": entry.hits,
        "pages": list(entry.pages),
        "pinned": entry.pinned,
    }


def _print_entries(rows: Sequence[dict[str, Any]]) -> None:
    """Print two lines an entry: its question, then its age, use and pages."""
    for one in rows:
        click.echo(f"{one['key'][:5]}  {printable(' '.join(one['question'].split()))}")
        pages = printable(", ".join(one["pages"]))
        state = _until(one["expires_in_s"])
        click.echo(
            f"       {state}, {_duration(one['age_s'])} old, {counted(one['hits'], 'hit')}; {pages}"
        )


def _print_stats(found: dict[str, Any]) -> None:
    """Print what is kept, how it was used, and what came of it."""
    now = time.time()
    answers = counted(found["entries"], "answer")
    click.echo(f"{answers}, {found['pinned']} pinned, {_size(found['bytes'])}")
    if found["entries"]:
        oldest, newest = (_duration(now - found[name]) for name in ("oldest", "newest"))
        click.echo(f"oldest {oldest} old, newest {newest} old")
    hits = f"{found['exact']} identical, {found['semantic']} similar, {found['waited']} waited for"
    rate = "" if found["hit_rate"] is None else f" ({found['hit_rate']:.0%} hits)"
    click.echo(f"questions: {hits}, {found['missed']} written{rate}")
    click.echo(f"saved {_duration(found['saved_s'])}, {found['warmed']} warmed,", nl=False)
    click.echo(f" {counted(found['false_hits'], 'false hit')} reported")


def _pin(question: str, text: str, names: Sequence[str]) -> CachedAnswer:
    """Pin an answer. Raises: HelpError for a page that is not indexed; SearchUnavailable."""
    from rag.api import open_cache
    from rag.cache import Request
    from rag.cache.maintenance import TIMEOUT_S, pinned_answer
    from rag.config.settings import load_settings
    from rag.core.errors import HelpError
    from rag.question import read_question
    from rag.stores import open_store

    settings = load_settings()
    store = open_store(settings)
    try:
        pages = store.pages(list(dict.fromkeys(names)), TIMEOUT_S)
    finally:
        store.close()
    missing = [name for name in names if name not in pages]
    if missing:
        raise HelpError(
            f"Not an indexed page: {', '.join(missing)}. `{command('search …')}` names pages."
        )
    records = {name: pages[name] for name in names}
    answer = pinned_answer(text, list(records.values()))
    request = Request(read_question(question))
    entry = open_cache(settings).pin(request, answer, records, TIMEOUT_S)
    if entry is None:
        raise HelpError("The answer could not be kept: the index cannot be written now.")
    if not settings.cache_enabled:
        click.echo(_cache_off(), err=True)
    return entry


def _print_explained(
    question: Question, other: Question, score: float, guard: str | None, lexicon: Lexicon
) -> None:
    """Print whether the answer would be served, the cosine, and what kept it back."""
    from rag.cache.match import THRESHOLD
    from rag.cache.sides import sides

    if guard is None:
        click.echo(f"hit: the answer would be served (cosine {score:.2f})")
        return
    if guard == "cosine":
        click.echo(f"no hit: the cosine is {score:.2f}, below {THRESHOLD:.2f}")
        return
    click.echo(f"no hit: the guard {guard} says no (cosine {score:.2f})")
    both = (question, other)
    found = sides(guard, *(one.signature(lexicon) for one in both))
    for one, side in zip(both, found, strict=True):
        click.echo(f"  {printable(one.raw)}\n    {guard}: {printable(side)}")


def _warm(
    limit: int | None, most_asked: bool, timeout_s: float | None, on_progress: OnProgress
) -> tuple[Warmed, bool]:
    """Warm the cache. Returns what was done, and whether Ctrl-C ended it. Raises: HelpError."""
    import asyncio

    from rag.api import open_cache
    from rag.cache.maintenance import Warmer, questions_to_warm
    from rag.config.settings import load_settings
    from rag.core.errors import IndexMissing
    from rag.stores import open_store

    settings = load_settings()
    if timeout_s is not None:
        settings = settings.model_copy(update={"timeout_s": timeout_s})
    _check_warmable(settings)
    store = open_store(settings)
    records = store.records()
    if not records:
        raise IndexMissing(f"Nothing is indexed. Index your pages: {index_command()}")
    with _opened_answers() as answers:
        questions = questions_to_warm(records, answers, most_asked=most_asked)
        store.close()
        warmer = Warmer(open_cache(settings), answers)
        try:
            asyncio.run(_warmed(settings, warmer, questions, limit, on_progress))
        except KeyboardInterrupt:
            return warmer.done, True
    return warmer.done, False


async def _warmed(
    settings: Settings,
    warmer: Warmer,
    questions: list[str],
    limit: int | None,
    on_progress: OnProgress,
) -> None:
    from rag.api import open_assistant
    from rag.core.errors import HelpError

    assistant = open_assistant(settings, warming=True)
    try:
        if not await assistant.warm():
            raise HelpError(
                f"The model {settings.model} does not answer. With Ollama: ollama serve, then"
                f" ollama pull {settings.model}"
            )
        await warmer.warm(assistant.answer, questions, limit, on_progress)
    finally:
        await assistant.close()


def _check_warmable(settings: Settings) -> None:
    """Raise ConfigError when no answer would be written or kept."""
    from rag.core.errors import ConfigError

    if not settings.cache_enabled:
        raise ConfigError(_cache_off())
    if settings.cache_ttl_s == 0:
        raise ConfigError("HELP_CACHE_TTL is 0: no answer is kept. Set it in seconds.")
    if settings.degraded_mode:
        raise ConfigError("HELP_DEGRADED_MODE is on: no model writes answers. Switch it off.")


def _cache_off() -> str:
    enable = command("optimize --enable-cache")
    return f"The answer cache is off: nothing is looked up. Run: {enable}"


def _print_warmed(done: Warmed) -> None:
    """Print how many answers are at hand, and why the others are not."""
    click.echo(
        f"{counted(done.questions, 'question')}: {done.skipped} kept already,"
        f" {done.answered} answered, {done.kept} of them kept"
    )
    for reason, count in done.not_kept.most_common():
        click.echo(f"  {count} not kept: {printable(reason)}")


def _duration(seconds: float) -> str:
    """Return seconds in the largest unit that fits: 42 s, 3 min, 2 h, 5 d."""
    for size, unit in UNITS:
        if abs(seconds) >= size:
            return f"{seconds / size:.0f} {unit}"
    return "0 s"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"


def _until(expires_in_s: float | None) -> str:
    if expires_in_s is None:
        return "pinned"
    if expires_in_s <= 0:
        return "expired"
    return f"expires in {_duration(expires_in_s)}"
