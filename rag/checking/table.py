"""A table's header held until one of its rows may be shown: neither stands without the other."""

from __future__ import annotations

import re

LABELS = re.compile(r"\|(?:(?!\d)[\w '’*-]|\|)+")
LABEL_WORDS = 3
RULE = re.compile(r"\|?[\s:|-]*-[\s:|-]*")


class Table:
    """Follow the lines of a table as they are checked."""

    def __init__(self) -> None:
        self._held: list[tuple[str, str]] = []
        self._inside = self._dropped = False

    def holds(self, gap: str, unit: str) -> bool:
        """Say whether a unit is part of a table, and forget the table that it ends."""
        if not unit.startswith("|") and (not self._inside or "\n" in gap):
            self._held, self._inside, self._dropped = [], False, False
            return False
        return True

    def opens(self, unit: str) -> bool:
        """Say whether a header is short labels alone, which tell nothing that could be wrong."""
        return not self._inside and _is_labels(unit)

    def take(self, gap: str, unit: str, checked: str) -> list[tuple[str, str]]:
        """Take a line and what may be shown of it; return the lines to show now."""
        if not self._inside:
            self._inside, self._dropped = True, not checked
            self._held = [(gap, checked)]
            return []
        if self._dropped or not checked:
            return []
        if self._held and RULE.fullmatch(unit):
            self._held.append((gap, checked))
            return []
        lines, self._held = [*self._held, (gap, checked)], []
        return lines


def _is_labels(line: str) -> bool:
    cells = [cell.split() for cell in line.strip("| ").split("|")]
    return bool(LABELS.fullmatch(line)) and all(len(cell) <= LABEL_WORDS for cell in cells)
