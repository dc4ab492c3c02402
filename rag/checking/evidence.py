"""The passages that a model was given, side by side, to check a sentence in a moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TypeAlias

import numpy

from rag.checking.passages import PassageFacts, WordEncoder, encoded_passage, facts_of
from rag.core.documents import Hit, Vectors
from rag.core.passages import read_passage
from rag.language.analyzer import languages, query_stems

NEAREST, FARTHEST = 0.5, 0.1  # cosines of words that mean the same, and of any two words
ALIKE = 0.9  # what a word of the same meaning counts at most; one of the same stem counts 1

Same: TypeAlias = Sequence[set[int]]  # by passage, numbers of its vocabulary


class Evidence:
    """Hold the passages [1], [2] … of an answer; ``encoder`` None compares words by stem alone.

    Passages are read when the first sentence is judged.
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
    def passages(self) -> tuple[PassageFacts, ...]:
        """Return what the passages say and name, in order."""
        return tuple(read_passage(hit.chunk).part(facts_of) for hit in self._hits)

    @cached_property
    def units(self) -> int:
        """Return the number of the passages' units."""
        return sum(len(one.units) for one in self.passages)

    def alike(self, word: str) -> Same:
        """Return the words of one stem with a word, by passage."""
        stems = query_stems(word, languages(self.lang))
        return [
            {n for stem in stems if stem in one.by_stem for n in one.by_stem[stem]}
            for one in self.passages
        ]

    def weight(self, alike: Same) -> float:
        """Return the weight of a word, higher the fewer units hold the commonest one alike."""
        counts: dict[str, int] = {}
        for passage, numbers in zip(self.passages, alike, strict=True):
            for number in numbers:
                same = passage.vocabulary[number]
                counts[same] = counts.get(same, 0) + passage.counts[number]
        return math.log(1 + self.units / (1 + max(counts.values(), default=0)))

    def asked(self, told: Sequence[str], sentence: str) -> Vectors | None:
        """Return the vectors of a sentence's words and, last, its own; None without an encoder."""
        return self._encoder.encode_passages([*told, sentence]) if self._encoder else None

    def nearest(self, asked: Vectors | None) -> list[float]:
        """Return a sentence's best cosine with each passage's units, 0 where there are none."""
        if asked is None:
            return [0.0] * len(self._hits)
        return [
            max((units @ asked[-1]).tolist(), default=0.0)
            for units in (self._encoded(number)[1] for number in range(len(self._hits)))
        ]

    def matched(self, asked: Vectors | None, alike: Sequence[Same], number: int) -> Vectors:
        """Return how well words are met by those of a passage, in [0, 1], the last 0 for no word.

        The shape is (words, the passage's words + 1).
        """
        size = len(self.passages[number].vocabulary)
        matched = numpy.zeros((len(alike), size + 1), numpy.float32)
        if asked is not None:
            matched[:, :size] = asked[:-1] @ self._encoded(number)[0].T
            _scale(matched)
        for row, same in enumerate(alike):
            if same[number]:
                matched[row, [*same[number]]] = 1.0
        return matched

    def _encoded(self, number: int) -> tuple[Vectors, Vectors]:
        assert self._encoder is not None
        return encoded_passage(self._encoder, self._hits[number].chunk)


def _scale(cosines: Vectors) -> None:
    """Put what words of such cosines count in their place."""
    cosines -= FARTHEST
    cosines /= NEAREST - FARTHEST
    numpy.maximum(cosines, 0.0, out=cosines)
    numpy.minimum(cosines, 1.0, out=cosines)
    cosines *= ALIKE
