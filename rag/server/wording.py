"""What a client reads of a problem, in French and English."""

from __future__ import annotations

import re

NBSP = "\u00a0"
MOST_LANGUAGES = 20

DETAILS = {
    "fr": {
        "bad_message": "La demande n’a pas la forme attendue.",
        "not_json_text": "Le corps de la demande n’est pas du JSON.",
        "not_json": "Le corps de la demande doit être du JSON (Content-Type: application/json).",
        "too_deep": "Le JSON de la demande est imbriqué trop profondément.",
        "too_long": "C’est trop long. Posez une question plus courte.",
        "slow": "La demande n’est pas arrivée à temps.",
        "unauthorized": "Il faut une clé ou un jeton valable. Rechargez la page, puis réessayez.",
        "forbidden": "Cette page n’a pas le droit d’interroger l’aide.",
        "closed": "Cet accès est fermé\u00a0: l’exploitant l’ouvre avec HELP_ADMIN_KEY.",
        "not_found": "Il n’y a rien à cette adresse.",
        "bad_method": "Cette méthode n’est pas permise à cette adresse.",
        "refused": "La demande est refusée.",
        "too_many": "Trop de questions d’affilée. Réessayez dans un instant.",
        "busy": "Une réponse est déjà en cours. Attendez-la, ou arrêtez-la.",
        "unknown_conversation": "Cette conversation n’est plus connue. Reposez la question.",
        "one_choice": "Une seule réponse est donnée par question (n = 1).",
        "no_question": "Il faut un message de l’utilisateur, qui est la question.",
        "unavailable": "L’aide n’est pas disponible pour le moment. Réessayez dans un instant.",
        "internal": "Une erreur est survenue. Réessayez dans un instant.",
    },
    "en": {
        "bad_message": "The request does not have the form expected.",
        "not_json_text": "The body of the request is no JSON.",
        "not_json": "The body of the request must be JSON (Content-Type: application/json).",
        "too_deep": "The JSON of the request is nested too deeply.",
        "too_long": "That is too long. Please ask a shorter question.",
        "slow": "The request did not arrive in time.",
        "unauthorized": "A valid key or token is needed. Reload the page, then try again.",
        "forbidden": "This page may not ask the help.",
        "closed": "This is closed: the operator opens it with HELP_ADMIN_KEY.",
        "not_found": "There is nothing at this address.",
        "bad_method": "This method is not allowed at this address.",
        "refused": "The request is refused.",
        "too_many": "Too many questions in a row. Please try again shortly.",
        "busy": "An answer is already under way. Wait for it, or stop it.",
        "unknown_conversation": "This conversation is not known any more. Ask the question again.",
        "one_choice": "One answer is given for a question (n = 1).",
        "no_question": "A message of the user is needed: it is the question.",
        "unavailable": "The help is not available at the moment. Please try again shortly.",
        "internal": "Something went wrong. Please try again shortly.",
    },
}


def detail(code: str, lang: str) -> str:
    """Return what a client reads of a problem."""
    return DETAILS[lang].get(code, DETAILS[lang]["refused"])


def preferred_language(accept_language: str) -> str:
    """Return ``fr`` or ``en``, as a header Accept-Language prefers; French in doubt."""
    weighed = []
    for place, part in enumerate(accept_language[:500].split(",")[:MOST_LANGUAGES]):
        name, _, rest = part.strip().lower().partition(";")
        weight = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", rest)
        if name[:2] in DETAILS and not name[2:3].isalpha():
            weighed.append((-float(weight[1]) if weight else -1.0, place, name[:2]))
    return min(weighed)[2] if weighed else "fr"
