"""What kind of answer a question asks for, and the words that are left once this is said.

All ways to ask for steps are one kind: *comment créer*, *quelle est la marche à suivre pour créer*,
*je voudrais créer*, *how do I create*, or no more than *créer*.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from rag.language import profiles
from rag.language.tokenizer import Token
from rag.language.words import CAN, DETERMINERS, MUST, OTHERS, PERSONS
from rag.question.normalization import outside, spaced

# parts of the rules, and the rules themselves, the first that fits says the kind
PARTS = ("able", "person", "way", "doing", "aside", "wish", "unable")
Patterns = Sequence[tuple[str, re.Pattern[str]]]


def _compiled(path: str) -> dict[str, Patterns]:
    """Return the rules of each language with their parts filled in."""
    return {
        one.code: tuple((kind, re.compile(_filled(one, rule))) for kind, rule in one.rules(path))
        for one in profiles.every()
    }


def _filled(profile: profiles.LanguageProfile, pattern: str) -> str:
    return profiles.filled(pattern, {name: profile.pattern(f"intent.{name}") for name in PARTS})


def _any(name: str) -> re.Pattern[str]:
    """Return a pattern that finds what one of any language finds."""
    found = (_filled(one, one.pattern(f"intent.{name}")) for one in profiles.every())
    return re.compile("|".join(filter(None, found)) or profiles.NOTHING)


OPENINGS = _compiled("intent.openings")
ENDINGS = _compiled("intent.endings")
UNABLE = _any("unable")
NOISE = _any("noise")
NEEDING = profiles.union("words.verb.needing")
TRAILING = profiles.merged("intent.trailing")
SAYING = DETERMINERS | PERSONS | OTHERS | {"il", "it"}
ASKING = profiles.merged("intent.asking")


def kind_of_question(told: Sequence[Token], lang: str) -> tuple[str, list[Token]]:
    """Return what is asked for and the tokens that do not say it.

    Asked for are `how`, `why`, `when`, `where`, `who`, `can`, `must`, `meaning` and the like.
    """
    rest, ended = _take(list(told), ENDINGS[lang])
    rest, opened = _take(rest, OPENINGS[lang])
    kind = opened or ended
    if rest and TRAILING.get(rest[-1].folded) == kind:
        rest = rest[:-1]
    rest, inner = _inner(rest, kind)
    kind = kind or inner
    if kind in {"", "yes or no"}:
        kind = _modal(rest) or kind or _bare(rest)
    text = spaced(rest)
    for match in reversed(list(NOISE.finditer(text))):
        rest = outside(rest, text, match)
    return kind, rest


def modality(told: Sequence[Token]) -> str:
    """Return ``must``, ``can`` or nothing."""
    return _modal(told)


def _take(told: list[Token], patterns: Patterns) -> tuple[list[Token], str]:
    text = spaced(told)
    for kind, pattern in patterns:
        if match := pattern.search(text):
            rest = outside(told, text, match)
            if rest and len(rest) < len(told):
                return rest, kind
    return told, ""


def _inner(told: list[Token], kind: str) -> tuple[list[Token], str]:
    """Return the tokens without a question word inside, where no other opened the question."""
    if kind:
        return told, kind
    for place, token in enumerate(told):
        found = ASKING.get(token.surface.lower()) or ASKING.get(token.folded)
        if found and not token.quoted:
            return [*told[:place], *told[place + 1 :]], found
    return told, ""


def _modal(told: Sequence[Token]) -> str:
    folded = [token.folded for token in told]
    if any(word in MUST for word in folded) or _have_to(folded):
        return "must"
    if UNABLE.search(spaced(told)):
        return "can"
    return "can" if any(word in CAN for word in folded) else ""


def _bare(told: Sequence[Token]) -> str:
    """Return the kind of words that ask nothing: *créer un client* is `bare`, *il pleut* is not."""
    first = told[0].folded if told else ""
    return "statement" if first in SAYING else "bare"


def _have_to(folded: Sequence[str]) -> bool:
    return any(a in NEEDING and b == "to" for a, b in pairwise(folded))
