"""Settings that a command saves: `switches.json` in the data folder, read after everything else."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import orjson

from rag.errors import ConfigError
from rag.given import given
from rag.settings import SWITCHES_FILE, Settings, load_settings

# what can be switched, and the setting's own name
SWITCHES = {
    "cache": "AI_CACHE_ENABLED",
    "streaming": "AI_ENABLE_STREAMING",
    "embeddings": "AI_ENABLE_EMBEDDINGS",
}


def switch(changes: Mapping[str, bool]) -> tuple[Settings, list[str]]:
    """Save switches. Returns the settings now in force, and the switches that have no effect.

    Those are overruled by the environment or by `.env`. Raises: ConfigError.
    """
    _save(load_settings().data_dir, {SWITCHES[name]: on for name, on in changes.items()})
    settings = load_settings()
    states = states_of(settings)
    return settings, [name for name, on in changes.items() if states[name] != on]


def states_of(settings: Settings) -> dict[str, bool]:
    """Return what is switched on."""
    return {
        "cache": settings.cache_enabled,
        "streaming": settings.streaming_enabled,
        "embeddings": settings.embeddings_enabled,
    }


def overruling(name: str) -> str:
    """Return the variable of the environment or of `.env` that overrules a switch."""
    aliases = (SWITCHES[name], SWITCHES[name].replace("AI_", "AI_ASSISTANT_", 1))
    found = (variable for variable in os.environ if variable.upper() in aliases)
    variable = next(found, None)
    if variable is None and aliases[0] in given():
        return f"{aliases[1]} in the site's settings"
    return f"{variable} in the environment" if variable else f"{aliases[0]} in .env"


def _save(folder: Path, changes: Mapping[str, bool]) -> None:
    """Merge switches into the file, which is whole at any moment."""
    if not changes:
        return
    path = folder / SWITCHES_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        saved = orjson.loads(path.read_bytes()) if path.exists() else {}
        _replace(path, orjson.dumps({**saved, **changes}, option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise ConfigError(
            f"The switches cannot be saved in {path}: {error.strerror}. Make the folder writable,"
            " or set HELP_DATA_DIR."
        ) from error


def _replace(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise
