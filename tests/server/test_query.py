"""A question over HTTP: whole as JSON, and as a stream of events."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.office_server import Machine
from rag.core.answers import Answer
from tests.office import serving as office
from tests.pages import PAGES
from tests.scripted import wait_until
from tests.server.calls import Event, ask, asking, events, get
from tests.server.running import Running, serving

UUID = "0b2b6c1e-7c56-4c8e-9d52-6f0d6a7f1c11"
MACHINE = Machine(prompt_speed=1e5, output_speed=200.0, load_s=0.0)
LINKED = {
    **PAGES,
    "clients/supprimer.md": (
        "---\nurl: https://aide.example.fr/clients/supprimer\nsee_also: [clients/creer]\n"
        "actions:\n  - label: Liste des clients\n    url: /clients/liste/\n---\n"
        "# Supprimer un client\n\nOuvrez la fiche du client, puis cliquez sur **Supprimer**.\n"
    ),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose model copies passages; it is asked by every test of this module."""
    data_dir = tmp_path_factory.mktemp("query") / "souffleur"
    with office(MACHINE) as (url, model):
        settings = {"OLLAMA_URL": url, "HELP_TIMEOUT": 60, "HELP_RATE_LIMIT": "none"}
        with serving(LINKED, HELP_DATA_DIR=data_dir, **settings) as running:
            assert wait_until(lambda: model.loads > 0 and not model.busy, 60)
            yield running


def stream(url: str, question: str, **more: object) -> list[Event]:
    with asking(url, question, **more) as connection:
        return list(events(connection.getresponse()))


def test_an_answer_has_every_field_and_names_its_pages(server: Running) -> None:
    status, body = ask(server.url, "Comment supprimer un client ?")
    assert status == 200
    assert set(Answer.__slots__) < set(body)
    assert body["page_effective"] == "clients/supprimer.md"
    assert body["see_also"]
    assert set(body["pages"]) == {body["page_effective"], *body["see_also"]}
    assert body["pages"]["clients/supprimer.md"] == {
        "title": "Supprimer un client",
        "url": "https://aide.example.fr/clients/supprimer",
    }
    assert body["actions"] == [{"label": "Liste des clients", "url": "/clients/liste/"}]
    assert (body["lang"], body["conversation_id"]) == ("fr", None)
    assert len(body["answer_id"]) == 32
    assert ask(server.url, "Comment supprimer un client ?")[1]["answer_id"] != body["answer_id"]


def test_the_openapi_document_describes_what_is_sent(server: Running) -> None:
    _, document = get(f"{server.url}/openapi.json")
    described = document["components"]["schemas"]["AnswerBody"]["properties"]
    _, body = ask(server.url)
    assert set(described) == set(body)
    assert all(one.get("description") for one in document["paths"]["/api/help/query"].values())


def test_a_stream_is_numbered_and_its_chunks_are_the_answer(server: Running) -> None:
    got = stream(server.url, "Comment faire l'inventaire des bouteilles ?", conversation_id="c1")
    assert [one.name for one in got[:1]] == ["sources"]
    assert got[0].data["extract"]
    assert [one.number for one in got] == list(range(1, len(got) + 1))
    assert [one.data["seq"] for one in got] == [one.number for one in got]
    complete = got[-1].data
    assert got[-1].name == "complete"
    assert complete["conversation_id"] == "c1"
    assert "text" not in complete
    chunks = [one.data["content"] for one in got if one.name == "chunk"]
    assert complete["reason"] or "".join(chunks).strip() == complete["content"]


@pytest.mark.parametrize(
    "place",
    [
        "clients/supprimer",
        "clients/supprimer.md",
        "/clients/supprimer/",
        "https://www.example.fr/clients/liste/?page=2#haut",
        "https://aide.example.fr/clients/supprimer",
    ],
)
def test_where_the_asker_is_decides_what_comes_first(server: Running, place: str) -> None:
    _, body = ask(server.url, "Que faire d'une fiche de client ?", page=place)
    assert body["page_effective"] == "clients/supprimer.md"


