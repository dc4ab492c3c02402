"""Measure what questions cost: `souffleur benchmark` with the site's settings."""

from __future__ import annotations

from ai_assistant.management.souffleur import SouffleurCommand
from souffleur.cli.quality import benchmark


class Command(SouffleurCommand):
    """Run `benchmark`."""

    command = benchmark
