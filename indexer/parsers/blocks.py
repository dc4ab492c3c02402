"""Opened and closed elements, named as in HTML, to a page's blocks. Every parser ends here."""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import dedent

from rag.core.documents import Block

LISTS = ("ul", "ol")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    "address article aside blockquote body caption center details dialog div fieldset figcaption"
    " figure footer form header hr html legend main nav p section summary tbody tfoot thead tr"
    "".split()
)
_CONTAINERS = frozenset("ul ol li table td th dl dt dd".split())
_DEEPEST = 64
Attributes = dict[str, str | None]


@dataclass(slots=True)
class Frame:
    """Hold an open element. ``head``: its cells are headers; ``terms``: a ``dl``'s without text."""

    tag: str
    blocks: list[Block] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    number: int = 0
    rows: list[list[tuple[bool, list[Block]]]] = field(default_factory=list)
    terms: list[str] = field(default_factory=list)
    entries: list[tuple[str, list[Block]]] = field(default_factory=list)
    head: bool = False
    layout: bool = False

    def add(self, block: Block) -> None:
        """Add a block; a list directly inside a list is nested."""
        if self.tag in LISTS and block.kind == "list":
            self.items.extend(f"  {item}" for item in block.items)
            return
        self.end_list()
        self.blocks.append(block)

    def end_list(self) -> None:
        """Make one block of the items so far."""
        if self.items:
            self.blocks.append(Block("list", items=tuple(self.items)))
            self.items = []


def rendered(frame: Frame) -> list[Block]:
    """Return the blocks that a closed element stands for."""
    if frame.tag == "table":
        return _table(frame)
    if frame.tag == "dl":
        return _definitions(frame)
    return frame.blocks


def flat(blocks: list[Block]) -> str:
    """Return blocks as one line of text."""
    parts: list[str] = []
    for block in blocks:
        items = (item.strip().removeprefix("- ") for item in block.items)
        parts.append(" ; ".join(items) if block.items else block.text)
    return " ".join(" ".join(parts).split())


def add_item(listing: Frame, blocks: list[Block]) -> None:
    """Add a list's item. What cannot be a line (code, table, heading) interrupts the list."""
    marker = f"{listing.number}. " if listing.tag == "ol" else "- "
    lines: list[str] = []
    joins = False
    for block in blocks:
        if block.kind == "paragraph":
            if joins:
                lines[-1] += f" {block.text}"
            else:
                lines.append((marker if not lines and marker else "  ") + block.text)
            joins = True
            continue
        joins = False
        if block.kind == "list":
            lines.extend(f"  {item}" for item in block.items)
        else:
            listing.items.extend(lines)
            listing.add(block)
            lines = []
        marker = ""
    listing.items.extend(lines)


def _table(frame: Frame) -> list[Block]:
    rows = [row for row in frame.rows if any(blocks for _, blocks in row)]
    cells = [block for row in rows for _, blocks in row for block in blocks]
    widest = max((sum(1 for _, blocks in row if blocks) for row in rows), default=0)
    if frame.layout or widest < 2 or any(b.kind in ("heading", "code", "table") for b in cells):
        return frame.blocks + (_labelled(rows) or cells)
    lines = [" | ".join(flat(blocks) for _, blocks in row).strip() for row in rows]
    has_header = len(rows) > 1 and all(head or not blocks for head, blocks in rows[0])
    header = lines.pop(0) if has_header else ""
    return [*frame.blocks, Block("table", items=tuple(lines), header=header)]


def _labelled(rows: list[list[tuple[bool, list[Block]]]]) -> list[Block]:
    """Return a note's blocks when a table is one: a label ("Note") above or beside its text."""
    filled = [cell for row in rows for cell in row if cell[1]]
    if len(filled) != 2 or not filled[0][0] or filled[1][1][0].kind != "paragraph":
        return []
    first, *rest = filled[1][1]
    return [Block("paragraph", f"{flat(filled[0][1])} : {first.text}"), *rest]


def _definitions(frame: Frame) -> list[Block]:
    entries = [*frame.entries, *((term, []) for term in frame.terms)]
    if all(len(blocks) < 2 and all(b.kind == "paragraph" for b in blocks) for _, blocks in entries):
        lines = (" : ".join(filter(None, (term, flat(blocks)))) for term, blocks in entries)
        items = tuple(f"- {line}" for line in lines if line)
        return [*frame.blocks, *([Block("list", items=items)] if items else [])]
    result = list(frame.blocks)
    for term, blocks in entries:
        first = blocks[0] if blocks and blocks[0].kind == "paragraph" else None
        result.append(Block("paragraph", f"{term} : {first.text}" if first and term else term))
        result.extend(blocks[1:] if first and term else blocks)
    return [block for block in result if block.text or block.items]


