"""The site's settings: every one of Souffleur's as ``AI_ASSISTANT_…``, and the application's own.

``HELP_MODEL`` is ``AI_ASSISTANT_MODEL`` there, ``AI_ENABLE_STREAMING`` is
``AI_ASSISTANT_ENABLE_STREAMING``, ``OLLAMA_URL`` is ``AI_ASSISTANT_OLLAMA_URL``.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

PREFIX = "AI_ASSISTANT_"
# what the environment's names begin with; the site's have PREFIX in its stead
ENVIRONMENT_PREFIXES = (PREFIX, "HELP_", "AI_", "")
ACCESS = "AI_ASSISTANT_ACCESS"
SOCKET = "AI_ASSISTANT_SOCKET"
OWN = {ACCESS, SOCKET}


def assistant_settings() -> dict[str, Any]:
    """Return what the site's settings say of Souffleur, under their own names."""
    names = (name for name in dir(settings) if name.startswith(PREFIX))
    return {name: getattr(settings, name) for name in names}


def site_settings() -> dict[str, Any]:
    """Return the site's settings under every name that the environment could have for them."""
    return {
        prefix + name.removeprefix(PREFIX): value
        for name, value in assistant_settings().items()
        if name not in OWN
        for prefix in ENVIRONMENT_PREFIXES
    }


def site_name(variable: str) -> str:
    """Return what the site's settings call a variable of the environment."""
    for prefix in ENVIRONMENT_PREFIXES:
        if variable.startswith(prefix):
            return PREFIX + variable.removeprefix(prefix)
    return variable
