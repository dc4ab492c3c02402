"""Ask: an answer, the chunks that were found for it, and what is in force meanwhile."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from souffleur.cli.output import (
    FAILED,
    FOUND_NOTHING,
    hit_row,
    print_answer,
    print_checks,
    print_hit,
    print_json,
    printable,
)

if TYPE_CHECKING:
    from rag.assistant import Assistant
    from rag.core.answers import Answer


@click.command()
@click.argument("question")
@click.option("-k", default=5, show_default=True, type=click.IntRange(1, 20), help="Hits to read.")
@click.option("--page", help="Page that the asker is on.")
@click.option("--no-llm", is_flag=True, help="Answer with an extract, without the language model.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer as JSON.")
def ask(question: str, k: int, page: str | None, no_llm: bool, as_json: bool) -> None:
    """Answer QUESTION from the indexed pages.

    Exit code: 0 answered, 1 the pages do not answer, 2 something is wrong.
    """
    import asyncio

    from rag.api import open_assistant
    from rag.config.settings import load_settings

    settings = load_settings()
    assistant = open_assistant(settings, use_model=not no_llm)
    answer = asyncio.run(
        answered(
            assistant, question, page, k, streaming=None if as_json else settings.streaming_enabled
        )
    )
    if as_json:
        print_json(answer)
    if not answer.answered:
        sys.exit(FAILED if answer.degraded else FOUND_NOTHING)


async def answered(
    assistant: Assistant, question: str, page: str | None, k: int, *, streaming: bool | None
) -> Answer:
    """Return the answer, shown as it comes unless ``streaming`` is None; close the assistant."""
    from rag.language.detection import question_language

    try:
        if streaming is None:
            return await assistant.answer(question, page=page, k=k)
        events = assistant.stream(question, page=page, k=k)
        answer: Answer = await render(events, question_language(question), streaming=streaming)
        return answer
    finally:
        await assistant.close()


async def render(events: AsyncGenerator[Any, None], lang: str, *, streaming: bool) -> Any:
    """Show a stream's events; return its answer.

    On a terminal the extract comes first, so that something can be read while the model thinks;
    elsewhere the final text alone is printed. The stream is closed when this is cancelled.
    """
    from rag.core.answers import ChunkEvent, CompleteEvent, SourcesEvent

    screen, answer = Screen(lang), None
    async with aclosing(events):
        async for event in events:
            if isinstance(event, SourcesEvent):
                screen.show_extract(event)
            elif isinstance(event, ChunkEvent) and streaming:
                screen.show_piece(event.content)
            elif isinstance(event, CompleteEvent):
                answer = event.answer
    screen.show_answer(answer)
    return answer


class Screen:
    """Know what of one answer is shown already, so that nothing is shown twice."""

    def __init__(self, lang: str) -> None:
        self._lang = lang
        self._extract = ""
        self._streamed = False

    def show_extract(self, event: Any) -> None:
        """Show, on a terminal, what can be said before the model has written a word."""
        from rag.language.messages import message

        if sys.stdout.isatty() and event.extract:
            self._extract = event.extract
            click.secho(message("extract", self._lang), dim=True, italic=True)
            click.secho(printable(event.extract), dim=True)
        elif sys.stderr.isatty():
            click.secho(f"{len(event.retrieved)} passages…", err=True, dim=True)

    def show_piece(self, text: str) -> None:
        """Show a piece of the model's text."""
        if self._extract and not self._streamed:
            click.echo("")
        self._streamed = True
        click.echo(printable(text), nl=False)

    def show_answer(self, answer: Any) -> None:
        """Show what is left to say: the text where it is not there yet, the sources."""
        if self._streamed:
            click.echo("")
        replaces = answer.reason is not None or not answer.answered
        seen = answer.text == self._extract or (self._streamed and not replaces)
        if self._extract and not seen:
            click.echo("")
        print_answer(answer, self._lang, seen=seen)


@click.command()
@click.argument("question")
@click.option("-k", default=5, show_default=True, type=click.IntRange(1, 50), help="Hits to show.")
@click.option("--page", help="Page that the asker is on.")
@click.option("--json", "as_json", is_flag=True, help="Print the hits as JSON.")
def search(question: str, k: int, page: str | None, as_json: bool) -> None:
    """Show the chunks found for QUESTION, with their scores."""
    from rag.api import open_retriever
    from rag.config.settings import load_settings
    from rag.question import read_question
    from rag.stores import open_store

    settings = load_settings()
    retriever = open_retriever(settings, open_store(settings))
    asked = read_question(question)
    hits = retriever.retrieve(asked, k, page=page, timeout_s=settings.timeout_s).hits
    if as_json:
        print_json({"hits": [hit_row(hit) for hit in hits]})
    for hit in () if as_json else hits:
        print_hit(hit)
    if not hits:
        click.echo("Nothing found.", err=as_json)
        sys.exit(FOUND_NOTHING)


@click.command()
@click.option("--all", "everything", is_flag=True, help="Show settings at their default too.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def status(everything: bool, as_json: bool) -> None:
    """Show switches, settings with where each comes from, index, cache and services at a glance.

    Nothing is tried out: `doctor` does that. Exit code: 0, or 2 when a setting cannot be read.
    """
    from rag.config.settings import load_settings
    from rag.diagnostics.doctor import overview

    found = overview(load_settings())
    if as_json:
        print_json(found.figures())
        return
    print_checks(found.found)
    click.echo(printable("\n".join(["", *found.lines(everything=everything)])))
