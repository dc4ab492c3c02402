"""Questions as they are typed in haste: some accents gone, and a typo."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from rag.diagnostics.datasets import Question

ACCENTS_LOST = 0.2  # of the letters that have one
SHORTEST = 5  # letters of a word that gets a typo
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def misspelt(questions: Sequence[Question], seed: int = 1) -> list[Question]:
    """Return the questions with a fifth of their accents gone and one typo each, by a fixed seed.

    A typo is a letter left out, doubled, swapped with the next or replaced, inside a word of five
    letters or more; a question without such a word gets none.
    """
    draw = random.Random(seed)
    return [
        replace(question, text=_with_typo(_without_accents(question.text, draw), draw))
        for question in questions
    ]


def _without_accents(text: str, draw: random.Random) -> str:
    def kept(letter: str) -> str:
        parts = unicodedata.normalize("NFD", letter)
        return parts[0] if len(parts) > 1 and draw.random() < ACCENTS_LOST else letter

    return "".join(map(kept, unicodedata.normalize("NFC", text)))


def _with_typo(text: str, draw: random.Random) -> str:
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if len(word) >= SHORTEST and word.isalpha()]
    if not long:
        return text
    chosen = draw.choice(long)
    word = words[chosen]
    at = draw.randrange(1, len(word) - 1)
    before, letter, after = word[:at], word[at], word[at + 1 :]
    words[chosen] = draw.choice(
        (
            before + after,
            before + letter + letter + after,
            before + after[0] + letter + after[1:],
            before + draw.choice(LETTERS) + after,
        )
    )
    return " ".join(words)
