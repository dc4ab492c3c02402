"""How this program was started: a message names a command as its reader would type it here."""

from __future__ import annotations

import sys
from collections.abc import Callable

DISTRIBUTION = "souffleur-help"
_named_by: Callable[[str], str | None] = lambda arguments: None  # noqa: E731


def name_commands(by: Callable[[str], str | None]) -> None:
    """Have a program around Souffleur, such as a Django site, name its own commands.

    ``by`` is given what would follow `souffleur`; None: it has no command for that.
    """
    global _named_by  # noqa: PLW0603 (one program is around a process)
    _named_by = by


def command(arguments: str) -> str:
    """Return a command as it is typed here: `souffleur …`, or `python cli.py …` in a checkout."""
    own = _named_by(arguments)
    return own or f"{'python cli.py' if _in_checkout() else 'souffleur'} {arguments}"


def index_command(options: str = "") -> str:
    """Return the command that indexes pages: the sample ones in a checkout, else a folder's."""
    pages = "corpus/" if _in_checkout() else "FOLDER"
    return command(" ".join(filter(None, ("index", options, pages))))


def rebuild_command() -> str:
    """Return the command that makes the whole index anew."""
    return index_command("--full")


def install_command(extra: str) -> str:
    """Return the command that installs an optional part."""
    if _in_checkout():
        return f"pip install -c constraints.txt -e '.[{extra}]'"
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def _in_checkout() -> bool:
    """Say if the code lies in its repository; who typed `souffleur` is not told of another way."""
    from pathlib import Path

    root = Path(__file__).parents[2]
    return Path(sys.argv[0]).stem != "souffleur" and (root / "cli.py").is_file()
