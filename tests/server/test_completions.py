"""The help as a model of OpenAI's protocol, asked by OpenAI's own client."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from rag.core.answers import Answer, Source
from rag.language.messages import message
from rag.server.openai_api import after_chunks, closing
from tests.office import FAST, Machine
from tests.office import serving as office
from tests.scripted import HEAD, ScriptedServer, line, reply, wait_until
from tests.server.doors import API_KEY
from tests.server.raw import ask
from tests.server.running import Running, serving

QUESTION = "Comment créer un client ?"
SENTENCE = "Ouvrez Clients puis cliquez sur Nouveau client [2]. "
SLOW = Machine(prompt_speed=1e5, output_speed=5.0, load_s=0.0, answer_tokens=200)
PATH = "/v1/chat/completions"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with a key, whose model copies passages."""
    folder = tmp_path_factory.mktemp("completions") / "data"
    with (
        office(FAST) as (url, _),
        serving(
            HELP_DATA_DIR=folder,
            HELP_API_KEY=API_KEY,
            OLLAMA_URL=url,
            HELP_TIMEOUT=60,
        ) as running,
    ):
        yield running


def client(server: Running, key: str = API_KEY) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0, timeout=60)


def user(*texts: str) -> list[dict[str, str]]:
    said = []
    for text in texts:
        said += [{"role": "user", "content": text}, {"role": "assistant", "content": "…"}]
    return said[:-1]


def test_answer_has_text_sources_and_usage(server):
    with client(server) as asker:
        done = asker.chat.completions.create(model="any", messages=user(QUESTION))
    said = done.choices[0]
    assert said.finish_reason == "stop"
    assert done.model == "any"
    assert "[1]" in said.message.content
    assert "\n\nSources\u00a0:\n\n- [1] " in said.message.content
    assert said.message.sources[0]["page"].startswith("clients/")
    assert done.usage.prompt_tokens > 0
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens


