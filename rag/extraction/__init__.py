"""Hits to an extractive answer: the section of the page that a reader would choose, as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.core.answers import More
from rag.core.documents import Chunk, Hit
from rag.extraction.choice import choose, read_for
from rag.extraction.coverage import SubwordEncoder
from rag.extraction.page_index import read_page
from rag.extraction.showing import Display, display
from rag.question import Question


@dataclass(frozen=True, slots=True)
class Extract:
    """Hold an answer made of a page's own words, and the sections that it is taken from.

    ``hits[n-1]`` is what [n] in the text cites, the section that answers first. ``more`` says what
    is left of it where it is not whole. ``covered`` is how much of the question what is shown
    holds, ``chosen`` the probability of its section, both in [0, 1]; ``acts`` says whether it
    tells what to do.
    """

    text: str
    hits: tuple[Hit, ...]
    more: More | None = None
    covered: float = 0.0
    chosen: float = 0.0
    acts: bool = False


def extract_answer(
    question: Question,
    hits: Sequence[Hit],
    page: Sequence[Chunk],
    encoder: SubwordEncoder | None = None,
) -> Extract:
    """Return what answers in the best hit's page, cited [1], [2]… by section.

    ``page`` are the chunks of the best hit's page in order; ``encoder`` finds words that are near
    in sense to the question's.
    """
    index = read_page(page, hits[0].chunk)
    reading = read_for(index, question, encoder)
    odds = choose(reading, hits)
    shown = display(reading, odds)
    parts = [f"{shown.text_of(one)} [{n}]" for n, one in enumerate(shown.sections, 1)]
    cited = tuple(replace(hits[0], chunk=_chunk_of(shown, one)) for one in shown.sections)
    acts = any(index.blocks[number].acts for number in shown.pieces)
    more = _more(shown, cited[0].chunk.url)
    return Extract("\n".join(parts), cited, more, shown.covered, float(odds.max()), acts)


def _chunk_of(shown: Display, section: int) -> Chunk:
    """Return the section's chunk that holds the best of what is shown of it."""
    index = shown.reading.index
    own = [i for i in shown.pieces if index.blocks[i].section == section]
    line = shown.pieces[own[0]].text.split("\n")[-1]
    chunks = index.sections[section].chunks
    return next((chunk for chunk in chunks if line in chunk.text), chunks[0])


def _more(shown: Display, url: str) -> More | None:
    """Return what is left of a block that was cut, else of the section."""
    cut = next((piece for piece in shown.pieces.values() if piece.left), None)
    if cut is not None:
        return More(cut.left, cut.unit, url)
    return More(shown.left, "paragraphs", url) if shown.left else None
