"""Any sentence-transformers model, by name or path (extra ``[transformers]``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy

from rag.core.documents import Vectors
from rag.core.errors import ConfigError, EncoderError, needs_extra
from rag.encoders.vectors import unit_rows

BATCH = 32


class SentenceTransformersEncoder:
    """Encode with a sentence-transformers model, on its own query and passage sides."""

    def __init__(self, model: str) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError:
            raise ConfigError(needs_extra(f"The encoder {model}", "transformers")) from None
        try:
            self._model = SentenceTransformer(model)
        except Exception as error:  # the library raises whatever its parts raise
            raise EncoderError(
                f"The encoder {model} cannot be loaded: {error}. Check AI_EMBEDDING_MODEL: the"
                " name or folder of a sentence-transformers model, ollama:NAME, openai:NAME or"
                " bundled"
            ) from error
        self._name = model

    @property
    def name(self) -> str:
        """Return the name that an index remembers."""
        return self._name

    @property
    def dimension(self) -> int:
        """Return the length of its vectors."""
        return int(self._model.get_embedding_dimension() or 0)

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encode passages: (n, dimension) float32, unit rows; zeros for no text."""
        return self._encode(self._model.encode_document, texts)

    def encode_queries(self, texts: Sequence[str], timeout_s: float = 60.0) -> Vectors:
        """Encode questions: (n, dimension) float32, unit rows; zeros for no text."""
        return self._encode(self._model.encode_query, texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text with the model's own tokenizer."""
        tokenizer, listed = self._model.tokenizer, list(texts)
        if hasattr(tokenizer, "encode_batch"):  # that of a StaticEmbedding is not transformers'
            rows = tokenizer.encode_batch(listed, add_special_tokens=False)
        else:
            rows = tokenizer(listed)["input_ids"] if listed else []
        return [len(row) for row in rows]

    def _encode(self, encode: Callable[..., Vectors], texts: Sequence[str]) -> Vectors:
        vectors = numpy.zeros((len(texts), self.dimension), numpy.float32)
        told = [i for i, text in enumerate(texts) if text.strip()]
        if told:
            found = encode([texts[i] for i in told], batch_size=BATCH, show_progress_bar=False)
            rows = numpy.array(found, numpy.float32)
            # no known token: a float16 model divides zeros by the length 0
            rows[numpy.isnan(rows).all(axis=1)] = 0
            vectors[told] = unit_rows(rows)
        return vectors
