"""What asks nothing of the pages is replied to, never searched for; what asks is never talk."""

import asyncio
import json
from pathlib import Path

import pytest

from indexer.pipeline import run
from rag.api import open_assistant
from rag.config.settings import Settings
from rag.core.answers import Answer
from rag.core.errors import ConfigError
from rag.encoders import bundled_encoder
from rag.language import profiles
from rag.question.small_talk import read_replies, small_talk_of
from rag.stores.sqlite import SqliteStore

# said in other words than in the languages' files, or drawn out
SAID = {
    "thanks": [
        "Merci beaucoup pour votre aide !!!",
        "merciii",
        "super, merci beaucoup",
        "thank u so much",
    ],
    "greeting": ["Bonjour,", "salut ça va ?", "hello hello"],
    "presence": ["allo y a quelqu'un ?", "hello is anybody there??"],
    "goodbye": ["bonne journée à vous", "ok bye"],
    "complaint": ["Vous n'avez rien compris à ma question", "that is not what I asked!"],
    "insult": ["espèce de robot stupide", "you stupid bot"],
    "machine": ["es-tu une vraie personne ou un robot ?", "am I talking to a robot or a human"],
    "person": ["je voudrais parler à une personne svp", "can I speak to someone please"],
    "hours": ["à quelle heure vous fermez ?", "what time do you close today"],
    "prices": ["combien ça coûte par mois", "how much is the subscription?"],
}
ASKED = [
    "ou est claire", "ça marche pas !", "merci de me dire comment créer un client",
    "bonjour, où est le bouton Exporter ?",
    "comment contacter un client", "à quelle heure part la synchronisation ?", "pourquoi ?", "non",
    "l'imprimante ne répond pas", "quel est le prix d'une cuvée", "it doesn't work now",
    "how do I call my customer",
    "Comment dire merci à un client par courriel", "je veux parler de la TVA",
    "le robot de traite est en panne",
]  # fmt: skip
QUALITY = Path(__file__).parents[1] / "quality"


@pytest.mark.parametrize(
    ("kind", "text"), [(k, text) for k, texts in SAID.items() for text in texts]
)
def test_small_talk_is_known_in_other_words(kind, text):
    found = small_talk_of(text)
    assert found, text
    assert found.kind == kind


@pytest.mark.parametrize("text", ASKED)
def test_what_asks_is_no_small_talk(text):
    assert small_talk_of(text) is None


def test_no_question_of_the_sets_is_small_talk_but_those_that_pages_may_answer():
    rows = [
        json.loads(line)
        for name in ("questions", "cache_pairs", "extracts", "ambiguous")
        for line in (QUALITY / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]
    keys = ("question", "a", "b", "first", "second", "kept", "asked")
    questions = {row[key] for row in rows for key in keys if isinstance(row.get(key), str)}
    assert len(questions) > 1_000
    found = {question: small_talk_of(question) for question in questions}
    assert not {question: one for question, one in found.items() if one and not one.searched}


def test_every_kind_has_a_reply_in_every_language():
    for one in profiles.every():
        said = set(one.texts("small_talk.said")) - {"none"}
        assert set(one.texts("small_talk.replies")) == said


@pytest.fixture
def settings(tmp_path: Path, corpus_folder: Path) -> Settings:
    pages = tmp_path / "pages"
    pages.mkdir()
    for name in ("clients/creer-un-client.md", "factures/creer-une-facture.md"):
        (pages / Path(name).name).write_text((corpus_folder / name).read_text("utf-8"), "utf-8")
    data = tmp_path / "data"
    settings = Settings(data_dir=data, cache_enabled=False)
    run([pages], SqliteStore(data / "index.sqlite3"), bundled_encoder())
    return settings


def asked(settings: Settings, *questions: str) -> list[Answer]:
    async def ask() -> list[Answer]:
        assistant = open_assistant(settings, use_model=False)
        try:
            return [await assistant.answer(one, conversation_id="c" * 20) for one in questions]
        finally:
            await assistant.close()

    return asyncio.run(ask())


def test_small_talk_quotes_no_page_and_is_no_gap(settings):
    thanks, person, hours = asked(
        settings, "merci !", "parler à quelqu'un", "quels sont vos horaires"
    )
    assert [one.talk for one in (thanks, person, hours)] == ["thanks", "person", "hours"]
    for one in (thanks, person, hours):
        assert one.answered
        assert not one.sources
        assert not one.degraded
        assert len(one.text) < 250


def test_pages_that_answer_come_before_the_reply(settings, tmp_path):
    page = tmp_path / "pages" / "support.md"
    page.write_text(
        "# Contacter le support\n\nÉcrivez à l'assistance par le menu **Aide > Contact**.\n",
        "utf-8",
    )
    run([page.parent], SqliteStore(settings.data_dir / "index.sqlite3"), bundled_encoder())
    (answer,) = asked(settings, "contacter le support")
    assert answer.talk is None
    assert answer.page_effective == "support.md"


def test_small_talk_is_no_topic_of_the_conversation(settings):
    alone = asked(settings, "Comment créer un client ?", "et pour une facture ?")[-1]
    after = asked(settings, "Comment créer un client ?", "merci !", "et pour une facture ?")[-1]
    assert after.text == alone.text
    assert after.page_effective == "creer-une-facture.md"


def test_a_site_sets_its_own_replies(settings, tmp_path):
    own = tmp_path / "replies.toml"
    own.write_text('[fr]\nthanks = "À votre service, l’équipe du domaine."\n', "utf-8")
    (answer,) = asked(settings.model_copy(update={"small_talk": own}), "merci")
    assert answer.text == "À votre service, l’équipe du domaine."


@pytest.mark.parametrize(
    "text", ["[fr]\nthank = 'x'\n", "thanks = 'x'\n", "[fr]\nthanks = 3\n", "[fr"]
)
def test_replies_that_cannot_be_read_name_the_file(tmp_path, text):
    own = tmp_path / "replies.toml"
    own.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=r"HELP_SMALL_TALK: .*replies\.toml"):
        read_replies(own)


def test_a_missing_file_of_replies_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_replies(tmp_path / "none.toml")
