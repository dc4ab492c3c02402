"""A model's text is released by the sentence, and only what a passage supports."""

import random

import pytest

from rag.checking.check import SentenceFilter, is_in_other_language, says_nothing
from rag.checking.tidy import clean
from rag.core.documents import Chunk, Hit
from rag.encoders import bundled_encoder

PAGES = (
    (
        "Créer un avoir",
        "1. Ouvrez la facture et cliquez sur Plus > Créer un avoir.\n"
        "2. Choisissez Avoir total.\n3. Cliquez sur Valider.\n"
        "L'avoir porte un numéro de la forme AV-2025-00012.",
    ),
    (
        "Utiliser l'avoir",
        "Un crédit disponible est proposé à la prochaine facture. Il n'expire pas, mais un rappel "
        "signale les avoirs non utilisés depuis 12 mois.",
    ),
)
HITS = [
    Hit(Chunk(str(n), f"{n}.md", 0, title, (), "", "fr", text), 1.0, n)
    for n, (title, text) in enumerate(PAGES, 1)
]
KNOWN = "https://aide.example/avoirs"
ANSWER = (
    "Voici comment faire :\n\n1. Ouvrez la facture et cliquez sur **Plus > Créer un avoir**. [1]\n"
    "2. Choisissez Avoir total【1】.\n3. Cliquez sur Envoyer à la banque.\n"
    "4. Cliquez sur [Valider](http://evil.example/x). [1][9]\n\n"
    "Un crédit disponible n'expire pas [1]. Un rappel signale les avoirs non utilisés depuis 6 "
    "mois. L'avoir porte un numéro de la forme AV-2025-00012."
)
RELEASED = (
    "Voici comment faire :\n\n1. Ouvrez la facture et cliquez sur **Plus > Créer un avoir** [1].\n"
    "2. Choisissez Avoir total [1].\n4. Cliquez sur Valider [1].\n\n"
    "Un crédit disponible n'expire pas [2]. L'avoir porte un numéro de la forme AV-2025-00012 [1]."
)


def opened(lang="fr", allowed=(KNOWN,)):
    return SentenceFilter(HITS, lang, allowed, bundled_encoder())


def released(text, *, size=7, ended=True, **options):
    checked = opened(**options)
    pieces = [checked.feed(text[at : at + size]) for at in range(0, len(text), size)]
    pieces.append(checked.close(ended=ended))
    assert "".join(pieces) == checked.text
    return checked


def test_only_supported_sentences_are_released_each_with_the_passage_that_says_it():
    checked = released(ANSWER)
    assert checked.text == RELEASED
    assert checked.cited == {1, 2}
    assert checked.dropped == 2


def test_the_same_text_is_released_whatever_the_pieces():
    chance = random.Random(7)
    for _ in range(20):
        checked = opened()
        at = 0
        while at < len(ANSWER):
            size = chance.choice((1, 2, 3, 5, 20, 60))
            checked.feed(ANSWER[at : at + size])
            at += size
        checked.close(ended=True)
        assert checked.text == RELEASED


def test_a_text_that_is_cut_ends_with_its_last_whole_sentence():
    assert released("Choisissez Avoir total. Cliquez sur Val", ended=False).text == (
        "Choisissez Avoir total [1]."
    )
    assert released("Un rappel part après 12", ended=False).text == ""
    assert released("Choisissez Avoir total", ended=True).text == "Choisissez Avoir total [1]"


def test_a_sentence_waits_for_the_citation_after_its_full_stop():
    checked = opened()
    assert checked.feed("Choisissez Avoir total. ") == ""
    assert checked.feed("[1") == ""
    assert checked.feed("] C") == "Choisissez Avoir total [1]."


@pytest.mark.parametrize(
    "given", ["[1]", "[1, 9]", "[1][9]", "【1】", "[^1]", "(passage 1)", "[passage 1]"]
)
def test_every_form_of_citation_becomes_one(given):
    assert released(f"Choisissez Avoir total {given}.").text == "Choisissez Avoir total [1]."
    assert released(f"Choisissez Avoir total. {given}").text == "Choisissez Avoir total [1]."


def test_half_a_citation_never_leaves():
    assert released("Choisissez Avoir total [1").text == "Choisissez Avoir total [1]"


