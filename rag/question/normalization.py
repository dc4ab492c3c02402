"""A question as the words it is made of, without how politely, loudly or hastily it was typed.

Two questions with one `normal_form` are the same question. Numbers, signs, versions and codes are
words too: `E-210`, `2.1`, `5,5 %` and `-3` survive.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.language import profiles
from rag.language.tokenizer import Token, tokens

PLEASE, GREETING, CLOSING, LEAD = (
    f"(?:{profiles.alternatives(f'politeness.{name}')})"
    for name in ("please", "greeting", "closing", "lead")
)
STRIPPED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b{PLEASE}\b",
        rf"^(?:{GREETING} )*{GREETING}\b(?= )",
        rf"(?:\b{CLOSING})+$",
        rf"^(?:{CLOSING} )+",
        rf"^(?:{LEAD}\b ?)+",
    )
)


def normal_form(question: str) -> str:
    """Return the question's words in order, folded, one space apart, politeness left out."""
    return spaced(polite_free(tokens(question)))


def polite_free(told: list[Token]) -> list[Token]:
    """Return the tokens without greetings, thanks and the like; all when nothing is left."""
    kept, before = told, -1
    while before != len(kept):
        before = len(kept)
        text = spaced(kept)
        for pattern in STRIPPED:
            match = pattern.search(text)
            if match and match.end() > match.start():
                kept = outside(kept, text, match)
                text = spaced(kept)
    return kept or told


def spaced(told: Sequence[Token]) -> str:
    """Return the folded words one space apart, as patterns read them."""
    return " ".join([token.folded for token in told])


def outside(told: list[Token], text: str, match: re.Match[str]) -> list[Token]:
    """Return the tokens that a match in their spaced text does not cover, not even in part."""
    start = text.count(" ", 0, match.start()) + text.startswith(" ", match.start())
    return told[:start] + told[len(text[: match.end()].split()) :]
