"""One project for all tests, which they do not change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.django.project import asgi, make_project, wsgi
from tests.pages import write_pages
from tests.server.running import Running


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with three help pages."""
    folder = tmp_path_factory.mktemp("django")
    return make_project(folder / "site", write_pages(folder / "pages"))


@pytest.fixture(scope="module")
def under_wsgi(project: Path) -> Iterator[Running]:
    """The project under `runserver`; a rule asks for a badge where the test sends none."""
    with wsgi(project) as running:
        yield running


@pytest.fixture(scope="module")
def under_asgi(project: Path) -> Iterator[Running]:
    """The project under uvicorn."""
    with asgi(project) as running:
        yield running
