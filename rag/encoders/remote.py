"""Embedding models of servers: Ollama's, and any that speaks OpenAI's protocol."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import httpx
import numpy
import ollama

from rag.config.settings import Settings, shown
from rag.core.documents import Vectors
from rag.core.errors import ConfigError, EncoderError, needs_extra
from rag.encoders.vectors import checked_answer, estimated_tokens, unit_rows

TIMEOUT_S = 60.0
OLLAMA_BATCH = 64
# nomic-embed-text was trained with these (Nussbaum et al. 2024, https://arxiv.org/abs/2402.01613)
PREFIXES = {"nomic-embed-text": ("search_query: ", "search_document: ")}
OPENAI_BATCH = 128


class OllamaEncoder:
    """Encode with an embedding model of Ollama. The first call tells its dimension."""

    def __init__(self, model: str, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self._model = model
        self._url = url
        self._timeout_s = timeout_s
        self._query, self._passage = PREFIXES.get(model.partition(":")[0], ("", ""))
        self._dimension = self._embed(["dimension"], timeout_s).shape[1]

    @property
    def name(self) -> str:
        """Return the name that an index remembers."""
        return f"ollama:{self._model}"

    @property
    def dimension(self) -> int:
        """Return the length of its vectors."""
        return self._dimension

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encode passages: (n, dimension) float32, unit rows. Raises: EncoderError."""
        return self._encode(self._passage, texts, self._timeout_s)

    def encode_queries(self, texts: Sequence[str], timeout_s: float = TIMEOUT_S) -> Vectors:
        """Encode questions: (n, dimension) float32, unit rows. Raises: EncoderError."""
        return self._encode(self._query, texts, timeout_s)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Estimate the tokens of each text: the server's tokenizer is not at hand."""
        return estimated_tokens(texts)

    def _encode(self, prefix: str, texts: Sequence[str], timeout_s: float) -> Vectors:
        vectors = numpy.zeros((len(texts), self._dimension), numpy.float32)
        told = [i for i, text in enumerate(texts) if text.strip()]
        for start in range(0, len(told), OLLAMA_BATCH):
            rows = told[start : start + OLLAMA_BATCH]
            vectors[rows] = unit_rows(self._embed([prefix + texts[i] for i in rows], timeout_s))
        return vectors

    def _embed(self, texts: list[str], timeout_s: float) -> Vectors:
        try:
            with closing(ollama.Client(host=self._url, timeout=timeout_s)) as client:
                answer = client.embed(model=self._model, input=texts, truncate=True)
            return checked_answer(answer.embeddings, len(texts))
        except (ollama.ResponseError, ValueError) as error:
            cure = "Check OLLAMA_URL and AI_EMBEDDING_MODEL, and see what `ollama serve` says"
            if isinstance(error, ollama.ResponseError) and error.status_code == 404:
                cure = f"Fetch it: ollama pull {self._model}"
            raise EncoderError(
                f"Ollama cannot encode with {self._model}: {shown(str(error))}. {cure}"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, ConnectionError) as error:
            raise EncoderError(
                f"No Ollama answers at {shown(self._url)} ({type(error).__name__}). Start it"
                " (ollama serve), correct OLLAMA_URL, or unset AI_EMBEDDING_MODEL for the bundled"
                " encoder"
            ) from None


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
        for start in range(0, len(told), OPENAI_BATCH):
            rows = told[start : start + OPENAI_BATCH]
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
