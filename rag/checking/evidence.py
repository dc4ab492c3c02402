"""The passages that a model was given, cut and counted to check a sentence in a moment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy
from numpy.typing import NDArray

from rag.analysis import fold, query_stems, words
from rag.checking import facts
from rag.extraction.sentences import split_units
from rag.types import Hit, Vectors

NEAREST, FARTHEST = 0.5, 0.1  # cosines of words that mean the same, and of any two words
ALIKE = 0.9  # what a word of the same meaning counts at most; one of the same stem counts 1


class WordEncoder(Protocol):
    """Turn words and short texts into vectors of one space, in any language, in microseconds."""

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encode texts: (n, dimension) float32, unit rows; zeros for no text."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Hold a sentence, step or row of a passage. Words are numbers of the evidence's vocabulary."""

    passage: int
    line: int
    text: str
    words: frozenset[int]
    denied: frozenset[int]
    numbers: frozenset[str]
    measures: frozenset[tuple[str, str]]
    clauses: tuple[tuple[frozenset[int], frozenset[str]], ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """Hold what a whole passage names, its title and headings with it."""

    lang: str
    heading: frozenset[int]
    denied: frozenset[int]
    words: frozenset[int]
    flat: str
    capitals: frozenset[str]
    steps: frozenset[tuple[str, str]]
    codes: frozenset[str]


class Evidence:
    """Hold the passages [1], [2] … of an answer; ``encoder`` None compares words by stem alone."""

    def __init__(self, hits: Sequence[Hit], lang: str, encoder: WordEncoder | None = None) -> None:
        self.lang = lang
        self._encoder = encoder
        self._numbers: dict[str, int] = {}
        self.units: list[Unit] = []
        self.passages = [self._passage(number, hit) for number, hit in enumerate(hits)]
        self._by_stem: dict[str, list[int]] = {}
        for word, number in self._numbers.items():
            for stem in query_stems(word):
                self._by_stem.setdefault(stem, []).append(number)
        counts = numpy.zeros(len(self._numbers) + 1, numpy.int32)
        for unit in self.units:
            counts[list(unit.words)] += 1
        self._counts = counts
        self._vectors = self._encoded(list(self._numbers))
        self._unit_vectors = self._encoded([unit.text for unit in self.units])
        self.passage_of = numpy.array([unit.passage for unit in self.units], numpy.int32)
        self._flat, self._starts = _concatenated([unit.words for unit in self.units])

    @property
    def knows_meaning(self) -> bool:
        """Say whether words are compared by meaning, not by their stems alone."""
        return self._encoder is not None

    def weights(self, told: Sequence[str]) -> NDArray[numpy.float64]:
        """Return the weight of each word, higher the fewer units hold it."""
        return numpy.array([self._weight(word) for word in told])

    def credits(self, told: Sequence[str]) -> Vectors:
        """Return how well each word is met by each word of the vocabulary: (words, n) in [0, 1].

        A last column of zeros stands for no word.
        """
        matched = numpy.zeros((len(told), len(self._numbers) + 1), numpy.float32)
        if self._vectors is not None and self._encoder is not None:
            cosines = self._encoder.encode_passages(told) @ self._vectors.T
            scaled = numpy.clip((cosines - FARTHEST) / (NEAREST - FARTHEST), 0.0, 1.0)
            matched[:, :-1] = ALIKE * scaled
        for row, word in enumerate(told):
            for stem in query_stems(word):
                matched[row, self._by_stem.get(stem, [])] = 1.0
        return matched

    def unit_credits(self, matched: Vectors) -> Vectors:
        """Return how well each word is met by each unit: (words, units) in [0, 1]."""
        if not self.units:
            return numpy.zeros((len(matched), 0), numpy.float32)
        return numpy.maximum.reduceat(matched[:, self._flat], self._starts, axis=1)

    def cosines(self, sentence: str) -> Vectors:
        """Return the cosine of a sentence with each unit: (units,); zeros without an encoder."""
        if self._unit_vectors is None or self._encoder is None:
            return numpy.zeros(len(self.units), numpy.float32)
        return numpy.asarray(self._unit_vectors @ self._encoder.encode_passages([sentence])[0])

    def _weight(self, word: str) -> float:
        held = [self._by_stem.get(stem, []) for stem in query_stems(word)]
        count = max((int(self._counts[n]) for numbers in held for n in numbers), default=0)
        return math.log(1 + len(self.units) / (1 + count))

    def _encoded(self, texts: list[str]) -> Vectors | None:
        return self._encoder.encode_passages(texts) if self._encoder and texts else None

    def _word_numbers(self, text: str) -> frozenset[int]:
        numbers = self._numbers
        return frozenset(numbers.setdefault(word, len(numbers)) for word in facts.telling(text))

    def _denied(self, text: str) -> frozenset[int]:
        denied = facts.negated(text)
        told = [word for word in facts.telling(text) if fold(word) in denied]
        return frozenset(self._numbers[word] for word in told)

    def _passage(self, number: int, hit: Hit) -> Passage:
        chunk = hit.chunk
        start = len(self.units)
        pieces = split_units(chunk.text)
        for piece in pieces:
            heads = [pieces[head].text for head in piece.heads if pieces[head].kind == "header"]
            self.units.append(self._unit(number, piece.line, piece.text, " ".join(heads)))
        heading = self._word_numbers(chunk.path)
        held = heading.union(*(unit.words for unit in self.units[start:]))
        whole = f"{chunk.path}\n{chunk.text}"
        return Passage(
            lang=chunk.lang,
            heading=heading,
            denied=self._denied(chunk.path),
            words=held,
            flat=flat(whole),
            capitals=frozenset(facts.capitalised(whole)),
            steps=frozenset(facts.menu_steps(whole)),
            codes=frozenset(facts.codes(whole)),
        )

    def _unit(self, passage: int, line: int, text: str, header: str) -> Unit:
        found = self._word_numbers(f"{text} {header}")
        return Unit(
            passage=passage,
            line=line,
            text=text,
            words=found,
            denied=self._denied(text),
            numbers=frozenset(facts.numbers(f"{text} {header}")),
            measures=frozenset(facts.measures(f"{text} {header}")),
            clauses=tuple(
                (self._word_numbers(clause), frozenset(map(fold, words(clause))))
                for clause in facts.clauses(text)
            ),
        )


def flat(text: str) -> str:
    """Return the folded words of a text between single spaces, one before and one after."""
    return f" {' '.join(map(fold, words(text)))} "


def _concatenated(
    groups: Sequence[frozenset[int]],
) -> tuple[NDArray[numpy.int64], NDArray[numpy.int64]]:
    """Return the numbers of all groups one after the other, and where each group begins.

    A group without numbers holds -1, the column of no word.
    """
    lists = [sorted(group) or [-1] for group in groups]
    starts = numpy.cumsum([0, *map(len, lists)])[:-1]
    return numpy.array([n for one in lists for n in one], numpy.int64), starts
