"""Two servers on one Elasticsearch are one help: what one has learnt, the other knows."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands import souffleur
from tests.office import FAST
from tests.office import serving as office
from tests.pages import PAGES, write_pages
from tests.scripted import wait_until
from tests.server.calls import QUESTION, ask, get
from tests.server.running import Running, serving

SEEN_S = 2.0  # what is promised
PATIENCE_S = 60.0
HELP = {
    **PAGES,
    "clients/supprimer.md": "# Supprimer un client\n\nOuvrez sa fiche, puis **Supprimer**.\n",
    "stocks/creer.md": "# Créer un casier\n\nOuvrez **Stocks**, puis **Nouveau casier**.\n",
    "stocks/supprimer.md": "# Supprimer un casier\n\nVidez le casier, puis **Retirer**.\n",
}
LAMA = "# Dresser un lama\n\nPour dresser un lama, donnez-lui une carotte chaque matin.\n"


@dataclass(frozen=True, slots=True)
class Site:
    """Hold two servers, the settings that they share and the folder of their pages."""

    one: Running
    other: Running
    settings: dict[str, object]
    folder: Path

    def command(self, *arguments: object) -> str:
        """Run a command where the first server is configured; return what it prints."""
        done = souffleur(*arguments, **self.settings, HELP_DATA_DIR=self.one.data_dir)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def site(elasticsearch_url: str, index_prefix: str, tmp_path: Path) -> Iterator[Site]:
    """Each server has a data folder of its own, as on two machines."""
    with ExitStack() as stack:
        url, _ = stack.enter_context(office(FAST))
        settings: dict[str, object] = {
            "ELASTICSEARCH_URL": elasticsearch_url,
            "ELASTICSEARCH_INDEX": f"{index_prefix}aide",
            "HELP_JOURNAL_KEY": "une clé pour les deux",
            "HELP_JOURNAL_TEXTS": "true",
            "HELP_TIMEOUT": "30",
            "OLLAMA_URL": url,
        }
        folder = write_pages(tmp_path / "pages", HELP)
        first = tmp_path / "one"
        done = souffleur("index", folder, **settings, HELP_DATA_DIR=first)
        assert done.returncode in {0, 3}, done.stderr  # a parser's time is short on a busy machine
        one, other = (
            stack.enter_context(serving(None, **settings, HELP_DATA_DIR=tmp_path / name))
            for name in ("one", "other")
        )
        for server in (one, other):
            assert wait_until(lambda s=server: get(f"{s.url}/readyz")[0] == 200, PATIENCE_S)
        yield Site(one, other, settings, folder)


def test_what_one_server_learns_the_other_knows(site: Site) -> None:
    talk = "une-conversation-de-deux-serveurs"
    _, first = ask(site.one.url, QUESTION, conversation_id=talk)
    assert first["answered"] and not first["degraded"] and first["cached"] is None, first

    # an answer that one keeps is a hit on the other
    hits = []
    kept = wait_until(lambda: hits.append(ask(site.other.url)[1]) or hits[-1]["cached"], PATIENCE_S)
    assert kept and hits[-1]["text"] == first["text"]

    # a follow-up asked of the other is understood
    _, second = ask(site.one.url, "Comment créer un casier ?", conversation_id=f"{talk}-2")
    assert second["page_effective"] == "stocks/creer.md", second
    for conversation, page in {talk: "clients", f"{talk}-2": "stocks"}.items():
        _, followed = ask(site.other.url, "et pour le supprimer ?", conversation_id=conversation)
        assert followed["page_effective"] == f"{page}/supprimer.md", (page, followed["cached"])

    # an opinion given to the other is about the answer of the one, and any report sees both
    assert opinion(site.other.url, first["answer_id"]) == 204
    asked = 4 + len(hits)
    counted = wait_until(lambda: figures(site)["counts"]["asked"] == asked, PATIENCE_S)
    assert counted, figures(site)["counts"]
    assert wait_until(lambda: figures(site)["opinions"]["unhelpful"] == 1, PATIENCE_S)
    often = {one["text"]: one["asked"] for one in figures(site)["most_asked"]}
    assert often[QUESTION] == 1 + len(hits), "the same question, whichever server it came to"


def test_an_index_made_beside_one_server_is_seen_by_both(site: Site) -> None:
    question = "Comment dresser un lama ?"
    assert not ask(site.other.url, question)[1]["answered"]
    write_pages(site.folder, {"lama.md": LAMA})
    site.command("index", site.folder)
    for server in (site.one, site.other):
        assert ask_until(server, question, "lama.md") < SEEN_S + 1.0  # and the answer itself
    site.command("index", "--rollback")
    for server in (site.one, site.other):
        assert ask_until(server, question, None) < SEEN_S + 1.0


def ask_until(server: Running, question: str, page: str | None) -> float:
    """Ask until this page answers; return after how long it did."""
    start = time.monotonic()
    assert wait_until(lambda: ask(server.url, question)[1]["page_effective"] == page, PATIENCE_S), (
        server.log()
    )
    return time.monotonic() - start


def opinion(url: str, answer_id: str) -> int:
    """Say that an answer did not help; return the status."""
    body = json.dumps({"answer_id": answer_id, "helpful": False}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/api/help/feedback", body, headers)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
        return int(response.status)


def figures(site: Site) -> dict:
    """Return the report's figures."""
    return json.loads(site.command("report", "--json"))
