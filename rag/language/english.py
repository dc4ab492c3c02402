"""English: which *it* and *that* stand for something, what a question's verb is."""

from __future__ import annotations

from collections.abc import Sequence

from rag.language.profiles import load_profile
from rag.language.tokenizer import STOPS, Reference, Token, word_at

PROFILE = load_profile("en")
MARK = PROFILE.text("follow_up.mark")
LEADS = PROFILE.lines("follow_up.leads")
ADJUNCTS = PROFILE.words("follow_up.adjuncts")
BENEFICIARY = PROFILE.words("follow_up.beneficiary")
QUESTION = PROFILE.words("follow_up.question")
ASKING = PROFILE.words("follow_up.asking")
INVERTED = PROFILE.words("follow_up.inverted")
COMPLEMENTS = PROFILE.words("follow_up.complements")
DETERMINERS = PROFILE.words("follow_up.determiners")
VERBS_AND_NOUNS = PROFILE.words("follow_up.verbs_and_nouns")
LINKS = PROFILE.words("follow_up.links")
AUXILIARIES = PROFILE.words("follow_up.auxiliaries")
SUBJECTS = PROFILE.words("follow_up.subjects")
AFTER_PRONOUN = AUXILIARIES | PROFILE.words("follow_up.after_pronoun")
EMPTY = PROFILE.words("follow_up.empty")
PARTICLES = PROFILE.words("follow_up.particles")
NO_VERB = (QUESTION | STOPS | SUBJECTS | DETERMINERS | AUXILIARIES | {"not", "to"}) - {"do", "have"}


def references(found: Sequence[Token]) -> list[Reference]:
    """Return the words that stand for something which the text itself does not name."""
    every = (_reference(found, place) for place in range(len(found)))
    return [ref for ref in every if ref is not None and not _is_named(found, ref.at)]


def _reference(found: Sequence[Token], at: int) -> Reference | None:
    word, after, before = found[at].folded, word_at(found, at + 1), word_at(found, at - 1)
    ends = not after or after in STOPS or after in AFTER_PRONOUN
    if word in {"they", "them"} or (word == "it" and not _is_impersonal(found, at)):
        return Reference(at, "object")
    if word in {"its", "their"}:
        return Reference(at, "place")
    if word in {"one", "ones"} and ends and before not in STOPS | {""}:
        return Reference(at, "choice")
    demonstrative = word in {"this", "that", "these", "those"} and ends
    if word in {"that's", "it's"} or (demonstrative and not _opens_a_clause(found, at)):
        return Reference(at, "whole")
    return None


def _opens_a_clause(found: Sequence[Token], at: int) -> bool:
    """Say whether *that* follows its noun: *the invoice that is missing*."""
    before = word_at(found, at - 1)
    nouns = word_at(found, at - 2) in DETERMINERS
    return found[at].folded == "that" and nouns and before not in STOPS


def _is_impersonal(found: Sequence[Token], at: int) -> bool:
    """Say whether *it* announces what follows: *is it possible to …*, *it takes … to …*."""
    rest = [token.folded for token in found[at + 1 :]]
    near = {word_at(found, at - 1), *rest[:1]}
    announced = any(word in {"to", "that"} for word in rest)
    return announced and bool(near & {"is", "was", "be", "take", "takes", "would"})


def _is_named(found: Sequence[Token], at: int) -> bool:
    """Say whether the noun that is meant stands in an earlier clause of the text."""
    names = [place for place in range(at) if _is_name(found, place)]
    if not names:
        return False
    subordinate = found[0].folded in {"when", "if", "once", "after", "before"}
    return subordinate or any(found[p].folded in LINKS | STOPS for p in range(names[0] + 1, at))


def _is_name(found: Sequence[Token], at: int) -> bool:
    word, before = found[at].folded, word_at(found, at - 1)
    if word in DETERMINERS:
        return bool(word_at(found, at + 1)) and word_at(found, at + 1) not in STOPS
    function = QUESTION | LINKS | AUXILIARIES | SUBJECTS | ADJUNCTS | EMPTY | STOPS
    return word.endswith("s") and word not in function and before not in SUBJECTS | LINKS | STOPS


def completed(text: str, found: Sequence[Token], at: int, thing: str) -> str:
    """Return the text with ``thing`` in place of a verb's object; empty for another pronoun."""
    place = verb(found)
    if place is None or at != place + 1:
        return ""
    return f"{text[: found[at].start]}{thing}{text[found[at].end :]}"


def verb(found: Sequence[Token]) -> int | None:
    """Return the place of the verb that says what is to be done; None when there is none.

    That of its particle where it has one: *back up the data*.
    """
    for place, token in enumerate(found):
        if token.folded in NO_VERB:
            continue
        if word_at(found, place - 1) in SUBJECTS | {"to"} or (place == 0 and _is_imperative(found)):
            particle = word_at(found, place + 1) in PARTICLES
            return place + (particle and word_at(found, place + 2) in DETERMINERS)
    return None


def _is_imperative(found: Sequence[Token]) -> bool:
    """Say whether the text begins with a verb: *delete it*, *removing their access*."""
    after = word_at(found, 1)
    return found[0].folded.endswith("ing") or after in DETERMINERS | {"it", "them", "this", "that"}
