"""What of an HTML page its reader does not read: hidden text, navigation, controls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from indexer.parsers.builder import Attributes

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
