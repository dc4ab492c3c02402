"""Check the cases themselves: what they want said is said on the pages that they name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from indexer.sources import find_pages, load_page, read_page
from rag.core.errors import CorpusError
from tests.quality.answers.cases import Case, fold, missing


def pages_of(folder: Path) -> dict[str, str]:
    """Return the folded text of every page of a folder that can be read, by its id."""
    found = {}
    for candidate in find_pages([folder]).candidates:
        try:
            page = load_page(candidate, read_page(candidate))
        except CorpusError:
            continue
        texts = (" ".join((block.text, block.header, *block.items)) for block in page.blocks)
        found[candidate.id] = fold(" ".join(texts))
    return found


def faults(cases: Sequence[Case], pages: dict[str, str]) -> Iterator[str]:
    """Yield what is wrong with a manual's cases, in words."""
    for case in cases:
        for part in case.pages:
            if not any(part in page for page in pages):
                yield f"{case.id}: no page {part}"
        right = " ".join(text for page, text in pages.items() if case.right(page))
        yield from (f"{case.id}: no right page says {one}" for one in missing(case.must, right))