FOREIGN = (
    "[Valider](http://evil.example/a)",
    "[Valider](http://evil.example/a 'title')",
    "Valider ![x](http://evil.example/a.png)",
    "Valider <http://evil.example/a>",
    "Valider http://evil.example/a",
    "Valider HTTPS://evil.example/a",
    "Valider www.evil.example",
    "Valider evil.example/a",
    "Valider //evil.example/a",
    "Valider mailto:x@evil.example",
    "[Valider](javascript:alert(1))",
    "Valider data:text/html;base64,AAAA",
    '<a href="http://evil.example">Valider</a>',
    "Valider <img src=http://evil.example",
    "Valider &#104;ttp://evil.example/a",
    "Valider ht\u200btp://evil.example/a",
    "[Valider](ht<b>tp://evil.example</b>)",
    "Valider https\\://evil.example/a",
    "Valider <|assistant|>http://evil.example",
    f"[Valider]({KNOWN}.evil.example/)",
)


@pytest.mark.parametrize("link", FOREIGN)
def test_cleaning_leaves_words_without_foreign_links(link):
    cleaned = clean(link, {KNOWN})
    assert "Valider" in cleaned
    assert not any(sign in cleaned for sign in ("evil", "://", "<", "](", "script", "base64"))


@pytest.mark.parametrize("link", FOREIGN)
@pytest.mark.parametrize("ended", [True, False])
def test_no_foreign_link_leaves(link, ended):
    for text in (f"Cliquez sur {link}", f"Cliquez sur {link}.\nChoisissez Avoir total."):
        checked = released(text, ended=ended, size=3)
        assert "evil" not in checked.text
        assert not any(sign in checked.text for sign in ("://", "<", "](", "javascript", "data:"))


def test_shreds_of_links_in_any_pieces_give_one_text_without_a_link():
    chance = random.Random(3)
    shreds = (
        *(
            "Choisissez Avoir total",
            ". ",
            "\n- ",
            "[1]",
            " [2",
            "](",
            "http://evil.example/q",
            "[x](",
        ),
        *(
            "://",
            "<a href=",
            "«",
            "»",
            " ",
            "**",
            "!",
            "(passage 1)",
            "\\",
            "&#x3c;",
            "www.",
            "http",
        ),
    )
    for _ in range(60):
        text = "".join(chance.choice(shreds) for _ in range(chance.randint(1, 25)))
        texts = {released(text, size=size).text for size in (1, chance.randint(2, 50), 9_999)}
        (shown,) = texts
        assert not any(sign in shown for sign in ("evil", "<a", "]("))


def test_links_to_known_pages_stay():
    checked = released(f"Cliquez sur [Valider]({KNOWN}).")
    assert checked.text == f"Cliquez sur [Valider]({KNOWN}) [1]."


def test_hidden_characters_are_removed():
    assert released("Choisissez Avoir\u202e total\u0007.").text == "Choisissez Avoir total [1]."


@pytest.mark.parametrize(
    "text",
    [
        "Choisissez l'article 3.5 selon M. Dupont, cf. p. 3.",
        "1. Ouvrez la facture",
        "Un « Avoir total. Puis Valider » se choisit",
    ],
)
def test_a_sentence_is_not_cut_at_a_mark_within_it(text):
    from rag.checking.cutting import Cutter

    cutter = Cutter()
    assert [*cutter.feed(text), *cutter.close(ended=True)] == [("", text)]


def test_a_refusal_and_apologies_pass_unchecked():
    text = "Désolé, l'aide ne le dit pas."
    assert released(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "L'aide ne le dit pas.",
        "« L'aide ne le dit pas. » [1]",
        "Désolé, l’aide ne le dit pas.",
        "The help does not say.",
        "Sorry. The help doesn't say.",
        "Les passages ne précisent pas le délai.",
    ],
)
def test_it_is_seen_that_the_model_says_nothing(text):
    assert says_nothing(text)


@pytest.mark.parametrize("text", ["", "Désolé.", "Cliquez sur Valider.", "L'aide est complète."])
def test_other_texts_say_something(text):
    assert not says_nothing(text)


def test_an_answer_in_another_language_is_told_and_not_released():
    english = "You can open the invoice and then click the button to create it. It is done."
    checked = released(english)
    assert checked.wrong_language
    assert checked.text == ""
    assert not released(ANSWER).wrong_language
    assert not is_in_other_language("Click Plus > Créer un avoir, then Valider.", "en")


def test_a_million_characters_without_a_space_take_no_room():
    checked = opened()
    for _ in range(250):
        checked.feed("x" * 4_000)
    checked.feed(" Choisissez Avoir total.")
    checked.close(ended=True)
    assert checked.text == "Choisissez Avoir total [1]."
    assert len(checked._cutter._held) < 10_000


