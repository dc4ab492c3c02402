"""The sample pages answer the sample questions, and say so when they do not."""

import json
from pathlib import Path

import pytest

from rag import gate
from rag.question import read_question

QUESTIONS = [
    json.loads(line)
    for line in (Path(__file__).parent / "questions.jsonl").read_text("utf-8").splitlines()
]


@pytest.fixture(scope="module")
def retrieved(retriever):
    read = [(asked, read_question(asked["question"])) for asked in QUESTIONS]
    return [(asked, retriever.retrieve(question, 10)) for asked, question in read]


def share_found(retrieved, first: int) -> float:
    found = []
    for asked, retrieval in retrieved:
        if asked["page"] is not None:
            pages = list(dict.fromkeys(hit.chunk.page for hit in retrieval.hits))[:first]
            found.append(bool({asked["page"], *asked.get("pages", [])} & set(pages)))
    return sum(found) / len(found)


def test_the_set_is_what_it_claims_to_be(corpus_folder):
    groups = [asked["group"] for asked in QUESTIONS]
    assert len(QUESTIONS) >= 150
    assert groups.count("none") >= 25
    assert all(groups.count(kind) >= 10 for kind in ("typo", "no-accent", "paraphrase", "english"))
    named = {page for q in QUESTIONS for page in [q["page"], *q.get("pages", [])] if page}
    assert all((corpus_folder / page).is_file() for page in named)


def test_the_right_page_comes_first_for_86_questions_in_100(retrieved):
    assert share_found(retrieved, first=1) >= 0.86


def test_the_right_page_is_among_three_for_93_questions_in_100(retrieved):
    assert share_found(retrieved, first=3) >= 0.93


def test_most_questions_without_an_answer_are_refused(retrieved):
    none = [gate.answers(r.evidence) for asked, r in retrieved if asked["page"] is None]
    assert sum(none) / len(none) <= 0.22


def test_few_questions_with_an_answer_are_refused(retrieved):
    answered = [gate.answers(r.evidence) for asked, r in retrieved if asked["page"] is not None]
    assert sum(answered) / len(answered) >= 0.91


def test_a_question_is_told_as_it_was_searched(retriever):
    assert "barrique" in retriever.retrieve(read_question("ouillage barique")).question.search_text
    clean = read_question("Comment créer un client ?")
    assert retriever.retrieve(clean).question == clean
