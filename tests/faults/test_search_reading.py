"""Pages found whose store then does not give them cost the extract its page, not the answer."""

import asyncio
import threading
import time

import pytest

from indexer.pipeline import run
from rag.api import open_retriever
from rag.assistant import Assistant
from rag.config.settings import Settings
from rag.core.errors import SearchUnavailable
from rag.encoders import bundled_encoder
from rag.stores.sqlite import SqliteStore
from tests.pages import PAGES, write_pages

TIMEOUT_S = 3.0
READING_S = TIMEOUT_S * 0.3  # the share of the time that reading the pages found may take
SLACK_S = 1.5  # what the rest may take on a busy machine


class Breaks(SqliteStore):
    """A store that searches, and whose pages do not come."""

    def __init__(self, path, happens):
        super().__init__(path)
        self.happens = happens

    def pages(self, ids, timeout_s):
        self.happens()
        return super().pages(ids, timeout_s)


def fails():
    raise SearchUnavailable("The server has gone.")


@pytest.fixture
def opened():
    """Give a hanging call its end, whatever the test finds."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("fault", ["fails", "hangs"])
def test_an_answer_is_drawn_from_the_chunk_found_where_its_page_cannot_be_read(
    fault, opened, tmp_path, caplog
):
    happens = fails if fault == "fails" else opened.wait
    write_pages(tmp_path / "pages", PAGES)
    store = Breaks(tmp_path / "index.sqlite3", happens)
    run([tmp_path / "pages"], store, bundled_encoder())
    settings = Settings(data_dir=tmp_path, timeout_s=TIMEOUT_S)
    assistant = Assistant(store, open_retriever(settings, store), None, timeout_s=TIMEOUT_S)

    async def story():
        await assistant.warm()
        start = time.monotonic()
        answer = await assistant.answer("Comment créer un client ?")
        return answer, time.monotonic() - start

    answer, took_s = asyncio.run(story())
    assert answer.page_effective == "clients/creer.md"
    assert answer.answered
    assert not answer.actions, "they are the page's"
    assert took_s < READING_S + SLACK_S
    assert caplog.records, "the operator is told"
    opened.set()
    store.close()
