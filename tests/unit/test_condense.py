"""A chunk is condensed to units of its own that bear on the question, within the limit."""

from __future__ import annotations

import random

import pytest

from rag.extraction.condense import condense, cut
from rag.language.sentences import joined, sentences, split_units, with_heads
from rag.question import read_question

STEPS = "\n".join(
    [
        "Pour créer un client :",
        "1. Ouvrez Ventes > Clients > Nouveau.",
        "2. Saisissez le nom et l'adresse.",
        "3. Choisissez le tarif.",
        "4. Joignez le relevé bancaire au format PDF.",
        "5. Cliquez sur Enregistrer.",
        "Le client reçoit un courriel. Il peut alors commander.",
    ]
)
TABLE = "\n".join(
    [
        "Code | Sens | Remède",
        *(f"E-{n} | Cause numéro {n} | Remède numéro {n}" for n in range(700, 730)),
    ]
)
PROSE = (
    "Le bon accompagne la marchandise. Il est numéroté par année. Le rapport se trouve dans"
    " Factures > Outils > Continuité. La garde coûte 1,5 € par caisse et par mois. Sinon, elle est"
    " gratuite. Les photos sont admises (JPG, PNG. 5 Mo au plus) et jointes au dossier."
)
WORDS = (
    "client facture stock cave lot Ventes > Clients prix 12 € délai « Trop tard. Voyez » .".split()
)


def made_up(random_source: random.Random) -> str:
    """Return a text of paragraphs, lists, tables and code, as the chunker could write it."""

    def some(count: int) -> str:
        words = " ".join(random_source.choices(WORDS, k=count))
        return words + random_source.choice([".", "!", " ?"])

    lines: list[str] = []
    for _ in range(random_source.randint(1, 6)):
        size = random_source.randint(1, 7)
        kind = random_source.choice(["prose", "steps", "items", "table", "code"])
        if kind == "prose":
            told = (some(random_source.randint(1, 12)).capitalize() for _ in range(size))
            lines.append(" ".join(told))
            continue
        if random_source.random() < 0.5:
            lines.append(some(3) + " :")
        starts = {"steps": "{}. ", "items": "- ", "table": "a{} | ", "code": "    x{} = "}
        lines.extend(starts[kind].format(n) + some(4) for n in range(1, size + 1))
    return "\n".join(lines)


def squeezed(text: str) -> str:
    return "".join(text.split())


def is_made_of(kept: str, text: str) -> bool:
    """Say whether units of a text, some left out, make what is kept."""
    rest = squeezed(kept)
    reached = {0}
    for part in (squeezed(unit.text) for unit in split_units(text)):
        reached |= {place + len(part) for place in reached if rest.startswith(part, place)}
    return len(rest) in reached


@pytest.mark.parametrize("seed", range(300))
def test_what_is_kept_is_units_of_the_text_in_order_within_the_limit(seed):
    random_source = random.Random(seed)
    text = made_up(random_source)
    longest = random_source.randint(3, 500)
    question = "Quel est le délai de la facture du client ?"
    kept = condense(text, read_question(question), "fr", longest)
    assert kept
    assert len(kept) <= longest
    assert kept == condense(text, read_question(question), "fr", longest)
    if len(text) > longest and not kept.endswith("…"):
        assert is_made_of(kept, text)


@pytest.mark.parametrize("seed", range(100))
def test_no_unit_of_a_text_is_lost_or_changed(seed):
    text = made_up(random.Random(seed))
    units = split_units(text)
    assert squeezed(joined(units, range(len(units)))) == squeezed(text)


def test_a_text_that_fits_is_returned_as_it_is():
    assert condense(STEPS, read_question("Comment créer un client ?"), "fr", len(STEPS)) == STEPS


def test_steps_keep_their_numbers_their_lead_in_and_their_beginning():
    kept = condense(STEPS, read_question("Comment créer un client ?"), "fr", 130)
    assert kept.split("\n")[:3] == STEPS.split("\n")[:3]
    assert "Enregistrer" not in kept


def test_a_question_about_a_later_step_gets_it():
    kept = condense(STEPS, read_question("relevé bancaire PDF"), "fr", 80)
    assert kept == "Pour créer un client :\n4. Joignez le relevé bancaire au format PDF."


def test_no_step_is_left_out_before_one_that_is_no_better_than_the_first():
    text = f"1. Ouvrez le relevé.\n2. {'Attendez la fin. ' * 9}\n3. Joignez le relevé au dossier."
    assert condense(text, read_question("Où est le relevé ?"), "fr", 80) == "1. Ouvrez le relevé."


def test_a_row_comes_with_its_header():
    kept = condense(TABLE, read_question("Que veut dire E-717 ?"), "fr", 80)
    row = "E-717 | Cause numéro 717 | Remède numéro 717"
    assert kept.split("\n") == ["Code | Sens | Remède", row]


def test_the_sentence_with_the_questions_words_is_kept_with_its_menu_path():
    kept = condense(PROSE, read_question("Où est le rapport de continuité ?"), "fr", 100)
    assert "Le rapport se trouve dans Factures > Outils > Continuité." in kept


def test_a_sentence_that_leans_on_another_comes_with_it():
    units = split_units(PROSE)
    assert with_heads(units, 4) == {3, 4}
    kept = condense(PROSE, read_question("Est-elle gratuite ?"), "fr", 75)
    assert kept == "La garde coûte 1,5 € par caisse et par mois. Sinon, elle est gratuite."


def test_without_any_shared_word_the_beginning_is_kept():
    question = read_question("How do I print labels?")
    assert condense(PROSE, question, "fr", 70).startswith("Le bon accompagne")


def test_an_english_text_is_read_in_english():
    text = "Labels are printed at night. Invoices are archived for ten years. Users get a mail."
    kept = condense(text, read_question("archive an invoice"), "en", 45)
    assert kept == "Invoices are archived for ten years."


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("Cliquez sur « Trop tard. Voyez » puis fermez. Ensuite, sortez.", 2),
        ("Voyez M. Dupont, p. 12. Il sait. Non.", 3),
        ("Joignez un fichier (PDF. 5 Mo au plus) ici.", 1),
        ("Réservez par ? > Prendre rendez-vous. C'est gratuit !", 2),
        ("Le taux est de 1.5 % depuis la version 2.1.4 du logiciel.", 1),
        ("Une parenthèse ( jamais fermée. Deux phrases.", 2),
    ],
)
def test_sentences_end_where_a_reader_sees_an_end(line, count):
    assert len(sentences(line)) == count


def test_steps_go_on_after_a_note_between_them():
    units = split_units("1. Un.\n2. Deux.\nAttention, c'est long.\n3. Trois.")
    assert [unit.first for unit in units if unit.kind == "step"] == [0, 0, 0]


def test_lines_of_code_are_never_cut_or_joined():
    code = 'curl https://api.example/v2 \\\n  -H "Accept: A. B"\n{\n  "a": "Fin. Début"\n}'
    assert "\n".join(unit.text for unit in split_units(code)) == code


def test_what_is_nested_stays_with_its_item():
    units = split_units("1. Un\n   - a\n   - b\n2. Deux")
    assert [unit.text for unit in units] == ["1. Un\n   - a\n   - b", "2. Deux"]


@pytest.mark.parametrize("longest", range(3, 60))
def test_a_last_resort_cut_ends_at_a_word_and_not_before_a_path_goes_on(longest):
    text = "Ouvrez le menu Ventes > Clients > Nouveau client puis cliquez"
    end = cut(text, longest)
    assert len(end) <= longest
    assert end.endswith("…") and not end.removesuffix(" …").endswith(">")
