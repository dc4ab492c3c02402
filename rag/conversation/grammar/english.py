"""English: which *it* and *that* stand for something, what a question's verb is."""

from __future__ import annotations

from collections.abc import Sequence

from rag.conversation.grammar.tokens import STOPS, Reference, Token, word_at

MARK = "?"
LEADS = (
    *("and what about", "what about", "how about", "what if", "and if", "same thing", "same"),
    *("and", "but", "or", "otherwise", "also"),
)
ADJUNCTS = frozenset(
    "in by with without if when from on after before during until since into at as".split()
)
BENEFICIARY = frozenset({"for"})
QUESTION = frozenset(
    "how where when why what who which can could do does did is are should may will would "
    "must was were".split()
)
ASKING = frozenset({"it", "there"})
INVERTED: frozenset[str] = frozenset()
COMPLEMENTS = frozenset("to of into on".split())  # belong to the object
DETERMINERS = frozenset(
    "a an the my our your every each some any all several two three four five".split()
)
VERBS_AND_NOUNS: frozenset[str] = frozenset()
LINKS = frozenset("and or when if before after once without to because so while but".split())
AUXILIARIES = frozenset(
    "is are was were be been does do did has have had can could will would should may might must "
    "isn't aren't doesn't don't didn't hasn't can't won't".split()
)
PEOPLE = frozenset("i we you one".split())
AFTER_PRONOUN = AUXILIARIES | frozenset(
    "in on for to from by with into at as and or then now again later first too instead mean work "
    "happen take cost apply anymore".split()
)
EMPTY = frozenset(
    "often long much many times else again then next more less too also yes no not really exactly "
    "work works working take takes cost costs happen happens mean means possible free mandatory "
    "so far late early soon example examples details price duration deadline limit date step steps "
    "same thing case one ones it they them this that these those".split()
)


NO_VERB = (QUESTION | STOPS | PEOPLE | DETERMINERS | AUXILIARIES | {"not", "to"}) - {"do", "have"}
PARTICLES = frozenset("up off on out in back down over away".split())


def references(found: Sequence[Token]) -> list[Reference]:
    """Return the words that stand for something which the text itself does not name."""
    every = (_reference(found, place) for place in range(len(found)))
    return [ref for ref in every if ref is not None and not _is_named(found, ref.at)]


def _reference(found: Sequence[Token], at: int) -> Reference | None:
    word, after, before = found[at].word, word_at(found, at + 1), word_at(found, at - 1)
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
    return found[at].word == "that" and nouns and before not in STOPS


def _is_impersonal(found: Sequence[Token], at: int) -> bool:
    """Say whether *it* announces what follows: *is it possible to …*, *it takes … to …*."""
    rest = [token.word for token in found[at + 1 :]]
    near = {word_at(found, at - 1), *rest[:1]}
    announced = any(word in {"to", "that"} for word in rest)
    return announced and bool(near & {"is", "was", "be", "take", "takes", "would"})


def _is_named(found: Sequence[Token], at: int) -> bool:
    """Say whether the noun that is meant stands in an earlier clause of the text."""
    names = [place for place in range(at) if _is_name(found, place)]
    if not names:
        return False
    subordinate = found[0].word in {"when", "if", "once", "after", "before"}
    return subordinate or any(found[p].word in LINKS | STOPS for p in range(names[0] + 1, at))


def _is_name(found: Sequence[Token], at: int) -> bool:
    word, before = found[at].word, word_at(found, at - 1)
    if word in DETERMINERS:
        return bool(word_at(found, at + 1)) and word_at(found, at + 1) not in STOPS
    function = QUESTION | LINKS | AUXILIARIES | PEOPLE | ADJUNCTS | EMPTY | STOPS
    return word.endswith("s") and word not in function and before not in PEOPLE | LINKS | STOPS


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
        if token.word in NO_VERB:
            continue
        if word_at(found, place - 1) in PEOPLE | {"to"} or (place == 0 and _is_imperative(found)):
            particle = word_at(found, place + 1) in PARTICLES
            return place + (particle and word_at(found, place + 2) in DETERMINERS)
    return None


def _is_imperative(found: Sequence[Token]) -> bool:
    """Say whether the text begins with a verb: *delete it*, *removing their access*."""
    after = word_at(found, 1)
    return found[0].word.endswith("ing") or after in DETERMINERS | {"it", "them", "this", "that"}
