"""Question to chunks: spelling mended, windows found and read closely, pages ranked by them.

Windows find pages; the chunks of the pages found are what is cited (see `rag.ranking`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rag.core.deadline import Deadline
from rag.core.documents import Chunk, Hit, IndexMeta, Vectors, Window, check_meta
from rag.core.errors import EncoderError, IndexMismatch, QuestionRefused
from rag.core.protocols import Encoder, Lexicon, Store
from rag.encoders.transformers import CrossEncoderReader
from rag.question import Question
from rag.question.normalization import corrections
from rag.ranking import (
    Evidence,
    best_first,
    best_windows,
    covered,
    evidence_of,
    fuse,
    hits_of,
    of_different_pages,
    passages_of,
    word_weights,
)
from rag.reranker import Reranker, nearness, rescore

CANDIDATES = 100  # of each leg
RERANKED = 80  # of both, fused
CROSS_READ = 20  # of those, by the optional cross-encoder
WINDOWS_KEPT = 10_000  # read once, remembered between questions: some 4 KB each
LONGEST_QUESTION = 2_000  # characters
RECHECK_S = 2.0  # between two looks at who made the index: another run may have rebuilt it
WRITTEN_WEIGHT = 0.2  # of a word that manuals write for one of the asker's
PAGE_PRIOR = 0.1  # added to the windows of the page that the asker is on

# the form is the users': their guide and their log filters name it
EMBEDDED_LINE = "Embedding généré en %.3fs"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Hold the hits of a question, best first, and the evidence that the first answers it.

    ``hits`` are of different pages as far as there are enough; ``passages``, as many, may be two of
    a page: what is read to answer. ``legs`` gives the raw scores of each search by window id,
    ``pages`` each candidate's page, ``question`` the question with its spelling mended;
    ``encode_ms`` is what its vector took.
    """

    question: Question
    hits: tuple[Hit, ...]
    evidence: Evidence
    passages: tuple[Hit, ...] = ()
    legs: dict[str, dict[str, float]] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    encode_ms: float = 0.0


