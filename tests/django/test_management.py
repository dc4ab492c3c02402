"""`manage.py`: the command line's commands with the site's settings, and the system checks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.django.project import ROOT, environment, manage
from tests.pages import write_pages

CHECKS = {
    "the site's settings": (
        {
            "SITE_AI_ASSISTANT_CACHE_TIMEOUT": "'soon'",
            "SITE_AI_ASSISTANT_RATE_LIMIT": "'often'",
            "SITE_AI_ASSISTANT_TIMEOUTS": "5",
            "SITE_AI_ASSISTANT_ACCESS": "'site1.rules.everybody'",
        },
        [
            "ai_assistant.E001",
            "AI_ASSISTANT_CACHE_TIMEOUT = 'soon'",
            "Correct AI_ASSISTANT_… names in the site's settings",
            "AI_ASSISTANT_RATE_LIMIT = 'often'",
            "ai_assistant.W001",
            "Did you mean AI_ASSISTANT_TIMEOUT?",
            "ai_assistant.E002",
            "site1.rules.everybody",
        ],
    ),
    "the environment": (
        {"HELP_TIMEOUT": "soon", "SITE_AI_ASSISTANT_TIMEOUT": "5"},
        ["ai_assistant.E001", " HELP_TIMEOUT = 'soon'"],
    ),
    "what is not there": (
        {"SITE_ROOT_URLCONF": "'site1.empty'", "SITE_AI_ASSISTANT_DATA_DIR": "'elsewhere'"},
        ["ai_assistant.W002", "api/help/", "ai_assistant.W003", "manage.py index_help"],
    ),
}


@pytest.fixture
def switched(project: Path) -> Iterator[Path]:
    """The project, whose saved switches are removed afterwards."""
    yield project
    (project / ".souffleur" / "switches.json").unlink(missing_ok=True)


def states(project: Path, *arguments: str, **settings: object) -> dict[str, bool]:
    done = manage(project, "optimize_ai_assistant", "--json", *arguments, **settings)
    assert done.returncode == 0, done.stderr
    found: dict[str, bool] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("case", CHECKS.values(), ids=CHECKS)
def test_a_check_says_what_is_wrong_and_what_cures_it(project: Path, case) -> None:
    settings, said = case
    (project / "site1" / "empty.py").write_text("urlpatterns = []\n", encoding="utf-8")
    done = manage(project, "check", **settings)
    assert done.returncode == any("E00" in part for part in said), done.stderr
    assert [part for part in said if part not in done.stderr] == [], done.stderr


def test_a_sound_site_has_no_issue(project: Path) -> None:
    assert "no issues" in manage(project, "check").stdout


def test_a_switch_is_saved_and_shown(switched: Path) -> None:
    assert states(switched, "--disable-streaming", "--clear-cache")["streaming"] is False
    assert states(switched)["streaming"] is False


def test_environment_then_site_then_saved_switch(switched: Path) -> None:
    site_on = {"SITE_AI_ASSISTANT_ENABLE_STREAMING": "True"}
    done = manage(switched, "optimize_ai_assistant", "--disable-streaming", **site_on)
    assert "streaming: on" in done.stdout and "wins over it" in done.stderr
    assert "AI_ASSISTANT_ENABLE_STREAMING" in done.stderr
    assert states(switched)["streaming"] is False
    assert states(switched, **site_on)["streaming"] is True
    assert states(switched, AI_ENABLE_STREAMING="false", **site_on)["streaming"] is False


def test_contradicting_flags_are_refused(project: Path) -> None:
    done = manage(project, "optimize_ai_assistant", "--enable-cache", "--disable-cache")
    assert done.returncode == 1 and "contradict" in done.stderr


def test_what_elasticsearch_lacks_is_said(project: Path) -> None:
    done = manage(project, "optimize_ai_assistant", "--setup-elasticsearch")
    assert done.returncode == 1 and "ELASTICSEARCH_URL is not set" in done.stderr


@pytest.mark.parametrize("command", ["optimize_ai_assistant", "benchmark_optimizations"])
def test_a_command_has_the_options_of_the_command_line(project: Path, command: str) -> None:
    own = {"optimize_ai_assistant": "optimize", "benchmark_optimizations": "benchmark"}[command]
    cli = [sys.executable, str(ROOT / "cli.py"), own, "--help"]
    wanted = subprocess.run(cli, capture_output=True, text=True, check=True, timeout=60).stdout
    options = {word.strip(",") for word in wanted.split() if word.startswith("--")} - {"--help"}
    shown = manage(project, command, "--help").stdout
    assert options and all(option in shown for option in options), shown


def test_a_benchmark_ends_as_on_the_command_line(project: Path) -> None:
    arguments = ["--streaming-benchmark", "--iterations", 1]
    nowhere = {"SITE_AI_ASSISTANT_OLLAMA_URL": "'http://127.0.0.1:9'"}
    on = {"SITE_AI_ASSISTANT_DEGRADED_MODE": "False"}
    done = manage(project, "benchmark_optimizations", *arguments, **nowhere, **on)
    assert done.returncode == 2 and "Error: streaming: " in done.stderr, done.stderr


def test_pages_are_indexed_where_the_site_says(project: Path, tmp_path: Path) -> None:
    pages = write_pages(tmp_path / "pages")
    data = {"SITE_AI_ASSISTANT_DATA_DIR": repr(str(tmp_path / "data"))}
    done = manage(project, "index_help", pages, "--json", **data)
    assert done.returncode == 0 and json.loads(done.stdout)["pages"] == 3, done.stderr
    assert (tmp_path / "data" / "index.sqlite3").exists()


def test_a_sites_own_tests_ask_through_the_client(project: Path) -> None:
    (project / "site1" / "tests.py").write_text(
        """
