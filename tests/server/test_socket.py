"""The WebSocket: what a question is answered with, stopped, resumed, refused, and when it ends."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bench.office_server import Machine, OfficeServer
from rag.conversation import LONGEST_ID
from tests import office
from tests.pages import PAGES
from tests.scripted import wait_until
from tests.server.running import Running, serving
from tests.server.sockets import QUESTION, Asker, asking

# about a second of text
MACHINE = Machine(prompt_speed=1e5, output_speed=120.0, load_s=0.0, answer_tokens=120)
STEPS = "\n".join(
    f"{n}. Cliquez sur le bouton {word} de la fiche client et attendez que le message s'affiche."
    for n, word in enumerate(
        ("Nouveau", "Adresse", "Contact", "Tarif", "Remise", "Livraison", "Facture", "Fin"), 1
    )
)
SITE = PAGES | {
    "clients/creer.md": f"# Créer un client\n\nUn client achète du vin.\n\n## Étapes\n\n{STEPS}\n",
    "clients/supprimer.md": "# Supprimer un client\n\nPour supprimer un client, archivez-le.\n",
}
Served = tuple[Running, OfficeServer]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose model writes the passages' sentences in about a second."""
    data = tmp_path_factory.mktemp("socket") / "data"
    with (
        office.serving(MACHINE) as (url, model),
        serving(
            SITE,
            arguments=["--debug"],
            HELP_DATA_DIR=data,
            OLLAMA_URL=url,
            HELP_TIMEOUT=60,
            HELP_RATE_LIMIT="none",
            AI_CACHE_ENABLED="false",
        ) as running,
    ):
        with asking(running) as asker:
            asker.ask()  # how fast the model is is learnt
            asker.until()
        yield running, model


@pytest.fixture
def asker(served: Served) -> Iterator[Asker]:
    """A page's WebSocket."""
    with asking(served[0]) as asker:
        yield asker


def shared() -> str:
    return str(uuid.uuid4())


def test_an_answer_comes_in_numbered_pieces_that_are_its_text(asker: Asker) -> None:
    asker.ask(page="/clients/creer", title="Clients")
    messages = asker.until()
    kinds = [message["type"] for message in messages]
    assert kinds[0] == "message_sources" and kinds[-1] == "message_complete"
    assert set(kinds[1:-1]) == {"message_chunk"} and len(kinds) > 4
    assert [message["seq"] for message in messages] == list(range(1, len(messages) + 1))
    assert {message["conversation_id"] for message in messages} == {"123"}
    complete = messages[-1]
    assert "".join(message["content"] for message in messages[1:-1]) == complete["content"]
    assert complete["reason"] is None and complete["stopped"] is False
    assert complete["lang"] == "fr" and len(complete["answer_id"]) == 32
    assert complete["page_effective"] == "clients/creer.md"
    assert complete["pages"]["clients/creer.md"]["title"] == "Créer un client"
    assert complete["sources"][0]["page"] in {s["page"] for s in messages[0]["sources"]}


def test_the_first_piece_sent_is_logged_in_the_guides_words(served: Served) -> None:
    form = r"^\[DEBUG\] .* - Streaming démarré pour la conversation %s, fragment #1 envoyé$"
    secret = shared()
    with asking(served[0]) as asker:
        for name in ("7 lignes", secret):
            asker.ask(conversation=name)
            asker.until()
    log = served[0].log()
    assert len(re.findall(form % "7 lignes", log, re.M)) == 1
    assert len(re.findall(form % rf"{secret[:8]}\.\.\.", log, re.M)) == 1
    assert secret not in log


def test_a_follow_up_is_understood_and_numbered_on(asker: Asker) -> None:
    asker.ask(QUESTION)
    last = asker.until()[-1]["seq"]
    asker.ask("et pour le supprimer ?")
    messages = asker.until()
    assert messages[0]["seq"] == last + 1
    assert messages[-1]["page_effective"] == "clients/supprimer.md"


