"""The office computer's server: what it charges for, what it says, when it notices."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from bench.office_server import OfficeServer
from rag.core.answers import Usage
from rag.core.deadline import Deadline
from rag.generators.ollama import OllamaGenerator
from rag.prompt import Draft, Prompt, build_prompt
from rag.question import read_question
from tests.office import FAST, serving
from tests.scripted import wait_until

QUESTION = "Comment créer un client ?"


@pytest.fixture
def prompt(retriever) -> Prompt:
    found = retriever.retrieve(read_question(QUESTION))
    return build_prompt(Draft(found.question, found.hits))


async def said(url: str, prompt: Prompt) -> tuple[str, Usage]:
    generator = OllamaGenerator("phi3:mini", url, "60m")
    async with aclosing(generator.stream(prompt, Deadline(10))) as items:
        *pieces, usage = [item async for item in items]
    return "".join(pieces), usage


def test_the_office_server_copies_passages_until_it_has_said_enough(prompt):
    with serving(FAST) as (url, _):
        text, usage = asyncio.run(said(url, prompt))
        cut, short = asyncio.run(said(url, replace(prompt, answer_tokens=5)))
    assert usage.ended == "stop"
    assert 40 <= usage.output_tokens <= 120
    sentence = text.partition(" [1].")[0]
    assert len(sentence) > 20
    assert sentence in prompt.user
    assert (short.ended, short.output_tokens) == ("length", 5)
    assert text.startswith(cut)


def test_the_office_server_charges_for_what_follows_the_common_prefix(prompt):
    async def ask(url: str) -> list[Usage]:
        other = replace(prompt, user=prompt.user[:-40] + "Question : autre chose ?")
        return [(await said(url, one))[1] for one in (prompt, prompt, other)]

    with serving(replace(FAST, prompt_speed=1000.0)) as (url, _):
        first, again, other = asyncio.run(ask(url))
    assert first.prompt_tokens == again.prompt_tokens
    assert first.prompt_s == pytest.approx(first.prompt_tokens / 1000)
    assert again.prompt_s == pytest.approx(0.001)
    assert again.prompt_s < other.prompt_s < first.prompt_s / 2


def test_the_office_server_reads_on_for_a_client_that_left(prompt):
    async def leave(url: str, server: OfficeServer) -> None:
        task = asyncio.create_task(said(url, prompt))
        while not server.busy:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0.2)
        assert server.busy

    with serving(replace(FAST, prompt_speed=500.0, output_speed=20.0)) as (url, server):
        asyncio.run(leave(url, server))
        assert wait_until(lambda: not server.busy, 3)
