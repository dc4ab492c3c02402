"""A visitor of a page with the widget: what one sees there, and what one can do."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import ConsoleMessage, Locator, Page, Request, WebSocket, expect

WAIT_MS = 30_000
QUESTION = "Comment créer un client ?"
# said by the browser itself of what a test makes fail
EXPECTED = ("WebSocket connection to", "Failed to load resource")


class Asker:
    """Hold a page; ``complaints`` are errors of its scripts and of its policy, ``sent`` frames."""

    def __init__(self, page: Page, site: str, pictures: Path) -> None:
        self.page = page
        self.site = site
        self.pictures = pictures
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.sent: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)
        page.context.on("request", self._asked)
        page.on("websocket", self._connected)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(EXPECTED):
            self.complaints.append(message.text)

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def _connected(self, socket: WebSocket) -> None:
        self.requests.append(socket.url)
        socket.on("framesent", lambda frame: self.sent.append(str(frame)))

    def visit(self, path: str) -> None:
        """Go to a page of the site and wait for the widget."""
        self.page.goto(self.site + path)
        self.page.locator("souffleur-widget").wait_for(state="attached")

    @property
    def field(self) -> Locator:
        """Where a question is written."""
        return self.page.locator("souffleur-widget textarea").last

    @property
    def entry(self) -> Locator:
        """The last question and its answer."""
        return self.page.locator("souffleur-widget .entry").last

    @property
    def body(self) -> Locator:
        """The last answer's text."""
        return self.entry.locator(".body")

    @property
    def stop(self) -> Locator:
        """The button that is there while an answer is under way."""
        return self.page.locator("souffleur-widget").get_by_role("button", name="Arrêter")

    @property
    def send(self) -> Locator:
        """The button that is there when a question can be asked."""
        return self.page.locator("souffleur-widget .asking .send")

    def open(self) -> None:
        """Open the widget by its button."""
        self.page.locator("souffleur-widget .launcher").click()
        expect(self.field).to_be_focused()

    def ask(self, question: str) -> None:
        """Write a question and send it with Enter."""
        self.field.fill(question)
        self.field.press("Enter")
        expect(self.entry.locator(".question")).to_contain_text(question)

    def await_text(self) -> str:
        """Wait until the model's first words stand there, and return them."""
        written = self.page.locator(
            "souffleur-widget .entry:last-child:not(.provisional) .body > *"
        )
        written.first.wait_for(timeout=WAIT_MS)
        return self.body.inner_text()

    def await_answer(self) -> str:
        """Wait until the answer is whole, and return its text."""
        expect(self.entry.locator(".tools")).to_be_visible(timeout=WAIT_MS)
        expect(self.send).to_be_visible()
        return self.body.inner_text()

    def picture(self, name: str) -> None:
        """Keep a picture of what is seen."""
        self.pictures.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=self.pictures / f"{name}.png")
