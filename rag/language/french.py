"""French: which *le* is a pronoun, which *il* stands for nothing, what a question's verb is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from rag.language.profiles import load_profile
from rag.language.tokenizer import STOPS, Reference, Token, word_at

PROFILE = load_profile("fr")
MARK = PROFILE.text("follow_up.mark")
LEADS = PROFILE.lines("follow_up.leads")
ADJUNCTS = PROFILE.words("follow_up.adjuncts")
BENEFICIARY = PROFILE.words("follow_up.beneficiary")
QUESTION = PROFILE.words("follow_up.question")
ASKING = PROFILE.words("follow_up.asking")
INVERTED = PROFILE.words("follow_up.inverted")
COMPLEMENTS = PROFILE.words("follow_up.complements")
ARTICLES = PROFILE.words("follow_up.articles")
DETERMINERS = PROFILE.words("follow_up.determiners")
VERBS_AND_NOUNS = PROFILE.words("follow_up.verbs_and_nouns")
SUBJECTS = PROFILE.words("follow_up.subjects")
OBJECTS = PROFILE.words("follow_up.objects")
PLACES = PROFILE.words("follow_up.places")
CHOICES = PROFILE.words("follow_up.choices")
LINKS = PROFILE.words("follow_up.links")
IMPERSONAL = PROFILE.words("follow_up.impersonal")
MODALS = PROFILE.words("follow_up.modals")
MODAL = PROFILE.words("follow_up.modal_forms")
EMPTY = PROFILE.words("follow_up.empty")
NOUNS = PROFILE.words("follow_up.not_infinitives")
VERB_IN_IER = re.compile(PROFILE.pattern("follow_up.infinitives_in_ier"))
IRREGULAR = re.compile(PROFILE.pattern("follow_up.infinitives_in_re"))


def is_infinitive(word: str) -> bool:
    """Say whether a word has the form of an infinitive, nouns of that form left out."""
    if word in NOUNS or len(word) < 4:
        return False
    if word.endswith("er"):
        return not word.endswith("ier") or bool(VERB_IN_IER.match(word))
    return word.endswith(("ir", "oir")) or bool(IRREGULAR.match(word))


def references(found: Sequence[Token]) -> list[Reference]:
    """Return the words that stand for something which the text itself does not name."""
    every = (_reference(found, place) for place in range(len(found)))
    return [ref for ref in every if ref is not None and not _is_named(found, ref)]


def _reference(found: Sequence[Token], at: int) -> Reference | None:
    word, after, before = found[at].folded, word_at(found, at + 1), word_at(found, at - 1)
    if word in OBJECTS or (word in ARTICLES and _is_pronoun(found, at)):
        return Reference(at, "object")
    if word.removeprefix("-") in {"il", "elle", "ils", "elles"} and not _is_impersonal(found, at):
        return Reference(at, "subject")
    if word in CHOICES and after not in {"de", "des", "du", "d'"}:
        return Reference(at, "choice")
    if word in {"ça", "cela", "ceci"} or _stands_for_a_clause(found, at):
        return Reference(at, "whole")
    if word in PLACES or (word in {"y", "en", "lui", "leur"} and _is_place(word, before, after)):
        return Reference(at, "place")
    return None


def _is_pronoun(found: Sequence[Token], at: int) -> bool:
    """Say whether *le, la, les, l'* stands before a verb rather than a noun."""
    before = word_at(found, at - 1)
    if before in SUBJECTS or before in {"ne", "n'", "me", "te", "se"}:
        return True
    place = at + 1
    while word_at(found, place) in {"lui", "leur", "y", "en"}:
        place += 1
    if not is_infinitive(word_at(found, place)):
        return False
    # "utiliser l'avoir", "dans le fichier": what follows a verb or these prepositions is a noun
    governed = is_infinitive(before) and before not in {"aller", "faire", "laisser", "pouvoir"}
    return not governed and before not in {"dans", "sur", "avec", "par", "vers", "chez", "en"}


def _is_place(word: str, before: str, after: str) -> bool:
    if word == "y":
        return before != "il" and after not in {"a", "avait", "aura", "aurait", "ait", "compris"}
    if word == "en":
        return is_infinitive(after) or before in SUBJECTS | {"n'", "m'", "t'", "s'", "y"}
    return is_infinitive(after) or before in SUBJECTS | {"ne", "avec", "chez"} - {"nous", "vous"}


