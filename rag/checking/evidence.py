"""The passages that a model was given, side by side, to check a sentence in a moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate

import numpy
from numpy.typing import NDArray

from rag.analysis import query_stems
from rag.checking.passages import (
    Passage,
    Places,
    WordEncoder,
    encoded_passage,
    read_passage,
)
from rag.types import Hit, Vectors

NEAREST, FARTHEST = 0.5, 0.1  # cosines of words that mean the same, and of any two words
ALIKE = 0.9  # what a word of the same meaning counts at most; one of the same stem counts 1


class Evidence:
    """Hold the passages [1], [2] … of an answer; ``encoder`` None compares words by stem alone.

    Passages are read when the first sentence is judged. Their words stand in columns, passage
    after passage, each with a last one for no word; their units likewise, each passage's with one
    for no unit and one for its title and headings.
    """

    def __init__(self, hits: Sequence[Hit], lang: str, encoder: WordEncoder | None = None) -> None:
        self.lang = lang
        self._hits = tuple(hits)
        self._encoder = encoder

    @property
    def knows_meaning(self) -> bool:
        """Say whether words are compared by meaning, not by their stems alone."""
        return self._encoder is not None

    @cached_property
    def passages(self) -> tuple[Passage, ...]:
        """Return what the passages say and name, in order."""
        return tuple(read_passage(hit.chunk) for hit in self._hits)

    @cached_property
    def first_words(self) -> list[int]:
        """Return each passage's first column of words, then the number of them all."""
        return list(accumulate((len(one.vocabulary) + 1 for one in self.passages), initial=0))

    @cached_property
    def first_units(self) -> list[int]:
        """Return each passage's first column of units, then the number of them all."""
        return list(accumulate((len(one.units) + 2 for one in self.passages), initial=0))

    @cached_property
    def headings(self) -> Places:
        """Return each passage's column of its title and headings."""
        return numpy.array(self.first_units[1:], numpy.int64) - 1

    @cached_property
    def windows(self) -> tuple[Places, Places, Places]:
        """Return the first and the last unit of each window: (2, n), its passage, its start."""
        passages, firsts = self.passages, self.first_units
        windows = [one.windows + first for one, first in zip(passages, firsts, strict=False)]
        sizes = [part.shape[1] for part in windows]
        passage = numpy.arange(len(windows)).repeat(numpy.array(sizes))
        starts = numpy.array([0, *accumulate(sizes)][:-1], numpy.int64)
        return numpy.concatenate(windows, axis=1), passage, starts

    def weights(self, told: Sequence[str]) -> NDArray[numpy.float64]:
        """Return the weight of each word, higher the fewer units hold it."""
        return numpy.array([self._weight(word) for word in told])

    def compared(self, told: Sequence[str], sentence: str) -> tuple[Vectors, Vectors]:
        """Return how well a sentence's words are met, and its cosine with each unit.

        The first is (words, columns of words) in [0, 1], the second (columns of units,), zeros
        without an encoder.
        """
        words, units = self.first_words, self.first_units
        matched = numpy.zeros((len(told), words[-1]), numpy.float32)
        cosines = numpy.zeros(units[-1], numpy.float32)
        if self._encoder is not None:
            asked = self._encoder.encode_passages([*told, sentence])
            for number, (vocabulary, sentences) in enumerate(self._encoded):
                matched[:, words[number] : words[number + 1] - 1] = asked[:-1] @ vocabulary.T
                cosines[units[number] : units[number + 1] - 2] = sentences @ asked[-1]
            matched = _scaled(matched)
        for row, word in enumerate(told):
            for stem in query_stems(word):
                for first, passage in zip(words, self.passages, strict=False):
                    for number in passage.by_stem.get(stem, ()):
                        matched[row, first + number] = 1.0
        return matched, cosines

    def in_units(self, matched: Vectors) -> Vectors:
        """Return how well each word is met by each unit and heading: (words, columns of units)."""
        columns, starts = self._said
        return numpy.maximum.reduceat(matched.take(columns, axis=1), starts, axis=1)

    def anywhere(self, matched: Vectors) -> Vectors:
        """Return how well each word is met by each passage: (words, passages)."""
        return numpy.maximum.reduceat(matched, self.first_words[:-1], axis=1)

    @cached_property
    def _said(self) -> tuple[Places, Places]:
        """Return the columns of words of each column of units, and where each one's begin."""
        said = [passage.said for passage in self.passages]
        before = accumulate((one.columns.size for one in said), initial=0)
        columns = [one.columns + first for one, first in zip(said, self.first_words, strict=False)]
        starts = [one.starts + count for one, count in zip(said, before, strict=False)]
        return numpy.concatenate(columns), numpy.concatenate(starts)

    @cached_property
    def _encoded(self) -> list[tuple[Vectors, Vectors]]:
        encoder = self._encoder
        return [encoded_passage(encoder, hit.chunk) for hit in self._hits] if encoder else []

    def _weight(self, word: str) -> float:
        """Return a word's weight by the commonest of the passages' words of one stem with it."""
        stems = query_stems(word)
        counts: dict[str, int] = {}
        for passage in self.passages:
            for number in {n for stem in stems for n in passage.by_stem.get(stem, ())}:
                same = passage.vocabulary[number]
                counts[same] = counts.get(same, 0) + passage.counts[number]
        units = self.first_units[-1] - 2 * len(self.passages)
        return math.log(1 + units / (1 + max(counts.values(), default=0)))


def _scaled(cosines: Vectors) -> Vectors:
    """Return what words of such cosines count."""
    scaled = (cosines - FARTHEST) / (NEAREST - FARTHEST)
    return ALIKE * numpy.minimum(numpy.maximum(scaled, 0.0), 1.0)
