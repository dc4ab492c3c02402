"""What of an HTML page its reader does not read: hidden text, navigation, controls."""

from __future__ import annotations

import re
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
_ROLES = frozenset(("navigation", "banner", "contentinfo", "search"))
_NEVER_NAVIGATION = frozenset(("body", "main", "article", "h1", "h2", "h3", "h4", "h5", "h6"))


def is_hidden(node: Any, attributes: Attributes) -> bool:
    """Tell whether an element is hidden by its own attributes."""
    if "hidden" in attributes:
        return not _is_chosen_alternative(node, attributes)
    if attributes.get("aria-hidden") == "true":
        return True
    style = attributes.get("style")
    if not style:
        return False
    if _HIDING.search(style):
        return True
    return bool(_WHITE.search(style)) and "background" not in style and "class" not in attributes


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
    names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}"
    return any(_NAVIGATION.fullmatch(name) for name in names.split())


def is_related(attributes: Attributes) -> bool:
    """Tell whether an element lists links to related pages."""
    return not _RELATED.isdisjoint((attributes.get("class") or "").split())
