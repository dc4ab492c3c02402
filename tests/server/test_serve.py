"""`cli.py serve`: how it starts, what it says of itself, what it notices while it runs."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil
import pytest

from rag.server.running import listening
from tests.commands import ROOT, souffleur
from tests.office import FAST
from tests.office import serving as office
from tests.scripted import unused_url, wait_until
from tests.server.calls import ask, get
from tests.server.running import Running, index_pages, serving

ADMIN = {"Authorization": "Bearer a-key-of-the-operator"}


def test_it_says_where_it_listens_and_ends_with_0():
    with serving() as server:
        assert f"listens on {server.url}" in server.log()
        assert get(f"{server.url}/healthz") == (200, {"status": "ok"})
        status, answer = ask(server.url)
        assert (status, answer["page_effective"]) == (200, "clients/creer.md")
        assert server.stop() == 0
        assert "Traceback" not in server.log()


def test_small_messages_are_sent_at_once():
    """Without TCP_NODELAY a kept answer waits 40 ms for the client's acknowledgement."""

    async def accepted(listener: socket.socket) -> int:
        heard: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            sock = writer.get_extra_info("socket")
            heard.set_result(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(connected, sock=listener.dup()):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            try:
                return await asyncio.wait_for(heard, 30)
            finally:
                writer.close()

    with listening("127.0.0.1", 0) as listener:
        listener.setblocking(False)
        assert asyncio.run(accepted(listener))


def test_neither_collecting_garbage_nor_threads_hold_askers_up(tmp_path):
    """A collection of all that is loaded takes 0.2 s; each thread's turn, 5 ms by default."""
    script = """
import gc, sys, time
from fastapi.testclient import TestClient
from rag.server.running import application
from rag.encoders.static import StaticEncoder
with TestClient(application(demo=False)):
    end = time.monotonic() + 60
    while not gc.get_freeze_count() and time.monotonic() < end:
        time.sleep(0.1)
    loose = [one for one in gc.get_objects() if isinstance(one, StaticEncoder)]
    print(gc.get_freeze_count(), len(loose), gc.get_threshold()[0], sys.getswitchinterval())
"""
    index_pages(tmp_path / "data")
    environment = os.environ | {"HELP_DATA_DIR": str(tmp_path / "data")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    frozen, loose, threshold, switch_s = map(float, done.stdout.split())
    assert frozen > 10_000
    assert loose == 0
    assert threshold > 5_000
    assert switch_s < 0.002


def test_a_port_that_is_taken_is_explained():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = souffleur("serve", "--port", port)
    assert done.returncode == 2
    assert f"Port {port} of 127.0.0.1 is taken" in done.stderr
    assert "serve --port" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(
    ("host", "cure"), [("192.0.2.7", "--host 0.0.0.0"), ("a" * 300, "--host 127.0.0.1")]
)
def test_a_host_that_cannot_be_is_explained(host, cure):
    done = souffleur("serve", "--port", 0, "--host", host)
    assert done.returncode == 2
    assert cure in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_explained():
    done = souffleur("serve", "--port", 0, HELP_RATE_LIMIT="often")
    assert done.returncode == 2
    assert "HELP_RATE_LIMIT" in done.stderr


def test_without_an_index_it_waits_for_one():
    with serving(None) as server:
        status, ready = get(f"{server.url}/readyz")
        assert (status, ready["ready"]) == (503, False)
        assert "cli.py index" in ready["checks"]["index"]["detail"]
        status, problem = ask(server.url)
        assert status == 503
        assert str(server.data_dir) not in json.dumps([ready, problem])
        assert wait_until(lambda: "cli.py index" in server.log(), 20)
        server.index()
        assert wait_until(lambda: get(f"{server.url}/readyz")[0] == 200, 20)
        assert ask(server.url)[1]["page_effective"] == "clients/creer.md"


def test_ready_names_a_model_that_is_away_while_extracts_answer():
    with serving(OLLAMA_URL=unused_url()) as server:
        status, ready = get(f"{server.url}/readyz")
        assert (status, ready["ready"], ready["degraded"]) == (200, True, True)
        assert "model" in ready["checks"]["model"]["detail"]
        _, answer = ask(server.url)
        assert answer["degraded"]
        assert answer["sources"]


def test_ready_names_a_search_store_that_is_away():
    with serving(None, ELASTICSEARCH_URL=unused_url()) as server:
        status, ready = get(f"{server.url}/readyz")
        assert (status, ready["checks"]["search"]["ok"]) == (503, False)
        assert "ELASTICSEARCH_URL" in ready["checks"]["search"]["detail"]


def test_pages_indexed_while_it_answers_are_found_and_no_answer_fails():
    with serving(HELP_RATE_LIMIT="none") as server, ThreadPoolExecutor(3) as pool:
        ended = threading.Event()

        def keep_asking() -> list[tuple[int, bool]]:
            seen = []
            while not ended.is_set():
                status, answer = ask(server.url)
                seen.append((status, bool(answer.get("sources"))))
            return seen

        ask(server.url)  # loads what is loaded once
        clients = [pool.submit(keep_asking) for _ in range(3)]
        try:
            for first in (0, 25):
                server.index(presses(first, 25))
            server.index(presses(50, 1), full=True)
        finally:
            ended.set()
        seen = [one for client in clients for one in client.result()]
        assert len(seen) > 5
        assert set(seen) == {(200, True)}
        # where the asker is decides between pages that are all alike
        assert wait_until(lambda: page_near(server, 31) == "pressoir/31.md", 20)
        assert page_near(server, 12) == "pressoir/12.md"


def presses(first: int, count: int) -> dict[str, str]:
    """Return pages that say the same of presses of other numbers."""
    return {
        f"pressoir/{n}.md": f"---\nurl: https://aide.example.fr/presses/numero-{n}\nactions:\n"
        f"  - label: Ouvrir\n    url: /cave/presse-{n}/\n---\n"
        f"# Régler le pressoir\n\nTournez la vis du pressoir numéro {n}.\n"
        for n in range(first, first + count)
    }


def page_near(server: Running, number: int) -> str | None:
    _, answer = ask(server.url, "Comment régler le pressoir ?", page=f"/cave/presse-{number}/?a=b")
    return answer["page_effective"]


def test_a_switch_is_in_force_without_a_restart():
    with (
        office(FAST) as (url, _),
        serving(OLLAMA_URL=url, HELP_TIMEOUT=30, HELP_RATE_LIMIT="none") as server,
    ):
        assert wait_until(lambda: ask(server.url)[1]["cached"] == "exact", 30)
        switched = souffleur("optimize", "--disable-cache")
        assert switched.returncode == 0, switched.stderr
        assert wait_until(lambda: ask(server.url)[1]["cached"] is None, 20)
        (server.data_dir / "switches.json").write_text("{")
        assert wait_until(lambda: told_to_correct(server), 20)
        assert ask(server.url)[1]["cached"] is None
        (server.data_dir / "switches.json").unlink()
        assert wait_until(lambda: ask(server.url)[1]["cached"] == "exact", 20)
        assert get(f"{server.url}/readyz")[1]["checks"]["settings"]["ok"]


def told_to_correct(server: Running) -> bool:
    """Ask, so that the settings are looked at; say whether the fault was noticed."""
    assert ask(server.url)[0] == 200
    settings = get(f"{server.url}/readyz")[1]["checks"]["settings"]
    return not settings["ok"] and "switches.json" in server.log()


def test_a_worker_that_is_killed_is_replaced_and_metrics_are_of_all():
    with serving(arguments=["--workers", 2], HELP_ADMIN_KEY="a-key-of-the-operator") as server:
        asked = 0
        for _ in range(4):
            asked += ask(server.url)[0] == 200
        parent = psutil.Process(server.process.pid)
        workers = workers_of(parent)
        assert len(workers) == 2
        workers[0].kill()
        assert wait_until(lambda: workers[0].pid not in pids(parent) and len(pids(parent)) == 2, 60)
        assert wait_until(lambda: ask(server.url)[0] == 200, 60)
        _, figures = get(f"{server.url}/metrics", ADMIN)
        total = sum(
            float(line.rpartition(" ")[2])
            for line in figures.splitlines()
            if line.startswith("souffleur_questions_total")
        )
        assert asked == 4
        assert total >= 5
        assert "souffleur_answers_in_progress 0.0" in figures


def workers_of(parent: psutil.Process) -> list[psutil.Process]:
    found = []
    for child in parent.children():
        with suppress(psutil.Error):  # it has just ended
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def pids(parent: psutil.Process) -> set[int]:
    return {worker.pid for worker in workers_of(parent)}
