"""Short questions are answered from the page that they are asked from, and others from their own.

`python bench/page_prior.py` prints the figures at several weights.
"""

import json
from pathlib import Path

import pytest

from rag.question import read_question

QUESTIONS = [
    json.loads(line)
    for line in Path(__file__).with_name("ambiguous.jsonl").read_text("utf-8").splitlines()
]


@pytest.fixture(scope="module")
def first_pages(retriever):
    """Return the first three pages of each question, with and without the page it is asked from."""
    return [
        (
            asked,
            pages(retriever, asked["question"], asked["page"]),
            pages(retriever, asked["question"]),
        )
        for asked in QUESTIONS
    ]


def pages(retriever, question: str, page: str | None = None) -> list[str]:
    hits = retriever.retrieve(read_question(question), 10, page=page).hits
    return list(dict.fromkeys(hit.chunk.page for hit in hits))[:3]


def share(found: list[bool]) -> float:
    return sum(found) / len(found)


def test_the_set_is_what_it_claims_to_be(corpus_folder):
    assert len(QUESTIONS) >= 60
    assert all(asked.keys() == {"question", "page", "expected"} for asked in QUESTIONS)
    named = {asked[name] for asked in QUESTIONS for name in ("page", "expected")}
    assert all((corpus_folder / page).is_file() for page in named)
    assert len({(asked["question"], asked["page"]) for asked in QUESTIONS}) == len(QUESTIONS)


def test_a_short_question_is_answered_from_the_page_it_is_asked_from(first_pages):
    own = [(a["expected"], w, n) for a, w, n in first_pages if a["page"] == a["expected"]]
    first = share([with_page[:1] == [right] for right, with_page, _ in own])
    alone = share([without[:1] == [right] for right, _, without in own])
    assert len(own) >= 50
    assert first >= 0.58
    assert first >= alone + 0.20
    assert share([right in with_page for right, with_page, _ in own]) >= 0.90


def test_a_question_that_another_page_answers_is_answered_from_that_one(first_pages):
    others = [(a["expected"], w) for a, w, _ in first_pages if a["page"] != a["expected"]]
    assert len(others) >= 10
    assert share([found[0] == right for right, found in others]) >= 0.90
