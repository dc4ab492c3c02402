"""Text that wants to be more than text, from pages and from a server: it stays text."""

import json
from itertools import count

from tests.browser.asking import QUESTION
from tests.server.running import serving

FOREIGN = "https://evil.example/pixel.png"
TEXTS = {
    "script": "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>",
    "image": f"Lisez ![ceci]({FOREIGN}) puis ![cela][1]\n\n[1]: {FOREIGN}",
    "javascript": "[cliquez](javascript:window.hacked=1) ou [ici](JaVaScRiPt:window.hacked=1)",
    "data": "[cliquez](data:text/html,<script>parent.hacked=1</script>) [x](vbscript:x)",
    "foreign": f"[cliquez]({FOREIGN}) <{FOREIGN}> {FOREIGN} [user](https://aide.example@evil.example/)",
    "protocol-relative": "[cliquez](//evil.example/) [encore](\\\\evil.example\\x)",
    "ansi": "\x1b[31mrouge\x1b[0m \x07 \x00 fin \x9b31m",
    "direction": "avant \u202etxet\u202c \u2066isolé\u2069 \u200b\u200f\ufeff après",
    "long word": "a" * 10_000,
    "style": "<style>*{display:none}</style><div style='position:fixed;inset:0'>x</div>",
    "nested": "**_**_**_[**`a](b)`** " * 300,
    "brackets": "[" * 5_000 + "](" * 2_000,
    "unclosed": "```\n<b>code</b>\n| a | b |\n|---|---|\n| <i>1</i> | [2](javascript:1) |",
    "rows": "| a | b |\n|---|---|\n| <i>1</i> | [2](javascript:1) |",
}
WORDS = ("P", "UL", "OL", "LI", "STRONG", "EM", "CODE", "PRE", "DIV", "TABLE", "THEAD", "TBODY")
ALLOWED = {*WORDS, "TR", "TH", "TD", "A", "SPAN"}
NODES = "node => Array.from(node.querySelectorAll('*'), one => one.tagName)"
ATTRIBUTES = (
    "node => Array.from(node.querySelectorAll('*')).flatMap(one => one.getAttributeNames())"
)


def hostile_server(texts):
    """Speak the socket's protocol as a server in foreign hands would: every field is hostile."""

    def serve(line):
        numbers = count(1)

        def answer(frame):
            asked = json.loads(frame)
            if asked["type"] == "message":
                for kind, body in messages(texts[asked["content"]]):
                    said = {"conversation_id": asked["conversation_id"], "seq": next(numbers)}
                    line.send(json.dumps({"type": f"message_{kind}", **said, **body}))

        line.on_message(answer)

    return serve


def messages(text):
    source = {"n": 1, "title": text[:200], "heading": text[:200], "page": "", "score": 1}
    sources = [
        {**source, "url": "javascript:window.hacked=1"},
        {**source, "n": 2, "url": "/aide/x"},
    ]
    yield "sources", {"extract": text, "sources": sources}
    yield "chunk", {"content": text}
    yield (
        "complete",
        {
            "content": f"{text} [1][2]",
            "sources": sources,
            "actions": [{"label": text[:200], "url": "data:text/html,x"}],
            "see_also": ["x", "__proto__"],
            "pages": {"x": {"title": text[:200], "url": "javascript:1"}},
            "degraded": True,
            "reason": text[:300],
            "answered": True,
        },
    )


def assert_harmless(asker, site):
    page = asker.page
    assert page.evaluate("window.hacked") is None
    assert set(asker.entry.locator(".body").evaluate(NODES)) <= ALLOWED
    assert not {"IMG", "SCRIPT", "STYLE", "IFRAME"} & set(asker.entry.evaluate(NODES))
    attributes = set(asker.entry.locator(".body").evaluate(ATTRIBUTES))
    assert not {"style", "src"} & attributes
    assert not [name for name in attributes if name.startswith("on")]
    links = asker.entry.locator("a").evaluate_all("nodes => nodes.map(node => node.href)")
    assert all(link.startswith(f"{site.url}/") for link in links), links
    own = (site.url, site.url.replace("http", "ws"))
    assert [url for url in asker.requests if not url.startswith((*own, "data:,"))] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    log = "document.querySelector('souffleur-widget').shadowRoot.querySelector('.log')"
    assert page.evaluate(f"{log}.scrollWidth <= {log}.clientWidth")
    shown = asker.entry.evaluate("node => node.textContent")
    assert not set(shown) & set("\x1b\x07\x00\x9b\u202e\u2066\u200b\u200f\ufeff")


def test_what_a_server_sends_stays_text(new_asker, site):
    asker = new_asker(site, viewport={"width": 700, "height": 800})
    asker.page.route_web_socket("**/ws/ai_assistant/", hostile_server(TEXTS))
    asker.visit("/")
    asker.page.evaluate("souffleur.open()")
    for name in TEXTS:
        asker.ask(name)
        asker.await_answer()
        assert_harmless(asker, site)
    asker.page.reload()  # what was kept is drawn again
    asker.await_answer()
    assert_harmless(asker, site)


def test_a_known_page_is_linked_and_a_foreign_one_is_not(new_asker, site):
    text = f"[connue]({site.url}/aide/x) [ailleurs]({FOREIGN})"
    asker = new_asker(site)
    asker.page.route_web_socket("**/ws/ai_assistant/", hostile_server({QUESTION: text}))
    asker.visit("/")
    asker.open()
    asker.ask(QUESTION)
    asker.await_answer()
    assert asker.body.locator("a").all_text_contents() == ["connue", "2"]
    assert asker.body.inner_text().startswith("connue ailleurs")


def test_what_pages_hold_stays_text(new_asker, tmp_path):
    lines = [text for name, text in TEXTS.items() if name not in {"ansi", "nested", "brackets"}]
    lines.append("tapez `<img src=x onerror='window.hacked = 1'>` en code.")  # text to the parser
    body = "\n\n".join(f"Pour créer un client, {line}" for line in lines)
    pages = {"clients.md": f"# Créer un client <b>gras</b>\n\nCréer un client.\n\n{body}\n"}
    with serving(pages, HELP_DATA_DIR=tmp_path / "souffleur") as running:
        asker = new_asker(running, viewport={"width": 700, "height": 800})
        asker.visit("/")
        asker.open()
        asker.ask(QUESTION)
        asker.await_answer()
        assert_harmless(asker, running)
        asker.visit("/aide/clients.md")
        assert asker.page.evaluate("window.hacked") is None
        assert not {"IMG", "STYLE", "IFRAME"} & set(asker.page.locator("main").evaluate(NODES))
        asker.page.goto("about:blank")
