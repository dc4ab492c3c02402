"""The bundled encoder: a text's vector is the mean of its subwords' rows, brought to length 1.

It reads a folder in sentence-transformers' `StaticEmbedding` format with numpy and `tokenizers`.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path

import numpy
from numpy.typing import NDArray
from rapidfuzz.distance import OSA
from tokenizers import Tokenizer

from rag.core.documents import Vectors
from rag.core.errors import EncoderError
from rag.encoders.vectors import unit_rows

WEIGHTS = "embedding.weight"
NUMBERS = {"F32": numpy.float32, "F16": numpy.float16}
WORD = re.compile(r"[^\W_]+")
CACHED_WORDS = 100_000


def bundled_folder() -> Path:
    """Return the folder of the encoder that comes with the package."""
    return Path(__file__).parent / "bundled"


class StaticEncoder:
    """Encode with a table of subword vectors. Questions and passages are encoded alike."""

    def __init__(self, folder: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            data = (folder / "model.safetensors").read_bytes()
            self._table = _read_table(data)
        except Exception as error:  # `tokenizers` raises Exception itself
            raise EncoderError(
                f"The encoder in {folder} cannot be read ({error}). Install Souffleur again, or"
                " train it: python training/train_encoder.py --help"
            ) from error
        revision = hashlib.sha256(data).hexdigest()[:8]
        self._name = f"souffleur-static-fr-en@{revision}"
        self._word_ids = lru_cache(CACHED_WORDS)(self._ids_of_word)

    @property
    def name(self) -> str:
        """Return the name and revision that an index remembers."""
        return self._name

    @property
    def dimension(self) -> int:
        """Return the length of its vectors."""
        return int(self._table.shape[1])

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encode texts: (n, dimension) float32, unit rows; zeros where no subword is known."""
        sums = numpy.zeros((len(texts), self.dimension), numpy.float32)
        for row, text in enumerate(texts):
            ids = self.subwords(text)
            if ids:
                # a product with ones sums rows faster than their sum
                sums[row] = numpy.ones(len(ids), numpy.float32) @ self._table.take(ids, axis=0)
        return unit_rows(sums)

    def encode_queries(self, texts: Sequence[str], timeout_s: float = 60.0) -> Vectors:
        """Encode questions, as passages are."""
        return self.encode_passages(texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Count the subwords of each text."""
        return [len(self.subwords(text)) for text in texts]

    def unit_rows(self, ids: NDArray[numpy.int32]) -> Vectors:
        """Return the rows of these subwords brought to length 1: (n, dimension) float32."""
        return self._table[ids] / self._norms[ids, None]

    def subword_cosines(self, ids: NDArray[numpy.int32], vectors: Vectors) -> Vectors:
        """Return the cosine of each of these subwords with each unit row: (ids, rows) float32."""
        # the products are divided, not the rows: these are a hundred times as many numbers
        products: Vectors = self._table.take(ids, axis=0) @ vectors.T
        products /= self._norms.take(ids)[:, None]
        return products

    def knows(self, word: str) -> bool:
        """Say whether this is one subword, so a word that stood often in the training texts."""
        return len(self.subwords(word)) == 1

    def nearest_word(self, word: str) -> str | None:
        """Return the commonest whole word one edit away that begins alike, None without one."""
        near = [w for w in self._whole_words.get(word[:1], ()) if OSA.distance(w, word) == 1]
        return min(near, key=lambda w: self._tokenizer.token_to_id(w) or 0, default=None)

    @cached_property
    def _norms(self) -> Vectors:
        return numpy.maximum(numpy.linalg.norm(self._table, axis=1), numpy.float32(1e-9))

    @cached_property
    def _whole_words(self) -> dict[str, list[str]]:
        words: dict[str, list[str]] = {}
        for word in self._tokenizer.get_vocab():
            if word.isalpha():
                words.setdefault(word[0], []).append(word)
        return words

    def subwords(self, text: str) -> list[int]:
        """Return the ids of a text's subwords, in order."""
        # no subword spans two words: their ids can be kept by word
        words = WORD.findall(unicodedata.normalize("NFKC", text))
        return list(chain.from_iterable(map(self._word_ids, words)))

    def _ids_of_word(self, word: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(word, add_special_tokens=False).ids)


def _read_table(data: bytes) -> Vectors:
    """Return the table of a safetensors file (8 bytes of header length, JSON header, numbers)."""
    start = 8 + int.from_bytes(data[:8], "little")
    tensor = json.loads(data[8:start])[WEIGHTS]
    first, last = tensor["data_offsets"]
    numbers = numpy.frombuffer(data[start + first : start + last], NUMBERS[tensor["dtype"]])
    return numbers.reshape(tensor["shape"]).astype(numpy.float32)
