"""How a report writes numbers, times and days, in French and English."""

from __future__ import annotations

from datetime import date

from rag.language import messages
from rag.language.messages import NBSP, report_word
from rag.language.profiles import load_profile


def reason_words(reason: str, lang: str) -> str:
    """Return what a reason's name means."""
    if reason not in messages.message_keys():
        return report_word("reason_unknown", lang)
    return messages.message(reason, lang)


def number(value: float, lang: str, digits: int = 0) -> str:
    """Return a number as the language writes it."""
    profile = load_profile(lang)
    whole, _, rest = f"{value:,.{digits}f}".partition(".")
    whole = whole.replace(",", profile.text("typography.thousands"))
    return f"{whole}{profile.text('typography.decimal')}{rest}" if rest else whole


def share(part: int, whole: int, lang: str) -> str:
    """Return a number with what share of another it is."""
    said = number(part, lang)
    if not whole:
        return said
    percent = load_profile(lang).text("typography.percent")
    return f"{said} ({number(100 * part / whole, lang, 1)}{percent})"


def milliseconds(value: float | None, lang: str) -> str:
    """Return a time as people read it."""
    if value is None:
        return "–"
    if value < 1_000:
        return f"{number(value, lang)}{NBSP}ms"
    return f"{number(value / 1_000, lang, 1)}{NBSP}s"


def duration(seconds: float, lang: str) -> str:
    """Return a length of time in its largest unit."""
    for size, unit in ((3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{number(seconds / size, lang, 1)}{NBSP}{unit}"
    return f"{number(seconds, lang, 1)}{NBSP}s"


def day(iso: str, lang: str) -> str:
    """Return a day as the language writes it."""
    return date.fromisoformat(iso).strftime(load_profile(lang).text("typography.date"))
