"""Hold a conversation in the terminal."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rag.assistant import Assistant


@click.command()
@click.option("-k", default=5, show_default=True, type=click.IntRange(1, 20), help="Hits to read.")
@click.option("--page", help="Page that the asker is on.")
@click.option("--no-llm", is_flag=True, help="Answer with extracts, without the language model.")
@click.pass_context
def chat(ctx: click.Context, k: int, page: str | None, no_llm: bool) -> None:
    """Answer one question after another; a follow-up may leave out what was said before.

    Ctrl-C stops an answer; Ctrl-D, or Ctrl-C where nothing is typed, leaves. When standard input
    is not a terminal, each of its lines is a question.
    """
    from functools import partial

    from commands.talk import Loop, Talk
    from rag.api import open_assistant
    from rag.config.settings import load_settings

    settings = load_settings()
    assistant = open_assistant(settings, use_model=not no_llm)
    with Loop() as loop:
        ask = partial(assistant.stream, k=k, page=page)
        talk = Talk(loop, ask, streaming=settings.streaming_enabled)
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            talk.answer_lines()
        else:
            if not ctx.find_root().params.get("debug"):
                # a warning in the middle of a typed line; the answer says the reason itself
                logging.getLogger("rag").setLevel(logging.ERROR)
            loop.start(_warm(assistant))
            talk.answer_typed()
        loop.result(assistant.close())


async def _warm(assistant: Assistant) -> None:
    """Load the model while the first question is typed."""
    with suppress(Exception):  # the first answer says what is wrong with the model
        await assistant.warm()
