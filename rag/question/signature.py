"""What of a question matters when it is compared with another, worked out once and kept as JSON.

What is asked for, and by which words; who does it, to whom, and whether it is done, was done or is
being done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rag.language import profiles
from rag.language.lexicon import LONGEST_PHRASE, PHRASES
from rag.language.morphology import is_infinitive
from rag.language.tokenizer import Token
from rag.language.words import (
    ASKERS,
    BEING,
    CAN,
    DETERMINERS,
    FUTURE,
    HAVING,
    MUST,
    NEGATIONS,
    ONES,
    OTHERS,
    OURS,
    PARTICIPLES,
    PAST,
    PERSONS,
    REPEATED,
    ROLES,
    SILENT,
    THEIRS,
    YOURS,
)
from rag.question.phrasing import kind_of_question, modality
from rag.question.roles import SMALL, Knows, Reader, Word

ASKING = profiles.union("words.verb.asking")
BEFORE_SUBJECT = CAN | MUST | profiles.union("words.verb.inverting")
PREPOSITIONS = {
    lang: frozenset(word for word, role in table.items() if role != "object")
    for lang, table in ROLES.items()
}
SKIPPED = PERSONS | OTHERS | frozenset(NEGATIONS) | REPEATED | frozenset("il t y".split())
OBJECTS = {one.code: one.words("words.person.objects") for one in profiles.every()}
PARTICIPLE = re.compile(r"[^\W\d].*[eiuts]e?s?")
REFERRED = profiles.union("words.person.referred")
# kinds of which it is all one whether one can, must or does
PLAIN = frozenset("how bare can must".split())
# languages of which enough is known; in any other only one normal form makes two questions one
COMPARED = frozenset(one.code for one in profiles.every() if one.rules("intent.openings"))


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
    if lang not in COMPARED:
        return QuestionSignature(lang, "", "", "", "", speaks=False, refers=False, words=())
    told = _merged(told, lang)
    kind, rest = kind_of_question(told, lang)
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


def voice(told: Sequence[Token], lang: str) -> str:
    """Return the kinds of auxiliaries of the participles: ``be``, ``have``, ``been``, ``being``."""
    return _french_voice(told) if lang == "fr" else _english_voice(told)


def _english_voice(told: Sequence[Token]) -> str:
    folded = [token.folded for token in told]
    done = any((word.endswith("ed") and len(word) > 4) or word in PARTICIPLES for word in folded)
    if not done:
        return ""
    found = {word for word in folded if word in {"been", "being"}}
    for place, word in enumerate(folded):
        if word in BEING["en"]:
            found.add("be")
        elif word in HAVING["en"] and folded[place + 1 : place + 2] != ["to"]:
            found.add("have")
    return " ".join(sorted(found))


def _french_voice(told: Sequence[Token]) -> str:
    found = set()
    for place, token in enumerate(told):
        helps = "be" if token.folded in BEING["fr"] else ""
        helps = "have" if token.folded in HAVING["fr"] and token.surface.lower() != "à" else helps
        if helps and _has_participle(told[place + 1 :]):
            found.add(helps)
    return " ".join(sorted(found))


def _has_participle(after: Sequence[Token]) -> bool:
    """Say whether the next word that is no pronoun, denial or adverb is one of content."""
    for token in after:
        if token.folded not in SKIPPED:
            small = token.folded in SILENT["fr"] or token.folded in DETERMINERS | CAN | MUST
            shaped = PARTICIPLE.fullmatch(token.folded) is not None and token.folded != "quoi"
            return shaped and not (small and token.surface.isascii())
    return False


def persons(told: Sequence[Token], lang: str) -> str:
    """Return who acts and on whom: nothing for the asker, `i>you` and the like else."""
    subject, others = "", []
    folded = [token.folded for token in told]
    for place, word in enumerate(folded):
        if told[place].quoted or word not in PERSONS | OBJECTS[lang]:
            continue
        before = folded[place - 1] if place else ""
        if _acts(folded, place, lang):
            subject = subject or word
        elif word in OBJECTS[lang] and _acted_on(folded, place, subject, lang):
            others.append(f"{before} {word}" if before in PREPOSITIONS[lang] else word)
    if not others:
        return "" if subject in ASKERS else subject and "you"
    return f"{subject}>{','.join(others)}"


def _acts(folded: Sequence[str], place: int, lang: str) -> bool:
    """Say whether the pronoun at a place is a subject."""
    word, before = folded[place], folded[place - 1] if place else ""
    if word not in PERSONS:
        return False
    if lang == "en":
        return word != "you" or not place or before in BEFORE_SUBJECT or before in ASKING
    if word not in {"nous", "vous"}:
        return True
    after = [one for one in folded[place + 1 :] if one not in REFERRED][:1]
    follows = before in PREPOSITIONS["fr"] or before in {*PERSONS, "avec", "sans", "il", "elle"}
    return not follows and not (after and is_infinitive(after[0]))


def _acted_on(folded: Sequence[str], place: int, subject: str, lang: str) -> bool:
    """Say whether a pronoun is an object: not reflexive, not what the question told before."""
    word, after = folded[place], folded[place + 1 : place + 2]
    if lang == "en":
        return word != "them" or bool(after and after[0] in DETERMINERS)
    if word in {"me", "m", "te", "t"}:
        return subject in {"vous", "tu", "nous", "on"} and not (
            after and after[0] in OTHERS | {"il", "on"}
        )
    return word not in {"leur"} or bool(after and is_infinitive(after[0]))
