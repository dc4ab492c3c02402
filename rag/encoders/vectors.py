"""What the encoders of served models share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from rag.core.documents import Vectors
from rag.core.errors import EncoderError

CHARACTERS_PER_TOKEN = 3.5  # French text in the subwords of common multilingual models


def unit_rows(vectors: Vectors) -> Vectors:
    """Return the rows brought to length 1, zero rows as they are. Raises: EncoderError on NaN."""
    if not numpy.isfinite(vectors).all():
        raise EncoderError("The encoder gave vectors that hold NaN or infinity.")
    norms = numpy.linalg.norm(vectors, axis=1, keepdims=True)
    return numpy.divide(vectors, norms, out=numpy.zeros_like(vectors), where=norms > 0)


def checked_answer(vectors: Sequence[Sequence[float]], texts: int) -> Vectors:
    """Return a server's vectors as (texts, dimension) float32. Raises: ValueError."""
    array = numpy.asarray(vectors, numpy.float32)
    if array.ndim != 2 or len(array) != texts or not array.shape[1]:
        raise ValueError(f"{len(vectors)} vectors came for {texts} texts, or empty ones")
    return array


def estimated_tokens(texts: Sequence[str]) -> list[int]:
    """Estimate the tokens of each text from its length."""
    return [int(len(text) / CHARACTERS_PER_TOKEN) + 1 if text else 0 for text in texts]
