"""Sentences that a passage says are kept; sentences that none says are dropped."""

from collections import Counter

import pytest

from tests.quality.support import CORPUS, ITEMS, holds, judged, passages


@pytest.fixture(scope="module")
def reported():
    return [one for one in judged() if one.item["half"] == "test"]


def share(found, supported: bool, kinds=()) -> float:
    part = [
        holds(one) == supported
        for one in found
        if one.item["supported"] == supported and (not kinds or one.item["kind"] in kinds)
    ]
    return sum(part) / len(part)


def test_the_set_is_what_it_claims_to_be():
    counts = Counter((item["lang"], item["supported"]) for item in ITEMS)
    assert len(ITEMS) >= 240
    assert min(counts["fr", True], counts["fr", False]) >= 90
    assert min(counts["en", True], counts["en", False]) >= 30
    names = {name for item in ITEMS for name in item["passages"]}
    assert all((CORPUS / name.partition("#")[0]).is_file() for name in names)
    assert all(passages([name]) for name in names)


def test_the_halves_are_of_different_pages():
    pages = {
        half: {
            name.partition("#")[0]
            for item in ITEMS
            if item["half"] == half
            for name in item["passages"]
        }
        for half in ("dev", "test")
    }
    assert not pages["dev"] & pages["test"]


def test_nine_supported_sentences_in_ten_are_kept(reported):
    assert share(reported, True) >= 0.91


def test_77_unsupported_sentences_in_100_are_dropped(reported):
    assert share(reported, False) >= 0.77


def test_invented_buttons_and_what_the_pages_do_not_say_are_dropped(reported):
    assert share(reported, False, ("button", "other-page", "general")) >= 0.93


def test_changed_numbers_and_denials_are_dropped(reported):
    assert share(reported, False, ("number", "negation")) >= 0.88
