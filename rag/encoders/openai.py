"""Embeddings of any server that speaks OpenAI's protocol."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy

from rag.config.settings import Settings, shown
from rag.core.documents import Vectors
from rag.core.errors import ConfigError, EncoderError, needs_extra
from rag.encoders.vectors import checked_answer, estimated_tokens, unit_rows

TIMEOUT_S = 60.0
BATCH = 128


class OpenAIEncoder:
    """Encode with an OpenAI-compatible server, asked for ``AI_EMBEDDING_DIMENSION`` numbers."""

    def __init__(self, model: str, settings: Settings, timeout_s: float = TIMEOUT_S) -> None:
        try:
            import openai
        except ImportError:
            raise ConfigError(needs_extra(f"openai:{model}", "openai")) from None
        self._model = model
        self._options: dict[str, Any] = {"dimensions": settings.embedding_dimension}
        self._url = settings.openai_url
        key = settings.openai_api_key
        self._failures = (openai.OpenAIError, AttributeError, TypeError, ValueError)
        self._client = openai.OpenAI(
            base_url=settings.openai_url,
            api_key=key.get_secret_value() if key else "none",
            timeout=timeout_s,
            max_retries=0,
        )
        weakref.finalize(self, self._client.close)
        self._dimension: int = self._probe(openai.BadRequestError).shape[1]

    @property
    def name(self) -> str:
        """Return the name that an index remembers."""
        return f"openai:{self._model}"

    @property
    def dimension(self) -> int:
        """Return the length of its vectors, as the server gives them."""
        return self._dimension

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encode passages: (n, dimension) float32, unit rows. Raises: EncoderError."""
        return self._encode(self._client, texts)

    def encode_queries(self, texts: Sequence[str], timeout_s: float = TIMEOUT_S) -> Vectors:
        """Encode questions as passages: these models have one side."""
        return self._encode(self._client.with_options(timeout=timeout_s, max_retries=0), texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Estimate the tokens of each text: the server's tokenizer is not at hand."""
        return estimated_tokens(texts)

    def _encode(self, client: Any, texts: Sequence[str]) -> Vectors:
        vectors = numpy.zeros((len(texts), self._dimension), numpy.float32)
        told = [i for i, text in enumerate(texts) if text.strip()]
        for start in range(0, len(told), BATCH):
            rows = told[start : start + BATCH]
            vectors[rows] = unit_rows(self._embed(client, [texts[i] for i in rows]))
        return vectors

    def _probe(self, refused: type[Exception]) -> Vectors:
        """Encode a word; ask again without ``dimensions`` where a model has one length only."""
        try:
            return self._embed(self._client, ["dimension"])
        except EncoderError as error:
            if not isinstance(error.__cause__, refused) or "dimensions" not in str(error):
                raise
            self._options = {}
            return self._embed(self._client, ["dimension"])

    def _embed(self, client: Any, texts: list[str]) -> Vectors:
        try:
            answer = client.embeddings.create(
                model=self._model, input=texts, encoding_format="float", **self._options
            )
            rows = sorted(answer.data, key=lambda row: row.index)
            return checked_answer([row.embedding for row in rows], len(texts))
        except self._failures as error:
            raise EncoderError(
                f"{shown(self._url)} cannot encode with {self._model}: {shown(str(error))}. Check"
                " OPENAI_BASE_URL, OPENAI_API_KEY and AI_EMBEDDING_MODEL"
            ) from error
