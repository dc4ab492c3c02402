"""HTML, by lexbor: it keeps text however deep (lxml drops what is nested beyond 256).

Hidden text, navigation and controls are left out: what a reader of the page does not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from indexer.parsers.blocks import Attributes, BlockBuilder
from indexer.parsers.metadata import decode, linked_id, make_page
from rag.core.documents import Block, Page
from rag.core.errors import CorpusError

IGNORED = frozenset(
    "script style noscript template nav button select textarea input svg math iframe object"
    " audio video canvas datalist head title".split()
)
# Furniture of the page; inside <main> or <article> the same elements hold its text.
PAGE_FRAME = frozenset(("header", "footer", "aside"))
_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(hidden|collapse)|opacity\s*:\s*0(\.0*)?\s*(;|$|!)"
    r"|font-size\s*:\s*0*(\.0*)?\s*(px|pt|em|rem|%)?\s*(;|$|!)",
    re.IGNORECASE,
)
_WHITE = re.compile(
    r"(^|;)\s*color\s*:\s*(white|#fff(fff)?|rgb\(\s*255\s*,\s*255\s*,\s*255\s*\))\s*(;|$|!)",
    re.IGNORECASE,
)
_NAVIGATION = re.compile(
    r"toc|table-?of-?contents|(bread-?crumbs?)([-_].*)?|side-?bar([-_].*)?|nav|nav-?bar|navigation"
    r"|(site|page|main|top|bottom|prev-?next)[-_]?(nav|navigation|menu|header|footer)"
    r"|nav-?(header|footer|menu|links)|pagination|pager|skip-?(link|nav|to-content)s?"
    r"|report-?bug|edit-?(this-?)?(page|link)|headerlink|cookie-?(banner|consent|notice)"
    r"|sr-only|visually-?hidden|sphinxsidebar|toctree-wrapper|genindex-jumpbox",
    re.IGNORECASE,
)
_RELATED = frozenset(("relatedtopics", "related-topics", "seealso", "see-also"))
# Lists of links by their class alone: an id of that name may be a section of the text.
_NAVIGATION_CLASSES = frozenset(("nav-list",))
_HIDDEN_CLASSES = frozenset(("d-none", "hidden", "visually-hidden", "sr-only"))
# "hidden md:block", "d-none d-md-block": hidden on small screens alone.
_SHOWN_WHERE_WIDE = re.compile(r"(d-)?(sm|md|lg|xl|xxl|2xl)[:-](block|flex|grid|inline|table).*")
_TEXT = frozenset(("p", "li", "td", "th", "dd"))
_INLINE = frozenset("a span b i em strong code kbd u small label sub sup font picture".split())
_MOST_INLINE = 8
_FILE_NAME = re.compile(r"\S+\.(png|jpe?g|gif|svg|webp)", re.IGNORECASE)
_GENERIC = frozenset(
    "icône icone icon image note tip warning astuce avertissement important conseil attention"
    " remarque d de".split()
)
_LINK_HOLDERS = frozenset(("div", "p", "span", "ul"))
_ROLES = frozenset(("navigation", "banner", "contentinfo", "search"))
_NEVER_NAVIGATION = frozenset(("body", "main", "article", "h1", "h2", "h3", "h4", "h5", "h6"))
_MOST_NODES = 300_000
# selectolax has no types.
Node = Any


def is_hidden(node: Any, attributes: Attributes) -> bool:
    """Tell whether an element is hidden by its own attributes."""
    if "hidden" in attributes:
        return not _is_chosen_alternative(node, attributes)
    if attributes.get("aria-hidden") == "true" or (
        node.tag == "dialog" and "open" not in attributes
    ):
        return True
    if _is_hidden_by_class(node.tag, attributes):
        return True
    style = attributes.get("style")
    if not style:
        return False
    if _HIDING.search(style):
        return True
    return bool(_WHITE.search(style)) and "background" not in style and "class" not in attributes


def _is_hidden_by_class(tag: str, attributes: Attributes) -> bool:
    classes = (attributes.get("class") or "").split()
    # A heading that only a screen reader reads still names its section.
    if _HIDDEN_CLASSES.isdisjoint(classes) or tag in _NEVER_NAVIGATION:
        return False
    return not any(_SHOWN_WHERE_WIDE.fullmatch(name) for name in classes)


def _is_chosen_alternative(node: Any, attributes: Attributes) -> bool:
    """Tell whether a hidden element is what LibreOffice's help shows: its script picks one
    alternative of each "switch" by operating system or module; ``default…`` is for the others.
    """
    parent = node.parent
    if parent is None or (parent.attributes.get("class") or "") not in ("switch", "switchinline"):
        return False
    if (attributes.get("id") or "").startswith("default"):
        return True
    sibling = parent.child
    while sibling is not None:
        if (sibling.id or "").startswith("default"):
            return False
        sibling = sibling.next
    return True


def is_navigation(tag: str, attributes: Attributes) -> bool:
    """Tell whether an element helps to move between pages and says nothing itself."""
    if not attributes or tag in _NEVER_NAVIGATION:
        return False
    if attributes.get("role") in _ROLES:
        return True
    if not _NAVIGATION_CLASSES.isdisjoint((attributes.get("class") or "").split()):
        return True
    names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}"
    return any(_NAVIGATION.fullmatch(name) for name in names.split())


def is_related(attributes: Attributes) -> bool:
    """Tell whether an element lists links to related pages."""
    return not _RELATED.isdisjoint((attributes.get("class") or "").split())


def is_in_text(node: Any) -> bool:
    """Tell whether an image or a button stands inside a sentence, an item or a cell."""
    parent = node.parent
    for _ in range(_MOST_INLINE):
        if parent is None or parent.tag not in _INLINE:
            break
        parent = parent.parent
    return parent is not None and parent.tag in _TEXT


def image_text(node: Any) -> str:
    """Return what an image says in its place: its alternative, unless that names only its kind."""
    said = " ".join((node.attributes.get("alt") or "").split())
    words = re.findall(r"\w+", said.casefold())
    if _FILE_NAME.fullmatch(said) or _GENERIC.issuperset(words) or not is_in_text(node):
        return ""
    return f"{_gap(node, 'prev')}{said}{_gap(node, 'next')}"


def _gap(node: Any, side: str) -> str:
    """Return a space where an image's words would run into the next ones."""
    neighbour = getattr(node, side)
    for _ in range(_MOST_INLINE):
        if neighbour is not None or node.parent.tag not in _INLINE:
            break
        node = node.parent
        neighbour = getattr(node, side)
    if neighbour is None or neighbour.tag != "-text":
        return " " * (neighbour is not None)
    text = neighbour.text_content or ""
    return " " if text and text[0 if side == "next" else -1].isalnum() else ""


def related_after(node: Any, attributes: Attributes) -> Iterator[Any]:
    """Return the links alone that follow LibreOffice's "Related topics", a paragraph."""
    if node.tag != "p" or (attributes.get("class") or "") != "related":
        return
    if node.parent is not None and node.parent.attributes.get("class") == "embedded":
        node = node.parent
    while (node := node.next) is not None:
        if node.tag == "-text" and not (node.text_content or "").strip():
            continue
        if node.tag not in _LINK_HOLDERS or not _only_links(node):
            break
        yield node


def _only_links(node: Any) -> bool:
    linked = " ".join(link.text() for link in node.css("a[href]"))
    words = re.findall(r"\w+", node.text(separator=" "))
    return bool(words) and re.findall(r"\w+", linked) == words


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
