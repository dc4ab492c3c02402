"""What OpenAI-compatible servers do differently from each other, and what providers withhold."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack

import pytest

from rag.core.errors import ModelUnavailable
from rag.generators.sdk import OpenAIGenerator
from tests.contract.chat_servers import (
    ANTHROPIC,
    OPENAI,
    SILENT_S,
    ChatServer,
    openai_chunk,
    refusal,
    written,
)


@pytest.fixture
def serve():
    with ExitStack() as stack:
        yield lambda script: stack.enter_context(ChatServer(script))


def test_a_server_without_a_key_is_sent_a_placeholder(serve) -> None:
    server = serve([OPENAI.head, OPENAI.piece("Oui"), OPENAI.end()])
    assert written(OpenAIGenerator("m", server.url, None))[0] == "Oui"


@pytest.mark.parametrize(
    "tail",
    [[b"0\r\n\r\n"], [], [SILENT_S]],
    ids=["ends", "cuts the connection", "says no more"],
)
def test_a_server_that_does_not_count_is_counted_for(serve, tail) -> None:
    script = [OPENAI.head, OPENAI.piece("Oui, "), 0.3, OPENAI.piece("c'est cela.")]
    server = serve([0.2, *script, openai_chunk({}, "stop"), *tail])
    start = time.monotonic()
    *pieces, usage = written(OpenAIGenerator("m", server.url, None))
    assert time.monotonic() - start < 2.0
    assert pieces == ["Oui, ", "c'est cela."]
    assert usage.prompt_tokens > 10
    assert 5 <= usage.output_tokens <= 12
    assert 0.2 <= usage.prompt_s <= 0.5
    assert 0.25 <= usage.output_s <= 0.5


def test_a_parameter_that_a_model_refuses_is_sent_no_more(serve) -> None:
    def strict(sent: dict) -> list[bytes]:
        for name in ("max_tokens", "temperature", "stream_options"):
            if name in sent:
                return [refusal(400, f"Unsupported: {name}", param=name)]
        return [OPENAI.head, OPENAI.piece("Oui"), OPENAI.end()]

    server = serve(strict)
    generator = OPENAI.open(server.url)
    assert written(generator)[0] == "Oui"
    assert written(generator)[0] == "Oui"
    assert len(server.requests) == 5  # three were refused, once
    assert json.loads(server.requests[-1])["max_completion_tokens"] == 20


@pytest.mark.parametrize(
    ("backend", "reason"),
    [(OPENAI, "content_filter"), (ANTHROPIC, "refusal")],
    ids=["openai", "anthropic"],
)
def test_an_answer_that_the_provider_filters_is_not_taken_for_whole(serve, backend, reason) -> None:
    server = serve([backend.head, backend.piece("Oui"), backend.end(reason)])
    with pytest.raises(ModelUnavailable, match=reason) as filtered:
        written(backend.open(server.url))
    assert filtered.value.reason == "failed"
