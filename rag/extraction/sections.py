"""A page's chunks to sections: what stands under one heading, in units that can be shown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from rag.extraction.sentences import Unit, split_units
from rag.types import Chunk, Hit

PAGES_KEPT = 500
MOST_READ = 12_000  # characters of a page: 65 ms where no word of it was met before


@dataclass(frozen=True, slots=True, eq=False)
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
        return self.within.index(max(self.within))


def has_steps(units: Sequence[Unit]) -> bool:
    """Say whether there is a list of two steps or more."""
    return sum(unit.kind == "step" for unit in units) > 1


def sections_of(hits: Sequence[Hit], page: Sequence[Chunk]) -> tuple[Section, ...]:
    """Return the page's sections in order; of a long page, those found and the first others.

    Those of a page that is read whole are the same objects for every question.
    """
    best = hits[0].chunk
    chunks = tuple(page) if any(chunk.id == best.id for chunk in page) else (best,)
    if sum(len(chunk.text) for chunk in chunks) <= MOST_READ:
        sections = _whole(chunks)
    else:
        sections = _divided(_chosen(_grouped(chunks), best.id, {hit.chunk.id for hit in hits}))
    return sections or (Section((best,), (Unit(best.text, "sentence", 0),)),)


@lru_cache(maxsize=PAGES_KEPT)
def _whole(chunks: tuple[Chunk, ...]) -> tuple[Section, ...]:
    return _divided(_grouped(chunks))


@lru_cache(maxsize=PAGES_KEPT)
def _divided(groups: tuple[tuple[Chunk, ...], ...]) -> tuple[Section, ...]:
    sections = (Section(group, split_units(_text(group))) for group in groups)
    return tuple(section for section in sections if section.units)


def _grouped(chunks: Sequence[Chunk]) -> tuple[tuple[Chunk, ...], ...]:
    return tuple(tuple(group) for _, group in groupby(chunks, key=lambda chunk: chunk.headings))


def _chosen(
    groups: Sequence[tuple[Chunk, ...]], best: str, found: Collection[str]
) -> tuple[tuple[Chunk, ...], ...]:
    """Return what is read of a long page: what was found, then what stands first."""
    left = MOST_READ
    chosen: dict[int, tuple[Chunk, ...]] = {}
    for i in sorted(range(len(groups)), key=lambda i: _order(groups[i], best, found)):
        group = _from_best(groups[i], best)
        left -= sum(len(chunk.text) for chunk in group)
        if (left >= 0 or not chosen) and split_units(_text(group)):
            chosen[i] = group
    return tuple(chosen[i] for i in sorted(chosen))


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
