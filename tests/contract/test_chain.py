"""Models asked in turn: who writes, when the next one is asked, and that the time is shared."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from contextlib import ExitStack

import pytest

from rag.core.answers import Usage
from rag.core.deadline import Deadline
from rag.core.errors import DeadlineExceeded, ModelUnavailable
from rag.generators import Generator
from rag.prompt import Draft
from rag.question import read_question
from rag.writing.chain import Chain
from rag.writing.speed import SpeedBook
from rag.writing.writer import Sent, Writer
from tests.contract.chat_servers import (
    ANTHROPIC,
    GRACE_S,
    OLLAMA,
    OPENAI,
    SILENT_S,
    ChatServer,
    refusal,
)
from tests.scripted import unused_url

WHOLE = [OLLAMA.head, OLLAMA.piece("Oui."), OLLAMA.end()]


DRAFT = Draft(read_question("Comment créer un client ?"), ())


def chain_of(*generators: Generator) -> Chain:
    speeds = SpeedBook()
    return Chain([Writer(one, speeds, timeout_s=60.0) for one in generators])


async def items_of(chain: Chain, seconds: float) -> list[Sent | str | Usage]:
    try:
        return [item async for item in chain.stream(DRAFT, Deadline(seconds))]
    finally:
        await chain.close()


def written(chain: Chain, seconds: float = 5.0) -> list[Sent | str | Usage]:
    """What a chain sends, its pieces, its usage."""
    return asyncio.run(items_of(chain, seconds))


@pytest.fixture
def serve():
    with ExitStack() as stack:
        yield lambda script: stack.enter_context(ChatServer(script))


@pytest.mark.parametrize(
    "script",
    [
        [refusal(404, "model not found")],
        [refusal(500)],
        [refusal(429)],
        [OPENAI.head],
        [OPENAI.head, OPENAI.error],
        [OPENAI.head, OPENAI.garbage],
    ],
    ids=["missing", "failing", "too many", "broken off", "error", "garbage"],
)
def test_the_next_model_writes_when_the_first_one_fails(serve, caplog, script) -> None:
    chain = chain_of(OPENAI.open(serve(script).url), OLLAMA.open(serve(WHOLE).url))
    with caplog.at_level(logging.WARNING):
        sent, *pieces, usage = written(chain)
    assert sent.model == "m"
    assert pieces == ["Oui."]
    assert usage.output_tokens == 7
    (message,) = caplog.messages
    assert "openai:m" in message or "no model m" in message
    assert "Now asked: m." in message


def test_a_model_that_cannot_be_reached_costs_next_to_nothing(serve) -> None:
    chain = chain_of(
        ANTHROPIC.open(unused_url()), OPENAI.open(unused_url()), OLLAMA.open(serve(WHOLE).url)
    )
    start = time.monotonic()
    assert written(chain)[1] == "Oui."
    assert time.monotonic() - start < 1.0


def test_the_first_model_writes_alone_when_it_can(serve, caplog) -> None:
    other = serve(WHOLE)
    chain = chain_of(OLLAMA.open(serve(WHOLE).url), OPENAI.open(other.url))
    assert written(chain)[1] == "Oui."
    assert (other.requests, caplog.messages) == ([], [])


@pytest.mark.parametrize("script", [[SILENT_S], [OPENAI.head, SILENT_S]], ids=["at once", "later"])
def test_a_silent_model_is_left_for_the_next_with_half_of_the_time(serve, script) -> None:
    silent = serve(script)
    chain = chain_of(OPENAI.open(silent.url), OLLAMA.open(serve(WHOLE).url))
    start = time.monotonic()
    assert written(chain, 2.0)[1] == "Oui."
    assert 1.0 <= time.monotonic() - start <= 1.6
    assert silent.hung_up.wait(0.5)


def test_all_models_share_the_one_time(serve) -> None:
    chain = chain_of(*(one.open(serve([SILENT_S]).url) for one in (OPENAI, ANTHROPIC, OLLAMA)))
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        written(chain, 0.8)
    assert 0.8 <= time.monotonic() - start <= 0.8 + GRACE_S


def test_a_model_that_has_begun_may_take_all_of_the_time(serve) -> None:
    slow = [OPENAI.head, OPENAI.piece("Oui, "), 0.8, OPENAI.piece("non."), OPENAI.end()]
    other = serve(WHOLE)
    chain = chain_of(OPENAI.open(serve(slow).url), OLLAMA.open(other.url))
    assert written(chain, 1.4)[1:-1] == ["Oui, ", "non."]
    assert other.requests == []


@pytest.mark.parametrize("tail", [[], [OPENAI.error]], ids=["broken off", "error"])
def test_no_other_model_writes_on_after_a_piece(serve, tail) -> None:
    other = serve(WHOLE)
    broken = [OPENAI.head, OPENAI.piece("Oui, "), *tail]
    chain = chain_of(OPENAI.open(serve(broken).url), OLLAMA.open(other.url))
    pieces: list[Sent | str | Usage] = []

    async def collect() -> None:
        async for part in chain.stream(DRAFT, Deadline(5)):
            pieces.append(part)  # noqa: PERF401 - what came before the error

    with pytest.raises(ModelUnavailable) as broke:
        asyncio.run(collect())
    assert broke.value.reason == "failed"
    assert (pieces[1:], other.requests) == (["Oui, "], [])
    assert pieces[0].model == "openai:m"


@pytest.mark.parametrize("status", [404, 500])
def test_what_is_asked_next_is_told_in_a_sentence_of_its_own(serve, caplog, status) -> None:
    without = serve([refusal(status, "model not found")])
    chain = chain_of(OLLAMA.open(without.url), OLLAMA.open(serve(WHOLE).url))
    with caplog.at_level(logging.WARNING):
        assert written(chain)[1] == "Oui."
    assert re.search(r"\w[.`]\.? Now asked: m\.$", caplog.messages[0])


def test_when_all_fail_the_last_failure_is_told(serve) -> None:
    without = serve([refusal(404, "model not found")])
    chain = chain_of(OPENAI.open(unused_url()), OLLAMA.open(without.url))
    with pytest.raises(ModelUnavailable) as missing:
        written(chain)
    assert missing.value.reason == "missing"


def test_a_reader_who_leaves_a_chain_hangs_up(serve) -> None:
    server = serve([OPENAI.head, OPENAI.piece("Oui"), SILENT_S])
    chain = chain_of(
        ANTHROPIC.open(unused_url()), OPENAI.open(server.url), OLLAMA.open(unused_url())
    )

    async def leave() -> set[asyncio.Task]:
        stream = chain.stream(DRAFT, Deadline(10))
        assert isinstance(await anext(stream), Sent)
        assert await anext(stream) == "Oui"
        await stream.aclose()
        assert await asyncio.to_thread(server.hung_up.wait, 0.5)
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(leave()) == set()
