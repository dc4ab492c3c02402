"""Index help pages: `souffleur index` with the site's settings."""

from __future__ import annotations

from ai_assistant.management.souffleur import SouffleurCommand
from souffleur.cli.index import index


class Command(SouffleurCommand):
    """Run `index`."""

    command = index
