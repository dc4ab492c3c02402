"""A cross-encoder reads the best chunks once more: a real one, tiny, with random weights."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from string import ascii_lowercase

import pytest

from indexer.pipeline import run
from rag.api import open_retriever
from rag.config.settings import Settings
from rag.core.documents import Window
from rag.core.errors import ConfigError, EncoderError
from rag.core.protocols import Store
from rag.encoders import bundled_encoder
from rag.encoders.transformers import CrossEncoderReader
from rag.question import read_question
from rag.reranker import Reranker
from rag.retriever import CROSS_READ, Retriever
from rag.stores.sqlite import SqliteStore
from tests.commands import ROOT, souffleur

QUESTION = "Comment imprimer une étiquette de bouteille ?"
PAGES = 30
LONGEST = 256  # tokens that the model reads


def save_model(folder: Path, labels: int = 1) -> str:
    """Write a BERT that reads letters; its weights are wide, so that its scores differ."""
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast, set_seed

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = [*special, *ascii_lowercase, *(f"##{letter}" for letter in ascii_lowercase)]
    (folder / "letters.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(str(folder / "letters.txt")).save_pretrained(folder)
    set_seed(0)
    shape = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=LONGEST,
        num_labels=labels,
        initializer_range=1.0,
    )
    BertForSequenceClassification(shape).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("one-label"))


@pytest.fixture(scope="session")
def reader(model: str) -> CrossEncoderReader:
    return CrossEncoderReader(model)


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More pages about the question than are read across, with one chunk each."""
    folder = tmp_path_factory.mktemp("pages")
    for n in range(PAGES):
        said = "Imprimer une étiquette. " * (n % 3) + "bouteille " * (n % 5) + "cave " * n
        text = f"# Étiquettes {n}\n\n## Lot {n}\n\n{said}numéro {n}.\n"
        (folder / f"page-{n:02}.md").write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="session")
