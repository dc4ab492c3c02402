"""A sentence's words, and how the passages meet them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy
from numpy.typing import NDArray

from rag.analysis import fold
from rag.checking import facts
from rag.checking.evidence import Evidence
from rag.types import Vectors

Floats: TypeAlias = NDArray[numpy.float64]


@dataclass(frozen=True, slots=True)
class Claim:
    """Hold a sentence's words and how they are met by the units.

    ``clauses`` are its clauses with their rows; ``met`` has shape (words, columns of units),
    ``matched`` (words, columns of words), ``weights`` (words,), ``cosines`` (columns of units,).
    """

    text: str
    clauses: tuple[tuple[str, tuple[int, ...]], ...]
    denied: frozenset[int]
    weights: Floats
    matched: Vectors
    met: Vectors
    cosines: Vectors
    things: tuple[int, ...]


def claimed(evidence: Evidence, sentence: str) -> Claim | None:
    """Return a sentence's words met by the evidence; None when it tells nothing."""
    told = facts.telling(sentence)
    if not told:
        return None
    place = {word: row for row, word in enumerate(told)}
    parts = [
        (part, tuple(place[word] for word in facts.telling(part)))
        for part in facts.clauses(sentence)
    ]
    denied = facts.negated(sentence)
    matched, cosines = evidence.compared(told, sentence)
    return Claim(
        text=sentence,
        clauses=tuple((part, rows) for part, rows in parts if rows),
        denied=frozenset(row for word, row in place.items() if fold(word) in denied),
        weights=evidence.weights(told),
        matched=matched,
        met=evidence.in_units(matched),
        cosines=cosines,
        things=tuple(place[w] for w in sorted(facts.determined(sentence)) if w in place),
    )
