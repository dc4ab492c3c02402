"""Words as BM25 sees them, and the language that a question is asked in."""

from __future__ import annotations

import pytest

from rag.language.analyzer import content_words, fold, is_stop_word, stem, stems, words
from rag.language.detection import question_language


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("l'été", ["été"]),
        ("L’ÉTIQUETTE d’une cuvée", ["étiquette", "une", "cuvée"]),
        ("qu'il s'agisse, lorsqu'on", ["il", "agisse", "on"]),
        ("aujourd'hui", ["aujourd'hui"]),
        ("d’aujourd’hui", ["aujourd'hui"]),
        ("quelqu'un jusqu'à puisqu'elle", ["un", "à", "elle"]),
        ("prud'homme O'Neil", ["prud", "homme", "o", "neil"]),
        ("l' d' '", ["l", "d"]),
        ("e\u0301tiquette", ["étiquette"]),
        ("code_postal n°12-345/AB", ["code", "postal", "n", "12", "345", "ab"]),
        ("", []),
        (" … 🍷 !", []),
    ],
)
def test_words_are_cut_where_french_elides(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("one", "other", "lang"),
    [
        ("étiquettes", "etiquette", "fr"),
        ("factures", "FACTURE", "fr"),
        ("créer", "créé", "fr"),
        ("imprimée", "imprimer", "fr"),
        ("œuvres", "oeuvre", "fr"),
        ("printing", "prints", "en"),
        ("customers", "customer", "en"),
    ],
)
def test_forms_of_a_word_share_a_stem(one: str, other: str, lang: str) -> None:
    assert stem(one.lower(), lang) == stem(other.lower(), lang)


def test_stems_keep_every_word_in_order_without_accents() -> None:
    found = stems("Les cuvées de l'été")
    assert len(found) == 4
    assert found[1] == stem("cuvée")
    assert all(word == fold(word) for word in found)


def test_other_words_keep_other_stems() -> None:
    assert len({stem(word) for word in ("client", "commande", "cuvée", "caisse")}) == 4


def test_content_words_leave_out_what_says_nothing() -> None:
    assert content_words("Comment est-ce que je peux créer un client ?") == ["créer", "client"]
    assert content_words("how do I create a client", ("fr", "en")) == ["create", "client"]
    assert content_words("client, CLIENT") == ["client"]


def test_a_question_of_stop_words_keeps_them_all() -> None:
    assert content_words("qui est-ce ?") == ["qui", "est", "ce"]
    assert content_words("?") == []


def test_stop_words_are_known_in_any_case_or_accent() -> None:
    assert is_stop_word("À")
    assert is_stop_word("ÊTRE")
    assert not is_stop_word("cuvée")
    assert is_stop_word("how", "en")


ENGLISH = """how to print labels
add a user
how do I create a client
delete an invoice
reset my password
where is the stock page
change the price of a wine
cannot log in
print labels
import clients from excel
create a new lot
what is a cuvée
merge two customers
forgot password
send an invoice by email
can i undo a bottling
list of orders
why is my label cut off
who can see the prices
Is there a mobile app?"""
FRENCH = """creer client
comment creer un client
supprimer facture
imprimer etiquettes
mot de passe oublié
ajouter utilisateur
où sont les stocks
export csv
changer le prix d'un vin
fusionner deux clients
liste des commandes
facture impayée
pourquoi mon etiquette est coupée
DRM
importer excel
nouveau lot
c'est quoi une cuvée
envoyer une facture par mail
je n'arrive pas a me connecter
annuler une mise en bouteille"""


@pytest.mark.parametrize("question", ENGLISH.split("\n"))
def test_english_is_recognised(question: str) -> None:
    assert question_language(question) == "en"


@pytest.mark.parametrize("question", [*FRENCH.split("\n"), "", "12 345", "🍷"])
def test_french_is_recognised_and_assumed_in_doubt(question: str) -> None:
    assert question_language(question) == "fr"
