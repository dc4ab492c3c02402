"""Extracts show the answer, shortly; `python -m tests.quality.extracts` prints the figures."""

from __future__ import annotations

import statistics

import pytest

from indexer.chunker import chunk_page
from indexer.sources import find_pages, load_page, read_page
from rag.encoders import bundled_encoder
from tests.quality.extracts import QUESTIONS, extracts, title_sections


@pytest.fixture(scope="module")
def shown(indexed_store, retriever):
    return [s for s in extracts(indexed_store, retriever) if s.asked["half"] == "test"]


def test_the_questions_are_about_what_the_pages_say(corpus_folder):
    count = bundled_encoder().count_tokens
    pages = {c.id: load_page(c, read_page(c)) for c in find_pages([corpus_folder]).candidates}
    for asked in QUESTIONS:
        chunks = chunk_page(pages[asked["page"]], count)
        told = " ".join(" ".join(chunk.text for chunk in chunks).split())
        for part in (*asked["contains"], *asked.get("excludes", ())):
            assert part in told, asked["question"]
    assert len(QUESTIONS) >= 160
    assert len({asked["page"] for asked in QUESTIONS}) >= 60


def test_nineteen_extracts_in_twenty_show_the_answer(shown):
    assert len(shown) >= 80
    assert sum(one.answers for one in shown) / len(shown) >= 0.95


def test_what_is_shown_is_the_action_asked_about_and_not_its_opposite(shown):
    actions = [one for one in shown if one.asked["kind"] == "action"]
    assert len(actions) >= 20
    assert sum(one.answers for one in actions) / len(actions) >= 0.9


def test_an_extract_is_a_section_and_not_a_page(shown):
    lengths = [len(one.text) for one in shown]
    assert statistics.median(lengths) <= 500
    assert max(lengths) <= 1_600


def test_a_page_s_title_asked_is_answered_from_the_section_that_a_reader_would_choose(
    indexed_store, retriever
):
    chosen = title_sections(indexed_store, retriever)
    assert len(chosen) == 74
    assert sum(section in wanted for section, wanted in chosen.values()) >= 70
    section, _ = chosen["factures/creer-un-avoir.md"]
    assert section == "Annuler toute la facture"
