"""Whatever the model's server does, one final event comes, and it comes in time."""

import asyncio
import time

import pytest

from rag.assistant import Assistant
from rag.core.answers import ChunkEvent, CompleteEvent, SourcesEvent
from rag.language.messages import message
from rag.question import read_question
from tests.models import FAST, known, writer_on
from tests.scripted import END, HEAD, ScriptedServer, line, reply, unused_url

TIMEOUT_S = 1.0
QUESTION = "Comment créer un client ?"
SENTENCE = "Ouvrez Clients puis cliquez sur Nouveau client [2]."

FAULTS = {
    "accepts and stays silent": ([60.0], "late"),
    "headers, then silent": ([HEAD, 60.0], "late"),
    "silent in mid-word": ([HEAD, line("Ouv"), 60.0], "late"),
    "trickles without a sentence": ([HEAD, *[line("a"), 0.1] * 200], "late"),
    "closes at once": ([], "error"),
    "closes after the headers": ([HEAD], "error"),
    "sends junk": ([HEAD, b"5\r\n{!!}\n\r\n", END], "error"),
    "json, but no object": ([HEAD, b"3\r\n[]\n\r\n", END], "error"),
    "error in the stream": ([HEAD, b'10\r\n{"error":"boom"}\r\n', END], "error"),
    "server error": ([reply(500, {"error": "boom"})], "error"),
    "queue full": ([reply(503, {"error": "server busy"})], "error"),
    "breaks off in mid-word": ([HEAD, line("Ouv"), END], "failed"),
    "wrong path": ([reply(404, {"error": "404 page not found"})], "refused"),
    "model missing": ([reply(404, {"error": "model 'm' not found"})], "missing"),
    "writes nothing": ([HEAD, line(done=True, done_reason="stop"), END], "silent"),
}


def events_of(assistant: Assistant, question: str = QUESTION):
    async def collect():
        start = time.monotonic()
        return [(event, time.monotonic() - start) async for event in assistant.stream(question)]

    return asyncio.run(collect())


def assistant_on(url, store, retriever, timeout_s=TIMEOUT_S) -> Assistant:
    writer = writer_on(url, speeds=known(FAST), timeout_s=timeout_s)
    return Assistant(store, retriever, writer, timeout_s=timeout_s)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_gives_the_extract_in_time(fault, indexed_store, retriever):
    script, reason = FAULTS[fault]
    with ScriptedServer(script) as server:
        events = events_of(assistant_on(server.url, indexed_store, retriever))
    check_degraded(events, reason)


def test_no_server_gives_the_extract_at_once(indexed_store, retriever):
    events = events_of(assistant_on(unused_url(), indexed_store, retriever))
    check_degraded(events, "refused")
    assert events[-1][1] < 0.5


def check_degraded(events, reason):
    finals = [event for event, _ in events if isinstance(event, CompleteEvent)]
    assert len(finals) == 1
    last, at = events[-1]
    assert last is finals[0]
    assert at <= TIMEOUT_S + 0.2
    assert isinstance(events[0][0], SourcesEvent)
    answer = last.answer
    assert answer.degraded
    assert answer.reason == message(reason, "fr")
    assert answer.sources[0].page == "clients/creer-un-client.md"
    assert "Nouveau client" in answer.text


def test_text_streamed_before_the_deadline_is_closed_at_a_sentence(indexed_store, retriever):
    script = [HEAD, line(SENTENCE), line(" Puis la sui"), 60.0]
    with ScriptedServer(script) as server:
        events = events_of(assistant_on(server.url, indexed_store, retriever))
    answer, at = events[-1][0].answer, events[-1][1]
    assert at <= TIMEOUT_S + 0.2
    assert answer.truncated
    assert not answer.degraded
    assert answer.text == SENTENCE


def test_a_whole_answer_cites_what_it_rests_on(indexed_store, retriever):
    script = [
        HEAD,
        line(SENTENCE),
        line(" Vérifiez l'adresse de facturation [9]."),
        line(done=True),
        END,
    ]
    with ScriptedServer(script) as server:
        events = events_of(assistant_on(server.url, indexed_store, retriever))
    answer = events[-1][0].answer
    pieces = [event.content for event, _ in events if isinstance(event, ChunkEvent)]
    assert pieces[0] == SENTENCE
    assert answer.text == SENTENCE + " Vérifiez l'adresse de facturation [2]."
    assert "".join(pieces) == answer.text
    assert [source.n for source in answer.sources] == [2]
    assert len(answer.retrieved) > 1
    assert answer.page_effective == answer.sources[0].page


def test_nothing_is_left_behind(indexed_store, retriever):
    async def ask_and_count(url):
        assistant = assistant_on(url, indexed_store, retriever, timeout_s=0.3)
        async for _ in assistant.stream(QUESTION):
            pass
        await asyncio.sleep(0)
        return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    with ScriptedServer([HEAD, line("a"), 60.0]) as server:
        assert asyncio.run(ask_and_count(server.url)) == []


