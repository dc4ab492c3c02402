"""A page's title, language and links, which every format decides the same way."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

from rag.core.documents import Block, Page

_SEPARATORS = re.compile(r"[-_\s]+")


def make_page(
    page_id: str, blocks: Sequence[Block], *, declared: str = "", given: str = "", lang: str = ""
) -> Page:
    """Make a page; the heading that is its title becomes no block.

    ``given`` is a title that stands (front matter); ``declared`` one that may carry the site's
    name (``<title>``). Without them: the first top heading, the first heading, the file's name.
    """
    position = _title_position(blocks, declared, given)
    kept = [block for index, block in enumerate(blocks) if index != position]
    heading = blocks[position].text if position is not None else ""
    title = given or heading or declared or _from_name(page_id)
    return Page(page_id, title, tuple(kept), lang=_primary(lang) or "fr")


def _title_position(blocks: Sequence[Block], declared: str, given: str) -> int | None:
    headings = [(index, block) for index, block in enumerate(blocks) if block.kind == "heading"]
    if not headings:
        return None
    top = next(((i, b) for i, b in headings if b.level == 1), None)
    if given:
        index, block = top or headings[0]
        return index if _same(block.text, given) else None
    if top:
        return top[0]
    index, block = headings[0]
    if not declared or declared.casefold().startswith(block.text.casefold()):
        return index
    return None


def _same(one: str, other: str) -> bool:
    return one.casefold().strip(" .:") == other.casefold().strip(" .:")


def _from_name(page_id: str) -> str:
    stem = _SEPARATORS.sub(" ", PurePosixPath(page_id).stem).strip()
    return stem[:1].upper() + stem[1:] or page_id


def _primary(lang: str) -> str:
    subtag = lang.strip().lower().replace("_", "-").split("-")[0]
    return subtag if subtag.isalpha() and len(subtag) in (2, 3) else ""


def slug(text: str) -> str:
    """Return a heading's anchor as GitHub makes it."""
    kept = (c for c in text.strip().lower() if c in "-_ " or unicodedata.category(c)[0] in "LNM")
    return "".join(kept).replace(" ", "-")


def linked_id(target: str, page_id: str) -> str:
    """Return the id of the page that a link names; without an extension, it has this page's.

    ``./`` and ``../`` start from this page's folder, anything else from the indexed folder.
    """
    path = target.partition("#")[0].strip()
    if path.startswith("."):
        path = posixpath.join(posixpath.dirname(page_id), path)
    path = posixpath.normpath(path.lstrip("/")) if path else ""
    if path.startswith("../"):
        # <base> may lead one folder above the indexed one; the next part is then its name.
        path = path.removeprefix("../").partition("/")[2]
    if path in ("", ".") or path.startswith(".."):
        return ""
    suffix = PurePosixPath(page_id).suffix
    return path if PurePosixPath(path).suffix else path + suffix
