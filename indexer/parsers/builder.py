"""Opened and closed elements, named as in HTML, to a page's blocks. Every parser ends here."""

from __future__ import annotations

from textwrap import dedent

from indexer.parsers.frames import LISTS, Frame, add_item, flat, rendered
from rag.core.documents import Block

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    "address article aside blockquote body caption center details dialog div fieldset figcaption"
    " figure footer form header hr html legend main nav p section summary tbody tfoot thead tr"
    "".split()
)
_CONTAINERS = frozenset("ul ol li table td th dl dt dd".split())
_DEEPEST = 64

Attributes = dict[str, str | None]


class BlockBuilder:
    """Gather blocks from elements given in document order, properly nested."""

    def __init__(self) -> None:
        self._frames = [Frame("page")]
        self._overflow = 0
        self._inline: list[str] = []
        self._heading: tuple[int, str] | None = None
        self._preformatted = 0
        self._anchor = ""

    def text(self, data: str) -> None:
        """Add a piece of running text."""
        self._inline.append(data)

    def open(self, tag: str, attributes: Attributes) -> None:
        """Begin an element."""
        anchor = attributes.get("id") or (attributes.get("name") if tag == "a" else "") or ""
        if tag in _HEADINGS:
            self._flush()
            self._heading = (_HEADINGS[tag], anchor)
            return
        if tag == "br":
            self.text("\n")
        elif tag == "pre":
            self._flush()
            self._preformatted += 1
        elif tag in _CONTAINERS:
            self._flush()
            self._push(tag, attributes)
        elif tag in _BLOCKS:
            self._flush()
            self._open_row(tag)
        if anchor:
            self._remember(anchor)

    def close(self, tag: str) -> None:
        """End the element opened last."""
        if tag in _HEADINGS:
            self._flush()
            self._heading = None
        elif tag == "pre":
            self._flush()
            self._preformatted -= 1
        elif tag in _CONTAINERS:
            self._flush()
            self._pop(tag)
        elif tag in _BLOCKS:
            self._flush()
            if tag == "thead":
                self._frames[-1].head = False

    def blocks(self) -> tuple[Block, ...]:
        """Return all blocks, once every element is closed."""
        self._flush()
        return tuple(self._frames[0].blocks)

    def _remember(self, anchor: str) -> None:
        if self._heading and not self._heading[1]:
            self._heading = (self._heading[0], anchor)
        else:
            self._anchor = anchor

    def _flush(self) -> None:
        if not self._inline:
            return
        text = "".join(self._inline)
        self._inline.clear()
        text = _code(text) if self._preformatted else " ".join(text.split())
        if not text:
            return
        if self._heading:
            level, anchor = self._heading
            block = Block("heading", text, level=level, anchor=anchor or self._anchor)
        else:
            block = Block("code" if self._preformatted else "paragraph", text)
        self._anchor = ""
        self._frames[-1].add(block)

    def _push(self, tag: str, attributes: Attributes) -> None:
        if self._overflow or len(self._frames) >= _DEEPEST:
            self._overflow += 1
            return
        top = self._frames[-1]
        frame = Frame(tag, head=top.head)
        if tag == "ol":
            frame.number = _number(attributes.get("start"), 1) - 1
        elif tag == "li":
            top.number = _number(attributes.get("value"), top.number + 1)
        elif tag == "table":
            frame.head = False
            frame.layout = attributes.get("role") in ("presentation", "none")
        elif tag == "th":
            frame.head = True
        self._frames.append(frame)

    def _open_row(self, tag: str) -> None:
        top = self._frames[-1]
        if tag == "thead":
            top.head = True
        elif tag == "tr" and top.tag == "table":
            top.rows.append([])

    def _pop(self, tag: str) -> None:
        if self._overflow:
            self._overflow -= 1
            return
        frame = self._frames.pop()
        frame.end_list()
        top = self._frames[-1]
        if tag == "li" and top.tag in LISTS:
            add_item(top, frame.blocks)
        elif tag in ("td", "th") and top.tag == "table":
            top.rows = top.rows or [[]]
            top.rows[-1].append((frame.head, frame.blocks))
        elif tag == "dt" and top.tag == "dl":
            top.terms.append(flat(frame.blocks))
        elif tag == "dd" and top.tag == "dl":
            top.entries.append((", ".join(filter(None, top.terms)), frame.blocks))
            top.terms = []
        else:
            for block in rendered(frame):
                top.add(block)


def _code(text: str) -> str:
    return dedent("\n".join(line.rstrip() for line in text.split("\n"))).strip("\n")


def _number(value: str | None, default: int) -> int:
    plain = value and value.isascii() and value.isdigit() and len(value) < 7
    return int(value) if value and plain else default
