"""Keep a snapshot, a file a kind, and say in a line each what differs from it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "kept"
CLOSE = 2e-6  # numbers that differ by the last of six digits at most are the same
CUT = 70  # characters of a value that a line shows


def write(kind: str, values: dict[str, Any]) -> None:
    """Keep what a kind holds now; the same values make the same bytes."""
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(rounded(values), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    path(kind).write_bytes(gzip.compress(text.encode(), mtime=0))


def read(kind: str) -> dict[str, Any]:
    """Return what was kept of a kind."""
    values: dict[str, Any] = json.loads(gzip.decompress(path(kind).read_bytes()))
    return values


def path(kind: str) -> Path:
    return FOLDER / f"{kind}.json.gz"


def rounded(value: Any) -> Any:
    """Return JSON values with six digits after the point."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(part) for part in value]
    return value


def differences(kind: str, values: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each value that is not as it was kept."""
    old, new = read(kind), rounded(values)
    for key in sorted(old.keys() | new.keys()):
        if _is_absent(kind, key, old, new):
            continue
        for place, was, now in _unequal(old.get(key), new.get(key)):
            yield f"{kind}: {key}{place}: {_cut(was)} -> {_cut(now)}"


def absent(kind: str, values: dict[str, Any]) -> int:
    """Return how many pages of manuals are not compared: not installed here, or another version."""
    old = read(kind)
    return sum(_is_absent(kind, key, old, values) for key in old)


def _is_absent(kind: str, key: str, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Say whether a manual's page is not here, or not as it was when it was kept."""
    if kind != "manuals":
        return False
    return key not in old or key not in new or old[key]["source"] != new[key]["source"]


def _unequal(old: Any, new: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _unequal(old.get(key), new.get(key), f"{place} {key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _unequal(one, other, f"{place} {number}")
    elif not _same(old, new):
        yield place, old, new


def _same(old: Any, new: Any) -> bool:
    if isinstance(old, float) and isinstance(new, float | int):
        return abs(old - new) <= CLOSE
    return bool(old == new)


def _cut(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= CUT else f"{text[:CUT]}…"
