"""What a report says besides its figures, in French and English, and how numbers are written."""

from __future__ import annotations

from datetime import date

from rag import messages

NBSP = "\u00a0"
WORDS = {
    "fr": {
        "report": "Ce que vos utilisateurs ont demandé",
        "period": "Du {first} au {last}",
        "nothing": "Aucune question n’a été posée pendant cette période.",
        "overview": "En bref",
        "asked": "Questions",
        "answered": "Avec une réponse tirée de l’aide",
        "unanswered": "Sans réponse dans l’aide",
        "failed": "Sans recherche possible",
        "degraded": "Réponses par un extrait, sans le modèle",
        "truncated": "Réponses interrompues",
        "cached": "Réponses déjà connues",
        "saved": "Temps de rédaction épargné",
        "opinions": "Avis",
        "liked": "{helpful} utiles, {unhelpful} inutiles",
        "tokens": "Jetons lus et écrits par le modèle",
        "days": "Questions par jour",
        "days_more": "{asked}, dont {unanswered} sans réponse",
        "times": "Temps de réponse",
        "times_intro": "La moitié des réponses, puis 95 % d’entre elles, viennent au plus tard"
        " après ce temps.",
        "kind": "Réponses",
        "all": "Toutes",
        "written": "Rédigées par le modèle",
        "kept": "Déjà connues",
        "number": "Nombre",
        "first_p50": "Début, 50 %",
        "first_p95": "Début, 95 %",
        "total_p50": "Fin, 50 %",
        "total_p95": "Fin, 95 %",
        "reasons": "Pourquoi le modèle n’a pas rédigé",
        "reason_unknown": "raison inconnue",
        "gaps": "Ce qu’il manque à l’aide",
        "gaps_intro": "Les questions restées sans réponse, par sujet, et la page qui en est le plus"
        " proche. Écrivez une page, ou ajoutez la question à celle-là.",
        "times_asked": "Fois",
        "questions": "Questions",
        "nearest": "Page la plus proche",
        "untold": "{different} questions dont le texte n’est pas gardé",
        "untold_one": "une question dont le texte n’est pas gardé",
        "often": "Les questions les plus posées",
        "question": "Question",
        "page": "Page",
        "without": "sans réponse",
        "disliked": "Réponses jugées inutiles",
        "said": "Questions et commentaires",
        "unused": "Pages qui n’ont servi à aucune réponse",
        "unused_intro": "{unused} des {pages} pages de l’aide.",
        "channels": "Par où l’on demande",
        "models": "Modèles",
        "texts": "Les textes des questions ne sont pas gardés"
        " (HELP_JOURNAL_TEXTS=true les garde) : seules celles que vos pages posent elles-mêmes"
        " sont reconnues.",
        "more": "… et {count} de plus",
    },
    "en": {
        "report": "What your users asked",
        "period": "From {first} to {last}",
        "nothing": "Nothing was asked in this period.",
        "overview": "At a glance",
        "asked": "Questions",
        "answered": "Answered from the help pages",
        "unanswered": "Not answered by the help pages",
        "failed": "Search did not work",
        "degraded": "Answered by an extract, without the model",
        "truncated": "Answers cut short",
        "cached": "Answers already known",
        "saved": "Writing time saved",
        "opinions": "Opinions",
        "liked": "{helpful} helpful, {unhelpful} not",
        "tokens": "Tokens read and written by the model",
        "days": "Questions a day",
        "days_more": "{asked}, {unanswered} of them not answered",
        "times": "Response times",
        "times_intro": "Half of the answers, and 95 % of them, come within this time.",
        "kind": "Answers",
        "all": "All",
        "written": "Written by the model",
        "kept": "Already known",
        "number": "Count",
        "first_p50": "First text, 50 %",
        "first_p95": "First text, 95 %",
        "total_p50": "Last text, 50 %",
        "total_p95": "Last text, 95 %",
        "reasons": "Why the model did not write",
        "reason_unknown": "unknown reason",
        "gaps": "What the help pages lack",
        "gaps_intro": "Questions that were not answered, by subject, and the page nearest to them."
        " Write a page, or add the question to that one.",
        "times_asked": "Times",
        "questions": "Questions",
        "nearest": "Nearest page",
        "untold": "{different} questions whose text is not kept",
        "untold_one": "a question whose text is not kept",
        "often": "Asked most",
        "question": "Question",
        "page": "Page",
        "without": "not answered",
        "disliked": "Answers that did not help",
        "said": "Questions and comments",
        "unused": "Pages that no answer came from",
        "unused_intro": "{unused} of the {pages} help pages.",
        "channels": "Ways in",
        "models": "Models",
        "texts": "The questions' texts are not kept (HELP_JOURNAL_TEXTS=true keeps them): only"
        " those that your pages ask themselves are recognised.",
        "more": "… and {count} more",
    },
}


def word(key: str, lang: str, **values: object) -> str:
    """Return a text in the language, French where there is none for it."""
    text = WORDS.get(lang, WORDS["fr"])[key].format(**values)
    if lang == "en":
        return text
    for mark in ":;?!%»":
        text = text.replace(f" {mark}", f"{NBSP}{mark}")
    return text


def reason_words(reason: str, lang: str) -> str:
    """Return what a reason's name means."""
    if reason not in messages.MESSAGES["fr"]:
        return word("reason_unknown", lang)
    return messages.message(reason, lang)


def number(value: float, lang: str, digits: int = 0) -> str:
    """Return a number as the language writes it."""
    text = f"{value:,.{digits}f}"
    if lang == "en":
        return text
    return text.replace(",", NBSP).replace(".", ",")


def share(part: int, whole: int, lang: str) -> str:
    """Return a number with what share of another it is."""
    said = number(part, lang)
    if not whole:
        return said
    percent = number(100 * part / whole, lang, 1)
    return f"{said} ({percent}{'%' if lang == 'en' else NBSP + '%'})"


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
    return date.fromisoformat(iso).strftime("%d/%m/%Y") if lang != "en" else iso
