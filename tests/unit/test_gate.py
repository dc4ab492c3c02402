"""How sure it is that the pages answer, and what is said where it is not."""

import asyncio
from pathlib import Path

import pytest

from indexer.pipeline import run
from rag import gate
from rag.api import open_assistant
from rag.config.settings import Settings
from rag.core.answers import Answer
from rag.encoders import bundled_encoder
from rag.language.messages import message
from rag.ranking import Evidence
from rag.stores.sqlite import SqliteStore

PAGE = "# Créer un client\n\nOuvrez le menu Clients, puis cliquez sur Nouveau.\n"
OTHER = "# Imprimer une facture\n\nCliquez sur Imprimer en haut de la facture.\n"


@pytest.mark.parametrize(
    ("coverage", "length", "confidence"),
    [(0.9, 2, "sure"), (0.45, 2, "perhaps"), (0.1, 2, "no"), (0.9, 0, "no")],
)
def test_confidence_follows_the_evidence(coverage, length, confidence):
    evidence = Evidence(coverage=coverage, length=length)
    assert gate.confidence(evidence) == confidence
    assert gate.answers(evidence) == (confidence != "no")


def asked(folder: Path, question: str) -> Answer:
    pages = folder / "pages"
    pages.mkdir()
    (pages / "client.md").write_text(PAGE, "utf-8")
    (pages / "facture.md").write_text(OTHER, "utf-8")
    settings = Settings(data_dir=folder / "data", cache_enabled=False)
    run([pages], SqliteStore(settings.data_dir / "index.sqlite3"), bundled_encoder())

    async def ask() -> Answer:
        async with open_assistant(settings, use_model=False) as assistant:
            return await assistant.answer(question)

    return asyncio.run(ask())


def test_a_sure_answer_is_the_page_s_own_words(tmp_path):
    answer = asked(tmp_path, "Comment créer un client ?")
    assert (answer.answered, answer.confidence) == (True, "sure")
    assert message("perhaps", "fr") not in answer.text


def test_a_doubtful_answer_says_so_first_and_names_the_other_pages(tmp_path, monkeypatch):
    monkeypatch.setattr(gate, "SURE", 1.1)
    answer = asked(tmp_path, "Comment créer un client ?")
    assert (answer.answered, answer.confidence) == (True, "perhaps")
    assert answer.text.startswith(message("perhaps", "fr"))
    assert "cliquez sur Nouveau" in answer.text
    assert "- Imprimer une facture" in answer.text
    assert answer.sources[0].page == "client.md"


def test_what_no_page_says_is_told(tmp_path):
    answer = asked(tmp_path, "recette de la blanquette de veau")
    assert (answer.answered, answer.confidence) == (False, "no")
