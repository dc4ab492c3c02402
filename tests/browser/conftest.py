"""A real browser on a real server, over the sample pages, with a model as slow as an office's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from bench.office_server import Machine, OfficeServer
from tests import office
from tests.browser.asking import Asker
from tests.conftest import refuses_skips
from tests.server.running import Running, serving
from tests.services import ServiceError
from tests.services.chromium import chromium

SCREENSHOTS = "SCREENSHOTS_DIR"
FAST = Machine(prompt_speed=1e5, output_speed=1e3, load_s=0.0, answer_tokens=120)
# a text that one can see coming: some sentences, some seconds
TYPING = Machine(prompt_speed=1e5, output_speed=25.0, load_s=0.0, answer_tokens=120)
PATIENT = {"HELP_TIMEOUT": "60", "HELP_RATE_LIMIT": "none", "AI_CACHE_ENABLED": "false"}


# Not for the whole run: while it is up, its event loop is this thread's.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's chromium, driven by Playwright."""
    try:
        found = chromium()
    except ServiceError as error:
        (pytest.fail if refuses_skips() else pytest.skip)(f"chromium: {error}")
    with sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=found.program, env={**os.environ, **found.environment}
        )
        yield opened
        opened.close()


@pytest.fixture(scope="package")
def model() -> Iterator[tuple[str, OfficeServer]]:
    """A model's server that copies passages, at a speed that one can watch."""
    with office.serving(FAST) as serving_model:
        yield serving_model


@pytest.fixture
def typing(model: tuple[str, OfficeServer]) -> Iterator[None]:
    """Have the model write slowly enough to be interrupted."""
    model[1].machine = TYPING
    yield
    model[1].machine = FAST


@pytest.fixture(scope="package")
def site(
    model: tuple[str, OfficeServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """The demo site over the sample pages, with the model."""
    folder = tmp_path_factory.mktemp("site") / "souffleur"
    corpus = Path(__file__).parent.parent.parent / "corpus"
    settings = {**PATIENT, "HELP_DATA_DIR": folder, "OLLAMA_URL": model[0]}
    with serving(corpus, **settings) as running:
        yield running


@pytest.fixture
def new_asker(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Asker]]:
    """Open pages for new visitors; what their consoles complained of fails the test."""
    folder = Path(os.environ.get(SCREENSHOTS) or tmp_path)
    contexts, askers = [], []

    def opened(site: Running, **options: object) -> Asker:
        options.setdefault("viewport", {"width": 1280, "height": 800})
        options.setdefault("reduced_motion", "reduce")
        context = browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        page: Page = context.new_page()
        page.set_default_timeout(30_000)
        askers.append(Asker(page, site.url, folder))
        return askers[-1]

    yield opened
    for context in contexts:
        context.close()
    assert [said for asker in askers for said in asker.complaints] == []


@pytest.fixture
def asker(new_asker: Callable[..., Asker], site: Running) -> Asker:
    """A visitor of the demo's first page."""
    visitor = new_asker(site)
    visitor.visit("/")
    return visitor
