"""Servers whose doors the tests try, started once for a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.raw import Said
from tests.server.running import Running, serving

API_KEY = "the-key-of-the-programs"
ADMIN_KEY = "the-key-of-the-operator"
SITE = "https://www.monchai.example"
ASKED = {"question": "Comment créer un client ?"}


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that anybody may ask, as often as they like."""
    folder = tmp_path_factory.mktemp("open") / "data"
    with serving(HELP_DATA_DIR=folder, HELP_RATE_LIMIT="none") as running:
        yield running


@pytest.fixture(scope="module")
def locked_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with keys, for the pages of one site."""
    folder = tmp_path_factory.mktemp("locked") / "data"
    with serving(
        HELP_DATA_DIR=folder,
        HELP_API_KEY=API_KEY,
        HELP_ADMIN_KEY=ADMIN_KEY,
        HELP_ALLOWED_ORIGINS=f"{SITE}, http://localhost:3000",
        HELP_RATE_LIMIT="none",
    ) as running:
        yield running


def is_problem(said: Said, status: int, code: str) -> bool:
    """Say whether a response is this problem, in full."""
    body = said.json
    return (
        said.status == body["status"] == status
        and said.headers["content-type"] == "application/problem+json"
        and body["code"] == code
        and bool(body["title"] and body["detail"])
        and said.headers["x-content-type-options"] == "nosniff"
    )
