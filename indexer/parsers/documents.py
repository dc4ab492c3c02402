"""What PDF and DOCX share: an extra that may be missing, and archives that may be bombs."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from rag.core.errors import CorpusError, needs_extra


def need(module: str, page_id: str) -> ModuleType:
    """Import an optional module. Raises: CorpusError with the command that installs it."""
    try:
        return import_module(module)
    except ImportError:
        raise CorpusError(page_id, needs_extra("its format", "documents")) from None
