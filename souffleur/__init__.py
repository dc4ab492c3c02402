"""Answer questions from help pages: the public names, each loaded when it is used.

>>> from souffleur import get_similar_chunks, index_folder
>>> index_folder("corpus/")
>>> for hit in get_similar_chunks("Comment créer un client ?", k=3):
...     print(hit.score, hit.chunk.title, hit.chunk.url)
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import PathFinder
from os.path import realpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer.pipeline import Report
    from rag.api import (
        cosine_similarity,
        generate_embedding,
        get_similar_chunks,
        open_assistant,
        open_retriever,
    )
    from rag.assistant import Assistant
    from rag.config.settings import Settings, load_settings
    from rag.core.answers import Answer
    from rag.core.documents import Chunk, Hit, Page
    from rag.core.errors import HelpError
    from souffleur.indexing import index_folder

_HOMES = {
    "Answer": "rag.core.documents",
    "Assistant": "rag.assistant",
    "Chunk": "rag.core.documents",
    "HelpError": "rag.core.errors",
    "Hit": "rag.core.documents",
    "Page": "rag.core.documents",
    "Report": "indexer.pipeline",
    "Settings": "rag.config.settings",
    "cosine_similarity": "rag.api",
    "generate_embedding": "rag.api",
    "get_similar_chunks": "rag.api",
    "index_folder": "souffleur.indexing",
    "load_settings": "rag.config.settings",
    "open_assistant": "rag.api",
    "open_retriever": "rag.api",
}

__all__ = [
    "Answer",
    "Assistant",
    "Chunk",
    "HelpError",
    "Hit",
    "Page",
    "Report",
    "Settings",
    "cosine_similarity",
    "generate_embedding",
    "get_similar_chunks",
    "index_folder",
    "load_settings",
    "open_assistant",
    "open_retriever",
]


def __getattr__(name: str) -> object:
    """Load a public name from its home: `import souffleur` loads neither numpy nor a client."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _refuse_shadows() -> None:
    """Raise ImportError when a program's own package hides one of ours, which nothing loads yet."""
    home = __path__[0].removesuffix("souffleur")
    for name in ("rag", "indexer"):
        # an editable installation is found by a finder of its own, after the folders: None here
        loaded = sys.modules.get(name)
        spec = loaded.__spec__ if loaded else PathFinder.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        found, ours = realpath(spec.origin), realpath(f"{home}{name}/__init__.py")
        if found != ours:
            raise ImportError(
                f"Souffleur's package {name!r} ({ours}) is hidden by another of that name, which"
                f" Python finds first: {found}. Two cures: rename that one, or leave it and run"
                " Souffleur as a process of its own (souffleur serve), which your program asks"
                " over HTTP.",
                name=name,
                path=found,
            )


_refuse_shadows()