def test_the_prompt_ends_with_the_question_and_bounds_the_answer(indexed_store, retriever):
    import json

    with ScriptedServer([HEAD, line("Oui [1]."), line(done=True), END]) as server:
        events_of(assistant_on(server.url, indexed_store, retriever))
        request = json.loads(server.requests[0])
    assert request["messages"][-1]["content"].endswith(QUESTION)
    assert request["options"]["num_predict"] > 0
    assert request["options"]["num_ctx"] == 4096
    assert request["keep_alive"] == "5m"


def answer_to(text, store, retriever, question=QUESTION):
    with ScriptedServer([HEAD, line(text), line(done=True, done_reason="stop"), END]) as server:
        return events_of(assistant_on(server.url, store, retriever), question)[-1][0].answer


@pytest.mark.parametrize("question", [QUESTION, "erreur E-210", "facture électronique"])
def test_an_answer_without_citation_rests_on_the_best_hit(question, indexed_store, retriever):
    answer = answer_to("Ouvrez la fiche.", indexed_store, retriever, question)
    best = retriever.retrieve(read_question(question)).hits[0].chunk
    assert [source.page for source in answer.sources] == [best.page]
    assert answer.page_effective == best.page


def test_a_model_that_finds_nothing_gives_no_source(indexed_store, retriever):
    answer = answer_to("« L'aide ne le dit pas. » [1]", indexed_store, retriever)
    assert not answer.answered
    assert answer.sources == ()
    assert answer.actions == ()


def test_several_numbers_in_one_citation_are_checked_each(indexed_store, retriever):
    answer = answer_to("Cliquez sur Nouveau client [2, 99].", indexed_store, retriever)
    assert answer.text == "Cliquez sur Nouveau client [2]."
    assert [source.n for source in answer.sources] == [2]


def test_a_sentence_that_no_passage_supports_is_left_out(indexed_store, retriever):
    text = "Cliquez sur Nouveau client [2]. Cela coûte 45 euros par mois [2]."
    answer = answer_to(text, indexed_store, retriever)
    assert answer.text == "Cliquez sur Nouveau client [2]."
    assert answer.unsupported == 1
    nothing = answer_to("Cela coûte 45 euros par mois [2].", indexed_store, retriever)
    assert "Nouveau client" in nothing.text
    assert nothing.reason == message("unsupported", "fr")
    assert nothing.model is None
    assert not nothing.degraded


@pytest.mark.parametrize(
    "text",
    [
        "Bien sûr !",
        "Voici comment faire : ",
        "Bien sûr ! Voici comment faire. Cela coûte 45 euros par mois.",
        "x",
        "a " * 60,
    ],
)
def test_words_that_say_nothing_of_the_pages_are_no_answer(text, indexed_store, retriever):
    with ScriptedServer([HEAD, line(text), line(done=True, done_reason="stop"), END]) as server:
        events = events_of(assistant_on(server.url, indexed_store, retriever))
    assert not any(isinstance(event, ChunkEvent) for event, _ in events)
    assert "Nouveau client" in events[-1][0].answer.text
    assert events[-1][0].answer.model is None


def test_an_opening_is_shown_with_the_sentence_that_follows_it(indexed_store, retriever):
    answer = answer_to(f"Voici comment faire. {SENTENCE}", indexed_store, retriever)
    assert answer.text == f"Voici comment faire. {SENTENCE}"


def test_a_server_that_ends_and_stays_connected_has_ended(indexed_store, retriever):
    script = [HEAD, line(SENTENCE), line(done=True, done_reason="stop"), 60.0]
    with ScriptedServer(script) as server:
        events = events_of(assistant_on(server.url, indexed_store, retriever))
    assert events[-1][0].answer.text == SENTENCE
    assert not events[-1][0].answer.truncated
    assert events[-1][1] < TIMEOUT_S


def test_a_flood_ends_in_time(indexed_store, retriever):
    script = [HEAD, *[line(" mot" * 50) * 200] * 400]
    with ScriptedServer(script) as server:
        events = events_of(assistant_on(server.url, indexed_store, retriever))
    assert events[-1][1] <= TIMEOUT_S + 0.2
    assert "Nouveau client" in events[-1][0].answer.text


def test_an_answer_in_another_language_gives_way_to_the_extract(indexed_store, retriever):
    text = "Open the clients list and click the button to create the new client. Then save it. "
    answer = answer_to(text, indexed_store, retriever)
    assert "Nouveau client" in answer.text
    assert answer.reason == message("language", "fr")


@pytest.mark.parametrize("question", ["comment", "de la le", "où", "how to do"])
def test_function_words_alone_are_no_question(question, indexed_store, retriever):
    events = events_of(assistant_on(unused_url(), indexed_store, retriever), question)
    assert not events[-1][0].answer.answered
