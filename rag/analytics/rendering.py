"""A report for a terminal, as lines, and for a browser, as one page without scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import zip_longest

from rag.analytics.report import Bar, Report, ReportSection, Table, period_line, sections
from rag.language.messages import report_word

WIDTH = 100
BAR = 40
MOST_ROWS = 15
WIDEST_CELL = 60
MOST_LINES = 8  # of a cell; the page shows all
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #fff;
  --line: #d5dae0; --bar: #1f6feb; --part: #b54708; --tile: #f5f7fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa7b4; --paper: #0f141a;
  --line: #30363d; --bar: #58a6ff; --part: #f0a868; --tile: #171d25; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 4rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem; }
p { margin: .25rem 0 .75rem; color: var(--soft); max-width: 44rem; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: .75rem;
  margin: 0; }
dl div { background: var(--tile); border: 1px solid var(--line); border-radius: .5rem;
  padding: .6rem .8rem; display: flex; flex-direction: column-reverse;
  justify-content: flex-end; }
dt { color: var(--soft); font-size: .85rem; } dd { margin: 0; font-size: 1.2rem;
  font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: start; vertical-align: top; padding: .4rem .6rem .4rem 0;
  border-bottom: 1px solid var(--line); white-space: pre-line; min-width: 8rem; }
th { color: var(--soft); font-weight: 600; }
.n { text-align: end; font-variant-numeric: tabular-nums; white-space: nowrap;
  padding-inline-end: 1rem; min-width: 0; }
.bars td { border: 0; padding: .12rem .75rem .12rem 0; white-space: nowrap; width: 1%;
  min-width: 0; vertical-align: middle; }
.bars td.drawn { width: 80%; min-width: 6rem; }
.bars td.label { white-space: normal; width: 20%; min-width: 6rem; overflow-wrap: normal; }
svg { display: block; width: 100%; height: .9rem; }
.bar { fill: var(--bar); } .part { fill: var(--part); }
@media print { body { max-width: none; } }
"""


def lines(report: Report, lang: str) -> Iterator[str]:
    """Yield the report's lines; a line that begins with ``#`` is a title."""
    yield f"# {report_word('report', lang)}"
    yield period_line(report, lang)
    for section in sections(report, lang):
        yield ""
        yield f"# {section.title}"
        yield from _section_lines(section, lang)


def _section_lines(section: ReportSection, lang: str) -> Iterator[str]:
    if section.intro:
        yield from _wrapped(section.intro, WIDTH)
    width = max((len(name) for name, _ in section.facts), default=0)
    for name, value in section.facts:
        yield f"  {name:<{width}}  {value}"
    yield from _bar_lines(section.bars)
    if section.table:
        yield from _table_lines(section.table, lang)


def _bar_lines(bars: Sequence[Bar]) -> Iterator[str]:
    most = max((bar.value for bar in bars), default=0)
    label = max((len(bar.label) for bar in bars), default=0)
    for bar in bars:
        length = -(-bar.value * BAR // most) if most else 0
        part = -(-bar.part * BAR // most) if most else 0
        drawn = "█" * (length - part) + "░" * part
        yield f"  {bar.label:<{label}}  {drawn:<{BAR}}  {bar.said}"


def _table_lines(table: Table, lang: str) -> Iterator[str]:
    rows = [[_cell(cell, lang) for cell in row] for row in table.rows[:MOST_ROWS]]
    widths = [
        max(len(header), *(len(line) for row in rows for line in row[column]))
        for column, header in enumerate(table.headers)
    ]
    yield _row_line(table.headers, widths, table.numeric)
    for row in rows:
        for cells in zip_longest(*row, fillvalue=""):
            yield _row_line(cells, widths, table.numeric)
    if len(table.rows) > MOST_ROWS:
        yield f"  {report_word('more', lang, count=len(table.rows) - MOST_ROWS)}"


def _row_line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[int]) -> str:
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


def page(report: Report, lang: str) -> str:
    """Return the whole page."""
    title = report_word("report", lang)
    parts = [
        "<!doctype html>",
        f'<html lang="{lang}"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="robots" content="noindex"><meta name="referrer" content="no-referrer">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>",
        f"<h1>{escape(title)}</h1><p>{escape(period_line(report, lang))}</p>",
        *(part for section in sections(report, lang) for part in _section_html(section)),
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _section_html(section: ReportSection) -> Iterator[str]:
    yield f"<section><h2>{escape(section.title)}</h2>"
    if section.intro:
        yield f"<p>{escape(section.intro)}</p>"
    if section.facts:
        facts = (
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
            for name, value in section.facts
        )
        yield f"<dl>{''.join(facts)}</dl>"
    if section.bars:
        yield from _bars_html(section.bars)
    if section.table:
        yield from _table_html(section.table)
    yield "</section>"


def _bars_html(bars: Sequence[Bar]) -> Iterator[str]:
    most = max(bar.value for bar in bars) or 1
    yield '<div class="wide" tabindex="0"><table class="bars">'
    for bar in bars:
        yield (
            f'<tr><td class="label">{escape(bar.label)}</td><td class="drawn">{_drawn(bar, most)}'
            f"</td><td>{escape(bar.said)}</td></tr>"
        )
    yield "</table></div>"


def _drawn(bar: Bar, most: int) -> str:
    """Return a bar; what it says stands beside it, so that it is hidden from readers aloud."""
    whole, part = (round(1000 * value / most) for value in (bar.value, bar.part))
    return (
        '<svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="bar" width="{whole - part}" height="10"/>'
        f'<rect class="part" x="{whole - part}" width="{part}" height="10"/></svg>'
    )


def _table_html(table: Table) -> Iterator[str]:
    head = _row_html(table.headers, "th", table)
    yield f'<div class="wide" tabindex="0"><table><thead>{head}</thead><tbody>'
    for cells in table.rows:
        yield _row_html(cells, "td", table)
    yield "</tbody></table></div>"


def _row_html(cells: Sequence[str], tag: str, table: Table) -> str:
    scope = ' scope="col"' if tag == "th" else ""
    made = []
    for column, cell in enumerate(cells):
        kind = ' class="n"' if column in table.numeric else ""
        made.append(f"<{tag}{scope}{kind}>{escape(cell)}</{tag}>")
    return f"<tr>{''.join(made)}</tr>"
