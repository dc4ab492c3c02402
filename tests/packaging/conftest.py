"""The wheel of this tree, built once, and an environment that has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packaging.environments import Environment, build_wheel, copy_tree, empty_environment


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    return build_wheel(copy_tree(folder), folder)


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment in which the wheel is installed."""
    environment = empty_environment(tmp_path_factory.mktemp("installed"))
    environment.install(wheel)
    return environment
