"""A heading names the action that a question asks about, its opposite, another one or none."""

from __future__ import annotations

import pytest

from rag.core.documents import Chunk, Hit
from rag.extraction import extract_answer
from rag.extraction.headings import Named, named, read_heading
from rag.question import read_question

STEPS = "1. Ouvrez {0} > Liste.\n2. Choisissez la ligne.\n3. Cliquez sur {0}."


def page(title: str, *sections: tuple[str, str], lang: str = "fr") -> list[Chunk]:
    return [
        Chunk(f"c{i}", "p", i, title, (heading,) if heading else (), "/", lang, text)
        for i, (heading, text) in enumerate(sections)
    ]


def extract(question: str, chunks: list[Chunk], best: int = 0) -> str:
    """Return the extract where the search found every section, the best one a little before."""
    ranked = sorted(chunks, key=lambda chunk: chunk is not chunks[best])
    hits = [Hit(chunk, 1.0 - 0.05 * n, n + 1) for n, chunk in enumerate(ranked)]
    return extract_answer(read_question(question), hits, chunks).text


@pytest.mark.parametrize(
    ("question", "heading", "expected"),
    [
        ("Comment désactiver le suivi ?", "La désactiver", Named.SAME_VERB),
        ("Comment désactiver le suivi ?", "L'activer pour son compte", Named.OPPOSITE),
        ("Comment désactiver le suivi ?", "Réactiver un suivi", Named.OPPOSITE),
        ("Comment désactiver le suivi ?", "Désactivation", Named.NOUN),
        ("Comment fermer un compte ?", "Clôturer un compte", Named.VERB),
        ("Comment fermer un compte ?", "Ouverture d'un compte", Named.OPPOSITE),
        ("Comment fermer un compte ?", "Transférer un compte", Named.OTHER),
        ("Comment archiver un dossier ?", "Un dossier archivé", Named.NOTHING),
        ("Comment archiver un dossier ?", "Faire revenir un dossier archivé", Named.OPPOSITE),
        ("Comment supprimer un lot ?", "Corriger ou supprimer un lot", Named.SAME_VERB),
        ("Comment faire pour corriger un lot ?", "Corriger ou supprimer un lot", Named.SAME_VERB),
        ("comment on supprime un lot ?", "Supprimer un lot", Named.SAME_VERB),
        ("Comment arrêter les alertes ?", "Suspendre les alertes", Named.VERB),
        ("Comment arrêter les alertes ?", "Activer les alertes", Named.OPPOSITE),
        ("Comment importer des photos ?", "Lancer l'import", Named.NOUN),
        ("Comment importer des photos ?", "Annuler un import", Named.OTHER),
        ("Comment importer des photos ?", "Formats acceptés", Named.NOTHING),
        ("How do I delete a card?", "Supprimer une carte", Named.VERB),
        ("How do I delete a card?", "Ajouter une carte", Named.OPPOSITE),
        ("How do I turn off alerts?", "Désactiver les alertes", Named.VERB),
        ("How do I turn off alerts?", "Activer les alertes", Named.OPPOSITE),
    ],
)
def test_a_french_heading_is_compared_with_the_action(question, heading, expected):
    action = read_question(question).action
    assert action is not None
    assert named(read_heading(heading, "fr"), action) is expected


@pytest.mark.parametrize(
    ("question", "heading", "expected"),
    [
        ("How can I disable alerts?", "Disabling alerts", Named.SAME_VERB),
        ("How can I disable alerts?", "How to enable alerts", Named.OPPOSITE),
        ("How can I disable alerts?", "Alerts", Named.NOTHING),
        ("How to delete a card", "Create a card", Named.OPPOSITE),
        ("How to delete a card", "Export cards", Named.NOTHING),
    ],
)
def test_an_english_heading_is_compared_with_the_action(question, heading, expected):
    action = read_question(question).action
    assert action is not None
    assert named(read_heading(heading, "en"), action) is expected


@pytest.mark.parametrize("question", ["", "?", "Comment faire un bilan ?", "How do I do it?"])
def test_a_question_without_a_telling_verb_names_no_action(question):
    assert read_question(question).action is None


@pytest.mark.parametrize(
    "question", ["Comment désactiver l'alarme ?", "désactiver l'alarme", "How to turn off alarms?"]
)
def test_what_undoes_is_not_answered_by_the_steps_that_do(question):
    off = "Dans le même écran, un bouton demande un code."
    chunks = page(
        "Activer l'alarme",
        ("", "L'alarme prévient."),
        ("L'activer", STEPS.format("Activer")),
        ("La désactiver", off),
    )
    for best in range(3):
        assert extract(question, chunks, best) == f"La désactiver\n{off} [1]"


def test_steps_of_another_action_give_way_to_the_section_that_names_this_one():
    chunks = page(
        "Dossiers",
        ("Archiver un dossier", "Cochez-le, puis Actions > Archiver."),
        ("Faire revenir un dossier archivé", STEPS.format("Réactiver")),
    )
    assert extract("Comment archiver un dossier ?", chunks, 1).startswith(
        "Archiver un dossier\nCochez"
    )
    assert extract("Comment réactiver un dossier ?", chunks, 0).startswith("Faire revenir")


def test_what_the_title_says_too_does_not_tell_a_section_from_the_others():
    chunks = page(
        "Annuler une vente",
        ("Annuler avant l'envoi", STEPS.format("Annuler")),
        ("Annuler une vente déjà partie", STEPS.format("Retour")),
    )
    assert extract("Comment annuler une vente ?", chunks).startswith("Annuler avant")
    found = extract("Comment annuler une vente déjà partie ?", chunks)
    assert found.startswith("Annuler une vente déjà")


def test_steps_of_another_action_give_way_to_what_says_this_one():
    said = "Un bouton sert à refuser l'offre."
    chunks = page("Offres", ("Rédiger l'offre", STEPS.format("Offre")), ("Réponse", said))
    assert extract("Comment refuser une offre ?", chunks) == f"Réponse\n{said} [1]"


def test_where_every_heading_names_another_action_the_best_still_answers():
    chunks = page("Offres", ("Rédiger", STEPS.format("Offre")), ("Envoyer", "Cliquez."))
    assert extract("Comment peindre une offre ?", chunks).startswith("Rédiger\n1. Ouvrez Offre")


def test_the_opposite_answers_only_where_the_page_has_nothing_else():
    chunks = page("Alarmes", ("L'activer", STEPS.format("Activer")))
    assert extract("Comment désactiver l'alarme ?", chunks).startswith("L'activer\n1. Ouvrez")


def test_the_verb_asked_about_comes_before_one_that_means_the_same():
    cut = "Un bouton coupe l'accès pour un mois."
    chunks = page(
        "Comptes", ("Désactiver un compte", STEPS.format("Compte")), ("Suspendre en urgence", cut)
    )
    assert extract("Comment suspendre un compte ?", chunks).startswith(
        f"Suspendre en urgence\n{cut} [1]"
    )
    assert extract("Comment arrêter un compte ?", chunks).startswith(
        "Désactiver un compte\n1. Ouvrez"
    )
