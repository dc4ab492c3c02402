"""Ollama, real: what is written, what stops it, and how long that takes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime

import pytest

from rag.config.settings import Settings
from rag.core.answers import Usage
from rag.core.deadline import Deadline
from rag.core.errors import DeadlineExceeded, ModelUnavailable
from rag.generators import open_generators
from rag.generators.ollama import OllamaGenerator
from rag.prompt import Prompt
from tests.scripted import END, HEAD, ScriptedServer, line, unused_url, wait_until
from tests.services import request

PROMPT = Prompt("Répondez.", "Comment créer un client ?", ())
LONG_PROMPT = Prompt("Répondez.", "Comment créer un client ?", (), answer_tokens=100_000)
LIMIT_S = 30.0


@pytest.fixture
def generator(ollama_url: str) -> Callable[[str], OllamaGenerator]:
    def open_model(model: str, keep_alive: str = "5m") -> OllamaGenerator:
        (opened,) = open_generators(
            Settings(model=model, ollama_url=ollama_url, keep_alive=keep_alive, _env_file=None)
        )
        return opened

    return open_model


def written(
    generator: OllamaGenerator, seconds: float = LIMIT_S, prompt: Prompt = PROMPT
) -> list[str | Usage]:
    async def collect() -> list[str | Usage]:
        return [piece async for piece in generator.stream(prompt, Deadline(seconds))]

    return asyncio.run(collect())


async def first_pieces(stream: AsyncGenerator[str, None], count: int) -> None:
    for _ in range(count):
        await anext(stream)


def test_an_answer_comes_in_pieces(generator: Callable, chat_model: str) -> None:
    *pieces, usage = written(generator(chat_model))
    assert len(pieces) > 1
    assert "".join(pieces).strip()
    assert usage.ended == "stop"
    assert usage.output_tokens >= len(pieces)
    assert usage.prompt_tokens > 5
    assert usage.output_s > 0
    assert generator(chat_model).name == chat_model


def test_the_same_prompt_gives_the_same_answer(generator: Callable, chat_model: str) -> None:
    first, second = written(generator(chat_model)), written(generator(chat_model))
    assert first[:-1] == second[:-1]


def test_a_missing_model_is_told_from_a_missing_server(generator: Callable) -> None:
    with pytest.raises(ModelUnavailable, match="ollama pull absent") as missing:
        written(generator("absent"))
    assert missing.value.reason == "missing"
    with pytest.raises(ModelUnavailable, match="OLLAMA_URL") as refused:
        written(OllamaGenerator("phi3:mini", unused_url(), "5m"))
    assert refused.value.reason == "refused"


def test_the_deadline_ends_an_endless_answer(generator: Callable, slow_model: str) -> None:
    written_so_far: list[str] = []

    async def collect() -> float:
        start = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            async for piece in generator(slow_model).stream(LONG_PROMPT, Deadline(1.0)):
                written_so_far.append(piece)  # noqa: PERF401 - what came before the error
        return time.monotonic() - start

    assert asyncio.run(collect()) <= 1.2
    assert written_so_far


def test_no_time_left_asks_for_nothing() -> None:
    with ScriptedServer([HEAD, line("Oui."), line(done=True), END]) as server:
        with pytest.raises(DeadlineExceeded):
            written(OllamaGenerator("m", server.url, "5m"), seconds=0.0)
        assert server.requests == []


def test_an_answer_that_reaches_its_length_is_not_taken_for_whole(
    generator: Callable, endless_model: str
) -> None:
    *pieces, usage = written(generator(endless_model), prompt=Prompt("a", "b", (), 20))
    assert usage.ended == "length"
    assert usage.output_tokens == 20
    assert 10 <= len(pieces) <= 20


def test_a_stream_that_breaks_off_is_not_taken_for_whole() -> None:
    with (
        ScriptedServer([HEAD, line("Oui, "), END]) as server,
        pytest.raises(ModelUnavailable) as cut,
    ):
        written(OllamaGenerator("m", server.url, "5m"))
    assert cut.value.reason == "failed"


@pytest.mark.parametrize("how", ["closed", "cancelled", "late"])
def test_a_reader_who_leaves_stops_the_model(
    how: str, generator: Callable, slow_model: str
) -> None:
    async def leave() -> float:
        if how == "late":
            with pytest.raises(DeadlineExceeded):
                stream = generator(slow_model).stream(LONG_PROMPT, Deadline(0.7))
                await first_pieces(stream, 100_000)
        else:
            stream = generator(slow_model).stream(LONG_PROMPT, Deadline(LIMIT_S))
            await first_pieces(stream, 3)
        if how == "closed":
            await stream.aclose()
        if how == "cancelled":
            task = asyncio.create_task(first_pieces(stream, 100_000))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        start = time.monotonic()
        async with aclosing(generator(slow_model).stream(PROMPT, Deadline(LIMIT_S))) as other:
            await anext(other)
            return time.monotonic() - start

    assert asyncio.run(leave()) < 1.0


def test_nothing_is_left_behind_by_a_reader_who_leaves(
    generator: Callable, endless_model: str
) -> None:
    async def leave() -> set[asyncio.Task]:
        stream = generator(endless_model).stream(LONG_PROMPT, Deadline(LIMIT_S))
        await first_pieces(stream, 3)
        await stream.aclose()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(leave()) == set()


def test_the_model_stays_in_memory_for_as_long_as_asked(
    generator: Callable, chat_model: str, ollama_url: str
) -> None:
    def minutes_left() -> float:
        (loaded,) = [
            model
            for model in request(f"{ollama_url}/api/ps")["models"]
            if model["name"] == chat_model
        ]
        expires = datetime.fromisoformat(loaded["expires_at"])
        return (expires - datetime.now(expires.tzinfo)).total_seconds() / 60

    written(generator(chat_model, keep_alive="7m"))
    assert wait_until(lambda: 6 < minutes_left() <= 7, 5)
    written(generator(chat_model, keep_alive="60m"))
    assert wait_until(lambda: 59 < minutes_left() <= 60, 5)


def test_a_wrong_keep_alive_is_explained(generator: Callable, chat_model: str) -> None:
    with pytest.raises(ModelUnavailable, match=r"keep_alive|duration"):
        written(generator(chat_model, keep_alive="forever"))


def test_what_is_sent_bounds_the_answer_and_keeps_the_context() -> None:
    with ScriptedServer([HEAD, line("Oui."), line(done=True), END]) as server:
        written(
            OllamaGenerator("m", server.url, "9m"), prompt=Prompt("règles", "question", (), 7, 99)
        )
        sent = json.loads(server.requests[0])
    assert sent["options"]["num_predict"] == 7
    assert sent["options"]["num_ctx"] == 99
    assert sent["keep_alive"] == "9m"
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert [message["content"] for message in sent["messages"]] == ["règles", "question"]


@pytest.mark.parametrize("url", ["http://", "http://[", "localhost:http", "ftp://localhost"])
def test_an_address_that_is_none_is_explained(url: str) -> None:
    with pytest.raises(ModelUnavailable, match=r"phi3|OLLAMA_URL"):
        written(OllamaGenerator("phi3:mini", url, "5m"), seconds=3.0)
