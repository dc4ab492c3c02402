"""What counts as the same question, and which guard says no."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from rag.cache.guards import guard
from rag.cache.match import THRESHOLD, explain, match
from rag.encoders import bundled_encoder
from rag.language.detection import question_language
from rag.language.morphology import misspelt
from rag.language.tokenizer import tokens
from rag.question import read_question
from rag.question.normalization import normal_form, polite_free
from rag.question.signature import QuestionSignature, signature_of

SAME_FORM = [
    ("Comment créer un client ?", "COMMENT CREER UN CLIENT"),
    ("Comment créer un client ?", "Bonjour, comment créer un client s'il vous plaît ? Merci !"),
    ("Comment créer un client ?", "Pourriez-vous me dire comment créer un client ? Merci d'avance"),
    ("Comment créer un client ?", "cmt créer un client svp"),
    ("Comment créer l’étiquette ?", "comment créer l'etiquette"),
    ("Comment régler l'écran ?", "comment regler l ecran"),
    ("Déclarer un cœur de parcelle", "déclarer un coeur de parcelle"),
    ("How do I print?", "Hello, how do I print please? Thanks a lot"),
    ("Remise de 5,5 %", "remise de 5.5%"),
    ("Virer 1 000 €", "virer 1000 €"),
    ("10kg de raisin", "10 kg de raisin"),
    ("What's the due date?", "What is the due date?"),
]
OTHER_FORM = [
    ("Que signifie E-210 ?", "Que signifie E 210 ?"),
    ("version 2.1", "version 21"),
    ("remise de 5,5 %", "remise de 55 %"),
    ("température < 12", "température > 12"),
    ("saisir -5", "saisir 5"),
    ("remise de 5 %", "remise de 5 €"),
    ("comment le supprimer", "comment supprimer"),
    ("peut-on payer", "ne peut-on pas payer"),
    ("écrire à a@b.fr", "écrire à a@c.fr"),
    ("imprimer un message de merci", "imprimer un message"),
    ("Programmer en C", "Programmer en C#"),
    ("La touche ▲", "La touche ▼"),
    ("Payer 20 ₩", "Payer 20 ₽"),
    ("Insérer 🙂", "Insérer 🙁"),
    ("stocker à - 18 °C", "stocker à 18 °C"),
    ("saisir ,75", "saisir 75"),
    ("saisir .25", "saisir 25"),
]
NEAR_MISSES = [
    ("negation", "Peut-on payer en ligne ?", "Ne peut-on pas payer en ligne ?"),
    ("negation", "Exporter avec les prix", "Exporter sans les prix"),
    ("negation", "Why can I pay?", "Why can't I pay?"),
    ("negation", "Comment recevoir les rappels ?", "Comment ne plus recevoir les rappels ?"),
    ("antonym", "Comment geler un compte ?", "Comment dégeler un compte ?"),
    ("antonym", "How do I mute a call?", "How do I unmute a call?"),
    ("antonym", "Comment emprunter un livre ?", "Comment prêter un livre ?"),
    ("number", "Fusionner 2 lots", "Fusionner trois lots"),
    ("unit", "Saisir 10 kg", "Saisir 10 hl"),
    ("date", "Où voir les ventes de mars ?", "Où voir les ventes de mai ?"),
    ("version", "Installer la version 2.1", "Installer la version 2.2"),
    ("name", "Comment connecter Sage ?", "Comment connecter Cegid ?"),
    ("name", "Que veut dire E-210 ?", "Que veut dire E-211 ?"),
    ("name", "À quoi sert « Ventes » ?", "À quoi sert « Stocks » ?"),
    ("interrogative", "Comment créer un avoir ?", "Pourquoi créer un avoir ?"),
    ("interrogative", "Faut-il signer ?", "Peut-on signer ?"),
    ("modality", "Qui peut signer le bon ?", "Qui doit signer le bon ?"),
    ("language", "Comment exporter ?", "How do I export?"),
    ("content", "Comment créer un client ?", "Comment créer un client sur mobile ?"),
    ("content", "Comment vendre du vin ?", "Comment livrer du vin ?"),
    ("content", "Comment voir la facture ?", "Comment voir la facturation ?"),
    ("content", "Le poste est fermé ?", "La poste est fermée ?"),
    ("quantifier", "Supprimer un message", "Supprimer tous les messages"),
    ("role", "Passer de Sage à Cegid", "Passer de Cegid à Sage"),
    ("role", "Comment changer de client ?", "Comment changer le client ?"),
    ("role", "Can my customer pay?", "Can I pay my customer?"),
    ("role", "Comment connecter une imprimante ?", "Comment se connecter à une imprimante ?"),
    ("tense", "Why did the payment fail?", "Why does the payment fail?"),
    ("role", "Comment déplacer ?", "Comment se déplacer ?"),
    ("conversation", "Comment le supprimer ?", "Comment supprimer ?"),
    ("conversation", "Et supprimer un lot ?", "Supprimer un lot"),
    ("content", "Voir le crédit dû", "Voir le crédit"),
    ("content", "Comment baisser le son du lecteur ?", "Comment baisser le lecteur ?"),
    ("content", "Quelle démarche pour faire réparer ?", "Quelle démarche pour réparer ?"),
    ("content", "How do I start hoping?", "How do I start hopping?"),
    ("content", "À quoi sert alt+s ?", "À quoi sert alt+y ?"),
    ("content", "How do I clock a worker in?", "How do I clock a worker?"),
    ("interrogative", "À qui adresser la plainte ?", "De qui adresser la plainte ?"),
    ("interrogative", "D'où vient le colis ?", "Où vient le colis ?"),
    ("modality", "Where must I park?", "Where can I park?"),
    ("role", "Qui a signé le bail ?", "Qui signe le bail ?"),
    ("role", "Which tenants have paid?", "Which tenants are paid?"),
    ("role", "How can you call me?", "How can I call you?"),
    ("role", "Pouvez-vous nous appeler ?", "Pouvons-nous vous appeler ?"),
    ("role", "Importer les lots de Cegid", "Importer les lots dans Cegid"),
    ("role", "Ajouter un élève à une classe", "Créer un élève dans une classe"),
    ("role", "Fermer mon agence", "Fermer votre agence"),
]
MODIFIED = ("modifier", "modifer")
PARAPHRASES = [
    ("Comment créer un client ?", "Quelle est la marche à suivre pour ajouter un nouveau client ?"),
    ("Comment créer un client ?", "création d'un client"),
    ("Comment modifier une cuvée ?", "Je voudrais changer une cuvée, comment faire ?"),
    ("Comment relancer un client ?", "comment je relance un client"),
    ("Comment imprimer la facture ?", "La facture, comment l'imprimer ?"),
    ("Comment supprimer un lot ?", "Comment faire la suppression d'un lot ?"),
    ("Comment modifier un client ?", "Comment modifier la fiche d'un client ?"),
    ("Peut-on supprimer un lot ?", "Est-il possible de supprimer un lot ?"),
    ("Combien coûte l'abonnement ?", "Quel est le prix de l'abonnement ?"),
    ("Que signifie l'erreur 403 ?", "L'erreur 403, c'est quoi ?"),
    ("How do I delete a plot?", "What are the steps to remove a plot?"),
    ("How do I rename the cellar's door?", "How can I change the name of the cellar door?"),
    ("How do I cancel an order?", "How do I do an order cancellation?"),
]


@pytest.mark.parametrize(("one", "other"), SAME_FORM)
def test_how_a_question_is_typed_does_not_change_its_normal_form(one, other):
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(("one", "other"), OTHER_FORM)
def test_what_changes_the_question_survives_in_its_normal_form(one, other):
    assert normal_form(one) != normal_form(other)


def signature(question, knows=None):
    told = polite_free(tokens(question))
    return signature_of(told, question_language(question), knows=knows)


def test_a_question_of_nothing_but_politeness_keeps_its_words():
    assert normal_form("Merci !") == "merci"
    assert normal_form("?!") == ""


@pytest.mark.parametrize(("name", "one", "other"), NEAR_MISSES)
def test_the_guard_that_says_no_is_named(name, one, other):
    assert guard(signature(one), signature(other)) == name
    assert guard(signature(other), signature(one)) == name


@pytest.mark.parametrize(("one", "other"), PARAPHRASES)
def test_no_guard_objects_to_a_paraphrase(one, other):
    assert guard(signature(one), signature(other)) is None
    assert guard(signature(other), signature(one)) is None


def test_another_page_or_conversation_is_another_question():
    question = "Comment créer un client ?"
    read = signature(question)
    assert guard(replace(read, page="a.md"), replace(read, page="b.md")) == "page"
    here, there = replace(read, conversation="1"), replace(read, conversation="2")
    assert guard(here, there) == "conversation"


def test_a_misspelt_word_is_its_word_where_only_one_of_the_two_exists():
    def knows(word):
        return word in {"modifier", "compte", "débiter", "débuter", "debiter", "debuter"}

    one, other = "Comment modifier un compte ?", "Comment modifer un compte ?"
    assert guard(signature(one, knows=knows), signature(other, knows=knows)) is None
    assert guard(signature(one), signature(other)) == "content"


@pytest.mark.parametrize(
    ("one", "other", "slip"),
    [
        ("facture", "factrue", True),
        ("parcelle", "parcele", True),
        ("transfer", "tranfer", True),
        ("debiter", "debuter", False),
        ("caisse", "casse", False),
        ("preparer", "reparer", False),
        ("commande", "commander", False),
    ],
)
def test_a_slip_is_a_letter_lost_or_two_swapped_in_a_long_word(one, other, slip):
    assert misspelt(one, other) is slip


def test_what_is_kept_as_json_says_the_same():
    read = signature("Pourquoi la TVA à 5,5 % n'est-elle plus dans « Ventes » ?")
    one = replace(read, page="a.md")
    assert QuestionSignature.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_a_low_cosine_is_no_hit_though_no_guard_objects():
    one, other = signature("Comment créer un lot ?"), signature("Comment ajouter un lot ?")
    assert match(one, other, THRESHOLD)
    assert not match(one, other, THRESHOLD - 0.01)
    assert not match(one, signature("Comment supprimer un lot ?"), 1.0)


def test_explain_says_why():
    encoder = bundled_encoder()
    one, other = read_question("Créer un lot"), read_question("créer un lot svp")
    assert explain(one, other, encoder) == (True, 1.0, None)
    on, off = read_question("Activer l'alerte"), read_question("Désactiver l'alerte")
    hit, score, named = explain(on, off, encoder)
    assert (hit, named) == (False, "antonym")
    assert score > THRESHOLD
    asked_twice = map(read_question, ("How do I log in?", "How do I sign in?"))
    assert explain(*asked_twice, encoder, threshold=0.99)[2] == "cosine"


@pytest.mark.parametrize("question", ["", "?", "?!"])
def test_a_question_without_a_word_is_not_even_its_own_like(question):
    read = read_question(question)
    assert explain(read, read, bundled_encoder())[::2] == (False, "content")


def test_a_slip_is_forgiven_only_where_the_cosine_is_high():
    one, other = (signature(f"{verb} un compte", knows="modifier".__eq__) for verb in MODIFIED)
    assert match(one, other, 0.80)
    assert not match(one, other, 0.79)


@pytest.mark.parametrize("question", ["", "?", "de la", "«", "a" * 5000, "ne pas", "et", "- - -"])
def test_odd_questions_match_nothing(question):
    assert guard(signature(question), signature("Comment créer un client ?")) is not None
    assert guard(signature("de"), signature("la")) is not None


def test_guards_cost_next_to_nothing():
    def best_of(calls: int, call) -> float:
        times = []
        for _ in range(20):
            start = time.perf_counter()
            for _ in range(calls):
                call()
            times.append((time.perf_counter() - start) / calls)
        return min(times)

    question = "Comment transférer un lot de la cuve 3 à la cuve 5 ?"
    one, other = (
        signature(question),
        signature("Comment déplacer un lot de la cuve 3 vers la cuve 5 ?"),
    )
    assert guard(one, other) is None
    assert best_of(50, lambda: guard(one, other)) < 50e-6
    assert best_of(10, lambda: signature(question)) < 0.8e-3
