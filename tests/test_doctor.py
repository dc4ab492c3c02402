"""`doctor` names the fault and its cure, for faults that are real; `--fix` revives what hangs."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner, Result

from rag.core.errors import ModelUnavailable
from rag.core.records import Check
from rag.diagnostics import side_by_side
from rag.diagnostics.doctor_model import memory_check
from rag.diagnostics.doctor_services import OllamaServer
from souffleur import cli
from tests.commands import CLI, ROOT, souffleur
from tests.office import FAST, serving
from tests.pages import write_pages
from tests.scripted import ScriptedServer, reply, unused_url, wait_until
from tests.services import request

WORST_S = 15.0 + 10.0  # and the start of Python on a busy machine
REVIVED_S = 20.0
HEALTHY = ["settings", "disk", "encoder", "index", "pages", "cache", "ollama", "models", "memory"]
HEALTHY += ["generation", "speed"]


@pytest.fixture
def indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pages = write_pages(tmp_path / "pages")
    # a parser's time limit is short for a busy machine
    assert any(call("index", pages).exit_code == 0 for _ in range(3))
    return pages


@pytest.fixture
def quiet(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An indexed folder whose answers need no model."""
    monkeypatch.setenv("HELP_DEGRADED_MODE", "true")
    return indexed


def call(*arguments: object, **settings: object) -> Result:
    """Run a command in this process, as fast as can be."""
    environment = {name: str(value) for name, value in settings.items()}
    return CliRunner().invoke(cli.main, list(map(str, arguments)), env=environment)


def diagnosis(*options: str, **settings: object) -> dict[str, dict]:
    """Return the checks by name; those of a fault have a cure, and the exit code tells."""
    start = time.monotonic()
    done = call("doctor", "--json", *options, **settings)
    assert done.exit_code in {0, 1}, done.output
    assert time.monotonic() - start < WORST_S
    checks = json.loads(done.stdout)["checks"]
    for check in checks:
        assert list(check) == ["name", "ok", "detail", "cure"]
        assert check["ok"] == (not check["cure"]), check
    assert done.exit_code == (0 if all(check["ok"] for check in checks) else 1)
    return {check["name"]: check for check in checks}


def fault(name: str, *options: str, **settings: object) -> tuple[str, str]:
    """Return the detail and the cure of what is wrong, and see that only this is."""
    found = diagnosis(*options, **settings)
    assert [check["name"] for check in found.values() if not check["ok"]] == [name], found
    return found[name]["detail"], found[name]["cure"]


def test_nothing_is_wrong_with_a_real_ollama(indexed, ollama_url, chat_model):
    found = diagnosis(OLLAMA_URL=ollama_url, HELP_MODEL=chat_model)
    assert [name for name in HEALTHY if not found[name]["ok"]] == []
    assert "tokens/s" in found["speed"]["detail"]
    assert "HELP_TIMEOUT=10" in found["speed"]["detail"]


def test_a_terminal_gets_a_line_a_check_without_colours_in_a_pipe(quiet):
    done = souffleur("doctor", AI_EMBEDDING_DIMENSION=384)
    assert done.returncode == 1
    assert "✓ disk" in done.stdout
    assert "✗ encoder" in done.stdout
    assert "→ Set AI_EMBEDDING_DIMENSION=768" in done.stdout
    assert "\x1b" not in done.stdout


def test_every_setting_is_told_with_its_origin(quiet, tmp_path):
    (tmp_path / ".env").write_text("HELP_TIMEOUT=7\nOPENAI_API_KEY=sk-secret\n")
    assert call("optimize", "--disable-cache").exit_code == 0
    done = call("doctor", "--json", AI_ASSISTANT_EMBEDDING_DIMENSION=768)
    assert "sk-secret" not in done.stdout
    told = {
        one["name"]: (one["value"], one["origin"]) for one in json.loads(done.stdout)["settings"]
    }
    assert told["HELP_TIMEOUT"] == ("7.0", ".env")
    assert told["HELP_DEGRADED_MODE"] == ("true", "environment")
    assert told["AI_CACHE_ENABLED"] == ("false", "saved switch")
    assert told["HELP_MODEL"] == ("phi3:mini", "default")
    origin = "environment (AI_ASSISTANT_EMBEDDING_DIMENSION)"
    assert told["AI_EMBEDDING_DIMENSION"] == ("768", origin)
    assert told["HELP_PORT"] == ("8000", "default")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("HELP_TIMEOUT=ten\n", "HELP_TIMEOUT = 'ten'"),
        ("HELP_TIMOUT=5\n", "write HELP_TIMEOUT"),
        ("HELP_TIMEOUT 5 seconds =\n'\n", "line"),
        ("OLLAMA_URL=ftp://x\n", "OLLAMA_URL is no server's address"),
        (b"HELP_MODEL=\xff\xfe\n", ".env"),
    ],
    ids=["value", "name", "line", "address", "bytes"],
)
def test_a_bad_env_file(quiet, tmp_path, text, told):
    (tmp_path / ".env").write_bytes(text if isinstance(text, bytes) else text.encode())
    detail, cure = fault("settings")
    assert told in detail
    assert "correct it" in cure


