"""What marks a line of a page by itself: it announces, says where to click, sends elsewhere."""

from __future__ import annotations

import re

from rag.language import profiles
from rag.question.intent import pattern_of

CAPTION = pattern_of("sentences.captions", r"(?:{found}) \d[\d.]*\W")
# a sentence that sends to another page answers nothing
REFERENCE = pattern_of("sentences.asides", r"(?:[-*•] |\()?(?:{found})")
# « Ventes > Commandes », « Format - Page », « Filtres → Décor »
PATH = re.compile(r"\S [>→▸‣] \S|[\w'’] - [A-ZÉÈÀÂÎÔ]\w")
ACCESS = pattern_of("answer.access", r"\b(?:{found})\b")
ACT = re.compile(
    rf"^\d+[.)] |^(?:{profiles.alternatives('answer.remedy')})\b"
    rf"|\b(?:{profiles.alternatives('answer.act')})\b",
    re.IGNORECASE | re.MULTILINE,
)


def is_aside(text: str) -> bool:
    """Say whether a text is a picture's caption or sends to another page."""
    return bool(CAPTION.match(text) or REFERENCE.match(text))


def announces(text: str) -> bool:
    """Say whether a line says nothing without the next: « Procédez comme suit : »."""
    return text.rstrip().endswith((":", "...", "…"))


def is_path(text: str) -> bool:
    """Say whether a text names a menu and what to choose in it."""
    return bool(PATH.search(text))


def says_where(text: str, heading: str) -> bool:
    """Say whether a text tells by which menu a screen is reached."""
    return is_path(text) and bool(ACCESS.search(text) or ACCESS.search(heading))


def is_act(text: str) -> bool:
    """Say whether a text says what to do: a step, a menu path or something to click."""
    return bool(ACT.search(text) or PATH.search(text))
