"""Ollama's chat API, streamed. `ollama` and `httpx` are known to this module alone."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
import ollama

from rag.config.settings import is_address, shown
from rag.core.answers import Usage
from rag.core.deadline import Deadline
from rag.core.errors import DeadlineExceeded, ModelUnavailable
from rag.generators.failures import told_apart
from rag.prompt import Prompt

CONNECT_S = 2.0
SEE = "See what `ollama serve` says."
CURES = {
    400: "Correct HELP_MODEL: `ollama list` names the models that are there.",
    401: "Correct the name and password in OLLAMA_URL.",
    403: "Correct the name and password in OLLAMA_URL.",
    429: "Ask less often.",
    503: "Ask again later, or raise OLLAMA_MAX_QUEUE where Ollama is started.",
}
NANOSECONDS = 1e9
# a line that is JSON but no object ends in the last two
FAULTS = (
    httpx.HTTPError,
    ollama.ResponseError,
    ConnectionError,
    ValueError,
    AttributeError,
    TypeError,
)


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

    @told_apart
    async def stream(self, prompt: Prompt, deadline: Deadline) -> AsyncGenerator[str | Usage, None]:
        """Yield the answer's pieces, then its usage. Raises: ModelUnavailable, DeadlineExceeded."""
        last: ollama.ChatResponse | None = None
        try:
            async with self._client(deadline) as client:
                # not wait_for: a read in a task of its own outlives a reader who is cancelled
                async with deadline.wait():
                    parts = await client.chat(**self._request(prompt))
                # leaving the loop early would keep the model running until the iterator is closed
                async with aclosing(parts):
                    while part := await _next(parts, deadline):
                        if part.message.content:
                            yield part.message.content
                        if part.done:  # a server may leave the connection open
                            last = part
                            break
            yield self._usage(last)
        except TimeoutError:
            raise DeadlineExceeded(f"{self._model} did not end in time") from None
        except FAULTS as error:
            raise self._explain(error) from error

    def _usage(self, last: ollama.ChatResponse | None) -> Usage:
        if last is None:
            url = shown(self._url)
            raise ModelUnavailable(f"{self._model} at {url} broke off. {SEE}", "failed")
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
        if not is_address(self._url):
            raise ValueError("no address")
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
        url = shown(self._url)
        if not is_address(self._url):
            cure = "Correct it, for example: OLLAMA_URL=http://127.0.0.1:11434"
            return ModelUnavailable(f"OLLAMA_URL is no server's address: {url}. {cure}", "refused")
        if isinstance(error, ollama.ResponseError):
            return self._explain_response(error, url)
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | ConnectionError):
            cure = "Start it (ollama serve) or correct OLLAMA_URL"
            return ModelUnavailable(f"No Ollama answers at {url}. {cure}.", "refused")
        if isinstance(error, httpx.TimeoutException):
            return ModelUnavailable(f"{self._model} did not answer in time.", "late")
        told = shown(str(error)) or type(error).__name__
        return ModelUnavailable(f"{self._model} at {url} failed: {told}. {SEE}", "failed")

    def _explain_response(self, error: ollama.ResponseError, url: str) -> ModelUnavailable:
        told, status = shown(str(error.error)), error.status_code
        if status == 404 and "model" in told.casefold():
            cure = f"Fetch it: ollama pull {self._model}"
            return ModelUnavailable(f"Ollama has no model {self._model}. {cure}", "missing")
        if status == 404:
            cure = "Correct OLLAMA_URL: Ollama's address has no path"
            return ModelUnavailable(f"No Ollama answers at {url} ({told}). {cure}.", "refused")
        cure = CURES.get(status, SEE)
        return ModelUnavailable(f"{self._model} at {url} failed: {told}. {cure}", "failed")


async def _next(parts: AsyncIterator[Any], deadline: Deadline) -> Any:
    await asyncio.sleep(0)  # a flood of parts that are there already would never let others run
    if not deadline.left_s():
        raise TimeoutError
    try:
        async with deadline.wait():
            return await anext(parts)
    except StopAsyncIteration:
        return None
