"""`cache` and `optimize` as owners use them: what they show, save and refuse."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rag.config.settings import SWITCHES_FILE, Settings
from souffleur import cli
from tests.asking import QUESTION, SENTENCE, WRITES, Site, open_site
from tests.commands import CLI, souffleur
from tests.pages import PAGES
from tests.scripted import line, wait_until

COUNTING = "Comment faire l'inventaire ?"
FIELDS = "key question text age_s expires_in_s hits pages pinned".split()
FIGURES = (
    "entries bytes pinned exact semantic waited missed hit_rate saved_s false_hits warmed oldest"
    " newest pages"
).split()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site whose settings are those of the environment."""
    monkeypatch.chdir(tmp_path)
    settings = Settings(data_dir=tmp_path / "souffleur", _env_file=None)
    with open_site(settings, tmp_path / "pages", WRITES) as opened:
        monkeypatch.setenv("OLLAMA_URL", opened.settings.ollama_url)
        monkeypatch.setenv("HELP_MODEL", opened.settings.model)
        yield opened


def call(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli.main, list(arguments))
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def read(*arguments: str, code: int = 0) -> dict:
    return json.loads(call(*arguments, "--json", code=code).stdout)


def warmed(*options: str) -> dict:
    """Warm in a process of its own, which takes a lower priority."""
    done = souffleur("cache", "warm", "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def listed() -> dict[str, dict]:
    return {row["question"]: row for row in read("cache", "list")["answers"]}


def test_nothing_kept_is_said_and_is_no_error(site: Site) -> None:
    assert "0 answers" in call("cache", "stats").stdout
    assert call("cache", "list").stdout == "No answer is kept.\n"
    assert read("cache", "clear") == {"removed": 0}
    assert read("cache", "stats")["hit_rate"] is None


def test_commands_without_an_index_are_no_error_but_pin_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["stats"], ["list"], ["clear"], ["clear", "--expired"]):
        call("cache", *command)
    said = call("cache", "pin", QUESTION, "--answer", "x", "--page", "a.md", code=2).stderr
    assert "cli.py index" in said


def test_what_is_kept_is_listed_and_added_up(site: Site) -> None:
    for question in (QUESTION, QUESTION, "comment faire pour créer un client"):
        site.ask(question)
    row = listed()[QUESTION]
    assert list(row) == FIELDS
    assert (row["hits"], row["pinned"], row["text"]) == (2, False, SENTENCE)
    assert 3500 < row["expires_in_s"] <= 3600
    assert "clients/creer.md" in row["pages"]
    found = read("cache", "stats")
    assert list(found) == FIGURES
    assert [found[name] for name in ("entries", "exact", "semantic", "missed")] == [1, 1, 1, 1]
    assert found["hit_rate"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["bytes"] > 3_000
    shown = call("cache", "list").stdout.splitlines()
    assert shown[0] == f"{row['key'][:5]}  {QUESTION}"
    assert re.match(r" +expires in (1 h|60 min), \d s old", shown[1])
    assert ", 2 hits; clients/creer.md" in shown[1]
    assert (
        "1 identical, 1 similar, 0 waited for, 1 written (67% hits)"
        in call("cache", "stats").stdout
    )


def test_the_log_names_the_key_that_list_shows(site: Site) -> None:
    site.ask(QUESTION)
    done = souffleur("--debug", "ask", QUESTION)
    key = listed()[QUESTION]["key"][:5]
    form = (
        r"\[INFO\] \d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} rag\.cache\.answers"
        rf" - Réponse récupérée du cache pour la clé: ai_response:{key}\.\.\."
    )
    assert [one for one in done.stderr.splitlines() if re.fullmatch(form, one)]


def test_clear_removes_what_it_is_told(site: Site) -> None:
    site.ask(QUESTION)
    site.ask(COUNTING, cache_ttl_s=1)
    call("cache", "pin", "Où est Claire ?", "--answer", "Ici.", "--page", "clients/creer.md")
    time.sleep(1.1)
    assert read("cache", "clear", "--expired") == {"removed": 1}
    assert set(listed()) == {QUESTION, "Où est Claire ?"}
    assert read("cache", "clear", "--page", "stocks/nulle-part.md") == {"removed": 0}
    assert read("cache", "clear", "--page", "clients/creer.md") == {"removed": 1}
    assert set(listed()) == {"Où est Claire ?"}
    assert call("cache", "clear").stdout == "0 answers removed\n"
    assert call("cache", "clear", "--pinned").stdout == "1 answer removed\n"
    assert listed() == {}
    call("cache", "clear", "--expired", "--pinned", code=2)


def test_a_pinned_answer_is_served_until_its_page_changes(site: Site) -> None:
    Path("claire.txt").write_text("Claire est au chai, poste 12.\n", encoding="utf-8")
    shown = call(
        *("cache", "pin", "Où est Claire ?", "--file", "claire.txt"),
        *("--page", "clients/creer.md", "--page", "stocks/inventaire.md"),
    ).stdout
    assert re.fullmatch(r"pinned [0-9a-f]{5}: Où est Claire \?\n", shown)
    answer = json.loads(call("ask", "ou est claire", "--no-llm", "--json").stdout)
    assert answer["text"] == "Claire est au chai, poste 12."
    assert [s["page"] for s in answer["sources"]] == ["clients/creer.md", "stocks/inventaire.md"]
    assert (answer["cached"], answer["degraded"]) == ("exact", False)
    row = listed()["Où est Claire ?"]
    assert (row["pinned"], row["expires_in_s"], row["hits"]) == (True, None, 1)
    assert call("cache", "list").stdout.splitlines()[1].strip().startswith("pinned,")
    site.index({"stocks/inventaire.md": PAGES["stocks/inventaire.md"] + "\nDeux fois.\n"})
    assert listed() == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--page", "clients/creer.md"],
        ["--answer", "x", "--file", "-", "--page", "clients/creer.md"],
        ["--answer", "  ", "--page", "clients/creer.md"],
        ["--answer", "x"],
        ["--answer", "x", "--page", "absent.md"],
    ],
    ids=["no answer", "two answers", "empty answer", "no page", "unknown page"],
)
def test_a_pin_that_cannot_be_is_refused(site: Site, arguments: list[str]) -> None:
    call("cache", "pin", QUESTION, *arguments, code=2)
    assert listed() == {}


