"""Every generator, over its real protocol: what it yields, how it fails, what it leaves behind."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing

import pytest

from rag.core.answers import Usage
from rag.core.deadline import Deadline
from rag.core.errors import DeadlineExceeded, ModelUnavailable
from rag.generators import Generator
from rag.generators.ollama import OllamaGenerator
from rag.generators.sdk import OpenAIGenerator
from rag.prompt import Prompt
from tests.contract.chat_servers import (
    ANTHROPIC,
    BACKENDS,
    GRACE_S,
    KEY,
    OPENAI,
    PROMPT,
    SILENT_S,
    Backend,
    ChatServer,
    deaf_url,
    refusal,
    written,
)
from tests.scripted import unused_url

LIMIT_S = 30.0
CURE = re.compile(r"\b(?:Correct|See|Ask|Fetch) \S+")
TIME_S = {"between slow pieces": 1.2}
SILENCES: dict[str, Callable[[Backend], list]] = {
    "before its answer": lambda _: [SILENT_S],
    "before its first piece": lambda one: [one.head, SILENT_S],
    "in mid-stream": lambda one: [one.head, one.piece("Oui"), SILENT_S],
    "between slow pieces": lambda one: [one.head, *[one.piece("Oui"), 0.9] * 9],
    "between slow bytes": lambda one: [step for byte in one.head for step in (bytes([byte]), 0.2)],
}


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    return request.param


@pytest.fixture(params=["ollama", "openai protocol of ollama"])
def real(request: pytest.FixtureRequest, ollama_url: str) -> Callable[[str], Generator]:
    if request.param == "ollama":
        return lambda model: OllamaGenerator(model, ollama_url, "5m")
    return lambda model: OpenAIGenerator(model, f"{ollama_url}/v1", None)


def failure(generator: Generator) -> ModelUnavailable:
    with pytest.raises(ModelUnavailable) as caught:
        written(generator)
    return caught.value


def seconds_late(generator: Generator, seconds: float, prompt: Prompt = PROMPT) -> float:
    """Return by how much the time was exceeded when a stream said that it is up."""
    start = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        written(generator, seconds, prompt)
    return time.monotonic() - start - seconds


def sockets() -> set[str]:
    links = set()
    for descriptor in os.listdir("/proc/self/fd"):  # noqa: PTH208
        try:
            links.add(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115
        except OSError:
            continue
    return {link for link in links if link.startswith("socket:")}


@pytest.fixture
def whole(backend: Backend) -> Iterator[ChatServer]:
    script = [backend.head, backend.piece("Oui, "), 0.1, backend.piece("non."), backend.end()]
    with ChatServer(script) as server:
        yield server


def test_pieces_come_as_written_and_their_cost_comes_last(
    backend: Backend, whole: ChatServer
) -> None:
    *pieces, usage = written(backend.open(whole.url))
    assert pieces == ["Oui, ", "non."]
    assert isinstance(usage, Usage)
    assert (usage.prompt_tokens, usage.output_tokens, usage.ended) == (311, 7, "stop")


def test_a_real_model_writes_and_says_what_it_cost(real: Callable, chat_model: str) -> None:
    *pieces, usage = written(real(chat_model), prompt=Prompt("Répondez.", "Qui ?", (), 200))
    assert len(pieces) > 1
    assert all(isinstance(piece, str) and piece for piece in pieces)
    assert usage.ended == "stop"
    assert usage.prompt_tokens > 0
    assert usage.output_tokens >= len(pieces)


def test_an_answer_stopped_at_its_length_says_so(backend: Backend) -> None:
    with ChatServer([backend.head, backend.piece("Oui"), backend.end("length")]) as server:
        assert written(backend.open(server.url))[-1].ended == "length"


def test_a_real_model_is_stopped_at_its_length(real: Callable, endless_model: str) -> None:
    *pieces, usage = written(real(endless_model))
    assert 10 <= len(pieces) <= 20
    assert (usage.ended, usage.output_tokens) == ("length", 20)


def test_what_is_sent_holds_the_prompt_its_limit_and_no_retry_follows(
    backend: Backend, whole: ChatServer
) -> None:
    written(backend.open(whole.url), prompt=Prompt("règles", "question", (), 17))
    (body,) = whole.requests
    sent = json.loads(body)
    assert backend.limit(sent) == 17
    assert sent["model"] == "m"
    assert sent["stream"] is True
    told = [sent.get("system"), *(message["content"] for message in sent["messages"])]
    assert [text for text in told if text] == ["règles", "question"]


@pytest.mark.parametrize("end", [b"", b"0\r\n\r\n"], ids=["connection cut", "stream ended"])
def test_an_answer_that_breaks_off_is_not_taken_for_whole(backend: Backend, end: bytes) -> None:
    with ChatServer([backend.head, backend.piece("Oui, "), end]) as server:
        assert failure(backend.open(server.url)).reason == "failed"


def test_an_error_in_mid_stream_is_told(backend: Backend) -> None:
    with ChatServer([backend.head, backend.piece("Oui, "), backend.error, 1]) as server:
        error = failure(backend.open(server.url))
    assert error.reason == "failed"
    assert "overloaded" in str(error)


def test_no_server_is_told_with_its_address(backend: Backend) -> None:
    url = unused_url()
    error = failure(backend.open(url))
    assert error.reason == "refused"
    assert url in str(error)
    assert f"{backend.name.upper()}_" in str(error)


def test_a_server_that_accepts_nothing_is_given_up_early(backend: Backend) -> None:
    start = time.monotonic()
    with deaf_url() as url:
        assert failure(backend.open(url)).reason == "refused"
    assert time.monotonic() - start < 4


def test_an_unknown_model_is_told_by_its_name(backend: Backend) -> None:
    with ChatServer([refusal(404, "model not found")]) as server:
        error = failure(backend.open(server.url))
    assert error.reason == "missing"
    assert "no model m" in str(error)


def test_a_real_server_misses_a_model(real: Callable) -> None:
    error = failure(real("absent"))
    assert error.reason == "missing"
    assert "absent" in str(error)


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503, 529])
def test_a_refused_request_is_told_once_with_its_cure(backend: Backend, status: int) -> None:
    with ChatServer([refusal(status, "because of the moon")]) as server:
        error = failure(backend.open(server.url))
        assert len(server.requests) == 1
    assert error.reason == "error"
    assert CURE.search(str(error))
    assert "moon" in str(error)
    if backend.key_setting and status in {401, 403}:
        assert backend.key_setting in str(error)
    assert KEY not in str(error)


def test_garbage_is_told(backend: Backend) -> None:
    for script in (
        [b"\x00\x01 garbage\r\n\r\n" * 9],
        [backend.head, b"not a chunk\r\n"],
        [backend.head, backend.garbage, 1],
    ):
        with ChatServer(script) as server:
            assert failure(backend.open(server.url)).reason == "error"


@pytest.mark.parametrize("body", [b"404 page not found", b'{"detail":"Not Found"}', b""])
def test_a_wrong_path_is_not_taken_for_a_missing_model(backend: Backend, body: bytes) -> None:
    head = f"HTTP/1.1 404 X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with ChatServer([head.encode() + body]) as server:
        error = failure(backend.open(server.url))
    assert error.reason == "refused"
    assert "has no model" not in str(error)
    assert f"{backend.name.upper()}_" in str(error)


@pytest.mark.parametrize(
    "url",
    ["ftp://x", "http://127.0.0.1:99999", "http://127.0.0.1:a", "http://[::1", "http://a\x7fb"],
)
def test_what_is_no_address_is_told_with_its_setting(backend: Backend, url: str) -> None:
    error = failure(backend.open(url))
    assert error.reason == "refused"
    assert f"{backend.name.upper()}_" in str(error)


@pytest.mark.parametrize("script", [[], [refusal(401)], [refusal(404)], [refusal(500)], None])
def test_the_password_of_an_address_is_not_told(backend: Backend, script: list | None) -> None:
    with ChatServer(script or []) as server:
        url = server.url if script is not None else unused_url()
        error = failure(backend.open(url.replace("://", "://anne:s%40cret:1@")))
    host = url.partition("//")[2]
    assert "cret" not in str(error)
    assert "anne" not in str(error)
    assert host in str(error)


@pytest.mark.parametrize("when", SILENCES)
def test_a_silent_server_is_left_when_the_time_is_up(backend: Backend, when: str) -> None:
    with ChatServer(SILENCES[when](backend)) as server:
        assert seconds_late(backend.open(server.url), TIME_S.get(when, 0.5)) <= GRACE_S
        assert server.hung_up.wait(0.5)


def test_a_connection_that_is_not_accepted_is_left_when_the_time_is_up(backend: Backend) -> None:
    with deaf_url() as url:
        assert seconds_late(backend.open(url), 0.6) <= GRACE_S


def test_no_time_left_asks_for_nothing(backend: Backend, whole: ChatServer) -> None:
    assert seconds_late(backend.open(whole.url), 0.0) <= GRACE_S
    assert whole.requests == []


def test_a_real_model_that_goes_on_is_left_when_the_time_is_up(
    real: Callable, slow_model: str
) -> None:
    long_prompt = Prompt("Répondez.", "Qui ?", (), 100_000)
    assert seconds_late(real(slow_model), 1.0, long_prompt) <= GRACE_S


@pytest.mark.parametrize("how", ["closed", "cancelled"])
def test_a_reader_who_leaves_hangs_up(backend: Backend, how: str) -> None:
    """Several events wait in one packet: the reader leaves in the middle of them."""

    async def leave(url: str) -> None:
        stream = backend.open(url).stream(PROMPT, Deadline(LIMIT_S))
        await anext(stream)
        if how == "cancelled":
            for _ in range(4):
                await anext(stream)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(stream), 0.1)
        await stream.aclose()
        assert await asyncio.to_thread(server.hung_up.wait, 0.5)

    with ChatServer([backend.head, backend.piece("Oui, ") * 5, SILENT_S]) as server:
        asyncio.run(leave(server.url))


@pytest.mark.parametrize("ending", ["whole", "closed", "late", "broken", "refused"])
def test_nothing_is_left_behind(backend: Backend, ending: str) -> None:
    tail: list = {"whole": [backend.end()], "broken": []}.get(ending, [SILENT_S])
    script = [refusal(500)] if ending == "refused" else [backend.head, backend.piece("a") * 5]

    async def use(url: str) -> set[asyncio.Task]:
        async with aclosing(backend.open(url).stream(PROMPT, Deadline(0.3))) as stream:
            try:
                async for _ in stream:
                    if ending == "closed":
                        break
            except (DeadlineExceeded, ModelUnavailable):
                assert ending != "whole"
        await asyncio.sleep(0.02)
        return asyncio.all_tasks() - {asyncio.current_task()}

    async def repeat(url: str) -> None:
        await use(url)
        threads, open_sockets = set(threading.enumerate()), sockets()
        for _ in range(3):
            assert await use(url) == set()
        await asyncio.sleep(0.3)  # the server's threads end as its clients hang up
        assert set(threading.enumerate()) <= threads
        assert sockets() <= open_sockets

    with ChatServer(script + tail) as server:
        asyncio.run(repeat(server.url))


@pytest.mark.parametrize("backend", [OPENAI, ANTHROPIC], ids=lambda backend: backend.name)
def test_closing_ends_all_at_once_and_leaves_no_task_to_the_event_loop(backend: Backend) -> None:
    """Generators inside an SDK, left suspended, would each be closed by a task made later."""
    made: list[object] = []

    def notice(loop: asyncio.AbstractEventLoop, coroutine, **options) -> asyncio.Task:
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    async def leave(url: str) -> list[object]:
        stream = backend.open(url).stream(PROMPT, Deadline(LIMIT_S))
        await anext(stream)
        asyncio.get_running_loop().set_task_factory(notice)
        await stream.aclose()
        for _ in range(10):
            gc.collect()
            await asyncio.sleep(0.001)
        return list(made)

    with ChatServer([backend.head, backend.piece("Oui, ") * 5, SILENT_S]) as server:
        assert asyncio.run(leave(server.url)) == []
