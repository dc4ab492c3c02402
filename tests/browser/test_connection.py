"""The widget on bad lines: a server that dies, a line that is cut, no WebSocket, no network."""

import json
import os
import signal
import socket

from playwright.sync_api import expect

from tests.browser.asking import QUESTION, WAIT_MS
from tests.browser.conftest import PATIENT
from tests.scripted import unused_url
from tests.server.running import serving

GIVE_UP_MS = 120_000  # after ten tries, about half a minute
LONG = "Comment enregistrer un paiement ?"


def without_socket(route):
    """Serve the page with an address that has no WebSocket, as a WSGI server's has none."""
    response = route.fetch()
    tag = '<script src="/widget.js" data-socket="/nowhere/"'
    route.fulfill(response=response, body=response.text().replace('<script src="/widget.js"', tag))


def test_without_a_websocket_the_answer_comes_by_http(new_asker, site):
    asker = new_asker(site)
    asker.page.route(f"{site.url}/", without_socket)
    asker.visit("/")
    asker.open()
    with asker.page.expect_request("**/api/help/query") as waiting:
        asker.ask(QUESTION)
    assert waiting.value.post_data_json["page"] == "/"
    asker.await_answer()
    expect(asker.entry.locator(".sources li").first).to_contain_text("Créer un client")
    asker.ask("et pour le supprimer ?")
    asker.await_answer()
    expect(asker.entry.locator(".sources")).to_contain_text("supprimer un client")
    tried = [url for url in asker.requests if "/nowhere/" in url]
    assert len(tried) <= 2


def test_http_can_be_stopped(new_asker, site, model, typing):
    asker = new_asker(site)
    asker.page.route(f"{site.url}/", without_socket)
    asker.visit("/")
    asker.open()
    asker.ask(LONG)
    expect(asker.stop).to_be_visible()
    asker.stop.click()
    asker.await_answer()
    expect(asker.entry.locator(".note")).to_have_text("Réponse arrêtée.")


def test_a_refusal_by_http_is_told_in_plain_words(new_asker, site):
    asker = new_asker(site)
    asker.page.route(f"{site.url}/", without_socket)
    asker.visit("/")
    asker.page.route("**/api/help/query", lambda route: route.fulfill(status=429, body="{}"))
    asker.open()
    asker.ask(QUESTION)
    expect(asker.entry.locator(".error")).to_have_text(
        "Trop de questions en peu de temps. Attendez un peu, puis réessayez."
    )
    asker.picture("too-many")
    asker.page.unroute("**/api/help/query")
    asker.entry.get_by_role("button", name="Réessayer").click()
    asker.await_answer()
    expect(asker.entry.locator(".error")).to_have_count(0)


def test_offline_is_told_and_the_question_leaves_by_itself(asker):
    asker.open()
    asker.page.context.set_offline(True)
    asker.ask(QUESTION)
    expect(asker.entry.locator(".progress")).to_contain_text("Vous êtes hors ligne")
    asker.picture("offline")
    asker.page.context.set_offline(False)
    asker.await_answer()


def test_another_process_counts_its_messages_by_itself(asker):
    asker.open()
    asker.ask(QUESTION)
    asker.await_answer()
    asker.page.evaluate(
        """() => {
          const kept = JSON.parse(sessionStorage.souffleur);
          sessionStorage.souffleur = JSON.stringify({ ...kept, seq: 1000, series: "another" });
        }"""
    )
    asker.visit("/")
    asker.ask("et pour le supprimer ?")
    asker.await_answer()
    expect(asker.entry.locator(".sources li").first).to_be_visible()


def test_a_whole_document_pasted_is_told_to_be_too_long(asker):
    asker.open()
    asker.ask(QUESTION)
    asker.await_answer()
    asker.page.evaluate("souffleur.ask('é'.repeat(200000))")
    expect(asker.entry.locator(".error")).to_contain_text("trop longue")
    asker.ask("et pour le supprimer ?")
    asker.await_answer()
    expect(asker.entry.locator(".sources li").first).to_be_visible()


def test_without_cookies_and_without_a_websocket_the_answer_comes(new_asker, site):
    asker = new_asker(site)
    asker.page.add_init_script(
        """Object.defineProperty(Document.prototype, "cookie", {
          get() { throw new DOMException("sandboxed", "SecurityError"); } });
        window.WebSocket = class { constructor() { throw new Error("none"); } };"""
    )
    asker.visit("/")
    asker.open()
    asker.ask(QUESTION)
    asker.await_answer()
    expect(asker.entry.locator(".sources li").first).to_be_visible()


def test_a_server_killed_in_the_middle_of_an_answer_and_started_again(
    new_asker, model, typing, tmp_path, corpus_folder
):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {**PATIENT, "HELP_DATA_DIR": tmp_path / "souffleur", "OLLAMA_URL": model[0]}
    arguments = ("--port", port)
    with serving(corpus_folder, arguments=arguments, exit_code=None, **settings) as first:
        asker = new_asker(first)
        asker.visit("/")
        asker.open()
        asker.ask(LONG)
        asker.await_text()
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait(10)
        expect(asker.entry.locator(".progress")).to_contain_text("Connexion perdue")
        asker.picture("lost")
        with serving(None, arguments=arguments, **settings):
            asker.await_answer()
            expect(asker.entry.locator(".sources li").first).to_be_visible(timeout=WAIT_MS)
            asked = [json.loads(frame)["type"] for frame in asker.sent]
            assert asked.count("message") == 2  # the new server knows nothing: it is asked again
            assert "resume" in asked
            asker.page.goto("about:blank")


def test_an_extract_is_called_one_and_a_server_that_is_gone_is_told(
    new_asker, tmp_path, corpus_folder
):
    settings = {"HELP_DATA_DIR": tmp_path / "souffleur", "OLLAMA_URL": unused_url()}
    with serving(corpus_folder, **settings) as running:
        asker = new_asker(running)
        asker.visit("/")
        asker.open()
        asker.ask(QUESTION)
        asker.await_answer()
        expect(asker.entry.locator(".label")).to_have_text("Extrait de l’aide")
        expect(asker.entry.locator(".note")).to_contain_text("Mode dégradé")
        expect(asker.body.locator("ol > li").first).to_contain_text("Ouvrez Clients")
        expect(asker.body.locator("a.cite")).to_have_count(1)
        asker.picture("extract")
        assert running.stop() == 0
        asker.ask("et pour le supprimer ?")
        expect(asker.entry.locator(".error")).to_contain_text(
            "L’aide est injoignable", timeout=GIVE_UP_MS
        )
        expect(asker.entry.get_by_role("button", name="Réessayer")).to_be_visible()
