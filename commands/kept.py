"""What `cache` shows of kept answers, and what it opens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from commands.output import counted, printable

if TYPE_CHECKING:
    from rag.cache.warm import OnProgress, Warmed, Warmer
    from rag.config.settings import Settings
    from rag.core.protocols import AnswerStore
    from rag.core.records import CachedAnswer

UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
OFF = "The answer cache is off: nothing is looked up. Run: python cli.py optimize --enable-cache"


@contextmanager
def opened() -> Iterator[AnswerStore]:
    """Lend the kept answers of the settings in force."""
    from rag.config.settings import load_settings
    from rag.stores import open_answer_store

    store = open_answer_store(load_settings())
    try:
        yield store
    finally:
        store.close()


def row(entry: CachedAnswer) -> dict[str, Any]:
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


def print_rows(rows: Sequence[dict[str, Any]]) -> None:
    """Print two lines an entry: its question, then its age, use and pages."""
    for one in rows:
        click.echo(f"{one['key'][:5]}  {printable(' '.join(one['question'].split()))}")
        pages = printable(", ".join(one["pages"]))
        state = _until(one["expires_in_s"])
        click.echo(
            f"       {state}, {duration(one['age_s'])} old, {counted(one['hits'], 'hit')}; {pages}"
        )


def print_stats(found: dict[str, Any]) -> None:
    """Print what is kept, how it was used, and what came of it."""
    now = time.time()
    answers = counted(found["entries"], "answer")
    click.echo(f"{answers}, {found['pinned']} pinned, {_size(found['bytes'])}")
    if found["entries"]:
        oldest, newest = (duration(now - found[name]) for name in ("oldest", "newest"))
        click.echo(f"oldest {oldest} old, newest {newest} old")
    hits = f"{found['exact']} identical, {found['semantic']} similar, {found['waited']} waited for"
    rate = "" if found["hit_rate"] is None else f" ({found['hit_rate']:.0%} hits)"
    click.echo(f"questions: {hits}, {found['missed']} written{rate}")
    click.echo(f"saved {duration(found['saved_s'])}, {found['warmed']} warmed,", nl=False)
    click.echo(f" {counted(found['false_hits'], 'false hit')} reported")


def pin(question: str, text: str, names: Sequence[str]) -> CachedAnswer:
    """Pin an answer. Raises: HelpError for a page that is not indexed; SearchUnavailable."""
    from rag.analysis import question_language
    from rag.api import open_cache
    from rag.cache.answers import Request
    from rag.cache.keeping import TIMEOUT_S, pinned_answer
    from rag.config.settings import load_settings
    from rag.core.errors import HelpError
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
            f"Not an indexed page: {', '.join(missing)}. `python cli.py search …` names pages."
        )
    records = {name: pages[name] for name in names}
    answer = pinned_answer(text, list(records.values()))
    request = Request(question, question_language(question))
    entry = open_cache(settings).pin(request, answer, records, TIMEOUT_S)
    if entry is None:
        raise HelpError("The answer could not be kept: the index cannot be written now.")
    if not settings.cache_enabled:
        click.echo(OFF, err=True)
    return entry


def print_explained(
    question: str, other: str, score: float, guard: str | None, knows: Callable[[str], bool]
) -> None:
    """Print whether the answer would be served, the cosine, and what kept it back."""
    from rag.cache.asked import asked
    from rag.cache.match import THRESHOLD
    from rag.cache.sides import sides

    if guard is None:
        click.echo(f"hit: the answer would be served (cosine {score:.2f})")
        return
    if guard == "cosine":
        click.echo(f"no hit: the cosine is {score:.2f}, below {THRESHOLD:.2f}")
        return
    click.echo(f"no hit: the guard {guard} says no (cosine {score:.2f})")
    texts = (question, other)
    left, right = sides(guard, *(asked(text, knows=knows) for text in texts))
    for text, side in zip(texts, (left, right), strict=True):
        click.echo(f"  {printable(text)}\n    {guard}: {printable(side)}")


def warm(
    limit: int | None, most_asked: bool, timeout_s: float | None, on_progress: OnProgress
) -> tuple[Warmed, bool]:
    """Warm the cache. Returns what was done, and whether Ctrl-C ended it. Raises: HelpError."""
    from rag.api import open_cache
    from rag.cache.warm import Warmer, questions_to_warm
    from rag.config.settings import load_settings
    from rag.core.errors import IndexMissing
    from rag.stores import open_store

    settings = load_settings()
    if timeout_s is not None:
        settings = settings.model_copy(update={"timeout_s": timeout_s})
    check_warmable(settings)
    store = open_store(settings)
    records = store.records()
    if not records:
        raise IndexMissing("Nothing is indexed. Index your pages: python cli.py index corpus/")
    with opened() as answers:
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


def check_warmable(settings: Settings) -> None:
    """Raise ConfigError when no answer would be written or kept."""
    from rag.core.errors import ConfigError

    if not settings.cache_enabled:
        raise ConfigError(OFF)
    if settings.cache_ttl_s == 0:
        raise ConfigError("HELP_CACHE_TTL is 0: no answer is kept. Set it in seconds.")
    if settings.degraded_mode:
        raise ConfigError("HELP_DEGRADED_MODE is on: no model writes answers. Switch it off.")


def print_warmed(done: Warmed) -> None:
    """Print how many answers are at hand, and why the others are not."""
    click.echo(
        f"{counted(done.questions, 'question')}: {done.skipped} kept already,"
        f" {done.answered} answered, {done.kept} of them kept"
    )
    for reason, count in done.not_kept.most_common():
        click.echo(f"  {count} not kept: {printable(reason)}")


def duration(seconds: float) -> str:
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
    return f"expires in {duration(expires_in_s)}"