def test_no_index(tmp_path):
    detail, cure = fault("index", HELP_DEGRADED_MODE="true")
    assert "nothing is indexed" in detail
    assert cure == "python cli.py index corpus/"


def test_a_page_changed_since_and_one_gone(quiet):
    (quiet / "clients/creer.md").write_text("# Autre\n\nAutre texte.\n")
    (quiet / "stocks/inventaire.md").unlink()
    detail, cure = fault("pages")
    assert "1 changed since (clients/creer.md)" in detail
    assert "1 gone, but still answered from (stocks/inventaire.md)" in detail
    assert cure == f"python cli.py index {quiet}"
    assert call(*cure.split()[2:]).exit_code == 0
    assert diagnosis()["pages"]["ok"]


def test_an_index_of_other_vectors(quiet, ollama_url, embedding_model):
    detail, cure = fault(
        "index", AI_EMBEDDING_MODEL=f"ollama:{embedding_model}", OLLAMA_URL=ollama_url
    )
    assert "souffleur-static" in detail
    assert "python cli.py index --full" in cure


def test_a_wrong_dimension(quiet):
    detail, cure = fault("encoder", AI_EMBEDDING_DIMENSION=384)
    assert "768 dimensions, but AI_EMBEDDING_DIMENSION is 384" in detail
    assert "AI_EMBEDDING_DIMENSION=768" in cure


def test_a_disk_that_takes_no_more(quiet):
    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        [*CLI, "doctor", "--json"], capture_output=True, text=True, preexec_fn=full, check=False
    )
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert "takes no new file" in checks["disk"]["detail"]
    assert "free disk space" in checks["disk"]["cure"]
    assert not list(Path(os.environ["HELP_DATA_DIR"]).glob("doctor.*"))


def test_elasticsearch_down(quiet):
    found = diagnosis(ELASTICSEARCH_URL=unused_url())
    assert "cannot be reached" in found["elasticsearch"]["detail"]
    for name in ("index", "cache", "elasticsearch"):
        assert "docker compose up -d elasticsearch" in found[name]["cure"]


@pytest.mark.parametrize("status", [200, 404])
def test_what_answers_is_no_elasticsearch(quiet, status):
    with ScriptedServer([reply(status, {"error": "not found"})] * 20) as server:
        found = diagnosis(ELASTICSEARCH_URL=server.url)
    for name in ("index", "cache", "elasticsearch"):
        assert "is no Elasticsearch" in found[name]["detail"]
        assert "ELASTICSEARCH_URL" in found[name]["cure"]


def test_elasticsearch_with_a_full_disk(quiet, elasticsearch_url, index_prefix):
    index = f"{index_prefix}aide"
    settings = {"ELASTICSEARCH_URL": elasticsearch_url, "ELASTICSEARCH_INDEX": index}
    assert call("index", quiet, **settings).exit_code == 0
    found = diagnosis(**settings)
    assert all(check["ok"] for check in found.values()), found
    assert "minutes ago" in found["index"]["detail"]
    url = f"{elasticsearch_url}/{index}-*/_settings"
    request(url, "PUT", {"index.blocks.read_only_allow_delete": True})
    try:
        assert "nearly full" in diagnosis(**settings)["elasticsearch"]["detail"]
    finally:
        request(url, "PUT", {"index.blocks.read_only_allow_delete": None})


def test_a_missing_model(indexed, ollama_url, ollama_models):
    detail, cure = fault("models", OLLAMA_URL=ollama_url, HELP_MODEL="absent:1b")
    assert "missing: absent:1b" in detail
    assert cure.startswith("ollama pull absent:1b")


def test_what_answers_is_no_ollama(indexed):
    with ScriptedServer([reply(404, {"error": "not found"})]) as server:
        detail, cure = fault("ollama", OLLAMA_URL=server.url)
    assert "no Ollama" in detail
    assert "OLLAMA_URL" in cure


def test_a_remote_server_is_never_touched(indexed):
    done = souffleur("doctor", "--fix", "--json", OLLAMA_URL="http://192.0.2.1:11434")
    found = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert "start Ollama on 192.0.2.1" in found["ollama"]["cure"]
    assert "Nothing here can be mended" in done.stderr