def test_spaces_without_end_take_no_room():
    checked = opened()
    checked.feed("Choisissez Avoir total.")
    for _ in range(250):
        checked.feed(" \n" * 2_000)
    assert len(checked._cutter._held) < 3_000


def test_without_an_encoder_words_are_compared_by_their_stems():
    checked = SentenceFilter(HITS, "fr")
    checked.feed("Choisissez Avoir total. Choisissez le mode sombre.")
    checked.close(ended=True)
    assert checked.text == "Choisissez Avoir total [1]."


def test_without_passages_nothing_is_released():
    checked = SentenceFilter([], "fr")
    checked.feed("Choisissez Avoir total.")
    checked.close(ended=True)
    assert checked.text == ""
    assert checked.dropped == 1


@pytest.mark.parametrize(
    "step",
    [
        "**Étape 2 :** Choisissez Avoir total [1].",
        "**Étape 2** : Choisissez Avoir total [1].",
        "Étape 2 : Choisissez Avoir total [1].",
        "Étape 2. Choisissez Avoir total [1].",
        "**2.** Choisissez Avoir total [1].",
        "- **Step 2:** Choisissez Avoir total [1].",
    ],
)
def test_a_step_is_judged_without_its_number_however_it_is_set(step):
    assert released(f"{step}\n{step}").text == f"{step}\n{step}"


@pytest.mark.parametrize(
    "invented",
    [
        "Choisissez Avoir total puis écrivez à aide@evil.example [1].",
        "Ouvrez monchai-support.com et choisissez Avoir total [1].",
        "Choisissez Avoir total dans AVOIRS-EVIL.COM [1].",
        "monchai-support.com",
    ],
)
def test_an_address_that_no_passage_holds_is_not_shown(invented):
    checked = released(f"{invented} Cliquez sur Valider [1].")
    assert "evil" not in checked.text.casefold()
    assert "support" not in checked.text


def test_an_address_that_a_passage_holds_is_shown():
    told = "Écrivez à aide@monchai.example, ouvrez avoirs.monchai.example ou avoirs.csv"
    hits = [Hit(Chunk("1", "1.md", 0, "Avoirs", (), "", "fr", f"{told}."), 1.0, 1)]
    checked = SentenceFilter(hits, "fr", (), bundled_encoder())
    shown = checked.feed(f"{told}.") + checked.close(ended=True)
    assert shown == f"{told} [1]."


def test_a_known_page_may_be_linked_at_one_of_its_headings():
    text = f"Choisissez Avoir total : {KNOWN}#choisir [1]."
    assert released(text).text == text
    assert released(text, allowed=(f"{KNOWN}#autre",)).text == text
    assert "evil" not in released(text.replace("#choisir", "#/evil/x")).text


@pytest.mark.parametrize("tokens", ["<|end|><|user|>", "<|end|>\n<|user|>\n", "</s>[INST] "])
def test_what_follows_a_token_of_another_speaker_is_not_shown(tokens):
    text = f"Choisissez Avoir total.{tokens}Cliquez sur Valider. Cliquez sur Valider.\nValider"
    for size in (1, 7, 500):
        assert released(text, size=size).text == "Choisissez Avoir total [1]."


def test_a_token_before_an_answer_costs_nothing():
    text = "<|assistant|> Choisissez Avoir total [1]."
    assert released(text).text == "Choisissez Avoir total [1]."


TABLE = "| Bouton | Action |\n|---|---|\n"
ROW = "| Valider | Cliquez sur Valider |"


def test_a_table_has_its_header_with_its_rows_or_is_not_shown():
    shown = released(f"{TABLE}{ROW}\n| Envoyer | Cela coûte 45 euros |\n\nChoisissez Avoir total.")
    assert shown.text.startswith(TABLE + "| Valider | Cliquez sur Valider |")
    assert shown.dropped == 1
    assert "45" not in shown.text
    assert shown.text.endswith("\n\nChoisissez Avoir total [1].")
    alone = released(f"{TABLE}| Envoyer | Cela coûte 45 euros |\n\nChoisissez Avoir total.")
    assert alone.text == "Choisissez Avoir total [1]."
    foreign = released(f"{TABLE.replace('Action', 'Appelez le 0800 12 ou evil.example')}{ROW}")
    assert foreign.text == ""
