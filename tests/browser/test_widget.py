"""What an asker does with the widget, in a real browser, on the demo site."""

import json
import re
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from tests.browser.asking import QUESTION, WAIT_MS
from tests.browser.conftest import FAST, TYPING
from tests.scripted import wait_until
from tests.server.running import serving


def frames(asker, kind="message"):
    return [frame for frame in map(json.loads, asker.sent) if frame["type"] == kind]


def test_sources_then_extract_then_text_as_it_is_written(asker, typing):
    asker.open()
    asker.ask(QUESTION)
    expect(asker.entry.locator(".label")).to_have_text("Extrait de l’aide")
    expect(asker.entry.locator(".found a").first).to_contain_text("Créer un client")
    asker.picture("asking")
    first = asker.await_text()
    expect(asker.stop).to_be_visible()
    whole = asker.await_answer()
    assert len(first) < len(whole)
    assert whole.startswith(first.split("[")[0].strip())
    expect(asker.entry.locator(".sources li").first).to_contain_text("Créer un client")
    expect(asker.entry.locator(".actions a").first).to_have_text("Ouvrir la liste des clients")
    expect(asker.entry.locator(".see a").first).to_be_visible()
    expect(asker.entry.locator(".label")).to_be_hidden()
    asker.picture("answer")


def test_opening_warms_the_model_and_typing_nothing_asks_nothing(asker):
    asker.open()
    assert wait_until(lambda: asker.page.wait_for_timeout(50) or frames(asker, "warm"), 20)
    asker.field.press("Enter")
    asker.field.fill("  ")
    asker.field.press("Enter")
    expect(asker.page.locator("souffleur-widget .entry")).to_have_count(0)
    assert not frames(asker)


def test_stop_stops_the_model_and_another_question_can_be_asked(asker, model, typing):
    model[1].machine = replace(TYPING, output_speed=6.0)  # 20 s, if nobody stops it
    asker.open()
    asker.ask("Comment faire un inventaire ?")
    asker.await_text()
    asker.stop.click()
    asker.await_answer()
    expect(asker.entry.locator(".note")).to_have_text("Réponse arrêtée.")
    assert wait_until(lambda: not model[1].busy, 5)
    assert frames(asker, "stop")
    model[1].machine = FAST
    expect(asker.field).to_be_focused()
    asker.entry.get_by_role("button", name="Réessayer").click()
    expect(asker.entry.locator(".sources li").first).to_be_visible()
    expect(asker.entry.locator(".note")).to_have_count(0)


def test_a_follow_up_is_understood_and_a_new_conversation_forgets(asker):
    asker.open()
    asker.ask(QUESTION)
    asker.await_answer()
    asker.ask("et pour le supprimer ?")
    asker.await_answer()
    expect(asker.entry.locator(".sources")).to_contain_text("supprimer un client")
    one, two = frames(asker)
    assert one["conversation_id"] == two["conversation_id"]
    assert len(one["conversation_id"]) >= 16
    asker.page.get_by_role("button", name="Nouvelle conversation").click()
    expect(asker.page.locator("souffleur-widget .entry")).to_have_count(0)
    asker.ask(QUESTION)
    asker.await_answer()
    assert frames(asker)[-1]["conversation_id"] != one["conversation_id"]


def test_a_source_opens_at_its_heading_and_the_conversation_is_still_there(asker):
    asker.open()
    asker.ask("Comment éviter les doublons quand je crée un client ?")
    text = asker.await_answer()
    link = asker.entry.locator(".sources a[href*='#']").first
    link.click()
    asker.page.wait_for_url(re.compile(r"/aide/.+\.md#"))
    target = asker.page.locator(":target")
    expect(target).to_be_in_viewport()
    assert target.evaluate("node => node.id === decodeURIComponent(location.hash.slice(1))")
    assert asker.await_answer() == text
    expect(asker.page.locator("souffleur-widget dialog")).to_be_visible()
    asker.picture("source")
    asker.ask("Et sur cette page ?")
    asker.await_answer()
    assert frames(asker)[-1]["page"].endswith(".md")


