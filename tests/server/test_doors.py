"""What the server refuses: foreign pages, wrong keys, too much, too deep, too slow, too often."""

from __future__ import annotations

import json
import os
import subprocess
import time

import pytest

from rag.core.errors import ConfigError
from rag.language.messages import preferred_language
from rag.server.middleware import Limiter, client_of, depth
from rag.server.security import (
    caller_allowed,
    mint_token,
    origin_allowed,
    same,
    subprotocol,
    token_good,
)
from rag.server.settings import (
    MOST_BODY_BYTES,
    MOST_CHAT_BYTES,
    ServerSettings,
    load_server_settings,
)
from tests.commands import CLI
from tests.server.doors import (
    API_KEY,
    ASKED,
    SITE,
    is_problem,
    locked_server,
    open_server,
)
from tests.server.raw import ask, connect, read, send
from tests.server.running import serving

__all__ = ["locked_server", "open_server"]
QUERY = "/api/help/query"
HEAD = b"POST %s HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n" % QUERY.encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "allowed"),
    [
        ("http://aide.example:8000", "aide.example:8000", "ws", True),
        ("https://aide.example", "aide.example", "https", True),
        ("https://aide.example", "aide.example:443", "https", True),
        ("https://aide.example", "aide.example", "http", True),  # TLS ended before us
        ("http://[::1]:8000", "[::1]:8000", "http", True),
        ("http://aide.example", "aide.example", "https", False),
        ("http://aide.example:8001", "aide.example:8000", "http", False),
        ("http://aide.example", "aide.example:8000", "http", False),
        ("http://aide.example.evil.tld", "aide.example", "http", False),
        ("http://evil-aide.example", "aide.example", "http", False),
        ("http://AIDE.example", "aide.example", "http", False),
        ("http://aide.example.", "aide.example", "http", False),
        ("http://user@aide.example", "aide.example", "http", False),
        ("http://user@aide.example", "user@aide.example", "http", False),
        ("http://aide.example/", "aide.example", "http", False),
        ("http://aide.example:80", "aide.example:80", "http", False),
        ("http://aide.example:08000", "aide.example:08000", "http", False),
        ("ftp://aide.example", "aide.example", "ftp", False),
        ("null", "null", "http", False),
        ("", "", "http", False),
        ("http://", "", "http", False),
        (None, "aide.example", "http", False),
    ],
)
def test_without_a_list_only_the_own_origin_may_ask(origin, host, scheme, allowed):
    assert origin_allowed(ServerSettings(), origin, host, scheme) is allowed


@pytest.mark.parametrize(
    "origin",
    [
        "https://www.monchai.example.evil.tld",
        "https://wwwamonchai.example",
        "https://www.monchai.example:8443",
        "http://www.monchai.example",
        "https://WWW.monchai.example",
        "https://www.monchai.example.",
        "https://www.monchai.example/",
        "https://a@www.monchai.example",
        "https://monchai.example",
        "https://own.example",
        " https://www.monchai.example",
        "null",
        "",
        None,
    ],
)
def test_of_a_list_only_what_stands_there_may_ask(origin):
    settings = ServerSettings(allowed_origins=SITE)
    assert origin_allowed(settings, SITE, "own.example", "https")
    assert not origin_allowed(settings, origin, "own.example", "https")