def _is_impersonal(found: Sequence[Token], at: int) -> bool:
    words = [token.folded for token in found]
    if words[at].lstrip("-") != "il":
        return False
    near = words[at - 1 : at] if words[at].startswith("-") else words[at + 1 : at + 4]
    near = [word for word in near if word not in {"ne", "n'", "s'", "se", "me", "nous", "vous"}]
    first, rest = near[:1], words[at + 1 :]
    if first and (first[0] in IMPERSONAL or (first[0] in MODAL and IMPERSONAL & set(rest))):
        return True
    cataphoric = any(w in {"de", "d'", "que", "qu'"} for w in rest)
    before = word_at(found, at - 1)
    return before in IMPERSONAL | {"a"} or (first[:1] == ["est"] and cataphoric)


def _stands_for_a_clause(found: Sequence[Token], at: int) -> bool:
    """Say whether *c'* or *-ce* is a pronoun: not in *est-ce que*, nor before *de* and a verb."""
    word, after = found[at].folded, word_at(found, at + 1)
    if word not in {"c'", "-ce"} or after in {"que", "qu'", "qui"}:
        return False
    rest = [token.folded for token in found[at + 1 :]]
    pairs = pairwise(rest)
    return not any(first in {"de", "d'"} and is_infinitive(second) for first, second in pairs)


def _is_named(found: Sequence[Token], ref: Reference) -> bool:
    """Say whether the noun that is meant stands in the text itself."""
    if ref.kind == "whole":
        return any(_is_noun_phrase(found, place) for place in range(len(found)))
    named = [place for place in range(ref.at) if _is_noun_phrase(found, place)]
    if ref.kind == "choice":
        return bool(named)
    if ref.kind == "subject":
        return bool(named) or _has_bare_subject(found, ref.at)
    said = range(named[0] + 2, ref.at) if named else range(0)
    if any(found[place].folded in LINKS | STOPS for place in said):
        return True
    return _begins_with_a_name(found) and any(found[p].folded in STOPS for p in range(1, ref.at))


def _is_noun_phrase(found: Sequence[Token], at: int) -> bool:
    word, after = found[at].folded, word_at(found, at + 1)
    if not after or after in STOPS or at + 1 >= len(found):
        return False
    if word in DETERMINERS:
        return after not in {"que", "qu'", "qui", "dont", "cas", "moment"}
    return word in ARTICLES and not _is_pronoun(found, at)


def _has_bare_subject(found: Sequence[Token], at: int) -> bool:
    """Say whether a name without article stands before ``MonChai fait-il …``."""
    return at >= 2 and found[at].folded.startswith("-") and _begins_with_a_name(found)


def _begins_with_a_name(found: Sequence[Token]) -> bool:
    word = found[0].folded
    function = QUESTION | SUBJECTS | ADJUNCTS | LINKS | EMPTY | {"de", "ne", "y", "c'"}
    return word not in function and not is_infinitive(word) and word_at(found, 1)[:1] != "-"


def completed(text: str, found: Sequence[Token], at: int, thing: str) -> str:
    """Return the text with ``thing`` in place of the pronoun; empty where it takes more."""
    pronoun = found[at]
    if pronoun.folded.startswith("-"):
        return f"{text[: pronoun.start]} {thing}{text[pronoun.end :]}"
    after = next((t for t in found[at + 1 :] if t.folded not in {"lui", "leur", "y", "en"}), None)
    if after is None or not is_infinitive(after.folded):
        return ""
    action = text[pronoun.end : after.end].lstrip()
    return f"{text[: pronoun.start]}{action} {thing}{text[after.end :]}"


def verb(found: Sequence[Token]) -> int | None:
    """Return the place of the verb that says what is to be done; None when there is none."""
    for place, token in enumerate(found):
        auxiliary = token.folded in MODALS or is_infinitive(word_at(found, place + 1))
        if is_infinitive(token.folded) and not auxiliary and not _has_article(found, place):
            return place
    return next((p + 1 for p in range(len(found) - 1) if _is_actor(found, p)), None)


def _has_article(found: Sequence[Token], at: int) -> bool:
    before = word_at(found, at - 1)
    return before in DETERMINERS or (before in ARTICLES and not _is_pronoun(found, at - 1))


def _is_actor(found: Sequence[Token], at: int) -> bool:
    """Say whether a verb in a personal form follows: *je supprime*, *j'ai oublié*."""
    return found[at].folded in {"je", "on", "nous", "ai"} and found[at + 1].folded not in {
        "ne",
        "n'",
    }