def test_an_answer_cut_by_a_change_of_page_comes_whole(asker, typing):
    asker.open()
    asker.ask("Comment enregistrer un paiement ?")
    first = asker.await_text()
    asker.page.get_by_role("link", name="Commandes", exact=True).click()
    asker.page.wait_for_url("**/commandes/")
    whole = asker.await_answer()
    expect(asker.page.locator("souffleur-widget .entry")).to_have_count(1)
    assert frames(asker, "resume")
    assert len(whole) >= len(first)
    assert whole.count(whole[:40]) == 1
    expect(asker.entry.locator(".sources li").first).to_be_visible()


@pytest.mark.parametrize("helpful", [True, False], ids=["useful", "not useful"])
def test_an_opinion_is_sent(asker, helpful):
    asker.open()
    asker.ask(QUESTION)
    asker.await_answer()
    with asker.page.expect_response("**/api/help/feedback") as waiting:
        if helpful:
            asker.entry.get_by_role("button", name="Utile", exact=True).click()
        else:
            asker.entry.get_by_role("button", name="Pas utile").click()
            asker.entry.get_by_label("Que manquait-il").fill("Le SIRET")
            asker.picture("feedback")
            asker.entry.get_by_role("button", name="Envoyer").click()
    response = waiting.value
    sent = response.request.post_data_json
    assert response.status == 204
    assert sent["helpful"] is helpful
    assert sent.get("comment") == (None if helpful else "Le SIRET")
    assert re.fullmatch("[0-9a-f]{32}", sent["answer_id"])
    expect(asker.entry.locator(".thanks")).to_have_text("Merci de votre avis.")


def test_what_the_pages_do_not_answer_is_said(asker):
    asker.open()
    asker.ask("Comment réserver un vol pour Tokyo ?")
    assert asker.await_answer().startswith("Je n’ai pas trouvé la réponse")
    expect(asker.entry.locator(".note")).to_have_count(0)
    expect(asker.entry.locator(".see a").first).to_be_visible()
    asker.picture("not-answered")


def test_a_question_too_long_is_told_in_plain_words_and_can_be_asked_shorter(asker):
    asker.open()
    asker.field.fill("a" * 3_000)
    asker.field.press("Enter")
    expect(asker.entry.locator(".error")).to_have_text(
        "Votre question est trop longue. Raccourcissez-la.", timeout=WAIT_MS
    )
    asker.picture("too-long")
    asker.ask(QUESTION)
    asker.await_answer()


def test_the_copy_has_the_text_and_its_sources(new_asker, site):
    asker = new_asker(site, permissions=["clipboard-read", "clipboard-write"])
    asker.visit("/")
    asker.open()
    asker.ask(QUESTION)
    asker.await_answer()
    asker.entry.get_by_role("button", name="Copier").click()
    expect(asker.entry.get_by_role("button", name="Copié")).to_be_visible()
    copied = asker.page.evaluate("navigator.clipboard.readText()")
    assert "[1]" in copied
    assert f"{site.url}/aide/clients/creer-un-client.md" in copied


def test_the_keyboard_is_enough(asker):
    page = asker.page
    launcher = page.locator("souffleur-widget .launcher")
    launcher.focus()
    page.keyboard.press("Enter")
    expect(asker.field).to_be_focused()
    page.keyboard.type("Première ligne")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("seconde")
    assert asker.field.input_value() == "Première ligne\nseconde"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Escape")
    expect(page.locator("souffleur-widget dialog")).to_be_hidden()
    expect(launcher).to_be_focused()


def test_a_screen_reader_is_told_each_sentence_once(asker, typing):
    asker.open()
    asker.ask("Comment créer un avoir ?")
    asker.await_answer()
    told = asker.page.locator("souffleur-widget [role=status]").first
    expect(told).to_have_attribute("aria-live", "polite")
    searching, *sentences = told.locator("p").all_text_contents()
    assert searching == "Recherche dans l’aide…"
    assert len(sentences) > 1
    without_citations = (
        "node => { const copy = node.cloneNode(true);"
        " copy.querySelectorAll('.cite').forEach(one => one.remove()); return copy.textContent; }"
    )
    shown = asker.body.evaluate(without_citations)
    assert re.findall(r"\w+", " ".join(sentences)) == re.findall(r"\w+", shown)


