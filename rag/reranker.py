"""The second stage: the best candidates, read word by word with the bundled encoder's vectors.

Two features are added to the fused score, their weights chosen on the sets of docs/quality.md:

- *headings*: the cosine of the question and of the chunk's title and headings, or of the
  nearest of the questions that its page says it answers;
- *words*: how well the chunk holds each of the question's words, in itself or by a word of
  close meaning: the mean, weighted by idf, of each word's best cosine with the chunk's subwords
  (a late interaction after Khattab & Zaharia 2020, https://arxiv.org/abs/2004.12832, on static
  vectors).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy

from rag.types import Chunk, Vectors

if TYPE_CHECKING:
    from rag.encoders.static import StaticEncoder

HEADINGS_WEIGHT = 0.3
WORDS_WEIGHT = 0.4
REMEMBERED = 4_096  # chunks whose subwords are kept between questions: about 15 MB


@dataclass(frozen=True, slots=True)
class Reading:
    """Hold what is read of a chunk once: its distinct subwords, the vectors of its headings.

    ``headings`` has a row for the title and headings together, and one a question; maybe none.
    """

    subwords: numpy.typing.NDArray[numpy.int64]
    headings: Vectors


@dataclass(frozen=True, slots=True)
class Features:
    """Hold the two features of each chunk, (n,) float32 in [-1, 1]; headings NaN without any."""

    headings: Vectors
    words: Vectors


class Reranker:
    """Read candidates with the bundled encoder. Safe to share between threads."""

    def __init__(self, encoder: StaticEncoder) -> None:
        self._encoder = encoder
        self._readings: dict[str, Reading] = {}

    def features(
        self, question: str, weights: Mapping[str, float], chunks: Sequence[Chunk]
    ) -> Features:
        """Return the features of each chunk; ``weights`` are the question's words and their idf."""
        readings = [self._reading(chunk) for chunk in chunks]
        asked = self._encoder.encode_queries([question])[0]
        headings = [
            (reading.headings @ asked).max() if len(reading.headings) else numpy.nan
            for reading in readings
        ]
        return Features(numpy.array(headings, numpy.float32), self._words(weights, readings))

    def _words(self, weights: Mapping[str, float], readings: Sequence[Reading]) -> Vectors:
        total = sum(weights.values())
        if not total or not readings:
            return numpy.zeros(len(readings), numpy.float32)
        subwords = numpy.unique(numpy.concatenate([r.subwords for r in readings]))
        words = self._encoder.encode_queries(list(weights))
        near = numpy.clip(self._encoder.unit_rows(subwords) @ words.T, 0, None)
        share = numpy.array(list(weights.values()), numpy.float32) / total
        return numpy.array(
            [
                near[numpy.searchsorted(subwords, r.subwords)].max(axis=0, initial=0) @ share
                for r in readings
            ],
            numpy.float32,
        )

    def _reading(self, chunk: Chunk) -> Reading:
        reading = self._readings.get(chunk.id)
        if reading is None:
            if len(self._readings) >= REMEMBERED:
                self._readings.clear()
            headings = " ".join((chunk.title, *chunk.headings)).strip()
            titles = [text for text in (headings, *chunk.questions) if text]
            subwords = self._encoder.subwords("\n".join((*titles, chunk.text)))
            vectors = self._encoder.encode_passages(titles)
            reading = Reading(numpy.unique(numpy.array(subwords, numpy.int64)), vectors)
            self._readings[chunk.id] = reading
        return reading


def rescore(
    fused: Mapping[str, float], cosines: Mapping[str, float], ids: Sequence[str], found: Features
) -> dict[str, float]:
    """Return the final score of each candidate: higher is better, about 1 at best.

    A chunk without headings gets its own cosine in their place.
    """
    floor = min(cosines.values(), default=0.0)
    whole = 1 + HEADINGS_WEIGHT + WORDS_WEIGHT
    scores: dict[str, float] = {}
    for i, headings, words in zip(ids, found.headings, found.words, strict=True):
        stand_in = cosines.get(i, floor) if numpy.isnan(headings) else headings
        total = fused[i] + HEADINGS_WEIGHT * stand_in + WORDS_WEIGHT * words
        scores[i] = float(total) / whole
    return scores
