"""A server as its users run it: a process of its own on a free port, over indexed pages."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from indexer.pipeline import run
from rag.config.settings import Settings
from rag.encoders import bundled_encoder
from rag.stores import open_store
from tests.commands import CLI
from tests.pages import PAGES, write_pages
from tests.scripted import wait_until

START_S = 60.0  # a machine that is busy with other things
STOP_S = 20.0
LISTENS = re.compile(r"http://\S+:(\d+)")


@dataclass(frozen=True, slots=True)
class Running:
    """Hold a server that answers at ``url`` (no slash at its end); it writes its log to a file."""

    url: str
    process: subprocess.Popen[bytes]
    data_dir: Path
    log_file: Path

    @property
    def socket_url(self) -> str:
        """Return the address of the WebSocket."""
        return f"ws{self.url.removeprefix('http')}/ws/ai_assistant/"

    def log(self) -> str:
        """Return what the server has printed so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def index(self, pages: Mapping[str, str] = PAGES, *, full: bool = False) -> None:
        """Write these pages and index the folder, beside the running server."""
        index_pages(self.data_dir, pages, full=full)

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = STOP_S) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout_s)


def index_pages(data_dir: Path, pages: Mapping[str, str] = PAGES, *, full: bool = False) -> None:
    """Write pages beside a data folder and index them there, in SQLite."""
    folder = write_pages(data_dir.parent / f"{data_dir.name}-pages", pages)
    store = open_store(Settings(data_dir=data_dir))
    try:
        run([folder], store, bundled_encoder(), full=full)
    finally:
        store.close()


@contextmanager
def serving(
    pages: Mapping[str, str] | Path | None = PAGES,
    *,
    arguments: Sequence[object] = (),
    exit_code: int | None = 0,
    **settings: object,
) -> Iterator[Running]:
    """Run ``cli.py serve`` on a free port and end it by its pid; ``settings`` are its environment.

    ``pages`` are indexed first (a folder is indexed as it is; None: nothing is). Without a model
    named among the settings, every answer is an extract. The server must end with ``exit_code``
    (None: any), unless it has ended before.
    """
    environment = os.environ | {name: str(value) for name, value in settings.items()}
    if not settings.keys() & {"OLLAMA_URL", "HELP_MODEL", "OPENAI_BASE_URL"}:
        environment.setdefault("HELP_DEGRADED_MODE", "true")
    data_dir = Path(environment["HELP_DATA_DIR"])
    data_dir.mkdir(parents=True, exist_ok=True)
    if isinstance(pages, Path):
        store = open_store(Settings(data_dir=data_dir))
        run([pages], store, bundled_encoder())
        store.close()
    elif pages is not None and "ELASTICSEARCH_URL" not in settings:
        index_pages(data_dir, pages)
    running = _start(environment, data_dir, arguments)
    try:
        yield running
        if running.process.poll() is None:
            ended = running.stop()
            assert exit_code is None or ended == exit_code, f"exit {ended}:\n{running.log()}"
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait(STOP_S)


def _start(environment: Mapping[str, str], data_dir: Path, arguments: Sequence[object]) -> Running:
    log_file = data_dir / f"serve-{time.time_ns()}.log"
    debug = [str(argument) for argument in arguments if argument == "--debug"]
    others = [str(argument) for argument in arguments if argument != "--debug"]
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [*CLI, *debug, "serve", "--port", "0", *others],
            cwd=data_dir.parent,
            env=dict(environment),
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def listens() -> bool:
        return process.poll() is not None or LISTENS.search(log_file.read_text()) is not None

    assert wait_until(listens, START_S) and process.poll() is None, log_file.read_text()
    found = LISTENS.search(log_file.read_text())
    assert found
    running = Running(f"http://127.0.0.1:{found[1]}", process, data_dir, log_file)
    try:
        health = f"{running.url}/healthz"
        assert wait_until(lambda: process.poll() is not None or answers(health), START_S)
        assert process.poll() is None, running.log()
    except BaseException:
        process.kill()
        process.wait(STOP_S)
        raise
    return running


def answers(url: str) -> bool:
    """Say whether an address answers with success."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
