"""What kind of answer a question asks for, in French and English."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

AnswerType = Literal[
    "definition", "cause", "place", "duration", "date", "price", "rate", "weight", "size", "number",
    "verdict", "steps", "",
]  # fmt: skip
HOW = re.compile(
    r"\bcomment\b"
    r"|\bhow\b(?! (?:much|many|long|often|old|far|big|large|small|heavy|high|soon|late)\b)"
    r"|^\W*\w+(?:er|ir|[dtiv]re|[npl]cre|ompre|clure)\b",  # « créer », « vendre »
    re.IGNORECASE,
)
# « crée un client », « ajoutez une cuvée », "add a user"
ORDER = re.compile(
    r"^\W*\w+\s+(?:une?|l[ea]s?|mon|ma|mes|des|du|plusieurs|an?|the|my)\b", re.IGNORECASE
)
_TIME = (
    r"(?:secondes?|minutes?|min|heures?|h|jours?|semaines?|mois|ans?|années?|trimestres?|seconds?"
    r"|hours?|days?|weeks?|months?|years?)\b"
)
_WHAT = r"\b(?:quel(?:le)?s? (?:\w+ ){0,2}?(?:l[ea]s? |l['’])?|what (?:\w+ ){0,3}?)"
# what a question asks a measure by; the first that asks counts
MEASURES: dict[AnswerType, re.Pattern[str]] = {
    "duration": re.compile(
        rf"\bcombien de (?:temps|{_TIME})|\bdepuis quand\b|\bhow (?:long|soon|often|late|old)\b"
        rf"|{_WHAT}(?:d[ée]lai|dur[ée]e|fr[ée]quence|p[ée]riode|duration|delay)"
        rf"|\bhow many {_TIME}|^\W*(?:d[ée]lai|dur[ée]e)\b",
        re.IGNORECASE,
    ),
    "date": re.compile(
        r"\bquand\b|\bwhen\b|\bjusqu['’]à quand|\bdeadline\b|\bdates? limites?\b"
        rf"|{_WHAT}(?:dates?|jour|heure|échéance|time|day)\b"
        r"|\b(?:due|expiry|best[- ]before) date",
        re.IGNORECASE,
    ),
    "price": re.compile(
        rf"{_WHAT}(?:prix|tarif|co[uû]t|montant|plafond|price|cost|fee)"
        r"|\bcombien (?:\w+ )?co[uû]te|\bhow much\b|\bcombien (?:ça |faut-il )?pay",
        re.IGNORECASE,
    ),
    "rate": re.compile(
        rf"{_WHAT}(?:taux|pourcentage|remise|part|degré|rate|percentage|discount)"
        r"|\b(?:VAT|tax) rate",
        re.IGNORECASE,
    ),
    "weight": re.compile(
        rf"\bcombien (?:\w+ )?p[èe]se|{_WHAT}(?:poids|masse|weight)|\bhow heavy\b", re.IGNORECASE
    ),
    "size": re.compile(
        rf"{_WHAT}(?:taille|hauteur|largeur|longueur|dimensions?|distance|r[ée]solution|format"
        r"|contenance|capacit[ée]|volume|size|height|width|length|resolution|capacity)"
        r"|\bhow (?:big|large|high|wide|small|far)\b",
        re.IGNORECASE,
    ),
    "number": re.compile(
        r"\bcombien\b|\bhow many\b|\b(?:nombre|maximum|minimum|limite|seuil|plafond|limit)\b",
        re.IGNORECASE,
    ),
}
WHERE = re.compile(
    r"(?:^|\s)où\b|^\W*ou (?:est|sont|se|trouver|voir|puis|peut)\b|\bwhere\b"
    r"|\b(?:quel|which) (?:menu|écran|onglet|screen|tab)\b",
    re.IGNORECASE,
)
WHY = re.compile(r"\bpourquoi\b|\bwhy\b", re.IGNORECASE)
WHETHER = re.compile(
    r"^\W*(?:est-ce qu|can|could|may|must|should|is|are|do|does|will)\b"
    r"|\b(?:peut-on|peux-tu|puis-je|faut-il|dois-je|doit-on|suis-je|ai-je)\b|\w-t-(?:il|elle|on)\b"
    r"|\b(?:peut|doit|est|sont|fait|peuvent|doivent)-(?:il|elle|on|ils|elles)\b",
    re.IGNORECASE,
)
WHAT = re.compile(
    r"\bqu['’]est[- ]ce qu|\bc['’]est quoi\b|\bqu['’](?:appelle|entend)|\bd[ée]finition\b"
    r"|\bwhat(?: is|['’]s| are)(?= (?:an? |the )?[\w-]+ ?\?*$)|\bdéfini[rst]|\bdefine\b",
    re.IGNORECASE,
)
INTERROGATIVE = re.compile(
    r"^\W*(?:(?:à|a|de|pour|dans|sur|avec|par|en|depuis|jusqu['’]à|for|to|in|on|at|from) )?"
    r"(?:qui|qu['’]|que|quoi|quel(?:le)?s?|lequel|laquelle|who|whom|whose|which|what)\b",
    re.IGNORECASE,
)
ASKING: tuple[tuple[AnswerType, re.Pattern[str]], ...] = (
    ("definition", WHAT),
    ("cause", WHY),
    ("place", WHERE),
    *MEASURES.items(),
    ("verdict", WHETHER),
)
WORD = re.compile(r"défini|\w+")
_QUEL = "quel quelle quels quelles what"
# each of them finds something only where one of these words stands: eleven
# searches take 30 µs
CUES = tuple(
    frozenset(words.split())
    for words in (
        "qu quoi what défini definition define",
        "pourquoi why",
        "où ou where quel which",
        f"combien depuis how délai delai durée duree {_QUEL}",
        f"quand when jusqu deadline date dates due expiry best {_QUEL}",
        f"combien how {_QUEL}",
        f"vat tax {_QUEL}",
        f"combien how {_QUEL}",
        f"how {_QUEL}",
        "combien how nombre maximum minimum limite seuil plafond limit",
        "est can could may must should is are do does will peut peux puis faut dois doit suis ai t"
        " sont fait peuvent doivent",
    )
)
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