def test_an_answer_that_is_stopped_is_as_it_was_so_far_and_the_model_stops(
    asker: Asker, served: Served
) -> None:
    asker.ask()
    began = asker.until("message_chunk")
    assert served[1].busy
    asker.send("stop", conversation_id="123")
    messages = asker.until()
    complete = messages[-1]
    pieces = [m["content"] for m in began + messages if m["type"] == "message_chunk"]
    assert complete["stopped"] and complete["truncated"] and not complete["degraded"]
    assert complete["content"] == "".join(pieces).strip()
    assert {source["page"] for source in complete["sources"]} == {"clients/creer.md"}
    assert wait_until(lambda: not served[1].busy, 1)
    asker.ask()
    assert asker.until()[-1]["stopped"] is False


def test_stopped_before_its_first_piece_an_answer_is_the_extract(asker: Asker) -> None:
    asker.ask()
    found = asker.until("message_sources")[-1]
    asker.send("stop", conversation_id="123")
    complete = asker.until()[-1]
    assert complete["stopped"]
    assert complete["content"] == found["extract"]


def test_stopping_nothing_says_nothing(asker: Asker) -> None:
    asker.send("stop", conversation_id="123")
    asker.send("stop", conversation_id=shared())
    asker.ask(" ")
    assert asker.next()["type"] == "message_complete"


def test_one_conversation_has_one_answer_at_a_time_and_a_connection_two(asker: Asker) -> None:
    asker.ask(conversation="a")
    asker.until("message_sources")
    asker.ask(conversation="a")
    refused = asker.until("error")[-1]
    assert refused["code"] == "busy" and refused["conversation_id"] == "a"
    assert "seq" not in refused
    asker.ask(conversation="b")
    asker.ask(conversation="c")
    seen = [asker.next()]
    while sum(m["type"] in ("message_complete", "error") for m in seen) < 3:
        seen.append(asker.next())
    ends = {m["conversation_id"]: m for m in seen if m["type"] in ("message_complete", "error")}
    assert ends["a"]["type"] == ends["b"]["type"] == "message_complete"
    assert ends["c"]["code"] == "busy"


def test_who_comes_back_in_time_hears_the_rest_as_it_was_sent(served: Served) -> None:
    name = shared()
    with asking(served[0]) as first:
        first.ask(conversation=name)
        heard = [first.connection.recv(timeout=30) for _ in range(2)]
        first.reset()
    with asking(served[0]) as second:
        second.send("resume", conversation_id=name, after=0)
        whole = []
        while not whole or '"message_complete"' not in whole[-1][:200]:
            whole.append(second.connection.recv(timeout=30))
        assert whole[:2] == heard
        assert json.loads(whole[-1])["stopped"] is False
        with asking(served[0]) as third:
            third.send("resume", conversation_id=name, after=2)
            again = [third.connection.recv(timeout=30) for _ in whole[2:]]
            assert again == whole[2:]
            third.send("resume", conversation_id=name, after=len(whole))
            third.send("resume", conversation_id=name, after=len(whole) + 1)
            assert third.next()["code"] == "unknown_conversation"


def test_who_waits_is_told_that_the_question_was_lost(served: Served) -> None:
    name = shared()
    with asking(served[0]) as first:
        first.ask(conversation=name)
        heard = first.until()
    series, last = heard[-1]["series"], heard[-1]["seq"]
    assert {message["series"] for message in heard} == {series}
    with asking(served[0]) as second:
        back = {"conversation_id": name, "after": last, "waiting": True}
        second.send("resume", **back, series=series)  # its next question broke with the line
        assert second.next()["code"] == "unknown_conversation"
        second.send("resume", **back | {"after": 0}, series="of another process")
        assert second.next()["code"] == "unknown_conversation"
        second.send("resume", **back | {"after": last - 1}, series=series)
        assert second.next() == heard[-1]


def test_a_tab_that_was_duplicated_hears_the_same_answer(served: Served) -> None:
    name = shared()
    with asking(served[0]) as first, asking(served[0]) as second:
        first.ask(conversation=name)
        heard = [first.next()]
        second.send("resume", conversation_id=name, after=0, waiting=True)
        assert second.until() == heard + first.until()


@pytest.fixture
def slow(served: Served) -> Iterator[Served]:
    """The same server; its model takes a quarter of a minute for an answer."""
    model = served[1]
    before = model.machine
    model.machine = replace(before, output_speed=8.0)
    yield served
    model.machine = before


