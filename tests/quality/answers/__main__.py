"""Ask end users' questions of manuals that nobody here wrote, and judge what is shown.

python -m tests.quality.answers [MANUAL …] [--data MANUAL=FOLDER …] [--failed | --json | --check]

The manuals are read where their Debian packages put them, or from the folders of --data; those
that are absent are left out, and the command that brings them is named. Figures go to standard
output, progress to standard error. Exit code 2 when no manual was there.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.quality.answers.asking import Shown, ask_all
from tests.quality.answers.cases import CASES, MANUALS, Case, load_cases
from tests.quality.answers.checking import faults, pages_of
from tests.quality.answers.scoring import Judged, figures, grouped, judge

COLUMNS = {
    "answerable": "can",
    "page_first": "first",
    "page_listed": "top 5",
    "cited": "cited",
    "whole": "whole",
    "whole_sure": "whole sure",
    "half": "half",
    "refused": "refused",
    "perhaps": "perhaps",
    "sure_right": "sure right",
    "silent": "silent",
    "asserted": "asserted",
    "told_no": "told no",
    "small_talk": "talk",
    "small_talk_quoted": "quoted",
    "length_median": "median",
    "length_p90": "p90",
}
COUNTS = {"answerable", "silent", "small_talk", "length_median", "length_p90"}


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.quality.answers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("manuals", nargs="*", metavar="MANUAL", help=", ".join(MANUALS))
    parser.add_argument("--data", action="append", default=[], metavar="MANUAL=FOLDER")
    parser.add_argument("--cases", type=Path, default=CASES, help="other questions")
    parser.add_argument("--failed", action="store_true", help="print what went wrong, and the text")
    parser.add_argument("--json", action="store_true", help="print every figure and case as JSON")
    parser.add_argument("--check", action="store_true", help="check the cases against the pages")
    given = parser.parse_args(words)
    given.folders = {name: manual.folder for name, manual in MANUALS.items()}
    for pair in given.data:
        name, equals, folder = pair.partition("=")
        if not equals:
            parser.error(f"--data {pair}: MANUAL=FOLDER is needed, for example evince={pair}")
        given.folders[name] = Path(folder)
    unknown = sorted({*given.manuals} - given.folders.keys())
    if unknown:
        parser.error(f"no such manual: {', '.join(unknown)} (there are {', '.join(MANUALS)})")
    return given


def present(folders: dict[str, Path]) -> dict[str, Path]:
    """Return the folders that are there, and say how to get the manuals of the others."""
    missing = [name for name, folder in folders.items() if not folder.is_dir()]
    for name in missing:
        print(f"{name}: left out, no folder {folders[name]}", file=sys.stderr)
    packages = [MANUALS[name].package for name in missing if name in MANUALS]
    if any(packages):
        line = " ".join(filter(None, packages))
        print(f"get them: apt-get install --no-install-recommends {line}", file=sys.stderr)
    return {name: folder for name, folder in folders.items() if name not in missing}


def table(judged: Sequence[Judged]) -> str:
    """Return the figures of every group as a Markdown table."""
    lines = [f"| | {' | '.join(COLUMNS.values())} |", f"|---|{'--:|' * len(COLUMNS)}"]
    for name, group in grouped(judged).items():
        values = asdict(figures(group))
        cells = (_cell(values[field], field in COUNTS) for field in COLUMNS)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(value: float, counted: bool) -> str:
    if math.isnan(value):
        return ""
    return f"{value:,.0f}" if counted else f"{100 * value:.0f} %"


def as_json(judged: Sequence[Judged], shown: Sequence[Shown]) -> str:
    """Return every group's figures and every case with its text, as JSON; null for no figure."""
    groups = {name: asdict(figures(group)) for name, group in grouped(judged).items()}
    known = {
        name: {field: None if math.isnan(value) else value for field, value in values.items()}
        for name, values in groups.items()
    }
    rows = [
        {**asdict(one), "failure": one.failure, "text": was.answer.text}
        for one, was in zip(judged, shown, strict=True)
    ]
    return json.dumps({"figures": known, "cases": rows}, ensure_ascii=False)


def ask(folders: dict[str, Path], cases: Sequence[Case]) -> list[Shown]:
    """Return the answers to the cases of manuals, one manual after another."""
    shown: list[Shown] = []
    for name, folder in folders.items():
        print(f"{name} …", file=sys.stderr)
        shown += ask_all(folder, [case for case in cases if case.manual == name])
    return shown


def check(folders: dict[str, Path], cases: Sequence[Case]) -> int:
    """Print what is wrong with the cases of manuals; return 1 where something is, else 0."""
    found = []
    for name, folder in folders.items():
        of_manual = [case for case in cases if case.manual == name]
        found += faults(of_manual, pages_of(folder))
    print("\n".join(found) or "every case asks for what its pages say")
    return int(bool(found))


def failures(judged: Sequence[Judged], shown: Sequence[Shown]) -> str:
    """Return each case that went wrong, how, and the text that was shown."""
    return "\n\n".join(
        f"## {one.case.id} {one.case.question}\n{one.failure}\n{was.answer.text}"
        for one, was in zip(judged, shown, strict=True)
        if one.failure
    )


def main(words: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    given = arguments(words)
    cases = load_cases(given.cases)
    asked = {case.manual for case in cases} & {*(given.manuals or given.folders)}
    folders = present({name: given.folders[name] for name in given.folders if name in asked})
    if not folders:
        return 2
    if given.check:
        return check(folders, cases)
    shown = ask(folders, cases)
    judged = [judge(one.case, one.answer) for one in shown]
    print(as_json(judged, shown) if given.json else table(judged))
    if given.failed:
        print(failures(judged, shown), file=sys.stderr if given.json else sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
