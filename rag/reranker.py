"""The second stage: the best candidates, read word by word with the bundled encoder's vectors.

Three features are added to the fused score, their weights chosen on the sets of docs/quality.md:

- *headings*: the cosine of the question and of the chunk's title and headings, or of the
  nearest of the questions that its page says it answers;
- *words*: how well the chunk holds each of the question's words, in itself or by a word of
  close meaning: the mean, weighted by idf, of each word's best cosine with the chunk's subwords
  (a late interaction after Khattab & Zaharia 2020, https://arxiv.org/abs/2004.12832, on static
  vectors);
- *page*: the same over all the candidates of the chunk's page together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy
from numpy.typing import NDArray

from rag.core.documents import Chunk, Vectors, Window
from rag.question import Question

if TYPE_CHECKING:
    from rag.encoders.static import StaticEncoder

HEADINGS_WEIGHT, WORDS_WEIGHT, PAGE_WEIGHT = 0.35, 0.4, 0.3
Unit = Chunk | Window
WRITTEN_WEIGHT = 0.65  # of a word that manuals write for the asker's
REMEMBERED = 20_000  # chunks whose readings are kept between questions: about 40 MB


@dataclass(frozen=True, slots=True)
class Reading:
    """Hold what is read of a chunk once: its distinct subwords, the vectors of its headings.

    ``headings`` has a row for the title and headings together, and one a question; maybe none.
    Its numbers are halved in size: it is kept for many chunks.
    """

    subwords: NDArray[numpy.int32]
    headings: NDArray[numpy.float16]


@dataclass(frozen=True, slots=True)
class Features:
    """Hold the features of each chunk, (n,) float32 in [-1, 1]; headings NaN without any."""

    headings: Vectors
    words: Vectors
    page: Vectors


class Reranker:
    """Read candidates with the bundled encoder. Safe to share between threads."""

    def __init__(self, encoder: StaticEncoder) -> None:
        self._encoder = encoder
        self._readings: dict[str, Reading] = {}

    def features(
        self,
        question: Question,
        weights: Mapping[str, float],
        units: Sequence[Unit],
        *,
        as_written: bool = True,
    ) -> Features:
        """Return the features of each unit; ``weights`` are the question's words and their idf.

        ``as_written``: a word is near by what manuals write for it, too.
        """
        readings = [self._reading(unit) for unit in units]
        asked = question.vector(self._encoder)
        headings = [
            (reading.headings.astype(numpy.float32) @ asked).max()
            if len(reading.headings)
            else numpy.nan
            for reading in readings
        ]
        words = list(weights)
        near = self._nearness(words, readings)
        if as_written:
            near = self._as_written(question, words, readings, near)
        share = numpy.array(list(weights.values()), numpy.float32)
        share /= share.sum() or 1.0
        pages = numpy.array([unit.page for unit in units])
        whole = [near[pages == page].max(axis=0) for page in pages]
        return Features(
            headings=numpy.array(headings, numpy.float32),
            words=near @ share,
            page=numpy.array(whole, numpy.float32).reshape(near.shape) @ share,
        )

    def _as_written(
        self, question: Question, words: Sequence[str], readings: Sequence[Reading], near: Vectors
    ) -> Vectors:
        """Return how near the words are, or what manuals write for them, whichever is nearer."""
        said = {n: question.written[w] for n, w in enumerate(words) if w in question.written}
        others = list(dict.fromkeys(word for written in said.values() for word in written))
        other = WRITTEN_WEIGHT * self._nearness(others, readings)
        nearer = near.copy()
        for n, written in said.items():
            places = [others.index(word) for word in written]
            nearer[:, n] = numpy.maximum(near[:, n], other[:, places].max(axis=1))
        return nearer

    def _nearness(self, words: Sequence[str], readings: Sequence[Reading]) -> Vectors:
        """Return each word's best cosine with each chunk's subwords: (chunks, words) in [0, 1]."""
        near = numpy.zeros((len(readings), len(words)), numpy.float32)
        if not words or not readings:
            return near
        subwords = numpy.unique(numpy.concatenate([r.subwords for r in readings]))
        cosines = self._encoder.subword_cosines(subwords, self._encoder.encode_queries(words))
        for row, reading in zip(near, readings, strict=True):
            places = numpy.searchsorted(subwords, reading.subwords)
            cosines[places].max(axis=0, initial=0, out=row)
        return near

    def _reading(self, unit: Unit) -> Reading:
        reading = self._readings.get(unit.id)
        if reading is None:
            if len(self._readings) >= REMEMBERED:
                self._readings.clear()
            subwords = self._encoder.subwords(unit.searched)
            vectors = self._encoder.encode_passages(_titles(unit))
            reading = Reading(
                numpy.unique(numpy.array(subwords, numpy.int32)), vectors.astype(numpy.float16)
            )
            self._readings[unit.id] = reading
        return reading


def _titles(unit: Unit) -> list[str]:
    """Return what names a unit: its title with its headings, and the questions that it answers.

    The headings of a chunk are one path; those of a window stand each for a part of it.
    """
    if isinstance(unit, Window):
        names = [f"{unit.title} {heading}" for heading in unit.headings] or [unit.title]
    else:
        names = [" ".join((unit.title, *unit.headings))]
    return [name.strip() for name in (*names, *unit.questions) if name.strip()]


def nearness(found: Features) -> list[float]:
    """Return how near to the question each unit is by itself: higher is nearer."""
    headings = numpy.nan_to_num(found.headings)
    near: list[float] = (HEADINGS_WEIGHT * headings + WORDS_WEIGHT * found.words).tolist()
    return near


def rescore(
    fused: Mapping[str, float], cosines: Mapping[str, float], ids: Sequence[str], found: Features
) -> dict[str, float]:
    """Return the final score of each candidate: higher is better, about 1 at best.

    A chunk without headings gets its own cosine in their place.
    """
    floor = min(cosines.values(), default=0.0)
    whole = 1 + HEADINGS_WEIGHT + WORDS_WEIGHT + PAGE_WEIGHT
    scores: dict[str, float] = {}
    for i, headings, words, page in zip(ids, found.headings, found.words, found.page, strict=True):
        stand_in = cosines.get(i, floor) if numpy.isnan(headings) else headings
        read = HEADINGS_WEIGHT * stand_in + WORDS_WEIGHT * words + PAGE_WEIGHT * page
        scores[i] = float(fused[i] + read) / whole
    return scores
