"""A real Django project beside the installed packages: own `commands` works, own `rag` is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packaging.environments import Environment

SETTINGS = """
INSTALLED_APPS += ["ai_assistant"]
AI_ASSISTANT_DATA_DIR = BASE_DIR / "data"
"""
URLS = """
from django.urls import include
urlpatterns += [path("api/help/", include("ai_assistant.urls"))]
"""


@pytest.fixture
def project(installed: Environment, tmp_path: Path) -> Path:
    """A Django project as `startproject` makes it, with the help in it."""
    pytest.importorskip("django")
    done = installed.run("python", "-m", "django", "startproject", "cellar", str(tmp_path))
    assert done.returncode == 0, done.stderr
    for name, more in (("settings.py", SETTINGS), ("urls.py", URLS)):
        path = tmp_path / "cellar" / name
        path.write_text(path.read_text("utf-8") + more, "utf-8")
    (tmp_path / "aide").mkdir()
    (tmp_path / "aide/creer.md").write_text("# Créer un client\n\nCliquez sur **Nouveau**.\n")
    return tmp_path


def own_package(project: Path, name: str) -> Path:
    """Give the project a package of its own. Returns its first file."""
    (project / name).mkdir()
    first = project / name / "__init__.py"
    first.write_text('OWN = "of the site"\n')
    return first


def manage(installed: Environment, project: Path, *arguments: str) -> tuple[int, str]:
    """Run a command of `manage.py` in the project. Returns its exit code and what it said."""
    done = installed.run("python", "manage.py", *arguments, cwd=project)
    return done.returncode, done.stdout + done.stderr


def test_commands_of_its_own_do_no_harm(installed: Environment, project: Path) -> None:
    own_package(project, "commands")
    code, said = manage(installed, project, "index_help", "aide")
    assert (code, said[:7]) == (0, "1 page,"), said
    code, said = manage(installed, project, "check", "--fail-level", "WARNING")
    assert code == 0, said
    code, said = manage(installed, project, "shell", "-c", "import commands; print(commands.OWN)")
    assert said.endswith("of the site\n")


@pytest.mark.parametrize("name", ["rag", "indexer"])
def test_a_package_that_hides_ours_is_told_once_with_both_cures(
    installed: Environment, project: Path, name: str
) -> None:
    hidden = own_package(project, name)
    code, said = manage(installed, project, "check")
    assert code != 0
    told = [line for line in said.splitlines() if "Error: " in line]
    assert len(told) == 1 and told[0].startswith("ImportError: "), said
    ours = installed.site_packages / name / "__init__.py"
    for part in (str(hidden), str(ours), "rename that one", "souffleur serve"):
        assert part in told[0]


def test_the_second_cure_works_beside_it(installed: Environment, project: Path) -> None:
    own_package(project, "rag")
    data = str(project / "data")
    done = installed.run("souffleur", "index", "aide", cwd=project, HELP_DATA_DIR=data)
    assert done.stdout.startswith("1 page,"), done.stderr


def test_a_module_loaded_before_is_told_too(installed: Environment, project: Path) -> None:
    hidden = own_package(project, "rag")
    done = installed.run("python", "-c", "import rag, souffleur", cwd=project)
    assert done.returncode == 1 and str(hidden) in done.stderr
    assert "ImportError: Souffleur's package 'rag'" in done.stderr


def test_cures_are_told_in_the_words_of_manage_py(installed: Environment, project: Path) -> None:
    code, said = manage(installed, project, "index_help", "--rollback")
    assert code != 0 and "python manage.py index_help FOLDER" in said
    code, said = manage(installed, project, "check", "--fail-level", "WARNING")
    assert code != 0 and "python manage.py index_help FOLDER" in said
    program = (
        "from souffleur import get_similar_chunks, HelpError\n"
        "try: get_similar_chunks('client')\n"
        "except HelpError as error: print(error)"
    )
    code, said = manage(installed, project, "shell", "-c", program)
    assert "python manage.py index_help FOLDER" in said and "cli.py" not in said
