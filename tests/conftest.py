"""Real services for the tests, and a quiet environment around each of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest

from indexer.pipeline import run
from rag.api import open_retriever
from rag.config.settings import Settings
from rag.core.protocols import Store
from rag.encoders import bundled_encoder
from rag.question import read_question
from rag.retriever import Retriever
from rag.stores.sqlite import SqliteStore
from tests.needs import NEEDS, can_be_imported, needs
from tests.services import (
    CHAT_MODEL,
    ELASTICSEARCH,
    EMBEDDING_MODEL,
    ENDLESS_MODEL,
    OLLAMA,
    SERVICES,
    SLOW_MODEL,
    Node,
    Service,
    ServiceError,
    request,
    running,
)

# What a developer may have set for the application, and tests must not see.
SETTINGS = ("AI_", "ANTHROPIC_", "ELASTICSEARCH_", "HELP_", "OLLAMA_", "OPENAI_")
GIVEN = pytest.StashKey[dict[str, str]]()


def refuses_skips() -> bool:
    """Tell whether this is a run that must have every service: CI, or asked for."""
    no = ("", "0", "false")
    names = ("CI", "REQUIRE_SERVICES")
    return any(os.environ.get(name, "").lower() not in no for name in names)


def clear_settings(patch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(SETTINGS):
            patch.delenv(name)


def pytest_configure(config: pytest.Config) -> None:
    variables = [service.variable for service in SERVICES]
    config.stash[GIVEN] = {name: os.environ[name] for name in variables if os.environ.get(name)}
    # Fixtures wider than a test are made before the per-test fixture below clears anything.
    patch = pytest.MonkeyPatch()
    clear_settings(patch)
    config.add_cleanup(patch.undo)
    for need, told in NEEDS.items():
        config.addinivalue_line("markers", f"{need}: {told}; set by what a test uses")


def pytest_addoption(parser: pytest.Parser) -> None:
    told = "only the tests that need no server, no program, no browser and no torch"
    parser.addoption("--quick", action="store_true", help=told)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Pass over what could not even be imported where little is installed."""
    return True if config.option.quick and not can_be_imported(collection_path) else None


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with what it needs; a quick run leaves those out that need something."""
    left_out = []
    for item in items:
        marks = needs(item)
        for need in marks:
            item.add_marker(need)
        if marks and config.option.quick:
            left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


def pytest_report_header(config: pytest.Config) -> list[str]:
    lines = [f"sqlite: {sqlite3.sqlite_version}"]
    for service in SERVICES:
        given = config.stash[GIVEN].get(service.variable)
        detail = f"{service.version}, started when a test needs it"
        if given:
            detail = f"{given_version(service, given)} at {given.rpartition('@')[2]}"
        lines.append(f"{service.name}: {detail}")
    return lines


def given_version(service: Service, url: str) -> str:
    try:
        if service is OLLAMA:
            return request(f"{url}/api/version", timeout_s=2.0)["version"]
        return request(url, timeout_s=2.0)["version"]["number"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"unknown version ({error})"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped and refuses_skips():
        terminalreporter.write_line(f"refused: {len(skipped)} skipped, see above", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    passed = session.exitstatus == pytest.ExitCode.OK
    if passed and refuses_skips() and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def unavailable(service: Service, error: ServiceError) -> NoReturn:
    (pytest.fail if refuses_skips() else pytest.skip)(f"{service.name}: {error}")
    raise error


def service_url(service: Service, config: pytest.Config) -> Iterator[str]:
    """Yield the URL given in the environment, or that of a server started for this session."""
    if config.option.quick:
        pytest.skip(f"{service.name} is not for a quick run")
    given = config.stash[GIVEN].get(service.variable)
    if given:
        yield given
        return
    capture = config.pluginmanager.get_plugin("capturemanager")
    with contextlib.ExitStack() as stack:
        try:
            # Minutes pass the first time: progress is shown at once.
            with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
                node = stack.enter_context(running(service))
        except ServiceError as error:
            unavailable(service, error)
        yield node.url


@pytest.fixture(scope="session")
def elasticsearch_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """A real Elasticsearch; use `index_prefix` for the names of indices."""
    yield from service_url(ELASTICSEARCH, pytestconfig)


@pytest.fixture(scope="session")
def ollama_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """A real Ollama; the fixtures below name its models."""
    yield from service_url(OLLAMA, pytestconfig)


@pytest.fixture(scope="session")
def ollama_models(ollama_url: str) -> set[str]:
    """The names of the models that the server has."""
    names = {model["name"] for model in request(f"{ollama_url}/api/tags")["models"]}
    return names | {name.removesuffix(":latest") for name in names}


def available(model: str, models: set[str]) -> str:
    if model not in models:
        pytest.skip(f"the Ollama of OLLAMA_URL has no {model}; unset OLLAMA_URL to have one made")
    return model


@pytest.fixture
def chat_model(ollama_models: set[str]) -> str:
    """A model that answers a sentence or two of French."""
    return available(CHAT_MODEL, ollama_models)


@pytest.fixture
def endless_model(ollama_models: set[str]) -> str:
    """A model that never ends by itself."""
    return available(ENDLESS_MODEL, ollama_models)


@pytest.fixture
def slow_model(ollama_models: set[str]) -> str:
    """A model that never ends and takes its time."""
    return available(SLOW_MODEL, ollama_models)


@pytest.fixture
def embedding_model(ollama_models: set[str]) -> str:
    """A model of 768 dimensions."""
    return available(EMBEDDING_MODEL, ollama_models)


@pytest.fixture
def own_ollama() -> Iterator[Node]:
    """An Ollama of this test's own, which it may kill and start again."""
    try:
        with running(OLLAMA, f"own-{uuid.uuid4().hex[:8]}") as node:
            yield node
    except ServiceError as error:
        unavailable(OLLAMA, error)
    shutil.rmtree(node.folder)


@pytest.fixture(scope="session")
def sentence_transformers() -> ModuleType:
    """The package, which loads torch; a test that has the product load it asks for this."""
    import sentence_transformers

    return sentence_transformers


@pytest.fixture
def index_prefix(elasticsearch_url: str) -> Iterator[str]:
    """A prefix of this test's own; every index that begins with it is removed afterwards."""
    prefix = f"test-{uuid.uuid4().hex[:12]}-"
    yield prefix
    found = request(f"{elasticsearch_url}/{prefix}*/_settings?expand_wildcards=all")
    if found:
        request(f"{elasticsearch_url}/{','.join(found)}", "DELETE")


@pytest.fixture(autouse=True)
def quiet_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give each test a data folder of its own and no setting of the developer's."""
    clear_settings(monkeypatch)
    monkeypatch.setenv("HELP_DATA_DIR", str(tmp_path / "souffleur"))


@pytest.fixture(scope="session")
def corpus_folder() -> Path:
    """The sample help pages."""
    return Path(__file__).parent.parent / "corpus"


@pytest.fixture(scope="session")
def indexed_store(corpus_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The sample pages in SQLite, indexed once for all the tests that only read."""
    store = SqliteStore(tmp_path_factory.mktemp("index") / "index.sqlite3")
    run([corpus_folder], store, bundled_encoder())
    yield store
    store.close()


@pytest.fixture(scope="session")
def retriever(indexed_store: Store) -> Retriever:
    """A retriever over the sample pages with the bundled encoder, its caches filled."""
    opened = open_retriever(Settings(), indexed_store)
    opened.retrieve(read_question("Comment créer un client ?"))
    return opened
