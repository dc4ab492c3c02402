"""Settings: environment variables, then `.env`, then the switches saved in the data folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    JsonConfigSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from rag.core.errors import ConfigError

BUNDLED_ENCODER = "bundled"
SWITCHES_FILE = "switches.json"
Kind = TypeVar("Kind", bound=BaseSettings)
CREDENTIALS = re.compile(r"(?<=://)\S*@|(?<![\w/])[^\s:/@]+:(?!//)\S*@")

_source: Callable[[], Mapping[str, object]] = dict


def give(source: Callable[[], Mapping[str, object]]) -> None:
    """Have settings read from a function, each time they are: names as the environment has them.

    The environment wins over them; they win over `.env` and the saved switches.
    """
    global _source  # noqa: PLW0603 (one program is around a process)
    _source = source


def given() -> dict[str, str]:
    """Return what is given as the environment would hold it; None and empty texts are left out."""
    texts = {name: _text(value) for name, value in _source().items()}
    return {name: text for name, text in texts.items() if text}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(map(str, value))
    return str(value)


class GivenSource(EnvSettingsSource):
    """Read what the program around Souffleur gives, as if it were the environment."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): text for name, text in given().items()}


class OperatorSettings(BaseSettings):
    """Read settings from the environment, what the program around gives, and `.env`."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, populate_by_name=True, env_ignore_empty=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, the program around, `.env`."""
        return init_settings, env_settings, GivenSource(settings_cls), dotenv_settings


