"""`verify`, `backup`, `restore` and `index --rollback` as owners use them, on both stores."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rag.config.settings import load_settings
from souffleur import cli
from tests.contract.answers import settle
from tests.pages import PAGES, write_pages

QUESTION = "Comment créer un client ?"
ANSWER = "Ouvrez Clients."


@pytest.fixture(params=["sqlite", "elasticsearch"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "elasticsearch":
        use_elasticsearch(request, monkeypatch, "aide")
    return request.param


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HELP_DATA_DIR", str(tmp_path / "data"))
    return write_pages(tmp_path / "pages", PAGES) or tmp_path / "pages"


@pytest.fixture
def indexed(kind: str, folder: Path) -> Iterator[Path]:
    call("index", "pages")
    yield folder


def use_elasticsearch(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("ELASTICSEARCH_URL", request.getfixturevalue("elasticsearch_url"))
    prefix = request.getfixturevalue("index_prefix")
    monkeypatch.setenv("ELASTICSEARCH_INDEX", f"{prefix}{name}")


def call(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli.main, list(arguments))
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def checks(code: int = 0) -> dict[str, dict]:
    found = json.loads(call("verify", "--json", code=code).stdout)["checks"]
    return {check["name"]: check for check in found}


def found() -> list[str]:
    return [hit["page"] for hit in json.loads(call("search", "client", "--json").stdout)["hits"]]


def kept() -> list[str]:
    settle(load_settings())
    return [
        entry["text"] for entry in json.loads(call("cache", "list", "--json").stdout)["answers"]
    ]


def pin() -> None:
    call("cache", "pin", QUESTION, "--answer", ANSWER, "--page", next(iter(PAGES)))
    settle(load_settings())


def test_an_index_as_it_should_be_is_verified(indexed: Path) -> None:
    pin()
    found = checks()
    assert set(found) == {"chunks", "vectors", "search", "encoder", "pages", "answers"}
    assert found["answers"]["detail"].startswith("1 kept")
    assert call("verify").stdout.count("✓") == 6


def test_what_no_longer_agrees_is_named_with_its_cure(indexed: Path) -> None:
    changed, gone = sorted(PAGES)[:2]
    (indexed / changed).write_text("# Autre\n\nTout autre.\n")
    (indexed / gone).unlink()
    (indexed / "neuve.md").write_text("# Neuve\n\nUne page neuve.\n")
    pages = checks(code=1)["pages"]
    assert not pages["ok"]
    for text in (f"changed: {changed}", f"gone: {gone}", "new: neuve.md"):
        assert text in pages["detail"]
    assert pages["cure"].startswith("python cli.py index ")
    call("index", str(indexed))
    assert checks()["pages"]["ok"]


def test_without_an_index_the_command_that_makes_one_is_named() -> None:
    (only,) = checks(code=1).values()
    assert "cli.py index" in only["cure"]


def test_a_run_is_taken_back_from_the_command_line(indexed: Path) -> None:
    before = found()
    call("index", "--full", str(write_one(indexed)))
    assert found() != before
    said = call("index", "--rollback").stdout
    assert f"Back to {len(PAGES)} pages" in said
    assert found() == before
    call("index", "--rollback", str(indexed), code=2)
    call("index", code=2)


def test_a_backup_brings_everything_back(indexed: Path, tmp_path: Path) -> None:
    pin()
    call("optimize", "--disable-streaming")
    before, archive = found(), tmp_path / "sauvegarde.zip"
    done = json.loads(call("backup", str(archive), "--json").stdout)
    assert (done["pages"], done["answers"]) == (len(PAGES), 1)
    call("index", "--full", str(write_one(indexed)))
    call("cache", "clear", "--pinned")
    call("optimize", "--enable-streaming")
    assert (found() != before, kept()) == (True, [])
    assert json.loads(call("restore", str(archive), "--json").stdout) == done
    assert (found(), kept()) == (before, [ANSWER])
    assert "streaming: off" in call("optimize").stdout
    assert checks(code=1)["chunks"]["ok"]  # seule.md is new


def test_the_journals_key_comes_back_where_there_is_none(indexed: Path, tmp_path: Path) -> None:
    key, archive = tmp_path / "data" / "journal.key", tmp_path / "sauvegarde.zip"
    key.parent.mkdir(exist_ok=True)
    key.write_bytes(b"k" * 32)
    call("backup", str(archive))
    assert archive.stat().st_mode & 0o077 == 0
    key.write_bytes(b"x" * 32)
    call("restore", str(archive))
    assert key.read_bytes() == b"x" * 32  # the questions noted since were hashed with it
    key.unlink()
    call("restore", str(archive))
    assert key.read_bytes() == b"k" * 32 and key.stat().st_mode & 0o077 == 0


def test_a_backup_goes_from_one_kind_of_store_to_the_other(
    indexed: Path,
    kind: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pin()
    archive = tmp_path / "sauvegarde.zip"
    call("backup", str(archive))
    monkeypatch.setenv("HELP_DATA_DIR", str(tmp_path / "other"))
    if kind == "sqlite":
        use_elasticsearch(request, monkeypatch, "autre")
    else:
        monkeypatch.delenv("ELASTICSEARCH_URL")
    call("restore", str(archive))
    assert kept() == [ANSWER]
    assert all(check["ok"] for check in checks().values())


def test_what_is_no_backup_is_refused_and_changes_nothing(indexed: Path, tmp_path: Path) -> None:
    before = found()
    nonsense, foreign = tmp_path / "a.zip", tmp_path / "b.zip"
    nonsense.write_bytes(b"PK\x03\x04 nonsense")
    with zipfile.ZipFile(foreign, "w") as packed:
        packed.writestr("../../evil", "x")
    for path in (nonsense, foreign, tmp_path / "absent.zip"):
        assert "cannot be read" in call("restore", str(path), code=2).output
    assert "cannot be written" in call("backup", str(tmp_path / "no" / "b.zip"), code=2).output
    assert found() == before


def write_one(folder: Path) -> Path:
    page = folder / "seule.md"
    page.write_text("# Seule\n\nUne page seule, qui ne dit rien du reste.\n")
    return page
