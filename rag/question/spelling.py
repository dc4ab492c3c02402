"""Misspelt words of a question, mended with the words of the pages, then of the encoder."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from rag.core.protocols import Lexicon
from rag.language.analyzer import fold

SHORTEST = 4  # letters: shorter words have too many neighbours

NearestWords = Callable[[Sequence[str]], dict[str, str]]


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
