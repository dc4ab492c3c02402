"""Dependencies point one way, each outside thing has one owner, and light commands stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    [
        *ROOT.glob("rag/**/*.py"),
        *ROOT.glob("indexer/**/*.py"),
        *ROOT.glob("commands/*.py"),
        *ROOT.glob("ai_assistant/**/*.py"),
        ROOT / "cli.py",
    ]
)
OWNERS = {
    "sqlite3": ["rag/stores/sqlite"],
    "elasticsearch": ["rag/stores/elasticsearch"],
    "elastic_transport": ["rag/stores/elasticsearch"],
    "ollama": ["rag/generators/ollama", "rag/encoders/ollama"],
    "httpx": ["rag/generators/ollama", "rag/encoders/ollama", "rag/diagnostics/doctor/servers"],
    "opentelemetry": ["rag/telemetry"],
    "psutil": ["rag/diagnostics/"],
    "matplotlib": ["rag/diagnostics/plot"],
    "openai": ["rag/generators/openai", "rag/encoders/openai"],
    "anthropic": ["rag/generators/anthropic"],
    "httpx2": ["rag/generators/remote"],
    "sentence_transformers": ["rag/encoders/sentence_transformers", "rag/cross_encoder"],
    "tokenizers": ["rag/encoders/static"],
    "torch": [],
    "selectolax": ["indexer/parsers/"],
    "markdown_it": ["indexer/parsers/"],
    "docutils": ["indexer/parsers/"],
    "mcp": ["rag/mcp_server"],
    "click": ["cli", "commands/", "ai_assistant/management/"],
    "django": ["ai_assistant/"],
    "uvicorn": ["rag/server/running", "rag/server/protocols", "rag/mcp_server", "ai_assistant/"],
    "websockets": ["rag/server/protocols"],
    "prometheus_client": ["rag/server/metrics"],
}
OURS = ["rag", "indexer", "commands", "cli", "ai_assistant"]
# what a module may import of ours, by the longest prefix of its own name
ALLOWED = {
    "rag.errors": (),
    "rag.types": (),
    "rag.analysis": (),
    "rag.messages": (),
    "rag.lexicon": (),
    "rag.deadline": (),
    "rag.given": (),
    "rag.settings": ("rag.errors", "rag.given"),
    "rag.encoders": ("rag.encoders", "rag.errors", "rag.settings", "rag.types"),
    "rag.cache.types": ("rag.types",),
    "rag.journal": (),
    "rag.noting": (
        "rag.cache.normalise",
        "rag.journal",
        "rag.messages",
        "rag.settings",
        "rag.types",
    ),
    "rag.journaling": (
        "rag.errors",
        "rag.journal",
        "rag.noting",
        "rag.settings",
        "rag.stores",
        "rag.types",
    ),
    "rag.reports": (
        "rag.reports",
        "rag.encoders",
        "rag.errors",
        "rag.journal",
        "rag.messages",
        "rag.noting",
        "rag.settings",
        "rag.stores",
        "rag.types",
    ),
    "rag.stores": (
        "rag.stores",
        "rag.analysis",
        "rag.cache.types",
        "rag.conversation.turns",
        "rag.deadline",
        "rag.errors",
        "rag.journal",
        "rag.settings",
        "rag.types",
    ),
    "rag.generators": (
        "rag.generators",
        "rag.deadline",
        "rag.errors",
        "rag.prompt",
        "rag.settings",
        "rag.types",
    ),
    "rag.spelling": ("rag.analysis", "rag.types"),
    "rag.reranker": ("rag.encoders.static", "rag.types"),
    "rag.cross_encoder": ("rag.errors", "rag.types"),
    "rag.retriever": (
        "rag.analysis",
        "rag.cross_encoder",
        "rag.deadline",
        "rag.errors",
        "rag.reranker",
        "rag.spelling",
        "rag.stores.common",
        "rag.types",
    ),
    "rag.gate": ("rag.retriever",),
    "rag.breaker": (),
    "rag.prompt": ("rag.extraction.condense", "rag.types"),
    "rag.extraction": ("rag.extraction", "rag.analysis", "rag.lexicon", "rag.types"),
    "rag.conversation.turns": (),
    "rag.conversation.shared": (
        "rag.conversation",
        "rag.breaker",
        "rag.deadline",
        "rag.errors",
    ),
    "rag.conversation": ("rag.conversation", "rag.analysis", "rag.errors"),
    "rag.checking": (
        "rag.checking",
        "rag.analysis",
        "rag.extraction.sentences",
        "rag.prompt",
        "rag.types",
    ),
    "rag.answers": (
        "rag.deadline",
        "rag.extraction.extract",
        "rag.messages",
        "rag.retriever",
        "rag.types",
    ),
    "rag.writing": (
        "rag.writing",
        "rag.answers",
        "rag.cache.answers",
        "rag.cache.flight",
        "rag.checking",
        "rag.deadline",
        "rag.errors",
        "rag.generators",
        "rag.prompt",
        "rag.types",
    ),
    "rag.watching": ("rag.errors", "rag.settings"),
    "rag.places": ("rag.errors", "rag.types"),
    "rag.outcomes": ("rag.places", "rag.types"),
    "rag.search": ("rag.breaker", "rag.deadline", "rag.errors", "rag.retriever", "rag.types"),
    "rag.cache": (
        "rag.cache",
        "rag.analysis",
        "rag.breaker",
        "rag.deadline",
        "rag.encoders.static",
        "rag.errors",
        "rag.lexicon",
        "rag.types",
    ),
    "rag.cache.warm": ("rag",),
    "rag": ("rag",),
    "indexer": (
        "indexer",
        "rag.analysis",
        "rag.api",
        "rag.errors",
        "rag.settings",
        "rag.stores",
        "rag.types",
    ),
    "ai_assistant": ("ai_assistant", "commands", "rag"),
    "ai_assistant.utils": ("rag",),
    "indexer.verify": ("indexer", "rag"),
    "cli": ("commands", "rag"),
    "commands": (
        "commands.kept",
        "commands.output",
        "commands.rendering",
        "commands.talk",
        "indexer",
        "rag",
    ),
    "commands.output": ("rag.messages",),
    "commands.rendering": ("commands.output", "rag.messages", "rag.types"),
    "commands.talk": (
        "commands.output",
        "commands.rendering",
        "rag.conversation",
        "rag.errors",
        "rag.messages",
    ),
}


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names.add(module)
            if module in {"rag", "indexer", "commands"}:
                names.update(f"{module}.{alias.name}" for alias in node.names)
                names.discard(module)
    return names


def within(name: str, prefixes) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_dependencies_point_one_way(path):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    rule = max((prefix for prefix in ALLOWED if within(name, [prefix])), key=len)
    ours = {i for i in imports(path) if within(i, OURS)}
    wrong = {i for i in ours if not within(i, ALLOWED[rule])}
    assert not wrong, f"{name} may not import {sorted(wrong)}"
    if name.startswith("rag"):
        assert not any(within(i, OURS[1:]) for i in ours)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_outside_thing_has_one_owner(path):
    place = str(path.relative_to(ROOT).with_suffix(""))
    for name in imports(path):
        owners = OWNERS.get(name.split(".")[0])
        if owners is not None:
            assert any(place.startswith(owner) for owner in owners), f"{place} imports {name}"


def loaded_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import rag",
        "import cli\ntry:\n cli.main(['--help'])\nexcept SystemExit: pass",
        "import cli\ntry:\n cli.main(['ask', '--help'])\nexcept SystemExit: pass",
    ],
    ids=["import rag", "--help", "ask --help"],
)
def test_nothing_heavy_is_loaded_for(code):
    heavy = {"numpy", "torch", "tokenizers", "elasticsearch", "ollama", "httpx", "pydantic"}
    assert not heavy & loaded_after(code)
