"""A page read once, however often it is asked about: its sections, their blocks, their words.

A block is what is shown whole: a paragraph, a list with its lead-in, a table with its header row.
What is kept depends on the page alone; questions are compared with it in a moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import accumulate, groupby, pairwise

import numpy
from numpy.typing import NDArray

from rag.core.documents import Chunk
from rag.extraction.coverage import Led, Senses, SubwordEncoder, Words, led_by
from rag.extraction.finishing import announces, is_act, is_aside, is_path, says_where
from rag.language.sentences import Unit, UnitKind, joined, split_units

PAGES_KEPT = 500  # some 50 KB each
MOST_READ = 60_000  # characters of a page; a longer one is read around what was found
TERSE = 25  # characters of a heading that says little by itself
LONGEST_PATH = 150  # characters of a line that says where to click
NUMBERED = re.compile(r"^\d+(?:\.\d+)*\.? +")
OPENING = re.compile(r"[^\n:.|]{2,50}(?= ?:|\.\s)")
LISTED = ("step", "item", "header", "row", "code")


@dataclass(frozen=True, slots=True)
class Block:
    """Hold what is shown whole: the places of its units in the page, and what they are.

    ``aside``: a caption, or what sends to another page; ``acts``: it says what to do; ``leads``:
    by which menu a screen is reached.
    """

    section: int
    places: range
    kind: UnitKind
    text: str
    aside: bool
    acts: bool
    leads: bool

    @property
    def units(self) -> slice:
        """Return the places of its units as a slice."""
        return slice(self.places.start, self.places.stop)


@dataclass(frozen=True, slots=True)
class PageSection:
    """Hold the chunks under one heading and the places of their blocks in the page."""

    chunks: tuple[Chunk, ...]
    blocks: range

    @property
    def headings(self) -> tuple[str, ...]:
        """Return the headings above it without the numbers that some manuals give them."""
        return tuple(NUMBERED.sub("", heading) for heading in self.chunks[0].headings)

    @property
    def heading(self) -> str:
        """Return its own heading, after the one above where it says little: « Taille > Aucune »."""
        headings = self.headings
        return " > ".join(headings[-2:] if len("".join(headings[-1:])) < TERSE else headings[-1:])


@dataclass(frozen=True, eq=False)
class PageIndex:
    """Hold what can be said of a page before a question is asked."""

    sections: tuple[PageSection, ...]
    blocks: tuple[Block, ...]
    units: tuple[Unit, ...]

    @property
    def lang(self) -> str:
        """Return the page's language."""
        return self.sections[0].chunks[0].lang

    @cached_property
    def words(self) -> Words:
        """Return the words of its units."""
        return Words.of([unit.text for unit in self.units], self.lang)

    @cached_property
    def names(self) -> Words:
        """Return the words of each section's own heading, then those of the title."""
        title = self.sections[0].chunks[0].title
        return Words.of(
            [*(" ".join(section.headings) for section in self.sections), title], self.lang
        )

    @cached_property
    def openings(self) -> Words:
        """Return the words by which blocks name what they are about: « Taille : … »."""
        found = (OPENING.match(block.text) for block in self.blocks)
        return Words.of([one.group() if one else "" for one in found], self.lang)

    @cached_property
    def led(self) -> Led:
        """Return which units come with which lead-in or header row."""
        return led_by(self.units)

    @cached_property
    def of_unit(self) -> NDArray[numpy.intp]:
        """Return the number of each unit's section."""
        return numpy.repeat(
            numpy.arange(len(self.sections)),
            [sum(len(self.blocks[i].places) for i in one.blocks) for one in self.sections],
        )

    @cached_property
    def unit_starts(self) -> NDArray[numpy.intp]:
        """Return the place of each section's first unit."""
        firsts = [self.blocks[section.blocks.start].places.start for section in self.sections]
        return numpy.array(firsts)

    def senses(self, encoder: SubwordEncoder) -> tuple[Senses, Senses]:
        """Return the subwords of its units, and those of its sections' headings."""
        return _senses(self, encoder)


