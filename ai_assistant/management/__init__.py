"""The commands of `manage.py`: which of the command line's it has, and under which names."""

from __future__ import annotations

COMMANDS = {
    "benchmark": "benchmark_optimizations",
    "index": "index_help",
    "optimize": "optimize_ai_assistant",
}


def manage_command(arguments: str) -> str | None:
    """Return what follows `souffleur` as a command of `manage.py`; None: it has none for that."""
    name, _, rest = arguments.partition(" ")
    own = COMMANDS.get(name)
    return f"python manage.py {own} {rest}".rstrip() if own else None