class Settings(OperatorSettings):
    """Hold every setting under the users' names; quantities carry their unit in the description."""

    data_dir: Path = Field(
        Path(".souffleur"),
        validation_alias=AliasChoices("HELP_DATA_DIR"),
        description="Folder of the index, the cache and the saved switches",
    )
    ollama_url: str = Field(
        "http://127.0.0.1:11434",
        validation_alias=AliasChoices("OLLAMA_URL"),
        description="Address of the Ollama server",
    )
    model: str = Field(
        "phi3:mini",
        min_length=1,
        validation_alias=AliasChoices("HELP_MODEL"),
        description="Language model that writes the answers: a model of Ollama, openai:NAME"
        " (any OpenAI-compatible server) or anthropic:NAME",
    )
    fallback_models: str = Field(
        "",
        validation_alias=AliasChoices("HELP_FALLBACK_MODELS"),
        description="Models asked in turn when the first one fails, separated by commas; they"
        " share the one time limit",
    )
    small_talk: Path | None = Field(
        None,
        validation_alias=AliasChoices("HELP_SMALL_TALK"),
        description="TOML file of the site's own replies to thanks, greetings and the like",
    )
    degraded_mode: bool = Field(
        False,
        validation_alias=AliasChoices("HELP_DEGRADED_MODE"),
        description="Whether every answer is an extract: no language model is called",
    )
    parallel: int = Field(
        1,
        ge=1,
        le=64,
        validation_alias=AliasChoices("OLLAMA_NUM_PARALLEL"),
        description="Answers that the model server writes at once (the server's own setting)",
    )
    timeout_s: float = Field(
        10.0,
        gt=0,
        le=600,
        validation_alias=AliasChoices("HELP_TIMEOUT"),
        description="Longest time from question to last word, in seconds",
    )
    keep_alive: str = Field(
        "60m",
        validation_alias=AliasChoices("OLLAMA_KEEP_ALIVE"),
        description="How long Ollama keeps the model in memory after a question",
    )
    cache_ttl_s: int = Field(
        3600,
        ge=0,
        validation_alias=AliasChoices(
            "HELP_CACHE_TTL", "AI_CACHE_TIMEOUT", "AI_ASSISTANT_CACHE_TIMEOUT"
        ),
        description="How long an answer is kept, in seconds",
    )
    cache_enabled: bool = Field(
        True,
        validation_alias=AliasChoices("AI_CACHE_ENABLED", "AI_ASSISTANT_CACHE_ENABLED"),
        description="Whether answers are kept",
    )
    cache_max_entries: int = Field(
        10_000,
        ge=1,
        validation_alias=AliasChoices("HELP_CACHE_MAX_ENTRIES"),
        description="How many answers are kept at most; the least used go first",
    )
    cache_max_bytes: int = Field(
        100_000_000,
        ge=1_000,
        validation_alias=AliasChoices("HELP_CACHE_MAX_BYTES"),
        description="How many bytes the kept answers may take, vectors included",
    )
    embeddings_enabled: bool = Field(
        True,
        validation_alias=AliasChoices("AI_ENABLE_EMBEDDINGS", "AI_ASSISTANT_ENABLE_EMBEDDINGS"),
        description="Whether vectors are searched; false: BM25 alone",
    )
    embedding_model: str = Field(
        BUNDLED_ENCODER,
        validation_alias=AliasChoices("AI_EMBEDDING_MODEL", "AI_ASSISTANT_EMBEDDING_MODEL"),
        description="Encoder: bundled, ollama:NAME, openai:NAME, or a sentence-transformers model",
    )
    embedding_dimension: int = Field(
        768,
        ge=1,
        le=4096,
        validation_alias=AliasChoices("AI_EMBEDDING_DIMENSION", "AI_ASSISTANT_EMBEDDING_DIMENSION"),
        description="Length of the vectors",
    )
    reranker_model: str | None = Field(
        None,
        validation_alias=AliasChoices("AI_RERANKER_MODEL", "AI_ASSISTANT_RERANKER_MODEL"),
        description="Cross-encoder (sentence-transformers name or folder) that reads the best"
        " chunks once more; unset: none",
    )
    streaming_enabled: bool = Field(
        True,
        validation_alias=AliasChoices("AI_ENABLE_STREAMING", "AI_ASSISTANT_ENABLE_STREAMING"),
        description="Whether answers are sent as they are written",
    )
    journal_days: int = Field(
        90,
        ge=0,
        le=3_650,
        validation_alias=AliasChoices("HELP_JOURNAL_DAYS"),
        description="How many days the journal of what was asked is kept, for reports; 0: none",
    )
    journal_texts: bool = Field(
        False,
        validation_alias=AliasChoices("HELP_JOURNAL_TEXTS"),
        description="Whether the journal keeps the words of questions and comments",
    )
    journal_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("HELP_JOURNAL_KEY"),
        description="Key of the questions' hashes in the journal, where several machines share"
        " one; unset: one made in the data folder",
    )
    openai_url: str = Field(
        "https://api.openai.com/v1",
        validation_alias=AliasChoices("OPENAI_BASE_URL"),
        description="Address of an OpenAI-compatible server",
    )
    openai_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("OPENAI_API_KEY"), description="Key of that server"
    )
    anthropic_url: str = Field(
        "https://api.anthropic.com",
        validation_alias=AliasChoices("ANTHROPIC_BASE_URL"),
        description="Address of Anthropic's API",
    )
    anthropic_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("ANTHROPIC_API_KEY"), description="Key of that API"
    )
    elasticsearch_url: str | None = Field(
        None,
        repr=False,  # it may hold a password
        validation_alias=AliasChoices("ELASTICSEARCH_URL"),
        description="Address of Elasticsearch; unset: embedded SQLite",
    )
    elasticsearch_cloud_id: str | None = Field(
        None,
        validation_alias=AliasChoices("ELASTICSEARCH_CLOUD_ID"),
        description="Elastic Cloud id, instead of an address",
    )
    elasticsearch_index: str = Field(
        "souffleur",
        pattern=r"^[a-z0-9][a-z0-9_.-]{0,100}$",
        validation_alias=AliasChoices("ELASTICSEARCH_INDEX"),
        description="Alias of the index",
    )
    elasticsearch_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("ELASTICSEARCH_API_KEY"), description="API key"
    )
    elasticsearch_username: str | None = Field(
        None,
        validation_alias=AliasChoices("ELASTICSEARCH_USERNAME"),
        description="Basic auth: name",
    )
    elasticsearch_password: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("ELASTICSEARCH_PASSWORD"),
        description="Basic auth: password",
    )
    elasticsearch_ca_certs: Path | None = Field(
        None,
        validation_alias=AliasChoices("ELASTICSEARCH_CA_CERTS"),
        description="File of the authority that signed the server's certificate",
    )
    elasticsearch_verify_certs: bool = Field(
        True,
        validation_alias=AliasChoices("ELASTICSEARCH_VERIFY_CERTS"),
        description="Whether the server's certificate is checked",
    )

    @field_validator("model")
    @classmethod
    def _named(cls, name: str) -> str:
        if not name.strip():
            raise ValueError("it names no model; write one, for example HELP_MODEL=phi3:mini")
        return name.strip()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: as above, then saved switches."""
        named = super().settings_customise_sources(
            settings_cls, init_settings, env_settings, dotenv_settings, file_secret_settings
        )
        early: dict[str, Any] = {}
        for source in reversed(named):
            early |= source()
        folder = Path(early.get("HELP_DATA_DIR") or early.get("data_dir") or ".souffleur")
        return *named, _switches(settings_cls, folder)

    @property
    def uses_elasticsearch(self) -> bool:
        """Say whether the index lives in Elasticsearch."""
        return bool(self.elasticsearch_url or self.elasticsearch_cloud_id)


def shown(text: str) -> str:
    """Return a text whose addresses are without the names and passwords that they carried."""
    return CREDENTIALS.sub("", text)


def is_address(url: str) -> bool:
    """Say whether a server can be asked for at a URL; its scheme may be left out."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        return parts.scheme in {"http", "https"} and parts.port != 0 and url.isprintable()
    except ValueError:
        return False


def load_settings() -> Settings:
    """Read the settings. Raises: ConfigError naming the variable that is wrong."""
    return read_settings(Settings, f"in the environment, in .env or in the saved {SWITCHES_FILE}")


def read_settings(kind: type[Kind], places: str) -> Kind:
    """Read settings of a kind from the places named. Raises: ConfigError, as above."""
    try:
        return kind()
    except ValidationError as error:
        raise ConfigError(_explain(error, places)) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"The settings cannot be read in .env: {error}") from None


def _switches(settings_cls: type[BaseSettings], folder: Path) -> PydanticBaseSettingsSource:
    path = folder / SWITCHES_FILE
    try:
        return JsonConfigSettingsSource(settings_cls, json_file=path)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"The saved switches cannot be read: {path}: {error}. Delete the file."
        ) from None


def _explain(error: ValidationError, places: str) -> str:
    lines = [
        f"{fault['loc'][0]}{_shown(str(fault['loc'][0]), fault['input'])}: {fault['msg']}"
        for fault in error.errors()
    ]
    return "Wrong setting:\n  " + "\n  ".join(lines) + f"\nCorrect it {places}."


def _shown(name: str, value: object) -> str:
    secret = any(word in name.upper() for word in ("KEY", "PASSWORD", "SECRET", "URL"))
    return "" if secret else f" = {value!r:.80}"
