"""Count what a reader meets: modules, caches, circles, names twice, and what one question runs.

python -m tests.figures [CHECKOUT …]

Without a checkout, of this one; docs/architecture.md shows the table before and after.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conftest import SETTINGS

FOLDERS = ("rag", "indexer", "commands", "souffleur", "ai_assistant")
QUESTION = "Comment créer un client ?"
CACHES = {"cache", "lru_cache"}
# a program of its own, by names that every version has: one question to an assistant just opened
TRACE = """
import asyncio, json, sys, threading
sys.path.insert(0, "")
from rag.api import open_assistant
from rag.settings import load_settings
ours, files, calls = tuple(json.loads(sys.argv[1])), set(), 0
def count(frame, event, _):
    global calls
    code = frame.f_code
    if event == "call" and code.co_filename.startswith(ours) and code.co_name[0] != "<":
        files.add(code.co_filename)
        calls += 1
async def ask(assistant):
    threading.setprofile(count)
    sys.setprofile(count)
    await assistant.answer(sys.argv[2])
    sys.setprofile(None)
asyncio.run(ask(open_assistant(load_settings(), use_model=False)))
print(json.dumps([len(files), calls]))
"""


def modules(root: Path) -> dict[str, Path]:
    """Return the installed modules of a checkout by their names, and `cli`."""
    paths = [path for folder in FOLDERS for path in root.glob(f"{folder}/**/*.py")]
    names = (".".join(path.relative_to(root).with_suffix("").parts) for path in paths)
    found = dict(zip((name.removesuffix(".__init__") for name in names), paths, strict=True))
    return {**found, "cli": root / "cli.py"}


def imported(tree: ast.AST, names: set[str]) -> set[str]:
    """Return the modules of ours that one imports anywhere, for its types too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            found.update(one if one in names else node.module or "" for one in inner)
    return found & names


def caches(tree: ast.AST) -> int:
    """Count the functions that keep what they returned."""
    made = (
        part.id if isinstance(part, ast.Name) else getattr(part, "attr", "")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for decorator in node.decorator_list
        for part in [decorator.func if isinstance(decorator, ast.Call) else decorator]
    )
    return sum(name in CACHES for name in made)


def circles(used: dict[str, set[str]]) -> int:
    """Count the groups of modules that import each other, directly or through others."""
    reached = {name: _reached(name, used) for name in used}
    groups = {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in used
        if name in reached[name]
    }
    return len(groups)


def _reached(name: str, used: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    todo = list(used[name])
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo.extend(used[one])
    return found


def names_twice(trees: dict[str, ast.Module]) -> int:
    """Count the public classes and functions whose name another module defines too."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    defined = Counter(
        name
        for tree in trees.values()
        for name in {node.name for node in tree.body if isinstance(node, kinds)}
        if not name.startswith("_")
    )
    return sum(count > 1 for count in defined.values())


def traced(root: Path) -> tuple[int, int]:
    """Return how many files of ours a first question without a model enters, and its calls there.

    Neither comprehensions nor what a module does while it is loaded are counted.
    """
    ours = json.dumps([f"{root / name}{os.sep}" for name in FOLDERS])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    with TemporaryDirectory() as folder:
        given = {**kept, "HELP_DATA_DIR": folder, "HELP_TIMEOUT": "60"}
        for arguments in (["cli.py", "index", "corpus"], ["-c", TRACE, ours, QUESTION]):
            command = [sys.executable, *arguments]
            done = subprocess.run(
                command, cwd=root, env=given, capture_output=True, text=True, check=True
            )
    files, calls = json.loads(done.stdout)
    return files, calls


def figures(root: Path) -> Iterator[tuple[str, int]]:
    """Yield each figure of a checkout with its name."""
    paths = modules(root)
    texts = {name: path.read_text("utf-8") for name, path in paths.items()}
    trees = {name: ast.parse(text) for name, text in texts.items()}
    yield "modules", len(paths)
    yield "lines of Python", sum(text.count("\n") for text in texts.values())
    yield "caches", sum(map(caches, trees.values()))
    used = {name: imported(tree, set(trees)) for name, tree in trees.items()}
    yield "circles of imports", circles(used)
    yield "public names defined twice", names_twice(trees)
    files, calls = traced(root)
    yield "files that a first question enters, without a model", files
    yield "calls that it makes in them", calls


def main() -> None:
    """Print the table, a column a checkout."""
    roots = [Path(one).resolve() for one in sys.argv[1:]] or [Path(__file__).parent.parent]
    columns = [list(figures(root)) for root in roots]
    for row in zip(*columns, strict=True):
        print(f"| {row[0][0]} | " + " | ".join(f"{value:,}" for _, value in row) + " |")


if __name__ == "__main__":
    main()
