"""A remote encoder that fails or hangs costs its leg, never the answer or the deadline."""

import time

import pytest

from rag.core.errors import QuestionRefused
from rag.encoders.remote import OllamaEncoder
from rag.question import read_question
from rag.reranker import Reranker
from rag.retriever import Retriever
from tests.scripted import ScriptedServer, reply

VECTOR = reply(200, {"model": "m", "embeddings": [[1.0] + [0.0] * 767]})


def retrieved(script, indexed_store, retriever):
    with ScriptedServer([VECTOR]) as server:
        encoder = OllamaEncoder("nomic-embed-text", server.url)
        server.script = script
        reader = retriever._lexicon
        start = time.monotonic()
        found = Retriever(indexed_store, encoder, Reranker(reader), reader).retrieve(
            read_question("Comment créer un client ?"), timeout_s=1.0
        )
        return found, time.monotonic() - start


def test_an_encoder_that_hangs_leaves_the_words(indexed_store, retriever):
    found, seconds = retrieved([60.0], indexed_store, retriever)
    assert found.hits[0].chunk.page == "clients/creer-un-client.md"
    assert set(found.hits[0].legs) == {"bm25"}
    assert seconds < 0.9


def test_an_encoder_that_fails_leaves_the_words(indexed_store, retriever):
    found, _ = retrieved([reply(500, {"error": "boom"})], indexed_store, retriever)
    assert found.hits[0].chunk.page == "clients/creer-un-client.md"
    assert found.legs["knn"] == {}


def test_a_very_long_question_is_refused_before_anything_is_asked(retriever):
    with pytest.raises(QuestionRefused, match="characters"):
        retriever.retrieve(read_question("mot " * 250_000))


def test_many_words_are_searched_up_to_a_limit(retriever):
    found = retriever.retrieve(read_question(" ".join(f"mo{n}" for n in range(330))))
    assert found.evidence.length <= 128
