"""A thousand clients at once, most of them ill-behaved; and hundreds of messages in any order."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.office_server import Machine
from tests import office
from tests.commands import ROOT
from tests.server.running import Running, serving
from tests.server.sockets import QUESTION, Asker, asking
from tests.server.test_socket import SITE

FAST = Machine(prompt_speed=1e6, output_speed=2_000.0, load_s=0.0, answer_tokens=120)
RUNS = 100
ENDS = ("message_complete", "error")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with a fast model and room for everybody."""
    data = tmp_path_factory.mktemp("load") / "data"
    with (
        office.serving(FAST) as (url, _),
        serving(
            SITE,
            HELP_DATA_DIR=data,
            OLLAMA_URL=url,
            HELP_TIMEOUT=60,
            HELP_RATE_LIMIT="none",
            HELP_MAX_CONNECTIONS=2_000,
            HELP_MAX_CONNECTIONS_PER_CLIENT=2_000,
        ) as running,
    ):
        yield running


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="it reads /proc: Linux alone")
def test_a_thousand_clients_do_not_keep_a_polite_one_waiting(running: Running) -> None:
    bench = [sys.executable, "bench/many_clients.py", running.url, str(running.process.pid)]
    done = subprocess.run(
        [*bench, "--seconds", "6"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    print(figures)
    assert figures["connections"] >= 1_000
    assert figures["memory_growth_mb"] <= 100
    # 6 to 8 and 77 to 94 where nothing else runs (docs/latency.md)
    assert figures["probe_p50_ms"] <= 500
    assert figures["probe_p99_ms"] <= 5_000
    assert figures["back_to_base_s"] is not None, figures
    assert running.process.poll() is None
    assert "Traceback" not in running.log()
    with asking(running) as asker:
        asker.ask()
        assert asker.until()[-1]["content"]


def test_messages_in_any_order_have_one_end_each_and_no_gap(running: Running) -> None:
    for seed in range(RUNS):
        play(running, random.Random(seed))


def play(running: Running, chance: random.Random) -> None:
    """Ask, stop and resume at random; then hear everything once more from the beginning."""
    name = str(uuid.UUID(int=chance.getrandbits(128)))
    asked, heard = 0, []
    with asking(running) as asker:
        for _ in range(chance.randint(1, 6)):
            action = chance.choice(("ask", "ask", "ask", "stop", "hear", "warm", "bad"))
            if action == "ask":
                asker.ask(chance.choice((QUESTION, " ", "et pour le supprimer ?")), name)
                asked += 1
            elif action == "stop":
                asker.send("stop", conversation_id=name)
            elif action == "warm":
                asker.send("warm")
            elif action == "bad":
                asker.connection.send(json.dumps({"type": "message", "conversation_id": name}))
                asked += 1
            elif ended(heard) < asked:
                heard.append(asker.connection.recv(timeout=30))
        if chance.random() < 0.5:
            heard += until_all_ended(asker, heard, asked)
            kept = [text for text in heard if "seq" in json.loads(text)]
            check(heard, asked)
        else:
            asker.reset()
            kept = [text for text in heard if "seq" in json.loads(text)]
    if asked_for_good := [json.loads(text)["seq"] for text in kept]:
        assert asked_for_good == list(range(1, len(kept) + 1))
        resumed = resume(running, name)
        assert resumed[: len(kept)] == kept


def ended(texts: list[str]) -> int:
    return sum(json.loads(text)["type"] in ENDS for text in texts)


def until_all_ended(asker: Asker, heard: list[str], asked: int) -> list[str]:
    more: list[str] = []
    while ended(heard) + ended(more) < asked:
        more.append(asker.connection.recv(timeout=30))
    return more


def check(heard: list[str], asked: int) -> None:
    """Every message has one end; what is numbered has no gap, and each answer is its pieces."""
    messages = [json.loads(text) for text in heard]
    assert Counter(message["type"] in ENDS for message in messages)[True] == asked
    pieces: list[str] = []
    for message in messages:
        if message["type"] == "message_chunk":
            pieces.append(message["content"])
        elif message["type"] == "message_complete":
            replaced = message["reason"] or message["stopped"] or not message["answered"]
            assert replaced or "".join(pieces) == message["content"]
            pieces = []


def resume(running: Running, name: str) -> list[str]:
    """Hear a conversation from its beginning, up to the end of what is under way."""
    with asking(running) as asker:
        asker.send("resume", conversation_id=name, after=0)
        asker.ask(" ", "marker")
        texts: list[str] = []
        while not texts or json.loads(texts[-1])["conversation_id"] != "marker":
            texts.append(asker.connection.recv(timeout=30))
        return texts[:-1]
