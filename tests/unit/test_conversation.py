"""What a question means after the ones before it, and how long those are kept."""

import random
import threading
import time

import pytest

from rag.conversation import (
    LONGEST_ID,
    Conversations,
    Turn,
)
from rag.core.errors import QuestionRefused
from rag.language.detection import question_language
from rag.question import read_question
from rag.question.follow_up import in_context, is_follow_up

FOLLOW_UPS = """
et pour le supprimer ?|et en PDF ?|comment l'annuler ?|comment l’annuler ?|pourquoi ?|c'est où ?
ça ne marche pas|combien de temps ça prend ?|Et les archiver ?|Où le trouver ?|comment faire ?
est-ce obligatoire ?|et après ?|peut-on les récupérer ?|puis-je en créer plusieurs ?|et sur mobile ?
comment y accéder ?|Est-ce que je peux le modifier après ?|Où est-il ?|pourquoi est-elle grisée ?
et celui du mois dernier ?|même chose pour les devis|lequel choisir ?|il n'apparaît pas
on peut l'exporter ?|comment lui envoyer un mail ?|et sans internet ?|quel est le délai ?
supprime-le|à quelle fréquence ?|et si elle est déjà expédiée ?|où je le trouve ?
comment le publier ?|je n'arrive pas à la transmettre|comment les saisir ?|et l'IBAN ?
where is it?|and for suppliers?|what about PDF?|can I undo that?|how long does it take?|why?
is it free?|can they see it?|how do I create another one?|what if I lose it?|does it work offline?
how do I remove them?|who can see this?|but it is greyed out|what does it cost?|and then?
"""
ALONE = """
Comment créer un client ?|Où est le bouton Exporter ?|Comment le client peut-il payer ?|E-401
Comment ouvrir le dernier fichier ?|Comment utiliser l'avoir ?|Où trouver le calendrier ?
Comment imprimer le bon de livraison ?|Comment changer la lettre de relance ?|exporter les écritures
Pourquoi la TVA est-elle à 20 % ?|Comment mettre à jour le logiciel ?|Comment exporter en PDF ?
Est-ce que je peux exporter la liste des clients ?|Y a-t-il une application mobile ?
Que se passe-t-il si je perds mon téléphone ?|Qu'est-ce qu'un lot ?|C'est quoi la DRM ?
Comment faire un avoir ?|Comment avoir mon avoir ?
Faut-il déclarer les échantillons ?|Et comment créer un devis ?|Comment passer en bio ?
La facture est fausse, comment la corriger ?|Comment créer un devis et l'envoyer ?
le panier est vide
Peut-on supprimer un compte ?
Est-il possible de fusionner deux clients ?
Comment fermer l'exercice ?
Il est impossible de valider ma commande|Quelle est la date limite de la DRM ?
Quand la récolte est finie, comment la déclarer ?|MonChai fait-il la paie des saisonniers ?
How do I create a customer?|Where is the Export button?|Is there a mobile app?
Is it possible to merge two customers?|How long does it take to restore a backup?
How do I export customers and print them?|If an invoice is wrong, how do I correct it?
Does the app work offline?|How do I change the price that is shown?
What happens when stock runs out?
When I save a customer it disappears|Can the customer pay online?
"""
MEANT = [
    ("Comment créer un client ?", "et pour le supprimer ?", "pour supprimer un client ?"),
    ("Comment créer un client ?", "et pour un fournisseur ?", "Comment créer un fournisseur ?"),
    ("Comment exporter mes clients ?", "et en PDF ?", "Comment exporter mes clients en PDF ?"),
    (
        "Comment exporter mes clients en CSV ?",
        "et en PDF ?",
        "Comment exporter mes clients en PDF ?",
    ),
    ("Comment créer une facture ?", "comment l'annuler ?", "comment annuler une facture ?"),
    ("Comment créer une facture ?", "annule-la", "annule une facture"),
    ("Comment créer un devis ?", "et le leur envoyer ?", "leur envoyer un devis ?"),
    ("Comment changer le logo ?", "et l'IBAN ?", "Comment changer l'IBAN ?"),
    ("Comment créer un devis ?", "pourquoi ?", "Comment créer un devis ? pourquoi ?"),
    ("Comment créer un devis ?", "il est faux", "un devis : il est faux"),
    ("Où est le menu Ventes ?", "et pour l'ouvrir ?", "pour ouvrir le menu Ventes ?"),
    ("How do I create a customer?", "and delete it?", "delete a customer?"),
    ("How do I create a customer?", "and for suppliers?", "How do I create suppliers?"),
    ("How do I export customers?", "what about PDF?", "How do I export PDF?"),
    ("How do I back up my data?", "how often?", "How do I back up my data? how often?"),
]


