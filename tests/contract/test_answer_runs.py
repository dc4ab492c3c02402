"""What every store of answers promises when processes meet, and when a run is killed."""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import os
import signal
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from elastic_transport import Transport

from indexer.pipeline import run
from rag.config.settings import Settings
from rag.core.errors import SearchUnavailable
from rag.core.protocols import AnswerStore, Store
from rag.core.records import CachedAnswer
from rag.encoders import bundled_encoder
from rag.stores import open_answer_store, open_store
from tests.contract.answers import (
    NOW,
    SCOPE,
    entry,
    generate_once,
    kept,
    near,
    publish,
    put,
    served,
    settle,
)
from tests.contract.conftest import TIMEOUT_S, OpenAnswers, vector
from tests.pages import write_pages

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["tests.contract.test_answer_runs"])


def test_one_owner_has_a_claim_until_it_is_released_or_lapses(
    answers: AnswerStore, store: Store, open_answers: OpenAnswers
) -> None:
    other = open_answers()
    assert answers.claim("k", "one", 11.0, NOW, TIMEOUT_S)
    assert not other.claim("k", "two", 11.0, NOW + 10.9, TIMEOUT_S)
    assert other.claim("k2", "two", 11.0, NOW, TIMEOUT_S)
    other.release("k", "two", TIMEOUT_S)
    assert not other.claim("k", "two", 11.0, NOW + 1, TIMEOUT_S)
    answers.release("k", "one", TIMEOUT_S)
    assert other.claim("k", "two", 11.0, NOW + 1, TIMEOUT_S)

    assert answers.claim("k", "one", 11.0, NOW + 12, TIMEOUT_S)  # whoever had it is dead
    other.release("k", "two", TIMEOUT_S)
    assert not other.claim("k", "three", 11.0, NOW + 13, TIMEOUT_S)
    # made by a clock that was an hour ahead: not waited for
    assert other.claim("k", "three", 11.0, NOW - 3600, TIMEOUT_S)


def test_an_answer_that_came_meanwhile_is_not_generated_again(
    answers: AnswerStore, store: Store
) -> None:
    put(answers, entry(store, "k", "a", expires_at=NOW + 60))
    assert not answers.claim("k", "one", 11.0, NOW, TIMEOUT_S)
    assert answers.claim("k", "one", 11.0, NOW + 61, TIMEOUT_S)
    answers.release("k", "one", TIMEOUT_S)
    publish(store, {"a": "alpha 2"})
    assert answers.claim("k", "one", 11.0, NOW, TIMEOUT_S)


def test_a_lapsed_claim_has_one_heir(answers: AnswerStore, open_answers: OpenAnswers) -> None:
    assert answers.claim("k", "dead", 1.0, NOW, TIMEOUT_S)
    stores = [open_answers() for _ in range(8)]
    barrier = threading.Barrier(len(stores))

    def take(number: int) -> bool:
        barrier.wait()
        return stores[number].claim("k", str(number), 11.0, NOW + 2, TIMEOUT_S)

    with ThreadPoolExecutor(len(stores)) as pool:
        assert sum(pool.map(take, range(len(stores)))) == 1


def ask_at_once(settings: Settings, wanted: CachedAnswer, name: str, made: object) -> None:
    """Ask one question five times at once, and tell how many of them were generated."""
    answers = open_answer_store(settings)

    def ask(number: int) -> bool:
        return generate_once(answers, wanted, f"{name}-{number}", 0.5)

    with ThreadPoolExecutor(5) as pool:
        made.put(sum(pool.map(ask, range(5))))
    answers.close()


