"""What each response tells the browser, and what strange heads of requests do: nothing."""

from __future__ import annotations

import pytest

from tests.server.doors import ASKED, is_problem, open_server
from tests.server.raw import ask, send

__all__ = ["open_server"]
QUERY = "/api/help/query"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (QUERY, ASKED),
        ("/api/help/stream", ASKED),
        (QUERY, {}),
        ("/nothing", None),
        ("/healthz", None),
        ("/v1/models", None),
        ("/api/admin/cache", None),
    ],
)
def test_every_response_is_closed_to_browsers(open_server, path, body):
    headers = ask(open_server.url, path, body).headers
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert "geolocation=()" in headers["permissions-policy"]
    if path.startswith(("/api/", "/v1/")):
        assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_page_may_load_its_own_things_alone(open_server):
    said = ask(open_server.url, "/")
    assert said.status == 200
    policy = dict(
        part.split(" ", 1) for part in said.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert b"<script>" not in said.body
    assert b" style=" not in said.body


@pytest.mark.parametrize(
    "value", ["https://evil.example\r\nX-Evil: 1", "x\nX-Evil: 1", "x\r X-Evil: 1", "x\x00y"]
)
def test_no_header_of_a_request_becomes_one_of_the_response(open_server, value):
    head = f"GET /nothing HTTP/1.1\r\nHost: h\r\nOrigin: {value}\r\nConnection: close\r\n\r\n"
    said = send(open_server.url, head.encode("latin-1"))
    assert said.status in (400, 404)
    assert "x-evil" not in said.headers
    assert b"evil" not in said.body.lower()


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:99999", "[::1", "a b", "a@b", "x" * 3_000, "é", "../..", "h,h"],
)
def test_name_of_the_server_is_never_repeated(open_server, host):
    for path in ("/nothing", "/docs/", QUERY + "/", "//evil.example/x"):
        said = ask(open_server.url, path, host=host)
        assert said.status in (200, 400, 404, 405)
        assert "location" not in said.headers
        assert host.encode("latin-1") not in said.body
    assert ask(open_server.url, QUERY, ASKED, host=host, Origin=f"http://{host}").status in (
        200,
        400,
        403,
    )


def test_request_without_or_with_two_hosts_is_answered_or_refused(open_server):
    for hosts in (b"", b"Host: a\r\nHost: b\r\n"):
        said = send(open_server.url, b"GET /v1/models HTTP/1.1\r\n" + hosts + b"\r\n")
        assert said.status in (200, 400)


def test_long_heads_are_refused_and_the_next_client_is_served(open_server):
    for lines in (b"X-Long: " + b"a" * 200_000 + b"\r\n", b"X-Many: a\r\n" * 20_000):
        head = b"GET /v1/models HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + lines + b"\r\n"
        try:
            status = send(open_server.url, head).status
        except (ConnectionError, OSError):
            status = 431  # hung up on
        assert status in (400, 431)
    assert ask(open_server.url, "/v1/models").status == 200


def test_ten_thousand_parameters_are_read_past(open_server):
    query = "&".join(f"p{n}={n}" for n in range(5_000))
    assert ask(open_server.url, f"/v1/models?{query}").status == 200
    assert is_problem(ask(open_server.url, f"/nothing?{query}"), 404, "not_found")
    long = ask(open_server.url, "/v1/models?" + "&" * 60_000)
    assert long.status in (200, 400, 414, 431)


@pytest.mark.parametrize("path", ["/%00", "/%ff", "/..%2f..%2fetc/passwd", "/a\\b", "/%", "/é?%zz"])
def test_strange_paths_are_not_found(open_server, path):
    assert ask(open_server.url, path).status in (400, 404)


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "DELETE", "PATCH", "FOO"])
def test_other_methods_are_refused(open_server, method):
    said = ask(open_server.url, QUERY, method=method)
    assert said.status in (400, 405)