def test_a_hung_program_that_is_no_ollama_is_left_alone(indexed):
    with ScriptedServer([10.0]) as server:
        done = souffleur("doctor", "--fix", OLLAMA_URL=server.url)
    assert done.returncode == 2
    assert "is no Ollama: nothing was done" in done.stderr


def test_a_hung_ollama_is_named_and_revived(indexed, own_ollama, chat_model):
    settings = {"OLLAMA_URL": own_ollama.url, "HELP_MODEL": chat_model}
    assert diagnosis(**settings)["generation"]["ok"]
    server = psutil.Process(own_ollama.pid)
    runners = server.children(recursive=True)
    assert runners

    for runner in runners:  # the interface goes on answering
        runner.send_signal(signal.SIGSTOP)
    detail, cure = fault("generation", **settings)
    assert "Ollama is blocked" in detail
    assert cure == "python cli.py doctor --fix"

    server.send_signal(signal.SIGSTOP)
    detail, cure = fault("ollama", **settings)
    assert "it is blocked" in detail

    before, times = server.environ(), []
    start = time.monotonic()
    fixing = subprocess.Popen(
        [*CLI, "doctor", "--fix"],
        env=os.environ | settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with fixing:
        said = [line for line in fixing.stderr if not times.append(time.monotonic() - start)]
    assert fixing.returncode == 0, said
    spent_s = next(at for at, line in zip(times, said, strict=True) if "writes again" in line)
    assert not server.is_running()
    assert wait_until(lambda: not any(runner.is_running() for runner in runners), 5)
    port = int(own_ollama.url.rpartition(":")[2])
    (new,) = (
        psutil.Process(one.pid)
        for one in psutil.net_connections("tcp")
        if one.status == psutil.CONN_LISTEN and one.laddr.port == port
    )
    assert new.environ() == before
    assert spent_s < REVIVED_S

    new.kill()
    new.wait(10)
    found = diagnosis(**settings)
    assert "nothing listens" in found["ollama"]["detail"]


def test_a_model_that_needs_more_memory_than_there_is():
    check = memory_check(psutil.virtual_memory().total * 2, None, True)
    assert not check.ok
    assert "smaller model" in check.cure


def test_a_look_that_hangs_does_not_hold_the_others():
    def hangs():
        time.sleep(30)
        yield Check("slow", True, "")

    start = time.monotonic()
    found = side_by_side({"slow": hangs, "fast": lambda: [Check("fast", True, "")]}, 0.5)
    assert time.monotonic() - start < 5
    assert [(check.name, check.ok) for check in found] == [("slow", False), ("fast", True)]


def test_performance_asks_three_questions_against_the_targets(indexed):
    with serving(FAST) as (url, _):
        done = call("doctor", "--performance", "--json", OLLAMA_URL=url)
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)
        assert (found["questions"], found["degraded"]) == (3, 0)
        assert 0 < found["mean_s"] <= found["max_s"] < 10
        questions = indexed.parent / "questions.txt"
        questions.write_text('Comment créer un client ?\n\n{"question": "Inventaire ?"}\n')
        done = call("doctor", "--performance", questions, OLLAMA_URL=url)
    assert "0/2" in done.stdout
    assert "Inventaire ?" in done.stdout
    done = call("doctor", "--performance", "--json", OLLAMA_URL=unused_url())
    assert done.exit_code == 1
    assert json.loads(done.stdout)["degraded"] == 3


def test_the_scripts_call_the_commands(indexed):
    settings = os.environ | {"HELP_DEGRADED_MODE": "true"}
    for script, told in {
        "test_ollama_direct.py": "generation",
        "test_help_performance.py": "degraded",
        "restart_ollama.sh": "Nothing here can be mended",
    }.items():
        runner = ["sh"] if script.endswith(".sh") else [sys.executable]
        done = subprocess.run(
            [*runner, ROOT / "scripts" / script],
            check=False,
            env=settings,
            capture_output=True,
            text=True,
        )
        assert told in done.stdout + done.stderr, done.stderr


def pulled(*lines: dict) -> ScriptedServer:
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    return ScriptedServer([head + body])


def test_a_model_is_pulled_with_its_progress():
    steps = ({"status": "pulling", "completed": 5, "total": 10}, {"status": "success"})
    with pulled(*steps) as server:
        assert list(OllamaServer(server.url).pull("m")) == [(5, 10), (0, 0)]
        assert b'"model":"m"' in server.requests[0].replace(b" ", b"")
    with (
        pulled({"error": "pull model manifest: file does not exist"}) as server,
        pytest.raises(ModelUnavailable, match="manifest"),
    ):
        list(OllamaServer(server.url).pull("m"))
