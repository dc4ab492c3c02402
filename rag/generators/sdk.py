"""Models behind an SDK, streamed: OpenAI's and Anthropic's are generated from one template.

Any server that speaks OpenAI's protocol is one. `httpx2`, which both SDKs speak through, is known
to this module alone.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import httpx2

from rag.config.settings import is_address, shown
from rag.core.answers import Usage
from rag.core.deadline import Deadline
from rag.core.errors import DeadlineExceeded, ModelUnavailable
from rag.generators.failures import told_apart
from rag.prompt import Prompt, estimate_tokens, whole_tokens

CONNECT_S = 2.0
BILL_S = 0.5  # an answer that has ended waits no longer for its count of tokens
CLOSE_S = 0.1
MESSAGE_CHARACTERS = 300
SEE = "See what the server's log says, or ask again."
AT_LENGTH = {"length", "max_tokens", "model_context_window_exceeded"}
FILTERED = {"content_filter", "refusal"}
UNREACHABLE = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.InvalidURL,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)
TRANSPORT = (httpx2.HTTPError, httpx2.InvalidURL, OSError)  # where an SDK leaves them as they are
NO_KEY = "none"  # local servers ask for none, the SDK does


@dataclass(frozen=True, slots=True)
class Service:
    """Name a model, where it is and the settings that its errors point to."""

    prefix: str
    model: str
    url: str
    url_setting: str
    key_setting: str

    @property
    def name(self) -> str:
        """Return the model's name as the settings write it."""
        return f"{self.prefix}:{self.model}"


@dataclass(frozen=True, slots=True)
class Part:
    """Hold what one event of a stream says; None and "": nothing."""

    text: str = ""
    reason: str = ""
    prompt_tokens: int | None = None
    output_tokens: int | None = None


class Tally:
    """Add up an answer's parts and the seconds that they took."""

    def __init__(self) -> None:
        self.reason = ""
        self._text: list[str] = []
        self._prompt_tokens: int | None = None
        self._output_tokens: int | None = None
        self._start = self._last = time.monotonic()
        self._first: float | None = None

    def add(self, part: Part) -> None:
        """Take a part in."""
        if part.text:
            self._text.append(part.text)
            self._last = time.monotonic()
            self._first = self._first or self._last
        if part.prompt_tokens is not None:
            self._prompt_tokens = part.prompt_tokens
        if part.output_tokens is not None:
            self._output_tokens = part.output_tokens
        self.reason = self.reason or part.reason

    def usage(self, prompt: Prompt) -> Usage:
        """Return what the answer cost; tokens are estimated where the server did not count."""
        first = self._first or time.monotonic()
        prompt_tokens, output_tokens = self._prompt_tokens, self._output_tokens
        if prompt_tokens is None:
            prompt_tokens = whole_tokens(prompt)
        if output_tokens is None:
            output_tokens = estimate_tokens("".join(self._text))
        ended: Literal["stop", "length"] = "length" if self.reason in AT_LENGTH else "stop"
        output_s = max(0.0, self._last - first)
        return Usage(prompt_tokens, output_tokens, first - self._start, output_s, ended=ended)


class RemoteGenerator(ABC):
    """Write answers with a model behind an SDK. A subclass knows one protocol."""

    def __init__(self, sdk: Any, client: Any, service: Service, api_key: str) -> None:
        self._sdk = sdk
        self._new_client = client
        self._service = service
        self._api_key = api_key
        self._tls = httpx2.create_ssl_context()  # 35 ms that no question has to pay

    @property
    def name(self) -> str:
        """Return the model's name as the settings write it."""
        return self._service.name

    @abstractmethod
    async def _ask(self, client: Any, prompt: Prompt) -> Any:
        """Send a prompt; return the SDK's stream of events."""

    @abstractmethod
    def _read(self, event: Any) -> Part:
        """Return what an event says. Raises: any error of a wrong shape."""

    @told_apart
    async def stream(self, prompt: Prompt, deadline: Deadline) -> AsyncGenerator[str | Usage, None]:
        """Yield the answer's pieces, then its usage. Raises: ModelUnavailable, DeadlineExceeded."""
        tally = Tally()
        try:
            async with self._client(deadline) as client:
                async with deadline.wait():
                    events = await self._ask(client, prompt)
                async with _closing(events):
                    while part := await self._next(events, tally, deadline):
                        tally.add(part)
                        if part.text:
                            yield part.text
            yield self._usage(tally, prompt)
        except TimeoutError:
            raise DeadlineExceeded(f"{self.name} did not end in time") from None
        except (self._sdk.APIError, *TRANSPORT, AttributeError, TypeError, ValueError) as error:
            raise self._explain(error) from error

    def _client(self, deadline: Deadline) -> Any:
        if not is_address(self._service.url):
            raise ValueError("no address")
        left_s = deadline.left_s()
        timeout = self._sdk.Timeout(left_s, connect=min(CONNECT_S, left_s))
        return self._new_client(
            base_url=self._service.url,
            api_key=self._api_key,
            timeout=timeout,
            max_retries=0,
            http_client=self._sdk.DefaultAsyncHttpxClient(verify=self._tls, timeout=timeout),
        )

    async def _next(self, events: Any, tally: Tally, deadline: Deadline) -> Part | None:
        try:
            limit_s = BILL_S if tally.reason else float("inf")
            async with deadline.wait(limit_s):
                return self._read(await anext(events))
        except StopAsyncIteration:
            return None
        except Exception:
            if tally.reason:
                return None  # the answer is whole: only its cost stays unknown
            raise

    def _usage(self, tally: Tally, prompt: Prompt) -> Usage:
        if not tally.reason:
            url = shown(self._service.url)
            raise ModelUnavailable(f"{self.name} at {url} broke off. {SEE}", "failed")
        if tally.reason in FILTERED:
            message = f"{self.name} broke off: the provider's filter ({tally.reason})."
            raise ModelUnavailable(message, "failed")
        return tally.usage(prompt)

    def _explain(self, error: Exception) -> ModelUnavailable:
        url, address = shown(self._service.url), self._service.url_setting
        cause = error if isinstance(error, TRANSPORT) else error.__cause__ or error
        told = shown(f"{cause}")[:MESSAGE_CHARACTERS]
        if not is_address(self._service.url):
            message = f"{address} is no server's address: {url}. Correct it: https://HOST/v1"
            return ModelUnavailable(message, "refused")
        if isinstance(cause, UNREACHABLE):
            message = f"No server answers at {url} ({told}). Start it or correct {address}."
            return ModelUnavailable(message, "refused")
        if isinstance(cause, httpx2.TimeoutException):
            return ModelUnavailable(f"{self.name} did not answer in time.", "late")
        return self._explain_status(getattr(error, "status_code", None) or 0, told, url)

    def _explain_status(self, status: int, told: str, url: str) -> ModelUnavailable:
        service, address = self._service, self._service.url_setting
        model, key = service.model, service.key_setting
        if status == 404 and "model" in told.casefold():
            message = f"{url} has no model {model}. Correct HELP_MODEL or {address}."
            return ModelUnavailable(message, "missing")
        if status == 404:
            message = f"No chat of this kind at {url} ({told}). Correct the path in {address}."
            return ModelUnavailable(message, "refused")
        cures = {
            400: "Correct HELP_MODEL.",
            401: f"Correct {key}.",
            403: f"Correct {key}: it may not use this model.",
            429: "Ask less often, or raise the account's limit.",
        }
        message = f"{self.name} at {url} failed: {told}. {cures.get(status, SEE)}"
        return ModelUnavailable(message, "failed")


