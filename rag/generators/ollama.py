"""Ollama's chat API, streamed. `ollama` and `httpx` are known to this module alone."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
import ollama

from rag.deadline import Deadline
from rag.errors import DeadlineExceeded, ModelUnavailable
from rag.prompt import Prompt
from rag.types import Usage

CONNECT_S = 2.0
NANOSECONDS = 1e9


class OllamaGenerator:
    """Write answers with a model of an Ollama server."""

    def __init__(self, model: str, url: str, keep_alive: str) -> None:
        self._model = model
        self._url = url
        self._keep_alive = keep_alive
        # made anew for each client, it would hold the event loop for 40 ms
        self._tls = ssl.create_default_context() if url.startswith("https") else False

    @property
    def name(self) -> str:
        """Return the model's name."""
        return self._model

    async def stream(self, prompt: Prompt, deadline: Deadline) -> AsyncGenerator[str | Usage, None]:
        """Yield the answer's pieces, then its usage. Raises: ModelUnavailable, DeadlineExceeded."""
        last: ollama.ChatResponse | None = None
        try:
            async with self._client(deadline) as client:
                # not wait_for: a read in a task of its own outlives a reader who is cancelled
                async with asyncio.timeout(deadline.left_s()):
                    parts = await client.chat(**self._request(prompt))
                # leaving the loop early would keep the model running until the iterator is closed
                async with aclosing(parts):
                    while part := await _next(parts, deadline):
                        if part.message.content:
                            yield part.message.content
                        last = part if part.done else None
            yield self._usage(last)
        except TimeoutError:
            raise DeadlineExceeded(f"{self._model} did not end in time") from None
        except (httpx.HTTPError, ollama.ResponseError, ConnectionError, ValueError) as error:
            raise self._explain(error) from error

    def _usage(self, last: ollama.ChatResponse | None) -> Usage:
        if last is None:
            raise ModelUnavailable(f"{self._model} at {self._url} broke off.", "failed")
        return Usage(
            prompt_tokens=last.prompt_eval_count or 0,
            output_tokens=last.eval_count or 0,
            prompt_s=(last.prompt_eval_duration or 0) / NANOSECONDS,
            output_s=(last.eval_duration or 0) / NANOSECONDS,
            load_s=(last.load_duration or 0) / NANOSECONDS,
            ended="length" if last.done_reason == "length" else "stop",
        )

    def _client(self, deadline: Deadline) -> ollama.AsyncClient:
        left_s = max(0.001, deadline.left_s())
        timeout = httpx.Timeout(left_s, connect=min(CONNECT_S, left_s))
        return ollama.AsyncClient(host=self._url, timeout=timeout, verify=self._tls)

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        return {
            "model": self._model,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
            "stream": True,
            "think": False,
            "keep_alive": self._keep_alive,
            "options": {
                "num_ctx": prompt.context_tokens,
                "num_predict": prompt.answer_tokens,
                "temperature": 0.1,
                "seed": 0,
            },
        }

    def _explain(self, error: Exception) -> ModelUnavailable:
        if isinstance(error, ollama.ResponseError) and error.status_code == 404:
            cure = f"Fetch it: ollama pull {self._model}"
            return ModelUnavailable(f"Ollama has no model {self._model}. {cure}", "missing")
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | ConnectionError):
            cure = "Start it (ollama serve) or correct OLLAMA_URL"
            return ModelUnavailable(f"No Ollama answers at {self._url}. {cure}.", "refused")
        if isinstance(error, httpx.TimeoutException):
            return ModelUnavailable(f"{self._model} did not answer in time.", "late")
        return ModelUnavailable(f"{self._model} at {self._url} failed: {error}", "failed")


async def _next(parts: AsyncIterator[Any], deadline: Deadline) -> Any:
    try:
        async with asyncio.timeout(deadline.left_s()):
            return await anext(parts)
    except StopAsyncIteration:
        return None
