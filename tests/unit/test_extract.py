"""An extract shows the section of the best page that answers: its steps, rows, items, whole."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from rag.core.answers import More
from rag.core.documents import Chunk, Hit
from rag.extraction import extract_answer
from rag.extraction.giving import giving, subject
from rag.extraction.showing import LONGEST
from rag.question import intent, read_question

INTRO = "Une commande réserve les bouteilles. Elle naît d'une saisie ou d'un devis."
STEPS = "\n".join(
    [
        "1. Ouvrez Ventes > Commandes et cliquez sur Nouvelle commande.",
        "2. Choisissez le client.",
        "3. Fixez l'acompte : de 10 à 100 % du montant, 50 % par défaut.",
        "4. Cliquez sur Confirmer.",
        "Une commande compte 200 lignes au plus.",
    ]
)
TABLE = "\n".join(
    [
        "Format | Contenance | Poids",
        "Bouteille | 75 cl | 1,3 kg",
        "Magnum | 150 cl | 2,6 kg",
        "Jéroboam | 3 l | 5 kg",
        "Les poids sont indicatifs.",
    ]
)
FAQ = "Non, pas après l'envoi. Faites un avoir."
REPORT = (
    "Les commandes se filtrent par date. Le rapport est dans Ventes > Outils > Bilan. Il se garde"
    " 36 mois. Au-delà, il est effacé."
)


def page(*sections: tuple[str, str]) -> list[Chunk]:
    return [
        Chunk(f"c{i}", "p", i, "Créer une commande", (heading,) if heading else (), "/", "fr", text)
        for i, (heading, text) in enumerate(sections)
    ]


CHUNKS = page(
    ("", INTRO),
    ("Saisir la commande", STEPS),
    ("Formats", TABLE),
    ("Peut-on supprimer une commande ?", FAQ),
    ("Suivre", REPORT),
)


def extract(question: str, best: int = 0, chunks: list[Chunk] | None = None):
    chunks = chunks or CHUNKS
    return extract_answer(read_question(question), [Hit(chunks[best], 1.0, 1)], chunks)


def test_how_is_answered_by_the_section_that_does_it_and_by_nothing_else():
    found = extract("Comment saisir une commande ?")
    assert found.text == f"Saisir la commande\n{STEPS} [1]"
    assert found.hits[0].chunk is CHUNKS[1]


def test_an_english_question_that_shares_no_word_gets_the_steps():
    found = extract("How do I enter an order?").text
    assert found.startswith("Saisir la commande\n1. Ouvrez Ventes > Commandes")


def test_how_much_is_answered_by_the_step_with_the_number_as_a_sentence():
    found = extract("Quel acompte par défaut ?", 1).text
    assert (
        found
        == "Saisir la commande\nFixez l'acompte : de 10 à 100 % du montant, 50 % par défaut. [1]"
    )


def test_one_step_tells_who_without_its_number():
    assert (
        extract("Qui peut confirmer ?", 1).text == "Saisir la commande\nCliquez sur Confirmer. [1]"
    )


def test_a_row_is_shown_with_its_header_and_without_the_others():
    found = extract("Quel est le poids d'un magnum ?", 2).text
    assert found == "Formats\nFormat | Contenance | Poids\nMagnum | 150 cl | 2,6 kg [1]"


def test_another_section_than_the_best_hits_answers_where_it_bears_more():
    found = extract("Où est le rapport des commandes ?", 1)
    assert "Ventes > Outils > Bilan" in found.text
    assert found.hits[0].chunk is CHUNKS[4]


def test_a_verdict_stays_with_its_sentence():
    question = "Peut-on supprimer une commande ?"
    assert extract(question, 3).text == f"{question}\n{FAQ} [1]"


def test_what_a_thing_is_is_answered_by_its_definition():
    chunks = page(
        ("", "Le chai se gère ici. Un lot est un volume de vin suivi d'un seul tenant."),
        ("Lots", "Chaque lot porte un numéro. Le lot se ferme."),
    )
    assert "Un lot est un volume" in extract("Qu'est-ce qu'un lot ?", 1, chunks).text


def test_a_sentence_is_followed_by_what_leans_on_it():
    assert "Au-delà, il est effacé." in extract("Combien de mois garde-t-on le rapport ?", 4).text


def test_steps_answer_how_even_where_the_introduction_holds_all_of_its_words():
    intro = "Saisir une commande réserve les bouteilles."
    found = extract("Comment saisir une commande ?", 0, page(("", intro), ("Suite", STEPS)))
    assert found.text.split("\n")[1].startswith("1. Ouvrez Ventes > Commandes")


def test_steps_answer_how_before_prose_that_holds_as_many_of_its_words():
    told = ("Copie", "Cliquez pour refaire la commande. Choisissez de refaire la commande du jour.")
    found = extract("Comment refaire ma commande ?", 0, page(told, ("Refaire pas à pas", STEPS)))
    assert found.text.split("\n")[1].startswith("1. Ouvrez Ventes > Commandes")


@pytest.mark.parametrize(
    ("question", "shown"),
    [
        ("J'ai perdu ma clé", "1. Cliquez sur Clé perdue.\n2. Saisissez votre adresse."),
        ("I lost my key", "1. Cliquez sur Clé perdue.\n2. Saisissez votre adresse."),
    ],
)
def test_who_tells_what_troubles_is_shown_all_that_is_to_be_done(question, shown):
    steps = "1. Cliquez sur Clé perdue.\n2. Saisissez votre adresse."
    assert extract(question, 0, page(("Clé perdue", steps))).text == f"Clé perdue\n{shown} [1]"


def test_how_is_answered_by_a_whole_list_where_there_are_no_steps():
    items = "- Pour une facture : mettez en litige.\n- Pour tous : choisissez Pause générale."
    found = extract("Comment suspendre une facture ?", 0, page(("Suspendre", items)))
    assert found.text == f"Suspendre\n{items} [1]"


@pytest.mark.parametrize(
    "after", ["=SOMME(plage)", "- le nom\n- le code", "SOMME additionne la plage donnée."]
)
def test_a_lead_in_is_shown_with_what_it_announces(after):
    text = f"La fonction SOMME a la syntaxe suivante :\n{after}"
    found = extract("Quelle est la syntaxe de la fonction SOMME ?", 0, page(("Fonctions", text)))
    assert found.text == f"Fonctions\n{text} [1]"


def test_a_lead_in_that_nothing_follows_is_left_out():
    text = "La fonction SOMME additionne une plage. La fonction SOMME a la syntaxe suivante :"
    found = extract("Que fait la fonction SOMME ?", 0, page(("Fonctions", text)))
    assert found.text == "Fonctions\nLa fonction SOMME additionne une plage. [1]"


@pytest.mark.parametrize(
    "sending",
    [
        "Reportez-vous également à l'export du bilan annuel.",
        "Voir aussi l'export du bilan annuel.",
        "Pour plus d'informations sur l'export du bilan annuel, lisez le guide.",
        "See also export du bilan annuel.",
    ],
)
@pytest.mark.parametrize("question", ["L'export du bilan annuel ?", "Comment l'exporter ?"])
def test_a_sentence_that_sends_elsewhere_is_never_the_answer(sending, question):
    chunks = page(("Bilan", f"Le bilan se garde dix ans. {sending}"))
    assert extract(question, 0, chunks).text == "Bilan\nLe bilan se garde dix ans. [1]"


@pytest.mark.parametrize("best", [0, 1])
def test_the_pieces_of_a_list_are_shown_as_one(best):
    first = "Pour finir :\n1. Ouvrez le menu.\n2. Choisissez le mois."
    second = "Pour finir :\n3. Cliquez sur Clore."
    chunks = page(("Clore", first), ("Clore", second))
    assert (
        extract("Comment clore ?", best, chunks).text
        == f"Clore\n{first}\n3. Cliquez sur Clore. [1]"
    )


def test_a_list_that_is_too_long_is_shown_from_its_first_step_and_says_what_is_left():
    steps = [f"{n}. {'Cochez la case du client. ' * 5}".strip() for n in range(1, 21)]
    found = extract("Comment cocher ?", 0, page(("Cocher", "\n".join(steps))))
    shown = found.text.removesuffix(" [1]").split("\n")[1:]
    assert 1 < len(shown) < 20
    assert shown == steps[: len(shown)]
    assert len("\n".join(shown)) <= LONGEST
    assert found.more == More(20 - len(shown), "steps", "/")


def test_what_does_not_fit_is_said_and_what_was_not_asked_for_is_not():
    told = "\n".join(f"Le cas {n} est à part : {'mot ' * 60}fin." for n in range(12))
    chunks = page(("Cocher", f"Cochez la case.\n{told}"))
    found = extract("Comment cocher la case ?", 0, chunks)
    shown = found.text.count("Le cas")
    assert found.text.startswith("Cocher\nCochez la case.")
    assert found.more == More(12 - shown, "paragraphs", "/")
    assert extract("Combien de lignes au plus ?", 1).more is None
    assert extract("Comment saisir une commande ?").more is None


def test_what_is_done_on_a_screen_is_shown_with_the_way_to_it_and_a_source_each():
    way = "Pour accéder à cette commande...\nChoisissez Fichier - Enregistrer sous."
    told = "Protège le fichier : il faut le saisir pour ouvrir le document."
    chunks = page(("", f"Enregistre le document.\n{way}"), ("Avec mot de passe", told))
    found = extract("mettre un mot de passe", 1, chunks)
    assert found.text == f"Avec mot de passe\n{told} [1]\n{way} [2]"
    assert [hit.chunk for hit in found.hits] == [chunks[1], chunks[0]]


def test_both_halves_of_a_question_are_shown_with_a_source_each():
    chunks = page(
        (
            "Lancer la capture",
            f"1. Appuyez sur Impr.\n2. Choisissez Vidéo.\n3. {'Cadrez la zone. ' * 20}",
        ),
        ("Réglages", "Le pointeur se cache."),
        ("Arrêter la capture", "Cliquez sur le voyant rouge pour arrêter."),
    )
    found = extract("capture : lancer et arrêter", 0, chunks)
    assert "Choisissez Vidéo" in found.text
    assert "voyant rouge" in found.text
    assert [hit.chunk for hit in found.hits] == [chunks[0], chunks[2]]


def test_a_code_asks_for_the_rows_that_hold_it():
    chunks = page(("Codes", "Code | Sens\n### | Trop étroit\n502 | Argument faux\n503 | Virgule"))
    assert extract("j'ai ### dans ma case", 0, chunks).text == (
        "Codes\nCode | Sens\n### | Trop étroit [1]"
    )
    assert "503 | Virgule" in extract("ça veut dire quoi err 503", 0, chunks).text


def test_what_a_paragraph_opens_with_tells_it_from_the_others():
    told = (
        "Linux. Placez le fichier de la police dans le dossier des polices. "
        + "Le programme la trouve. " * 40
        + "\nWindows. Faites glisser le fichier dans le dossier des polices. "
        + "Le programme la trouve. " * 40
    )
    found = extract("installer une police sous windows", 0, page(("", told)))
    assert found.text.startswith("Windows. Faites glisser")


def test_the_remedy_is_shown_and_not_the_symptom_alone():
    told = "Le curseur tourne et la fenêtre ne répond plus.\n"
    remedy = "Remède : patientez, ou réduisez la sélection."
    found = extract("la fenêtre ne répond plus", 0, page(("", told + remedy)))
    assert remedy in found.text


def test_captions_of_pictures_are_not_shown():
    text = "Figure 3.2. Le clore\nOuvrez Mois > Clore. La période est alors close."
    assert extract("Comment clore ?", 0, page(("Clore", text))).text.startswith("Clore\nOuvrez")


def test_without_its_page_the_best_chunk_alone_answers():
    hit = Hit(CHUNKS[4], 1.0, 1)
    for chunks in ([], CHUNKS[:2]):
        found = extract_answer(read_question("Où est le rapport ?"), [hit], chunks)
        assert "Ventes > Outils > Bilan" in found.text
        assert found.hits == (hit,)


@pytest.mark.parametrize("text", ["", "\n", "mot", "a | b", "1. ", "- ", "x" * 5000])
def test_any_text_gives_an_extract(text):
    assert extract("Comment faire ?", 0, page(("Titre", text))).text.endswith("[1]")


@pytest.mark.parametrize("question", ["", "?", "comment", "où", "a" * 500, "Combien ?", "42"])
@pytest.mark.parametrize("best", range(len(CHUNKS)))
def test_any_question_gives_units_of_the_page_within_the_limit(question, best):
    found = re.sub(r" \[\d\]$", "", extract(question, best).text, flags=re.MULTILINE)
    assert found
    assert len(found) <= LONGEST + 3 * max(len(chunk.heading) + 1 for chunk in CHUNKS)
    told = "\n".join(f"{chunk.heading}\n{chunk.text}" for chunk in CHUNKS)
    assert all(part in told for line in found.split("\n") for part in line.split(". "))


def test_a_long_page_is_read_around_what_was_found():
    source = random.Random(1)
    names = [f"mot{n}" for n in range(3_000)]
    filler = [(f"Partie {n}", " ".join(source.choices(names, k=80)) + ".") for n in range(60)]
    chunks = page(*filler, ("Suivre", REPORT))
    assert "Ventes > Outils > Bilan" in extract("Où est le rapport ?", 60, chunks).text
    one = page(*(("Tout", text) for _, text in filler), ("Tout", REPORT))
    assert "Ventes > Outils > Bilan" in extract("Où est le rapport ?", 60, one).text


def test_prose_that_explains_how_is_shown_from_its_beginning():
    text = "Ouvrez la fiche. " + "Cochez ensuite la case voulue. " * 40
    found = extract("Comment cocher la case ?", 0, page(("Cocher", text.strip()))).text
    assert found.startswith("Cocher\nOuvrez la fiche.")
    assert len(found) <= LONGEST + len("Cocher\n [1]")


@pytest.mark.parametrize(
    ("question", "how"),
    [
        ("Comment créer un client ?", True),
        ("créer un client", True),
        ("crée un client", True),
        ("vendre au caveau", True),
        ("How do I add a user?", True),
        ("add a user", True),
        ("How long is a quote valid?", False),
        ("Pourquoi le bouton est-il gris ?", False),
        ("Facture électronique obligatoire ?", False),
        ("Où est le menu ?", False),
        ("Peut-on annuler ?", False),
        ("Quel est le délai ?", False),
    ],
)
def test_only_questions_about_what_to_do_ask_how(question, how):
    assert intent.intent_of(question).how is how


@pytest.mark.parametrize(
    ("question", "text", "other"),
    [
        ("Quel est le délai ?", "Comptez 14 jours.", "La limite est de 30 kg."),
        ("How long is it valid?", "Valable 60 minutes.", "Il coûte 3 €."),
        ("Quel prix ?", "Il en coûte 120 € HT.", "Comptez 14 jours."),
        ("Quelle est la date limite ?", "Au plus tard le 10 du mois suivant.", "Page 3."),
        ("Quel poids ?", "La limite est de 30 kg.", "Comptez 14 jours."),
        ("Quelle taille ?", "Imprimez à 12 × 12 mm.", "Comptez 14 jours."),
        ("Quel taux ?", "Le taux est de 20 %.", "Il en coûte 120 €."),
        ("Combien de lots ?", "Vous en tenez 25.", "Message E-120."),
        ("Où régler cela ?", "Dans Ventes > Tarifs.", "Ailleurs."),
        ("Pourquoi est-il gris ?", "Il est gris car le mois est clos.", "Il est gris."),
        ("Peut-on annuler ?", "C'est impossible.", "Cliquez sur Annuler."),
        ("Qu'est-ce qu'un lot ?", "Un lot est un volume.", "Un client est une personne."),
        ("Comment clore ?", "Cliquez sur Clore.", "Le mois est clos."),
    ],
)
def test_what_gives_the_kind_of_thing_asked_for_is_told_from_what_does_not(question, text, other):
    def defines(told: str) -> float:
        return float("lot" in subject(told))

    kind = intent.intent_of(question).answer_type
    gives = defines if kind == "definition" else giving(kind)
    assert gives(text) > gives(other)


def test_no_pattern_finds_what_its_cues_do_not_announce():
    folder = Path(__file__).parents[1] / "quality"
    lines = [
        line for name in ("questions", "extracts") for line in _lines(folder / f"{name}.jsonl")
    ]
    questions = [json.loads(line)["question"] for line in lines]
    questions += ["DATE LİMITE ?", "ſeuil", "Défınir un lot", "Qu'appelle-t-on un lot ?"]
    for question in questions:
        found = [(kind, pattern.search(question)) for kind, pattern in intent.ASKING]
        assert intent._found(question) == [(kind, one.group()) for kind, one in found if one]


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()
