"""Answer a question."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from commands.output import FAILED, FOUND_NOTHING, print_json
from commands.rendering import render

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
        _answered(assistant, question, page, k, None if as_json else settings.streaming_enabled)
    )
    if as_json:
        print_json(answer)
    if not answer.answered:
        sys.exit(FAILED if answer.degraded else FOUND_NOTHING)


async def _answered(
    assistant: Assistant, question: str, page: str | None, k: int, streaming: bool | None
) -> Answer:
    """Return the answer, shown as it comes unless ``streaming`` is None."""
    from rag.analysis import question_language

    try:
        if streaming is None:
            return await assistant.answer(question, page=page, k=k)
        events = assistant.stream(question, page=page, k=k)
        answer: Answer = await render(events, question_language(question), streaming=streaming)
        return answer
    finally:
        await assistant.close()
