"""Chat of any server that speaks OpenAI's protocol, streamed."""

from __future__ import annotations

from typing import Any

import openai

from rag.generators.remote import Part, RemoteGenerator, Service
from rag.prompt import Prompt

NO_KEY = "none"  # local servers ask for none, the SDK does


class OpenAIGenerator(RemoteGenerator):
    """Write answers with a model of an OpenAI-compatible server."""

    def __init__(self, model: str, url: str, api_key: str | None) -> None:
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
