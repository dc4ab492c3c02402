"""What askers get when the server is told to stop, and when they hang up themselves."""

from __future__ import annotations

import signal
import time

import pytest

from bench.office_server import Machine
from tests.office import serving as office
from tests.scripted import wait_until
from tests.server.calls import ask, asking, events
from tests.server.running import serving

STEADY = Machine(prompt_speed=1e5, output_speed=20.0, load_s=0.0)  # some seconds an answer
SLOW = Machine(prompt_speed=1e5, output_speed=4.0, load_s=0.0)  # a quarter of a minute
SILENT = Machine(prompt_speed=20.0, output_speed=1.0, load_s=0.0)
LIMIT_S = 12.0  # five, and what a busy machine adds


def warmed(model) -> bool:
    """Say whether the model is loaded and has nothing to do."""
    return wait_until(lambda: model.loads > 0, 60) and wait_until(lambda: not model.busy, 60)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_answer_under_way_is_ended_before_the_process(workers):
    arguments = ["--workers", workers]
    with (
        office(STEADY) as (url, model),
        serving(arguments=arguments, OLLAMA_URL=url, HELP_TIMEOUT=60) as server,
    ):
        assert warmed(model)
        with asking(server.url) as connection:
            stream = events(connection.getresponse())
            assert next(stream).name == "sources"
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            last = list(stream)[-1]
            assert server.process.wait(LIMIT_S) == 0
            assert time.monotonic() - began < LIMIT_S
    assert last.name == "complete"
    assert last.data["content"]
    assert last.data["truncated"] or last.data["reason"] or last.data["model"]
    assert "Traceback" not in server.log()


def test_an_answer_that_would_take_too_long_becomes_the_extract_and_says_why():
    with (
        office(SILENT) as (url, model),
        serving(OLLAMA_URL=url, HELP_TIMEOUT=300) as server,
    ):
        with asking(server.url) as connection:
            stream = events(connection.getresponse())
            sources = next(stream)
            assert wait_until(lambda: model.busy, 30)
            server.process.send_signal(signal.SIGTERM)
            # it still listens, and says that it is about to end
            assert ask(server.url)[0] == 503
            last = list(stream)[-1]
        assert server.process.wait(LIMIT_S) == 0
    assert last.data["content"] == sources.data["extract"]
    assert last.data["degraded"]
    assert "s’arrête" in last.data["reason"]


def test_a_second_signal_ends_at_once():
    with (
        office(SILENT) as (url, model),
        serving(OLLAMA_URL=url, HELP_TIMEOUT=300, exit_code=None) as server,
        asking(server.url) as connection,
    ):
        assert next(events(connection.getresponse())).name == "sources"
        assert wait_until(lambda: model.busy, 30)
        server.process.send_signal(signal.SIGTERM)
        assert wait_until(lambda: ask_status(server.url) == 503, 3)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) != 0
        assert time.monotonic() - began < 2


def ask_status(url: str) -> int:
    return ask(url)[0]


@pytest.mark.parametrize("path", ["/api/help/query", "/api/help/stream"])
def test_who_hangs_up_stops_the_model(path):
    with (
        office(SLOW) as (url, model),
        serving(OLLAMA_URL=url, HELP_TIMEOUT=60) as server,
    ):
        assert warmed(model)
        with asking(server.url, path=path):
            assert wait_until(lambda: model.busy, 30)
        assert wait_until(lambda: not model.busy, 3)
        assert ask(server.url, "Comment faire l'inventaire ?")[0] == 200


def test_a_stream_says_that_it_is_alive_while_the_model_is_silent():
    with (
        office(SILENT) as (url, model),
        serving(OLLAMA_URL=url, HELP_TIMEOUT=16) as server,
        asking(server.url) as connection,
    ):
        response = connection.getresponse()
        lines = [line for line in response if line.startswith((b":", b"event:"))]
        assert lines[0] == b"event: sources\n"
        assert b": still here\n" in lines
        assert lines[-1] == b"event: complete\n"
        assert model.loads