def test_programs_without_an_origin_may_be_let_in():
    assert origin_allowed(ServerSettings(allow_no_origin=True), None, "h", "ws")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HELP_ALLOWED_ORIGINS", "https://a.example/"),
        ("HELP_ALLOWED_ORIGINS", "https://A.example"),
        ("HELP_ALLOWED_ORIGINS", "https://*.a.example"),
        ("HELP_ALLOWED_ORIGINS", "https://a.example:443"),
        ("HELP_ALLOWED_ORIGINS", "*"),
        ("HELP_API_KEY", "short-SECRET"),
        ("HELP_ADMIN_KEY", "with a space in the SECRET"),
        ("HELP_TOKEN_SECRET", "SECRET"),
        ("HELP_RATE_LIMIT", "lots"),
        ("HELP_RATE_LIMIT", "0/minute"),
        ("HELP_MAX_CONNECTIONS", "0"),
        ("HELP_TRUSTED_PROXIES", "proxy.example"),
        ("HELP_PORT", "65536"),
    ],
)
def test_wrong_setting_is_named_and_a_secret_is_not_shown(name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as error:
        load_server_settings()
    assert name in str(error.value)
    assert "SECRET" not in str(error.value).replace("HELP_TOKEN_SECRET", "")


def test_command_says_what_a_token_needs():
    done = subprocess.run([*CLI, "token"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "set HELP_API_KEY" in done.stderr


def test_token_opens_the_asking_until_it_is_too_old(monkeypatch):
    settings = ServerSettings(api_key=API_KEY, token_max_age_s=60)
    token = mint_token(settings)
    assert token_good(settings, token)
    assert caller_allowed(settings, {"authorization": f"Bearer {token}"})
    offered = {"sec-websocket-protocol": f"souffleur, souffleur.token.{token}"}
    assert caller_allowed(settings, offered)
    assert subprotocol(offered) == "souffleur"
    at = time.time()
    monkeypatch.setattr(time, "time", lambda: at + 62)
    assert not token_good(settings, token)


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: "x" + t, lambda t: "", lambda t: "é"]
)
def test_token_that_was_changed_opens_nothing(change):
    settings = ServerSettings(api_key=API_KEY)
    assert not token_good(settings, change(mint_token(settings)))


def test_token_of_another_key_opens_nothing():
    settings = ServerSettings(api_key=API_KEY)
    assert not token_good(settings, mint_token(ServerSettings(api_key="another-key-than-that")))
    assert not token_good(ServerSettings(), mint_token(settings))


def test_key_is_compared_whole():
    settings = ServerSettings(api_key=API_KEY)
    assert same(settings.api_key, API_KEY)
    assert not any(
        same(settings.api_key, shown) for shown in ("", API_KEY[:-1], API_KEY + "x", "é")
    )
    assert not same(None, "")


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("testclient", "unknown"),
    ],
)
def test_client_is_an_address_or_the_network_of_one_customer(host, client):
    assert client_of({"client": (host, 1)}) == client


def test_window_moves_and_clients_do_not_share_it():
    limiter = Limiter(ServerSettings(rate_limit="2/second;100/hour"))
    assert limiter.hit("a")
    assert limiter.hit("a")
    assert not limiter.hit("a")
    assert limiter.retry_after_s("a") == 1
    assert limiter.hit("b")
    end = time.monotonic() + 30
    while not limiter.hit("a"):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_refused_question_does_not_count():
    limiter = Limiter(ServerSettings(rate_limit="1/second;2/hour"))
    hits = 0
    end = time.monotonic() + 30
    while hits < 2 and time.monotonic() < end:
        hits += limiter.hit("a")
        time.sleep(0.02)
    assert hits == 2
    assert limiter.retry_after_s("a") > 1_000


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        (b"[]", 1),
        (b'{"a": [1, {"b": []}]}', 4),
        (b'{"a": "[[[[["}', 1),
        (rb'{"a": "\"[[["}', 1),
        (rb'{"a": "\\", "b": [[]]}', 3),
        (b'["[[', 1),
        (b'["' + rb"\"" * 50_000, 1),  # in no time: no text is looked at twice
        (b"[" * 50_000, 50_000),
    ],
)
def test_depth_of_json_is_known_without_parsing(text, deep):
    start = time.monotonic()
    assert depth(text) == deep
    assert time.monotonic() - start < 1


@pytest.mark.parametrize(
    ("header", "lang"),
    [
        ("", "fr"),
        ("en", "en"),
        ("en-US,en;q=0.9,fr;q=0.8", "en"),
        ("de,fr;q=0.5,en;q=0.9", "en"),
        ("fr-FR,fr;q=0.9,en;q=0.8", "fr"),
        ("frank,english", "fr"),
        ("en;q=,;;;,\x00", "en"),
    ],
)
def test_problem_is_told_in_the_language_preferred(header, lang):
    assert preferred_language(header) == lang


