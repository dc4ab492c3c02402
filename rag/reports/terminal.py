"""A report for a terminal: facts, bars and tables of plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from rag.language.messages import report_word
from rag.reports.report import Report
from rag.reports.sections import Bar, Section, Table, period_line, sections

WIDTH = 100
BAR = 40
MOST_ROWS = 15
WIDEST_CELL = 60
MOST_LINES = 8  # of a cell; the page shows all


def lines(report: Report, lang: str) -> Iterator[str]:
    """Yield the report's lines; a line that begins with ``#`` is a title."""
    yield f"# {report_word('report', lang)}"
    yield period_line(report, lang)
    for section in sections(report, lang):
        yield ""
        yield f"# {section.title}"
        yield from _section(section, lang)


def _section(section: Section, lang: str) -> Iterator[str]:
    if section.intro:
        yield from _wrapped(section.intro, WIDTH)
    width = max((len(name) for name, _ in section.facts), default=0)
    for name, value in section.facts:
        yield f"  {name:<{width}}  {value}"
    yield from _bars(section.bars)
    if section.table:
        yield from _table(section.table, lang)


def _bars(bars: Sequence[Bar]) -> Iterator[str]:
    most = max((bar.value for bar in bars), default=0)
    label = max((len(bar.label) for bar in bars), default=0)
    for bar in bars:
        length = -(-bar.value * BAR // most) if most else 0
        part = -(-bar.part * BAR // most) if most else 0
        drawn = "█" * (length - part) + "░" * part
        yield f"  {bar.label:<{label}}  {drawn:<{BAR}}  {bar.said}"


def _table(table: Table, lang: str) -> Iterator[str]:
    rows = [[_cell(cell, lang) for cell in row] for row in table.rows[:MOST_ROWS]]
    widths = [
        max(len(header), *(len(line) for row in rows for line in row[column]))
        for column, header in enumerate(table.headers)
    ]
    yield _row(table.headers, widths, table.numeric)
    for row in rows:
        for cells in zip_longest(*row, fillvalue=""):
            yield _row(cells, widths, table.numeric)
    if len(table.rows) > MOST_ROWS:
        yield f"  {report_word('more', lang, count=len(table.rows) - MOST_ROWS)}"


def _row(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[int]) -> str:
    aligned = (
        f"{cell:>{width}}" if column in numeric else f"{cell:<{width}}"
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"  {'  '.join(aligned)}".rstrip()


def _cell(text: str, lang: str) -> list[str]:
    said = text.split("\n")
    found = [line for one in said[:MOST_LINES] for line in _wrapped(one, WIDEST_CELL)]
    more = len(said) - MOST_LINES
    return [*found, report_word("more", lang, count=more)] if more > 0 else found


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width) or [""]
