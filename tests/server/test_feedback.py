"""What askers think reaches the journal, over HTTP, and the operator alone reads it there."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from rag.config.settings import Settings
from rag.core.records import Feedback, JournalEntry, Record
from rag.stores import JOURNAL_FILE, open_journal_store
from tests.scripted import wait_until
from tests.server.running import Running, serving

EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))
ADMIN = "cle-de-l-exploitant-assez-longue"
QUESTION = "Comment créer un client ?"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data_dir = tmp_path_factory.mktemp("opinions") / "data"
    with serving(
        HELP_DATA_DIR=data_dir, HELP_ADMIN_KEY=ADMIN, HELP_RATE_LIMIT="1000/minute"
    ) as one:
        yield one


def ask(server: Running, question: str = QUESTION) -> dict[str, Any]:
    answer = httpx.post(f"{server.url}/api/help/query", json={"question": question}, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def say(server: Running, **opinion: object) -> httpx.Response:
    return httpx.post(f"{server.url}/api/help/feedback", json=opinion, timeout=60)


def journal(server: Running) -> list[Record]:
    store = open_journal_store(Settings(data_dir=server.data_dir, _env_file=None))
    return [*store.asked(*EVER, 10.0), *store.feedback(*EVER, 10.0)]


def noted(server: Running, answer_id: str) -> tuple[JournalEntry | None, Feedback | None]:
    found = [one for one in journal(server) if one.answer_id == answer_id]
    asked = next((one for one in found if isinstance(one, JournalEntry)), None)
    return asked, next((one for one in found if isinstance(one, Feedback)), None)


def test_an_answer_and_the_last_opinion_of_it_are_in_the_journal(server):
    answer = ask(server)
    for helpful in (True, False):
        said = say(server, answer_id=answer["answer_id"], helpful=helpful, comment="Pas clair")
        assert (said.status_code, said.content) == (204, b"")
    wait_until(lambda: getattr(noted(server, answer["answer_id"])[1], "helpful", True) is False, 20)
    asked, opinion = noted(server, answer["answer_id"])
    assert asked is not None and opinion is not None
    assert (asked.page, asked.answered, asked.channel) == (answer["page_effective"], True, "http")
    assert (asked.lang, asked.degraded, asked.reason) == ("fr", True, "off")
    assert 0 < asked.first_text_ms <= asked.total_ms + 1_000
    assert (opinion.helpful, opinion.commented) == (False, True)


def test_no_words_of_an_asker_are_kept_unless_the_site_says_so(server):
    answer = ask(server, "Comment créer la cliente Zyglorbe ?")
    say(server, answer_id=answer["answer_id"], helpful=False, comment="Mme Zyglorbe attend")
    assert wait_until(lambda: noted(server, answer["answer_id"])[1] is not None, 20)
    kept = b"".join(file.read_bytes() for file in server.data_dir.glob(f"{JOURNAL_FILE}*"))
    assert b"Zyglorbe" not in kept and b"zyglorbe" not in kept


def test_an_opinion_of_an_unknown_answer_is_taken_in_silence(server):
    assert say(server, answer_id="f" * 32, helpful=True).status_code == 204


@pytest.mark.parametrize(
    "wrong",
    [
        {"answer_id": "' OR 1=1", "helpful": True},
        {"answer_id": "f" * 32},
        {"answer_id": "f" * 32, "helpful": True, "comment": "x" * 2_001},
    ],
    ids=["id", "nothing said", "comment too long"],
)
def test_what_is_no_opinion_is_refused(server, wrong):
    refused = say(server, **wrong)
    assert 400 <= refused.status_code < 500
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_page_of_another_origin_may_not_give_opinions(server):
    refused = httpx.post(
        f"{server.url}/api/help/feedback",
        json={"answer_id": "f" * 32, "helpful": True},
        headers={"Origin": "https://ailleurs.example"},
    )
    assert refused.status_code == 403


def test_the_operator_exports_the_journal_as_lines(server):
    answer = ask(server)
    assert wait_until(lambda: noted(server, answer["answer_id"])[0] is not None, 20)
    url = f"{server.url}/api/admin/journal?days=1"
    assert httpx.get(url).status_code == 401
    found = httpx.get(url, headers={"Authorization": f"Bearer {ADMIN}"})
    assert found.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in found.text.splitlines()]
    assert answer["answer_id"] in {line["answer_id"] for line in lines if line["kind"] == "asked"}


def test_a_locked_journal_delays_no_answer_and_loses_none(server):
    ask(server)
    assert wait_until((server.data_dir / JOURNAL_FILE).exists, 20)
    with closing(sqlite3.connect(server.data_dir / JOURNAL_FILE, isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout = 10000")
        other.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        answers = [ask(server, f"Comment créer {number} clients ?") for number in range(5)]
        spent_s = time.monotonic() - started
        other.execute("ROLLBACK")
    assert spent_s < 4.5  # the writer waits 5 s for the lock
    for answer in answers:
        assert wait_until(lambda a=answer: noted(server, a["answer_id"])[0] is not None, 30)


def test_what_was_asked_last_is_written_when_the_server_stops(tmp_path):
    with serving(HELP_DATA_DIR=tmp_path / "data", HELP_JOURNAL_TEXTS="true") as server:
        answers = [ask(server) for _ in range(3)]
        server.stop()
        asked = {one.answer_id: one for one in journal(server) if isinstance(one, JournalEntry)}
    assert {answer["answer_id"] for answer in answers} <= asked.keys()
    assert {one.text for one in asked.values()} == {QUESTION}
