"""Prompt to tokens: the language models that write answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from rag.config.settings import Settings
from rag.core.answers import Usage
from rag.core.deadline import Deadline
from rag.core.errors import ConfigError, needs_extra
from rag.prompt import Prompt


class Generator(Protocol):
    """Write an answer, piece by piece."""

    @property
    def name(self) -> str:
        """Return the model's name."""

    def stream(self, prompt: Prompt, deadline: Deadline) -> AsyncGenerator[str | Usage, None]:
        """Yield the answer's pieces, then, when the model ended, what it cost (`Usage`), last.

        Raises: ModelUnavailable when the model cannot be reached, is missing or fails;
        DeadlineExceeded when the time is up. Closing the iterator stops the model.
        """


def open_generators(settings: Settings) -> list[Generator]:
    """Open the model and its fallbacks, in the order in which they are asked.

    No connection is made yet. Raises: ConfigError when a name lacks its model, a model its extra
    package or its key.
    """
    fallbacks = (name.strip() for name in settings.fallback_models.split(","))
    names = dict.fromkeys([settings.model.strip(), *filter(None, fallbacks)])
    return [_open(name, settings) for name in names]


def _open(name: str, settings: Settings) -> Generator:
    prefix, _, model = name.partition(":")
    if prefix not in _OPENERS:
        prefix, model = "ollama", name  # which may hold colons and slashes of its own
    if not model:
        raise ConfigError(f"HELP_MODEL or HELP_FALLBACK_MODELS: {name!r} lacks the model's name.")
    try:
        return _OPENERS[prefix](model, settings)
    except ImportError:
        raise ConfigError(needs_extra(name, prefix)) from None


def _open_ollama(model: str, settings: Settings) -> Generator:
    from rag.generators.ollama import OllamaGenerator

    return OllamaGenerator(model, settings.ollama_url, settings.keep_alive)


def _open_openai(model: str, settings: Settings) -> Generator:
    from rag.generators.sdk import OpenAIGenerator

    key = settings.openai_api_key
    return OpenAIGenerator(model, settings.openai_url, key.get_secret_value() if key else None)


def _open_anthropic(model: str, settings: Settings) -> Generator:
    from rag.generators.sdk import AnthropicGenerator

    key = settings.anthropic_api_key
    if not key:
        raise ConfigError(f"anthropic:{model} needs a key: set ANTHROPIC_API_KEY.")
    return AnthropicGenerator(model, settings.anthropic_url, key.get_secret_value())


_OPENERS = {"ollama": _open_ollama, "openai": _open_openai, "anthropic": _open_anthropic}
