"""A search server that hangs or trickles costs a polite answer in time, and holds no process."""

import time

import pytest

from tests.commands import souffleur
from tests.scripted import ScriptedServer, unused_url

START_S = 3.0  # what a new process may take on a busy machine
SCRIPTS = {"silent": [60.0], "trickles": [b"H", 0.3] * 200}


@pytest.mark.parametrize("fault", SCRIPTS)
def test_a_search_that_does_not_end_is_left_behind(fault, tmp_path):
    with ScriptedServer(SCRIPTS[fault]) as server:
        start = time.monotonic()
        done = souffleur(
            "ask",
            "--no-llm",
            "Comment créer un client ?",
            ELASTICSEARCH_URL=server.url,
            HELP_TIMEOUT="2",
            HELP_DATA_DIR=str(tmp_path),
        )
        seconds = time.monotonic() - start
    assert "La recherche ne répond pas" in done.stdout
    assert done.stderr.strip()
    assert done.returncode == 2
    assert seconds < 2 + START_S


def test_no_search_server_names_the_cure(tmp_path):
    done = souffleur(
        "ask",
        "--no-llm",
        "client",
        ELASTICSEARCH_URL=unused_url(),
        HELP_DATA_DIR=str(tmp_path),
    )
    assert "docker compose up" in done.stderr
    assert done.returncode == 2