def read_page(page: Sequence[Chunk], best: Chunk) -> PageIndex:
    """Return a page's index, the same object for every question; of a long page, a part.

    That is what stands around ``best``, which alone is read where the page does not hold it.
    """
    chunks = tuple(page) if any(chunk.id == best.id for chunk in page) else (best,)
    return _read(_around(chunks, best.id))


def _around(chunks: tuple[Chunk, ...], best: str) -> tuple[Chunk, ...]:
    """Return as many chunks as may be read, those nearest to the best one."""
    lengths = [len(chunk.text) for chunk in chunks]
    if sum(lengths) <= MOST_READ:
        return chunks
    place = next(i for i, chunk in enumerate(chunks) if chunk.id == best)
    nearest = sorted(range(len(chunks)), key=lambda i: abs(i - place))
    totals = accumulate(lengths[i] for i in nearest)
    kept = {i for i, total in zip(nearest, totals, strict=True) if total <= MOST_READ}
    return tuple(chunks[i] for i in sorted(kept | {place}))


@lru_cache(maxsize=PAGES_KEPT)
def _read(chunks: tuple[Chunk, ...]) -> PageIndex:
    sections: list[PageSection] = []
    blocks: list[Block] = []
    units: list[Unit] = []
    for _, group in groupby(chunks, key=lambda chunk: chunk.headings):
        together = tuple(group)
        text = _text(together)
        found = split_units(text) or (Unit(text, "sentence", 0),)
        section = PageSection(together, range(0))
        own = [_block(section, found, places) for places in _runs(found)]
        blocks.extend(_placed(own, len(sections), len(units)))
        units.extend(_shifted(found, len(units)))
        sections.append(replace(section, blocks=range(len(blocks) - len(own), len(blocks))))
    return PageIndex(tuple(sections), tuple(blocks), tuple(units))


@lru_cache(maxsize=PAGES_KEPT)
def _senses(index: PageIndex, encoder: SubwordEncoder) -> tuple[Senses, Senses]:
    headings = (" ".join(section.headings) for section in index.sections)
    return Senses.of((unit.text for unit in index.units), encoder), Senses.of(headings, encoder)


def _block(section: PageSection, units: Sequence[Unit], places: range) -> Block:
    own = [units[i] for i in places]
    listed = (unit.kind for unit in own if unit.kind in LISTED)
    kind: UnitKind = next(listed, "sentence")
    if kind == "header":
        kind = "row"
    told = [i for i in places if not is_aside(units[i].text)]
    aside = not told
    if len(told) > 1 and announces(units[told[-1]].text):
        told.pop()
    text = joined(units, told or places)
    leads = kind != "step" and says_where(text, section.heading)
    return Block(0, places, kind, text, aside, is_act(text), leads)


def _placed(blocks: Iterable[Block], section: int, shift: int) -> Iterator[Block]:
    """Return a section's blocks with the places that they have in the page."""
    for block in blocks:
        places = range(block.places.start + shift, block.places.stop + shift)
        yield replace(block, section=section, places=places)


def _runs(units: Sequence[Unit]) -> Iterator[range]:
    """Return the places of the units that make a block each."""
    start = 0
    for place, (before, unit) in enumerate(pairwise(units), 1):
        if not _together(units, start, before, unit):
            yield range(start, place)
            start = place
    yield range(start, len(units))


def _together(units: Sequence[Unit], start: int, before: Unit, unit: Unit) -> bool:
    if before.line == unit.line:
        return True
    if before.kind in ("lead", "header") or announces(before.text):
        return True
    if unit.kind == before.kind != "sentence":
        return True
    # the ways to one command, a line each
    way = is_path(unit.text) and len(unit.text) < LONGEST_PATH and is_path(before.text)
    return way and announces(units[start].text)


def _shifted(units: Iterable[Unit], shift: int) -> Iterator[Unit]:
    """Return a section's units with the places that they have in the page."""
    for unit in units:
        heads = tuple(head + shift for head in unit.heads)
        yield replace(unit, heads=heads, first=unit.first + shift if unit.first >= 0 else -1)


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
