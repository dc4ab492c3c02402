"""Vectors and similar passages, under the name that sites import; Django is not needed.

``generate_embedding`` writes how long it took to this module's logger, at level DEBUG.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rag.api import cosine_similarity, embedding_of, get_similar_chunks

if TYPE_CHECKING:
    from rag.core.documents import Vectors

logger = logging.getLogger(__name__)

__all__ = ["cosine_similarity", "generate_embedding", "get_similar_chunks"]


def generate_embedding(text: str) -> Vectors:
    """Return a text's vector: (768,) float32 of length 1 with the bundled encoder.

    A text without a known word gives zeros. Raises: EncoderError, ConfigError.
    """
    return embedding_of(text, logger)
