"""The command line as people and programs use it: output, exit codes, and errors that help."""

from __future__ import annotations

import json
import os
import pty
import shutil
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from souffleur import cli
from tests.commands import CLI, souffleur
from tests.pages import PAGES, write_pages
from tests.scripted import END, HEAD, ScriptedServer, line, unused_url

QUESTION = "Comment créer un client ?"
START_UP_S = 2.0  # Python, numpy and a model's load, on a busy machine
ANSWER_FIELDS = [
    *("text", "page_effective", "see_also", "degraded", "reason", "sources", "retrieved"),
    *("actions", "cached", "legs", "timings", "answered", "truncated", "more"),
    *("unsupported", "model", "usage", "talk", "confidence"),
]


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small pages in a working folder without other settings."""
    monkeypatch.chdir(tmp_path)
    return write_pages(tmp_path / "pages")


@pytest.fixture
def indexed(pages: Path) -> Path:
    call("index", str(pages))
    return pages


@pytest.fixture(scope="session")
def corpus_index(corpus_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the sample pages in it."""
    folder = tmp_path_factory.mktemp("data")
    assert souffleur("index", corpus_folder, cwd=folder, HELP_DATA_DIR=folder).returncode == 0
    return folder


@pytest.fixture
def corpus_data(corpus_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample pages' index as this test's own."""
    monkeypatch.setenv("HELP_DATA_DIR", str(shutil.copytree(corpus_index, tmp_path / "data")))
    monkeypatch.chdir(tmp_path)


def call(*arguments: str) -> Result:
    """Run a command in this process, as fast as can be."""
    return CliRunner().invoke(cli.main, list(arguments))


def failed(result: Result) -> str:
    """Return what a failed command says."""
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.mark.parametrize("command", [[], ["index"], ["search"], ["ask"], ["chat"]])
def test_every_command_has_its_help(command: list[str]) -> None:
    result = call(*command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage:")
    assert call().stdout == call("--help").stdout


def test_help_comes_at_once() -> None:
    times = []
    for _ in range(3):
        start = time.monotonic()
        assert souffleur("--help").returncode == 0
        times.append(time.monotonic() - start)
    assert min(times) < 0.5


def test_index_reports_in_words_and_a_second_run_writes_nothing(pages: Path) -> None:
    first = souffleur("index", pages)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("3 pages,")
    assert ": 0 written" in souffleur("index", pages).stdout


def test_index_reports_to_machines_under_the_names_agreed(pages: Path) -> None:
    (pages / "vide.md").write_text("")
    done = souffleur("index", pages, "--json")
    report = json.loads(done.stdout)
    names = ["pages", "chunks", "written", "unchanged", "deleted", "skipped", "seconds"]
    assert list(report) == names
    assert report["skipped"] == [{"page": "vide.md", "reason": "empty"}]
    assert done.returncode == 3
    assert souffleur("index", pages, "--json", "--allow-skips").returncode == 0


def test_skipped_pages_are_listed_and_give_exit_code_3(pages: Path) -> None:
    (pages / "vide.md").write_text("")
    result = call("index", str(pages))
    assert result.exit_code == 3
    assert "vide.md" in result.stderr
    assert "empty" in result.stderr
    assert ", 1 skipped" in result.stdout
    assert call("index", str(pages), "--allow-skips").exit_code == 0


def test_a_dry_run_leaves_no_index(pages: Path) -> None:
    assert "would be written" in call("index", "--dry-run", str(pages)).stdout
    assert "cli.py index" in failed(call("search", "client"))


def test_several_sources_are_indexed(pages: Path) -> None:
    report = json.loads(
        call("index", "--json", str(pages / "clients"), str(pages / "stocks")).stdout
    )
    assert report["pages"] == 3


def test_a_full_run_forgets_the_other_folders(indexed: Path) -> None:
    call("index", "--full", str(indexed / "stocks"))
    hits = json.loads(call("search", "client", "--json").stdout)["hits"]
    assert {hit["page"] for hit in hits} <= {"inventaire.md"}


@pytest.mark.usefixtures("indexed")
def test_search_shows_hits_scores_and_legs() -> None:
    result = call("search", QUESTION, "-k", "2")
    assert result.exit_code == 0
    assert "1. Créer un client" in result.stdout
    assert "knn" in result.stdout
    assert "bm25" in result.stdout
    assert "3. " not in result.stdout


@pytest.mark.usefixtures("indexed")
def test_search_answers_machines_under_the_names_agreed() -> None:
    done = souffleur("search", QUESTION, "-k", 3, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    hits = json.loads(done.stdout)["hits"]
    names = ["rank", "score", "page", "title", "heading", "url", "text", "legs"]
    assert [list(hit) for hit in hits] == [names] * len(hits)
    assert [hit["rank"] for hit in hits] == list(range(1, len(hits) + 1))
    assert hits[0]["page"] == "clients/creer.md"
    assert set(hits[0]["legs"]) == {"knn", "bm25"}


@pytest.mark.usefixtures("indexed")
def test_a_search_that_finds_nothing_gives_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_ENABLE_EMBEDDINGS", "false")
    assert call("search", "xylophone").exit_code == 1
    result = call("search", "xylophone", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (1, {"hits": []})
    for question in ("", "?", "🍷"):
        assert call("search", question).exit_code == 1


@pytest.mark.usefixtures("indexed")
def test_without_embeddings_words_alone_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_ENABLE_EMBEDDINGS", "false")
    hits = json.loads(call("search", QUESTION, "--json").stdout)["hits"]
    assert hits
    assert {leg for hit in hits for leg in hit["legs"]} == {"bm25"}
    answer = json.loads(call("ask", QUESTION, "--no-llm", "--json").stdout)
    assert answer["legs"] in (["bm25"], [])


@pytest.mark.usefixtures("corpus_data")
def test_ask_without_a_model_shows_steps_and_sources() -> None:
    done = souffleur("ask", QUESTION, "--no-llm")
    assert done.returncode == 0
    assert "[1]" in done.stdout
    assert "1. " in done.stdout
    assert "Sources" in done.stdout
    assert "Extrait" in done.stdout


@pytest.mark.usefixtures("corpus_data")
def test_ask_answers_machines_under_the_names_agreed() -> None:
    done = souffleur("ask", QUESTION, "--no-llm", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(answer) == sorted(ANSWER_FIELDS)
    assert answer["degraded"] is True
    assert "désactivée" in answer["reason"]
    assert answer["page_effective"] == "clients/creer-un-client.md"
    assert list(answer["sources"][0]) == ["n", "title", "heading", "url", "page", "score"]
    assert answer["cached"] is None
    assert answer["timings"]["total_ms"] > 0
    assert answer["legs"] == ["bm25", "knn"]


@pytest.mark.usefixtures("corpus_data")
def test_a_question_that_no_page_answers_gives_exit_code_1() -> None:
    result = call("ask", "quelle est la capitale de la Mongolie", "--no-llm")
    assert result.exit_code == 1
    assert "pas trouvé" in result.stdout
    assert "Les pages les plus proches" in result.stdout


@pytest.mark.usefixtures("corpus_data")
def test_an_empty_question_is_met_with_an_example() -> None:
    for question in ("", "  \n"):
        result = call("ask", question, "--no-llm")
        assert result.exit_code == 1
        assert "Comment créer un client" in result.stdout


@pytest.mark.usefixtures("corpus_data")
def test_a_question_of_a_megabyte_is_refused() -> None:
    for arguments in (["--no-llm"], ["--no-llm", "--json"]):
        said = failed(call("ask", "mot " * 250_000, *arguments))
        assert "characters" in said
        assert len(said) < 500


def answered(settings: dict[str, object], *arguments: str) -> tuple[dict, float]:
    start = time.monotonic()
    done = souffleur("ask", QUESTION, "--json", *arguments, **settings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), time.monotonic() - start


@pytest.mark.usefixtures("corpus_data")
def test_a_real_model_writes_the_answer(ollama_url: str, chat_model: str) -> None:
    answer, _ = answered({"OLLAMA_URL": ollama_url, "HELP_MODEL": chat_model})
    # the tiny model writes what the pages may not support; that it wrote is what counts
    assert answer["usage"]["output_tokens"] > 0
    assert answer["reason"] is None or "étayaient" in answer["reason"]
    assert answer["text"].strip()
    assert answer["legs"] == ["bm25", "knn"]
    assert answer["sources"][0]["page"] == answer["page_effective"]
    assert answer["timings"]["total_ms"] > 0


@pytest.mark.usefixtures("corpus_data")
def test_a_real_answer_is_printed_once_with_its_sources(ollama_url: str, chat_model: str) -> None:
    settings = {"OLLAMA_URL": ollama_url, "HELP_MODEL": chat_model}
    streamed = souffleur("ask", QUESTION, **settings)
    whole = souffleur("ask", QUESTION, AI_ENABLE_STREAMING="false", **settings)
    text = answered(settings)[0]["text"]
    for done in (streamed, whole):
        assert done.returncode == 0
        assert "Sources" in done.stdout
        assert "Extrait de l’aide :" not in done.stdout
        # the first line is a heading, which the sources name too
        assert done.stdout.count(max(text.split("\n"), key=len)[:40]) == 1


@pytest.mark.usefixtures("corpus_data")
@pytest.mark.parametrize("model", ["endless_model", "slow_model"])
def test_an_endless_model_is_cut_in_time(
    ollama_url: str, model: str, request: pytest.FixtureRequest
) -> None:
    name = request.getfixturevalue(model)
    timeout_s = 3  # a process that has just started searches in a third of it
    answer, spent_s = answered(
        {"OLLAMA_URL": ollama_url, "HELP_MODEL": name, "HELP_TIMEOUT": timeout_s}
    )
    assert answer["timings"]["total_ms"] <= timeout_s * 1000 + 200
    assert spent_s <= timeout_s + 0.2 + START_UP_S
    assert answer["truncated"] or answer["reason"]


@pytest.mark.usefixtures("corpus_data")
def test_a_missing_model_gives_the_extract_and_its_reason(ollama_url: str) -> None:
    answer, _ = answered({"OLLAMA_URL": ollama_url, "HELP_MODEL": "absent"})
    assert answer["degraded"]
    assert "pas installé" in answer["reason"]
    assert "Nouveau client" in answer["text"]


@pytest.mark.usefixtures("corpus_data")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Cela coûte 45 euros par mois [1].", "n’étayaient pas le texte"),
        ("Open the list and click on the button to save your new client.", "autre langue"),
        ("Cliquez sur Nouveau client. Cela coûte 45 euros par mois.", "phrases que l’aide"),
    ],
)
def test_what_became_of_the_model_s_words_is_told(text: str, told: str) -> None:
    script = [HEAD, line(text), line(done=True, done_reason="stop"), END]
    with ScriptedServer(script) as server:
        for streaming in ("true", "false"):
            settings = {"OLLAMA_URL": server.url, "AI_ENABLE_STREAMING": streaming}
            done = souffleur("ask", QUESTION, AI_CACHE_ENABLED="false", **settings)
            assert done.returncode == 0
            assert done.stdout.count(told) == 1


@pytest.mark.usefixtures("corpus_data")
def test_no_ollama_gives_the_extract_at_once() -> None:
    answer, spent_s = answered({"OLLAMA_URL": unused_url()})
    assert answer["degraded"]
    assert answer["timings"]["total_ms"] < 1000
    assert spent_s < 1.0 + START_UP_S


@pytest.mark.usefixtures("pages")
def test_a_command_before_any_index_says_how_to_make_one() -> None:
    for command in (["search", "client"], ["ask", "client"], ["ask", "client", "--json"]):
        assert "python cli.py index corpus/" in failed(call(*command))


@pytest.mark.usefixtures("pages")
def test_a_source_that_is_not_there_is_named() -> None:
    Path("empty").mkdir()
    assert "absent" in failed(call("index", "absent"))
    assert "no help page there" in failed(call("index", "empty"))
    assert "known are" in failed(call("index", cli.__file__))


def test_a_wrong_setting_is_named_with_its_variable(pages: Path) -> None:
    (pages.parent / ".env").write_text("HELP_TIMEOUT=ten\n")
    for command in (["index", str(pages)], ["search", "x"], ["ask", "x"]):
        assert "HELP_TIMEOUT = 'ten'" in failed(call(*command))


def test_an_elasticsearch_that_does_not_answer_is_named(
    pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELASTICSEARCH_URL", unused_url())
    for command in (["index", str(pages)], ["search", "x"], ["--setup-elasticsearch"]):
        assert "ELASTICSEARCH_URL" in failed(call(*command))


@pytest.mark.usefixtures("pages")
def test_elasticsearch_without_its_address_is_explained() -> None:
    assert "ELASTICSEARCH_URL is not set" in failed(call("--setup-elasticsearch"))


def test_elasticsearch_can_be_set_up_twice_and_used(
    pages: Path, elasticsearch_url: str, index_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELASTICSEARCH_URL", elasticsearch_url)
    monkeypatch.setenv("ELASTICSEARCH_INDEX", f"{index_prefix}aide")
    first, second = call("--setup-elasticsearch"), call("--setup-elasticsearch")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert f"{index_prefix}aide" in first.stdout
    assert first.stdout != second.stdout
    assert call("index", str(pages)).exit_code == 0
    assert call("--setup-elasticsearch").exit_code == 0
    hits = json.loads(call("search", QUESTION, "--json").stdout)["hits"]
    assert hits[0]["page"] == "clients/creer.md"


def test_an_index_of_another_encoder_is_refused(
    indexed: Path, ollama_url: str, embedding_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_EMBEDDING_MODEL", f"ollama:{embedding_model}")
    monkeypatch.setenv("OLLAMA_URL", ollama_url)
    for command in (["index", str(indexed)], ["search", "client"], ["ask", "client"]):
        said = failed(call(*command))
        assert "souffleur-static" in said
        assert f"ollama:{embedding_model}" in said
        assert "--full" in said
    assert call("index", "--full", str(indexed)).exit_code == 0
    assert call("search", QUESTION).exit_code == 0


def test_a_damaged_index_is_explained(indexed: Path) -> None:
    Path(os.environ["HELP_DATA_DIR"], "index.sqlite3").write_bytes(b"junk" * 5000)
    assert "index" in failed(call("search", "client"))
    failed(call("index", str(indexed)))


@pytest.mark.usefixtures("pages")
def test_a_traceback_is_shown_only_to_who_asks_for_it() -> None:
    plain, debugged = souffleur("search", "client"), souffleur("--debug", "search", "client")
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debugged.stderr
    assert (plain.returncode, debugged.returncode) == (2, 2)
    assert debugged.stderr.strip().endswith(plain.stderr.strip())


@pytest.mark.parametrize("arguments", [["search"], ["search", "x", "-k", "0"], ["nonsense"]])
def test_a_wrong_use_gives_exit_code_2(arguments: list[str]) -> None:
    assert "Usage:" in failed(call(*arguments))


def test_control_characters_of_pages_do_not_reach_the_terminal(pages: Path) -> None:
    evil = "# Le tonnelier \x1b[31m\x07\n\nLe tonnelier \x1b]0;pris\x07 répare\x9b2J \u202e.\n"
    write_pages(pages, {"evil.md": evil})
    call("index", str(pages))
    for command in (["search", "tonnelier"], ["ask", "le tonnelier", "--no-llm"]):
        shown = call(*command).stdout
        assert "tonnelier" in shown
        assert not set("\x1b\x07\x9b\u202e") & set(shown)


def test_data_that_cannot_be_written_is_explained(
    pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("taken").write_text("a file")
    monkeypatch.setenv("HELP_DATA_DIR", "taken/below")
    assert "taken" in failed(call("index", str(pages)))


def on_a_terminal(*arguments: str) -> str:
    """Run a command on a terminal of its own, and return what that shows."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(CLI[0], [*CLI, *arguments])
    shown = b""
    try:
        while data := os.read(terminal, 65536):
            shown += data
    except OSError:  # Linux says so that the other side has gone
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return shown.decode()


def test_a_progress_bar_is_shown_on_a_terminal_only(pages: Path) -> None:
    write_pages(pages, {f"p{n}.md": text for n in range(10) for text in PAGES.values()})
    assert "Pages" not in souffleur("index", pages).stderr
    shown = on_a_terminal("index", "--full", str(pages))
    assert "Pages  [" in shown
    assert "100%" in shown
