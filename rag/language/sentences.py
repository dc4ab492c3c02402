"""A chunk's text to what can be shown of it by itself: sentences, steps, items, rows, code.

A text is lines, as the chunker writes them: a paragraph, a list's item with its marker, a table's
row (``a | b``, the header row first) or a line of code.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from rag.language import profiles

UnitKind = Literal["sentence", "lead", "step", "item", "header", "row", "code"]
STEP = re.compile(r"\d{1,3}[.)] ")
ITEM = re.compile(r"(?:[-*+•–]|[a-zA-Z][.)]) ")
ROW = re.compile(r"(?:^|\S )\|(?: \S|$)")
CODE = re.compile(r"^[ \t]+\S|^[{}\[\]<$#@]|[{}\\;]$|^[\w.$-]+ ?(?:=|::)|\w\(\w*\)")
SENTENCE_END = re.compile(r"[.!?…]+[»”\")\]]*\s+(?=[\"“(«\[]?\s?[A-ZÀ-ÖØ-Þ0-9])")
ABBREVIATED = re.compile(
    rf"(?:\b(?:[A-Z]|{profiles.alternatives('sentences.abbreviations')}))\.\s*$"
)
TEXTS_KEPT = 1_000  # a page's text comes again with other questions
VERDICT = 30  # characters: a sentence as short as « Non, pas après validation. »
PAIRS = (("«", "»"), ("“", "”"), ("(", ")"), ("[", "]"))
# a sentence that leans on the one before it
LEANS = re.compile(rf"(?:{profiles.alternatives('sentences.leaning')})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unit:
    """Hold one piece of a text that can be shown by itself.

    ``line`` is the number of its line, from 0; ``heads`` are the positions of the lead-in and of
    the header row that it comes with, ``first`` that of the first step of its list.
    """

    text: str
    kind: UnitKind
    line: int
    heads: tuple[int, ...] = ()
    first: int = -1


@lru_cache(maxsize=TEXTS_KEPT)
def split_units(text: str) -> tuple[Unit, ...]:
    """Return the units of a text in order; what is nested under an item stays with it."""
    units: list[Unit] = []
    lines = text.split("\n")
    kinds = [_kind(line) for line in lines]
    for start, end in _runs(lines, kinds):
        kind = kinds[start]
        if kind == "sentence":
            units.extend(Unit(part, "sentence", start) for part in sentences(lines[start]))
        else:
            _add_listing(units, lines, kind, start, end)
    return tuple(units)


def sentences(line: str) -> list[str]:
    """Return the sentences of a line; never cut within quotes, brackets or an abbreviation."""
    parts: list[str] = []
    start = 0
    for end in SENTENCE_END.finditer(line):
        if ABBREVIATED.search(line[start : end.end()]) or _is_open(line, line[: end.end()]):
            continue
        parts.append(line[start : end.end()].rstrip())
        start = end.end()
    parts.append(line[start:].rstrip())
    return [part for part in parts if part.strip()]


def with_heads(units: Sequence[Unit], position: int) -> set[int]:
    """Return a unit's position with those it cannot be read without."""
    unit = units[position]
    needed = {position, *unit.heads}
    if unit.kind == "step":
        needed.update(i for i in range(unit.first, position) if units[i].kind == "step")
    if leans(units, position):
        needed.add(position - 1)
    return needed


def leans(units: Sequence[Unit], position: int) -> bool:
    """Say whether a sentence cannot be read without the one before it, as after « Non. »."""
    unit = units[position]
    if unit.kind != "sentence" or position == 0 or units[position - 1].line != unit.line:
        return False
    return bool(LEANS.match(unit.text)) or len(units[position - 1].text) < VERDICT


def joined(units: Sequence[Unit], kept: Collection[int]) -> str:
    """Return the units kept as text, in order: sentences of one line side by side."""
    shown = [units[i] for i in sorted(kept)]
    if not shown:
        return ""
    parts = [shown[0].text]
    for before, unit in pairwise(shown):
        together = before.line == unit.line and unit.kind == before.kind == "sentence"
        parts.extend((" " if together else "\n", unit.text))
    return "".join(parts)


def length(units: Sequence[Unit], kept: Collection[int]) -> int:
    """Return the length of `joined` in characters."""
    return sum(len(units[i].text) for i in kept) + max(len(kept) - 1, 0)


def _kind(line: str) -> UnitKind:
    bare = line.lstrip()
    if STEP.match(bare):
        return "step"
    if ITEM.match(bare):
        return "item"
    if ROW.search(line):
        return "row"
    if CODE.search(line) and not _is_prose(line):
        return "code"
    return "sentence"


def _is_prose(line: str) -> bool:
    """Say whether a line that may be code is a sentence with some code in it."""
    return line[:1].isupper() and line.rstrip()[-1:] in ".:!?…»"


def _runs(lines: Sequence[str], kinds: Sequence[UnitKind]) -> Iterator[tuple[int, int]]:
    """Return the ranges of lines that make one list, table or piece of code; others by the line."""
    start = 0
    while start < len(lines):
        end = start + 1
        while kinds[start] != "sentence" and end < len(lines):
            nested = lines[end].startswith(" ") and kinds[start] in ("step", "item")
            if kinds[end] != kinds[start] and not nested:
                break
            end += 1
        yield start, end
        start = end


def _add_listing(
    units: list[Unit], lines: Sequence[str], kind: UnitKind, start: int, end: int
) -> None:
    heads = _lead(units, start)
    if kind == "row" and end - start > 1:
        units.append(Unit(lines[start], "header", start, heads))
        heads = (*heads, len(units) - 1)
        start += 1
    first = _continued(units, lines[start]) if kind == "step" else len(units)
    base = len(lines[start]) - len(lines[start].lstrip())
    for number in range(start, end):
        line = lines[number]
        indented = len(line) - len(line.lstrip()) > base
        if indented and number > start and kind in ("step", "item"):
            units[-1] = Unit(f"{units[-1].text}\n{line}", kind, units[-1].line, heads, first)
        else:
            units.append(Unit(line, kind, number, heads, first))


def _lead(units: list[Unit], start: int) -> tuple[int, ...]:
    """Make a lead-in of the sentence before a listing where it announces one."""
    if not units or units[-1].line != start - 1 or not units[-1].text.endswith(":"):
        return ()
    if units[-1].kind != "sentence":
        return ()
    units[-1] = Unit(units[-1].text, "lead", units[-1].line)
    return (len(units) - 1,)


def _continued(units: Sequence[Unit], line: str) -> int:
    """Return the first step of the list that a step goes on with, after a note in between."""
    before = next((unit for unit in reversed(units) if unit.kind == "step"), None)
    if before and _number(line) == _number(before.text) + 1:
        return before.first
    return len(units)


def _number(step: str) -> int:
    return int(re.split(r"[.)]", step.lstrip(), maxsplit=1)[0])


def _is_open(line: str, before: str) -> bool:
    """Say whether a quote or bracket that is closed in the line is open at the end of a part."""
    return any(
        before.count(left) > before.count(right) and line.count(left) == line.count(right)
        for left, right in PAIRS
    )
