"""What the asker reads besides the pages and the model's words, in French and English."""

from __future__ import annotations

NBSP = "\u00a0"

MESSAGES = {
    "fr": {
        "nothing": "Je n’ai pas trouvé la réponse dans les pages d’aide.",
        "nearest": "Les pages les plus proches :",
        "empty": "Posez votre question, par exemple : « Comment créer un client ? »",
        "search": "La recherche ne répond pas pour le moment. Réessayez dans un instant.",
        "refused": "le modèle de langage n’est pas joignable",
        "missing": "le modèle de langage n’est pas installé",
        "late": "le modèle de langage n’a pas répondu à temps",
        "failed": "le modèle de langage s’est arrêté en cours de réponse",
        "off": "la rédaction par le modèle de langage est désactivée",
        "silent": "le modèle de langage n’a rien écrit",
        "unsearched": "la recherche dans les pages d’aide ne répond pas",
        "degraded": "Extrait de l’aide, sans rédaction : {reason}.",
        "truncated": "Réponse interrompue avant la fin.",
        "sources": "Sources :",
        "see_also": "Voir aussi :",
        "writing": "{count} passages trouvés en {ms:.0f} ms ; {model} rédige…",
    },
    "en": {
        "nothing": "I did not find the answer in the help pages.",
        "nearest": "The nearest pages:",
        "empty": "Ask your question, for example: “How do I create a client?”",
        "search": "The search is not answering at the moment. Please try again shortly.",
        "refused": "the language model cannot be reached",
        "missing": "the language model is not installed",
        "late": "the language model did not answer in time",
        "failed": "the language model stopped in the middle of its answer",
        "off": "writing by the language model is switched off",
        "silent": "the language model wrote nothing",
        "unsearched": "the search in the help pages is not answering",
        "degraded": "Extract from the help, not written for you: {reason}.",
        "truncated": "The answer was cut short.",
        "sources": "Sources:",
        "see_also": "See also:",
        "writing": "{count} passages found in {ms:.0f} ms; {model} is writing…",
    },
}


def message(key: str, lang: str, **values: object) -> str:
    """Return a message in the language, French where there is none for it."""
    texts = MESSAGES.get(lang, MESSAGES["fr"])
    text = texts[key].format(**values)
    return _typeset(text) if texts is MESSAGES["fr"] else text


def _typeset(text: str) -> str:
    """Put French non-breaking spaces where a line must not be cut."""
    for mark in ":;?!»":
        text = text.replace(f" {mark}", f"{NBSP}{mark}")
    return text.replace("« ", f"«{NBSP}")
