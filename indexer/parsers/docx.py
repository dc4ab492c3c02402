"""Word documents, by python-docx: headings by style, lists, tables."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from indexer.parsers.documents import need
from indexer.parsers.metadata import make_page
from rag.core.documents import Block, Page
from rag.core.errors import CorpusError

_MOST_BYTES = 50_000_000
# Style names are English inside every document, whatever language Word shows them in.
_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)


def parse(data: bytes, page_id: str) -> Page:
    """Parse a Word document.

    Raises: CorpusError when the extra is missing, or the file is no document or expands too far.
    """
    docx = need("docx", page_id)
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            expanded = sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile:
        raise CorpusError(page_id, "not a Word document") from None
    if expanded > _MOST_BYTES:
        raise CorpusError(page_id, f"expands to more than {_MOST_BYTES // 1_000_000} MB")
    try:
        document = docx.Document(BytesIO(data))
    except (KeyError, ValueError) as error:
        raise CorpusError(page_id, f"not a Word document: {error}") from None
    blocks = list(_gathered(_blocks(document)))
    return make_page(page_id, blocks, declared=(document.core_properties.title or "").strip())


def _blocks(document: Any) -> Iterator[Block]:
    number = 0
    for part in document.iter_inner_content():
        if hasattr(part, "rows"):
            number = 0
            yield from _table(part)
            continue
        text = " ".join(part.text.split())
        style = part.style.name or "" if part.style is not None else ""
        heading = _HEADING.match(style)
        if not text:
            continue
        number = number + 1 if style.startswith("List Number") else 0
        if heading or style == "Title":
            yield Block("heading", text, level=min(int(heading[1]), 6) if heading else 1)
        elif number or style.startswith("List") or _is_numbered(part):
            yield Block("list", items=(f"{number}. {text}" if number else f"- {text}",))
        else:
            yield Block("paragraph", text)


def _is_numbered(paragraph: Any) -> bool:
    properties = paragraph._p.pPr
    return properties is not None and properties.numPr is not None


def _gathered(blocks: Iterator[Block]) -> Iterator[Block]:
    """Join list items that follow each other into one list."""
    items: list[str] = []
    for block in blocks:
        if block.kind == "list":
            items.extend(block.items)
            continue
        if items:
            yield Block("list", items=tuple(items))
            items = []
        yield block
    if items:
        yield Block("list", items=tuple(items))


def _table(table: Any) -> Iterator[Block]:
    rows = [[" ".join(cell.text.split()) for cell in row.cells] for row in table.rows]
    lines = [" | ".join(row).strip() for row in rows if any(row)]
    if len(lines) > 1:
        yield Block("table", items=tuple(lines[1:]), header=lines[0])
    elif lines:
        yield Block("paragraph", lines[0])
