"""What the asker reads besides the pages and the model's words, in French and English."""

from __future__ import annotations

from functools import cache

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
        "error": "le modèle de langage a répondu par une erreur",
        "busy": "le modèle de langage répond déjà à d’autres questions",
        "loading": "le modèle de langage se charge encore en mémoire",
        "slow": "cette machine est trop lente pour que le modèle de langage réponde à temps",
        "resting": "le modèle de langage ne répond plus ; il sera bientôt sollicité de nouveau",
        "unsupported": "les pages d’aide n’étayaient pas le texte du modèle de langage",
        "language": "le modèle de langage a répondu dans une autre langue",
        "cut": "le modèle de langage n’a pas lu toute la consigne",
        "off": "la rédaction par le modèle de langage est désactivée",
        "silent": "le modèle de langage n’a rien écrit",
        "stopped": "la réponse a été arrêtée",
        "stopping": "le service d’aide s’arrête ou redémarre",
        "unsearched": "la recherche dans les pages d’aide ne répond pas",
        "extract": "Extrait de l’aide :",
        "chat": "Posez vos questions. /aide dit ce que l’on peut faire ; Ctrl-D pour quitter.",
        "chat_help": "/nouveau oublie ce qui a été dit · /quitter (ou Ctrl-D) · Ctrl-C arrête la"
        " réponse, jamais le programme",
        "chat_new": "Nouvelle conversation : ce qui a été dit est oublié.",
        "chat_stopped": "Réponse arrêtée.",
        "degraded": "Extrait de l’aide, sans rédaction : {reason}.",
        "truncated": "Réponse interrompue avant la fin.",
        "dropped": "Des phrases que l’aide n’étayait pas ont été écartées.",
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
        "error": "the language model answered with an error",
        "busy": "the language model is already answering other questions",
        "loading": "the language model is still being loaded into memory",
        "slow": "this machine is too slow for the language model to answer in time",
        "resting": "the language model has stopped answering; it will be tried again shortly",
        "unsupported": "the help pages did not support what the language model wrote",
        "language": "the language model answered in another language",
        "cut": "the language model did not read the whole prompt",
        "off": "writing by the language model is switched off",
        "silent": "the language model wrote nothing",
        "stopped": "the answer was stopped",
        "stopping": "the help service is stopping or restarting",
        "unsearched": "the search in the help pages is not answering",
        "extract": "From the help:",
        "chat": "Ask your questions. /help says what can be done; Ctrl-D to leave.",
        "chat_help": "/new forgets what was said · /quit (or Ctrl-D) · Ctrl-C stops the answer,"
        " never the program",
        "chat_new": "New conversation: what was said is forgotten.",
        "chat_stopped": "Answer stopped.",
        "degraded": "Extract from the help, not written for you: {reason}.",
        "truncated": "The answer was cut short.",
        "dropped": "Sentences that the help did not support were left out.",
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


def code_of(said: str | None) -> str | None:
    """Return the key of a message that takes no values, in whichever language it is."""
    return _codes().get(said or "")


@cache
def _codes() -> dict[str, str]:
    french = {_typeset(text): key for key, text in MESSAGES["fr"].items()}
    return french | {text: key for key, text in MESSAGES["en"].items()}


def _typeset(text: str) -> str:
    """Put French non-breaking spaces where a line must not be cut."""
    for mark in ":;?!»":
        text = text.replace(f" {mark}", f"{NBSP}{mark}")
    return text.replace("« ", f"«{NBSP}")
