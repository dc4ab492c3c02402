"""A page's chunks to sections: what stands under one heading, in units that can be shown."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from rag.core.documents import Chunk, Hit
from rag.extraction.finishing import is_aside
from rag.language.sentences import Unit, split_units

PAGES_KEPT = 500
MOST_READ = 12_000  # characters of a page: 65 ms where no word of it was met before


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """Hold the chunks under one heading and their units.

    ``ids`` are the chunks'; ``asides`` the positions of captions and of what sends to another page
    (see `is_aside`); ``has_steps`` says whether there is a list of two steps or more.
    """

    chunks: tuple[Chunk, ...]
    units: tuple[Unit, ...]
    ids: frozenset[str]
    asides: frozenset[int]
    has_steps: bool

    @classmethod
    def of(cls, chunks: tuple[Chunk, ...], units: tuple[Unit, ...]) -> Section:
        """Look at the units of chunks."""
        ids = frozenset(chunk.id for chunk in chunks)
        asides = frozenset(i for i, unit in enumerate(units) if is_aside(unit.text))
        return cls(chunks, units, ids, asides, sum(unit.kind == "step" for unit in units) > 1)


def sections_of(hits: Sequence[Hit], page: Sequence[Chunk]) -> tuple[Section, ...]:
    """Return the page's sections in order; of a long page, those found and the first others.

    Those of a page that is read whole are the same objects for every question.
    """
    best = hits[0].chunk
    chunks = tuple(page) if best.id in [chunk.id for chunk in page] else (best,)
    sections = _whole(chunks)
    if sections is None:
        sections = _divided(_chosen(_grouped(chunks), best.id, {hit.chunk.id for hit in hits}))
    return sections or (Section.of((best,), (Unit(best.text, "sentence", 0),)),)


@lru_cache(maxsize=PAGES_KEPT)
def _whole(chunks: tuple[Chunk, ...]) -> tuple[Section, ...] | None:
    """Return the sections of a page that is read whole, None for one that is too long."""
    if sum(len(chunk.text) for chunk in chunks) > MOST_READ:
        return None
    return _divided(_grouped(chunks))


@lru_cache(maxsize=PAGES_KEPT)
def _divided(groups: tuple[tuple[Chunk, ...], ...]) -> tuple[Section, ...]:
    sections = (Section.of(group, split_units(_text(group))) for group in groups)
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
