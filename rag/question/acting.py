"""Who does what is asked about, to whom, and whether it is done, was done or is being done."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.language import profiles
from rag.language.morphology import is_infinitive
from rag.language.tokenizer import Token
from rag.language.words import (
    ASKERS,
    BEING,
    CAN,
    DETERMINERS,
    HAVING,
    MUST,
    NEGATIONS,
    OTHERS,
    PARTICIPLES,
    PERSONS,
    REPEATED,
    ROLES,
    SILENT,
)

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
