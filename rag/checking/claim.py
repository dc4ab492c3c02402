"""A sentence's words, and how the passages meet them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy
from numpy.typing import NDArray

from rag.checking import facts
from rag.checking.evidence import Evidence, Same
from rag.core.documents import Vectors
from rag.language.analyzer import fold

Floats: TypeAlias = NDArray[numpy.float64]


@dataclass(frozen=True, slots=True)
class Claim:
    """Hold a sentence's words and what the passages have in common with them.

    ``clauses`` are its clauses with their rows, ``alike`` the passages' words of one stem with
    each word, ``asked`` the vectors; ``nearest`` is the best cosine with each passage's units.
    ``in_clauses`` are the words' weights, each times the clauses that hold the word.
    """

    text: str
    clauses: tuple[tuple[str, list[int]], ...]
    denied: frozenset[int]
    weights: Floats
    in_clauses: list[float]
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
    clauses = tuple((part, rows) for part, rows in parts if rows)
    denied = facts.negated(sentence)
    alike = [evidence.alike(word) for word in told]
    weights = [evidence.weight(same) for same in alike]
    asked = evidence.asked(told, sentence)
    return Claim(
        text=sentence,
        clauses=clauses,
        denied=frozenset(row for word, row in place.items() if denied and fold(word) in denied),
        weights=numpy.array(weights),
        in_clauses=_in_clauses(weights, [rows for _, rows in clauses]),
        alike=alike,
        asked=asked,
        nearest=evidence.nearest(asked),
        things=[place[w] for w in sorted(facts.determined(sentence)) if w in place],
    )


def _in_clauses(weights: list[float], clauses: Sequence[Sequence[int]]) -> list[float]:
    if len(clauses) == 1:
        return weights
    counts = Counter(row for rows in clauses for row in rows)
    return [weight * counts[row] for row, weight in enumerate(weights)]
