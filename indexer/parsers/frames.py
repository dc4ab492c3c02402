"""Elements that gather blocks before they can be rendered: lists, tables, definitions."""

from __future__ import annotations

from dataclasses import dataclass, field

from rag.core.documents import Block

LISTS = ("ul", "ol")


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
