"""Say no when two questions may not share an answer, and why.

Two questions are one when each of their content words finds its like in the other, one to one, in
the same part (who, to whom, from where), under the same negation, asked for in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.language.lexicon import opposed
from rag.language.morphology import misspelt
from rag.question.roles import Word
from rag.question.signature import QuestionSignature

WHICH = frozenset(("which", "which is"))
Pairs = list[tuple[int, int]]
# of two leftover words, the one further left names the guard
LEFTOVER_ORDER = ("version", "date", "unit", "number", "name", "quantity", "polarity", "word")
LEFTOVER_NAMES = {"quantity": "quantifier", "polarity": "negation", "word": "content"}
# words alone ask for steps (*créer un client*) or for a thing (*délai de livraison*)
CLOSE_KINDS = frozenset({frozenset(("bare", "how")), frozenset(("bare", "which is"))})
# two roles that may not stand for each other; an unmarked word goes with any
OPPOSED = frozenset(
    pair
    for one, others in {
        "source": "object goal en by for place", "goal": "by for object of",
        "by": "for en place object of",
        "en": "for object of", "for": "place object of", "place": "object of",
    }.items()
    for other in others.split()
    for pair in ((one, other), (other, one))
)  # fmt: skip


def guard(a: QuestionSignature, b: QuestionSignature, *, slips: bool = True) -> str | None:
    """Return the name of the guard that keeps b from a's answer; None when all agree.

    ``slips``: a word that one of them misspells is forgiven.

    One of `language, page, conversation, interrogative, modality, tense, version, date, unit,
    number, name, quantifier, negation, antonym, content, role`.
    """
    named = _circumstances(a, b)
    if named:
        return named
    pairs, left_a, left_b = _align(a.words, b.words, slips=slips)
    if left_a or left_b:
        return _leftover(left_a, left_b)
    if not pairs:
        return "content"
    return _asked_for(a, b) or _parts(a, b, pairs)


def _circumstances(a: QuestionSignature, b: QuestionSignature) -> str | None:
    if a.lang != b.lang:
        return "language"
    if a.page != b.page:
        return "page"
    alike = a.conversation == b.conversation and a.refers == b.refers
    return None if alike else "conversation"


def _asked_for(a: QuestionSignature, b: QuestionSignature) -> str | None:
    """Return the guard of two questions that ask another thing of the same words."""
    if a.kind != b.kind and not _close_kinds(a, b):
        return "interrogative"
    if a.modality != b.modality and (a.speaks == b.speaks or "" not in {a.modality, b.modality}):
        return "modality"
    if a.tense != b.tense:
        return "tense"
    alike = (a.owner, a.voice, a.persons) == (b.owner, b.voice, b.persons)
    return None if alike else "role"


def _close_kinds(a: QuestionSignature, b: QuestionSignature) -> bool:
    """Say whether two kinds ask the same: *quels sont les formats admis*, *quels formats sont…*."""
    kinds = frozenset((a.kind, b.kind))
    if kinds == WHICH:
        return all(word.form != "verb" for word in (*a.words, *b.words))
    return kinds in CLOSE_KINDS


def _align(
    a: Sequence[Word], b: Sequence[Word], *, slips: bool
) -> tuple[Pairs, list[Word], list[Word]]:
    """Return the places of the words that are one, and the words left over on either side."""
    free = dict(enumerate(b))
    pairs: Pairs = []
    left: list[tuple[int, Word]] = []
    for place, word in enumerate(a):
        like = _like(word, free)
        if like is None:
            left.append((place, word))
        else:
            del free[like]
            pairs.append((place, like))
    for place, word in list(left) if free and slips else ():
        like = next((at for at, other in free.items() if _slip(word, other)), None)
        if like is not None:
            del free[like]
            left.remove((place, word))
            pairs.append((place, like))
    pairs.sort()
    return pairs, [w for _, w in left if not w.spare], [w for w in free.values() if not w.spare]


def _like(word: Word, free: dict[int, Word]) -> int | None:
    first = word.keys[0]
    for place, other in free.items():
        if other.keys[0] == first:
            return place
    if len(word.keys) == 1 or word.sort != "word":
        return None
    mine = set(word.keys)
    for place, other in free.items():
        if len(other.keys) > 1 and not mine.isdisjoint(other.keys):
            return place
    return None


def _slip(word: Word, other: Word) -> bool:
    """Say whether one of two words is the other, misspelt: one of them at most is a known word."""
    if word.text[0] != other.text[0] or word.sort != "word" or other.sort != "word":
        return False
    if word.known is None or other.known is None or word.known == other.known:
        return False
    return misspelt(word.text, other.text)


def _leftover(left_a: Sequence[Word], left_b: Sequence[Word]) -> str:
    if any(opposed(one.text, other.text) for one in left_a for other in left_b):
        return "antonym" if not _all_polarity(left_a, left_b) else "negation"
    sort = min((w.sort for w in (*left_a, *left_b)), key=LEFTOVER_ORDER.index)
    return LEFTOVER_NAMES.get(sort, sort)


def _all_polarity(*sides: Sequence[Word]) -> bool:
    return all(word.sort == "polarity" for side in sides for word in side)


def _parts(
    a: QuestionSignature, b: QuestionSignature, pairs: Sequence[tuple[int, int]]
) -> str | None:
    """Return the guard of words that are the same and do not play the same part."""
    matched = [(a.words[one], b.words[other]) for one, other in pairs]
    reworded = any(_reworded(one, other) for one, other in matched)
    for one, other in matched:
        if one.negation != other.negation:
            return "negation"
        if one.gender and other.gender and one.gender != other.gender and one.text == other.text:
            return "content"
        if _other_part(one, other, reworded=reworded):
            return "role"
    order = [other for _, other in pairs]
    if order == sorted(order):
        return None
    return None if _turned(a, b, order, matched) else "role"


def _other_part(one: Word, other: Word, *, reworded: bool) -> bool:
    """Say whether one word plays two parts; goal and place are one beside the same verb only."""
    roles = (one.role, other.role)
    if roles in OPPOSED or (reworded and set(roles) == {"goal", "place"}):
        return True
    return one.form == other.form == "verb" and one.reflexive != other.reflexive


def _reworded(one: Word, other: Word) -> bool:
    """Say whether two words for an action are synonyms, not one word."""
    common = set(one.keys) & set(other.keys)
    return all(key.startswith(("s:", "z:")) for key in common)


def _turned(
    a: QuestionSignature,
    b: QuestionSignature,
    order: list[int],
    matched: Sequence[tuple[Word, Word]],
) -> bool:
    """Say whether the words only moved as one block, so that each keeps its part.

    *Une cuvée, comment la supprimer ?* is *comment supprimer une cuvée ?*; *de B vers A* is not
    *de A vers B*.
    """
    falls = sum(one > other for one, other in zip(order, [*order[1:], order[0]], strict=True))
    unchanged = all(
        (one.text, one.role, one.form) == (other.text, other.role, other.form)
        for one, other in matched
    )
    acts = len(matched) > 2 or any(one.form != "noun" for one, _ in matched)
    same_part = a.speaks == b.speaks and not a.kind.endswith(("who", "whom"))
    return falls == 1 and unchanged and acts and same_part
