"""Models of sentence-transformers, by name or path (extra ``[transformers]``): encoders, readers.

A cross-encoder reads question and chunk together; there is none by default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy

from rag.core.documents import Vectors, Window
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


class CrossEncoderReader:
    """Read windows with a sentence-transformers cross-encoder of one label, by name or folder.

    Raises: ConfigError when the extra is missing or the model has more labels; EncoderError when it
    cannot be loaded.
    """

    def __init__(self, model: str) -> None:
        try:
            from sentence_transformers import CrossEncoder
        except ImportError:
            raise ConfigError(needs_extra(f"The cross-encoder {model}", "transformers")) from None
        try:
            self._model = CrossEncoder(model)
        except Exception as error:  # the library raises whatever its parts raise
            raise EncoderError(
                f"The cross-encoder {model} cannot be loaded: {_first_line(error)} Check"
                " AI_RERANKER_MODEL: the name or folder of a sentence-transformers cross-encoder"
            ) from error
        if self._model.num_labels != 1:
            raise ConfigError(
                f"The cross-encoder {model} has {self._model.num_labels} labels, but 1 is needed:"
                " how well a passage answers. Choose another AI_RERANKER_MODEL"
            )

    def scores(self, question: str, windows: Sequence[Window]) -> list[float]:
        """Return how well each window answers, in [0, 1]: the sigmoid of the model's logit.

        What is longer than the model reads is cut at its end.
        """
        pairs = [(question, passage(window)) for window in windows]
        # some models say that their own scores are logits, others that they are sigmoids
        logits = self._model.predict(
            pairs, batch_size=BATCH, show_progress_bar=False, activation_fn=_unchanged
        )
        # the sigmoid, by a function that does not overflow
        return ((1 + numpy.tanh(numpy.asarray(logits) / 2)) / 2).tolist()


def passage(window: Window) -> str:
    """Return what is read of a window: its title in a line, then its text with its headings."""
    return f"{window.title}\n{window.text}".strip()


def _unchanged(logits: object) -> object:
    return logits


def _first_line(error: Exception) -> str:
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return re.sub(r"\W?\bhttps?://\S+", "its server", line).rstrip(".") + "."
