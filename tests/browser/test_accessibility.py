"""axe-core finds nothing serious in any state, light and dark, wide and narrow."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.asking import QUESTION

GRAVE = {"serious", "critical"}


def faults(asker):
    """Return what axe-core finds, with the nodes and why."""
    found = Axe().run(asker.page).response["violations"]
    return [
        (fault["id"], node["target"], node["failureSummary"])
        for fault in found
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_state_has_a_serious_fault(new_asker, site, scheme):
    asker = new_asker(site, color_scheme=scheme)
    asker.visit("/")
    assert faults(asker) == []
    asker.picture(f"{scheme}-closed")
    asker.open()
    assert faults(asker) == []
    asker.ask(QUESTION)
    asker.await_answer()
    asker.picture(f"{scheme}-answer")
    assert faults(asker) == []
    asker.entry.get_by_role("button", name="Pas utile").click()
    assert faults(asker) == []
    asker.field.fill("a" * 3_000)
    asker.field.press("Enter")
    expect(asker.entry.locator(".error")).to_be_visible()
    assert faults(asker) == []
    asker.visit("/aide/clients/creer-un-client.md")
    asker.page.evaluate("souffleur.close()")
    asker.picture(f"{scheme}-page")
    assert faults(asker) == []
    asker.visit("/clients/")
    assert faults(asker) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_neither_has_it_on_a_phone(new_asker, site, scheme):
    size = {"width": 390, "height": 844}
    asker = new_asker(site, viewport=size, color_scheme=scheme, has_touch=True)
    asker.visit("/")
    asker.open()
    asker.ask(QUESTION)
    asker.await_answer()
    asker.picture(f"{scheme}-phone")
    assert faults(asker) == []


def test_a_text_being_written_has_no_fault(asker, typing):
    asker.open()
    asker.ask(QUESTION)
    expect(asker.entry.locator(".found")).to_be_visible()
    assert faults(asker) == []
    asker.stop.click()
    asker.await_answer()


def test_forced_colours_leave_every_button_an_edge(new_asker, site):
    asker = new_asker(site, forced_colors="active")
    asker.visit("/")
    edge = "node => getComputedStyle(node).borderTopStyle"
    launcher = asker.page.locator("souffleur-widget .launcher")
    assert launcher.evaluate(edge) == "solid"
    asker.open()
    assert asker.send.evaluate(edge) == "solid"
    asker.picture("forced-colours")


def test_the_theme_of_the_site_goes_before_the_system_s(new_asker, site):
    asker = new_asker(site, color_scheme="light")
    asker.visit("/?theme=dark")
    asker.open()
    ground = asker.page.locator("souffleur-widget dialog").evaluate(
        "node => getComputedStyle(node).backgroundColor"
    )
    assert ground == "rgb(29, 27, 32)"
