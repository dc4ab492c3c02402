"""Ten who ask the same at once, in two processes: one generation, one answer for all."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.config.settings import Settings
from tests.asking import QUESTION, SENTENCE, Site, open_site
from tests.commands import ROOT
from tests.scripted import END, HEAD, line

WRITING_S = 0.8
SLOWLY = [HEAD, WRITING_S, line(SENTENCE), line(done=True, done_reason="stop"), END]
# asks five times at once, at the moment given, and prints what was answered
ASKERS = """
import asyncio, json, sys, time
from rag.api import open_assistant
from rag.config.settings import load_settings

async def ask():
    assistant = open_assistant(load_settings())
    await assistant.answer("Comment faire l'inventaire ?", k=1)  # loads all that is loaded once
    print("ready", flush=True)
    sys.stdin.readline()
    answers = await asyncio.gather(*(assistant.answer(sys.argv[1]) for _ in range(5)))
    print(json.dumps([[a.text, a.cached, a.reason] for a in answers]))
    await assistant.close()

asyncio.run(ask())
"""


@pytest.fixture(params=["sqlite", "elasticsearch"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    settings = Settings(data_dir=tmp_path / "data", _env_file=None)
    if request.param == "elasticsearch":
        url = request.getfixturevalue("elasticsearch_url")
        index = f"{request.getfixturevalue('index_prefix')}aide"
        settings = settings.model_copy(
            update={"elasticsearch_url": url, "elasticsearch_index": index}
        )
    with open_site(settings, tmp_path / "pages", SLOWLY) as opened:
        yield opened


def askers(site: Site, monkeypatch: pytest.MonkeyPatch) -> subprocess.Popen[str]:
    """Start five askers, who wait for a line."""
    values = {
        "HELP_DATA_DIR": site.settings.data_dir,
        "HELP_MODEL": site.settings.model,
        "HELP_TIMEOUT": site.settings.timeout_s,
        "OLLAMA_URL": site.settings.ollama_url,
        "ELASTICSEARCH_URL": site.settings.elasticsearch_url or "",
        "ELASTICSEARCH_INDEX": site.settings.elasticsearch_index,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    return subprocess.Popen(
        [sys.executable, "-c", ASKERS, QUESTION],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def test_ten_at_once_in_two_processes_cost_one_generation(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = [askers(site, monkeypatch) for _ in range(2)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 2
    before = len(site.server.requests)
    start = time.monotonic()
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [one for process in processes for one in json.loads(process.communicate()[0])]
    assert time.monotonic() - start < 2 * WRITING_S + 2
    assert len(answers) == 10
    assert {text for text, _, _ in answers} == {SENTENCE}
    assert sorted(str(cached) for _, cached, _ in answers) == ["None", *["exact"] * 9]
    assert len(site.server.requests) - before == 1


def test_when_the_one_who_writes_is_killed_another_one_writes(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.settings = site.settings.model_copy(update={"timeout_s": 2.0})
    process = askers(site, monkeypatch)
    assert process.stdout.readline() == "ready\n"
    site.server.script = [HEAD, 60.0]
    before = len(site.server.requests)
    process.stdin.write("\n")
    process.stdin.flush()
    end = time.monotonic() + 5
    while len(site.server.requests) == before and time.monotonic() < end:
        time.sleep(0.02)
    process.kill()
    process.communicate()
    site.server.script = SLOWLY
    waited = site.ask(QUESTION, timeout_s=8.0)  # its claim lapses with its deadline
    assert waited.text == SENTENCE
    assert len(site.server.requests) == before + 2