def test_unpin_and_reports_go_by_the_question_or_the_logged_key(site: Site) -> None:
    site.ask(QUESTION)
    site.ask("comment faire pour créer un client")
    assert "not pinned" in call("cache", "unpin", QUESTION, code=2).stderr
    key = listed()[QUESTION]["key"]
    assert read("cache", "report-false-hit", f"ai_response:{key[:5]}...") == {"removed": 1}
    assert site.ask(QUESTION).cached is None
    assert read("cache", "stats")["false_hits"] == 1
    assert "cache list" in call("cache", "report-false-hit", "00000", code=2).stderr
    call("cache", "pin", QUESTION, "--answer", "Ici.", "--page", "clients/creer.md")
    assert read("cache", "unpin", "comment creer un client") == {"removed": 1}
    assert site.ask(QUESTION).text == SENTENCE


@pytest.mark.parametrize(
    ("other", "guard"),
    [
        ("Bonjour, comment creer un client ?", None),
        ("Comment faire pour créer un client ?", None),
        ("Comment supprimer un client ?", "antonym"),
        ("Pourquoi créer un client ?", "interrogative"),
        ("Comment créer 3 clients ?", "number"),
        ("How do I create a client?", "language"),
    ],
)
def test_explain_says_which_guard_says_no(other: str, guard: str | None) -> None:
    found = read("cache", "explain", QUESTION, other, code=0 if guard is None else 1)
    assert list(found) == ["hit", "score", "guard"]
    assert (found["hit"], found["guard"]) == (guard is None, guard)
    assert -1 <= found["score"] <= 1
    said = call("cache", "explain", QUESTION, other, code=0 if guard is None else 1).stdout
    assert said.startswith("hit:" if guard is None else f"no hit: the guard {guard} says no")


def test_explain_shows_what_either_question_had() -> None:
    said = call("cache", "explain", QUESTION, "Comment supprimer un client ?", code=1).stdout
    assert said.splitlines()[1:] == [
        f"  {QUESTION}",
        "    antonym: creer",
        "  Comment supprimer un client ?",
        "    antonym: supprimer",
    ]
    said = call("cache", "explain", QUESTION, "Comment ne pas créer un client ?", code=1).stdout
    assert "negation: not creer" in said


def test_warm_answers_what_the_pages_ask_and_goes_on_where_it_was(site: Site) -> None:
    asked = "---\nquestions:\n  - Où ajouter un acheteur ?\n---\n" + PAGES["clients/creer.md"]
    site.index({"clients/creer.md": asked})
    first = warmed("--limit", "1")
    assert first["answered"] == 1
    assert set(listed()) == {"Où ajouter un acheteur ?"}
    second = warmed()
    assert second["questions"] == 4
    assert second["skipped"] == 1
    assert second["answered"] == 3
    assert second["kept"] + sum(second["not_kept"].values()) == 3
    written = len(site.questions())
    again = warmed()
    assert again["skipped"] == 4 - sum(again["not_kept"].values())
    assert len(site.questions()) - written == again["answered"]
    found = read("cache", "stats")
    assert (found["missed"], found["exact"], found["semantic"]) == (0, 0, 0)
    assert found["warmed"] >= 2
    assert site.ask("Créer un client").cached == "exact"


def test_warm_says_why_answers_were_not_kept(site: Site) -> None:
    site.server.script[2] = line(done=True, done_reason="length")
    done = souffleur("cache", "warm")
    assert "3 questions: 0 kept already, 3 answered, 0 of them kept\n" in done.stdout
    assert "not kept: cut short by the time limit" in done.stdout
    assert listed() == {}


