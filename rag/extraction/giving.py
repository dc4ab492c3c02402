"""How far a text gives the kind of thing that a question asks for, in French and English."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from rag.language import analyzer, profiles
from rag.question.intent import MEASURES, AnswerType, pattern_of

PATH = re.compile(r"\S [>→▸‣] \S")
DO = pattern_of("answer.do", rf"{{found}}|{PATH.pattern}")
PLACE = pattern_of("answer.place", r"\b(?:{found})\b")
CAUSE = pattern_of("answer.cause")
VERDICT = pattern_of("answer.verdict")
DEFINED = re.compile(
    rf"^(?:{profiles.alternatives('answer.defining_articles')})(.{{2,60}}?),?(?: [^.]{{0,60}},)? "
    rf"(?:{profiles.alternatives('answer.defining')})\b",
    re.IGNORECASE,
)
DIGIT = re.compile(r"\d")
CODE = re.compile(r"\b[A-Z]{1,4}-\d+\b|^\s*\d+[.)] ")


def giving(kind: AnswerType) -> Callable[[str], float]:
    """Return what tells how far a text gives a kind of thing, from 0 to about 1.

    It is the same object for one kind, so that what it tells may be kept. What a thing is,
    `subject` tells.
    """
    return GIVING.get(kind, _nothing)


def subject(text: str) -> frozenset[str]:
    """Return the stems of what a text defines; none where it defines nothing."""
    found = DEFINED.match(CODE.sub("", text))
    return frozenset(analyzer.stems(found.group(1))) if found else frozenset()


def _places(text: str) -> float:
    return 1.0 if PATH.search(text) else 0.5 * bool(PLACE.search(text))


def _measured(measure: re.Pattern[str], text: str) -> float:
    if not DIGIT.search(text):  # no code either
        return float(bool(measure.search(text)))
    bare = CODE.sub("", text)
    return 1.0 if measure.search(bare) else 0.4 * bool(DIGIT.search(bare))


def _plainly(gives: re.Pattern[str], text: str) -> float:
    return 0.5 * bool(gives.search(text))


def _nothing(text: str) -> float:
    return 0.0


GIVING: dict[AnswerType, Callable[[str], float]] = {
    "cause": partial(_plainly, CAUSE),
    "place": _places,
    **{kind: partial(_measured, pattern_of(f"answer.gives.{kind}")) for kind in MEASURES},
    "verdict": partial(_plainly, VERDICT),
    "steps": partial(_plainly, DO),
}
