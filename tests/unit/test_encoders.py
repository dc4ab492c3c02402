"""The bundled encoder says what it said, and says why where it cannot be read."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import numpy
import pytest

from rag.core.errors import EncoderError
from rag.encoders import bundled_encoder
from rag.encoders.static import StaticEncoder, bundled_folder
from rag.encoders.vectors import unit_rows
from tests.unit.pin_vectors import PINNED, pins


def test_known_texts_have_their_known_vectors() -> None:
    expected, found = json.loads(PINNED.read_text(encoding="utf-8")), pins()
    assert found["encoder"] == expected["encoder"], (
        "trained again? python -m tests.unit.pin_vectors"
    )
    assert found["texts"].keys() == expected["texts"].keys()
    for text, pin in expected["texts"].items():
        assert found["texts"][text]["tokens"] == pin["tokens"]
        assert found["texts"][text]["vector"] == pytest.approx(pin["vector"], abs=2e-5)


def test_a_text_in_another_case_or_composition_is_the_same_text() -> None:
    vectors = bundled_encoder().encode_queries(["Étiquette", "ÉTIQUETTE", "E\u0301tiquette"])
    assert numpy.array_equal(vectors[0], vectors[1])
    assert numpy.array_equal(vectors[0], vectors[2])


def test_near_meanings_are_near() -> None:
    question, right, wrong = bundled_encoder().encode_queries(
        ["créer un client", "ajouter un nouveau client", "température de la cuve"]
    )
    assert question @ right > question @ wrong + 0.2


def test_threads_share_one_encoder() -> None:
    encoder, found = StaticEncoder(bundled_folder()), []
    texts = [f"mot{n} cuvée {n}" for n in range(200)]
    threads = [
        threading.Thread(target=lambda: found.append(encoder.encode_passages(texts)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(numpy.array_equal(found[0], other) for other in found)


@pytest.mark.parametrize("broken", ["tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("how", ["absent", "empty", "junk", "cut"])
def test_a_damaged_encoder_is_explained(broken: str, how: str, tmp_path: Path) -> None:
    folder = shutil.copytree(bundled_folder(), tmp_path / "encoder")
    path = folder / broken
    if how == "absent":
        path.unlink()
    else:
        keep = {"empty": b"", "junk": b"\xff" * 64, "cut": path.read_bytes()[:1000]}
        path.write_bytes(keep[how])
    with pytest.raises(EncoderError, match="Install Souffleur again"):
        StaticEncoder(folder)


def test_vectors_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(EncoderError, match="NaN"):
        unit_rows(numpy.array([[1.0, numpy.nan]], numpy.float32))


def test_rows_of_zeros_stay_zeros() -> None:
    assert not unit_rows(numpy.zeros((2, 3), numpy.float32)).any()
