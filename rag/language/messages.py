"""What people read besides pages and a model's words, in their language, French for any other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from rag.language.profiles import CODES, FALLBACK, load_profile

NBSP = "\u00a0"
MOST_LANGUAGES = 20  # of a header that are read


def message(key: str, lang: str, **values: object) -> str:
    """Return what the asker reads: a message, typeset, with its values."""
    return told("messages", key, lang).format(**values)


def more_left(left: int, unit: str, url: str, lang: str) -> str:
    """Return how much of what is quoted stands on the page still, and where."""
    units = message(unit, lang)
    count = f"{left}{NBSP}{units.removesuffix('s') if left == 1 else units}"
    return message("more", lang, count=count, url=url)


def message_keys() -> Mapping[str, str]:
    """Return the messages by their names, as the fallback language's file has them."""
    return load_profile(FALLBACK).texts("messages")


def code_of(said: str | None) -> str | None:
    """Return the key of a message that takes no values, in whichever language it is."""
    return _codes().get(said or "")


@cache
def _codes() -> dict[str, str]:
    return {told("messages", key, lang): key for lang in reversed(CODES) for key in message_keys()}


def problem_text(code: str, lang: str) -> str:
    """Return what a client reads of a problem; that a request is refused for an unknown one."""
    known = code if code in problem_codes() else "refused"
    return told("problems", known, lang)


def problem_codes() -> list[str]:
    """Return the names of all problems, sorted."""
    return sorted(load_profile(FALLBACK).texts("problems"))


def report_word(key: str, lang: str, **values: object) -> str:
    """Return a text of a report."""
    return told("report", key, lang).format(**values)


def told(table: str, key: str, lang: str) -> str:
    """Return a text of a table with no-break spaces where a line must not be cut."""
    profile = load_profile(lang)
    text = profile.texts(table).get(key)
    if text is None:
        profile = load_profile(FALLBACK)
        text = profile.texts(table)[key]
    for mark in profile.text("typography.spaced_marks"):
        text = text.replace(f" {mark}", f"{NBSP}{mark}")
    return text.replace("« ", f"«{NBSP}")


def preferred_language(accept_language: str) -> str:
    """Return the language that a header Accept-Language prefers of ours; French in doubt."""
    weighed = []
    for place, part in enumerate(accept_language[:500].split(",")[:MOST_LANGUAGES]):
        name, _, rest = part.strip().lower().partition(";")
        weight = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", rest)
        if name[:2] in CODES and not name[2:3].isalpha():
            weighed.append((-float(weight[1]) if weight else -1.0, place, name[:2]))
    return min(weighed)[2] if weighed else FALLBACK
