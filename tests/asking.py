"""An assistant as its users meet it: pages indexed, a model's server that answers, answers kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from indexer.pipeline import run
from rag.api import open_assistant
from rag.config.settings import Settings
from rag.core.answers import Answer
from rag.core.records import CachedAnswer
from rag.encoders import bundled_encoder
from rag.stores import open_answer_store, open_store
from rag.writing.speed import FILE, SpeedBook
from tests.contract.answers import settle
from tests.models import FAST
from tests.pages import PAGES, write_pages
from tests.scripted import END, HEAD, ScriptedServer, line

QUESTION = "Comment créer un client ?"
SENTENCE = "Ouvrez Clients puis cliquez sur Nouveau client [2]."
WRITES = [HEAD, line(SENTENCE), line(done=True, done_reason="stop"), END]


class Site:
    """Pages, their index and their askers; each ask is by an assistant as a new process has it."""

    def __init__(self, settings: Settings, folder: Path, server: ScriptedServer) -> None:
        self.settings = settings.model_copy(
            update={"ollama_url": server.url, "model": "m", "timeout_s": 60.0}
        )
        self.server = server
        self.folder = folder
        know_speed(self.settings)

    def index(self, pages: Mapping[str, str] = PAGES, *, full: bool = False) -> None:
        """Write these pages and index the folder."""
        write_pages(self.folder, pages)
        store = open_store(self.settings)
        run([self.folder], store, bundled_encoder(), full=full)
        store.close()

    def ask(
        self, question: str, page: str | None = None, *, use_model: bool = True, **changes: object
    ) -> Answer:
        """Ask once; ``changes`` are other settings."""
        settings = self.settings.model_copy(update=changes)
        return asyncio.run(_asked(settings, question, page, use_model))

    def questions(self) -> list[bytes]:
        """Return the questions that the model was asked."""
        return [sent for sent in self.server.requests if b"Question :" in sent]

    def entries(self) -> list[CachedAnswer]:
        """Return what is kept, served or not."""
        store = open_answer_store(self.settings)
        settle(self.settings)
        try:
            return store.entries(1_000, 0, 10.0)
        finally:
            store.close()

    def kept(self) -> set[str]:
        """Return the questions whose answers are kept, served or not."""
        return {entry.question for entry in self.entries()}


async def _asked(settings: Settings, question: str, page: str | None, use_model: bool) -> Answer:
    assistant = open_assistant(settings, use_model=use_model)
    try:
        return await assistant.answer(question, page=page)
    finally:
        await assistant.close()


def know_speed(settings: Settings) -> None:
    """Have it known that the model is fast and in memory, as after some questions."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    now = time.time()
    speeds = SpeedBook(settings.data_dir / FILE)
    speeds.change(settings.model, lambda _: replace(FAST, measured_at=now, used_at=now))


@contextmanager
def open_site(settings: Settings, folder: Path, script: list[bytes | float]) -> Iterator[Site]:
    """Open a site of three pages whose model plays a script."""
    with ScriptedServer(list(script)) as server:
        site = Site(settings, folder, server)
        site.index()
        yield site