@asynccontextmanager
async def _closing(events: Any) -> AsyncIterator[None]:
    """Close an SDK's stream, and the generators inside it.

    Closing the stream leaves them suspended, each to be ended by a task of the event loop's own;
    reading on from the closed connection ends them here.
    """
    try:
        yield
    finally:
        await events.close()
        with suppress(Exception):
            async with asyncio.timeout(CLOSE_S):
                while True:
                    await anext(events)


class OpenAIGenerator(RemoteGenerator):
    """Write answers with a model of an OpenAI-compatible server."""

    def __init__(self, model: str, url: str, api_key: str | None) -> None:
        import openai

        service = Service("openai", model, url, "OPENAI_BASE_URL", "OPENAI_API_KEY")
        super().__init__(openai, openai.AsyncOpenAI, service, api_key or NO_KEY)
        self._limit = "max_tokens"
        self._options: dict[str, Any] = {
            "temperature": 0.1,
            "stream_options": {"include_usage": True},
        }

    async def _ask(self, client: Any, prompt: Prompt) -> Any:
        while True:
            try:
                return await client.chat.completions.create(**self._request(prompt))
            except self._sdk.BadRequestError as error:
                if not self._mend(str(error.param).partition(".")[0]):
                    raise

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        return {
            "model": self._service.model,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
            "stream": True,
            self._limit: prompt.answer_tokens,
            **self._options,
        }

    def _mend(self, refused: str) -> bool:
        """Send a refused parameter no more (models differ); say whether that changes anything.

        https://platform.openai.com/docs/api-reference/chat/create: reasoning models take
        ``max_completion_tokens``, some of them no temperature.
        """
        if refused == self._limit == "max_tokens":
            self._limit = "max_completion_tokens"
            return True
        return self._options.pop(refused, None) is not None

    def _read(self, event: Any) -> Part:
        choice = event.choices[0] if event.choices else None
        usage = event.usage
        return Part(
            text=(choice.delta.content or "") if choice and choice.delta else "",
            reason=(choice.finish_reason or "") if choice else "",
            prompt_tokens=usage.prompt_tokens if usage else None,
            output_tokens=usage.completion_tokens if usage else None,
        )


class AnthropicGenerator(RemoteGenerator):
    """Write answers with a model of Anthropic's."""

    def __init__(self, model: str, url: str, api_key: str) -> None:
        import anthropic

        service = Service("anthropic", model, url, "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY")
        super().__init__(anthropic, anthropic.AsyncAnthropic, service, api_key)

    async def _ask(self, client: Any, prompt: Prompt) -> Any:
        # no temperature: recent models refuse it, https://github.com/vectorize-io/hindsight/pull/1753
        return await client.messages.create(
            model=self._service.model,
            system=prompt.system,
            messages=[{"role": "user", "content": prompt.user}],
            max_tokens=prompt.answer_tokens,
            stream=True,
        )

    def _read(self, event: Any) -> Part:
        if event.type == "message_start":
            return Part(prompt_tokens=_read_tokens(event.message.usage))
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            return Part(text=event.delta.text)
        if event.type == "message_delta":
            tokens = event.usage.output_tokens
            return Part(reason=event.delta.stop_reason or "", output_tokens=tokens)
        return Part()


def _read_tokens(usage: Any) -> int:
    """Add up the tokens of a prompt, those that were cached too."""
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return int(usage.input_tokens + cached)
