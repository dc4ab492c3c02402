"""Whatever befalls the kept answers, the question is answered, in time and from the pages."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rag.config.settings import Settings
from rag.stores import INDEX_FILE
from tests.asking import QUESTION, SENTENCE, WRITES, Site, open_site
from tests.services import request


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    settings = Settings(data_dir=tmp_path / "data", _env_file=None)
    with open_site(settings, tmp_path / "pages", WRITES) as opened:
        yield opened


def connect(site: Site) -> closing[sqlite3.Connection]:
    path = site.settings.data_dir / INDEX_FILE
    return closing(sqlite3.connect(path, isolation_level=None))


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE answers SET answer = '{\"text\": '",
        "UPDATE answers SET answer = replace(answer, 'Ouvrez', 'Fermez')",
        "UPDATE answers SET pages = 'x'",
        "UPDATE answers SET asked = '[]'",
        "DROP TABLE answers",
        "DROP TABLE answer_claims",
        "DROP TABLE answer_counters",
    ],
)
def test_damaged_answers_cost_nothing_but_the_cache(site: Site, damage: str) -> None:
    site.ask(QUESTION)
    with connect(site) as file:
        file.execute(damage)
    for question in (QUESTION, "Comment faire pour créer un client ?"):
        answer = site.ask(question)
        assert (answer.text, answer.degraded) == (SENTENCE, False)


def test_while_another_process_writes_answers_come_and_kept_ones_are_served(site: Site) -> None:
    site.ask(QUESTION)
    with connect(site) as file:
        file.execute("BEGIN IMMEDIATE")
        start = time.monotonic()
        assert site.ask(QUESTION).cached == "exact"
        site.server.script[1] = WRITES[1].replace(b"[2]", b"[1]")
        assert site.ask("Où créer un client ?").cached is None
        assert time.monotonic() - start < 4
        file.execute("ROLLBACK")
    assert site.kept() == {QUESTION}


def test_an_index_of_answers_that_was_removed_is_made_again(
    tmp_path: Path, elasticsearch_url: str, index_prefix: str
) -> None:
    settings = Settings(
        data_dir=tmp_path / "data",
        elasticsearch_url=elasticsearch_url,
        elasticsearch_index=f"{index_prefix}aide",
        _env_file=None,
    )
    with open_site(settings, tmp_path / "pages", WRITES) as site:
        site.ask(QUESTION)
        names = request(f"{elasticsearch_url}/{index_prefix}aide-answers*")
        request(f"{elasticsearch_url}/{','.join(names)}", "DELETE")
        assert (site.ask(QUESTION).text, site.ask(QUESTION).cached) == (SENTENCE, "exact")
