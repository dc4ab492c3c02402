"""Settings come from the environment, then `.env`, then the saved switches; mistakes are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.config.settings import SWITCHES_FILE, Settings, load_settings, shown
from rag.core.errors import ConfigError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder without settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HELP_DATA_DIR")
    return tmp_path


def save_switches(text: str, folder: str = ".souffleur") -> None:
    Path(folder).mkdir(exist_ok=True)
    Path(folder, SWITCHES_FILE).write_text(text)


def failure() -> str:
    with pytest.raises(ConfigError) as wrong:
        load_settings()
    return str(wrong.value)


def test_the_defaults_are_those_of_the_documentation() -> None:
    found = load_settings()
    assert found.ollama_url == "http://127.0.0.1:11434"
    assert (found.model, found.timeout_s, found.keep_alive) == ("phi3:mini", 10.0, "60m")
    assert (found.cache_ttl_s, found.cache_enabled) == (3600, True)
    assert (found.embeddings_enabled, found.streaming_enabled) == (True, True)
    assert (found.embedding_model, found.embedding_dimension) == ("bundled", 768)
    assert found.data_dir == Path(".souffleur")
    assert found.reranker_model is None
    assert not found.uses_elasticsearch


def test_the_environment_wins_over_the_file_and_the_file_over_the_switches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save_switches('{"HELP_MODEL": "saved", "HELP_TIMEOUT": 7, "OLLAMA_KEEP_ALIVE": "5m"}')
    assert load_settings().model == "saved"
    Path(".env").write_text("HELP_MODEL=file\nHELP_TIMEOUT=8\n")
    assert load_settings().model == "file"
    monkeypatch.setenv("HELP_MODEL", "environment")
    found = load_settings()
    assert (found.model, found.timeout_s, found.keep_alive) == ("environment", 8.0, "5m")


@pytest.mark.parametrize("where", ["environment", "file", "argument"])
def test_switches_are_read_in_the_data_folder(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    save_switches('{"HELP_MODEL": "there"}', "elsewhere")
    if where == "argument":
        assert Settings(data_dir=Path("elsewhere")).model == "there"
        return
    if where == "environment":
        monkeypatch.setenv("HELP_DATA_DIR", "elsewhere")
    else:
        Path(".env").write_text("HELP_DATA_DIR=elsewhere")
    assert load_settings().model == "there"


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("AI_CACHE_TIMEOUT", "60", "cache_ttl_s", 60),
        ("AI_ASSISTANT_CACHE_TIMEOUT", "61", "cache_ttl_s", 61),
        ("AI_ASSISTANT_CACHE_ENABLED", "false", "cache_enabled", False),
        ("AI_ASSISTANT_ENABLE_EMBEDDINGS", "0", "embeddings_enabled", False),
        ("AI_ASSISTANT_EMBEDDING_MODEL", "ollama:x", "embedding_model", "ollama:x"),
        ("AI_ASSISTANT_EMBEDDING_DIMENSION", "1024", "embedding_dimension", 1024),
        ("AI_RERANKER_MODEL", "x/y", "reranker_model", "x/y"),
        ("AI_ASSISTANT_RERANKER_MODEL", "x/y", "reranker_model", "x/y"),
        ("AI_ASSISTANT_ENABLE_STREAMING", "no", "streaming_enabled", False),
        ("help_timeout", "2.5", "timeout_s", 2.5),
    ],
)
def test_other_names_are_read_too(
    name: str, value: str, field: str, expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert getattr(load_settings(), field) == expected


def test_the_first_of_two_names_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_CACHE_TIMEOUT", "1")
    monkeypatch.setenv("HELP_CACHE_TTL", "2")
    assert load_settings().cache_ttl_s == 2


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELP_TIMEOUT", "")
    monkeypatch.setenv("ELASTICSEARCH_URL", "")
    assert load_settings().timeout_s == 10.0
    assert not load_settings().uses_elasticsearch


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HELP_TIMEOUT", "ten"),
        ("HELP_TIMEOUT", "0"),
        ("HELP_TIMEOUT", "-1"),
        ("HELP_TIMEOUT", "nan"),
        ("HELP_TIMEOUT", "inf"),
        ("HELP_CACHE_TTL", "-1"),
        ("AI_EMBEDDING_DIMENSION", "0"),
        ("AI_EMBEDDING_DIMENSION", "768.5"),
        ("AI_ENABLE_EMBEDDINGS", "maybe"),
        ("ELASTICSEARCH_INDEX", "Help Pages"),
        ("HELP_TIMEOUT", "9" * 5000),
    ],
)
@pytest.mark.parametrize("where", ["environment", "file", "switches"])
def test_a_wrong_value_is_named_with_its_variable(
    name: str, value: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == "environment":
        monkeypatch.setenv(name, value)
    elif where == "file":
        Path(".env").write_text(f"{name}={value}\n")
    else:
        save_switches(f'{{"{name}": "{value}"}}')
    said = failure()
    assert name in said
    assert value[:70] in said
    assert len(said) < 500


def test_every_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELP_TIMEOUT", "x")
    monkeypatch.setenv("AI_EMBEDDING_DIMENSION", "y")
    assert "HELP_TIMEOUT" in failure()
    assert "AI_EMBEDDING_DIMENSION" in failure()


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', "3", "\x00"])
def test_unreadable_switches_are_named_by_their_file(text: str) -> None:
    save_switches(text)
    assert SWITCHES_FILE in failure()
    assert "Delete" in failure()


def test_an_unreadable_env_file_is_named() -> None:
    Path(".env").write_bytes(b"HELP_MODEL=\xff\xfe\n")
    assert ".env" in failure()


def test_secrets_are_in_no_representation_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "s3cr3t-of-mine"
    for name in ("OPENAI_API_KEY", "ELASTICSEARCH_API_KEY", "ELASTICSEARCH_PASSWORD"):
        monkeypatch.setenv(name, secret)
    monkeypatch.setenv("ELASTICSEARCH_URL", f"http://me:{secret}@localhost:9200")
    assert secret not in repr(load_settings())
    assert secret not in str(load_settings())
    monkeypatch.setenv("HELP_TIMEOUT", "x")
    assert secret not in failure()


def test_a_secret_of_the_wrong_kind_is_not_shown() -> None:
    save_switches('{"OPENAI_API_KEY": [12345]}')
    assert "OPENAI_API_KEY" in failure()
    assert "12345" not in failure()


def test_a_blank_model_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELP_MODEL", " ")
    assert "HELP_MODEL=phi3:mini" in failure()
    monkeypatch.setenv("HELP_MODEL", " gemma3:1b ")
    assert load_settings().model == "gemma3:1b"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("at http://anne:s@cret@host:1/v1 now", "at http://host:1/v1 now"),
        ("anne:secret@host:1", "host:1"),
        ("http://host:1/v1", "http://host:1/v1"),
        ("Écrivez à anne@host.example : merci", "Écrivez à anne@host.example : merci"),
    ],
)
def test_an_address_is_shown_without_its_password(told: str, expected: str) -> None:
    assert shown(told) == expected
