"""Switch parts of the help on and off: `souffleur optimize` with the site's settings."""

from __future__ import annotations

from ai_assistant.management.souffleur import SouffleurCommand
from souffleur.cli.quality import optimize


class Command(SouffleurCommand):
    """Run `optimize`."""

    command = optimize
