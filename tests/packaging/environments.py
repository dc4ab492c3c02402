"""Wheels, and environments that have nothing of ours but a wheel; no package is fetched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIMIT_S = 120.0
PACKED = ("ai_assistant", "corpus", "indexer", "rag", "souffleur")
BESIDE = ("LICENSE", "README.md", "pyproject.toml", "setup.py")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")


@dataclass(frozen=True, slots=True)
class Environment:
    """Hold a virtual environment, and the folder in which its programs run."""

    folder: Path
    site_packages: Path
    home: Path

    def program(self, name: str) -> str:
        """Return the path of a program that is installed there."""
        return str(self.folder / ("Scripts" if sys.platform == "win32" else "bin") / name)

    def run(
        self, *command: str, cwd: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment to its end, outside the checkout."""
        return subprocess.run(
            [self.program(command[0]), *command[1:]],
            cwd=cwd or self.home,
            env=self.variables(**variables),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=LIMIT_S,
            check=False,
        )

    def variables(self, **more: str) -> dict[str, str]:
        """Return the environment's variables, without any that leads to the checkout."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        kept.pop("HELP_DATA_DIR", None)
        return {**kept, "PYTHONIOENCODING": "utf-8", **more}

    def install(self, wheel: Path, *options: str) -> None:
        """Install a wheel alone, as `pip install` does; what it needs is lent afterwards."""
        self._lent.unlink(missing_ok=True)
        self.pip("install", "--no-deps", "--no-index", "--no-compile", *options, str(wheel))
        self.lend()

    def pip(self, *arguments: str) -> None:
        """Have pip change the environment."""
        command = [*PIP, "--python", self.program("python"), *arguments]
        run_quietly(command, self.home)

    def lend(self) -> None:
        """Lend the packages of the tests' own environment, but not what its .pth files add."""
        paths = [path for path in sys.path if path.endswith("site-packages")]
        self._lent.write_text("\n".join(paths), encoding="utf-8")

    @property
    def _lent(self) -> Path:
        return self.site_packages / "lent.pth"


def empty_environment(folder: Path) -> Environment:
    """Make an environment without a package, and a folder to work in."""
    venv.create(folder / "environment", with_pip=False)
    found = [path for path in (folder / "environment").rglob("site-packages") if path.is_dir()]
    home = folder / "site"
    home.mkdir()
    return Environment(folder / "environment", found[0], home)


def build_wheel(source: Path, folder: Path) -> Path:
    """Build the wheel of a source folder. Returns its path."""
    command = [*PIP, "wheel", "--no-deps", "--no-index", "--no-build-isolation"]
    run_quietly([*command, "-w", str(folder), str(source)], folder)
    return next(folder.glob("*.whl"))


def copy_tree(folder: Path) -> Path:
    """Copy what is packed, so that building leaves nothing in the checkout."""
    source = folder / "source"
    for name in PACKED:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        shutil.copy(ROOT / name, source)
    return source


def run_quietly(command: list[str], folder: Path) -> None:
    """Run a command that must succeed; what it said is shown when it does not."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
