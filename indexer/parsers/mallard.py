"""Mallard (GNOME's help): its elements as their HTML likes."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from indexer.parsers.blocks import BlockBuilder
from indexer.parsers.metadata import decode, linked_id, make_page
from rag.core.documents import Block, Page
from rag.core.errors import CorpusError

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_TAGS = {
    "steps": "ol",
    "list": "ul",
    "tree": "ul",
    "terms": "dl",
    "item": "li",
    "screen": "pre",
    "quote": "blockquote",
    "note": "div",
    "example": "div",
    "listing": "div",
    "synopsis": "div",
} | {name: name for name in "p figure section table thead tbody tfoot tr td th".split()}
_IGNORED = frozenset(("info", "media", "links", "include", "desc", "tt"))
_JOINTS = {"keyseq": "+", "guiseq": " > "}
_CODE_BLOCKS = ("page", "section", "item", "listing", "example", "note", "figure")
_MOST_NODES = 100_000


def parse(data: bytes, page_id: str) -> Page:
    """Parse a Mallard page. Raises: CorpusError when it is no XML or declares entities."""
    text = decode(data, page_id)
    # An entity can stand for gigabytes, or for a file of this machine.
    if "<!ENTITY" in text:
        raise CorpusError(page_id, "declares XML entities")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise CorpusError(page_id, f"not well-formed XML: {error}") from None
    page = make_page(page_id, _Reader(page_id).read(root), lang=root.get(_LANGUAGE, ""))
    return replace(page, see_also=_see_also(root, page_id))


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _see_also(root: Element, page_id: str) -> tuple[str, ...]:
    links = (link for link in root.iterfind("{*}info/{*}link") if link.get("type") == "seealso")
    targets = (linked_id("./" + link.get("xref", ""), page_id) for link in links)
    return tuple(dict.fromkeys(filter(None, targets)))


class _Reader:
    """Walk a tree without recursion, and tell the builder what a reader would see."""

    def __init__(self, page_id: str) -> None:
        self._page_id = page_id
        self._builder = BlockBuilder()
        self._level = 1

    def read(self, root: Element) -> tuple[Block, ...]:
        """Return the blocks of a page: its summary, then its text."""
        summary = root.find("{*}info/{*}desc")
        if summary is not None:
            self._builder.text("".join(summary.itertext()))
        self._builder.open("div", {})
        # Each entry: an element, its tag for the builder, the children still to come.
        stack = [(root, "div", iter(root))]
        count = 0
        while stack:
            element, tag, children = stack[-1]
            child = next(children, None)
            if child is None:
                stack.pop()
                self._leave(element, tag, stack[-1][0] if stack else None)
                continue
            count += 1
            if count > _MOST_NODES:
                raise CorpusError(self._page_id, f"more than {_MOST_NODES} elements")
            if _name(child) in _IGNORED or not _is_shown(child, element):
                self._builder.text(child.tail or "")
            else:
                stack.append((child, self._enter(child, element), iter(child)))
        return self._builder.blocks()

    def _enter(self, element: Element, parent: Element) -> str:
        """Begin an element; return the tag that the builder knows it by."""
        name, within = _name(element), _name(parent)
        self._level += name == "section"
        if within in _JOINTS and parent[0] is not element:
            self._builder.text(_JOINTS[within])
        tag = self._tag(name, within)
        self._builder.open(tag, {"id": element.get("id")})
        text = element.text or ""
        if name == "link" and not len(element) and not text.strip():
            text = _readable(element.get("xref") or element.get("href") or "")
        self._builder.text(text)
        return tag

    def _tag(self, name: str, within: str) -> str:
        if name == "title":
            if within in ("page", "section"):
                return f"h{min(self._level, 6)}"
            return "dt" if within == "item" else "p"
        if name == "item" and within == "terms":
            return "div"
        if name == "code" and within in _CODE_BLOCKS:
            return "pre"
        return _TAGS.get(name, "span")

    def _leave(self, element: Element, tag: str, parent: Element | None) -> None:
        name = _name(element)
        if name == "item" and tag == "div":
            self._builder.close("dd")
        self._builder.close(tag)
        # A term's meaning is all that follows its last title.
        if tag == "dt" and parent is not None and parent.findall("{*}title")[-1] is element:
            self._builder.open("dd", {})
        self._level -= name == "section"
        # What joins keys is their meaning, not the line breaks between them.
        if element.tail and (parent is None or _name(parent) not in _JOINTS):
            self._builder.text(element.tail)


def _is_shown(element: Element, parent: Element) -> bool:
    """Take the first alternative that asks for no special platform, as a plain desktop does."""
    name, test = _name(element), element.get("test", "")
    if name in ("when", "if", "else") and ":" in test and not test.startswith("!"):
        return False
    if _name(parent) != "choose":
        return True
    shown = (child for child in parent if not child.get("test", "!").startswith("platform:"))
    return next(shown, None) is element


def _readable(target: str) -> str:
    page, _, anchor = target.partition("#")
    if "://" in target:
        return target
    return (anchor or page).rpartition("/")[2].replace("-", " ").replace("_", " ")
