"""Anthropic's messages API, streamed."""

from __future__ import annotations

from typing import Any

import anthropic

from rag.generators.remote import Part, RemoteGenerator, Service
from rag.prompt import Prompt


class AnthropicGenerator(RemoteGenerator):
    """Write answers with a model of Anthropic's."""

    def __init__(self, model: str, url: str, api_key: str) -> None:
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
