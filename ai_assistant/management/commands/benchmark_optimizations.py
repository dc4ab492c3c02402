"""Measure what questions cost: `cli.py benchmark` with the site's settings."""

from __future__ import annotations

from ai_assistant.management.souffleur import SouffleurCommand
from souffleur.cli.quality import benchmark


class Command(SouffleurCommand):
    """Run `benchmark`."""

    command = benchmark
