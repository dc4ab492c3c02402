"""Dependencies point one way, each outside thing has one owner, and light commands stay light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("rag", "indexer", "souffleur", "ai_assistant")
MODULES = sorted([*(p for name in FOLDERS for p in ROOT.glob(f"{name}/**/*.py")), ROOT / "cli.py"])
OTHERS = sorted(
    path for name in ("tests", "bench", "training", "docs") for path in ROOT.glob(f"{name}/**/*.py")
)
MOST_LINES = 400
OWNERS = {
    "sqlite3": ["rag/stores/sqlite"],
    "elasticsearch": ["rag/stores/elasticsearch"],
    "elastic_transport": ["rag/stores/elasticsearch"],
    "ollama": ["rag/generators/ollama", "rag/encoders/remote"],
    "httpx": ["rag/generators/ollama", "rag/encoders/remote", "rag/diagnostics/doctor_services"],
    "opentelemetry": ["rag/telemetry"],
    "psutil": ["rag/diagnostics/"],
    "matplotlib": ["rag/diagnostics/plot"],
    "openai": ["rag/generators/sdk", "rag/encoders/remote"],
    "anthropic": ["rag/generators/sdk"],
    "httpx2": ["rag/generators/sdk"],
    "sentence_transformers": ["rag/encoders/transformers"],
    "tokenizers": ["rag/encoders/static"],
    "torch": [],
    "selectolax": ["indexer/parsers/"],
    "markdown_it": ["indexer/parsers/"],
    "docutils": ["indexer/parsers/"],
    "mcp": ["rag/mcp_server"],
    "click": ["souffleur/cli/", "ai_assistant/management/"],
    "django": ["ai_assistant/"],
    "uvicorn": ["rag/server/running", "rag/server/protocols", "rag/mcp_server", "ai_assistant/"],
    "websockets": ["rag/server/protocols"],
    "prometheus_client": ["rag/server/monitoring"],
}
# a room's modules by the prefixes of their names (the longest counts), and the rooms it may import
ROOMS = {
    "core": (["rag.core"], []),
    "config": (["rag.config"], ["core"]),
    "language": (["rag.language"], ["core"]),
    "question": (
        ["rag.question", "rag.extraction.headings"] + ["rag.cache.grammar", "rag.cache.words"],
        ["core", "language"],
    ),
    "encoders": (["rag.encoders"], ["core", "config"]),
    "stores": (["rag.stores"], ["core", "config", "language"]),
    "extraction": (["rag.extraction"], ["core", "language", "question"]),
    "retrieval": (
        ["rag.retriever", "rag.ranking", "rag.reranker", "rag.gate", "rag.search"],
        ["core", "language", "question", "encoders"],
    ),
    "generation": (
        ["rag.generators", "rag.prompt"],
        ["core", "config", "language", "question", "extraction"],
    ),
    "verification": (["rag.checking"], ["core", "language", "extraction", "generation"]),
    "cache": (["rag.cache"], ["core", "language", "question", "encoders"]),
    "analytics": (
        ["rag.analytics"],
        ["core", "config", "language", "question", "encoders", "stores", "cache"],
    ),
    "answering": (
        ["rag", "rag.conversation", "rag.writing"],
        ["core", "config", "language", "question", "encoders", "stores", "extraction"]
        + ["retrieval", "generation", "verification", "cache", "analytics"],
    ),
    "server": (
        ["rag.server", "rag.mcp_server", "rag.telemetry"],
        ["core", "config", "language", "question", "stores", "retrieval", "cache", "analytics"]
        + ["answering"],
    ),
    "diagnostics": (
        ["rag.diagnostics"],
        ["core", "config", "language", "question", "encoders", "stores", "retrieval"]
        + ["generation", "cache", "analytics", "answering", "server"],
    ),
    "indexer": (["indexer"], ["core", "language", "encoders", "answering"]),
    "face": (
        ["souffleur", "cli"],
        ["core", "config", "language", "question", "encoders", "stores", "cache", "analytics"]
        + ["answering", "server", "diagnostics", "indexer"],
    ),
    "django": (["ai_assistant"], ["core", "config", "stores", "answering", "server", "face"]),
}
# where names that sites import used to be, and where they are
SHIMS = {"rag.settings": "rag.config.settings", "rag.server.keys": "rag.server.security"}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


OURS = {name_of(path): path for path in MODULES}


def nodes(tree: ast.AST, *, loading: bool) -> Iterator[ast.AST]:
    """Yield what a module holds; ``loading``: only what is run when it is imported."""
    for node in ast.iter_child_nodes(tree):
        if loading and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if loading and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from nodes(node, loading=loading)


@cache
def imports(path: Path, *, loading: bool = False) -> frozenset[str]:
    """Return the modules that one imports, anywhere in it; what is not ours by its full name."""
    names: set[str] = set()
    for node in nodes(ast.parse(path.read_text()), loading=loading):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names.update(one if one in OURS else node.module or "" for one in inner)
    return frozenset(names)


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def room_of(name: str) -> str:
    homes = [(prefix, room) for room, (prefixes, _) in ROOMS.items() for prefix in prefixes]
    return max((prefix, room) for prefix, room in homes if within(name, prefix))[1]


def by_path(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=by_path)
def test_dependencies_point_one_way(path):
    name = name_of(path)
    if name in SHIMS:
        assert imports(path) == {SHIMS[name]}
        return
    room = room_of(name)
    used = {one for one in imports(path) if one in OURS}
    wrong = {one for one in used if room_of(one) not in {room, *ROOMS[room][1]}}
    assert not wrong, f"{name} ({room}) may not import {sorted(wrong)}"
    assert not used & SHIMS.keys(), f"{name} imports a shim"


def test_rooms_have_an_order():
    left = {room: set(allowed) for room, (_, allowed) in ROOMS.items()}
    while left:
        free = {room for room, allowed in left.items() if not allowed & left.keys()}
        assert free, f"rooms in a circle: {sorted(left)}"
        left = {room: allowed for room, allowed in left.items() if room not in free}


def assert_no_circle(used: dict[str, set[str]]) -> None:
    while used:
        free = {name for name, others in used.items() if not others & used.keys()}
        assert free, f"in a circle, or above one: {sorted(used)}"
        used = {name: others for name, others in used.items() if name not in free}


def test_no_modules_import_each_other_in_a_circle():
    assert_no_circle({name: set(imports(path)) for name, path in OURS.items()})


def test_no_module_waits_for_itself_while_it_is_loaded():
    """Packages above what is imported run first; what is imported within functions does not."""
    used = {}
    for name, path in OURS.items():
        loaded = {one for one in imports(path, loading=True) if one in OURS}
        above = {one.rsplit(".", n)[0] for one in loaded for n in range(1, one.count(".") + 1)}
        used[name] = loaded | {one for one in above if not within(name, one)}
    assert_no_circle(used)


@pytest.mark.parametrize("path", MODULES, ids=by_path)
def test_each_outside_thing_has_one_owner(path):
    place = str(path.relative_to(ROOT).with_suffix(""))
    for name in imports(path):
        owners = OWNERS.get(name.split(".")[0])
        if owners is not None:
            assert any(place.startswith(owner) for owner in owners), f"{place} imports {name}"


@cache
def names_in(path: Path) -> set[str]:
    """Return what stands at the top of a module: defined, assigned or imported, also in an if."""
    names: set[str] = set()
    todo: list[ast.AST] = [ast.parse(path.read_text())]
    while todo:
        for node in ast.iter_child_nodes(todo.pop()):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names.update(alias.asname or alias.name for alias in node.names)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            else:
                todo.append(node)
    return names


@pytest.mark.parametrize("path", [*MODULES, *OTHERS], ids=by_path)
def test_what_is_imported_is_there(path):
    """An import within a function fails when it is called, perhaps only when a server stops."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module in OURS:
            there = names_in(OURS[node.module])
            inner = {name for name in OURS if within(name, node.module)}
            for name in (alias.name for alias in node.names if alias.name != "*"):
                found = name in there or f"{node.module}.{name}" in inner
                assert found or "__getattr__" in there, f"{path}: {node.module} has no {name}"
        elif isinstance(node, ast.ImportFrom | ast.Import):
            named = [getattr(node, "module", None) or alias.name for alias in node.names]
            lost = {name for name in named if name.split(".")[0] in FOLDERS and name not in OURS}
            assert not lost, f"{path}: no module {sorted(lost)}"