def test_question_is_answered_and_hidden_from_other_sites(open_server):
    said = ask(open_server.url, QUERY, ASKED)
    assert said.status == 200
    assert "access-control-allow-origin" not in said.headers
    own = ask(open_server.url, QUERY, ASKED, Origin=open_server.url)
    assert own.status == 200
    for origin in ("https://evil.example", "null", open_server.url + "/", "http://x" * 500):
        assert is_problem(ask(open_server.url, QUERY, ASKED, Origin=origin), 403, "forbidden")


def test_page_of_the_list_may_ask_and_read(locked_server):
    preflight = ask(
        locked_server.url,
        QUERY,
        method="OPTIONS",
        Origin=SITE,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization, content-type",
    )
    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == SITE
    assert "access-control-allow-credentials" not in preflight.headers
    key = f"Bearer {API_KEY}"
    said = ask(locked_server.url, QUERY, ASKED, Origin=SITE, Authorization=key)
    assert said.status == 200
    assert said.headers["access-control-allow-origin"] == SITE
    assert "Origin" in said.headers["vary"]
    assert ask(locked_server.url, QUERY, ASKED, Origin=SITE).headers["access-control-allow-origin"]


def test_foreign_page_is_told_nothing(locked_server):
    preflight = ask(
        locked_server.url,
        QUERY,
        method="OPTIONS",
        Origin="https://evil.example",
        Access_Control_Request_Method="POST",
    )
    assert is_problem(preflight, 403, "forbidden")
    assert "access-control-allow-origin" not in preflight.headers
    key = f"Bearer {API_KEY}"
    said = ask(locked_server.url, QUERY, ASKED, Origin=locked_server.url, Authorization=key)
    assert is_problem(said, 403, "forbidden")
    assert "access-control-allow-origin" not in said.headers


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer wrong", f"Basic {API_KEY}", f"Bearer {API_KEY}x"]
)
def test_wrong_key_opens_nothing(locked_server, shown):
    said = ask(locked_server.url, QUERY, ASKED, Authorization=shown)
    assert is_problem(said, 401, "unauthorized")
    assert said.headers["www-authenticate"] == "Bearer"


def test_token_is_made_with_the_key_and_opens_the_asking_alone(locked_server):
    key = f"Bearer {API_KEY}"
    made = ask(locked_server.url, "/api/help/token", b"", Authorization=key)
    assert made.status == 200, made
    assert made.json["expires_in"] == 28_800
    token = f"Bearer {made.json['token']}"
    assert ask(locked_server.url, QUERY, ASKED, Authorization=token).status == 200
    again = ask(locked_server.url, "/api/help/token", b"", Authorization=token)
    assert is_problem(again, 401, "unauthorized")
    admin = ask(locked_server.url, "/api/admin/cache", Authorization=token)
    assert is_problem(admin, 401, "unauthorized")


def test_command_makes_a_token_that_the_server_takes(locked_server):
    done = subprocess.run(
        [*CLI, "token"],
        env=os.environ | {"HELP_API_KEY": API_KEY},
        capture_output=True,
        text=True,
        check=True,
    )
    token = f"Bearer {done.stdout.strip()}"
    assert ask(locked_server.url, QUERY, ASKED, Authorization=token).status == 200


def test_no_token_is_made_where_anybody_may_ask(open_server):
    assert is_problem(ask(open_server.url, "/api/help/token", b""), 404, "not_found")


def test_who_asks_too_often_waits_and_the_key_does_not(tmp_path):
    with serving(HELP_RATE_LIMIT="3/hour", HELP_API_KEY=API_KEY) as server:
        token = f"Bearer {mint_token(ServerSettings(api_key=API_KEY))}"
        said = [ask(server.url, QUERY, ASKED, Authorization=token) for _ in range(4)]
        assert [one.status for one in said] == [200, 200, 200, 429]
        assert is_problem(said[-1], 429, "too_many")
        assert 3_000 < int(said[-1].headers["retry-after"]) <= 3_600
        stream = ask(server.url, "/api/help/stream", ASKED, Authorization=token)
        assert is_problem(stream, 429, "too_many")
        assert ask(server.url, QUERY, ASKED, Authorization=f"Bearer {API_KEY}").status == 200
        assert ask(server.url, "/healthz").status == 200


