"""How far a text gives the kind of thing that a question asks for, in French and English."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from rag.language import analyzer
from rag.question.intent import AnswerType

_TIME = (
    r"(?:secondes?|minutes?|min|heures?|h|jours?|semaines?|mois|ans?|années?|trimestres?|seconds?"
    r"|hours?|days?|weeks?|months?|years?)\b"
)
_MONTH = (
    r"(?:janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
    r"|january|february|march|april|may|june|july|august|september|october|november|december)\b"
)
MEASURES: dict[AnswerType, str] = {
    "duration": rf"\d+ ?{_TIME}|\b(?:chaque|tous les|toutes les|every) \w+",
    "date": rf"\b\d{{1,2}}(?:er)? {_MONTH}|\b\d{{1,2}} ?h\b|\bau plus (?:tard|tôt)\b|\d+ ?{_TIME}"
    r"|\b(?:avant|après|jusqu['’]au) le \d|\bno later than\b|\b\d{1,2}[/-]\d{1,2}\b",
    "price": r"\d ?(?:€|euros?|\$|£|dollars?|EUR|centimes)|\b(?:gratuit|offert|compris|free)",
    "rate": r"\d ?%",
    "weight": r"\d ?(?:kg|g|mg|t|tonnes?|kilos?|grammes?)\b",
    "size": r"\d ?(?:[mck]?m|px|pixels?|points?|pouces?|dpi|ppp|[kmg]?o|[kmg]b|[cmh]?l|litres?)\b"
    r"|\d ?[×x] ?\d",
    "number": r"\d",
}
PATH = re.compile(r"\S [>→▸‣] \S")
DO = re.compile(
    r"^(?:\d+[.)] |[-*•] )?(?:pour \w+[^,]*, )?(?:\w{2,}ez\b|click|select|choose|open|press|type)"
    r"|\b(?:cliquez|choisissez|ouvrez|sélectionnez|saisissez|click|select|choose) "
    r"|\S [>→▸‣] \S",
    re.IGNORECASE,
)
PLACE = re.compile(r"\b(?:onglet|menu|écran|bouton|fenêtre|tab|screen|button|window)\b", re.I)
CAUSE = re.compile(
    r"\b(?:car|parce qu|puisque?|afin d|pour que|faute d|tant que|vient d|viennent d|en raison"
    r"|à cause|because|since|due to|comes from|so that)|\bn['’]\w+ que\b|\bc['’]est que\b",
    re.IGNORECASE,
)
VERDICT = re.compile(
    r"^(?:[-*] )?(?:oui|non|yes|no)\b|\b(?:impossible|irréversible|définiti(?:f|ve)|permis|interdit"
    r"|obligatoire|nécessaire|facultati(?:f|ve)|inutile|allowed|required|cannot|librement)\b"
    r"|\b(?:ne|n['’]\w+|se)\b.{0,40}\b(?:pas|plus|jamais|ni|rien|que si)\b",
    re.IGNORECASE,
)
DEFINED = re.compile(
    r"^(?:(?:une?|l[ea]s?|an?|the) |l['’])(.{2,60}?),?(?: [^.]{0,60},)? "
    r"(?:est|sont|désigne|signifie|is|are|means)\b",
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
    **{
        kind: partial(_measured, re.compile(gives, re.IGNORECASE))
        for kind, gives in MEASURES.items()
    },
    "verdict": partial(_plainly, VERDICT),
    "steps": partial(_plainly, DO),
}
