"""Follow-up questions over the sample pages find their page; the others are not touched."""

import pytest

from rag.question.follow_up import is_follow_up
from tests.quality.conversations import CONVERSATIONS, asked, share, shares
from tests.quality.test_questions import QUESTIONS


@pytest.fixture(scope="module")
def turns(retriever):
    return list(asked(retriever))


def test_the_set_is_what_it_claims_to_be(corpus_folder):
    later = [turn for talk in CONVERSATIONS for turn in talk["turns"][1:]]
    languages = [talk["lang"] for talk in CONVERSATIONS]
    assert len(CONVERSATIONS) >= 60
    assert languages.count("fr") >= 45
    assert languages.count("en") >= 15
    assert sum(not turn["follow_up"] for turn in later) >= 30
    rows = [turn for talk in CONVERSATIONS for turn in talk["turns"]]
    named = {page for row in rows for page in [row["page"], *row.get("pages", [])]}
    assert all((corpus_folder / page).is_file() for page in named)


def test_follow_ups_find_their_page_by_the_conversation(turns):
    for split, least in (("dev", 0.97), ("test", 0.93)):
        follow = [turn for turn in turns if turn.split == split and turn.follow_up]
        first, three = shares(follow, "context")
        assert first >= 0.91
        assert three >= least
        assert first >= shares(follow, "alone")[0] + 0.2


def test_questions_that_stand_alone_are_not_rewritten(turns):
    alone = [turn for turn in turns if not turn.follow_up]
    assert share([turn.contextual == turn.question for turn in alone]) >= 0.97
    languages = {"english": "en"}
    sample = [is_follow_up(q["question"], languages.get(q["group"], "fr")) for q in QUESTIONS]
    assert sum(sample) / len(sample) <= 0.02
