"""Prompt to tokens: the language models that write answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from rag.deadline import Deadline
from rag.prompt import Prompt
from rag.settings import Settings


class Generator(Protocol):
    """Write an answer, piece by piece."""

    @property
    def name(self) -> str:
        """Return the model's name."""

    def stream(self, prompt: Prompt, deadline: Deadline) -> AsyncGenerator[str, None]:
        """Yield the answer's pieces until it ends or the deadline is reached.

        Raises: ModelUnavailable when the model cannot be reached, is missing or fails;
        DeadlineExceeded when the time is up. Closing the iterator stops the model.
        """


def open_generator(settings: Settings) -> Generator:
    """Open the generator that the settings name. No connection is made yet."""
    from rag.generators.ollama import OllamaGenerator

    return OllamaGenerator(settings.model, settings.ollama_url, settings.keep_alive)
