"""What a question asks for, in French and English, and whether a text gives it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial

from rag import analysis

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
_MONTH = (
    r"(?:janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
    r"|january|february|march|april|may|june|july|august|september|october|november|december)\b"
)
_WHAT = r"\b(?:quel(?:le)?s? (?:\w+ ){0,2}?(?:l[ea]s? |l['’])?|what (?:\w+ ){0,3}?)"
# what a question asks by, and what a text then gives; the first that asks counts
MEASURES = tuple(
    (re.compile(asks, re.IGNORECASE), re.compile(gives, re.IGNORECASE))
    for asks, gives in (
        (
            rf"\bcombien de (?:temps|{_TIME})|\bdepuis quand\b|\bhow (?:long|soon|often|late|old)\b"
            rf"|{_WHAT}(?:d[ée]lai|dur[ée]e|fr[ée]quence|p[ée]riode|duration|delay)"
            rf"|\bhow many {_TIME}|^\W*(?:d[ée]lai|dur[ée]e)\b",
            rf"\d+ ?{_TIME}|\b(?:chaque|tous les|toutes les|every) \w+",
        ),
        (
            r"\bquand\b|\bwhen\b|\bjusqu['’]à quand|\bdeadline\b|\bdates? limites?\b"
            rf"|{_WHAT}(?:dates?|jour|heure|échéance|time|day)\b"
            r"|\b(?:due|expiry|best[- ]before) date",
            rf"\b\d{{1,2}}(?:er)? {_MONTH}|\b\d{{1,2}} ?h\b|\bau plus (?:tard|tôt)\b|\d+ ?{_TIME}"
            r"|\b(?:avant|après|jusqu['’]au) le \d|\bno later than\b|\b\d{1,2}[/-]\d{1,2}\b",
        ),
        (
            rf"{_WHAT}(?:prix|tarif|co[uû]t|montant|plafond|price|cost|fee)"
            r"|\bcombien (?:\w+ )?co[uû]te|\bhow much\b|\bcombien (?:ça |faut-il )?pay",
            r"\d ?(?:€|euros?|\$|£|dollars?|EUR|centimes)|\b(?:gratuit|offert|compris|free)",
        ),
        (
            rf"{_WHAT}(?:taux|pourcentage|remise|part|degré|rate|percentage|discount)"
            r"|\b(?:VAT|tax) rate",
            r"\d ?%",
        ),
        (
            rf"\bcombien (?:\w+ )?p[èe]se|{_WHAT}(?:poids|masse|weight)|\bhow heavy\b",
            r"\d ?(?:kg|g|mg|t|tonnes?|kilos?|grammes?)\b",
        ),
        (
            rf"{_WHAT}(?:taille|hauteur|largeur|longueur|dimensions?|distance|r[ée]solution|format"
            r"|contenance|capacit[ée]|volume|size|height|width|length|resolution|capacity)"
            r"|\bhow (?:big|large|high|wide|small|far)\b",
            r"\d ?(?:[mck]?m|px|pixels?|points?|pouces?|dpi|ppp|[kmg]?o|[kmg]b|[cmh]?l|litres?)\b"
            r"|\d ?[×x] ?\d",
        ),
        (
            r"\bcombien\b|\bhow many\b|\b(?:nombre|maximum|minimum|limite|seuil|plafond|limit)\b",
            r"\d",
        ),
    )
)
WHERE = re.compile(
    r"(?:^|\s)où\b|^\W*ou (?:est|sont|se|trouver|voir|puis|peut)\b|\bwhere\b"
    r"|\b(?:quel|which) (?:menu|écran|onglet|screen|tab)\b",
    re.IGNORECASE,
)
PATH = re.compile(r"\S [>→▸‣] \S")
DO = re.compile(
    r"^(?:\d+[.)] |[-*•] )?(?:pour \w+[^,]*, )?(?:\w{2,}ez\b|click|select|choose|open|press|type)"
    r"|\b(?:cliquez|choisissez|ouvrez|sélectionnez|saisissez|click|select|choose) "
    r"|\S [>→▸‣] \S",
    re.IGNORECASE,
)
PLACE = re.compile(r"\b(?:onglet|menu|écran|bouton|fenêtre|tab|screen|button|window)\b", re.I)
WHY = re.compile(r"\bpourquoi\b|\bwhy\b", re.IGNORECASE)
CAUSE = re.compile(
    r"\b(?:car|parce qu|puisque?|afin d|pour que|faute d|tant que|vient d|viennent d|en raison"
    r"|à cause|because|since|due to|comes from|so that)|\bn['’]\w+ que\b|\bc['’]est que\b",
    re.IGNORECASE,
)
WHETHER = re.compile(
    r"^\W*(?:est-ce qu|can|could|may|must|should|is|are|do|does|will)\b"
    r"|\b(?:peut-on|peux-tu|puis-je|faut-il|dois-je|doit-on|suis-je|ai-je)\b|\w-t-(?:il|elle|on)\b"
    r"|\b(?:peut|doit|est|sont|fait|peuvent|doivent)-(?:il|elle|on|ils|elles)\b",
    re.IGNORECASE,
)
VERDICT = re.compile(
    r"^(?:[-*] )?(?:oui|non|yes|no)\b|\b(?:impossible|irréversible|définiti(?:f|ve)|permis|interdit"
    r"|obligatoire|nécessaire|facultati(?:f|ve)|inutile|allowed|required|cannot|librement)\b"
    r"|\b(?:ne|n['’]\w+|se)\b.{0,40}\b(?:pas|plus|jamais|ni|rien|que si)\b",
    re.IGNORECASE,
)
WHAT = re.compile(
    r"\bqu['’]est[- ]ce qu|\bc['’]est quoi\b|\bqu['’](?:appelle|entend)|\bd[ée]finition\b"
    r"|\bwhat(?: is|['’]s| are)(?= (?:an? |the )?[\w-]+ ?\?*$)|\bdéfini[rst]|\bdefine\b",
    re.IGNORECASE,
)
DEFINED = re.compile(
    r"^(?:(?:une?|l[ea]s?|an?|the) |l['’])(.{2,60}?),?(?: [^.]{0,60},)? "
    r"(?:est|sont|désigne|signifie|is|are|means)\b",
    re.IGNORECASE,
)
INTERROGATIVE = re.compile(
    r"^\W*(?:(?:à|a|de|pour|dans|sur|avec|par|en|depuis|jusqu['’]à|for|to|in|on|at|from) )?"
    r"(?:qui|qu['’]|que|quoi|quel(?:le)?s?|lequel|laquelle|who|whom|whose|which|what)\b",
    re.IGNORECASE,
)
QUESTIONS_KEPT = 100  # each is asked about several times in a row
DIGIT = re.compile(r"\d")
FRAMES = (WHAT, WHY, WHERE, *(asks for asks, _ in MEASURES))
CODE = re.compile(r"\b[A-Z]{1,4}-\d+\b|^\s*\d+[.)] ")
WORD = re.compile(r"défini|\w+")
_QUEL = "quel quelle quels quelles what"
# each of them, and `WHETHER`, finds something only where one of these words stands: eleven
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
NOTHING_FOUND = ("",) * len(CUES)


def asks_how(question: str) -> bool:
    """Say whether a question is answered by what to do."""
    if HOW.search(question):
        return True
    if not ORDER.search(question):
        return False
    return not any(_found(question))


def wants_to_know(question: str) -> bool:
    """Say whether a question asks for a thing told, not one that only names what troubles."""
    return any(_found(question)) or bool(INTERROGATIVE.search(question))


def frame(question: str) -> str:
    """Return the words by which a question asks for a kind of thing: « quelle date limite »."""
    return next(filter(None, _found(question)[:-1]), "")


@lru_cache(maxsize=QUESTIONS_KEPT)
def _found(question: str) -> tuple[str, ...]:
    """Return what each of `FRAMES` finds in a question, then `WHETHER`; empty for nothing."""
    # what a pattern that ignores case takes for an i or an s
    plain = question.replace("İ", "i").replace("ı", "i").replace("ſ", "s")
    cues = CUED.intersection(WORD.findall(plain.lower()))
    if not cues:
        return NOTHING_FOUND
    return tuple(
        "" if words.isdisjoint(cues) or not (match := pattern.search(question)) else match.group()
        for pattern, words in zip((*FRAMES, WHETHER), CUES, strict=True)
    )


def asks_what(question: str) -> bool:
    """Say whether a question asks what a thing is."""
    return bool(_found(question)[0])


def giving(question: str) -> Callable[[str], float]:
    """Return what tells how far a text gives the kind of thing asked for, from 0 to about 1.

    It is the same object for all questions of a kind, so that what it tells may be kept. What a
    thing is, `subject` tells.
    """
    _, why, where, *measures, whether = _found(question)
    if why:
        return _causes
    if where:
        return _places
    for asked, gives in zip(measures, MEASURING, strict=True):
        if asked:
            return gives
    if whether:
        return _verdicts
    return _doing if HOW.search(question) or ORDER.search(question) else _nothing


def subject(text: str) -> frozenset[str]:
    """Return the stems of what a text defines; none where it defines nothing."""
    found = DEFINED.match(CODE.sub("", text))
    return frozenset(analysis.stems(found.group(1))) if found else frozenset()


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


MEASURING = tuple(partial(_measured, gives) for _, gives in MEASURES)
_causes, _verdicts, _doing = (partial(_plainly, gives) for gives in (CAUSE, VERDICT, DO))