class BlockBuilder:
    """Gather blocks from elements given in document order, properly nested."""

    def __init__(self) -> None:
        self._frames = [Frame("page")]
        self._overflow = 0
        self._inline: list[str] = []
        self._heading: tuple[int, str] | None = None
        self._preformatted = 0
        self._anchor = ""

    def text(self, data: str) -> None:
        """Add a piece of running text."""
        self._inline.append(data)

    def open(self, tag: str, attributes: Attributes) -> None:
        """Begin an element."""
        anchor = attributes.get("id") or (attributes.get("name") if tag == "a" else "") or ""
        if tag in _HEADINGS:
            self._flush()
            self._heading = (_HEADINGS[tag], anchor)
            return
        if tag == "br":
            self.text("\n")
        elif tag == "pre":
            self._flush()
            self._preformatted += 1
        elif tag in _CONTAINERS:
            self._flush()
            self._push(tag, attributes)
        elif tag in _BLOCKS:
            self._flush()
            self._open_row(tag)
        if anchor:
            self._remember(anchor)

    def close(self, tag: str) -> None:
        """End the element opened last."""
        if tag in _HEADINGS:
            self._flush()
            self._heading = None
        elif tag == "pre":
            self._flush()
            self._preformatted -= 1
        elif tag in _CONTAINERS:
            self._flush()
            self._pop(tag)
        elif tag in _BLOCKS:
            self._flush()
            if tag == "thead":
                self._frames[-1].head = False

    def blocks(self) -> tuple[Block, ...]:
        """Return all blocks, once every element is closed."""
        self._flush()
        return tuple(self._frames[0].blocks)

    def _remember(self, anchor: str) -> None:
        if self._heading and not self._heading[1]:
            self._heading = (self._heading[0], anchor)
        else:
            self._anchor = anchor

    def _flush(self) -> None:
        if not self._inline:
            return
        text = "".join(self._inline)
        self._inline.clear()
        text = _code(text) if self._preformatted else " ".join(text.split())
        if not text:
            return
        if self._heading:
            level, anchor = self._heading
            block = Block("heading", text, level=level, anchor=anchor or self._anchor)
        else:
            block = Block("code" if self._preformatted else "paragraph", text)
        self._anchor = ""
        self._frames[-1].add(block)

    def _push(self, tag: str, attributes: Attributes) -> None:
        if self._overflow or len(self._frames) >= _DEEPEST:
            self._overflow += 1
            return
        top = self._frames[-1]
        frame = Frame(tag, head=top.head)
        if tag == "ol":
            frame.number = _number(attributes.get("start"), 1) - 1
        elif tag == "li":
            top.number = _number(attributes.get("value"), top.number + 1)
        elif tag == "table":
            frame.head = False
            frame.layout = attributes.get("role") in ("presentation", "none")
        elif tag == "th":
            frame.head = True
        self._frames.append(frame)

    def _open_row(self, tag: str) -> None:
        top = self._frames[-1]
        if tag == "thead":
            top.head = True
        elif tag == "tr" and top.tag == "table":
            top.rows.append([])

    def _pop(self, tag: str) -> None:
        if self._overflow:
            self._overflow -= 1
            return
        frame = self._frames.pop()
        frame.end_list()
        top = self._frames[-1]
        if tag == "li" and top.tag in LISTS:
            add_item(top, frame.blocks)
        elif tag in ("td", "th") and top.tag == "table":
            top.rows = top.rows or [[]]
            top.rows[-1].append((frame.head, frame.blocks))
        elif tag == "dt" and top.tag == "dl":
            top.terms.append(flat(frame.blocks))
        elif tag == "dd" and top.tag == "dl":
            top.entries.append((", ".join(filter(None, top.terms)), frame.blocks))
            top.terms = []
        else:
            for block in rendered(frame):
                top.add(block)


def _code(text: str) -> str:
    return dedent("\n".join(line.rstrip() for line in text.split("\n"))).strip("\n")


def _number(value: str | None, default: int) -> int:
    plain = value and value.isascii() and value.isdigit() and len(value) < 7
    return int(value) if value and plain else default
