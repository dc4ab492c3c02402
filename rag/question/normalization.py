"""A question as the words it is made of, without how politely, loudly or hastily it was typed.

Two questions with one `normal_form` are the same question. Numbers, signs, versions and codes are
words too: `E-210`, `2.1`, `5,5 %` and `-3` survive. Misspelt words are mended with the words of the
pages, then of the encoder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rag.core.protocols import Lexicon
from rag.language import profiles
from rag.language.analyzer import fold
from rag.language.tokenizer import Token, tokens

SHORTEST = 4  # letters: shorter words have too many neighbours
NearestWords = Callable[[Sequence[str]], dict[str, str]]
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


def corrections(words: Sequence[str], lexicon: Lexicon, nearest: NearestWords) -> dict[str, str]:
    """Return a word to read instead of each word that looks misspelt, accents and case folded.

    A word that the lexicon or the pages know is left as it is. ``nearest`` is `Store.nearest_words`
    and is asked only when a word is doubtful.
    """
    doubtful = [word for word in words if _is_doubtful(word, lexicon)]
    if not doubtful:
        return {}
    held = nearest([fold(word) for word in doubtful])
    found = {word: held.get(fold(word)) or lexicon.nearest_word(fold(word)) for word in doubtful}
    return {word: other for word, other in found.items() if other and other != fold(word)}


def corrected(text: str, mended: dict[str, str]) -> str:
    """Return the text with whole words replaced, whatever their case."""
    for word, other in mended.items():
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", other, text, flags=re.IGNORECASE)
    return text


def _is_doubtful(word: str, lexicon: Lexicon) -> bool:
    return len(word) >= SHORTEST and word.isalpha() and not lexicon.knows(word)
