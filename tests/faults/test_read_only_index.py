"""An index in a folder that a user may only read is searched, as it is and as it becomes."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.config.settings import Settings
from rag.stores import open_store
from rag.stores.sqlite import SqliteStore
from tests.contract.answers import publish
from tests.contract.conftest import TIMEOUT_S

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["tests.faults.test_read_only_index"])
NOBODY = 65534


@pytest.fixture
def settings() -> Iterator[Settings]:
    """A data folder that every user may enter, and its owner alone may write."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    yield Settings(data_dir=folder, _env_file=None)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def write(settings: Settings, pages: dict[str, str]) -> None:
    settings.data_dir.chmod(0o755)
    store = open_store(settings)
    publish(store, pages)
    store.close()
    for path in (*settings.data_dir.iterdir(), settings.data_dir):
        path.chmod(0o555 if path.is_dir() else 0o444)


def search_twice(settings: Settings, searched, changed) -> None:
    if os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        (settings.data_dir / "writable").touch()
    except OSError:
        store: SqliteStore = open_store(settings)
        for _ in range(2):
            found = store.search(None, {"alpha": 1.0, "beta": 1.0}, 5, TIMEOUT_S)
            windows = store.windows([name for name, _ in found.bm25], TIMEOUT_S)
            searched.put((store.count(), sorted(window.page for window in windows.values())))
            changed.wait(20)
        store.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_index_that_may_only_be_read_is_searched_and_its_changes_are_seen(
    settings: Settings,
) -> None:
    write(settings, {"a": "alpha 1", "b": "beta 1"})
    searched, changed = FORK.Queue(), FORK.Event()
    child = FORK.Process(target=search_twice, args=(settings, searched, changed))
    child.start()
    try:
        assert searched.get(timeout=30) == (2, ["a", "b"])
        time.sleep(0.02)  # a file's time may be that coarse
        write(settings, {"c": "alpha 2"})
        changed.set()
        count, pages = searched.get(timeout=30)
        assert (count, "c" in pages) == (3, True)
    finally:
        changed.set()
        child.join(30)
    assert child.exitcode == 0
