"""A page read once, however often it is asked about: its sections, their words, what they give.

What is kept depends on the page alone; questions are compared with it in a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy
from numpy.typing import NDArray

from rag.extraction.asked import subject
from rag.extraction.finishing import is_aside
from rag.extraction.holding import Credits, Places, Words, heads_of
from rag.extraction.sections import Section, has_steps
from rag.extraction.sentences import Unit

PAGES_KEPT = 500  # some 60 KB each
FIRST = 0.1  # what standing first in its section is worth


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Hold what can be said of a page's sections before a question is asked.

    ``words`` are of the units, then of the title and of the headings of each section; ``bounds``
    where each section's units begin, and where the last ends. ``before`` and ``after`` are each
    unit's neighbours in its section, the number of units for none; ``section_of`` its section.
    """

    sections: tuple[Section, ...]
    units: tuple[Unit, ...]
    bounds: tuple[int, ...]
    words: Words
    heads: Places
    section_of: Places
    before: Places
    after: Places
    first: Credits
    asides: Credits
    steps: tuple[bool, ...]
    asking: NDArray[numpy.bool_]


@lru_cache(maxsize=PAGES_KEPT)
def read(sections: tuple[Section, ...]) -> Reading:
    """Return what sections of one page say."""
    bounds = [0]
    for section in sections:
        bounds.append(bounds[-1] + len(section.units))
    units = _flat(sections)
    chunks = [section.chunks[0] for section in sections]
    texts = [unit.text for unit in units]
    named = [*(chunk.title for chunk in chunks), *(chunk.heading for chunk in chunks)]
    firsts = [FIRST * (1 - i / len(one.units)) for one in sections for i in range(len(one.units))]
    every = range(len(units))
    starts, ends = set(bounds[:-1]), {bound - 1 for bound in bounds[1:]}
    return Reading(
        sections=sections,
        units=units,
        bounds=tuple(bounds),
        words=Words.of([*texts, *named], chunks[0].lang),
        heads=heads_of(units),
        section_of=numpy.repeat(numpy.arange(len(sections)), numpy.diff(bounds)),
        before=numpy.array([len(units) if i in starts else i - 1 for i in every], numpy.intp),
        after=numpy.array([len(units) if i in ends else i + 1 for i in every], numpy.intp),
        first=numpy.array(firsts),
        asides=numpy.array([float(is_aside(text)) for text in texts]),
        steps=tuple(has_steps(section.units) for section in sections),
        asking=numpy.array([chunk.heading.endswith("?") for chunk in chunks]),
    )


@lru_cache(maxsize=4 * PAGES_KEPT)
def given(reading: Reading, gives: Callable[[str], float]) -> Credits:
    """Return how far each unit gives a kind of thing (see `asked.giving`)."""
    return numpy.array([gives(unit.text) for unit in reading.units], numpy.float64)


@lru_cache(maxsize=PAGES_KEPT)
def subjects(reading: Reading) -> tuple[frozenset[str], ...]:
    """Return the stems of what each unit defines."""
    return tuple(subject(unit.text) for unit in reading.units)


def _flat(sections: Sequence[Section]) -> tuple[Unit, ...]:
    """Return the units of all sections, with the positions that they have there."""
    units: list[Unit] = []
    for section in sections:
        shift = len(units)
        units.extend(
            replace(unit, heads=tuple(head + shift for head in unit.heads)) if unit.heads else unit
            for unit in section.units
        )
    return tuple(units)
