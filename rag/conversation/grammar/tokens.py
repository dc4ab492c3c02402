"""Words of a question with their places, clitics cut off (``l'annuler``, ``peut-on``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

PART = re.compile(
    r"(?:qu|lorsqu|puisqu|jusqu|[cdjlmnst])['’]|[^\W_]+(?:[-'’][^\W_]+)*|[,;:.!?…()]", re.IGNORECASE
)
CLITIC = re.compile(
    r"(?:-t)?(-(?:je|tu|il|elle|on|nous|vous|ils|elles|ce|le|la|les|lui|leur|moi|en|y))$",
    re.IGNORECASE,
)
STOPS = frozenset(",;:.!?…()")


@dataclass(frozen=True, slots=True)
class Token:
    """Hold a word in lower case and where it stands in the text."""

    word: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reference:
    """Hold the place among the tokens of a word that stands for something said before.

    ``kind`` is ``object`` (supprime-*le*), ``subject`` (*il* est gris), ``whole`` (*ça* ne marche
    pas), ``place`` (*y*, *en*, *lui*) or ``choice`` (*celui-ci*, *this one*).
    """

    at: int
    kind: str


def tokens(text: str) -> list[Token]:
    """Return the words and marks of a text in order; a mark is a token of its own."""
    found: list[Token] = []
    for match in PART.finditer(text):
        word, start = match.group().lower().replace("’", "'"), match.start()
        cut = CLITIC.search(word)
        if cut and cut.start():
            found.append(Token(word[: cut.start()], start, start + cut.start()))
            found.append(Token(cut.group(1), start + cut.start(), match.end()))
        else:
            found.append(Token(word, start, match.end()))
    return found


def word_at(found: Sequence[Token], place: int) -> str:
    """Return the word at a place; empty outside the text."""
    return found[place].word if 0 <= place < len(found) else ""
