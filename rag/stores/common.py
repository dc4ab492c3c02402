"""What every store does alike: compare an index with the settings, and say how to rebuild it."""

from __future__ import annotations

import hashlib

from rag.errors import IndexMismatch
from rag.types import IndexMeta

MAKE = "python cli.py index corpus/"
REBUILD = "python cli.py index --full corpus/"


def check_meta(found: IndexMeta, wanted: IndexMeta) -> None:
    """Compare what an index says of itself with the settings.

    Raises: IndexMismatch naming both encoders and dimensions, and the command that rebuilds.
    """
    if (found.encoder, found.dimension) != (wanted.encoder, wanted.dimension):
        raise IndexMismatch(
            f"The index was made with encoder {found.encoder} ({found.dimension} dimensions), but "
            f"the settings name {wanted.encoder} ({wanted.dimension} dimensions). Rebuild it: "
            f"{REBUILD} — or set AI_EMBEDDING_MODEL and AI_EMBEDDING_DIMENSION back."
        )
    if found.schema != wanted.schema:
        raise IndexMismatch(
            f"The index has schema {found.schema} (encoder {found.encoder}), but this version of "
            f"Souffleur needs schema {wanted.schema} (encoder {wanted.encoder}). Rebuild it: "
            f"{REBUILD}"
        )


def conversation_key(conversation_id: str) -> str:
    """Return what stands for a conversation's id, which opens it to whoever knows it."""
    return hashlib.sha256(conversation_id.encode("utf-8", "surrogatepass")).hexdigest()
