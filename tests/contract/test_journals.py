"""One journal, two stores; and an asker never waits for either."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from rag.analytics.recorder import MAX_WAITING, Journal, Question, open_journal, question_hash
from rag.config.settings import Settings
from rag.core.answers import Answer, Source, Usage
from rag.core.protocols import JournalStore
from rag.core.records import Feedback, JournalEntry, Record, document, now, read_document
from rag.stores import JOURNAL_FILE, open_journal_store
from tests.contract.conftest import TIMEOUT_S
from tests.scripted import unused_url, wait_until
from tests.services import request

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))
QUESTION = Question("Où est passée Mme Zyglorbe ?", "fr", "websocket", 40.0)
SOURCE = Source(1, "Créer un client", "Fiche", "/aide/creer#fiche", "creer.md", 0.9)
USAGE = Usage(800, 60, prompt_s=1.5, output_s=2.5)
ANSWER = Answer(
    "Ouvrez Clients [1].",
    page_effective="creer.md",
    sources=(SOURCE,),
    retrieved=(SOURCE,),
    cached="semantic",
    timings={"total_ms": 70.5},
    model="m",
    usage=USAGE,
)


def asked(number: int, at: datetime = NOON, **changes: object) -> JournalEntry:
    values = {"answer_id": f"{number:032x}", "question": f"{number % 7:032x}", "lang": "fr"}
    return JournalEntry(at, **{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def open_journals(settings: Settings) -> Iterator[Callable[[], JournalStore]]:
    opened: list[JournalStore] = []

    def open_one() -> JournalStore:
        opened.append(open_journal_store(settings))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def store(open_journals: Callable[[], JournalStore]) -> JournalStore:
    return open_journals()


def all_of(store: JournalStore) -> list[Record]:
    return [*store.asked(*EVER, TIMEOUT_S), *store.feedback(*EVER, TIMEOUT_S)]


def raw(settings: Settings) -> bytes:
    """Return every byte that the store keeps of the journal."""
    if settings.uses_elasticsearch:
        url = f"{settings.elasticsearch_url}/{settings.elasticsearch_index}-journal"
        request(f"{url}/_refresh", "POST")
        return orjson.dumps(request(f"{url}/_search?size=1000"))
    files = settings.data_dir.glob(f"{JOURNAL_FILE}*")
    return b"".join(file.read_bytes() for file in files)


def test_records_come_back_whole_and_in_order_of_time(store):
    whole = asked(
        1,
        NOON + timedelta(milliseconds=123),
        text="Comment créer un client ?",
        page="creer.md",
        sources=("creer.md", "lister.md"),
        nearest="creer.md",
        title="Créer un client",
        cached="exact",
        reason="late",
        degraded=True,
        first_text_ms=41.5,
        total_ms=9_000.25,
        model="phi3:mini",
        prompt_tokens=900,
    )
    later = asked(2, NOON + timedelta(days=1), answered=False)
    opinion = Feedback(NOON, "f" * 32, False, True, "Pas clair : « où » ?")
    store.write([later, opinion, whole], TIMEOUT_S)
    assert all_of(store) == [whole, later, opinion]


def test_a_period_begins_with_its_first_moment_and_ends_before_its_last(store):
    hours = [asked(hour, NOON + timedelta(hours=hour)) for hour in range(4)]
    store.write(hours, TIMEOUT_S)
    found = store.asked(hours[1].at, hours[3].at, TIMEOUT_S)
    assert list(found) == hours[1:3]


def test_what_is_written_twice_stands_once_and_the_last_opinion_counts(store):
    first, last = Feedback(NOON, "a" * 32, True), Feedback(NOON, "a" * 32, False)
    for records in ([asked(1), first], [asked(1), last]):
        store.write(records, TIMEOUT_S)
    assert all_of(store) == [asked(1), last]


def test_many_records_of_one_moment_are_all_read(store):
    many = [asked(number) for number in range(2_345)]
    store.write(many[::-1], TIMEOUT_S)
    assert list(store.asked(*EVER, TIMEOUT_S)) == many


def test_a_purge_removes_what_is_older_and_leaves_no_trace_of_it(store, settings):
    old = asked(1, NOON - timedelta(days=91), text="Ancienne question de Mme Zyglorbe")
    opinion = Feedback(old.at, old.answer_id, True)
    store.write([old, opinion, asked(2)], TIMEOUT_S)
    assert b"Zyglorbe" in raw(settings)
    assert store.purge(NOON - timedelta(days=90), TIMEOUT_S) == 2
    assert all_of(store) == [asked(2)]
    assert b"Zyglorbe" not in raw(settings)


def test_a_journal_that_was_never_written_is_empty_and_not_made_by_reading(store, settings):
    assert all_of(store) == []
    assert store.purge(NOON, TIMEOUT_S) == 0
    if settings.uses_elasticsearch:
        assert not request(f"{settings.elasticsearch_url}/{settings.elasticsearch_index}-journal*")
    else:
        assert not (settings.data_dir / JOURNAL_FILE).exists()


def test_several_processes_write_at_once(settings, store):
    script = (
        "import sys; from datetime import *; from rag.core.records import *\n"
        "from rag.config.settings import *; from rag.stores import open_journal_store\n"
        "store = open_journal_store(Settings.model_validate_json(sys.argv[1]))\n"
        "for n in range(int(sys.argv[2]), int(sys.argv[2]) + 30):\n"
        "    at = datetime(2026, 3, 2, 12, tzinfo=UTC)\n"
        "    store.write([JournalEntry(at, f'{n:032x}', 'q', 'fr')], 30)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, settings.model_dump_json(), str(start)])
        for start in (0, 30, 60)
    ]
    assert [one.wait(120) for one in running] == [0, 0, 0]
    assert len(all_of(store)) == 90


def test_an_answer_and_an_opinion_of_it_reach_the_store(settings, store):
    journal = open_journal(settings)
    journal.asked("a" * 32, QUESTION, ANSWER)
    journal.feedback("a" * 32, False, "Parlez-moi de Mme Zyglorbe")
    journal.close(TIMEOUT_S)
    record, opinion = all_of(store)
    assert (record.page, record.sources, record.title) == ("creer.md", ("creer.md",), SOURCE.title)
    assert (record.cached, record.channel, record.lang) == ("semantic", "websocket", "fr")
    assert (record.first_text_ms, record.total_ms, record.writing_ms) == (40.0, 70.5, 4000.0)
    assert (record.text, opinion.comment, opinion.commented) == (None, None, True)
    assert b"Zyglorbe" not in raw(settings)


def test_texts_are_kept_where_the_settings_say_so(settings, store):
    journal = open_journal(settings.model_copy(update={"journal_texts": True}))
    journal.asked("a" * 32, QUESTION, ANSWER)
    journal.feedback("a" * 32, True, " Merci ! ")
    journal.close(TIMEOUT_S)
    record, opinion = all_of(store)
    assert (record.text, opinion.comment) == (QUESTION.text, "Merci !")


def test_old_records_go_by_themselves(settings, store):
    store.write([asked(1, now() - timedelta(days=4)), asked(2, now() - timedelta(days=2))], 10)
    journal = open_journal(settings.model_copy(update={"journal_days": 3}))
    journal.feedback("a" * 32, True)
    assert wait_until(lambda: len(list(store.asked(*EVER, TIMEOUT_S))) == 1, 20)
    journal.close(TIMEOUT_S)


def test_no_days_is_no_journal(settings, store):
    journal = open_journal(settings.model_copy(update={"journal_days": 0}))
    journal.asked("a" * 32, QUESTION, ANSWER)
    journal.close(TIMEOUT_S)
    assert all_of(store) == []


def test_a_locked_file_delays_nobody_and_loses_nothing(tmp_path):
    settings = Settings(data_dir=tmp_path, _env_file=None)
    store = open_journal_store(settings)
    store.write([asked(1)], TIMEOUT_S)
    journal = open_journal(settings)
    with closing(sqlite3.connect(tmp_path / JOURNAL_FILE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        started = time.perf_counter()
        for number in range(100):
            journal.asked(f"{number:032x}", QUESTION, ANSWER)
        spent_s = time.perf_counter() - started
        other.execute("ROLLBACK")
    assert spent_s < 1.0
    assert wait_until(lambda: len(all_of(store)) == 100, 30)
    journal.close()


def test_a_store_that_is_away_delays_nobody_and_what_is_lost_is_counted(tmp_path, caplog):
    settings = Settings(data_dir=tmp_path, elasticsearch_url=unused_url(), _env_file=None)
    journal = open_journal(settings)
    started = time.perf_counter()
    for number in range(MAX_WAITING + 500):
        journal.note(asked(number))
    assert time.perf_counter() - started < 2.0
    assert 0 < journal.dropped <= 500
    started = time.perf_counter()
    journal.close(0.5)
    assert time.perf_counter() - started < 5.0
    assert sum("journal is not written" in message for message in caplog.messages) == 1


def test_what_cannot_be_written_yet_is_written_when_it_can_be(tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("")
    settings = Settings(data_dir=blocked / "data", _env_file=None)
    journal = open_journal(settings)
    journal.asked("a" * 32, QUESTION, ANSWER)
    assert wait_until(lambda: "journal is not written" in caplog.text, 20)
    blocked.unlink()
    store = open_journal_store(settings)
    assert wait_until(lambda: len(all_of(store)) == 1, 40)
    journal.close()
    assert journal.dropped == 0


def test_one_key_a_data_folder_tells_questions_of_one_form(tmp_path):
    settings = Settings(data_dir=tmp_path / "one", _env_file=None)
    key = open_journal(settings)._key
    kept = (settings.data_dir / "journal.key").read_bytes()
    assert key == kept and open_journal(settings)._key == kept
    assert question_hash("Comment créer un client ?", key) == question_hash(
        "bonjour, comment creer un CLIENT svp", key
    )
    assert question_hash("Comment créer un client ?", key) != question_hash(
        "Comment supprimer un client ?", key
    )
    other = open_journal(settings.model_copy(update={"data_dir": tmp_path / "two"}))._key
    assert question_hash(QUESTION.text, key) != question_hash(QUESTION.text, other)
    shared = {"HELP_JOURNAL_KEY": "une clé partagée"}
    two = [Settings(data_dir=tmp_path / name, _env_file=None, **shared) for name in "ab"]
    assert len({open_journal(one)._key for one in two}) == 1


def test_the_key_is_readable_by_its_owner_alone(tmp_path):
    open_journal(Settings(data_dir=tmp_path / "data", _env_file=None))
    assert Path(tmp_path / "data" / "journal.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("reason", ["late", "off"])
@pytest.mark.parametrize("lang", ["fr", "en"])
def test_a_reason_is_kept_by_its_name(tmp_path, reason, lang):
    from rag.language.messages import message

    settings = Settings(data_dir=tmp_path, _env_file=None)
    journal = open_journal(settings)
    degraded = replace(ANSWER, degraded=True, reason=message(reason, lang))
    journal.asked("a" * 32, QUESTION, degraded)
    journal.close(TIMEOUT_S)
    [record] = all_of(open_journal_store(settings))
    assert (record.degraded, record.reason) == (True, reason)


def test_what_a_later_version_wrote_besides_is_left_out():
    values = {**document(asked(1)), "mood": "good"}
    assert read_document(JournalEntry, values) == asked(1)


def test_a_damaged_record_is_left_out_and_the_others_are_read(tmp_path):
    settings = Settings(data_dir=tmp_path, _env_file=None)
    store = open_journal_store(settings)
    store.write([asked(1), asked(2)], TIMEOUT_S)
    with closing(sqlite3.connect(tmp_path / JOURNAL_FILE)) as file, file:
        file.execute("UPDATE records SET body = '{' WHERE answer_id = ?", (asked(1).answer_id,))
    assert all_of(store) == [asked(2)]


def test_a_fork_writes_what_it_notes(tmp_path):
    """Django's servers may load the application before they fork."""
    script = (
        "import os, sys; from pathlib import Path; from rag.config.settings import Settings\n"
        "from rag.analytics.recorder import open_journal\n"
        "journal = open_journal(Settings(data_dir=Path(sys.argv[1]), _env_file=None))\n"
        "child = os.fork()\n"
        "journal.feedback(('c' if child else 'b') * 32, True); journal.close(10)\n"
        "os._exit(0) if not child else os.waitpid(child, 0)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=60)
    store = open_journal_store(Settings(data_dir=tmp_path, _env_file=None))
    found = {one.answer_id[0] for one in store.feedback(*EVER, TIMEOUT_S)}
    assert found == {"b", "c"}


def test_a_journal_takes_nothing_after_its_end(tmp_path):
    journal = Journal(open_journal_store(Settings(data_dir=tmp_path)), b"k", texts=False, days=90)
    journal.close()
    journal.note(asked(1))
    assert not (tmp_path / JOURNAL_FILE).exists()
