"""Souffleur answers questions from help pages. These are its public names; each loads when used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.api import (
        cosine_similarity,
        generate_embedding,
        get_similar_chunks,
        open_assistant,
        open_retriever,
    )
    from rag.assistant import Assistant
    from rag.core.answers import Answer
    from rag.core.documents import Chunk, Hit, Page

_HOMES = {
    "Answer": "rag.core.answers",
    "Assistant": "rag.assistant",
    "Chunk": "rag.core.documents",
    "Hit": "rag.core.documents",
    "Page": "rag.core.documents",
    "cosine_similarity": "rag.api",
    "generate_embedding": "rag.api",
    "get_similar_chunks": "rag.api",
    "open_assistant": "rag.api",
    "open_retriever": "rag.api",
}

__all__ = [
    "Answer",
    "Assistant",
    "Chunk",
    "Hit",
    "Page",
    "cosine_similarity",
    "generate_embedding",
    "get_similar_chunks",
    "open_assistant",
    "open_retriever",
]


def __getattr__(name: str) -> object:
    """Load a public name from its home: `import rag` itself loads neither numpy nor a client."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'rag' has no attribute {name!r}")