@pytest.mark.parametrize("place", ["/nowhere/", "http://[", "\x00", "x" * 5_000])
def test_a_place_that_no_page_is_about_does_no_harm(server: Running, place: str) -> None:
    status, body = ask(server.url, "Comment supprimer un client ?", page=place)
    assert (status, body["page_effective"]) == (200, "clients/supprimer.md")


def test_a_follow_up_is_understood_in_a_conversation_of_its_own_alone(server: Running) -> None:
    ask(server.url, "Comment supprimer un client ?", conversation_id=UUID)
    _, follow_up = ask(server.url, "Et pour le créer ?", conversation_id=UUID)
    assert follow_up["page_effective"] == "clients/creer.md"
    assert follow_up["conversation_id"] == UUID
    # a short id may be anybody's: nothing is remembered under it
    ask(server.url, "Comment supprimer un client ?", conversation_id="1")
    _, other = ask(server.url, "Et pour le créer ?", conversation_id="1")
    _, alone = ask(server.url, "Et pour le créer ?")
    assert other["text"] == alone["text"]
    assert other["conversation_id"] == "1"


@pytest.mark.parametrize(
    ("question", "lang", "answered"),
    [
        ("", "fr", False),
        ("  \n", "fr", False),
        ("How do I delete a client?", "en", True),
        ("Quelle est la capitale de la Mongolie ?", "fr", False),
    ],
)
def test_what_is_not_answered_says_so_in_the_askers_language(
    server: Running, question: str, lang: str, answered: bool
) -> None:
    status, body = ask(server.url, question)
    assert (status, body["lang"], body["answered"]) == (200, lang, answered)
    assert body["text"]


def test_a_question_that_is_too_long_is_refused_before_the_stream_begins(server: Running) -> None:
    with asking(server.url, "a" * 20_000) as connection:
        response = connection.getresponse()
        assert response.status == 422
        assert response.getheader("content-type") == "application/problem+json"
        response.read()
    status, problem = ask(server.url, "a" * 20_000)
    assert (status, problem["status"]) == (422, 422)


def test_without_streaming_one_event_tells_all() -> None:
    with serving(AI_ENABLE_STREAMING="false") as server:
        (only,) = stream(server.url, "Comment créer un client ?")
        assert (only.name, only.number) == ("complete", 1)
        assert only.data["content"]


def test_figures_are_counted_and_closed_to_others() -> None:
    with serving() as server:
        assert get(f"{server.url}/metrics")[0] == 403
    key = "a-key-of-the-operator"
    with serving(HELP_ADMIN_KEY=key) as server:
        assert get(f"{server.url}/metrics")[0] == 401
        ask(server.url)
        ask(server.url, "Quelle est la capitale de la Mongolie ?")
        ask(server.url, "a" * 20_000)
        _, figures = get(f"{server.url}/metrics", {"Authorization": f"Bearer {key}"})
    for line in (
        'souffleur_questions_total{channel="http",result="extract"} 1.0',
        'souffleur_questions_total{channel="http",result="unanswered"} 1.0',
        'souffleur_questions_total{channel="http",result="refused"} 1.0',
        'souffleur_degraded_total{reason="off"} 1.0',
        'souffleur_answer_seconds_count{result="extract"} 1.0',
        "souffleur_first_text_seconds_count 2.0",
        "souffleur_answers_in_progress 0.0",
    ):
        assert f"{line}\n" in figures, figures
    assert "process_resident_memory_bytes" in figures


def test_the_reference_is_a_page_without_foreign_hosts() -> None:
    with serving() as server:
        status, page = get(f"{server.url}/docs")
        assert status == 200
        assert "/api/help/query" in page
        assert "Comment créer un client" in page
        assert "<script" not in page
        for address in ("http://", "https://", "//"):
            assert f'src="{address}' not in page
            assert f'href="{address}' not in page
        assert get(f"{server.url}/docs.css")[0] == 200
