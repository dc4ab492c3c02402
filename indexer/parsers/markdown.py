"""Markdown (CommonMark, tables, admonitions): rendered to HTML, and read as that."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from indexer.parsers.html import read_fragment
from indexer.parsers.metadata import decode, make_page, slug, split_front_matter
from rag.core.documents import Page

_GIVEN_ID = re.compile(r"\s*\{:?\s*#([\w.:-]+)[^{}]*\}\s*$")
_FENCE = re.compile(r"\s{0,3}(```+|~~~+)")
_ADMONITION = re.compile(r"(?:!!!|\?\?\?\+?)\s+[\w-]+(?:\s+\"([^\"]*)\")?\s*$")
_CONTAINER = re.compile(r"\s{0,3}:::+\s*(?:[\w-]+)?(?:\s+(.*))?$")
_ALERT = re.compile(r"(\s*>\s*)\[!(\w+)\]\s*$")


def parse(data: bytes, page_id: str) -> Page:
    """Parse a Markdown page. Raises: CorpusError when it, or its front matter, cannot be read."""
    head, text = split_front_matter(decode(data, page_id), page_id)
    tokens = _markdown().parse("\n".join(_plain_admonitions(text.split("\n"))))
    _name_headings(tokens)
    renderer = _markdown().renderer
    html = renderer.render(tokens, _markdown().options, {})
    page = make_page(page_id, read_fragment(html, page_id), given=head.title, lang=head.lang)
    return replace(
        page,
        url=head.url,
        see_also=head.see_also,
        actions=head.actions,
        questions=head.questions,
    )


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _plain_admonitions(lines: list[str]) -> list[str]:
    """Turn the notes of MkDocs, Docusaurus and GitHub into ordinary paragraphs."""
    result: list[str] = []
    fence = ""
    inside = False
    for line in lines:
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        if not fence and (note := _ADMONITION.match(line)):
            inside = True
            result.extend(["", note[1] or "", ""])
        elif not fence and (note := _CONTAINER.match(line)):
            result.extend(["", note[1] or "", ""])
        elif not fence and (note := _ALERT.match(line)):
            result.append(note[1])
        else:
            inside = inside and (not line.strip() or line.startswith("    "))
            result.append(line[4:] if inside else line)
    return result


def _name_headings(tokens: list[Token]) -> None:
    """Give each heading its id: the one written as ``{#id}``, else GitHub's."""
    headings = [
        (token, tokens[position + 1].children or [])
        for position, token in enumerate(tokens)
        if token.type == "heading_open"
    ]
    given = [_take_given_id(children) for _, children in headings]
    used = set(filter(None, given))
    repeats: Counter[str] = Counter()
    for (token, children), anchor in zip(headings, given, strict=True):
        token.attrSet("id", anchor or _free_anchor(children, used, repeats))


def _free_anchor(children: list[Token], used: set[str], repeats: Counter[str]) -> str:
    base = slug("".join(c.content for c in children if c.type != "html_inline"))
    anchor = base
    while anchor in used:
        repeats[base] += 1
        anchor = f"{base}-{repeats[base]}"
    used.add(anchor)
    return anchor


def _take_given_id(children: list[Token]) -> str:
    if not children or children[-1].type != "text":
        return ""
    found = _GIVEN_ID.search(children[-1].content)
    if not found:
        return ""
    children[-1].content = children[-1].content[: found.start()]
    return found[1]