def test_stream_says_the_same_in_pieces(server):
    with client(server) as asker:
        whole = asker.chat.completions.create(model="m", messages=user(QUESTION))
        pieces = list(
            asker.chat.completions.create(
                model="m",
                messages=user(QUESTION),
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    deltas = [piece.choices[0].delta for piece in pieces if piece.choices]
    assert deltas[0].role == "assistant"
    assert "".join(one.content or "" for one in deltas) == whole.choices[0].message.content
    assert deltas[-1].sources == whole.choices[0].message.sources
    assert [piece.choices[0].finish_reason for piece in pieces if piece.choices][-1] == "stop"
    assert pieces[-1].choices == []
    assert pieces[-1].usage.prompt_tokens > 0
    assert len({piece.id for piece in pieces}) == 1


def test_follow_up_is_understood_from_the_messages_alone(server):
    with client(server) as asker:

        def pages(*texts: str) -> list[str]:
            done = asker.chat.completions.create(model="m", messages=user(*texts))
            return [source["page"] for source in done.choices[0].message.sources]

        inventory = "Comment faire l'inventaire ?"
        assert "stocks/inventaire.md" in pages(inventory, "et pourquoi ?")
        assert "stocks/inventaire.md" not in pages("et pourquoi ?")


def test_a_long_conversation_goes_on(server):
    """Clients send all of it with each question."""
    before = [*user("Comment faire l'inventaire ?"), {"role": "assistant", "content": "é" * 1_500}]
    with client(server) as asker:
        messages = [*before * 100, *user("et pourquoi ?")]
        done = asker.chat.completions.create(model="m", messages=messages)
    assert "stocks/inventaire.md" in [source["page"] for source in done.choices[0].message.sources]


def test_parts_that_are_no_text_are_passed_over(server):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    parts = [image, {"type": "text", "text": None}, {"type": "text", "text": QUESTION}]
    with client(server) as asker:
        messages = [{"role": "user", "content": parts}]
        done = asker.chat.completions.create(model="m", messages=messages)
    assert "[1]" in done.choices[0].message.content


def test_what_steers_other_models_is_without_effect(server):
    with client(server) as asker:
        done = asker.chat.completions.create(
            model="m",
            messages=[
                {"role": "system", "content": "Réponds en anglais, sans source."},
                {"role": "developer", "content": "x"},
                {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
            ],
            temperature=2,
            top_p=0.1,
            tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}],
            seed=1,
            user="u",
            extra_body={"unknown": {"deep": [1]}},
        )
    assert "[1]" in done.choices[0].message.content


def test_models_are_named(server):
    with client(server) as asker:
        assert [model.id for model in asker.models.list()] == ["souffleur"]
        assert asker.models.retrieve("souffleur").id == "souffleur"
        with pytest.raises(openai.NotFoundError):
            asker.models.retrieve("gpt")


def test_errors_have_the_shape_that_clients_read(server):
    with client(server) as asker:
        create = asker.chat.completions.create
        with pytest.raises(openai.BadRequestError, match="n = 1") as error:
            create(model="m", messages=user(QUESTION), n=2)
        assert error.value.code == "one_choice"
        assert error.value.type == "invalid_request_error"
        for messages in ([{"role": "system", "content": "x"}], user("  "), user("a", "b")[:-1]):
            with pytest.raises(openai.BadRequestError):
                create(model="m", messages=messages)
        with pytest.raises(openai.UnprocessableEntityError):
            create(model="m", messages=[])
        with pytest.raises(openai.UnprocessableEntityError):
            create(model="m", messages=user("a" * 2_001), stream=True)
    with client(server, "another-key") as stranger, pytest.raises(openai.AuthenticationError):
        stranger.models.list()
    with client(server) as asker, pytest.raises(openai.NotFoundError):
        asker.embeddings.create(model="m", input="x", encoding_format="float")


@pytest.mark.parametrize("stream", [True, False])
def test_client_that_leaves_stops_the_model(tmp_path, stream):
    with office(SLOW) as (url, machine), serving(OLLAMA_URL=url, HELP_TIMEOUT=60) as server:
        asker = openai.OpenAI(base_url=f"{server.url}/v1", api_key="-", max_retries=0, timeout=60)
        with asker:
            if stream:
                pieces = asker.chat.completions.create(
                    model="m", messages=user(QUESTION), stream=True
                )
                next(iter(pieces))
                assert machine.busy
                pieces.close()
            else:
                with pytest.raises(openai.APITimeoutError):
                    asker.with_options(timeout=2).chat.completions.create(
                        model="m", messages=user(QUESTION)
                    )
        assert wait_until(lambda: not machine.busy, 10)
        assert ask(server.url, "/v1/models").status == 200


def test_model_that_dies_after_a_sentence_leaves_a_text_that_reads_well(tmp_path):
    script = [HEAD, line(SENTENCE), line("Puis "), 0.5]  # it hangs up without an end
    with ScriptedServer(script) as model, serving(OLLAMA_URL=model.url, HELP_TIMEOUT=20) as server:
        asker = openai.OpenAI(base_url=f"{server.url}/v1", api_key="-", max_retries=0, timeout=60)
        with asker:
            pieces = list(
                asker.chat.completions.create(model="m", messages=user(QUESTION), stream=True)
            )
    text = "".join(piece.choices[0].delta.content or "" for piece in pieces)
    assert text.count("Sources\u00a0:") == 1
    assert text.count("Nouveau client") >= 1
    assert pieces[-1].choices[0].finish_reason in ("stop", "length")


def test_model_that_fails_gives_the_extract_and_why(tmp_path):
    with ScriptedServer([reply(500, {"error": "x"})]) as model, serving(OLLAMA_URL=model.url) as s:
        said = ask(s.url, PATH, {"messages": user(QUESTION)}).json["choices"][0]["message"]
        assert said["content"].startswith("Extrait de l’aide, sans rédaction\u00a0: le modèle")


SOURCE = Source(1, "Créer [un] client", "Étapes", "https://aide.example/a", "a.md", 0.9)


@pytest.mark.parametrize(
    ("sent", "answer", "rest"),
    [
        ("", Answer("Texte.", sources=(SOURCE,)), "Texte."),
        ("Un. ", Answer("Un. Deux."), "Deux."),
        ("Un.", Answer("Un."), ""),
        (
            "Un.",
            Answer("Extrait.", reason="panne", degraded=True),
            f"\n\n---\n\n{message('degraded', 'fr', reason='panne')}\n\nExtrait.",
        ),
    ],
)
def test_text_after_what_was_sent(sent, answer, rest):
    assert after_chunks(sent, answer, "fr") == rest


def test_sources_are_links_that_cannot_be_broken_out_of():
    rows = closing(Answer("x", sources=(SOURCE,), truncated=True), "en")
    assert rows.endswith("- [1] [Créer \\[un\\] client \\> Étapes](<https://aide.example/a>)")
    assert message("truncated", "en") in rows
    for url in ("javascript:alert(1)", "", "https://a> x", "https://a b"):
        bad = Source(1, "T", "", url, "a.md", 0.9)
        assert closing(Answer("x", sources=(bad,)), "en").endswith("- [1] T")
