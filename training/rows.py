"""Rows of the table: their first values, sums of rows as unit vectors, and lazy Adam."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F  # noqa: N812
from words import SPECIALS, character_ngrams

RARE = 2e-4

Bags = tuple[np.ndarray, np.ndarray]


def first_rows(
    subwords: Sequence[str], frequency: np.ndarray, dims: int, share: float, seed: int
) -> torch.Tensor:
    """Return (subwords, dims) float32 random rows that spelling and rarity already shape.

    A row is the sum of random vectors of the subword's character n-grams (`share` of its
    variance) and of one of its own, so that words spelt alike begin alike (FastText, Bojanowski
    et al. 2017), times a / (a + p) with p the subword's probability (SIF, Arora et al. 2017).
    """
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((len(subwords), dims), np.float32)
    numbers: dict[str, int] = {}
    cells = [
        (row, numbers.setdefault(gram, len(numbers)))
        for row, subword in enumerate(subwords)
        for gram in character_ngrams(subword, (3, 4, 5))
    ]
    at_row, at_gram = np.array(cells).T
    shape = (len(subwords), len(numbers))
    grams = sp.csr_matrix((np.ones(len(cells), np.float32), (at_row, at_gram)), shape)
    rarity = np.log(len(subwords) / (1 + np.bincount(at_gram))).astype(np.float32)
    spelt = (grams @ sp.diags(rarity)) @ rng.standard_normal((len(numbers), dims), np.float32)
    spelt *= np.sqrt(dims) / np.maximum(np.linalg.norm(spelt, axis=1, keepdims=True), 1e-6)
    rows = np.sqrt(1 - share) * own + np.sqrt(share) * spelt
    rows *= (0.1 * RARE / (RARE + frequency / frequency.sum()))[:, None]
    rows[: len(SPECIALS)] = 0
    return torch.from_numpy(rows.astype(np.float32))


class Table:
    """Hold the rows and the two moments of Adam, all touched only where a batch has subwords."""

    def __init__(self, rows: torch.Tensor) -> None:
        self.rows = rows
        self._mean, self._square = torch.zeros_like(rows), torch.zeros_like(rows)
        self._steps = 0

    def step(self, batch: Batch, rate: float) -> None:
        """Move the batch's rows by one step of Adam (Kingma and Ba 2015, betas .9 and .999)."""
        self._steps += 1
        which, slope = batch.used, batch.row_gradient()
        mean = self._mean[which].mul_(0.9).add_(slope, alpha=0.1)
        square = self._square[which].mul_(0.999).addcmul_(slope, slope, value=0.001)
        self._mean[which], self._square[which] = mean, square
        size = square.sqrt() / (1 - 0.999**self._steps) ** 0.5 + 1e-8
        self.rows[which] -= mean / size * (rate / (1 - 0.9**self._steps))


class Batch:
    """Sum the rows of each text of a batch, and carry the gradient back to the rows.

    `vectors`: (texts, dims) float32 unit rows, a leaf's function: call backward on what is
    made of them, then `row_gradient`.
    """

    def __init__(self, rows: torch.Tensor, groups: Sequence[tuple[Bags, int]]) -> None:
        sizes = np.array([size for _, size in groups])
        first = np.cumsum(sizes) - sizes
        owners = np.concatenate([bags[0] + at for (bags, _), at in zip(groups, first, strict=True)])
        subwords = np.concatenate([bags[1] for bags, _ in groups])
        used, places = np.unique(subwords, return_inverse=True)
        ones = np.ones(len(places), np.float32)
        counts = sp.coo_matrix((ones, (owners, places)), (int(sizes.sum()), len(used)))
        self.used = torch.from_numpy(used)
        self._back = _torch_csr(counts.T.tocsr())
        self._sums = (_torch_csr(counts.tocsr()) @ rows[self.used]).requires_grad_(True)
        self.vectors = F.normalize(self._sums, dim=1)

    def row_gradient(self) -> torch.Tensor:
        """Return the loss's gradient for each row in `used`, (used, dims) float32."""
        return self._back @ self._sums.grad


def _torch_csr(matrix: sp.csr_matrix) -> torch.Tensor:
    return torch.sparse_csr_tensor(
        torch.from_numpy(matrix.indptr.astype(np.int64)),
        torch.from_numpy(matrix.indices.astype(np.int64)),
        torch.from_numpy(matrix.data),
        size=matrix.shape,
        check_invariants=False,
    )
