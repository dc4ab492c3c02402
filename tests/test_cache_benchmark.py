"""`benchmark --cache-benchmark`: what hits and misses cost, in a store of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from rag.config.settings import Settings
from rag.diagnostics import cache_benchmark
from souffleur import cli
from tests.services import request

QUANTILES = ["p50", "p95", "p99", "max"]


@pytest.fixture(params=["sqlite", "elasticsearch"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "sqlite":
        return Settings(data_dir=tmp_path, _env_file=None)
    url = request.getfixturevalue("elasticsearch_url")
    return Settings(data_dir=tmp_path, elasticsearch_url=url, _env_file=None)


def test_hits_and_misses_are_timed_and_no_model_is_called(
    settings: Settings, tmp_path: Path
) -> None:
    steps: list[tuple[int, int]] = []
    section = cache_benchmark.measure_cache(
        settings, 4, lambda *step: steps.append(step), entries=20
    )
    figures = section.figures
    assert (figures["entries"], figures["iterations"], figures["model_calls"]) == (20, 4, 0)
    for name in ("exact_ms", "semantic_ms", "miss_ms"):
        assert list(figures[name]) == QUANTILES
        assert 0 < figures[name]["p50"] <= figures[name]["p95"] <= figures[name]["p99"]
    assert steps[-1] == (20, 20)
    assert "0 calls of a model" in section.lines[-1]
    assert list(tmp_path.iterdir()) == []
    if settings.elasticsearch_url:
        left = request(f"{settings.elasticsearch_url}/souffleur-evaluate-*/_settings")
        assert not left


def test_the_command_prints_the_section(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cache_benchmark, "ENTRIES", 30)
    command = ["benchmark", "--cache-benchmark", "--iterations", "3"]
    found = json.loads(CliRunner().invoke(cli.main, [*command, "--json"]).stdout)
    assert list(found) == ["environment", "cache"]
    assert (found["cache"]["entries"], found["cache"]["iterations"]) == (30, 3)
    shown = CliRunner().invoke(cli.main, command).stdout
    assert "identical" in shown
    assert "3 questions of each kind among 30 kept answers" in shown
