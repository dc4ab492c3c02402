"""A text as tokens: words, numbers, codes and signs, each with where it stands.

There are three views of it: `tokens` (as questions are compared: numbers, signs, versions and
codes survive, as `E-210`, `2.1`, `5,5 %` and `-3`), `clause_tokens` (as grammar reads a clause:
clitics cut off, marks kept) and `analyzer.words` (as BM25 and Elasticsearch see it: letters and
digits alone).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rag.language import profiles
from rag.language.analyzer import APOSTROPHES

Kind = Literal["word", "number", "code", "address", "sign"]
# what a question is cut into before elisions are written out
PIECE = re.compile(
    r"""(?P<address>\w+://[^\s?!»"”,;)]+|[^\s@<>"«]+@[\w-]+(?:\.[\w-]+)+)
    |(?P<grouped>(?<![\w.,])\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?![\w]))
    |(?P<signed>(?<![\w)])(?:[-−]\s?(?:\d+(?:[.,]\d+)*|[.,]\d+)|(?<![.,])[.,]\d+))
    |(?P<code>(?=[\w./-]*\d)\w+(?:[-./,](?=\w*\d)\w+|[-./]\w+(?=[-./\w]*\d)|-\w+)*)
    |(?P<word>\w+(?:[''-]\w+)*)
    |(?P<sign>[^\w\s])""",
    re.VERBOSE,
)
MEASURED = re.compile(r"(\d+(?:\.\d+)*)([a-zµ]{1,3}[²³23]?)")
# punctuation that changes what is asked, as symbols (currencies, arrows, marks) do
SIGNS = frozenset("%‰#&@*/\\§")
QUOTES = {"«": "»", "“": "”", '"': '"'}
MEASURES = profiles.union("tokenizer.unit_symbols")
WHOLE = profiles.union("tokenizer.whole") | {"e-mail", "e-mails"}
ELIDED = profiles.pairs("tokenizer.elided")
CONTRACTIONS = profiles.pairs("tokenizer.contractions")
CONTRACTED = profiles.union("tokenizer.contracted")
CONTRACTED_ASKING = profiles.union("tokenizer.contracted_asking")
DENIED = profiles.pairs("tokenizer.denied")
ABBREVIATIONS = profiles.joined_texts("tokenizer.abbreviations")
SMALL = frozenset(ELIDED.values())
KINDS: Mapping[str, Kind] = {
    **{"address": "address", "grouped": "number", "signed": "number"},
    **{"code": "code", "word": "word", "sign": "sign"},
}
PART = re.compile(
    rf"(?:{'|'.join(profiles.in_order('tokenizer.elided_words'))}"
    rf"|[{''.join(profiles.in_order('tokenizer.elided_letters'))}])['’]"
    r"|[^\W_]+(?:[-'’][^\W_]+)*|[,;:.!?…()]",
    re.IGNORECASE,
)
CLITIC = re.compile(
    rf"(?:-t)?(-(?:{'|'.join(profiles.in_order('tokenizer.clitics'))}))$", re.IGNORECASE
)
STOPS = frozenset(",;:.!?…()")


@dataclass(frozen=True, slots=True)
class Token:
    """Hold one word, number, code or sign of a text.

    ``surface`` is what was typed, ``folded`` what a view compares, ``start`` and ``end`` where it
    stands (what is written out for it stands where it does). ``elided_from`` is a small word as it
    is cut before an apostrophe. ``opens``: it begins a sentence. ``quoted``: it stands between
    quotation marks.
    """

    surface: str
    folded: str
    start: int = 0
    end: int = 0
    kind: Kind = "word"
    elided_from: str = ""
    opens: bool = False
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """Hold the place among the tokens of a word that stands for something said before.

    ``kind`` is ``object`` (supprime-*le*), ``subject`` (*il* est gris), ``whole`` (*ça* ne marche
    pas), ``place`` (*y*, *en*, *lui*) or ``choice`` (*celui-ci*, *this one*).
    """

    at: int
    kind: str


def fold(text: str) -> str:
    """Return the text in lower case, Latin letters without accents or ligatures."""
    text = text.casefold()
    if text.isascii():
        return text
    text = text.replace("œ", "oe").replace("æ", "ae")
    kept, latin = [], False
    for character in unicodedata.normalize("NFD", text):
        if not unicodedata.combining(character):
            latin = character < "\u0250"
        elif latin:
            continue
        kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))


def tokens(question: str) -> list[Token]:
    """Return the words, numbers, codes and telling signs of a question, in order.

    Elisions and short forms are written out. Places are those in the question's NFC.
    """
    text = unicodedata.normalize("NFC", question).translate(APOSTROPHES).replace("‑", "-")
    found: list[Token] = []
    opens, closing = True, ""
    for match in PIECE.finditer(text):
        raw, kind = match.group(), match.lastgroup
        if kind == "sign" and not _telling(raw):
            closing = "" if raw == closing else closing or QUOTES.get(raw, "")
            opens = opens or (raw in ".!?:…" and len(found[-1].surface if found else "") > 1)
            continue
        found += _placed(match, opens=opens, quoted=bool(closing))
        opens = False
    return found


def clause_tokens(text: str) -> list[Token]:
    """Return the words and marks of a text in order, clitics cut off (``l'annuler``, ``peut-on``).

    They are in lower case with straight apostrophes; a mark is a token of its own.
    """
    found: list[Token] = []
    for match in PART.finditer(text):
        found += _without_clitic(match)
    return found


def _without_clitic(match: re.Match[str]) -> Iterator[Token]:
    surface, start = match.group(), match.start()
    word = surface.lower().replace("’", "'")
    cut = CLITIC.search(word)
    if cut and cut.start():
        yield Token(surface[: cut.start()], word[: cut.start()], start, start + cut.start())
        yield Token(surface[cut.start() :], cut.group(1), start + cut.start(), match.end())
    else:
        elided = surface if word.endswith("'") else ""
        yield Token(surface, word, start, match.end(), elided_from=elided)


def word_at(found: Sequence[Token], place: int) -> str:
    """Return the word at a place; empty outside the text."""
    return found[place].folded if 0 <= place < len(found) else ""


def _placed(match: re.Match[str], *, opens: bool, quoted: bool) -> Iterator[Token]:
    """Yield the tokens of a piece of a text, each with its place."""
    raw, first, kind = match.group(), match.start(), KINDS[match.lastgroup or "word"]
    cursor = 0
    for part, folded in _parts(raw, match.lastgroup or ""):
        at = raw.find(part, cursor)
        start, cursor = (at, at + len(part)) if at >= 0 else (0, len(raw))
        elided = raw[start : cursor + 1] if folded in SMALL and raw[cursor:][:1] == "'" else ""
        yield Token(part, folded, first + start, first + cursor, kind, elided, opens, quoted)
        opens = False


def _telling(sign: str) -> bool:
    return sign in SIGNS or unicodedata.category(sign).startswith("S")


def _parts(raw: str, kind: str) -> list[tuple[str, str]]:
    if kind == "word":
        return _word_parts(raw)
    folded = fold(raw)
    if kind == "grouped":
        return [(raw, re.sub(r"\s", "", folded))]
    if kind in {"code", "signed"}:
        folded = re.sub(r"(?<=\d),(?=\d)", ".", folded.replace("−", "-"))
        if kind == "signed":
            folded = re.sub(r"^(-?)\s*[.,]", r"\g<1>0.", re.sub(r"\s", "", folded))
        measured = MEASURED.fullmatch(folded)
        if measured and measured[2] in MEASURES:
            return [(measured[1], measured[1]), (measured[2], measured[2])]
    return [(raw, folded)]


def _word_parts(raw: str) -> list[tuple[str, str]]:
    """Return a word's parts at hyphens and apostrophes, elisions and short forms written out."""
    folded = fold(raw)
    if folded in WHOLE:
        return [(raw, folded.replace("-", "").replace("'", ""))]
    if folded.isalnum():
        return [(raw, word) for word in ABBREVIATIONS.get(folded, folded).split()]
    parts: list[tuple[str, str]] = []
    for piece in raw.split("-"):
        head, *tail = piece.split("'")
        parts += _elided(head, tail)
    return parts


def _elided(head: str, tail: list[str]) -> list[tuple[str, str]]:
    first, last = fold(head), fold(tail[-1]) if tail else ""
    if not tail:
        return [(head, word) for word in ABBREVIATIONS.get(first, first).split()]
    if last == "t" and first.endswith("n") and len(first) > 2:
        return [(head, DENIED.get(first, first[:-1])), ("not", "not")]
    if last == "s" and first in CONTRACTED_ASKING:
        return [(head, first), ("is", "is")]
    if last == "s" and first not in ELIDED:
        return [(head, first)]
    if last in CONTRACTIONS and first in CONTRACTED:
        return [(head, first), (last, CONTRACTIONS[last])]
    rest = [(piece, fold(piece)) for piece in tail]
    return [(head, ELIDED.get(first, first)), *rest]