import asyncio
from django.test import Client, AsyncClient, SimpleTestCase, override_settings

ASKED = {"path": "/api/help/query", "data": {"question": "Comment créer un client ?"},
         "content_type": "application/json"}

class Help(SimpleTestCase):
    def test_answer(self):
        answered = Client(enforce_csrf_checks=True).post(**ASKED)
        self.assertIn("Nouveau client", answered.json()["text"])

    async def test_answer_awaited(self):
        answers = await asyncio.gather(*(AsyncClient().post(**ASKED) for _ in range(5)))
        self.assertEqual({answered.status_code for answered in answers}, {200})

    @override_settings(AI_ASSISTANT_ACCESS="site1.rules.with_badge_awaited")
    def test_rule_awaited(self):
        client = Client()
        self.assertEqual(client.post(**ASKED).status_code, 403)
        client.cookies["badge"] = "yes"
        self.assertEqual(client.post(**ASKED).status_code, 200)
        self.assertIn("<script", client.get("/page/").content.decode())

    @override_settings(AI_ASSISTANT_ACCESS="site1.rules.nobody")
    def test_rule(self):
        self.assertEqual(Client().post(**ASKED).status_code, 403)
        self.assertNotIn("<script", Client().get("/page/").content.decode())
""",
        encoding="utf-8",
    )
    done = manage(project, "test")
    assert done.returncode == 0 and "Ran 4 tests" in done.stderr, done.stderr


def test_the_script_is_sent_where_a_site_asks_for_a_login(project: Path) -> None:
    asked = "print(Client().get('/api/help/widget.js').status_code)"
    guard = "MIDDLEWARE + ['django.contrib.auth.middleware.LoginRequiredMiddleware']"
    shell = ("shell", "-c", f"from django.test import Client; {asked}")
    assert manage(project, *shell, SITE_MIDDLEWARE=guard).stdout.endswith("200\n")


def test_the_functions_of_sites_need_no_django_and_log_their_time(tmp_path: Path) -> None:
    code = """
import logging, sys
sys.modules["django"] = None  # as where it is not installed
logging.basicConfig(level=logging.DEBUG, format="[%(levelname)s] %(name)s - %(message)s")
from ai_assistant.utils.embedding_utils import (
    cosine_similarity, generate_embedding, get_similar_chunks)
a, b = generate_embedding("créer un client"), generate_embedding("nouveau client")
assert a.shape == (768,) and cosine_similarity(a, b) > 0.5
assert get_similar_chunks("client", ["vin", "un client"], k=1)[0].chunk.text == "un client"
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pattern = r"\[DEBUG\] ai_assistant\.utils\.embedding_utils - Embedding généré en \d+\.\d{3}s"
    assert re.search(pattern, done.stderr), done.stderr
