"""A cross-encoder reads question and chunk together (extra ``[transformers]``); none by default."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy

from rag.core.documents import Chunk
from rag.core.errors import ConfigError, EncoderError, needs_extra

BATCH = 32


class CrossEncoderReader:
    """Read chunks with a sentence-transformers cross-encoder of one label, by name or folder.

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

    def scores(self, question: str, chunks: Sequence[Chunk]) -> list[float]:
        """Return how well each chunk answers, in [0, 1]: the sigmoid of the model's logit.

        What is longer than the model reads is cut at its end.
        """
        pairs = [(question, passage(chunk)) for chunk in chunks]
        # some models say that their own scores are logits, others that they are sigmoids
        logits = self._model.predict(
            pairs, batch_size=BATCH, show_progress_bar=False, activation_fn=_unchanged
        )
        # the sigmoid, by a function that does not overflow
        return ((1 + numpy.tanh(numpy.asarray(logits) / 2)) / 2).tolist()


def passage(chunk: Chunk) -> str:
    """Return what is read of a chunk: its title and headings in a line, then its text."""
    headings = " > ".join(filter(None, (chunk.title, *chunk.headings)))
    return f"{headings}\n{chunk.text}".strip()


def _unchanged(logits: object) -> object:
    return logits


def _first_line(error: Exception) -> str:
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return re.sub(r"\W?\bhttps?://\S+", "its server", line).rstrip(".") + "."
