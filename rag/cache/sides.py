"""What a guard saw on either side of two questions, for `cache explain`."""

from __future__ import annotations

from collections.abc import Sequence

from rag.question.roles import Word
from rag.question.signature import QuestionSignature

NOTHING = "nothing"
FORMS = ("language", "page", "conversation", "interrogative", "modality", "tense")


def sides(named: str, a: QuestionSignature, b: QuestionSignature) -> tuple[str, str]:
    """Return what each question had that the guard of this name did not find in the other."""
    if named in FORMS:
        return _form(named, a), _form(named, b)
    if named == "cosine":
        return NOTHING, NOTHING
    left, right = _only(a.words, b.words), _only(b.words, a.words)
    if not left and not right:
        left, right = (" ".join(map(_shown, one.words)) for one in (a, b))
        if named == "role" and a.owner != b.owner:
            left, right = a.owner, b.owner
    return left or NOTHING, right or NOTHING


def _form(named: str, asked: QuestionSignature) -> str:
    values = {
        "language": asked.lang,
        "page": asked.page,
        "conversation": asked.conversation or ("refers to something" if asked.refers else ""),
        "interrogative": asked.kind,
        "modality": asked.modality,
        "tense": asked.tense,
    }
    return values[named] or NOTHING


def _only(mine: Sequence[Word], others: Sequence[Word]) -> str:
    """Return the words of one side that have no like on the other, negated or not."""
    seen = [(set(word.keys), word.negation) for word in others]
    lone = [
        word
        for word in mine
        if not any(keys & set(word.keys) and word.negation == negated for keys, negated in seen)
    ]
    return ", ".join(map(_shown, lone))


def _shown(word: Word) -> str:
    return f"not {word.text}" if word.negation else word.text
