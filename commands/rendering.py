"""The events of an answer, shown as they come."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import click

from commands.output import print_answer, printable


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
        from rag.messages import message

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
