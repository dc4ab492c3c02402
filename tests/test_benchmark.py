"""`benchmark`, and the programs of bench/: what they measure, on a server of known speed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rag.config.settings import Settings
from rag.core.documents import PageRecord
from rag.diagnostics.benchmark import benchmark
from rag.diagnostics.streaming import own_questions
from rag.diagnostics.timings import spread
from souffleur import cli
from tests.commands import ROOT
from tests.office import FAST, serving
from tests.pages import write_pages
from tests.scripted import unused_url, wait_until

EVENTS = ("first_event_ms", "first_token_ms", "last_event_ms")
SPREAD = ["p50", "p95", "mean", "max"]


@pytest.fixture
def indexed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("index", str(write_pages(tmp_path / "pages"))).exit_code == 0


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, list(arguments))


def measured(url: str, monkeypatch: pytest.MonkeyPatch, *options: str) -> dict:
    monkeypatch.setenv("OLLAMA_URL", url)
    result = call("benchmark", "--streaming-benchmark", "--json", *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def check_streaming(found: dict, count: int) -> None:
    """Check that the figures are there, and in the order of the events."""
    assert found["iterations"] == count
    for state in ("warm", "cold"):
        figures = found[state]
        assert figures["questions"] == count
        for name in (*EVENTS, "first_text_ms"):
            assert list(figures[name]) == SPREAD
        for measure in SPREAD:
            times = [figures[name][measure] for name in EVENTS]
            assert times == sorted(times)
            assert times[0] > 0
        assert figures["by_model"] + figures["by_extract"] + figures["unanswered"] == count
        assert figures["by_extract"] == sum(figures["reasons"].values())


def test_streaming_gives_the_time_of_each_event_cold_and_warm(indexed, monkeypatch):
    with serving(FAST) as (url, server):
        figures = measured(url, monkeypatch, "--iterations", "2")
        found = figures["streaming"]
        check_streaming(found, 2)
        assert found["stopped"] == 2
        assert found["stop_to_silence_ms"]["p50"] > 0
        assert server.loads == 1 + 2  # at the start, and for each cold question
    assert found["speed"]["prompt_tokens_per_s"] > 1000
    assert figures["environment"]["settings"]["model"] == "phi3:mini"
    assert figures["environment"]["machine"]["cores"] >= 1


def test_cold_has_the_load_in_it_and_warm_has_not(indexed, monkeypatch):
    with serving(replace(FAST, load_s=0.4)) as (url, _):
        found = measured(url, monkeypatch, "--iterations", "1")["streaming"]
    assert found["cold"]["first_token_ms"]["p50"] > 400
    assert found["warm"]["first_token_ms"]["p50"] < found["cold"]["first_token_ms"]["p50"]


def test_silence_comes_before_the_answer_would_have_ended(indexed, monkeypatch):
    machine = replace(FAST, output_speed=20.0)
    with serving(machine) as (url, server):
        found = measured(url, monkeypatch, "--iterations", "1")["streaming"]
        assert wait_until(lambda: not server.busy, 2)
    rest_ms = (machine.answer_tokens - 3) / machine.output_speed * 1000
    assert found["one_token_ms"]["p50"] > 0
    assert 0 < found["stop_to_silence_ms"]["p50"] < rest_ms


def test_streaming_measures_a_real_ollama(indexed, monkeypatch, ollama_url, chat_model):
    monkeypatch.setenv("HELP_MODEL", chat_model)
    # now and then Ollama 0.17 leaves what follows a broken request unanswered for two minutes
    runs = (measured(ollama_url, monkeypatch, "--iterations", "1") for _ in range(3))
    check_streaming(next(run["streaming"] for run in runs if run["streaming"]["stopped"]), 1)


def test_a_terminal_gets_the_machine_and_a_table(indexed, monkeypatch):
    with serving(FAST) as (url, _):
        monkeypatch.setenv("OLLAMA_URL", url)
        result = call("benchmark", "--streaming-benchmark", "--iterations", "1")
    assert result.exit_code == 0, result.output
    assert "HELP_TIMEOUT=10" in result.stdout
    rows = result.stdout.splitlines()
    for label in ("warm: first token", "cold: last event", "Stop to silence"):
        row = next(row for row in rows if row.startswith(label))
        assert [float(cell) for cell in row.removeprefix(label).split()]


def refused(result: Result) -> str:
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr


def test_without_an_index_nothing_is_measured(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert "python cli.py index" in refused(call("benchmark", "--streaming-benchmark", "--json"))


def test_without_a_model_nothing_is_measured(indexed, monkeypatch):
    monkeypatch.setenv("OLLAMA_URL", unused_url())
    assert "ollama serve" in refused(call("benchmark", "--streaming-benchmark"))
    with serving(FAST) as (url, _):
        monkeypatch.setenv("OLLAMA_URL", url)
        monkeypatch.setenv("HELP_MODEL", "absent")
        assert "ollama pull absent" in refused(call("benchmark", "--streaming-benchmark"))
        monkeypatch.setenv("HELP_DEGRADED_MODE", "true")
        assert "HELP_DEGRADED_MODE" in refused(call("benchmark", "--streaming-benchmark"))


def test_what_cannot_be_measured_leaves_the_rest(indexed):
    settings = Settings(ollama_url=unused_url())
    done = benchmark(["streaming"], settings)
    assert not done.measured
    assert done.figures["streaming"] is None
    assert "ollama serve" in done.failures["streaming"]
    assert done.figures["environment"]["machine"]


def page(name: str, *questions: str) -> PageRecord:
    return PageRecord(name, "/", "h", f"Titre {name}", "", "fr", (), (), questions=questions)


def test_pages_are_asked_in_turn_and_by_their_title_without_questions():
    records = {
        name: page(name, *asked) for name, asked in {"b": ["3", "4"], "a": ["1", "2"]}.items()
    }
    records["c"] = page("c")
    assert own_questions(records, 7) == ["1", "3", "Titre c", "2", "4", "1", "3"]


def test_percentiles_are_times_that_occurred():
    found = spread([4.0, 1.0, 3.0, 2.0])
    assert found == {"p50": 2.0, "p95": 4.0, "mean": 2.5, "max": 4.0}
    assert spread([]) is None


@pytest.mark.parametrize("options", [[], ["--plain"]], ids=["souffleur", "plain"])
def test_bench_latency_says_when_answers_came(options):
    with serving(FAST) as (url, _):
        found = program("bench/latency.py", "--url", url, "--questions", "2", *options)
    assert found["questions"] == 2
    assert 0 < found["first_text_ms"]["p50"] <= found["last_event_ms"]["p50"]
    assert found["prompt_tokens"]["p50"] > found["output_tokens"]["p50"] > 0
    assert options or found["fewest_passages"] >= 3


def test_bench_overhead_has_a_median():
    found = program("bench/overhead.py", "--asks", "40")
    for kind in ("word", "sentence"):
        first, last = found[f"{kind}_seen_first_ms"], found[f"{kind}_seen_last_ms"]
        assert 0 < first["p50"] <= last["p50"] < found[f"{kind}_cold_last_ms"]["p50"]


def program(*command: str) -> dict:
    done = subprocess.run(
        [sys.executable, *command, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    return json.loads(done.stdout)
