"""Question to chunks: spelling mended, cosine kNN and BM25 fused by scores, then read closely.

The weight of BM25 follows how much of the question it covered: the share of the question's rare
words (by idf) that its best chunk holds. An English question on French pages thus rides on kNN,
an exact term or a code on BM25.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rag.core.deadline import Deadline
from rag.core.documents import Chunk, Hit, IndexMeta, SearchLegs, Vectors, check_meta
from rag.core.errors import EncoderError, IndexMismatch, QuestionRefused
from rag.core.passages import read_passage
from rag.core.protocols import Encoder, Lexicon, Store
from rag.encoders.transformers import CrossEncoderReader
from rag.language import analyzer
from rag.question import Question
from rag.question.normalization import corrections
from rag.reranker import Reranker, rescore

CANDIDATES = 100  # of each leg
RERANKED = 80  # of both, fused
CROSS_READ = 20  # of those, by the optional cross-encoder
MOST_CHUNKS_A_PAGE = 2
LONGEST_QUESTION = 2_000  # characters
RECHECK_S = 2.0  # between two looks at who made the index: another run may have rebuilt it
BM25_WEIGHT = 0.4  # at full coverage
PAGE_PRIOR = 0.05  # added to the chunks of the page that the asker is on

# the form is the users': their guide and their log filters name it
EMBEDDED_LINE = "Embedding généré en %.3fs"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Hold what tells whether the best chunk answers.

    ``score`` is its score and ``margin`` its lead over the best chunk of another page; ``words``
    its feature of that name (see `rag.reranker`), None when it was not read closely. ``coverage``
    is the idf share of the question's words that it holds, ``unknown`` of those that no chunk
    holds; ``length`` is the number of the question's words that are no stop words.
    """

    score: float = 0.0
    margin: float = 0.0
    words: float | None = None
    coverage: float = 0.0
    unknown: float = 1.0
    length: int = 0


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Hold the hits of a question, best first, and the evidence that the first answers it.

    ``legs`` gives the raw scores of each search by chunk id, ``pages`` each candidate's page,
    ``question`` the question with its spelling mended; ``encode_ms`` is what its vector took.
    """

    question: Question
    hits: tuple[Hit, ...]
    evidence: Evidence
    legs: dict[str, dict[str, float]] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    encode_ms: float = 0.0


class Retriever:
    """Search one store; ``encoder`` None searches words alone, ``reranker`` None reads no closer.

    ``lexicon`` None leaves misspelt words as they are. ``meta``, when given, is what the index must
    say of itself: it is asked before the first search. ``cross_encoder``, when given, reads the
    best `CROSS_READ` chunks once more. ``tolerant``: an index of another encoder is searched by its
    words until settings and index agree again, as after a change of encoder under a running server.
    """

    def __init__(
        self,
        store: Store,
        encoder: Encoder | None,
        reranker: Reranker | None = None,
        lexicon: Lexicon | None = None,
        meta: IndexMeta | None = None,
        cross_encoder: CrossEncoderReader | None = None,
        *,
        tolerant: bool = False,
    ) -> None:
        self._store = store
        self._encoder = encoder
        self._reranker = reranker
        self._lexicon = lexicon
        self._meta = meta
        self._checked_at = float("-inf")
        self._tolerant = tolerant
        self._other_encoder = False
        self._cross_encoder = cross_encoder
        self._cross_read_s = 0.0  # what its last reading took: it is skipped when less is left

    def retrieve(
        self, question: Question, k: int = 5, *, page: str | None = None, timeout_s: float = 10.0
    ) -> Retrieval:
        """Return the k best chunks, best first, ties to the lower id, at most 2 a page.

        ``page`` is the page the asker is on: its chunks gain `PAGE_PRIOR`.
        A question that cannot be encoded is searched by its words alone: ``legs`` tells.
        Raises: QuestionRefused over `LONGEST_QUESTION` characters; IndexMissing, IndexMismatch,
        SearchUnavailable.
        """
        check_length(question.standalone)
        deadline = Deadline(timeout_s)
        self._check_index(deadline)
        question = self._mended(question, deadline)
        words = question.search_words
        begun_s = deadline.spent_s()
        vector = self._encoded(question, deadline)
        encode_ms = 0.0 if vector is None else round((deadline.spent_s() - begun_s) * 1000, 2)
        found = self._store.search(vector, words, CANDIDATES, deadline.left_s())
        legs = {"knn": dict(found.knn), "bm25": dict(found.bm25)}
        chunks = self._store.chunks(list({**legs["knn"], **legs["bm25"]}), deadline.left_s())
        weights = _word_weights(words, found)
        fused = fuse(legs["knn"], legs["bm25"], _best_coverage(found, weights, chunks))
        fused = {i: score for i, score in fused.items() if i in chunks}
        scores, features = self._read(question, weights, fused, legs["knn"], chunks)
        if page is not None:
            scores = {i: s + PAGE_PRIOR * (chunks[i].page == page) for i, s in scores.items()}
        hits = _ranked(scores, chunks, legs, max(k, MOST_CHUNKS_A_PAGE + 1))
        evidence = _evidence(hits, weights, found, features)  # the gate is fitted on these scores
        if self._cross_encoder and deadline.left_s() > self._cross_read_s:
            start = deadline.spent_s()
            scores = _read_across(self._cross_encoder, question, scores, chunks)
            self._cross_read_s = deadline.spent_s() - start
            hits = _ranked(scores, chunks, legs, k)
        pages = {i: chunk.page for i, chunk in chunks.items()}
        return Retrieval(question, tuple(hits[:k]), evidence, legs, pages, encode_ms)

    def _check_index(self, deadline: Deadline) -> None:
        if self._meta is None or time.monotonic() - self._checked_at < RECHECK_S:
            return
        found = self._store.meta(deadline.left_s())
        if found is None:
            return
        try:
            check_meta(found, self._meta)
            self._other_encoder = False
        except IndexMismatch as error:
            if not self._tolerant or found.schema != self._meta.schema:
                raise
            self._other_encoder = True
            logger.warning("Only words are searched. %s", error)
        self._checked_at = time.monotonic()

    def _encoded(self, question: Question, deadline: Deadline) -> Vectors | None:
        """Return the question's vector; None, and words alone are searched, when there is none."""
        if self._encoder is None or self._other_encoder:
            return None
        try:
            started = time.perf_counter()
            vector = question.vector(self._encoder, deadline.left_s() / 2)
            logger.debug(EMBEDDED_LINE, time.perf_counter() - started)
            return vector
        except EncoderError as error:
            logger.warning("Only words are searched. %s", error)
            return None

    def _mended(self, question: Question, deadline: Deadline) -> Question:
        """Return the question with its spelling mended by the words of the pages."""
        if self._lexicon is None:
            return question
        mends = corrections(
            question.content_words,
            self._lexicon,
            lambda asked: self._store.nearest_words(asked, deadline.left_s()),
        )
        return question.with_mends(mends)

    def _read(
        self,
        question: Question,
        weights: Mapping[str, float],
        fused: dict[str, float],
        cosines: Mapping[str, float],
        chunks: Mapping[str, Chunk],
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Return the candidates' final scores, and the words feature of each that was read."""
        if self._reranker is None:
            return fused, {}
        best = best_first(fused)[:RERANKED]
        found = self._reranker.features(question, weights, [chunks[i] for i in best])
        words = dict(zip(best, found.words.tolist(), strict=True))
        return rescore(fused, cosines, best, found), words


def check_length(question: str) -> None:
    """Raise QuestionRefused for a question that is too long to be one."""
    if len(question) > LONGEST_QUESTION:
        raise QuestionRefused(
            f"The question has {len(question):,} characters; at most {LONGEST_QUESTION:,} are"
            " read. Ask it in a few sentences."
        )


def _read_across(
    reader: CrossEncoderReader,
    question: Question,
    scores: Mapping[str, float],
    chunks: Mapping[str, Chunk],
) -> dict[str, float]:
    """Return the mean of each chunk's score and of the cross-encoder's.

    That is 0 for a chunk that is not read: it stays below those that are.
    """
    best = best_first(scores)[:CROSS_READ]
    read = dict(
        zip(best, reader.scores(question.search_text, [chunks[i] for i in best]), strict=True)
    )
    return {i: (score + read.get(i, 0.0)) / 2 for i, score in scores.items()}


def _word_weights(words: Sequence[str], found: SearchLegs) -> dict[str, float]:
    return {w: idf(found.total, n) for w, n in zip(words, found.frequencies, strict=True)}


def _best_coverage(
    found: SearchLegs, weights: Mapping[str, float], chunks: Mapping[str, Chunk]
) -> float:
    best = chunks.get(found.bm25[0][0]) if found.bm25 else None
    return covered(weights, best) if best else 0.0


def _evidence(
    hits: Sequence[Hit],
    weights: Mapping[str, float],
    found: SearchLegs,
    words: Mapping[str, float],
) -> Evidence:
    if not hits:
        return Evidence(length=_meaningful(weights))
    best = hits[0]
    other = next((hit.score for hit in hits if hit.chunk.page != best.chunk.page), 0.0)
    unknown = sum(w for w, n in zip(weights.values(), found.frequencies, strict=True) if n == 0)
    return Evidence(
        score=best.score,
        margin=best.score - other,
        words=words.get(best.chunk.id),
        coverage=covered(weights, best.chunk),
        unknown=unknown / (sum(weights.values()) or 1.0),
        length=_meaningful(weights),
    )


def _meaningful(words: Iterable[str]) -> int:
    return sum(not any(analyzer.is_stop_word(w, lang) for lang in analyzer.STEMMERS) for w in words)


def idf(total: int, frequency: int) -> float:
    """Return the inverse document frequency of BM25 (Robertson & Zaragoza 2009), as Lucene's."""
    return math.log(1 + (total - frequency + 0.5) / (frequency + 0.5))


def covered(weights: Mapping[str, float], chunk: Chunk) -> float:
    """Return the share in [0, 1] of the words' weights whose stems the chunk holds."""
    held = read_passage(chunk).part(_stems_of)
    total = sum(weights.values())
    found = sum(w for word, w in weights.items() if not held.isdisjoint(analyzer.query_stems(word)))
    return found / total if total else 0.0


def _stems_of(chunk: Chunk) -> frozenset[str]:
    return frozenset(analyzer.stems(chunk.searched, chunk.lang))


def fuse(knn: dict[str, float], bm25: dict[str, float], coverage: float) -> dict[str, float]:
    """Return one score a chunk: both legs brought to [0, 1] and weighted by ``coverage``.

    A chunk that a leg did not list gets that leg's lowest listed score.
    """
    weight = BM25_WEIGHT * coverage if knn else 1.0
    top = max(bm25.values(), default=1.0) or 1.0
    floor = min(knn.values(), default=0.0)
    bm25_floor = min(bm25.values()) if len(bm25) >= CANDIDATES else 0.0
    return {
        i: weight * bm25.get(i, bm25_floor) / top + (1 - weight) * knn.get(i, floor)
        for i in {**knn, **bm25}
    }


def best_first(scores: Mapping[str, float]) -> list[str]:
    """Return the ids by score, best first, ties to the lower id."""
    return sorted(scores, key=lambda i: (-scores[i], i))


def _ranked(
    scores: dict[str, float],
    chunks: dict[str, Chunk],
    legs: dict[str, dict[str, float]],
    k: int,
) -> list[Hit]:
    hits: list[Hit] = []
    per_page: dict[str, int] = {}
    for chunk_id in best_first(scores):
        chunk = chunks[chunk_id]
        if per_page.get(chunk.page, 0) >= MOST_CHUNKS_A_PAGE:
            continue
        per_page[chunk.page] = per_page.get(chunk.page, 0) + 1
        found = {name: leg[chunk_id] for name, leg in legs.items() if chunk_id in leg}
        hits.append(Hit(chunk, scores[chunk_id], len(hits) + 1, found))
        if len(hits) == k:
            break
    return hits
