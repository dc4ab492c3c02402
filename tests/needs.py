"""What a test needs besides Python and our packages, read from what it uses.

A test uses its fixtures and the functions that it and they call, as far as those stand in `tests`
or `bench`. So nobody has to keep a list of slow files.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

NEEDS = {
    "service": "needs a real Elasticsearch or Ollama",
    "server": "needs a server of its own: something listens",
    "program": "runs a program of its own: the command line, a server, a fork",
    "browser": "needs chromium",
    "torch": "needs sentence-transformers",
}
OURS = ("tests.", "bench.")
STARTERS = {
    "subprocess": ("program", {"Popen", "run"}),
    "pty": ("program", {"fork"}),
    "os": ("program", {"fork"}),
    "multiprocessing": ("program", {"get_context"}),
    "socket": ("server", {"create_server", "listen"}),
    "asyncio": ("server", {"start_server"}),
    "importlib": ("program", {"module_from_spec"}),  # one of docs/, which runs others
}
PACKAGES = {
    "axe_playwright_python": "browser",
    "http.server": "server",
    "multiprocessing.context": "program",
    "mcp": "program",
    "playwright": "browser",
    "psutil": "program",  # what a child costs
    "schemathesis": "server",
    "sentence_transformers": "torch",
    "tests.services": "service",
    "torch": "torch",
    "transformers": "torch",
}
# of a fixture that asks for another one by its name
KINDS = {"elasticsearch": "service", "ollama": "service", "sentence-transformers": "torch"}
BY_NAME = "getfixturevalue"


def needs(item: pytest.Item) -> set[str]:
    """Return which of `NEEDS` a test has."""
    if not isinstance(item, pytest.Function):
        return set()
    found: set[str] = set()
    seen: set[int] = set()
    for function in _used(item):
        found |= set(needs_of(function, seen))
    for chosen in _named(item) if BY_NAME in found else ():
        found.add(KINDS.get(chosen, ""))
        for definition in item.session._fixturemanager.getfixturedefs(chosen, item) or ():
            found |= set(needs_of(definition.func, seen))
    return found & NEEDS.keys()


def _named(item: pytest.Function) -> list[str]:
    """Return the parameters of a test that may name a kind or a fixture."""
    chosen = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return [value for value in chosen if isinstance(value, str)]


def can_be_imported(path: Path) -> bool:
    """Say whether the packages are here that a module, or a folder's conftest, imports first."""
    source = path / "conftest.py" if path.is_dir() else path
    if source.suffix != ".py" or not source.exists():
        return True
    named = {name.partition(".")[0] for name in _imported(ast.parse(source.read_bytes()))}
    return all(find_spec(package) for package in named & PACKAGES.keys())


def _imported(module: ast.Module) -> Iterator[str]:
    for statement in module.body:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            yield statement.module or ""


def _used(item: pytest.Function) -> Iterator[Any]:
    """Yield the test's own function and those of its fixtures."""
    yield item.function
    for definitions in item._fixtureinfo.name2fixturedefs.values():
        yield definitions[-1].func


def needs_of(value: Any, seen: set[int]) -> Iterator[str]:
    """Yield what a function or class needs, with all that it names."""
    value = getattr(value, "__wrapped__", getattr(value, "__func__", value))
    if id(value) in seen:
        return
    seen.add(id(value))
    module = str(getattr(value, "__module__", ""))
    yield from _needs_of_package(module)
    if not module.startswith(OURS):
        return
    if isinstance(value, type):
        for part in (*value.__bases__, *vars(value).values()):
            yield from needs_of(part, seen)
    elif isinstance(value, types.FunctionType):
        for code in _codes(value.__code__):
            yield from _needs_of_code(code, value.__globals__, seen)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _needs_of_code(code: types.CodeType, names: dict[str, Any], seen: set[int]) -> Iterator[str]:
    if BY_NAME in code.co_names:
        yield BY_NAME
    for name in code.co_names:
        value = names.get(name)
        yield from _needs_of_package(name)  # imported inside
        if isinstance(value, types.ModuleType):
            need, starters = STARTERS.get(value.__name__, ("", set()))
            yield from [need] * (not starters.isdisjoint(code.co_names))
            yield from _needs_of_package(value.__name__)
        elif value is not None:
            yield from needs_of(value, seen)
            yield from _needs_of_package(type(value).__module__)


def _needs_of_package(module: str) -> Iterator[str]:
    for package, need in PACKAGES.items():
        if module == package or module.startswith(f"{package}."):
            yield need