class Retriever:
    """Search one store; ``encoder`` None searches words alone, ``reranker`` None reads no closer.

    ``lexicon`` None leaves misspelt words as they are. ``meta``, when given, is what the index must
    say of itself: it is asked before the first search. ``cross_encoder``, when given, reads the
    best `CROSS_READ` windows once more. ``tolerant``: an index of another encoder is searched by
    its words until settings and index agree again, as after a change of encoder under a running
    server.
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
        self._windows: dict[str, Window] = {}
        self._cross_read_s = 0.0  # what its last reading took: it is skipped when less is left

    def retrieve(
        self, question: Question, k: int = 5, *, page: str | None = None, timeout_s: float = 10.0
    ) -> Retrieval:
        """Return the best chunks of the k best pages, best first, ties to the lower id.

        Fewer pages found give a second chunk each. ``page`` is the page the asker is on: its
        windows gain `PAGE_PRIOR`. A question that cannot be encoded is searched by its words alone:
        ``legs`` tells.
        Raises: QuestionRefused over `LONGEST_QUESTION` characters; IndexMissing, IndexMismatch,
        SearchUnavailable.
        """
        check_length(question.standalone)
        deadline = Deadline(timeout_s)
        self._check_index(deadline)
        question = self._mended(question, deadline)
        begun_s = deadline.spent_s()
        vector = self._encoded(question, deadline)
        encode_ms = 0.0 if vector is None else round((deadline.spent_s() - begun_s) * 1000, 2)
        words = self._words(question)
        found = self._store.search(vector, words, CANDIDATES, deadline.left_s())
        legs = {"knn": dict(found.knn), "bm25": dict(found.bm25)}
        windows = self._read_windows(list({**legs["knn"], **legs["bm25"]}), deadline)
        weights = word_weights(question.search_words, found)
        scores = self._scored(question, weights, legs, windows)
        if page is not None:
            scores = {i: s + PAGE_PRIOR * (windows[i].page == page) for i, s in scores.items()}
        first, before = best_windows(scores, windows, 1), scores
        if self._cross_encoder and deadline.left_s() > self._cross_read_s:
            start = deadline.spent_s()
            scores = _read_across(self._cross_encoder, question, scores, windows)
            self._cross_read_s = deadline.spent_s() - start
        best = best_windows(scores, windows, k)
        listed = _chunk_ids((*first.values(), *best.values()))
        chunks = self._store.chunks(listed, deadline.left_s())
        near, holding = self._nearness(question, weights, list(chunks.values()))
        found_in = [hits_of(of_page, scores, legs, chunks, near) for of_page in best.values()]
        # the gate is fitted on the scores before a cross-encoder's
        likeliest = [hits_of(of_page, before, legs, chunks, near) for of_page in first.values()]
        evidence = evidence_of(weights, before, windows, found.frequencies, likeliest, holding)
        hits, passages = of_different_pages(found_in, k), passages_of(found_in, k)
        pages = {i: window.page for i, window in windows.items()}
        return Retrieval(question, hits, evidence, passages, legs, pages, encode_ms)

    def _words(self, question: Question) -> dict[str, float]:
        """Return the words to search, each with its weight: the asker's own, what manuals write."""
        written = (word for words in question.written.values() for word in words)
        own = dict.fromkeys(question.search_words, 1.0)
        return own | {word: WRITTEN_WEIGHT for word in written if word not in own}

    def _read_windows(self, ids: Sequence[str], deadline: Deadline) -> dict[str, Window]:
        """Return the windows of these ids that exist; what a window holds follows from its id."""
        new = [i for i in ids if i not in self._windows]
        found = self._store.windows(new, deadline.left_s())
        held = {i: w for i in ids if (w := self._windows.get(i) or found.get(i))}
        if len(self._windows) > WINDOWS_KEPT:
            self._windows = {}
        self._windows |= found
        return held

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

    def _scored(
        self,
        question: Question,
        weights: Mapping[str, float],
        legs: Mapping[str, Mapping[str, float]],
        windows: Mapping[str, Window],
    ) -> dict[str, float]:
        """Return the windows' final scores."""
        knn, bm25 = legs["knn"], legs["bm25"]
        top = windows.get(next(iter(bm25), ""))
        fused = fuse(knn, bm25, covered(weights, top) if top else 0.0, CANDIDATES)
        fused = {i: score for i, score in fused.items() if i in windows}
        if self._reranker is None:
            return fused
        best = best_first(fused)[:RERANKED]
        found = self._reranker.features(question, weights, [windows[i] for i in best])
        return rescore(fused, knn, best, found)

    def _nearness(
        self, question: Question, weights: Mapping[str, float], chunks: Sequence[Chunk]
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Return how near to the question each chunk is, and its words feature if it was read."""
        if self._reranker is None:
            return {chunk.id: covered(weights, chunk) for chunk in chunks}, {}
        # what the pages say in other words than the asker's is no evidence that they answer
        found = self._reranker.features(question, weights, chunks, as_written=False)
        ids = [chunk.id for chunk in chunks]
        words = dict(zip(ids, found.words.tolist(), strict=True))
        return dict(zip(ids, nearness(found), strict=True)), words


def check_length(question: str) -> None:
    """Raise QuestionRefused for a question that is too long to be one."""
    if len(question) > LONGEST_QUESTION:
        raise QuestionRefused(
            f"The question has {len(question):,} characters; at most {LONGEST_QUESTION:,} are"
            " read. Ask it in a few sentences."
        )


def _chunk_ids(windows: Iterable[Sequence[Window]]) -> list[str]:
    return [i for of_page in windows for window in of_page for i in window.chunk_ids]


def _read_across(
    reader: CrossEncoderReader,
    question: Question,
    scores: Mapping[str, float],
    windows: Mapping[str, Window],
) -> dict[str, float]:
    """Return the mean of each window's score and of the cross-encoder's.

    That is 0 for a window that is not read: it stays below those that are.
    """
    best = best_first(scores)[:CROSS_READ]
    text = question.search_text
    read = dict(zip(best, reader.scores(text, [windows[i] for i in best]), strict=True))
    return {i: (score + read.get(i, 0.0)) / 2 for i, score in scores.items()}
