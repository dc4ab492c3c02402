"""Answers from the cache, through the assistant, on every store."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.api import open_assistant, open_cache
from rag.cache import Request
from rag.cache.maintenance import pinned_answer
from rag.config.settings import Settings
from rag.question import read_question
from rag.stores import open_store
from tests.asking import QUESTION, SENTENCE, WRITES, Site, open_site
from tests.contract.answers import settle
from tests.pages import PAGES
from tests.scripted import END, HEAD, line

LINE = re.compile(
    r"\[INFO\] \S+ \S+ rag\.cache\.answers - Réponse récupérée du cache pour la clé:"
    r" ai_response:[0-9a-f]{5}\.\.\."
)
STOP = line(done=True, done_reason="stop")
CREATE = "clients/creer.md"


@pytest.fixture
def site(settings: Settings, tmp_path: Path) -> Iterator[Site]:
    with open_site(settings, tmp_path / "pages", WRITES) as opened:
        yield opened


def pin(site: Site, question: str, text: str, page: str) -> None:
    store = open_store(site.settings)
    records = store.pages([page], 10.0)
    store.close()
    answer = pinned_answer(text, list(records.values()))
    assert open_cache(site.settings).pin(Request(read_question(question)), answer, records, 10.0)
    settle(site.settings)


@pytest.mark.parametrize(
    "again",
    [
        QUESTION,
        "comment creer un client",
        "  COMMENT   CRÉER UN CLIENT ?!  ",
        "Bonjour, comment créer un client s'il vous plaît ? Merci !",
    ],
)
def test_an_identical_question_is_answered_without_the_model(site: Site, again: str) -> None:
    first = site.ask(QUESTION)
    assert (first.text, first.cached) == (SENTENCE, None)
    assert len(site.server.requests) == 1
    second = site.ask(again)
    assert (second.text, second.cached) == (SENTENCE, "exact")
    assert second.sources == first.sources
    assert second.retrieved == first.retrieved
    assert list(second.timings) == ["total_ms"]
    assert len(site.server.requests) == 1


def test_a_similar_question_is_answered_and_a_near_miss_is_not(site: Site) -> None:
    site.ask(QUESTION)
    settle(site.settings)
    assert site.ask("Comment faire pour créer un client ?").cached == "semantic"
    assert len(site.server.requests) == 1
    for other in ("Comment supprimer un client ?", "Pourquoi créer un client ?"):
        assert site.ask(other).cached is None
    assert site.ask("How do I create a client?").cached is None
    assert site.ask(QUESTION, "stocks/inventaire.md").cached is None


def test_a_hit_is_logged_under_the_words_of_the_guide(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site.ask(QUESTION)
    assert "du cache" not in caplog.text
    site.ask(QUESTION)
    record = next(r for r in caplog.records if "du cache" in r.getMessage())
    form = "[%(levelname)s] %(asctime)s %(name)s - %(message)s"
    assert LINE.fullmatch(logging.Formatter(form).format(record))


def test_a_changed_page_takes_its_answers_along_and_no_others(
    settings: Settings, tmp_path: Path
) -> None:
    pages = {
        f"casier-{number}.md": f"# Le casier {number}\n\nComptez le casier {number} le mardi.\n"
        for number in range(97)
    }
    counting = "Quand compter le casier 42 ?"
    with open_site(settings, tmp_path / "pages", WRITES) as site:
        site.index(pages)
        site.ask(QUESTION)
        site.server.script[1] = line("Comptez le casier 42 le mardi [1].")
        assert not site.ask(counting).unsupported
        assert site.kept() == {QUESTION, counting}
        site.index({CREATE: PAGES[CREATE].replace("Ouvrez", "Choisissez")})
        assert site.kept() == {counting}
        assert site.ask(counting).cached == "exact"
        site.server.script[1] = line("Choisissez Clients puis cliquez sur Nouveau client [1].")
        assert site.ask(QUESTION).text.startswith("Choisissez")

        (site.folder / "casier-42.md").unlink()
        site.index({})
        assert site.kept() == {QUESTION}


def test_a_rebuilt_index_of_unchanged_pages_keeps_its_answers(site: Site) -> None:
    site.ask(QUESTION)
    site.index(full=True)
    assert site.ask(QUESTION).cached == "exact"


@pytest.mark.parametrize(
    "script",
    [
        [HEAD, line(SENTENCE), 9.0],
        [HEAD, line(SENTENCE)],
        [HEAD, line(SENTENCE), line(done=True, done_reason="length"), END],
        [],
        [HEAD, line("Les poules du voisin pondent des œufs bleus [1]."), 0.2],
    ],
    ids=["cut by the deadline", "cut by the server", "too long", "failed", "unsupported, cut"],
)
def test_an_answer_that_is_not_whole_is_not_kept(site: Site, script: list[bytes]) -> None:
    site.server.script = script
    site.ask(QUESTION, timeout_s=1.0)
    assert site.kept() == set()


def test_an_answer_that_lost_a_sentence_is_kept_for_seconds(site: Site) -> None:
    wrong = line(" Le tarif des barriques neuves double chaque année en Islande [1].")
    site.server.script = [HEAD, line(SENTENCE), wrong, STOP, END]
    assert site.ask(QUESTION).unsupported == 1
    assert site.ask(QUESTION).cached == "exact"
    [entry] = site.entries()
    assert 0 < entry.expires_at - time.time() <= 30


def test_a_cache_that_is_off_neither_finds_nor_keeps(site: Site) -> None:
    site.ask(QUESTION, cache_enabled=False)
    assert site.kept() == set()
    site.ask(QUESTION)
    assert site.ask(QUESTION, cache_enabled=False).cached is None
    assert len(site.server.requests) == 3


def test_an_answer_expires(site: Site) -> None:
    site.ask(QUESTION, cache_ttl_s=1)
    assert site.ask(QUESTION).cached == "exact"
    time.sleep(1.1)
    assert site.ask(QUESTION).cached is None


@pytest.mark.parametrize(
    "change",
    [{"model": "m2"}, {"embeddings_enabled": False}, {"fallback_models": "m3"}],
    ids=["model", "embeddings", "fallbacks"],
)
def test_another_setting_is_not_served_the_answers_of_this_one(
    site: Site, change: dict[str, object]
) -> None:
    site.ask(QUESTION)
    assert site.ask(QUESTION, **change).cached is None


def test_a_follow_up_is_answered_within_its_conversation_alone(site: Site) -> None:
    async def talk() -> list[str | None]:
        assistant = open_assistant(site.settings)
        said = []
        for conversation, question in (
            ("a", QUESTION),
            ("a", "et pour le supprimer ?"),
            ("b", "Comment faire l'inventaire ?"),
            ("b", "et pour le supprimer ?"),
            ("c", QUESTION),
            ("c", "et pour le supprimer ?"),
        ):
            answer = await assistant.answer(question, conversation_id=conversation)
            said.append(answer.cached)
        await assistant.close()
        return said

    cached = asyncio.run(talk())
    assert cached[3] is None
    assert cached[4] == "exact"


def test_the_owners_words_come_first_with_or_without_a_model(site: Site) -> None:
    site.ask(QUESTION)
    pin(site, QUESTION, "Demandez à Claire.", "clients/fusionner.md")
    variants = (
        site.ask(QUESTION),
        site.ask("comment faire pour créer un client"),
        site.ask(QUESTION, "stocks/inventaire.md"),
        site.ask(QUESTION, use_model=False),
        site.ask(QUESTION, degraded_mode=True),
        site.ask(QUESTION, model="another"),
    )
    assert [answer.text for answer in variants] == ["Demandez à Claire."] * 6
    assert [source.page for source in variants[0].sources] == ["clients/fusionner.md"]
    assert len(site.server.requests) == 1
    assert site.ask("Comment supprimer un client ?").text != "Demandez à Claire."
    [pinned] = [entry for entry in site.entries() if entry.pinned]
    assert pinned.hits == 6
    site.index({"clients/fusionner.md": "# Fusionner\n\nCochez trois fiches.\n"})
    assert site.ask(QUESTION).text == SENTENCE