def test_no_module_is_too_long():
    lines = {by_path(path): path.read_text().count("\n") for path in MODULES}
    assert not {name: count for name, count in lines.items() if count > MOST_LINES}


def test_every_package_can_be_imported_first():
    """Each in a forked copy of an interpreter that has loaded nothing of ours."""
    packages = [name for name, path in OURS.items() if path.name == "__init__.py"]
    names = [name for name in packages if not within(name, "ai_assistant")]  # after Django's set-up
    script = (
        "import importlib, os, sys\n"
        "import fastapi, numpy, pydantic_settings\n"  # loaded once, not once a package
        "for name in sys.argv[1:]:\n"
        "    if not (child := os.fork()):\n"
        "        importlib.import_module(name)\n"
        "        os._exit(0)\n"
        "    if os.waitpid(child, 0)[1]:\n"
        "        sys.exit(name)\n"
    )
    command = [sys.executable, "-c", script, *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def loaded_after(code: str) -> set[str]:
    # without what an editable installation loads as Python starts
    script = (
        f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


HEAVY = {"numpy", "torch", "tokenizers", "elasticsearch", "ollama", "httpx", "pydantic"}
HELP = "from souffleur import cli\ntry:\n cli.main([*{0}, '--help'])\nexcept SystemExit: pass"


@pytest.mark.parametrize(
    ("code", "also"),
    [
        ("import rag", {"pathlib"}),
        ("import souffleur", {"click", "pathlib"}),
        # a third of click's own weight each, for what prints a page of help
        (HELP.format([]), {"asyncio", "logging", "pathlib"}),
        (HELP.format(["ask"]), {"asyncio"}),
    ],
    ids=["import rag", "import souffleur", "--help", "ask --help"],
)
def test_nothing_heavy_is_loaded_for(code, also):
    assert not (HEAVY | also) & loaded_after(code)


def test_what_sites_import_is_where_it_was():
    from rag.api import open_assistant
    from rag.config import settings
    from rag.config.settings import load_settings

    assert load_settings is settings.load_settings
    assert callable(open_assistant)
