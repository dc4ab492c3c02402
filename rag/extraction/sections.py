"""A page's chunks to sections: what stands under one heading, in units that can be shown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby

from rag.extraction.sentences import Unit, split_units
from rag.types import Chunk, Hit

MOST_READ = 12_000  # characters of a page: 65 ms where no word of it was met before


@dataclass(frozen=True, slots=True)
class Section:
    """Hold the chunks under one heading, their units, and each unit's two scores.

    ``within`` compares a unit with others of the section, ``overall`` with those of other sections.
    """

    chunks: tuple[Chunk, ...]
    units: tuple[Unit, ...]
    within: tuple[float, ...] = ()
    overall: tuple[float, ...] = ()

    @property
    def best(self) -> int:
        """Return the position of its best unit, the first of equals."""
        return max(range(len(self.units)), key=lambda i: (self.within[i], -i))


def has_steps(units: Sequence[Unit]) -> bool:
    """Say whether there is a list of two steps or more."""
    return sum(unit.kind == "step" for unit in units) > 1


def sections_of(hits: Sequence[Hit], page: Sequence[Chunk]) -> list[Section]:
    """Return the page's sections in order; of a long page, those found and the first others."""
    best = hits[0].chunk
    found = {hit.chunk.id for hit in hits}
    chunks = page if any(chunk.id == best.id for chunk in page) else [best]
    groups = [tuple(group) for _, group in groupby(chunks, key=lambda chunk: chunk.headings)]
    left = MOST_READ
    sections: dict[int, Section] = {}
    for i in sorted(range(len(groups)), key=lambda i: _order(groups[i], best.id, found)):
        group = _from_best(groups[i], best.id)
        left -= sum(len(chunk.text) for chunk in group)
        units = split_units(_text(group))
        if units and (left >= 0 or not sections):
            sections[i] = Section(group, units)
    empty = Section((best,), (Unit(best.text, "sentence", 0),))
    return [sections[i] for i in sorted(sections)] or [empty]


def _order(group: Sequence[Chunk], best: str, found: Collection[str]) -> int:
    ids = {chunk.id for chunk in group}
    return 0 if best in ids else 2 - (not ids.isdisjoint(found))


def _from_best(group: tuple[Chunk, ...], best: str) -> tuple[Chunk, ...]:
    """Return a section, of one that is too long to be read what begins at the best chunk."""
    if sum(len(chunk.text) for chunk in group) <= MOST_READ:
        return group
    start = next((i for i, chunk in enumerate(group) if chunk.id == best), 0)
    end = start + 1
    while end < len(group) and sum(len(c.text) for c in group[start : end + 1]) <= MOST_READ:
        end += 1
    return group[start:end]


def _text(chunks: Sequence[Chunk]) -> str:
    """Join the pieces of a section; pieces of one list or table repeat what introduces them."""
    text = chunks[0].text
    for following in chunks[1:]:
        shown = set(text.split("\n"))
        lines = following.text.split("\n")
        while lines and lines[0] in shown:
            lines.pop(0)
        text = "\n".join([text, *lines])
    return text
