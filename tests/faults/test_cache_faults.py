"""Kept answers whose file fails: they are passed by, in time, and never served wrong."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import resource
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rag.config.settings import Settings
from rag.core.errors import SearchUnavailable
from rag.core.protocols import AnswerStore, Store
from rag.core.records import CacheStats
from rag.stores import open_answer_store, open_store
from rag.stores.sqlite import SqliteAnswers
from tests.contract.answers import NOW, SCOPE, complaints, entry, kept, near, publish, put, served
from tests.contract.conftest import META, TIMEOUT_S, vector

FILE = "index.sqlite3"
FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["tests.faults.test_cache_faults"])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, _env_file=None)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """An index of two pages."""
    opened = open_store(settings)
    publish(opened, {"a": "alpha 1", "b": "beta 1"})
    yield opened
    opened.close()


@pytest.fixture
def answers(settings: Settings, store: Store) -> Iterator[AnswerStore]:
    """Answers to k1 and k2, of the pages a and b."""
    opened = open_answer_store(settings)
    put(opened, entry(store, "k1", "a"), entry(store, "k2", "b"))
    yield opened
    opened.close()


@contextlib.contextmanager
def sql(settings: Settings) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(settings.data_dir / FILE)) as file, file:
        yield file


@pytest.mark.parametrize(
    "damage",
    [
        "answer = '{\"text\": '",
        "answer = '[1]'",
        "answer = replace(answer, 'Réponse', 'Reponse')",
        "pages = '[[', question = 'x'",
        "chunks = 'x'",
        "asked = x'ff00fe'",
        "expires_at = 'jamais'",
        "question = 7",
    ],
)
def test_a_damaged_answer_is_dropped_and_the_others_stay(
    answers: AnswerStore,
    store: Store,
    settings: Settings,
    damage: str,
) -> None:
    with sql(settings) as file:
        file.execute(f"UPDATE answers SET {damage} WHERE key = 'k1'")
    assert served(answers, "k1", "k2") == {"k2"}
    assert near(answers, settings, "k1") == ["k2"]
    publish(store, {"b": "beta 1"})
    assert kept(answers, settings) == {"k2"}
    put(answers, entry(store, "k1", "a"))
    assert served(answers, "k1", "k2") == {"k1", "k2"}


def test_a_damaged_vector_costs_nearness_alone(
    answers: AnswerStore, store: Store, settings: Settings
) -> None:
    put(answers, entry(store, "k3", "a"), entry(store, "k4", "a"))
    with sql(settings) as file:
        for key, blob in (("k1", b"abc"), ("k2", b"\xff" * 64), ("k3", b"\x00" * 12)):
            file.execute("UPDATE answers SET vector = ? WHERE key = ?", (blob, key))
    assert near(answers, settings, "k4", 1) == ["k4"]
    assert served(answers, "k1", "k2", "k3") == {"k1", "k2", "k3"}


def every_use(answers: AnswerStore, store: Store) -> list[Callable[[], object]]:
    one = entry(store, "k1", "a")
    return [
        lambda: answers.get("k1", NOW, TIMEOUT_S),
        lambda: answers.get("k2", NOW, TIMEOUT_S),
        lambda: answers.candidates(SCOPE, vector("k1"), 3, NOW, TIMEOUT_S),
        lambda: answers.put(one, TIMEOUT_S),
        lambda: answers.touch(one, "exact", NOW, TIMEOUT_S),
        lambda: answers.count("missed", TIMEOUT_S),
        lambda: answers.claim("k3", "me", 9.0, NOW, TIMEOUT_S),
        lambda: answers.release("k3", "me", TIMEOUT_S),
        lambda: answers.entries(9, 0, TIMEOUT_S),
        lambda: answers.stats(TIMEOUT_S),
        lambda: answers.drop(["k1"], TIMEOUT_S),
        lambda: answers.drop_page("b", TIMEOUT_S),
        lambda: answers.sweep(NOW, TIMEOUT_S),
        lambda: answers.clear(TIMEOUT_S),
        answers.close,
    ]


@pytest.mark.parametrize("seed", range(25))
def test_a_damaged_file_is_passed_by_and_no_wrong_answer_comes_of_it(
    answers: AnswerStore, store: Store, settings: Settings, seed: int
) -> None:
    expected = {key: answers.get(key, NOW, TIMEOUT_S) for key in ("k1", "k2")}
    uses = every_use(open_answer_store(settings), store)
    answers.close()
    store.close()
    draw, path = random.Random(seed), settings.data_dir / FILE
    data = bytearray(path.read_bytes())
    if seed == 0:
        data = bytearray(draw.randbytes(5_000))
    elif seed == 1:
        data = data[: len(data) // 2]
    for _ in range(draw.choice((1, 30, 300))):
        start = draw.randrange(100, len(data) - 60)
        data[start : start + 50] = draw.randbytes(50)
    path.write_bytes(data)
    for use in uses:
        with contextlib.suppress(SearchUnavailable):
            result = use()
            found = [result] if use in uses[:2] else []
            assert all(one is None or one == expected[one.key] for one in found)


def test_while_an_index_run_writes_answers_are_served_and_nothing_waits(
    answers: AnswerStore, store: Store, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    one = entry(store, "k1", "a")
    writer = store.writer(META, full=False)
    writer.delete_page("b")
    for _ in range(3):
        for use, result in (
            (lambda: served(answers, "k1", "k2"), {"k1", "k2"}),
            (lambda: near(answers, settings, "k2", 1), ["k2"]),
            (lambda: answers.put(one, TIMEOUT_S), False),
            (lambda: answers.touch(one, "exact", NOW, TIMEOUT_S), None),
            (lambda: answers.claim("new", "me", 9.0, NOW, TIMEOUT_S), True),
            (lambda: answers.release("new", "me", TIMEOUT_S), None),
        ):
            start = time.monotonic()
            assert use() == result
            assert time.monotonic() - start < 0.2
    with pytest.raises(SearchUnavailable, match="Another process is writing"):
        answers.clear(0.1)
    assert len(complaints(caplog)) == 1
    writer.publish()
    assert served(answers, "k1", "k2") == {"k1"}
    answers.count("missed", TIMEOUT_S)
    stats = answers.stats(TIMEOUT_S)
    assert (stats.entries, stats.hits) == (1, 3)
    assert stats.counters == {"exact": 3, "missed": 1, "saved_ms": 7500}
    writer = store.writer(META, full=False)
    assert not answers.put(one, TIMEOUT_S)
    writer.abort()
    assert len(complaints(caplog)) == 2


def with_a_full_disk(settings: Settings) -> None:
    store, answers = open_store(settings), open_answer_store(settings)
    one = entry(store, "k1", "a")
    put(answers, one)
    largest = max(path.stat().st_size for path in settings.data_dir.glob(f"{FILE}*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    full = entry(store, "k3", "a", answer={"text": "x" * 2_000_000})
    assert not answers.put(full, TIMEOUT_S)
    assert served(answers, "k1", "k2", "k3") == {"k1", "k2"}
    for number in range(300):  # until not even the smallest write finds room
        answers.touch(one, "exact", NOW + number, TIMEOUT_S)
        answers.claim(f"c{number}", "me", 9.0, NOW, TIMEOUT_S)
    assert served(answers, "k1", "k2") == {"k1", "k2"}
    os._exit(7)


def test_a_full_disk_costs_no_answer(
    answers: AnswerStore, store: Store, settings: Settings
) -> None:
    child = FORK.Process(target=with_a_full_disk, args=(settings,))
    child.start()
    child.join(60)
    assert child.exitcode == 7
    assert served(answers, "k1", "k2") == {"k1", "k2"}
    put(answers, entry(store, "k3", "a"))


def without_rights(settings: Settings) -> None:
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    with contextlib.suppress(OSError):
        (settings.data_dir / "writable").touch()
        os._exit(5)
    answers = open_answer_store(settings)
    try:
        assert served(answers, "k1", "k2") == {"k1", "k2"}
        found = answers.candidates(SCOPE, vector("k2"), 1, NOW, TIMEOUT_S)
        assert [one.key for one, _ in found] == ["k2"]
    except SearchUnavailable:
        os._exit(6)
    assert not answers.put(found[0][0], TIMEOUT_S)
    answers.touch(found[0][0], "exact", NOW, TIMEOUT_S)
    assert answers.claim("new", "me", 9.0, NOW, TIMEOUT_S)
    assert answers.stats(TIMEOUT_S).entries == 2
    answers.close()
    os._exit(7)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("in_use", [True, False], ids=["in use", "closed"])
def test_answers_that_may_only_be_read_are_served_or_passed_by(
    open_folder: Path, in_use: bool
) -> None:
    settings = Settings(data_dir=open_folder, _env_file=None)
    store, answers = open_store(settings), open_answer_store(settings)
    publish(store, {"a": "alpha 1", "b": "beta 1"})
    put(answers, entry(store, "k1", "a"), entry(store, "k2", "b"))
    if not in_use:
        answers.close()
        store.close()
    for path in (*open_folder.iterdir(), open_folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    child = FORK.Process(target=without_rights, args=(settings,))
    child.start()
    child.join(30)
    # SQLite cannot read a file in WAL mode where it may not make its shared memory
    assert child.exitcode == (7 if in_use else 6)
    answers.close()
    store.close()


def test_a_folder_that_goes_away_is_passed_by(
    answers: AnswerStore, store: Store, settings: Settings
) -> None:
    uses = every_use(answers, store)
    store.close()
    settings.data_dir.rename(settings.data_dir.with_name("moved"))
    results = [use() for use in uses]
    assert results[:2] == [None, None]
    assert results[3] is False
    assert results[9] == CacheStats()
    settings.data_dir.with_name("moved").rename(settings.data_dir)
    assert served(answers, "k1", "k2") == {"k1", "k2"}


def test_no_fault_is_an_error_of_the_file_library(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    answers = SqliteAnswers(tmp_path / FILE, 10, 10_000)
    with pytest.raises(SearchUnavailable):
        answers.get("k", NOW, TIMEOUT_S)
    answers.count("missed", TIMEOUT_S)
    answers.close()
