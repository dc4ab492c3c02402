"""PDF, by pypdf: the text of each sheet under a heading of its own, for links to ``#page=n``."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from indexer.parsers.documents import need
from indexer.parsers.metadata import make_page
from indexer.parsers.text import text_blocks
from rag.core.documents import Block, Page
from rag.core.errors import CorpusError

_MOST_SHEETS = 2_000


def parse(data: bytes, page_id: str) -> Page:
    """Parse a PDF.

    Raises: CorpusError when the extra is missing, or the file is encrypted, broken or too long.
    """
    pypdf = need("pypdf", page_id)
    try:
        reader = pypdf.PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise CorpusError(page_id, "encrypted")
        if len(reader.pages) > _MOST_SHEETS:
            raise CorpusError(page_id, f"more than {_MOST_SHEETS} pages")
        blocks = [block for sheet in reader.pages for block in _sheet(sheet)]
        title = str(reader.metadata.title or "") if reader.metadata else ""
    except pypdf.errors.PyPdfError as error:
        raise CorpusError(page_id, f"not a readable PDF: {error}") from None
    return make_page(page_id, blocks, given=" ".join(title.split()))


def _sheet(sheet: Any) -> list[Block]:
    number = sheet.page_number + 1
    blocks = text_blocks(sheet.extract_text().replace("\0", ""))
    return [Block("heading", f"p. {number}", level=6, anchor=f"page={number}"), *blocks]
