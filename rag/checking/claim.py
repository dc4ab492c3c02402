"""A sentence's words, and how the passages meet them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy
from numpy.typing import NDArray

from rag.analysis import fold
from rag.checking import facts
from rag.checking.evidence import Evidence, Same
from rag.types import Vectors

Floats: TypeAlias = NDArray[numpy.float64]


@dataclass(frozen=True, slots=True)
class Claim:
    """Hold a sentence's words and what the passages have in common with them.

    ``clauses`` are its clauses with their rows, ``alike`` the passages' words of one stem with
    each word, ``asked`` the vectors; ``nearest`` is the best cosine with each passage's units.
    """

    text: str
    clauses: tuple[tuple[str, list[int]], ...]
    denied: frozenset[int]
    weights: Floats
    alike: Sequence[Same]
    asked: Vectors | None
    nearest: list[float]
    things: list[int]


def claimed(evidence: Evidence, sentence: str) -> Claim | None:
    """Return a sentence's words met by the evidence; None when it tells nothing."""
    told = facts.telling(sentence)
    if not told:
        return None
    place = {word: row for row, word in enumerate(told)}
    parts = [
        (part, [place[word] for word in facts.telling(part)]) for part in facts.clauses(sentence)
    ]
    denied = facts.negated(sentence)
    alike = [evidence.alike(word) for word in told]
    asked = evidence.asked(told, sentence)
    return Claim(
        text=sentence,
        clauses=tuple((part, rows) for part, rows in parts if rows),
        denied=frozenset(row for word, row in place.items() if denied and fold(word) in denied),
        weights=numpy.array([evidence.weight(same) for same in alike]),
        alike=alike,
        asked=asked,
        nearest=evidence.nearest(asked),
        things=[place[w] for w in sorted(facts.determined(sentence)) if w in place],
    )
