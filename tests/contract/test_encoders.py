"""What every encoder promises: unit rows, zeros for no text, and errors that name their cure."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType

import numpy
import ollama
import pytest

from rag.config.settings import Settings
from rag.core.errors import ConfigError, EncoderError
from rag.core.protocols import Encoder
from rag.encoders import bundled_encoder, open_encoder
from rag.encoders.remote import OllamaEncoder, OpenAIEncoder
from rag.encoders.static import bundled_folder
from tests.commands import ROOT
from tests.contract.embeddings_server import EmbeddingsServer, vector
from tests.scripted import ScriptedServer, reply, unused_url

TEXTS = ["Comment créer un client ?", "Imprimer une étiquette", "Faire l'inventaire de la cave"]
ODD_TEXTS = ["", "  \n\t\u00a0"]
DIMENSION = 768


@pytest.fixture(scope="module")
def transformers_encoder(sentence_transformers: ModuleType) -> Encoder:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return open_encoder(Settings(embedding_model=str(bundled_folder()), _env_file=None))


@pytest.fixture
def served() -> Iterator[EmbeddingsServer]:
    with EmbeddingsServer().running() as server:
        yield server


def openai_settings(url: str, **changes: object) -> Settings:
    named = {"embedding_model": "openai:essai", "openai_api_key": "sk-secret", **changes}
    return Settings(openai_url=url, _env_file=None, **named)


@pytest.fixture(params=["static", "sentence-transformers", "ollama", "openai"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    if request.param == "static":
        return bundled_encoder()
    if request.param == "sentence-transformers":
        return request.getfixturevalue("transformers_encoder")
    if request.param == "openai":
        return open_encoder(openai_settings(request.getfixturevalue("served").url))
    url, model = (request.getfixturevalue(name) for name in ("ollama_url", "embedding_model"))
    return open_encoder(Settings(embedding_model=f"ollama:{model}", ollama_url=url, _env_file=None))


def sides(encoder: Encoder):
    return encoder.encode_passages, encoder.encode_queries


def test_rows_are_unit_float32_of_the_dimension_it_names(encoder: Encoder) -> None:
    assert encoder.dimension == DIMENSION
    for encode in sides(encoder):
        vectors = encode(TEXTS)
        assert vectors.shape == (len(TEXTS), DIMENSION)
        assert vectors.dtype == numpy.float32
        assert numpy.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-4)
        assert encode([]).shape == (0, DIMENSION)


def test_no_text_gives_zeros_and_leaves_its_neighbours_alone(encoder: Encoder) -> None:
    for encode in sides(encoder):
        vectors = encode([ODD_TEXTS[0], TEXTS[0], *ODD_TEXTS[1:]])
        assert not vectors[[0, 2]].any()
        assert vectors[1] == pytest.approx(encode(TEXTS[:1])[0], abs=1e-3)
        assert not encode(ODD_TEXTS).any()


def test_the_same_text_gives_the_same_vector_in_any_company(encoder: Encoder) -> None:
    for encode in sides(encoder):
        assert numpy.array_equal(encode(TEXTS), encode(TEXTS))
        many = encode([f"texte {n}" for n in range(150)] + TEXTS)
        assert many[-3:] == pytest.approx(encode(TEXTS), abs=1e-3)


def test_tokens_are_counted_for_each_text(encoder: Encoder) -> None:
    counts = encoder.count_tokens([*TEXTS, "", TEXTS[0] * 10])
    assert len(counts) == 5
    assert all(type(count) is int for count in counts)
    assert min(counts[:3]) >= 3
    assert counts[3] <= 2
    assert counts[4] > 5 * counts[0]
    assert encoder.count_tokens([]) == []


def test_its_name_and_dimension_stay_the_same(encoder: Encoder) -> None:
    assert encoder.name
    assert encoder.name == encoder.name.strip()


def test_sentence_transformers_loads_the_bundled_model_with_equal_vectors(
    transformers_encoder: Encoder,
) -> None:
    texts = [
        *TEXTS,
        "l'été d’aujourd'hui, à 12h30 : DRM n°12-345/AB",
        "œuvre ŒUVRE a_b_c foo_bar",
        "How do I create a client?",
        "日本語 123 🍷",
        "mot " * 2000,
        "🍷🍷",
        "...",
    ]
    ours, theirs = (
        bundled_encoder().encode_passages(texts),
        transformers_encoder.encode_passages(texts),
    )
    assert numpy.abs(ours - theirs).max() <= 1e-3
    told = ours.any(axis=1)
    assert told.sum() == len(texts) - 2
    assert (ours * theirs).sum(axis=1)[told].min() >= 0.9999
    assert transformers_encoder.count_tokens(texts) == bundled_encoder().count_tokens(texts)


def test_nomic_is_told_which_side_a_text_is_on(ollama_url: str, embedding_model: str) -> None:
    encoder = OllamaEncoder(embedding_model, ollama_url)
    assert encoder.name == f"ollama:{embedding_model}"
    with ollama.Client(ollama_url) as client:
        for encode, side in zip(sides(encoder), ("document", "query"), strict=True):
            said = client.embed(embedding_model, f"search_{side}: client").embeddings[0]
            assert encode(["client"])[0] == pytest.approx(said, abs=1e-4)


def test_an_openai_server_is_asked_for_the_dimension_and_its_order_put_right(
    served: EmbeddingsServer,
) -> None:
    encoder = open_encoder(openai_settings(served.url, embedding_dimension=8))
    vectors = encoder.encode_passages(TEXTS)
    for text, row in zip(TEXTS, vectors, strict=True):
        expected = numpy.array(vector(text, 8))
        assert row == pytest.approx(expected / numpy.linalg.norm(expected), abs=1e-5)
    assert {request["dimensions"] for request in served.requests} == {8}
    assert {request["model"] for request in served.requests} == {"essai"}
    assert set(served.keys) == {"Bearer sk-secret"}


def test_many_texts_are_sent_in_batches(served: EmbeddingsServer) -> None:
    encoder = open_encoder(openai_settings(served.url, embedding_dimension=4))
    served.requests.clear()
    encoder.encode_passages([f"texte {n}" for n in range(300)])
    sizes = [len(request["input"]) for request in served.requests]
    assert sum(sizes) == 300
    assert max(sizes) <= 128


@pytest.mark.parametrize("takes_dimensions", [True, False])
def test_a_model_of_another_length_is_refused_with_both_numbers(takes_dimensions: bool) -> None:
    server = EmbeddingsServer(1536, takes_dimensions=takes_dimensions)
    with server.running(), pytest.raises(ConfigError) as refused:
        open_encoder(openai_settings(server.url))
    for part in ("1536", "768", "AI_EMBEDDING_DIMENSION=1536", "index --full"):
        assert part in str(refused.value)


def test_a_model_of_one_length_serves_who_asks_for_that_length() -> None:
    server = EmbeddingsServer(1536, takes_dimensions=False)
    with server.running():
        encoder = open_encoder(openai_settings(server.url, embedding_dimension=1536))
        assert encoder.encode_queries(TEXTS).shape == (3, 1536)


@pytest.mark.parametrize("kind", ["bundled", "ollama"])
def test_a_wrong_dimension_is_refused_with_both_numbers(
    kind: str, request: pytest.FixtureRequest
) -> None:
    changes = {}
    if kind == "ollama":
        changes["ollama_url"] = request.getfixturevalue("ollama_url")
        kind = f"ollama:{request.getfixturevalue('embedding_model')}"
    with pytest.raises(
        ConfigError, match=r"768 dimensions.*AI_EMBEDDING_DIMENSION is 512"
    ) as wrong:
        open_encoder(
            Settings(embedding_model=kind, embedding_dimension=512, _env_file=None, **changes)
        )
    assert "AI_EMBEDDING_DIMENSION=768" in str(wrong.value)


def good(vectors: list) -> bytes:
    rows = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
    return reply(200, {"object": "list", "model": "essai", "data": rows, "usage": {}})


@pytest.mark.parametrize(
    "script",
    {
        "wrong key": [reply(401, {"error": {"message": "Incorrect API key"}})],
        "server error": [reply(500, {"error": {"message": "boom"}})],
        "stays silent": [30.0],
        "hangs up": [],
        "no vector": [good([])],
        "empty vectors": [good([[]])],
        "not numbers": [good([["a", "b"]])],
        "one too many": [good([[1.0], [2.0]])],
        "another protocol": [reply(200, {"hello": "world"})],
        "not JSON": [b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"],
    }.items(),
    ids=lambda pair: pair[0],
)
def test_what_an_openai_server_does_wrong_is_explained(script: tuple[str, list]) -> None:
    with ScriptedServer(script[1]) as server, pytest.raises(EncoderError) as failed:
        OpenAIEncoder("essai", openai_settings(server.url), timeout_s=0.3)
    for part in (server.url, "essai", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        assert part in str(failed.value)
    assert "sk-secret" not in str(failed.value)


@pytest.mark.parametrize(
    "script",
    {
        "server error": [reply(500, {"error": "boom"})],
        "stays silent": [30.0],
        "hangs up": [],
        "no vector": [reply(200, {"embeddings": []})],
        "ragged": [reply(200, {"embeddings": [[1.0], [1.0, 2.0]]})],
        "another protocol": [reply(200, {"hello": "world"})],
        "not JSON": [b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"],
    }.items(),
    ids=lambda pair: pair[0],
)
def test_what_an_ollama_does_wrong_is_explained(script: tuple[str, list]) -> None:
    with ScriptedServer(script[1]) as server, pytest.raises(EncoderError, match="OLLAMA_URL"):
        OllamaEncoder("essai", server.url, timeout_s=0.3)


def test_a_missing_ollama_model_is_explained_by_the_command_that_fetches_it(
    ollama_url: str,
) -> None:
    with pytest.raises(EncoderError, match="ollama pull absent-embed"):
        OllamaEncoder("absent-embed", ollama_url)


@pytest.mark.parametrize(
    "url", [pytest.param(unused_url(), id="a free port"), "http://", "http://[", "localhost:http"]
)
def test_an_address_where_nothing_listens_is_explained(url: str) -> None:
    with pytest.raises(EncoderError, match="OLLAMA_URL"):
        OllamaEncoder("nomic-embed-text", url, timeout_s=2.0)
    with pytest.raises(EncoderError, match="OPENAI_BASE_URL"):
        OpenAIEncoder("essai", openai_settings(url), timeout_s=2.0)


@pytest.mark.usefixtures("transformers_encoder")
def test_a_model_that_does_not_exist_is_explained(sentence_transformers: ModuleType) -> None:
    with pytest.raises(EncoderError, match=r"no/such/folder.*AI_EMBEDDING_MODEL"):
        open_encoder(Settings(embedding_model="no/such/folder", _env_file=None))


@pytest.mark.parametrize(
    ("module", "model", "extra"),
    [
        ("sentence_transformers", "some/model", ".[transformers]"),
        ("openai", "openai:essai", ".[openai]"),
    ],
)
def test_a_missing_extra_is_explained_by_the_command_that_installs_it(
    module: str, model: str, extra: str
) -> None:
    program = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from souffleur import cli; cli.main(['search', 'client'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"AI_EMBEDDING_MODEL": model, "HELP_DATA_DIR": "no-such-folder"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"pip install -c constraints.txt -e '{extra}'" in done.stderr
    assert "Traceback" not in done.stderr
