"""Windows to pages to chunks: both searches fused by scores, pages ranked by their windows.

The weight of BM25 follows how much of the question it covered: the share of the question's rare
words (by idf) that its best window holds. An English question on French pages thus rides on kNN,
an exact term or a code on BM25. Pages are ranked by their best windows alone: chunks of a section
are too short to tell a page that says what to do from one that names the same words.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rag.core.documents import Chunk, Hit, SearchLegs, Window
from rag.core.passages import read_passage
from rag.language import analyzer
from rag.language.profiles import EVERYWHERE

BM25_WEIGHT = 0.4  # at full coverage
MOST_WINDOWS_A_PAGE = 3  # whose chunks may be hits
MOST_CHUNKS_A_PAGE = 2


@dataclass(frozen=True, slots=True)
class Evidence:
    """Hold what tells whether the best chunk answers.

    ``score`` is its window's score and ``margin`` the lead over the best window of another page;
    ``words`` its feature of that name (see `rag.reranker`), None when it was not read closely.
    ``coverage`` is the idf share of the question's words that it holds, ``unknown`` of those that
    no window holds; ``length`` is the number of the question's words that are no stop words.
    """

    score: float = 0.0
    margin: float = 0.0
    words: float | None = None
    coverage: float = 0.0
    unknown: float = 1.0
    length: int = 0


def evidence_of(
    weights: Mapping[str, float],
    scores: Mapping[str, float],
    windows: Mapping[str, Window],
    frequencies: Sequence[int],
    pages: Sequence[Sequence[Hit]],
    words: Mapping[str, float],
) -> Evidence:
    """Return what tells whether the first hit of the first of ``pages`` answers.

    ``weights`` are the question's words and their idf, ``words`` each chunk's feature.
    """
    if not (pages and pages[0]):
        return Evidence(length=_meaningful(weights))
    best = pages[0][0]
    others = (score for i, score in scores.items() if windows[i].page != best.chunk.page)
    unknown = sum(w for w, n in zip(weights.values(), frequencies, strict=False) if n == 0)
    return Evidence(
        score=best.score,
        margin=best.score - max(others, default=0.0),
        words=words.get(best.chunk.id),
        coverage=covered(weights, best.chunk),
        unknown=unknown / (sum(weights.values()) or 1.0),
        length=_meaningful(weights),
    )


def _meaningful(words: Iterable[str]) -> int:
    return sum(not any(analyzer.is_stop_word(w, lang) for lang in EVERYWHERE) for w in words)


def word_weights(words: Sequence[str], found: SearchLegs) -> dict[str, float]:
    """Return each word's inverse document frequency among the windows."""
    return {w: idf(found.total, n) for w, n in zip(words, found.frequencies, strict=False)}


def idf(total: int, frequency: int) -> float:
    """Return the inverse document frequency of BM25 (Robertson & Zaragoza 2009), as Lucene's."""
    return math.log(1 + (total - frequency + 0.5) / (frequency + 0.5))


def covered(weights: Mapping[str, float], unit: Chunk | Window) -> float:
    """Return the share in [0, 1] of the words' weights whose stems the unit holds."""
    held, langs = read_passage(unit).part(_stems_of), analyzer.languages(unit.lang)
    total = sum(weights.values())
    stems = {word: analyzer.query_stems(word, langs) for word in weights}
    found = sum(w for word, w in weights.items() if not held.isdisjoint(stems[word]))
    return found / total if total else 0.0


def _stems_of(unit: Chunk | Window) -> frozenset[str]:
    return frozenset(analyzer.stems(unit.searched, unit.lang))


def fuse(
    knn: Mapping[str, float], bm25: Mapping[str, float], coverage: float, listed: int
) -> dict[str, float]:
    """Return one score a window: both legs brought to [0, 1] and weighted by ``coverage``.

    A window that a leg did not list gets that leg's lowest listed score; that of BM25 is 0 where
    it listed fewer than ``listed``, all that hold a word.
    """
    weight = BM25_WEIGHT * coverage if knn else 1.0
    top = max(bm25.values(), default=1.0) or 1.0
    floor = min(knn.values(), default=0.0)
    bm25_floor = min(bm25.values()) if len(bm25) >= listed else 0.0
    return {
        i: weight * bm25.get(i, bm25_floor) / top + (1 - weight) * knn.get(i, floor)
        for i in {**knn, **bm25}
    }


def best_first(scores: Mapping[str, float]) -> list[str]:
    """Return the ids by score, best first, ties to the lower id."""
    return sorted(scores, key=lambda i: (-scores[i], i))


def best_windows(
    scores: Mapping[str, float], windows: Mapping[str, Window], pages: int
) -> dict[str, list[Window]]:
    """Return the best windows of each of the best pages, as many pages as asked, best first."""
    found: dict[str, list[Window]] = {}
    for i in best_first(scores):
        window = windows[i]
        if window.page not in found and len(found) == pages:
            continue
        of_page = found.setdefault(window.page, [])
        if len(of_page) < MOST_WINDOWS_A_PAGE:
            of_page.append(window)
    return found


def hits_of(
    windows: Sequence[Window],
    scores: Mapping[str, float],
    legs: Mapping[str, Mapping[str, float]],
    chunks: Mapping[str, Chunk],
    closeness: Mapping[str, float],
) -> list[Hit]:
    """Return a page's best chunks, at most `MOST_CHUNKS_A_PAGE`, each with its window's score.

    The first is of the page's best window. ``closeness`` says how near to the question each chunk
    is by itself.
    """
    of_chunk = {i: window.id for window in reversed(windows) for i in window.chunk_ids}
    nearest = sorted(
        (i for i in of_chunk if i in chunks), key=lambda i: (-closeness[i], chunks[i].position)
    )
    first = [i for i in nearest if of_chunk[i] == windows[0].id][:1]
    nearest = first + [i for i in nearest if i not in first]
    return [
        Hit(
            chunks[i],
            scores[of_chunk[i]],
            rank,
            {name: leg[of_chunk[i]] for name, leg in legs.items() if of_chunk[i] in leg},
        )
        for rank, i in enumerate(nearest[:MOST_CHUNKS_A_PAGE], 1)
    ]


def of_different_pages(pages: Sequence[Sequence[Hit]], k: int) -> tuple[Hit, ...]:
    """Return the k best hits: the first of each page, then the second ones; best first."""
    rounds = [hits[n] for n in range(MOST_CHUNKS_A_PAGE) for hits in pages if len(hits) > n]
    return _ranked(rounds[:k])


def passages_of(pages: Sequence[Sequence[Hit]], k: int) -> tuple[Hit, ...]:
    """Return the k best hits, all those of a page before those of the next."""
    return _ranked([hit for hits in pages for hit in hits][:k])


def _ranked(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    best = sorted(hits, key=lambda hit: -hit.score)
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(best, 1))
