"""A page read once, however often it is asked about: its sections, their words, what they give.

What is kept depends on the page alone; questions are compared with it in a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, pairwise

from rag.extraction.finishing import is_aside
from rag.extraction.giving import subject
from rag.extraction.holding import Led, Words, beside, led_by
from rag.extraction.sections import Section
from rag.language.sentences import Unit

PAGES_KEPT = 500  # some 40 KB each
FIRST = 0.1  # what standing first in its section is worth
KIND_BONUS = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Hold what can be said of a page's sections before a question is asked.

    ``places`` are those of each section's units among all of them. ``words`` are of the units,
    ``names`` of the title of each section, then of the headings of each. ``telling`` says of each
    section whether its heading names what it gives, where a question does not ask how and where
    it does.
    """

    sections: tuple[Section, ...]
    units: tuple[Unit, ...]
    places: tuple[range, ...]
    words: Words
    names: Words
    led: Led
    neighbours: tuple[tuple[int, int], ...]
    first: tuple[float, ...]
    asides: tuple[bool, ...]
    telling: tuple[tuple[bool, ...], tuple[bool, ...]]


@lru_cache(maxsize=PAGES_KEPT)
def read(sections: tuple[Section, ...]) -> Reading:
    """Return what sections of one page say."""
    units = _flat(sections)
    bounds = [0, *accumulate(len(section.units) for section in sections)]
    chunks = [section.chunks[0] for section in sections]
    named = [*(chunk.title for chunk in chunks), *(chunk.heading for chunk in chunks)]
    firsts = (FIRST * (1 - i / len(one.units)) for one in sections for i in range(len(one.units)))
    asking = tuple(chunk.heading.endswith("?") for chunk in chunks)
    steps = tuple(one or section.has_steps for one, section in zip(asking, sections, strict=True))
    places = tuple(range(*ends) for ends in pairwise(bounds))
    return Reading(
        sections=sections,
        units=units,
        places=places,
        words=Words.of([unit.text for unit in units], chunks[0].lang),
        names=Words.of(named, chunks[0].lang),
        led=led_by(units),
        neighbours=tuple(pair for one in places for pair in beside(one)),
        first=tuple(firsts),
        asides=tuple(is_aside(unit.text) for unit in units),
        telling=(asking, steps),
    )


@lru_cache(maxsize=4 * PAGES_KEPT)
def bonuses(reading: Reading, gives: Callable[[str], float]) -> list[float]:
    """Return what each unit is worth for giving a kind of thing (see `giving`)."""
    return worth(reading, [gives(unit.text) for unit in reading.units])


def worth(reading: Reading, given: Iterable[float]) -> list[float]:
    """Return what units are worth that give so much of what is asked for, an aside less."""
    pairs = zip(given, reading.asides, strict=True)
    return [KIND_BONUS * one - aside for one, aside in pairs]


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
