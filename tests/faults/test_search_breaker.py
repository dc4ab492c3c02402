"""A search that stalls makes two askers wait, nobody after them, and is used again by itself."""

import asyncio
import time

from indexer.pipeline import run
from rag.api import open_retriever
from rag.assistant import Assistant
from rag.config.settings import Settings
from rag.core.deadline import REST_S
from rag.encoders import bundled_encoder
from rag.stores import open_store
from tests.relay import Relay

QUESTION = "Comment créer un client ?"


def test_a_stalled_search_is_left_alone_and_found_again(
    elasticsearch_url, index_prefix, corpus_folder
):
    with Relay(elasticsearch_url) as relay:
        settings = Settings(elasticsearch_url=relay.url, elasticsearch_index=f"{index_prefix}help")
        store = open_store(settings)
        run([corpus_folder / "clients"], store, bundled_encoder())
        assistant = Assistant(store, open_retriever(settings, store), None, timeout_s=3.0)

        async def ask():
            start = time.monotonic()
            answer = await assistant.answer(QUESTION)
            return answer, time.monotonic() - start

        async def story():
            assert (await ask())[0].sources
            relay.stalled = True
            for _ in range(2):
                answer, took_s = await ask()
                assert not answer.answered
                assert took_s < 3.0 * 0.3 + 0.2
            for _ in range(3):
                answer, took_s = await ask()
                assert not answer.answered
                assert answer.degraded
                assert took_s < 0.05
            relay.stalled = False
            back = time.monotonic()
            while not (await ask())[0].sources:
                assert time.monotonic() - back < REST_S + 2
                await asyncio.sleep(0.1)

        asyncio.run(story())
        store.close()
