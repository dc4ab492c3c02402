"""One parser per format, each ``parse(data, page_id) -> Page``: pure, and imported when needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import PurePosixPath

from rag.core.documents import Block, Page
from rag.core.errors import CorpusError

Parser = Callable[[bytes, str], Page]

_MODULES = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".txt": "text",
    ".rst": "rst",
    ".page": "mallard",
    ".pdf": "pdf",
    ".docx": "docx",
}
# The encoder, too, must be done with a page in time; a manual of 500 sheets has this many.
MAX_CHARACTERS = 1_000_000
# Each chunk repeats these.
MAX_TITLE = 300
MAX_ANCHOR = 200
MAX_URL = 2_000
EXTENSIONS = frozenset(_MODULES)


def parse_page(data: bytes, page_id: str) -> Page:
    """Parse a page by the extension of its id.

    Raises: CorpusError when the page cannot be read or says nothing.
    """
    if not data.strip():
        raise CorpusError(page_id, "empty")
    module = import_module(f"{__name__}.{_MODULES[PurePosixPath(page_id).suffix.lower()]}")
    parse: Parser = module.parse
    try:
        page = parse(data, page_id)
    except CorpusError:
        raise
    except RecursionError:
        raise CorpusError(page_id, "nested too deep") from None
    except MemoryError:
        raise CorpusError(page_id, "needs too much memory") from None
    except Exception as error:
        detail = " ".join(str(error).split())[:200]
        raise CorpusError(page_id, f"cannot be parsed: {type(error).__name__}: {detail}") from error
    if all(block.kind == "heading" for block in page.blocks):
        raise CorpusError(page_id, "no text")
    if _length(page) > MAX_CHARACTERS:
        raise CorpusError(page_id, f"more than {MAX_CHARACTERS:,} characters of text: split it")
    if len(page.url) > MAX_URL:
        raise CorpusError(page_id, f"a url of more than {MAX_URL:,} characters")
    blocks = tuple(part for block in page.blocks for part in _bounded(block))
    return replace(page, title=_shortened(page.title), blocks=blocks)


def _bounded(block: Block) -> Iterator[Block]:
    """Shorten a heading; what it says in full then stands under it."""
    if block.kind != "heading":
        yield block
        return
    anchor = block.anchor if len(block.anchor) <= MAX_ANCHOR else ""
    yield replace(block, text=_shortened(block.text), anchor=anchor)
    if len(block.text) > MAX_TITLE:
        yield Block("paragraph", block.text)


def _shortened(text: str) -> str:
    if len(text) <= MAX_TITLE:
        return text
    cut = text[: MAX_TITLE - 1]
    return f"{cut.rpartition(' ')[0].rstrip() or cut}…"


def _length(page: Page) -> int:
    return sum(len(block.text) + sum(map(len, block.items)) for block in page.blocks)
