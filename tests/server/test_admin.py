"""What the operator does over HTTP, and nobody else."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.office import FAST
from tests.office import serving as office
from tests.scripted import wait_until
from tests.server.doors import ADMIN_KEY, API_KEY, ASKED, is_problem, locked_server, open_server
from tests.server.raw import ask
from tests.server.running import serving

__all__ = ["locked_server", "open_server"]
ROUTES = [("GET", "cache"), ("DELETE", "cache"), ("GET", "feedback")]


@pytest.mark.parametrize(("method", "name"), ROUTES)
def test_without_a_key_it_is_closed_to_everybody(open_server, method, name):
    for shown in ("", f"Bearer {ADMIN_KEY}", "Bearer "):
        said = ask(open_server.url, f"/api/admin/{name}", method=method, Authorization=shown)
        assert is_problem(said, 403, "closed")


@pytest.mark.parametrize(("method", "name"), ROUTES)
def test_with_a_wrong_key_it_is_closed(locked_server, method, name):
    for shown in ("", f"Bearer {API_KEY}", f"Basic {ADMIN_KEY}", f"Bearer {ADMIN_KEY[:-1]}"):
        said = ask(locked_server.url, f"/api/admin/{name}", method=method, Authorization=shown)
        assert is_problem(said, 401, "unauthorized")


def test_metrics_are_the_operators(open_server, locked_server):
    assert is_problem(ask(open_server.url, "/metrics"), 403, "closed")
    assert is_problem(ask(locked_server.url, "/metrics"), 401, "unauthorized")
    key = f"Bearer {ADMIN_KEY}"
    assert ask(locked_server.url, "/metrics", Authorization=key).status == 200


def test_operator_sees_and_removes_kept_answers(tmp_path):
    key = f"Bearer {ADMIN_KEY}"
    with (
        office(FAST) as (url, _),
        serving(HELP_ADMIN_KEY=ADMIN_KEY, OLLAMA_URL=url, HELP_TIMEOUT=60) as server,
    ):
        first = ask(server.url, "/api/help/query", ASKED).json
        assert not first["degraded"], first
        assert ask(server.url, "/api/help/query", ASKED).json["cached"] == "exact"
        figures = ask(server.url, "/api/admin/cache", Authorization=key).json
        assert figures["entries"] == 1
        assert figures["missed"] == 1
        assert first["sources"][0]["page"] in figures["pages"]
        other = ask(server.url, "/api/admin/cache?page=x.md", method="DELETE", Authorization=key)
        assert other.json == {"removed": 0}
        gone = ask(server.url, "/api/admin/cache", method="DELETE", Authorization=key)
        assert gone.json == {"removed": 1}
        assert ask(server.url, "/api/help/query", ASKED).json["cached"] is None


def test_operator_reads_the_feedback(tmp_path):
    key = f"Bearer {ADMIN_KEY}"
    with serving(HELP_ADMIN_KEY=ADMIN_KEY) as server:
        assert ask(server.url, "/api/admin/feedback", Authorization=key).body == b""
        answer = ask(server.url, "/api/help/query", ASKED).json
        for name in (answer["answer_id"], uuid.uuid4().hex):
            said = ask(server.url, "/api/help/feedback", {"answer_id": name, "helpful": False})
            assert said.status == 204

        def rows() -> list[dict]:
            found = ask(server.url, "/api/admin/feedback?days=1", Authorization=key)
            assert found.headers["content-type"].startswith("application/x-ndjson")
            return [json.loads(line) for line in found.body.splitlines()]

        # a background thread writes it: nobody waits for the journal
        assert wait_until(lambda: answer["answer_id"] in {row["answer_id"] for row in rows()}, 20)
        assert not any(row["helpful"] for row in rows())
        assert ask(server.url, "/api/admin/feedback?days=0", Authorization=key).status == 422