def test_long_body_is_refused_before_it_is_sent(open_server):
    ask(open_server.url, QUERY, ASKED)
    fastest = 60.0
    for length in (MOST_BODY_BYTES + 1, 10**12, 10**18, 10**19 - 1):
        start = time.monotonic()
        said = send(open_server.url, HEAD + b"Content-Length: %d\r\n\r\n" % length)
        fastest = min(fastest, time.monotonic() - start)
        assert is_problem(said, 413, "too_long")
    assert fastest < 0.05


def test_a_whole_conversation_has_a_bound_of_its_own(open_server):
    head = HEAD.replace(QUERY.encode(), b"/v1/chat/completions")
    said = send(open_server.url, head + b"Content-Length: %d\r\n\r\n" % (MOST_CHAT_BYTES + 1))
    assert said.status == 413 and b"too_long" in said.body


def test_body_without_end_is_refused_at_the_limit(open_server):
    piece = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    said = send(open_server.url, CHUNKED, piece, piece, b"1\r\nx\r\n")
    assert is_problem(said, 413, "too_long")


def test_longest_body_is_read(open_server):
    body = json.dumps(ASKED).encode().ljust(MOST_BODY_BYTES)
    assert ask(open_server.url, QUERY, body).status == 200
    assert is_problem(ask(open_server.url, QUERY, body + b" "), 413, "too_long")


def test_body_that_does_not_come_is_not_waited_for(open_server):
    with connect(open_server.url) as client:
        client.sendall(CHUNKED + b"1\r\n{\r\n")
        assert is_problem(read(client), 408, "slow")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"[" * 60_000, 400, "too_deep"),
        (b'{"a":' * 10_000, 400, "too_deep"),
        (b'{"question": "x", "page": ' + b"[" * 900 + b"]" * 900 + b"}", 400, "too_deep"),
        (b"{", 400, "not_json_text"),
        (b"\xff\xfe", 400, "not_json_text"),
        (b"[]", 422, "bad_message"),
        (b'{"question": 5}', 422, "bad_message"),
        (b'{"question": null}', 422, "bad_message"),
        (b'{"question": NaN}', 422, "bad_message"),
        (b'{"question": ' + b"9" * 5_000 + b"}", 400, "bad_message"),
    ],
)
def test_broken_body_is_a_problem_that_repeats_nothing(open_server, body, status, code):
    said = ask(open_server.url, QUERY, body)
    assert said.status == status, said
    assert is_problem(said, status, code), said
    assert len(said.body) < 1_000
    assert ask(open_server.url, QUERY, ASKED).status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "json"])
def test_only_json_is_read_which_no_page_elsewhere_can_send_unasked(open_server, kind):
    body = json.dumps(ASKED).encode()
    assert is_problem(ask(open_server.url, QUERY, body, Content_Type=kind), 415, "not_json")


def test_question_that_is_too_long_is_refused(open_server):
    said = ask(open_server.url, QUERY, {"question": "a" * 2_001}, Accept_Language="en")
    assert said.status == 422
    assert said.json["detail"]


def test_missing_and_forbidden_are_problems_in_two_languages(open_server):
    assert is_problem(ask(open_server.url, "/api/nothing"), 404, "not_found")
    said = ask(open_server.url, QUERY, method="PUT", Accept_Language="en-GB")
    assert is_problem(said, 405, "bad_method")
    assert said.json["detail"] == "This method is not allowed at this address."
    french = ask(open_server.url, "/api/admin/cache").json["detail"]
    assert french == "Cet accès est fermé\u00a0: l’exploitant l’ouvre avec HELP_ADMIN_KEY."


def test_without_an_index_askers_read_no_cure_and_operators_do(tmp_path):
    with serving(None) as server:
        said = ask(server.url, QUERY, ASKED)
        assert is_problem(said, 503, "unavailable")
        assert said.headers["retry-after"]
        assert b"index" not in said.body
        assert str(tmp_path).encode() not in said.body
        assert "cli.py index" in server.log()