def cases(text):
    return [question for line in text.strip().splitlines() for question in line.split("|")]


def meant(question, *before):
    """Return what a question means after others."""
    turns = []
    for text in (*before, question):
        turns.append(Turn(text, read_question(text, turns).standalone))
    return turns[-1].contextual


@pytest.mark.parametrize("question", cases(FOLLOW_UPS))
def test_a_question_that_names_nothing_goes_on_from_the_one_before(question):
    assert is_follow_up(question, question_language(question))


@pytest.mark.parametrize("question", cases(ALONE))
def test_a_question_that_stands_alone_is_left_as_it_is(question):
    assert not is_follow_up(question, question_language(question))
    assert meant(question, "Comment préparer la DRM ?") == question


@pytest.mark.parametrize(("before", "question", "wanted"), MEANT)
def test_a_follow_up_takes_over_what_it_does_not_say(before, question, wanted):
    assert meant(question, before) == wanted


def test_a_chain_of_follow_ups_keeps_its_topic():
    first, second = "Comment créer un client ?", "et pour le supprimer ?"
    assert meant("et l'archiver ?", first, second) == "archiver un client ?"
    assert meant("et pour un devis ?", first, second) == "pour supprimer un devis ?"


def test_a_follow_up_without_anything_before_it_is_left_as_it_is():
    assert read_question("  et en PDF ?").standalone == "  et en PDF ?"


def test_a_word_of_no_language_is_read_in_that_of_the_conversation():
    english = Turn("How do I print labels?", "How do I print labels?")
    assert read_question("it doesn't work", [english]).language == "en"
    assert read_question("PDF?", [english]).language == "en"
    assert read_question("PDF ?").language == "fr"
    assert read_question("et pour un client ?", [english]).language == "fr"


def test_any_text_is_read_quickly_and_without_error():
    chance = random.Random(4)
    parts = "le la l' les en y ça ce il -il-le it that one et and ? , . -- ' 🍷 créer un x".split()
    for _ in range(2_000):
        text = chance.choice([" ", ""]).join(chance.choices(parts, k=chance.randint(0, 12)))
        for lang in ("fr", "en"):
            if is_follow_up(text, lang):
                in_context(text, chance.choice([text, ""]), lang)
    for text in ("le " * 660, "et-le" * 400, "l'" * 1000, "it, " * 500, "-" * 2000):
        start = time.perf_counter()
        for lang in ("fr", "en"):
            if is_follow_up(text, lang):
                in_context(text, text, lang)
        assert time.perf_counter() - start < 0.25


def test_turns_are_kept_in_order_and_the_oldest_go_first():
    kept = Conversations(turns=2)
    for question in ("a", "b", "c"):
        kept.add("one", Turn(question, question))
    assert [turn.question for turn in kept.turns("one")] == ["b", "c"]
    assert kept.turns("other") == ()


def test_the_conversation_that_was_silent_longest_goes_first():
    kept = Conversations(most=2)
    for name in ("one", "two", "one", "three"):
        kept.add(name, Turn(name, name))
    assert len(kept) == 2
    assert kept.turns("two") == ()
    assert len(kept.turns("one")) == 2


def test_a_conversation_is_forgotten_after_its_time():
    kept = Conversations(expires_s=0.05)
    kept.add("one", Turn("a", "a"))
    assert len(kept) == 1
    time.sleep(0.06)
    assert kept.turns("one") == ()
    assert len(kept) == 0


def test_an_id_has_a_limit():
    kept = Conversations()
    kept.add("x" * LONGEST_ID, Turn("a", "a"))
    assert len(kept.turns("x" * LONGEST_ID)) == 1
    for use in (kept.turns, lambda name: kept.add(name, Turn("a", "a"))):
        with pytest.raises(QuestionRefused, match="at most 200"):
            use("x" * (LONGEST_ID + 1))
    assert len(kept) == 1


def test_many_threads_may_write_at_once():
    kept = Conversations(most=50, turns=5)

    def write(seed):
        chance = random.Random(seed)
        for _ in range(500):
            kept.add(str(chance.randint(0, 99)), Turn("a", "a"))
            kept.turns(str(chance.randint(0, 99)))

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) == 50
    assert all(len(kept.turns(str(name))) <= 5 for name in range(100))