def test_ten_questions_to_two_processes_are_one_generation(
    answers: AnswerStore, store: Store, settings: Settings
) -> None:
    made = FORK.Manager().Queue()
    wanted = entry(store, "k", "a", vector=None)
    children = [
        FORK.Process(target=ask_at_once, args=(settings, wanted, name, made))
        for name in ("one", "two")
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(40)
        assert child.exitcode == 0
    assert made.get() + made.get() == 1
    assert answers.get("k", NOW, TIMEOUT_S) == wanted


def die_holding(settings: Settings) -> None:
    assert open_answer_store(settings).claim("k", "dead", 1.5, NOW, TIMEOUT_S)
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_claim_of_a_killed_process_lapses(answers: AnswerStore, settings: Settings) -> None:
    child = FORK.Process(target=die_holding, args=(settings,))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert not answers.claim("k", "next", 1.5, NOW + 1, TIMEOUT_S)
    assert answers.claim("k", "next", 1.5, NOW + 2, TIMEOUT_S)


def test_no_answer_is_served_for_another_state_of_its_page_while_it_changes(
    store: Store, open_answers: OpenAnswers, settings: Settings
) -> None:
    publish(store, {"a": "version 0", "b": "beta"})
    versions = [0]  # published or about to be
    done, wrong, hits = threading.Event(), [], [0]

    def ask(answers: AnswerStore) -> None:
        while not done.is_set():
            before = versions[-1] if len(versions) == 1 else versions[-2]
            found: list[CachedAnswer | None] = []
            with suppress(SearchUnavailable):  # Elasticsearch is just making the index
                found.append(answers.get("k", NOW, TIMEOUT_S))
                near = answers.candidates(SCOPE, vector("k"), 1, NOW, TIMEOUT_S)
                found += [one for one, _ in near]
            said = [one.answer["version"] for one in found if one is not None]
            hits[0] += len(said)
            wrong.extend(v for v in said if not before <= v <= versions[-1])

    answers = open_answers()
    readers = [threading.Thread(target=ask, args=(open_answers(),)) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(1, 6 if settings.uses_elasticsearch else 40):
            made = entry(store, "k", "a", "b", answer={"version": versions[-1]})
            assert answers.put(made, TIMEOUT_S)
            settle(settings)
            versions.append(number)
            publish(store, {"a": f"version {number}", "b": "beta"}, full=number % 3 == 0)
            assert not answers.put(made, TIMEOUT_S)
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert wrong == []
    assert hits[0]


def test_one_page_edited_of_a_hundred_takes_its_own_answers(
    store: Store, settings: Settings, open_answers: OpenAnswers, tmp_path: Path
) -> None:
    texts = {f"p{n:02}.md": f"# Page {n}\n\nTexte {n}.\n" for n in range(100)}
    pages = write_pages(tmp_path / "pages", texts)
    run([pages], store, bundled_encoder())
    answers = open_answers()
    names, records = sorted(texts), store.records()
    put(answers, *(entry(store, name, name, records=records) for name in names))
    put(answers, entry(store, "two", "p41.md", "p42.md"))
    (pages / "p42.md").write_text("# Page 42\n\nTexte 42, corrigé.\n")
    run([pages], store, bundled_encoder())
    assert kept(answers, settings) == {*names} - {"p42.md"}
    assert served(answers, *names, "two") == {*names} - {"p42.md"}
    run([pages], store, bundled_encoder(), full=True)
    assert kept(answers, settings) == {*names} - {"p42.md"}
    (pages / "p42.md").write_text(texts["p42.md"])
    (pages / "p07.md").unlink()
    (pages / "p08.md").write_text(
        "---\nactions:\n  - label: Ouvrir\n    url: /p8\n---\n" + texts["p08.md"]
    )
    run([pages], store, bundled_encoder())
    assert served(answers, *names, "two") == {*names} - {"p42.md", "p07.md", "p08.md"}


def die_after(settings: Settings, steps: int, number: int) -> None:
    """Publish version ``number``, but be killed at the statement or request number ``steps``."""
    left = itertools.count(steps, -1)

    def count(*_: object) -> None:
        if next(left) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    class Watched(sqlite3.Connection):
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **options)
            self.set_trace_callback(count)

    perform = Transport.perform_request

    def request(*args: object, **options: object) -> object:
        answer = perform(*args, **options)
        count()
        return answer

    sqlite3.connect = functools.partial(sqlite3.connect, factory=Watched)
    Transport.perform_request = request  # type: ignore[method-assign]
    publish(open_store(settings), version(number), full=number % 2 == 0)


def version(number: int) -> dict[str, str]:
    return {"a": f"alpha {number}", "b": "beta", "c": f"gamma {number}"}


def test_a_run_killed_at_any_step_leaves_no_answer_of_another_state(
    store: Store, settings: Settings, open_answers: OpenAnswers
) -> None:
    publish(store, version(0))
    answers = open_answers()
    stale = 0
    for number in itertools.count(1):
        step, records = 3 * number - 2, store.records()
        keys = ("a", "b", "c", "ab", "bc")
        put(answers, *(entry(store, key, *key, records=records) for key in keys))
        settle(settings)
        child = FORK.Process(target=die_after, args=(settings, step, number))
        child.start()
        child.join()
        assert child.exitcode in (0, -signal.SIGKILL)
        hashes = {page: record.hash for page, record in store.records().items()}
        reader = open_answers()
        found = [reader.get(key, NOW, TIMEOUT_S) for key in keys]
        found += [one for one, _ in reader.candidates(SCOPE, vector("a"), 9, NOW, TIMEOUT_S)]
        for one in filter(None, found):
            assert one.pages.items() <= hashes.items()
        assert "b" in near(reader, settings, "b", 1)
        stale += None in found
        reader.close()
        if child.exitcode == 0:
            break
    assert stale
    assert number > 10
    assert kept(answers, settings) == {"b"}


def test_a_file_put_in_the_place_of_another_is_seen(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, _env_file=None)
    store, answers = open_store(settings), open_answer_store(settings)
    publish(store, {"a": "alpha 1"})
    put(answers, entry(store, "k", "a"))
    assert served(answers, "k") == {"k"}
    store.close()
    for path in tmp_path.glob("index.sqlite3*"):
        path.unlink()
    assert served(answers, "k") == set()
    assert answers.candidates(SCOPE, vector("k"), 1, NOW, TIMEOUT_S) == []
    other = open_store(settings)
    publish(other, {"a": "alpha 2"})
    assert served(answers, "k") == set()
    put(answers, entry(other, "k", "a"))
    assert near(answers, settings, "k") == ["k"]
    answers.close()
    other.close()


def test_an_index_made_before_answers_were_kept_is_used(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, _env_file=None)
    store = open_store(settings)
    publish(store, {"a": "alpha 1"})
    with sqlite3.connect(tmp_path / "index.sqlite3") as file:
        for table in ("answers", "answer_counters", "answer_claims"):
            file.execute(f"DROP TABLE {table}")
    file.close()
    answers = open_answer_store(settings)
    assert served(answers, "k") == set()
    assert answers.clear(TIMEOUT_S) == 0
    one = replace(entry(store, "k", "a"), hits=2)
    put(answers, one)
    assert answers.get("k", NOW, TIMEOUT_S) == one
    answers.close()
    store.close()
