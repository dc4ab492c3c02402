"""Models opened by name: which service writes, and what is told when it cannot be opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rag.api import open_writer
from rag.config.settings import Settings
from rag.core.errors import ConfigError
from rag.generators import open_generators
from rag.writing.chain import Chain

KEY = "sk-test-key"


def settings(**values) -> Settings:
    return Settings(_env_file=None, **values)


def test_names_say_which_service_writes() -> None:
    opened = open_generators(
        settings(
            model="gemma3:1b",
            fallback_models=" openai:gpt-4.1-mini, anthropic:claude-x,hf.co/x/y:Q4,"
            " ollama:openai:7b,,gemma3:1b ",
            anthropic_api_key=KEY,
        )
    )
    names = ["gemma3:1b", "openai:gpt-4.1-mini", "anthropic:claude-x", "hf.co/x/y:Q4", "openai:7b"]
    assert [one.name for one in opened] == names
    kinds = ["Ollama", "OpenAI", "Anthropic", "Ollama", "Ollama"]
    assert [type(one).__name__ for one in opened] == [f"{kind}Generator" for kind in kinds]


def test_one_model_is_opened_alone_and_several_as_a_chain() -> None:
    assert not isinstance(open_writer(settings(model="phi3:mini")), Chain)
    several = settings(model="openai:m", fallback_models="phi3:mini")
    assert isinstance(open_writer(several), Chain)


@pytest.mark.parametrize("name", ["openai:", "anthropic:", "ollama:", "openai"])
def test_a_name_without_a_model_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="HELP_MODEL"):
        open_generators(settings(model=name))


def test_anthropic_without_a_key_is_refused_when_it_is_opened() -> None:
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY"):
        open_generators(settings(model="phi3:mini", fallback_models="anthropic:claude-x"))


@pytest.mark.parametrize("package", ["openai", "anthropic"])
def test_a_missing_package_is_told_only_when_it_is_named(package: str) -> None:
    """Without an SDK there is no httpx2 either."""
    output = run_in_a_process(
        f"sys.modules[{package!r}] = sys.modules['httpx2'] = None",
        "assert open_generators(Settings(model='phi3:mini', _env_file=None))",
        "try:",
        f" open_generators(Settings(model='{package}:m', anthropic_api_key='k', _env_file=None))",
        "except ConfigError as error:",
        " print(error)",
    )
    install = f"pip install -c constraints.txt -e '.[{package}]'"
    assert output == f"{package}:m needs an extra package: {install}"


def test_neither_sdk_is_loaded_for_a_model_of_ollama() -> None:
    output = run_in_a_process(
        "open_generators(Settings(_env_file=None))",
        "print(*sorted({'openai', 'anthropic', 'httpx2'} & set(sys.modules)))",
    )
    assert output == ""


def run_in_a_process(*lines: str) -> str:
    head = (
        "import sys",
        "from rag.core.errors import ConfigError",
        "from rag.generators import open_generators",
        "from rag.config.settings import Settings",
    )
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*head, *lines])],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