def test_warm_most_asked_takes_what_had_hits(site: Site) -> None:
    site.ask(QUESTION, cache_ttl_s=1)
    site.ask(QUESTION)
    site.ask(COUNTING, cache_ttl_s=1)
    time.sleep(1.1)
    found = warmed("--most-asked")
    assert (found["questions"], found["answered"]) == (1, 1)
    assert site.ask(QUESTION).cached == "exact"


@pytest.mark.parametrize("begun", [1, 4, 7])
def test_warm_stops_at_once_and_keeps_what_it_has(site: Site, begun: int) -> None:
    """While the model loads, at the first answer, and with an answer that was not kept."""
    site.server.script = [WRITES[0], 0.3, *WRITES[1:]]
    pages = {f"p{n}.md": f"# Le client {n}\n\nOuvrez le client {n}.\n" for n in range(40)}
    site.index(pages)
    process = subprocess.Popen(
        [*CLI, "cache", "warm", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # what a script starts in the background ignores Ctrl-C, and so would what it starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert wait_until(lambda: len(site.server.requests) >= begun, 30)
    process.send_signal(signal.SIGINT)
    try:
        said, error = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130
    assert error == ""
    done = json.loads(said)
    assert done["answered"] == done["kept"] + sum(done["not_kept"].values()) < 40
    assert len(listed()) >= done["kept"]


@pytest.mark.parametrize(
    ("settings", "cure"),
    [
        ({"AI_CACHE_ENABLED": "false"}, "--enable-cache"),
        ({"HELP_CACHE_TTL": "0"}, "HELP_CACHE_TTL"),
        ({"HELP_DEGRADED_MODE": "true"}, "HELP_DEGRADED_MODE"),
        ({"OLLAMA_URL": "http://127.0.0.1:9"}, "ollama serve"),
    ],
    ids=["off", "no time to live", "degraded", "no model"],
)
def test_warm_says_when_it_can_do_nothing(
    site: Site, settings: dict[str, str], cure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert cure in call("cache", "warm", code=2).stderr


def saved() -> dict:
    return json.loads(Path(os.environ["HELP_DATA_DIR"], SWITCHES_FILE).read_text())


def test_switches_are_saved_merged_and_obeyed(site: Site) -> None:
    site.ask(QUESTION)
    everything = {"cache": True, "streaming": True, "embeddings": True}
    assert read("optimize") == everything
    assert read("optimize", "--disable-cache")["cache"] is False
    assert json.loads(call("ask", QUESTION, "--json").stdout)["cached"] is None
    call("optimize", "--disable-streaming", "--disable-embeddings")
    assert not any(saved().values())
    assert read("optimize") == dict.fromkeys(everything, False)
    legs = json.loads(call("search", QUESTION, "--json").stdout)["hits"][0]["legs"]
    assert list(legs) == ["bm25"]
    shown = call("optimize", "--enable-cache", "--enable-streaming", "--enable-embeddings").stdout
    assert shown == "cache: on\nstreaming: on\nembeddings: on\n"
    assert json.loads(call("ask", QUESTION, "--json").stdout)["cached"] == "exact"


def test_clear_cache_leaves_what_the_owner_pinned(site: Site) -> None:
    site.ask(QUESTION)
    call("cache", "pin", "Où est Claire ?", "--answer", "Ici.", "--page", "clients/creer.md")
    assert read("optimize", "--clear-cache")["cleared"] == 1
    assert set(listed()) == {"Où est Claire ?"}


@pytest.mark.parametrize("name", ["AI_CACHE_ENABLED", "AI_ASSISTANT_CACHE_ENABLED"])
def test_a_switch_that_the_environment_overrules_is_named(
    site: Site, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "true")
    result = call("optimize", "--disable-cache")
    assert f"{name} in the environment wins" in result.stderr
    assert result.stdout.startswith("cache: on")
    assert saved() == {"AI_CACHE_ENABLED": False}


def test_switches_that_contradict_each_other_save_nothing(site: Site) -> None:
    for part in ("cache", "streaming", "embeddings"):
        call("optimize", f"--enable-{part}", f"--disable-{part}", code=2)
    assert not Path(os.environ["HELP_DATA_DIR"], SWITCHES_FILE).exists()


def test_optimize_sets_elasticsearch_up(
    elasticsearch_url: str, index_prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "ELASTICSEARCH_URL" in call("optimize", "--setup-elasticsearch", code=2).stderr
    monkeypatch.setenv("ELASTICSEARCH_URL", elasticsearch_url)
    monkeypatch.setenv("ELASTICSEARCH_INDEX", f"{index_prefix}aide")
    assert f"{index_prefix}aide" in call("optimize", "--setup-elasticsearch").stdout
    assert read("cache", "stats")["entries"] == 0
