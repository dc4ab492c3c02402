"""An environment that has the distribution `souffleur` of 448dbfc takes `souffleur-help`."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.packaging.environments import ROOT, Environment, build_wheel, empty_environment

OLD = "448dbfc"


@pytest.fixture(scope="module")
def old_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the old version, out of this repository's history."""
    command = ["git", "archive", OLD]
    packed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        pytest.skip(f"the history is not here: git fetch --unshallow ({packed.stderr.decode()})")
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
        files.extractall(folder / "source", filter="data")
    return build_wheel(folder / "source", folder)


@pytest.fixture
def site(old_wheel: Path, tmp_path: Path) -> Environment:
    """An environment as the old version's users have it."""
    environment = empty_environment(tmp_path)
    environment.install(old_wheel)
    assert "souffleur, version" in environment.run("souffleur", "--version").stdout
    return environment


def works(site: Environment) -> None:
    """Ask the program that is installed, then what it is made of."""
    assert site.run("souffleur", "--version").stdout.startswith("souffleur, version")
    program = (
        "from souffleur import cli, generate_embedding; assert generate_embedding('client').any()"
    )
    done = site.run("python", "-c", program)
    assert done.returncode == 0, done.stderr


def test_the_old_one_out_and_the_new_one_in(site: Environment, wheel: Path) -> None:
    site.pip("uninstall", "--yes", "souffleur")
    site.install(wheel)
    works(site)
    assert not {"commands", "cli.py"} & {path.name for path in site.site_packages.iterdir()}


def test_the_new_one_over_the_old_one(site: Environment, wheel: Path) -> None:
    site.install(wheel)
    works(site)
    # out afterwards, the old one takes files of the new one along; the README says what cures it
    site.pip("uninstall", "--yes", "souffleur")
    assert not list(Path(site.program("souffleur")).parent.glob("souffleur*"))
    site.install(wheel, "--force-reinstall")
    works(site)
