"""The recipe of the bundled encoder runs from pairs to a folder that both loaders read."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from rag.encoders.static import StaticEncoder

ROOT = Path(__file__).parents[2]
VERBS = [
    "créer",
    "modifier",
    "supprimer",
    "imprimer",
    "exporter",
    "importer",
    "archiver",
    "chercher",
]
THINGS = [
    "client",
    "facture",
    "commande",
    "cuvée",
    "lot",
    "étiquette",
    "stock",
    "devis",
    "paiement",
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, sentence_transformers):
    folder = tmp_path_factory.mktemp("training")
    pairs = folder / "pairs"
    pairs.mkdir()
    with gzip.open(pairs / "title-section.fr.jsonl.gz", "wt", encoding="utf-8") as lines:
        for verb in VERBS:
            for thing in THINGS * 20:
                text = f"Pour {verb} un élément de type {thing}, ouvrez le menu puis {thing}."
                row = {"anchor": f"{verb} {thing}", "positive": text, "source": "x", "kind": "fr"}
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    command = [sys.executable, "training/train_encoder.py", "--pairs", pairs, "--output"]
    done = subprocess.run(
        [*map(str, command), str(folder / "model"), "--no-teacher"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "model"


def test_what_was_trained_brings_pairs_together(trained):
    encoder = StaticEncoder(trained)
    asked = encoder.encode_queries(["imprimer étiquette", "supprimer devis"])
    said = encoder.encode_passages(
        ["Pour imprimer un élément de type étiquette", "Pour supprimer un élément de type devis"]
    )
    cosines = asked @ said.T
    assert cosines[0, 0] > cosines[0, 1]
    assert cosines[1, 1] > cosines[1, 0]


def test_sentence_transformers_reads_the_same_vectors(trained):
    from sentence_transformers import SentenceTransformer

    texts = ["créer un client", "exporter le stock"]
    ours = StaticEncoder(trained).encode_passages(texts)
    theirs = SentenceTransformer(str(trained), device="cpu").float().encode(texts)
    numpy.testing.assert_allclose(ours, theirs, atol=1e-5)
