"""What a chunk says and names, cut and counted once, to check sentences in a moment."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Protocol, TypeAlias

import numpy
from numpy.typing import NDArray

from rag.checking import facts
from rag.core.documents import Chunk, Vectors
from rag.core.passages import read_passage
from rag.language.analyzer import fold, languages, query_stems, words
from rag.language.lexicon import Clause, marks
from rag.language.sentences import split_units

Places: TypeAlias = NDArray[numpy.int64]
HEADING = 0.7  # what a word counts that only the passage's title or headings hold
ELSEWHERE = 0.5  # what a word counts that only another sentence of the passage holds
CHUNKS_ENCODED = 512  # kept: some 110 KB each, 3 KB a word or unit


class WordEncoder(Hashable, Protocol):
    """Turn words and short texts into vectors of one space, in any language, in microseconds."""

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Encode texts: (n, dimension) float32, unit rows; zeros for no text."""


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Hold columns group after group; a group without any holds the column of nothing."""

    columns: Places
    starts: Places

    @classmethod
    def of(cls, groups: Iterable[Iterable[int]], nothing: int) -> Groups:
        """Lay groups one after the other; ``nothing`` is the column of nothing."""
        columns: list[int] = []
        starts: list[int] = []
        for group in groups:
            starts.append(len(columns))
            columns += sorted(group) or [nothing]
        return cls(numpy.array(columns, numpy.int64), numpy.array(starts, numpy.int64))

    def best(self, matched: Vectors) -> Vectors:
        """Return the highest value in each group: (rows, columns) to (rows, groups)."""
        if not self.starts.size:
            return numpy.zeros((len(matched), 0), matched.dtype)
        return numpy.maximum.reduceat(matched.take(self.columns, axis=1), self.starts, axis=1)


@dataclass(frozen=True, slots=True)
class Unit:
    """Hold a sentence, step or row of a passage. Words are numbers of its vocabulary."""

    line: int
    text: str
    words: frozenset[int]
    denied: frozenset[int]
    numbers: frozenset[str]
    measures: frozenset[tuple[str, str]]
    clauses: tuple[tuple[frozenset[int], frozenset[str]], ...]


@dataclass(frozen=True, slots=True, eq=False)
class PassageFacts:
    """Hold what a whole passage names, its title and headings with it.

    The column after the last word is that of no word; the columns after the last unit are those
    of no unit and of the headings, and ``said`` holds the words of each.
    ``by_stem`` are the numbers of the words of each stem; ``counts`` tells how many units hold
    each word; ``denials`` are the words that some unit denies. ``clauses`` are the words of all
    clauses that tell something, ``written`` all words of each, folded, ``marks`` what these have
    to oppose. ``reach`` tells what each word counts in each pair of neighbouring units (or the
    only unit, or none): (windows, columns of words).
    """

    lang: str
    vocabulary: tuple[str, ...]
    units: tuple[Unit, ...]
    heading: frozenset[int]
    denied: frozenset[int]
    flat: str
    capitals: frozenset[str]
    steps: frozenset[tuple[str, str]]
    codes: frozenset[str]
    addresses: frozenset[str]
    by_stem: dict[str, tuple[int, ...]]
    counts: tuple[int, ...]
    denials: Places
    said: Groups
    reach: Vectors
    clauses: Groups
    written: tuple[Clause, ...]
    marks: frozenset[object]


def facts_of(chunk: Chunk) -> PassageFacts:
    """Return what a chunk says and names."""
    numbers: dict[str, int] = {}
    pieces = split_units(chunk.text)
    units = []
    for piece in pieces:
        heads = [pieces[head].text for head in piece.heads if pieces[head].kind == "header"]
        units.append(_unit(numbers, piece.line, piece.text, " ".join(heads)))
    heading = _numbered(numbers, facts.telling(chunk.path))
    whole = f"{chunk.path}\n{chunk.text}"
    clauses = [clause for unit in units for clause in unit.clauses if clause[0]]
    written = tuple(Clause(words) for _, words in clauses)
    return PassageFacts(
        lang=chunk.lang,
        vocabulary=tuple(numbers),
        units=tuple(units),
        heading=heading,
        denied=_denied(numbers, chunk.path),
        flat=flat(whole),
        capitals=frozenset(facts.capitalised(whole)),
        steps=frozenset(facts.menu_steps(whole)),
        codes=frozenset(facts.codes(whole)),
        addresses=frozenset(facts.addresses(f"{whole}\n{chunk.url}")),
        by_stem=_by_stem(numbers, chunk.lang),
        counts=_counts(units, len(numbers)),
        denials=numpy.array(sorted(frozenset().union(*(u.denied for u in units))), numpy.int64),
        said=Groups.of([*(unit.words for unit in units), (), heading], len(numbers)),
        reach=_reach([unit.words for unit in units], heading, len(numbers)),
        clauses=Groups.of([held for held, _ in clauses], len(numbers)),
        written=written,
        marks=marks(written),
    )


@lru_cache(maxsize=CHUNKS_ENCODED)
def encoded_passage(encoder: WordEncoder, chunk: Chunk) -> tuple[Vectors, Vectors]:
    """Return the vectors of a chunk's vocabulary and of its units: (words, d), (units, d)."""
    passage = read_passage(chunk).part(facts_of)
    texts = (*passage.vocabulary, *(unit.text for unit in passage.units))
    vectors = encoder.encode_passages(texts)
    count = len(passage.vocabulary)
    return vectors[:count], vectors[count:]


def flat(text: str) -> str:
    """Return the folded words of a text between single spaces, one before and one after."""
    return f" {' '.join(map(fold, words(text)))} "


def _unit(numbers: dict[str, int], line: int, text: str, header: str) -> Unit:
    whole = f"{text} {header}" if header else text
    return Unit(
        line=line,
        text=text,
        words=_numbered(numbers, facts.telling(whole)),
        denied=_denied(numbers, text),
        numbers=frozenset(facts.numbers(whole)),
        measures=frozenset(facts.measures(whole)),
        clauses=tuple(
            (_numbered(numbers, facts.telling(clause)), frozenset(map(fold, facts.spoken(clause))))
            for clause in facts.clauses(text)
        ),
    )


def _numbered(numbers: dict[str, int], told: Iterable[str]) -> frozenset[int]:
    return frozenset(numbers.setdefault(word, len(numbers)) for word in told)


def _denied(numbers: dict[str, int], text: str) -> frozenset[int]:
    denied = facts.negated(text)
    return _numbered(numbers, (word for word in facts.telling(text) if fold(word) in denied))


def _by_stem(vocabulary: Iterable[str], lang: str) -> dict[str, tuple[int, ...]]:
    langs = languages(lang)
    found: dict[str, tuple[int, ...]] = {}
    for number, word in enumerate(vocabulary):
        for stem in query_stems(word, langs):
            found[stem] = (*found.get(stem, ()), number)
    return found


def _counts(units: Iterable[Unit], size: int) -> tuple[int, ...]:
    counts = numpy.zeros(size, numpy.int32)
    for unit in units:
        counts[list(unit.words)] += 1
    return tuple(counts.tolist())


def _reach(units: Sequence[frozenset[int]], heading: frozenset[int], size: int) -> Vectors:
    windows = [one | two for one, two in pairwise(units)] or units or [frozenset()]
    reach = numpy.full((len(windows), size + 1), ELSEWHERE, numpy.float32)
    reach[:, list(heading)] = HEADING
    for row, window in zip(reach, windows, strict=True):
        row[list(window)] = 1.0
    return reach
