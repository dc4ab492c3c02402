"""A Django site with the help: real processes under WSGI and ASGI, asked over real sockets."""

from __future__ import annotations

import signal
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from bench.office_server import Machine
from rag.analytics.recorder import recorded
from rag.config.settings import Settings
from rag.core.records import JournalEntry
from souffleur.backup import EVER
from tests import office
from tests.django.project import asgi
from tests.scripted import wait_until
from tests.server.running import STOP_S, Running
from tests.server.sockets import QUESTION, asking

WAIT_S = 60.0
ENDLESS = Machine(prompt_speed=1e5, output_speed=20.0, load_s=0.0, answer_tokens=2_000)


@pytest.fixture(params=["under_wsgi", "under_asgi"])
def site(request: pytest.FixtureRequest) -> Running:
    """The site, under either."""
    running: Running = request.getfixturevalue(request.param)
    return running


def post(site: Running, place: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    url = f"{site.url}/api/help/{place}"
    return httpx.post(url, json=body, headers=headers, timeout=WAIT_S)


def ask(site: Running, **headers: str) -> httpx.Response:
    return post(site, "query", {"question": QUESTION}, **headers)


def test_a_question_is_answered_with_the_servers_body(site: Running) -> None:
    answered = post(
        site, "query", {"question": QUESTION, "page": "/x", "conversation_id": "c"}, Origin=site.url
    )
    body = answered.json()
    assert answered.status_code == 200, answered.text
    assert "Nouveau client" in body["text"] and body["lang"] == "fr"
    assert body["page_effective"] == "clients/creer.md" and body["conversation_id"] == "c"
    assert body["pages"]["clients/creer.md"]["title"] == "Créer un client"


def test_the_journal_says_that_it_came_through_django(under_wsgi: Running) -> None:
    answer_id = ask(under_wsgi).json()["answer_id"]
    settings = Settings(data_dir=under_wsgi.data_dir)

    def noted() -> list[str]:
        found = (one for one in recorded(settings, *EVER) if isinstance(one, JournalEntry))
        return [one.channel for one in found if one.answer_id == answer_id]

    assert wait_until(noted, WAIT_S) and noted() == ["django"]


def test_feedback_on_an_answer_is_taken(site: Running) -> None:
    answer_id = ask(site).json()["answer_id"]
    assert post(site, "feedback", {"answer_id": answer_id, "helpful": True}).status_code == 204


def test_events_come_as_they_are_written(site: Running) -> None:
    url = f"{site.url}/api/help/stream"
    with httpx.stream("POST", url, json={"question": QUESTION}, timeout=WAIT_S) as answered:
        assert answered.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answered.iter_lines() if line.startswith("event:")]
    assert lines[0] == "event: sources" and lines[-1] == "event: complete"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://trusted.example.evil.example"},
        {"Origin": "http://trusted.example"},
        {"Origin": "https://evilwide.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_foreign_page_may_not_ask(site: Running, headers: dict[str, str]) -> None:
    refused = ask(site, **headers)
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("origin", ["https://trusted.example", "https://www.wide.example"])
def test_a_trusted_page_may_ask(under_wsgi: Running, origin: str) -> None:
    assert ask(under_wsgi, Origin=origin).status_code == 200


def test_a_foreign_host_is_refused_by_django(site: Running) -> None:
    assert ask(site, Host="evil.example").status_code == 400


def test_what_is_no_json_or_too_long_is_refused(site: Running) -> None:
    url = f"{site.url}/api/help/query"
    form = httpx.post(url, data={"question": QUESTION}, timeout=WAIT_S)
    long = post(site, "query", {"question": "x" * 100_000})
    assert (form.status_code, long.status_code) == (415, 413)


def test_the_widget_is_kept_by_browsers(site: Running) -> None:
    url = f"{site.url}/api/help/widget.js"
    script = httpx.get(url, timeout=WAIT_S)
    assert script.headers["content-type"].startswith("text/javascript")
    assert "souffleur-widget" in script.text
    again = httpx.get(url, headers={"If-None-Match": script.headers["etag"]}, timeout=WAIT_S)
    assert again.status_code == 304


def test_a_page_under_wsgi_names_no_socket(under_wsgi: Running) -> None:
    page = httpx.get(f"{under_wsgi.url}/page/?nonce=abc%22", timeout=WAIT_S).text
    assert 'src="/api/help/widget.js"' in page and 'data-query="/api/help/query"' in page
    assert 'data-title="L\'aide"' in page and 'data-socket="none"' in page
    assert 'nonce="abc&quot;"' in page


def test_a_page_under_asgi_names_the_socket(under_asgi: Running) -> None:
    page = httpx.get(f"{under_asgi.url}/page/", timeout=WAIT_S).text
    assert 'data-socket="/ws/ai_assistant/"' in page and "nonce" not in page


def test_a_conversation_over_the_socket(under_asgi: Running) -> None:
    with asking(under_asgi) as asker:
        asker.ask(conversation=(conversation := str(uuid.uuid4())))
        first = asker.until()
        asker.ask("et pour les fusionner ?", conversation=conversation)
        second = asker.until()
    assert first[0]["type"] == "message_sources"
    assert "Nouveau client" in first[-1]["content"]
    assert second[-1]["page_effective"] == "clients/fusionner.md"
    assert second[0]["seq"] == first[-1]["seq"] + 1


def test_a_site_under_a_prefix_with_a_language_in_its_addresses(project: Path) -> None:
    locale = "MIDDLEWARE[:2] + ['django.middleware.locale.LocaleMiddleware'] + MIDDLEWARE[2:]"
    addresses = {
        "SITE_ROOT_URLCONF": "'site1.languages'",
        "SITE_FORCE_SCRIPT_NAME": "'/app'",
        "SITE_MIDDLEWARE": locale,
    }
    with asgi(project, first="/app/en/page/", **addresses) as site:
        page = httpx.get(f"{site.url}/app/fr/page/", timeout=WAIT_S).text
        assert 'data-query="/app/fr/api/help/query"' in page
        assert 'data-socket="/app/ws/ai_assistant/"' in page
        for prefix in ("/app", ""):  # some proxies take it away
            with asking(replace(site, url=f"{site.url}{prefix}"), origin=site.url) as asker:
                asker.ask()
                assert asker.until()[-1]["type"] == "message_complete"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
def test_a_foreign_page_opens_no_socket(under_asgi: Running, origin: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused, asking(under_asgi, origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_a_trusted_page_opens_a_socket(under_asgi: Running) -> None:
    with asking(under_asgi, origin="https://www.wide.example") as asker:
        asker.ask()
        assert asker.until()[-1]["type"] == "message_complete"


def test_the_sites_rule_says_who_may_ask(project: Path) -> None:
    badge = {"Cookie": "badge=yes"}
    access = {"SITE_AI_ASSISTANT_ACCESS": "'site1.rules.with_badge'"}
    with asgi(project, **access) as site:
        assert ask(site).status_code == 403
        assert ask(site, **badge).status_code == 200
        assert "<script" not in httpx.get(f"{site.url}/page/", timeout=WAIT_S).text
        assert "<script" in httpx.get(f"{site.url}/page/", headers=badge, timeout=WAIT_S).text
        with pytest.raises(InvalidStatus), asking(site):
            pass
        with asking(site, additional_headers=badge) as asker:
            asker.ask()
            assert asker.until()[-1]["type"] == "message_complete"


def test_leaving_stops_the_model_and_the_process_ends_with_an_answer_under_way(
    project: Path,
) -> None:
    with office.serving(ENDLESS) as (url, model):
        given = {"SITE_AI_ASSISTANT_OLLAMA_URL": repr(url), "SITE_AI_ASSISTANT_TIMEOUT": "60"}
        given |= {"SITE_AI_ASSISTANT_DEGRADED_MODE": "False"}
        given |= {"SITE_AI_ASSISTANT_CACHE_ENABLED": "False"}
        with asgi(project, **given) as site:
            stream = httpx.stream(
                "POST", f"{site.url}/api/help/stream", json={"question": QUESTION}, timeout=WAIT_S
            )
            with stream as answered:
                lines = answered.iter_lines()
                assert next(lines) == "event: sources"
                assert wait_until(lambda: model.busy, WAIT_S)
            assert wait_until(lambda: not model.busy, WAIT_S)
            with asking(site) as asker:
                asker.ask()
                asker.until("message_chunk")
                site.process.terminate()
                last = asker.until()[-1]  # what was written until then, not an end without a word
            assert last["type"] == "message_complete" and last["truncated"], last
            assert site.process.wait(STOP_S) in (0, -signal.SIGTERM), site.log()
            assert "Traceback" not in site.log(), site.log()
