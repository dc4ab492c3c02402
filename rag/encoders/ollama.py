"""Embedding models of an Ollama server."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import httpx
import numpy
import ollama

from rag.config.settings import shown
from rag.core.documents import Vectors
from rag.core.errors import EncoderError
from rag.encoders.vectors import checked_answer, estimated_tokens, unit_rows

TIMEOUT_S = 60.0
BATCH = 64
# nomic-embed-text was trained with these (Nussbaum et al. 2024, https://arxiv.org/abs/2402.01613)
PREFIXES = {"nomic-embed-text": ("search_query: ", "search_document: ")}


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
        for start in range(0, len(told), BATCH):
            rows = told[start : start + BATCH]
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
