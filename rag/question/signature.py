"""What of a question matters when it is compared with another, worked out once and kept as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rag.language.lexicon import LONGEST_PHRASE, PHRASES
from rag.language.morphology import is_infinitive
from rag.language.tokenizer import Token
from rag.language.words import (
    CAN,
    FUTURE,
    MUST,
    NEGATIONS,
    ONES,
    OTHERS,
    OURS,
    PAST,
    PERSONS,
    SILENT,
    THEIRS,
    YOURS,
)
from rag.question.acting import persons, voice
from rag.question.phrasing import kind_of_question, modality
from rag.question.roles import SMALL, Knows, Reader
from rag.question.settling import Word

# kinds of which it is all one whether one can, must or does
PLAIN = frozenset("how bare can must".split())


@dataclass(frozen=True, slots=True)
class QuestionSignature:
    """Hold a question as guards see it. ``refers``: it speaks of something said before.

    ``voice``: the auxiliaries of its participles. ``persons``: who does it, and to whom.
    """

    lang: str
    kind: str
    modality: str
    tense: str
    owner: str
    speaks: bool
    refers: bool
    words: tuple[Word, ...]
    page: str = ""
    conversation: str = ""
    voice: str = ""
    persons: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return an object for JSON; `from_json` reads it back."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> QuestionSignature:
        """Return what `to_json` wrote. Raises TypeError or KeyError for anything else."""
        words = tuple(Word(**{**word, "keys": tuple(word["keys"])}) for word in data["words"])
        return QuestionSignature(**{**data, "words": words})


def signature_of(
    told: Sequence[Token], lang: str, *, knows: Knows | None = None
) -> QuestionSignature:
    """Return what of a question of these words, manners left out, matters for its answer.

    ``knows`` says whether a word is one (`Lexicon.knows`); without it no misspelling is forgiven.
    """
    told = _merged(told, lang)
    kind, rest = kind_of_question(told)
    folded = [token.folded for token in told]
    return QuestionSignature(
        lang=lang,
        kind=kind,
        modality=_modality(told, kind),
        tense=_tense(folded),
        owner=_owner(folded, kind, lang),
        speaks=any(word in PERSONS for word in folded),
        refers=_refers(told, rest, lang),
        words=Reader(rest, lang, knows).read(),
        voice=voice(told, lang),
        persons=persons(told, lang),
    )


def _modality(told: Sequence[Token], kind: str) -> str:
    """Return ``must``, ``can`` or nothing; where one can is where one does."""
    found = "" if kind in PLAIN else modality(told)
    return "" if (kind, found) == ("where", "can") else found


def _tense(folded: Sequence[str]) -> str:
    if not FUTURE.isdisjoint(folded):
        return "future"
    return "past" if not PAST.isdisjoint(folded) else ""


def _owner(folded: Sequence[str], kind: str, lang: str) -> str:
    """Return who acts or owns when it is not the asker: ``theirs``, ``yours`` or nothing."""
    theirs = THEIRS if kind in {"how", "bare"} else THEIRS | ONES
    if not theirs.isdisjoint(folded):
        return "theirs"
    for place, word in enumerate(folded):
        beside = {*folded[max(0, place - 2) : place], *folded[place + 1 : place + 2]}
        able = beside & (CAN | MUST) - {"faut", "possible"}
        if word in OTHERS or (word == "il" and able):
            return "theirs"
        if word not in SMALL[lang] and word not in NEGATIONS:
            break
    if not YOURS.isdisjoint(folded):
        return "yours"
    return "" if OURS.isdisjoint(folded) else "ours"


def _refers(told: Sequence[Token], rest: Sequence[Token], lang: str) -> bool:
    """Say whether the question leans on an earlier one: *et pour le supprimer ?*, *delete it*."""
    if told and told[0].folded in {"et", "and"}:
        return True
    for place, token in enumerate(rest):
        folded = token.folded
        after = rest[place + 1].folded if place + 1 < len(rest) else ""
        if folded in {"it", "them", "cela", "ca", "celui", "celle"}:
            return True
        if folded in {"le", "la", "les", "l", "lui", "leur"} and is_infinitive(after):
            return True
        if folded not in SILENT[lang]:
            return False
    return False


def _merged(told: Sequence[Token], lang: str) -> list[Token]:
    """Return the tokens with the phrases of the lexicon made one."""
    kept: list[Token] = []
    place = 0
    while place < len(told):
        size = _phrase_size(told, place, lang)
        if size > 1 and not told[place].quoted:
            text = "_".join(token.folded for token in told[place : place + size])
            kept.append(replace(told[place], surface=text, folded=text))
        else:
            kept.append(told[place])
        place += size
    return kept


def _phrase_size(told: Sequence[Token], place: int, lang: str) -> int:
    for size in range(min(LONGEST_PHRASE, len(told) - place), 1, -1):
        if tuple(token.folded for token in told[place : place + size]) in PHRASES[lang]:
            return size
    return 1