def store(pages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = SqliteStore(tmp_path_factory.mktemp("cross") / "index.sqlite3")
    run([pages], opened, bundled_encoder())
    yield opened
    opened.close()


def retriever(store: Store, **changes: object) -> Retriever:
    return open_retriever(Settings(_env_file=None, **changes), store)


def window(text: str) -> Window:
    return Window("a", "a.md", "fr", "Vignes", ("Taille",), (), f"Taille\n{text}", ("b",))


def expected_scores(model: str, texts: list[str], question: str = QUESTION) -> list[float]:
    from sentence_transformers import CrossEncoder

    return CrossEncoder(model).predict([(question, text) for text in texts]).tolist()


def test_each_chunk_gets_a_score_between_0_and_1_that_stays_the_same(
    reader: CrossEncoderReader, model: str
) -> None:
    texts = ["", "bouteille", "étiquette " * 400, "🍷", "b\nc"]
    windows = [window(text) for text in texts]
    scores = reader.scores(QUESTION, windows)
    assert all(type(score) is float and 0 <= score <= 1 for score in scores)
    assert len(set(scores)) > 2
    assert reader.scores(QUESTION, windows) == scores
    assert scores == pytest.approx(
        expected_scores(model, [f"Vignes\nTaille\n{text}".strip() for text in texts]), abs=1e-5
    )
    assert reader.scores(QUESTION, []) == []


def test_a_model_that_says_its_scores_are_logits_gives_the_same(
    model: str, tmp_path: Path, reader: CrossEncoderReader
) -> None:
    from sentence_transformers import CrossEncoder
    from torch.nn import Identity

    CrossEncoder(model, activation_fn=Identity()).save_pretrained(str(tmp_path))
    windows = [window("bouteille"), window("cave")]
    assert CrossEncoder(str(tmp_path)).predict([(QUESTION, "cave")])[0] not in reader.scores(
        QUESTION, windows
    )
    found = CrossEncoderReader(str(tmp_path)).scores(QUESTION, windows)
    assert found == pytest.approx(reader.scores(QUESTION, windows), abs=1e-6)


def test_the_best_are_ranked_by_the_mean_of_both_scores_and_the_others_stay_below(
    store: Store, model: str
) -> None:
    before = retriever(store).retrieve(read_question(QUESTION), PAGES).hits
    after = retriever(store, reranker_model=model).retrieve(read_question(QUESTION), PAGES).hits
    assert len(before) == len(after) == PAGES
    read, others = before[:CROSS_READ], before[CROSS_READ:]
    texts = ["\n".join((*hit.chunk.path.split(" > "), hit.chunk.text)) for hit in read]
    across = expected_scores(model, texts)
    means = {h.chunk.id: (h.score + score) / 2 for h, score in zip(read, across, strict=True)}
    ordered = sorted(means, key=lambda i: (-means[i], i))
    assert ordered != [hit.chunk.id for hit in read], "the model changes nothing"
    assert [hit.chunk.id for hit in after] == ordered + [hit.chunk.id for hit in others]
    assert [hit.rank for hit in after] == list(range(1, PAGES + 1))
    expected = [means[i] for i in ordered] + [hit.score / 2 for hit in others]
    assert [hit.score for hit in after] == pytest.approx(expected, abs=1e-5)
    assert [hit.legs for hit in after[CROSS_READ:]] == [hit.legs for hit in others]


@pytest.mark.parametrize("page", [None, "page-07.md"])
@pytest.mark.parametrize("question", [QUESTION, "cave numéro 12", "réserver un vol pour Tokyo", ""])
def test_the_evidence_is_that_of_the_second_stage(
    question: str, page: str | None, store: Store, model: str
) -> None:
    before = retriever(store).retrieve(read_question(question), 1, page=page)
    after = retriever(store, reranker_model=model).retrieve(read_question(question), 1, page=page)
    assert after.evidence == before.evidence
    assert len(after.hits) == len(before.hits)


def test_it_is_left_out_when_the_time_is_up(store: Store, reader: CrossEncoderReader) -> None:
    class SlowReranker(Reranker):
        def features(self, *given, **named):
            time.sleep(1.5)
            return super().features(*given, **named)

    bundled = bundled_encoder()
    for cross_encoder in (None, reader):
        slow = Retriever(store, bundled, SlowReranker(bundled), cross_encoder=cross_encoder)
        found = slow.retrieve(read_question(QUESTION), PAGES, timeout_s=1.5).hits
        assert found == retriever(store).retrieve(read_question(QUESTION), PAGES).hits


def test_without_embeddings_it_is_not_loaded(store: Store) -> None:
    words_alone = retriever(store, embeddings_enabled=False, reranker_model="no/such/folder")
    assert words_alone.retrieve(read_question(QUESTION)).hits


def test_a_model_of_two_labels_is_refused_with_both_numbers(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has 2 labels, but 1 is needed.*AI_RERANKER_MODEL"):
        CrossEncoderReader(save_model(tmp_path, labels=2))


@pytest.mark.usefixtures("sentence_transformers")
@pytest.mark.parametrize("broken", ["absent", "empty", "not a model"])
def test_a_model_that_cannot_be_loaded_is_explained_in_a_line(broken: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    if broken != "absent":
        folder.mkdir()
    if broken == "not a model":
        (folder / "config.json").write_text("{")
    with pytest.raises(EncoderError, match=r"cannot be loaded.*AI_RERANKER_MODEL") as failed:
        CrossEncoderReader(str(folder))
    assert str(folder) in str(failed.value)
    assert "\n" not in str(failed.value)
    assert "://" not in str(failed.value)


@pytest.mark.usefixtures("sentence_transformers")
def test_without_a_network_no_address_is_shown() -> None:
    done = souffleur("search", QUESTION, AI_RERANKER_MODEL="no-such/model", HF_HUB_OFFLINE=1)
    assert done.returncode == 2
    said = done.stderr.splitlines()[-1]
    assert "no-such/model cannot be loaded" in said
    assert "AI_RERANKER_MODEL" in said
    assert "://" not in done.stderr


def test_the_setting_reaches_the_command_line(pages: Path, model: str) -> None:
    assert souffleur("index", pages).returncode == 0
    shown = [
        souffleur("search", QUESTION, "--json", "-k", "3", **settings)
        for settings in ({}, {"AI_RERANKER_MODEL": model})
    ]
    assert [done.returncode for done in shown] == [0, 0]
    without, named = ([hit["score"] for hit in json.loads(done.stdout)["hits"]] for done in shown)
    assert len(without) == len(named) == 3
    assert without != named


def test_a_missing_extra_is_explained_by_the_command_that_installs_it() -> None:
    program = (
        "import sys; sys.modules['sentence_transformers'] = None\n"
        "from souffleur import cli; cli.main(['search', 'client'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"AI_RERANKER_MODEL": "some/model", "HELP_DATA_DIR": "no-such-folder"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install -c constraints.txt -e '.[transformers]'" in done.stderr
    assert "Traceback" not in done.stderr