def test_english(new_asker, site):
    asker = new_asker(site)
    asker.visit("/?lang=en")
    asker.open()
    expect(asker.page.get_by_label("Your question")).to_be_visible()
    asker.field.fill("How do I reset my password?")
    asker.field.press("Enter")
    asker.await_answer()
    expect(asker.entry.get_by_role("heading", name="Sources")).to_be_visible()
    expect(asker.entry.get_by_role("button", name="Not helpful")).to_be_visible()
    asker.picture("english")


def test_on_a_phone_it_fills_the_screen_and_keeps_the_focus(new_asker, site):
    asker = new_asker(site, viewport={"width": 390, "height": 844}, has_touch=True)
    asker.visit("/")
    asker.picture("phone-home")
    asker.open()
    box = asker.page.locator("souffleur-widget dialog").bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 390, 844)
    assert asker.page.evaluate(
        "document.querySelector('souffleur-widget').shadowRoot.querySelector('dialog')"
        ".matches(':modal')"
    )
    asker.ask(QUESTION)
    asker.await_answer()
    asker.picture("phone")
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert asker.page.evaluate(wide)
    asker.entry.locator(".sources a").first.click()
    asker.page.wait_for_url("**/aide/**")
    expect(asker.page.locator("souffleur-widget dialog")).to_be_hidden()
    asker.picture("phone-source")


def test_a_page_of_one_application_is_known_by_where_it_is_when_asked(asker):
    asker.page.evaluate(
        "history.pushState({}, '', '/clients/nouveau/?secret=1#x'); document.title = 'Nouveau'"
    )
    asker.page.evaluate("souffleur.ask('Que faut-il remplir ?')")
    asker.await_answer()
    (frame,) = frames(asker)
    assert (frame["page"], frame["title"]) == ("/clients/nouveau/", "Nouveau")
    assert "secret" not in "".join(asker.sent)
    asker.page.evaluate("souffleur.close()")
    expect(asker.page.locator("souffleur-widget dialog")).to_be_hidden()
    asker.page.evaluate("souffleur.open()")
    expect(asker.field).to_be_focused()


def test_included_twice_there_is_one_widget(asker):
    asker.page.evaluate(
        "() => new Promise(done => { const s = document.createElement('script');"
        " s.src = '/widget.js'; s.onload = done; document.head.append(s); })"
    )
    expect(asker.page.locator("souffleur-widget")).to_have_count(1)


def test_a_page_whose_body_is_replaced_keeps_the_widget(asker):
    asker.page.evaluate("document.body.replaceWith(document.createElement('body'))")
    expect(asker.page.locator("souffleur-widget")).to_have_count(1)
    asker.open()
    asker.ask(QUESTION)
    asker.await_answer()


def test_a_suggested_question_is_asked(asker):
    asker.open()
    asker.picture("open")
    asker.page.get_by_role("button", name="Mot de passe oublié").click()
    asker.await_answer()
    expect(asker.entry.locator(".sources")).to_contain_text("mot de passe")


def test_where_no_model_is_wanted_an_extract_is_no_fault(new_asker, tmp_path, corpus_folder):
    settings = {"HELP_DATA_DIR": tmp_path / "souffleur", "HELP_DEGRADED_MODE": "true"}
    with serving(corpus_folder, **settings) as running:
        asker = new_asker(running)
        asker.visit("/")
        asker.open()
        asker.ask(QUESTION)
        asker.await_answer()
        expect(asker.entry.locator(".label")).to_have_text("Extrait de l’aide")
        expect(asker.entry.locator(".note")).to_have_count(0)
        expect(asker.entry.get_by_role("button", name="Réessayer")).to_have_count(0)
        asker.page.goto("about:blank")
