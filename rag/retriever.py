"""Question to chunks: cosine kNN and BM25, fused by scores.

The weight of BM25 follows how much of the question it covered: the share of the question's rare
words (by idf) that its best chunk holds. An English question on French pages thus rides on kNN,
an exact term or a code on BM25.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy

from rag import analysis
from rag.types import Chunk, Encoder, Hit, Store

CANDIDATES = 100
MOST_CHUNKS_A_PAGE = 2
BM25_WEIGHT = (0.15, 0.55)  # at no coverage, at full coverage
PAGE_PRIOR = 0.05  # added to the chunks of the page that the asker is on


@dataclass(frozen=True, slots=True)
class Evidence:
    """Hold what tells whether the pages answer: best cosine, and idf share of words found."""

    cosine: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Hold the hits of a question, best first, and the evidence that they answer it."""

    hits: tuple[Hit, ...]
    evidence: Evidence


class Retriever:
    """Search one store with one encoder; ``encoder`` None searches words alone."""

    def __init__(self, store: Store, encoder: Encoder | None) -> None:
        self._store = store
        self._encoder = encoder

    def retrieve(
        self, question: str, k: int = 5, *, page: str | None = None, timeout_s: float = 10.0
    ) -> Retrieval:
        """Return the k best chunks, best first, ties to the lower id, at most 2 a page.

        ``page`` is the page the asker is on: its chunks gain `PAGE_PRIOR`.
        Raises: IndexMissing, IndexMismatch, SearchUnavailable, EncoderError.
        """
        words = analysis.content_words(question, analysis.STEMMERS)
        vector = self._encoder.encode_queries([question])[0] if self._encoder else None
        legs = self._store.search(vector, words, CANDIDATES, timeout_s)
        knn, bm25 = dict(legs.knn), dict(legs.bm25)
        chunks = self._store.chunks(list({**knn, **bm25}), timeout_s)
        weights = {w: idf(legs.total, n) for w, n in zip(words, legs.frequencies, strict=True)}
        best = chunks.get(legs.bm25[0][0]) if legs.bm25 else None
        coverage = covered(weights, best) if best else 0.0
        scores = fuse(knn, bm25, coverage)
        if page is not None:
            scores = {
                i: s + PAGE_PRIOR * (i in chunks and chunks[i].page == page)
                for i, s in scores.items()
            }
        hits = _ranked(scores, chunks, {"knn": knn, "bm25": bm25}, k)
        return Retrieval(tuple(hits), Evidence(max(knn.values(), default=0.0), coverage))


def idf(total: int, frequency: int) -> float:
    """Return the inverse document frequency of BM25 (Robertson & Zaragoza 2009), as Lucene's."""
    return math.log(1 + (total - frequency + 0.5) / (frequency + 0.5))


def covered(weights: dict[str, float], chunk: Chunk) -> float:
    """Return the share in [0, 1] of the words' weights whose stems the chunk holds."""
    text = f"{chunk.title}\n{chunk.heading}\n{chunk.text}"
    held = set(analysis.stems(text, chunk.lang))
    total = sum(weights.values())
    found = sum(w for word, w in weights.items() if held & set(analysis.query_stems(word)))
    return found / total if total else 0.0


def fuse(knn: dict[str, float], bm25: dict[str, float], coverage: float) -> dict[str, float]:
    """Return one score a chunk: both legs brought to [0, 1] and weighted by ``coverage``.

    A chunk that a leg did not list gets that leg's lowest listed score.
    """
    low, high = BM25_WEIGHT
    weight = low + (high - low) * coverage if knn else 1.0
    if not bm25:
        weight = 0.0
    top = max(bm25.values(), default=1.0) or 1.0
    floor = min(knn.values(), default=0.0)
    bm25_floor = min(bm25.values()) if len(bm25) >= CANDIDATES else 0.0
    return {
        i: weight * bm25.get(i, bm25_floor) / top + (1 - weight) * knn.get(i, floor)
        for i in {**knn, **bm25}
    }


def _ranked(
    scores: dict[str, float],
    chunks: dict[str, Chunk],
    legs: dict[str, dict[str, float]],
    k: int,
) -> list[Hit]:
    hits: list[Hit] = []
    per_page: dict[str, int] = {}
    for chunk_id in sorted(scores, key=lambda i: (-scores[i], i)):
        chunk = chunks.get(chunk_id)
        if chunk is None or per_page.get(chunk.page, 0) >= MOST_CHUNKS_A_PAGE:
            continue
        per_page[chunk.page] = per_page.get(chunk.page, 0) + 1
        found = {name: leg[chunk_id] for name, leg in legs.items() if chunk_id in leg}
        hits.append(Hit(chunk, scores[chunk_id], len(hits) + 1, found))
        if len(hits) == k:
            break
    return hits


def rank_texts(question: str, texts: Sequence[str], k: int, encoder: Encoder) -> list[Hit]:
    """Return the k texts nearest to the question by cosine, best first, ties to the earlier."""
    if not texts:
        return []
    query = encoder.encode_queries([question])[0]
    scores = encoder.encode_passages(list(texts)) @ query
    order = numpy.argsort(-scores, kind="stable")[:k]
    hits = [
        Hit(_text_chunk(int(i), texts[i]), float(scores[i]), 0, {"knn": float(scores[i])})
        for i in order
    ]
    return [replace(hit, rank=rank) for rank, hit in enumerate(hits, 1)]


def _text_chunk(number: int, text: str) -> Chunk:
    return Chunk(str(number), "", number, "", (), "", "", text)
