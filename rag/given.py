"""Settings that the program around Souffleur gives, such as a Django site's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

_source: Callable[[], Mapping[str, object]] = dict


def give(source: Callable[[], Mapping[str, object]]) -> None:
    """Have settings read from a function, each time they are: names as the environment has them.

    The environment wins over them; they win over `.env` and the saved switches.
    """
    global _source  # noqa: PLW0603 (one program is around a process)
    _source = source


def given() -> dict[str, str]:
    """Return what is given as the environment would hold it; None and empty texts are left out."""
    texts = {name: _text(value) for name, value in _source().items()}
    return {name: text for name, text in texts.items() if text}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(map(str, value))
    return str(value)
