"""Chunks to windows: neighbours of a page together, across its headings, long enough to be found.

A chunk of one section says little by itself: a scrap of a reference that names a menu holds as many
of a question's words as the page that says what to do.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from itertools import takewhile

from rag.core.documents import Chunk, Window

LIMIT_CHARACTERS = 1_600  # some 400 tokens; a longer chunk stands alone


def windows_of(chunks: Sequence[Chunk], limit: int = LIMIT_CHARACTERS) -> list[Window]:
    """Join the chunks of one page, in order, to windows of at most ``limit`` characters.

    A page's windows are about equally long: its last one is no scrap.
    """
    return [_window(group) for group in _groups(chunks, limit)]


def _groups(chunks: Sequence[Chunk], limit: int) -> list[list[Chunk]]:
    """Return the fewest groups that fit, each chunk in the one that its middle falls into."""
    whole = _length(chunks)
    for count in range(max(1, math.ceil(whole / limit)), len(chunks)):
        groups = _shared(chunks, max(whole, 1) / count)
        if all(len(group) == 1 or _length(group) <= limit for group in groups):
            return groups
    return [[chunk] for chunk in chunks]


def _shared(chunks: Sequence[Chunk], share: float) -> list[list[Chunk]]:
    groups: dict[int, list[Chunk]] = {}
    start = 0
    for chunk in chunks:
        middle = start + len(chunk.text) / 2
        groups.setdefault(int(middle / share), []).append(chunk)
        start += len(chunk.text)
    return list(groups.values())


def _length(chunks: Sequence[Chunk]) -> int:
    return sum(len(chunk.text) for chunk in chunks)


def _window(chunks: Sequence[Chunk]) -> Window:
    first = chunks[0]
    ids = tuple(chunk.id for chunk in chunks)
    key = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32]
    return Window(
        id=key,
        page=first.page,
        lang=first.lang,
        title=first.title,
        headings=tuple(dict.fromkeys(text for chunk in chunks for text in chunk.headings)),
        questions=tuple(text for chunk in chunks for text in chunk.questions),
        text="\n".join(_lines(chunks)),
        chunk_ids=ids,
    )


def _lines(chunks: Sequence[Chunk]) -> Iterator[str]:
    """Yield each chunk's text, after those of its headings that the one before has not."""
    before: tuple[str, ...] = ()
    for chunk in chunks:
        alike = zip(before, chunk.headings, strict=False)
        shared = len(list(takewhile(lambda pair: pair[0] == pair[1], alike)))
        yield from chunk.headings[shared:]
        yield chunk.text
        before = chunk.headings
