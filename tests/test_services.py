"""The services that the tests rely on are the real ones, and end as they should."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services import OLLAMA, Node, request, running

REPOSITORY = Path(__file__).parent.parent


def test_elasticsearch_is_a_9(elasticsearch_url: str) -> None:
    assert request(elasticsearch_url)["version"]["number"].startswith("9.")


def test_elasticsearch_analyses_french(elasticsearch_url: str) -> None:
    body = {"analyzer": "french", "text": "l'aujourd'hui, l’étiquette des clients"}
    tokens = request(f"{elasticsearch_url}/_analyze", "POST", body)["tokens"]
    assert [token["token"] for token in tokens] == ["aujourd'hui", "etiquet", "client"]


@pytest.fixture
def leaves_nothing(elasticsearch_url: str) -> Iterator[Callable[[str], None]]:
    """Check, after the fixtures that were asked for later, that a prefix has no index."""
    prefixes: list[str] = []
    yield prefixes.append
    for prefix in prefixes:
        assert request(f"{elasticsearch_url}/{prefix}*/_settings") == {}


def test_indices_of_a_test_are_removed(
    leaves_nothing: Callable[[str], None], elasticsearch_url: str, index_prefix: str
) -> None:
    leaves_nothing(index_prefix)
    for name in ("a", "b"):
        assert request(f"{elasticsearch_url}/{index_prefix}{name}", "PUT")["acknowledged"]


def test_ollama_generates(ollama_url: str, chat_model: str) -> None:
    body = {"model": chat_model, "prompt": "Bonjour", "stream": False}
    answer = request(f"{ollama_url}/api/generate", "POST", body | {"options": {"num_predict": 8}})
    assert answer["done"]
    assert answer["response"].strip()
    assert 1 <= answer["eval_count"] <= 8


def test_ollama_never_ends_the_endless_models(
    ollama_url: str, endless_model: str, slow_model: str
) -> None:
    for model in (endless_model, slow_model):
        body = {"model": model, "prompt": "Bonjour", "stream": False}
        answer = request(
            f"{ollama_url}/api/generate", "POST", body | {"options": {"num_predict": 60}}
        )
        assert (answer["done_reason"], answer["eval_count"]) == ("length", 60)


def test_ollama_embeds_in_768_dimensions(ollama_url: str, embedding_model: str) -> None:
    body = {"model": embedding_model, "input": ["Créer un client", "Créer une facture"]}
    vectors = request(f"{ollama_url}/api/embed", "POST", body)["embeddings"]
    assert [len(vector) for vector in vectors] == [768, 768]
    assert math.hypot(*vectors[0]) == pytest.approx(1.0, abs=1e-3)


def test_a_killed_server_is_started_again(own_ollama: Node) -> None:
    killed = own_ollama.pid
    own_ollama.end(signal.SIGKILL)
    assert own_ollama.pid is None
    url = own_ollama.start(fresh=False)
    assert own_ollama.pid not in (None, killed)
    assert request(f"{url}/api/version")["version"] == OLLAMA.version


def test_the_last_user_ends_the_server(own_ollama: Node) -> None:
    name, pid = own_ollama.folder.name, own_ollama.pid
    with running(OLLAMA, name) as other:
        assert other.pid == pid
    assert own_ollama.pid == pid  # its first user is still here


def test_a_pid_that_went_to_another_program_is_left_alone(own_ollama: Node) -> None:
    (own_ollama.home / "pid").write_text(str(os.getpid()))
    assert own_ollama.pid is None
    own_ollama.end(signal.SIGKILL)  # would end this very test run


def test_what_a_killed_run_left_is_ended(own_ollama: Node) -> None:
    (own_ollama.home / "pid").unlink()  # killed before it could say which process it started
    own_ollama.end()
    with pytest.raises(OSError):  # refused, or reset
        request(f"{own_ollama.url}/api/version")


def run_pytest(folder: Path, source: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "-q", f"--rootdir={folder}", folder],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


SKIPS = "import pytest\ndef test_it(): pytest.skip('no server here')\n"


def test_a_skip_is_refused_in_ci_alone(tmp_path: Path) -> None:
    assert run_pytest(tmp_path, SKIPS).returncode == 0
    for name in ("CI", "REQUIRE_SERVICES"):
        refused = run_pytest(tmp_path, SKIPS, **{name: "true"})
        assert refused.returncode == 1, refused.stdout
        assert "refused: 1 skipped" in refused.stdout


READS = """
import os
def test_it():
    assert not {"OLLAMA_URL", "HELP_MODEL", "AI_CACHE_ENABLED", "OPENAI_API_KEY"} & set(os.environ)
    assert os.environ["HELP_DATA_DIR"] != "mine"
"""


def test_settings_of_the_developer_are_not_seen(tmp_path: Path) -> None:
    mine = dict.fromkeys(("HELP_MODEL", "AI_CACHE_ENABLED", "OPENAI_API_KEY"), "mine")
    seen = run_pytest(
        tmp_path, READS, OLLAMA_URL="http://127.0.0.1:9", HELP_DATA_DIR="mine", **mine
    )
    assert seen.returncode == 0, seen.stdout
