"""The settings in force: switches that are saved, files that are watched, how the log is written.

A switch is saved in `switches.json` in the data folder, which is read after everything else.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.core.errors import ConfigError

if TYPE_CHECKING:
    from rag.config.settings import Settings

LINE = "[%(levelname)s] %(asctime)s %(name)s - %(message)s"

FORMAT = "HELP_LOG_FORMAT"  # json; anything else: lines

# what can be switched, and the setting's own name
SWITCHES = {
    "cache": "AI_CACHE_ENABLED",
    "streaming": "AI_ENABLE_STREAMING",
    "embeddings": "AI_ENABLE_EMBEDDINGS",
}

LOOK_S = 1.0  # a saved switch is in force within two seconds

WRONG = "A settings file is wrong; the settings before it are in force."

logger = logging.getLogger(__name__)


class SettingsWatch:
    """Look after the files of settings; ``load`` None: they were given, and stay.

    ``fault`` says what keeps new settings from being in force.
    """

    def __init__(self, settings: Settings, load: Callable[[], Settings] | None) -> None:
        self.settings = settings
        self.fault = ""
        self._load = load
        self._files = settings_files(settings)
        self._looked_at = time.monotonic()

    def changed(self) -> Settings | None:
        """Return new settings, once, when there are some; it looks at most once a second."""
        now = time.monotonic()
        if self._load is None or now - self._looked_at < LOOK_S:
            return None
        self._looked_at, before = now, self._files
        self._files = settings_files(self.settings)
        if self._files == before:
            return None
        try:
            settings = self._load()
        except ConfigError as error:
            self.refused(error)
            return None
        self.fault = ""
        if settings == self.settings:
            return None
        self.settings = settings
        return settings

    def refused(self, error: ConfigError) -> None:
        """Note that the settings stay as they were, and why."""
        logger.error("%s The settings stay as they were.", error)
        self.fault = WRONG


def settings_files(settings: Settings) -> tuple[tuple[int, int] | None, ...]:
    """Return what tells whether `.env` or the saved switches were written since."""
    from rag.config.settings import SWITCHES_FILE

    found: list[tuple[int, int] | None] = []
    for path in (Path(".env"), settings.data_dir / SWITCHES_FILE):
        try:
            state = path.stat()
            found.append((state.st_mtime_ns, state.st_size))
        except OSError:
            found.append(None)
    return tuple(found)


def switch(changes: Mapping[str, bool]) -> tuple[Settings, list[str]]:
    """Save switches. Returns the settings now in force, and the switches that have no effect.

    Those are overruled by the environment or by `.env`. Raises: ConfigError.
    """
    from rag.config.settings import load_settings

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
    from rag.config.settings import given

    aliases = (SWITCHES[name], SWITCHES[name].replace("AI_", "AI_ASSISTANT_", 1))
    found = (variable for variable in os.environ if variable.upper() in aliases)
    variable = next(found, None)
    if variable is None and aliases[0] in given():
        return f"{aliases[1]} in the site's settings"
    return f"{variable} in the environment" if variable else f"{aliases[0]} in .env"


def _save(folder: Path, changes: Mapping[str, bool]) -> None:
    """Merge switches into the file, which is whole at any moment."""
    from rag.config.settings import SWITCHES_FILE

    if not changes:
        return
    path = folder / SWITCHES_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        saved = json.loads(path.read_bytes()) if path.exists() else {}
        _replace(path, json.dumps({**saved, **changes}, indent=2).encode())
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


class JsonFormatter(logging.Formatter):
    """Write a record as one JSON object on one line; ``at`` is in UTC, by ISO 8601."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        values: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            values["exception"] = self.formatException(record.exc_info)
        return json.dumps(values, ensure_ascii=False)


def formatter(line: str = LINE) -> logging.Formatter:
    """Return the formatter that the environment names, that of lines by default."""
    wanted = os.environ.get(FORMAT, "").strip().lower()
    return JsonFormatter() if wanted == "json" else logging.Formatter(line)
