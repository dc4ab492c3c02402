"""Where each setting in force comes from, and names in the environment that set nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import orjson
from dotenv.parser import parse_stream
from pydantic import AliasChoices, BaseModel
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource

from rag.config.settings import SWITCHES_FILE, Settings, given, shown

ENV_FILE = Path(".env")
OURS = ("HELP_", "AI_ASSISTANT_", "AI_ENABLE_", "AI_CACHE_", "AI_EMBEDDING_")
OTHERS = ("OLLAMA_", "ELASTICSEARCH_", "OPENAI_", "ANTHROPIC_", "AI_")
SIMILAR = 0.85  # above: a misspelt name, and not another program's


@dataclass(frozen=True, slots=True)
class Setting:
    """Hold one setting in force: its name, its value as it may be shown, where it was set."""

    name: str
    value: str
    origin: str


def all_settings(settings: Settings) -> list[Setting]:
    """Return the settings in force, the server's too, each with where it comes from."""
    from rag.server.settings import load_server_settings

    here = settings.data_dir
    return [*settings_in_force(settings, here), *settings_in_force(load_server_settings(), here)]


def settings_in_force(settings: BaseSettings, data_dir: Path) -> list[Setting]:
    """Return every setting with the place that named it first; secrets stay hidden."""
    sources, names = _sources(type(settings), data_dir), _aliases(type(settings))
    return [
        Setting(names[field][0], _value(settings, field), _origin(settings, field, sources))
        for field in type(settings).model_fields
    ]


def unread_names() -> Iterator[str]:
    """Yield, for each name that looks like a setting and sets nothing, what to do about it."""
    known = _known_names()
    for place, names in {"the environment": set(os.environ), ".env": _env_file_names()}.items():
        for name in sorted(names):
            upper = name.upper()
            if upper in known or not upper.startswith((*OURS, *OTHERS)):
                continue
            near = get_close_matches(upper, known, 1, SIMILAR)
            if near:
                yield f"{name} in {place} sets nothing: write {near[0]}"
            elif upper.startswith("HELP_"):
                yield f"{name} in {place} sets nothing: remove it, or see docs/settings.md"


def unread_lines(path: Path = ENV_FILE) -> list[int]:
    """Return the numbers of the lines of a `.env` that cannot be read."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace") as file:
        return [part.original.line for part in parse_stream(file) if part.error]


def _origin(settings: BaseSettings, field: str, sources: Mapping[str, Mapping[str, Any]]) -> str:
    names = _aliases(type(settings))[field]
    for place, values in sources.items():
        for name in names:
            if values.get(name.lower()) not in {None, ""}:
                return place if name == names[0] else f"{place} ({name})"
    default = type(settings).model_fields[field].default
    return "default" if getattr(settings, field) == default else "given"


def _sources(kind: type[BaseSettings], data_dir: Path) -> dict[str, Mapping[str, Any]]:
    """Return what each place sets, by names in lower case, in the order in which they count."""
    switches: dict[str, Any] = {}
    path = data_dir / SWITCHES_FILE
    if kind is Settings and path.is_file():
        switches = {name.lower(): value for name, value in orjson.loads(path.read_bytes()).items()}
    return {
        "environment": EnvSettingsSource(kind).env_vars,
        "the program around": {name.lower(): text for name, text in given().items()},
        ".env": DotEnvSettingsSource(kind).env_vars,
        "saved switch": switches,
    }


def _aliases(kind: type[BaseModel]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        found[name] = (
            list(map(str, alias.choices))
            if isinstance(alias, AliasChoices)
            else [str(alias or name).upper()]
        )
    return found


def _value(settings: BaseSettings, field: str) -> str:
    value = getattr(settings, field)
    if value is None or value == "":
        return "unset"
    return str(value).lower() if isinstance(value, bool) else shown(str(value))


def _known_names() -> set[str]:
    from rag.server.settings import ServerSettings

    kinds: tuple[type[BaseSettings], ...] = (Settings, ServerSettings)
    return {name for kind in kinds for names in _aliases(kind).values() for name in names}


def _env_file_names() -> set[str]:
    try:
        with ENV_FILE.open(encoding="utf-8", errors="replace") as file:
            return {part.key for part in parse_stream(file) if part.key}
    except OSError:
        return set()
