"""The kept answers' vectors in memory: one matrix a scope, brought up to date by what is new."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence

import numpy

from rag.core.documents import Vectors
from rag.core.records import Scope

SPARE_ROWS = 1_000
GONE = -1


class Matrix:
    """Hold unit vectors with their numbers, ascending; it grows by doubling."""

    def __init__(self, dimension: int) -> None:
        self.numbers = numpy.empty(0, numpy.int64)
        self.vectors: Vectors = numpy.empty((0, dimension), numpy.float32)
        self.count = 0

    def add(self, numbers: Sequence[int], vectors: Vectors) -> None:
        """Add rows."""
        end = self.count + len(numbers)
        if end > len(self.numbers):
            size = max(end, 2 * len(self.numbers)) if self.count else end
            self.numbers = numpy.resize(self.numbers, size)
            self.vectors = numpy.resize(self.vectors, (size, self.vectors.shape[1]))
        self.numbers[self.count : end] = numbers
        self.vectors[self.count : end] = vectors
        self.count = end

    def remove(self, numbers: Collection[int]) -> None:
        """Mark the rows of these numbers as gone: moving the others would take 10 ms."""
        gone = numpy.isin(self.numbers[: self.count], list(numbers))
        self.numbers[: self.count][gone] = GONE
        self.vectors[: self.count][gone] = 0.0


class Nearest:
    """Find the nearest vectors of a scope. Not safe to share between threads.

    Rows that were removed from the file stay here until a search meets them (`forget`); all is read
    again when there are a quarter more than the last whole reading found.
    """

    def __init__(self) -> None:
        self._limit = 0
        self._matrices: dict[Scope, Matrix] = {}
        self._last = 0
        self._rows = 0

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Read what was added since the last time."""
        if self._rows > self._limit:
            self._matrices, self._last, self._rows = {}, 0, 0
        whole = self._last == 0
        rows = connection.execute(
            "SELECT number, fingerprint, lang, page, conversation, vector FROM answers"
            " WHERE number > ? ORDER BY number",
            (self._last,),
        )
        new: dict[tuple[Scope, int], tuple[list[int], list[bytes]]] = {}
        for number, fingerprint, lang, page, conversation, blob in rows:
            self._last = number
            if isinstance(blob, bytes) and blob and len(blob) % 4 == 0:
                place = Scope(fingerprint, lang, page, conversation), len(blob) // 4
                numbers, blobs = new.setdefault(place, ([], []))
                numbers.append(number)
                blobs.append(blob)
        for (scope, dimension), (numbers, blobs) in new.items():
            self._add(scope, dimension, numbers, b"".join(blobs))
        if whole:
            self._limit = self._rows * 5 // 4 + SPARE_ROWS

    def search(self, scope: Scope, vector: Vectors, k: int) -> Iterator[list[tuple[int, float]]]:
        """Yield the (number, cosine) of a scope in batches, the nearest first, k at first."""
        matrix = self._matrices.get(scope)
        if matrix is None or vector.shape != matrix.vectors.shape[1:] or not vector.any():
            return
        scores = matrix.vectors[: matrix.count] @ (vector / numpy.linalg.norm(vector))
        numbers = matrix.numbers[: matrix.count].copy()
        start, size = 0, k
        while start < len(scores):
            best = _best(scores, min(start + size, len(scores)))[start:]
            found = [(int(numbers[row]), float(scores[row])) for row in best]
            yield [(number, cosine) for number, cosine in found if number != GONE]
            start, size = start + size, size * 4

    def forget(self, scope: Scope, numbers: Collection[int]) -> None:
        """Leave out rows that the file no longer holds, or that are no longer valid."""
        if numbers:
            self._matrices[scope].remove(numbers)

    def _add(self, scope: Scope, dimension: int, numbers: Sequence[int], data: bytes) -> None:
        matrix = self._matrices.setdefault(scope, Matrix(dimension))
        if matrix.vectors.shape[1] == dimension:
            vectors = numpy.frombuffer(data, numpy.float32).reshape(-1, dimension)
            matrix.add(numbers, numpy.nan_to_num(vectors))
            self._rows += len(numbers)


def _best(scores: Vectors, count: int) -> list[int]:
    """Return the places of the highest scores, best first, ties to the earlier."""
    kept = numpy.arange(len(scores))
    if len(scores) > count:
        kept = numpy.flatnonzero(scores >= numpy.partition(scores, -count)[-count])
    order = numpy.argsort(-scores[kept], kind="stable")
    return [int(row) for row in kept[order][:count]]
