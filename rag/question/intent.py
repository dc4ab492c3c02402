"""What kind of answer a question asks for, in French and English."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from rag.language import profiles

AnswerType = Literal[
    "definition", "cause", "place", "duration", "date", "price", "rate", "weight", "size", "number",
    "verdict", "steps", "",
]  # fmt: skip
KINDS: tuple[AnswerType, ...] = get_args(AnswerType)[:-2]
MEASURES: tuple[AnswerType, ...] = (
    *("duration", "date", "price", "rate", "weight", "size", "number"),
)
# patterns of their own, by the kind of what they ask for
OWN_PATTERNS = {
    "definition": "answer.definition",
    "cause": "answer.why",
    "place": "answer.where",
    "verdict": "answer.whether",
}


def pattern_of(path: str, template: str = "{found}") -> re.Pattern[str]:
    """Return the patterns of all languages under a name as one, case aside, in a larger one."""
    parts = {
        "what": rf"\b(?:{profiles.alternatives('answer.what')})",
        "time": rf"(?:{'|'.join(profiles.in_order('dates.lengths'))})\b",
        "month": rf"(?:{'|'.join(profiles.in_order('dates.months'))})\b",
    }
    found = profiles.filled(profiles.alternatives(path), parts)
    return re.compile(template.replace("{found}", found), re.IGNORECASE)


HOW = pattern_of("answer.how")
# « crée un client », « ajoutez une cuvée », "add a user"
ORDER = pattern_of("answer.ordered", r"^\W*\w+\s+(?:{found})\b")
INTERROGATIVE = re.compile(
    rf"^\W*(?:(?:{profiles.alternatives('answer.asking_prefixes')}) )?"
    rf"(?:{profiles.alternatives('answer.asking')})\b",
    re.IGNORECASE,
)
# what a question asks for a kind of thing by; the first that asks counts
ASKING = tuple((kind, pattern_of(OWN_PATTERNS.get(kind, f"answer.asks.{kind}"))) for kind in KINDS)
WORD = re.compile(r"défini|\w+")
# each of them finds something only where one of these words stands: eleven
# searches take 30 µs
CUES = tuple(profiles.union(f"answer.cues.{kind}") for kind in KINDS)
CUED = frozenset().union(*CUES)


@dataclass(frozen=True, slots=True)
class Intent:
    """Hold what a question asks for.

    ``how``: it is answered by what to do. ``answer_type`` is the kind of thing that answers, and
    ``frame`` the words by which it is asked for (« quelle date limite »), often none. ``tells``: a
    thing is to be told; else the question may only name what troubles.
    """

    how: bool
    answer_type: AnswerType
    frame: str
    tells: bool


def intent_of(text: str) -> Intent:
    """Read what a question asks for."""
    found = _found(text)
    how, orders = bool(HOW.search(text)), bool(ORDER.search(text))
    kind: AnswerType = "steps" if how or orders else ""
    return Intent(
        how=how or (orders and not found),
        answer_type=found[0][0] if found else kind,
        frame=next((words for kind, words in found if kind != "verdict"), ""),
        tells=bool(found) or bool(INTERROGATIVE.search(text)),
    )


def _found(text: str) -> list[tuple[AnswerType, str]]:
    """Return which of `ASKING` find something in a question, with the words found, in order."""
    # what a pattern that ignores case takes for an i or an s
    plain = text.replace("İ", "i").replace("ı", "i").replace("ſ", "s")
    cues = CUED.intersection(WORD.findall(plain.lower()))
    if not cues:
        return []
    return [
        (kind, match.group())
        for (kind, pattern), words in zip(ASKING, CUES, strict=True)
        if not words.isdisjoint(cues) and (match := pattern.search(text))
    ]
