"""A model's sentence without what must not leave: foreign links, tags, tokens, hidden characters.

Its citations are taken out and counted; `cited` puts them back in one form.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Collection, Iterable

from rag.language import profiles
from rag.prompt import neutralise

ROUNDS = 8  # of cleaning; a text that still changes is an attempt to hide something
IMAGE = re.compile(r"!\[[^\]]*\](?:\([^()\s]*(?:\s[^()]*)?\)?|\[[^\]]*\])")
LINK = re.compile(r"(?<!!)\[([^\[\]]*)\]\(\s*<?([^()\s<>]*(?:\([^()\s]*\)[^()\s<>]*)*)>?[^()]*\)?")
LINK_REST = re.compile(r"\]\(([^()\s]*)")  # of a link that was cut or is malformed
TAG = re.compile(r"<(?:!--.*?(?:-->|$)|[/!?]?[a-z][^<>]*(?:>|(?=<)|$))", re.IGNORECASE | re.DOTALL)
URL = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]*\s?:\s?/{2,}|\b(?:javascript|vbscript|data|mailto|tel|blob|file):(?=\S)"
    r"|\bwww\.|(?<![\w:/@.])//(?=\w))[^\s<>«»\"]*"
    r"|(?<![\w@.-])(?:[\w-]+\.)+[a-z]{2,}/[^\s<>«»\"]*",
    re.IGNORECASE,
)
ESCAPED = re.compile(r"\\(?=[!-/:-@\[-`{-~])")
ANCHORED = re.compile(r"[^#]+#[\w.-]*")
URL_TAIL = ".,;:!?)]}*_'’"
# what each of the patterns above and of `neutralise` needs; each begins with a letter or sign of
# its own, so that most of a text is passed over
SUSPECT = re.compile(r"&|<|\\|/|:\S|w[wW]{2}\.|W[wW]{2}\.|!\[|\]\(|\(\s*\)|\[\s*\]|\[(?i:INST)\]")
CITES = re.compile(r"\[|【|\(")
SPACED = re.compile(r"[\n\t\u00a0\u202f]")
SPACES = re.compile(r"[ \t]{2,}")
BEFORE_MARK = re.compile(r" +(?=[.,)])")
EMPTY = re.compile(r"\(\s*\)|\[\s*\](?!\()|<\s*>")
HIDDEN = ("Cc", "Cf", "Co", "Cs", "Cn")  # Unicode's categories of what cannot be seen
_LISTING, _PASSAGE, _BEFORE = (
    profiles.alternatives(f"verification.{name}")
    for name in ("listing", "passage", "passage_before")
)
_LIST = rf"\^?\d{{1,3}}(?:\s*(?:,|;|{_LISTING}|&|-|–)\s*\^?\d{{1,3}})*"
CITATION = re.compile(
    rf"\s*(?:\[\s*(?:(?:{_PASSAGE})\s*)?({_LIST})\s*\](?!\()"
    rf"|【\s*(?:(?:{_PASSAGE})\s*)?({_LIST})[^】]{{0,40}}】"
    rf"|\((?:{_BEFORE})(?:{_PASSAGE})\s*({_LIST})\s*\))",
    re.IGNORECASE,
)
CUT_CITATION = re.compile(r"\s*[\[【]\^?[\d\s,;]*$")
ENDING = re.compile(r"\s*[.!?…:;]+[»\"”)*_]*$")


def clean(text: str, allowed_links: Collection[str]) -> str:
    """Return a text whose only links are allowed ones, without images, tags or hidden characters.

    A foreign Markdown link leaves its words, a foreign address nothing.
    """
    if _is_plain(text):
        return BEFORE_MARK.sub("", SPACES.sub(" ", text)).strip(" \t")
    for _ in range(ROUNDS):
        before = text
        text = neutralise(_visible(html.unescape(text)))
        text = ESCAPED.sub("", IMAGE.sub("", text))
        text = TAG.sub(lambda found: _kept_tag(found.group(), allowed_links), text)
        text = LINK.sub(lambda found: _kept_link(found, allowed_links), text)
        text = LINK_REST.sub(lambda found: _kept_rest(found, allowed_links), text)
        text = _without_addresses(text, allowed_links)
        text = EMPTY.sub("", text)
        if text == before:
            return BEFORE_MARK.sub("", SPACES.sub(" ", text)).strip(" \t")
    return ""


def bare(url: str) -> str:
    """Return an address without its fragment."""
    return url.partition("#")[0]


def without_citations(text: str) -> tuple[str, list[int]]:
    """Return a text without its citations, and the numbers cited in order."""
    numbers: list[int] = []
    if not CITES.search(text):
        return text, numbers

    def taken(match: re.Match[str]) -> str:
        given = next(filter(None, match.groups()))
        numbers.extend(int(number) for number in re.findall(r"\d+", given))
        return ""

    text = CITATION.sub(taken, text)
    if "[" in text or "【" in text:
        text = CUT_CITATION.sub("", text)
    return text, list(dict.fromkeys(numbers))


def cited(text: str, numbers: Iterable[int]) -> str:
    """Return a sentence with its citations before its final mark: `` [1, 2]``."""
    listed = ", ".join(map(str, sorted(set(numbers))))
    if not listed:
        return text
    end = ENDING.search(text)
    place = end.start() if end else len(text)
    return f"{text[:place]} [{listed}]{text[place:]}"


def _is_plain(text: str) -> bool:
    """Say whether a text surely holds nothing to take out: most sentences do not."""
    shown = text.isprintable() or SPACED.sub("", text).isprintable()
    return shown and not SUSPECT.search(text)


def _visible(text: str) -> str:
    return "".join(
        char for char in text if char in "\n\t" or unicodedata.category(char) not in HIDDEN
    )


def _kept_tag(tag: str, allowed_links: Collection[str]) -> str:
    return tag if _is_known(tag[1:-1], allowed_links) and tag.endswith(">") else ""


def _kept_link(found: re.Match[str], allowed_links: Collection[str]) -> str:
    label, url = found.groups()
    return f"[{label}]({url})" if _is_known(url, allowed_links) else label


def _kept_rest(found: re.Match[str], allowed_links: Collection[str]) -> str:
    return found.group() if _is_known(found.group(1), allowed_links) else f"] {found.group(1)}"


def _is_known(url: str, allowed_links: Collection[str]) -> bool:
    return url in allowed_links or (bool(ANCHORED.fullmatch(url)) and bare(url) in allowed_links)


def _without_addresses(text: str, allowed_links: Collection[str]) -> str:
    def kept(found: re.Match[str]) -> str:
        url = found.group().rstrip(URL_TAIL)
        rest = found.group()[len(url) :]
        return url + rest if _is_known(url, allowed_links) else rest

    return URL.sub(kept, text)
