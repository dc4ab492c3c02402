"""Any sentence-transformers model, by name or path (extra ``[transformers]``)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from rag.encoders.vectors import unit_rows
from rag.errors import ConfigError, EncoderError
from rag.types import Vectors

BATCH = 32


class SentenceTransformersEncoder:
    """Encode with a sentence-transformers model, on its own query and passage sides."""

    def __init__(self, model: str) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError:
            raise ConfigError(
                f"The encoder {model} needs an extra package: pip install 'souffleur[transformers]'"
            ) from None
        try:
            self._model = SentenceTransformer(model)
        except Exception as error:  # the library raises whatever its parts raise
            raise EncoderError(
                f"The encoder {model} cannot be loaded: {error}. Check AI_EMBEDDING_MODEL: the"
                " name or folder of a sentence-transformers model, ollama:NAME, openai:NAME or bundled"
            ) from error
        self._name = model

    @property
    def name(self) -> str:
        """Return the name that an index remembers."""
        return self._name

    @property
    def dimension(self) -> int:
        """Return the length of its vectors."""
        return int(self._model.get_embedding_dimension())

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encode passages: (n, dimension) float32, unit rows; zeros for no text."""
        return self._cleaned(texts, self._model.encode_document(list(texts), batch_size=BATCH))

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Encode questions: (n, dimension) float32, unit rows; zeros for no text."""
        return self._cleaned(texts, self._model.encode_query(list(texts), batch_size=BATCH))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text with the model's own tokenizer."""
        return [len(row) for row in self._model.tokenizer(list(texts))["input_ids"]]

    def _cleaned(self, texts: Sequence[str], vectors: Vectors) -> Vectors:
        told = numpy.array([bool(text.strip()) for text in texts])
        return unit_rows(numpy.asarray(vectors, numpy.float32)) * told[:, None]