def test_an_answer_that_nobody_comes_back_for_is_stopped(slow: Served) -> None:
    running, model = slow
    name = shared()
    with asking(running) as asker:
        asker.ask(conversation=name)
        assert wait_until(lambda: model.busy, 5)
        asker.reset()
    assert not wait_until(lambda: not model.busy, 2)
    assert wait_until(lambda: not model.busy, 8)
    with asking(running) as asker:
        asker.send("resume", conversation_id=name, after=1)
        complete = asker.until()[-1]
        assert complete["type"] == "message_complete" and complete["stopped"]


def test_a_short_name_belongs_to_its_connection_and_ends_with_it(slow: Served) -> None:
    running, model = slow
    with asking(running) as asker:
        asker.ask(conversation="mine")
        assert wait_until(lambda: model.busy, 5)
        with asking(running) as other:
            other.send("resume", conversation_id="mine", after=0)
            assert other.next()["code"] == "unknown_conversation"
        asker.reset()
    assert wait_until(lambda: not model.busy, 5)


def test_a_model_that_was_used_is_not_warmed_again(served: Served, asker: Asker) -> None:
    asker.ask()
    asker.until()
    before = served[0].log().count("/api/chat")
    for _ in range(10):
        asker.send("warm")
    asker.ask(" ")
    asker.until()
    assert served[0].log().count("/api/chat") == before


def test_a_page_elsewhere_may_not_open_it(served: Served) -> None:
    url = served[0].url
    for origin in (None, "null", "https://evil.example", url.upper(), f"{url}.evil.example"):
        with pytest.raises(InvalidStatus) as refused, asking(served[0], origin=origin):
            pass
        assert refused.value.response.status_code == 403


def test_limits_hold_and_without_streaming_only_the_whole_answer_comes() -> None:
    limits = {"HELP_RATE_LIMIT": "3/hour", "HELP_MAX_CONNECTIONS_PER_CLIENT": 2}
    with serving(AI_ENABLE_STREAMING="false", **limits) as running:
        with asking(running) as asker, asking(running):
            with pytest.raises(InvalidStatus) as refused, asking(running):
                pass
            assert refused.value.response.status_code == 429
            for _ in range(3):
                asker.ask()
                (complete,) = asker.until()
                assert complete["type"] == "message_complete"
            asker.ask("How do I create a client?")
            error = asker.next()
            assert error["code"] == "too_many" and "Too many" in error["message"]
        assert wait_until(lambda: opens(running), 5)


def opens(running: Running) -> bool:
    try:
        with asking(running):
            return True
    except InvalidStatus:
        return False


def test_a_server_that_stops_ends_its_answers_and_says_so() -> None:
    machine = Machine(prompt_speed=1e5, output_speed=60.0, load_s=0.0, answer_tokens=120)
    with (
        office.serving(machine) as (url, _),
        serving(SITE, OLLAMA_URL=url, HELP_TIMEOUT=60) as running,
        asking(running) as asker,
        asking(running) as idle,
    ):
        asker.ask()
        asker.until("message_chunk")
        running.process.terminate()
        assert asker.until("message_complete")[-1]["content"]
        for client in (asker, idle):
            assert client.until("error")[-1]["code"] == "unavailable"
            with pytest.raises(ConnectionClosed) as closed:
                client.next()
            assert closed.value.rcvd and closed.value.rcvd.code == 1012
        assert running.process.wait(20) == 0


def test_the_real_model_stops_with_its_asker(ollama_url: str, slow_model: str) -> None:
    with (
        serving(OLLAMA_URL=ollama_url, HELP_MODEL=slow_model, HELP_TIMEOUT=60) as running,
        asking(running) as asker,
    ):
        asker.ask()
        asker.until("message_sources")
        asker.send("stop", conversation_id="123")
        began = time.monotonic()
        assert asker.until()[-1]["stopped"]
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("name", ["", "à" * LONGEST_ID, "\u202e\u200b", "a\nb", "\x00"])
def test_any_name_is_a_conversation(asker: Asker, name: str) -> None:
    asker.ask(" ", conversation=name)
    assert asker.next()["conversation_id"] == name.replace("\0", "")
