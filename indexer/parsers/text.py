"""Plain text: paragraphs between blank lines, underlined headings, lists by their markers."""

from __future__ import annotations

import re

from indexer.parsers.metadata import decode, make_page
from rag.core.documents import Block, Page

_UNDERLINE = re.compile(r"(=|-|~|\*){3,}")
_ITEM = re.compile(r"\s*([-*•]|\d{1,4}[.)])\s+(\S.*)")
_LEVELS = {"=": 1, "-": 2, "~": 3, "*": 3}


def parse(data: bytes, page_id: str) -> Page:
    """Parse a text file. Raises: CorpusError when it cannot be read."""
    return make_page(page_id, text_blocks(decode(data, page_id)))


def text_blocks(text: str) -> list[Block]:
    """Return the blocks of plain text."""
    blocks: list[Block] = []
    for paragraph in re.split(r"\n[ \t]*\n", text):
        lines = [line.rstrip() for line in paragraph.split("\n") if line.strip()]
        if len(lines) > 1 and _UNDERLINE.fullmatch(lines[1].strip()):
            blocks.append(Block("heading", lines[0].strip(), level=_LEVELS[lines[1].strip()[0]]))
            lines = lines[2:]
        blocks.extend(_paragraph(lines))
    return blocks


def _paragraph(lines: list[str]) -> list[Block]:
    """Split lines into the text before the first item and a list."""
    start = next((i for i, line in enumerate(lines) if _ITEM.match(line)), len(lines))
    blocks = [Block("paragraph", " ".join(" ".join(lines[:start]).split()))] if start else []
    items: list[list[str]] = []
    for line in lines[start:]:
        item = _ITEM.match(line)
        if item:
            marker = "-" if item[1] in "-*•" else item[1][:-1] + "."
            items.append([f"{marker} {item[2]}"])
        else:
            items[-1].append(line.strip())
    if items:
        blocks.append(Block("list", items=tuple(" ".join(item) for item in items)))
    return blocks
