"""A page to chunks: along its headings, each within a limit of tokens, nothing lost."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from indexer.fitting import Counts, Piece, fill, fit
from rag.core.documents import Block, Chunk, Page
from rag.language import analyzer

LIMIT_TOKENS = 200
_LEAD_TOKENS = 25
_UNSAFE = str.maketrans({character: quote(character) for character in "% #?\u00a0\u202f"})


@dataclass(slots=True)
class _Section:
    """Hold what stands under one heading; ``path`` is [(level, text, anchor), …]."""

    path: tuple[tuple[int, str, str], ...]
    blocks: list[Block] = field(default_factory=list)


def chunk_page(
    page: Page, count_tokens: Callable[[Sequence[str]], list[int]], limit: int = LIMIT_TOKENS
) -> list[Chunk]:
    """Cut a page into chunks of at most ``limit`` tokens of text, in reading order.

    A chunk never spans two headings. Lists and tables are cut between items or rows, and each
    part repeats the lead-in and the header row; code only where it is longer than the limit.
    ``count_tokens`` is called for many texts at once; a text may count for at most one token
    more than its parts that a space or a line break separates.
    """
    counts = Counts(count_tokens)
    sections = list(_sections(page))
    counts.prepare(
        text for section in sections for block in section.blocks for text in _parts(block)
    )
    cut = [
        (section, piece.text)
        for section in sections
        for piece in fill(list(_pieces(section.blocks, counts, limit)), limit)
    ]
    asked = _questions(page, cut)
    seen: Counter[str] = Counter()
    return [
        _chunk(page, section, text, position, asked[position], seen)
        for position, (section, text) in enumerate(cut)
    ]


def _sections(page: Page) -> Iterator[_Section]:
    section = _Section(())
    for block in page.blocks:
        if block.kind != "heading":
            section.blocks.append(block)
            continue
        path = tuple(part for part in section.path if part[0] < block.level)
        # A heading with nothing under it is still something that the page says.
        if section.path and not section.blocks and len(path) < len(section.path):
            section.blocks.append(Block("paragraph", section.path[-1][1]))
        if section.blocks:
            yield section
        section = _Section((*path, (block.level, block.text, block.anchor)))
    if section.path and not section.blocks:
        section.blocks.append(Block("paragraph", section.path[-1][1]))
    if section.blocks:
        yield section


def _parts(block: Block) -> list[str]:
    """Return the texts that are kept whole where they fit."""
    if block.kind in ("list", "table"):
        return [*([block.header] if block.header else []), *block.items]
    return [block.text]


def _pieces(blocks: Sequence[Block], counts: Counts, limit: int) -> Iterator[Piece]:
    """Return pieces of at most ``limit`` tokens that must not be cut."""
    lead: Block | None = None
    for position, block in enumerate(blocks):
        following = blocks[position + 1] if position + 1 < len(blocks) else None
        if _is_lead(block, following, counts, limit):
            lead = block
            continue
        if block.kind in ("list", "table"):
            yield from _listing(lead.text if lead else "", block, counts, limit)
        else:
            yield from _together([part.text for part in (lead, block) if part], counts, limit)
        lead = None


def _together(texts: Sequence[str], counts: Counts, limit: int) -> Iterator[Piece]:
    """Return texts as one piece where they fit, as pieces of each where not."""
    whole = Piece.joined([Piece(text, counts[text]) for text in texts if text])
    if not whole.text or whole.tokens <= limit:
        yield from [whole] * bool(whole.text)
        return
    for text in texts:
        yield from fit(text, limit, counts)


def _is_lead(block: Block, following: Block | None, counts: Counts, limit: int) -> bool:
    if block.kind != "paragraph" or following is None or following.kind == "paragraph":
        return False
    tokens = counts[block.text]
    return tokens <= (limit // 2 if block.text.endswith(":") else _LEAD_TOKENS)


def _listing(lead: str, block: Block, counts: Counts, limit: int) -> Iterator[Piece]:
    """Return a list or table in one piece, or in parts that each repeat what introduces them."""
    head = [Piece(text, counts[text]) for text in (lead, block.header) if text]
    units = list(_units(block.items, counts))
    whole = Piece.joined([*head, *units])
    if whole.tokens <= limit:
        yield whole
        return
    prefix = Piece.joined(head)
    if prefix.tokens > limit // 2:
        for piece in head:
            yield from fit(piece.text, limit, counts)
        prefix = Piece("", 0)
    room = limit - prefix.tokens - bool(prefix.text)
    small: list[Piece] = []
    for unit in units:
        small.extend([unit] if unit.tokens <= room else fit(unit.text, room, counts))
    for piece in fill(small, room):
        yield Piece.joined([prefix, piece]) if prefix.text else piece


def _units(items: Sequence[str], counts: Counts) -> Iterator[Piece]:
    """Return each item together with what is nested under it."""
    unit: list[Piece] = []
    for item in items:
        if unit and not item.startswith(" "):
            yield Piece.joined(unit)
            unit = []
        unit.append(Piece(item, counts[item]))
    if unit:
        yield Piece.joined(unit)


def _questions(page: Page, cut: Sequence[tuple[_Section, str]]) -> dict[int, tuple[str, ...]]:
    """Give each of the page's questions to the chunk that shares most of its words."""
    found: dict[int, tuple[str, ...]] = defaultdict(tuple)
    stems = [
        set(analyzer.stems(" ".join((*(part[1] for part in section.path), text)), page.lang))
        for section, text in (cut if page.questions else ())
    ]
    for question in page.questions if stems else ():
        words = {analyzer.stem(w, page.lang) for w in analyzer.content_words(question)}
        best = max(range(len(stems)), key=lambda position: len(words & stems[position]))
        found[best] += (question,)
    return found


def _chunk(
    page: Page,
    section: _Section,
    text: str,
    position: int,
    questions: tuple[str, ...],
    seen: Counter[str],
) -> Chunk:
    headings = tuple(part[1] for part in section.path)
    url = _url(page, section)
    parts = [page.id, page.title, headings, url, page.lang, text, questions]
    said = json.dumps(parts, ensure_ascii=False)
    seen[said] += 1
    # A lone surrogate from a caller's own Page must not end the run.
    key = f"{seen[said]}\n{said}".encode("utf-8", "surrogatepass")
    identifier = hashlib.sha256(key).hexdigest()[:32]
    return Chunk(
        identifier, page.id, position, page.title, headings, url, page.lang, text, questions
    )


def _url(page: Page, section: _Section) -> str:
    url = page.url or page.id.translate(_UNSAFE)
    if not page.url and ":" in url.split("/")[0]:
        # "notes: a.md" must not read as a URL of the scheme "notes".
        url = f"./{url}"
    anchor = next((part[2] for part in reversed(section.path) if part[2]), "")
    usable = anchor.isprintable() and " " not in anchor and "#" not in url
    return f"{url}#{anchor}" if anchor and usable else url
