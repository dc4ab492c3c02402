"""The settings in force: read again when one of their files was written."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from rag.errors import ConfigError
from rag.settings import Settings, settings_files

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
