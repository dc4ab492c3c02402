"""HTML, by lexbor: it keeps text however deep (lxml drops what is nested beyond 256)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from indexer.parsers.assembly import linked_id, make_page
from indexer.parsers.builder import Attributes, BlockBuilder
from indexer.parsers.decoding import decode
from indexer.parsers.visibility import (
    IGNORED,
    PAGE_FRAME,
    image_text,
    is_hidden,
    is_in_text,
    is_navigation,
    is_related,
    related_after,
)
from rag.core.documents import Block, Page
from rag.core.errors import CorpusError

_MOST_NODES = 300_000

# selectolax has no types.
Node = Any


def parse(data: bytes, page_id: str) -> Page:
    """Parse an HTML page. Raises: CorpusError when it cannot be read."""
    return parse_text(decode(data, page_id), page_id)


def parse_text(text: str, page_id: str) -> Page:
    """Parse an HTML page given as text. Raises: CorpusError when it has too many elements."""
    tree = LexborHTMLParser(text)
    root = _main(tree)
    blocks, related = _Reader(page_id, navigation=False).read(root)
    # A page of links alone (a manual's table of contents) is better than no page.
    if not any(block.kind != "heading" for block in blocks) and tree.body is not None:
        blocks, related = _Reader(page_id, navigation=True).read(tree.body)
    declared = tree.css_first("head > title")
    language = tree.root.attributes if tree.root is not None else {}
    page = make_page(
        page_id,
        blocks,
        declared=" ".join(declared.text().split()) if declared is not None else "",
        lang=language.get("lang") or language.get("xml:lang") or "",
    )
    return replace(page, see_also=related)


def read_fragment(text: str, page_id: str) -> tuple[Block, ...]:
    """Return the blocks of HTML that has no page around it (rendered from another format)."""
    body = LexborHTMLParser(text).body
    return _Reader(page_id, navigation=True).read(body)[0] if body is not None else ()


def _main(tree: LexborHTMLParser) -> Node:
    main = tree.css_first("main, [role=main]")
    if main is None:
        articles = tree.css("article")
        main = articles[0] if len(articles) == 1 else None
    if main is not None and main.text().strip():
        return main
    return tree.body


def _is_ignored(node: Node, tag: str) -> bool:
    return tag in IGNORED and not (tag == "button" and is_in_text(node))


class _Reader:
    """Walk a tree without recursion, and tell the builder what a reader would see."""

    def __init__(self, page_id: str, *, navigation: bool) -> None:
        self._page_id = page_id
        self._navigation = navigation
        self._builder = BlockBuilder()
        self._related: dict[str, None] = {}
        self._related_nodes: set[int] = set()
        self._base: str | None = None
        self._articles = 0

    def read(self, root: Node) -> tuple[tuple[Block, ...], tuple[str, ...]]:
        """Return the blocks below an element and the ids of its related pages."""
        if root is None:
            return (), ()
        self._articles = int(root.tag != "body")
        node, count = root.child, 0
        while node is not None:
            count += 1
            if count > _MOST_NODES:
                raise CorpusError(self._page_id, f"more than {_MOST_NODES} elements")
            child = self._enter(node)
            node = child if child is not None else self._after(node, root.mem_id)
        return self._builder.blocks(), tuple(self._related)

    def _enter(self, node: Node) -> Node | None:
        """Begin a node; return its first child when the walk goes on inside it."""
        tag = node.tag
        if tag == "-text":
            self._builder.text(node.text_content or "")
            return None
        if tag[0] in "-_!" or not node.is_element_node or _is_ignored(node, tag):
            return None
        if self._skips(node, tag):
            return None
        if tag == "img":
            self._builder.text(image_text(node))
        self._builder.open(tag, node.attributes)
        self._articles += tag in ("main", "article")
        child = node.child
        if child is None:
            self._leave(tag)
        return child

    def _leave(self, tag: str) -> None:
        self._articles -= tag in ("main", "article")
        self._builder.close(tag)

    def _after(self, node: Node, root: int) -> Node | None:
        """Return the next node after a finished one, closing the elements that end there."""
        while (following := node.next) is None:
            node = node.parent
            # Nodes compare by their whole HTML: slow, and the same for twins.
            if node is None or node.mem_id == root:
                return None
            self._leave(node.tag)
        return following

    def _skips(self, node: Node, tag: str) -> bool:
        attributes = node.attributes
        if is_hidden(node, attributes):
            return True
        if tag == "form" and node.css_first("h1, h2, h3, p") is None:
            return True
        if not self._navigation:
            if tag in PAGE_FRAME and not self._articles:
                return True
            if is_related(attributes):
                self._related.update(dict.fromkeys(self._links(node)))
                return True
            return is_navigation(tag, attributes) or self._takes_related(node, attributes)
        return False

    def _takes_related(self, node: Node, attributes: Attributes) -> bool:
        if node.mem_id in self._related_nodes:
            return True
        found = False
        for links in related_after(node, attributes):
            found = True
            if links.mem_id in self._related_nodes:
                break
            self._related.update(dict.fromkeys(self._links(links)))
            self._related_nodes.add(links.mem_id)
        return found

    def _links(self, node: Node) -> Iterator[str]:
        if self._base is None:
            base = node.parser.css_first("head > base[href]")
            self._base = (base.attributes.get("href") or "") if base is not None else ""
        for link in node.css("a[href]"):
            target = link.attributes.get("href") or ""
            if target and ":" not in target and target[0] not in "#/":
                target = linked_id("./" + self._base + target, self._page_id)
                if target and target != self._page_id:
                    yield target
