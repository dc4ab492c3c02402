"""The wheel in an empty environment: four packages, and every way in from any folder."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.packaging.environments import ROOT, Environment
from tests.scripted import wait_until

PACKAGES = {"ai_assistant", "indexer", "rag", "souffleur"}
LISTENS = re.compile(r"http://127\.0\.0\.1:(\d+)")
PAGE = "# Créer un client\n\nOuvrez **Clients**, puis cliquez sur **Nouveau client**.\n"


def test_the_names_that_are_installed_are_four(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        tops = {name.partition("/")[0] for name in packed.namelist()}
    assert {name for name in tops if not name.endswith(".dist-info")} == PACKAGES


def test_every_file_of_the_packages_travels(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        held = set(packed.namelist())
    tracked = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert {name for name in tracked if (ROOT / name).exists()} <= held
    pages = {path.relative_to(ROOT / "corpus") for path in ROOT.glob("corpus/**/*.md")}
    assert {f"souffleur/sample_pages/{path.as_posix()}" for path in pages} <= held


def test_the_demonstration_answers_from_any_folder(installed: Environment) -> None:
    done = installed.run("souffleur", "demo")
    assert done.returncode == 0, done.stderr
    assert "Nouveau client" in done.stdout and "\nSources" in done.stdout
    assert "souffleur index FOLDER" in done.stdout and "cli.py" not in done.stdout
    assert not list(installed.home.glob("**/*.sqlite3"))  # nothing is left behind


@pytest.fixture
def site(installed: Environment, tmp_path: Path) -> dict[str, str]:
    """The settings of a site whose one page is indexed by the installed program."""
    pages = tmp_path / "aide"
    pages.mkdir()
    (pages / "creer.md").write_text(PAGE, "utf-8")
    settings = {"HELP_DATA_DIR": str(tmp_path / "data"), "HELP_DEGRADED_MODE": "true"}
    done = installed.run("souffleur", "index", str(pages), **settings)
    assert done.stdout.startswith("1 page, "), done.stderr
    return settings


def test_a_question_is_answered(installed: Environment, site: dict[str, str]) -> None:
    done = installed.run("souffleur", "ask", "Comment créer un client ?", "--json", **site)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["page_effective"] == "creer.md"


def test_a_server_starts_and_stops(installed: Environment, site: dict[str, str]) -> None:
    log = installed.home / "serve.log"
    with log.open("w") as written:
        server = subprocess.Popen(
            [installed.program("souffleur"), "serve", "--port", "0"],
            cwd=installed.home,
            env=installed.variables(**site),
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        assert wait_until(lambda: bool(LISTENS.search(log.read_text())), 60), log.read_text()
        port = LISTENS.findall(log.read_text())[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=20) as answer:
            assert answer.status == 200
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/widget.js", timeout=20) as answer:
            assert answer.status == 200  # the files beside the code are there
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def test_the_face_is_that_of_the_architecture(installed: Environment, site: dict[str, str]) -> None:
    program = (
        "import asyncio\n"
        "from souffleur import Settings, cosine_similarity, generate_embedding\n"
        "from souffleur import get_similar_chunks, index_folder, load_settings, open_assistant\n"
        "from rag import get_similar_chunks as before\n"
        "from ai_assistant.utils.embedding_utils import generate_embedding as embedding\n"
        "assert before is get_similar_chunks\n"
        "assert index_folder('aide').chunks == 1\n"
        "hit = get_similar_chunks('Comment créer un client ?', k=3)[0]\n"
        "assert hit.chunk.page == 'creer.md'\n"
        "vector = generate_embedding('client')\n"
        "assert cosine_similarity(vector, embedding('client')) > 0.999\n"
        "async def answered():\n"
        "    async with open_assistant(Settings(degraded_mode=True)) as assistant:\n"
        "        return await assistant.answer('Comment créer un client ?')\n"
        "print(asyncio.run(answered()).sources[0].page)\n"
    )
    folder = Path(site["HELP_DATA_DIR"]).parent
    (installed.home / "aide").symlink_to(folder / "aide")
    done = installed.run("python", "-c", program, **site)
    assert (done.returncode, done.stdout) == (0, "creer.md\n"), done.stderr


@pytest.mark.parametrize(
    ("command", "cure"),
    [
        (["ask", "Comment créer un client ?"], "souffleur index FOLDER"),
        (["cache", "unpin", "abc"], "souffleur cache list"),
        (["backup", "archive"], "souffleur index FOLDER"),
    ],
)
def test_cures_are_told_in_the_words_of_what_is_installed(
    installed: Environment, tmp_path: Path, command: list[str], cure: str
) -> None:
    done = installed.run("souffleur", *command, HELP_DATA_DIR=str(tmp_path / "nothing"))
    assert cure in done.stderr
    assert "cli.py" not in done.stderr


def test_an_optional_part_is_installed_from_the_distribution(
    installed: Environment, site: dict[str, str]
) -> None:
    program = (
        "import sys\n"
        "sys.modules['matplotlib'] = None\n"
        "from souffleur import cli\n"
        "cli.main(['benchmark', '--retrieval-benchmark', '--plot', 'times.png'])\n"
    )
    done = installed.run("python", "-c", program, **site)
    assert "pip install 'souffleur-help[plot]'" in done.stderr
