"""What is asked of Elasticsearch for a question: nearest vectors, BM25F, counts, spellings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from rag.core.documents import Vectors
from rag.language import analyzer
from rag.language.profiles import EVERYWHERE
from rag.stores.elasticsearch.schema import SPELLING, VECTOR

MAX_RESULTS = 10_000
MAX_WORDS = 128


def vector_search(vector: Vectors, k: int) -> dict[str, Any]:
    """Return the search of the k nearest by cosine, whose score is (1 + cosine) / 2.

    It collects more than k, so that equal vectors are cut by their ids.
    """
    near = min(max(4 * k, k + 100), MAX_RESULTS)
    knn = {
        "field": VECTOR,
        "query_vector": [float(number) for number in vector],
        "k": near,
        "num_candidates": near,
    }
    return _best({"knn": knn}, k)


def text_search(words: Mapping[str, float], k: int) -> dict[str, Any]:
    """Return the BM25F search (combined_fields) of the first 128 words; each stem counts once.

    Words of one weight are searched together; the parts of a score add up all the same.
    """
    distinct = {analyzer.query_stems(word): word for word in reversed(list(words)[:MAX_WORDS])}
    together: dict[float, list[str]] = {}
    for word in reversed(distinct.values()):
        together.setdefault(words[word], []).append(word)
    parts = [_in_any_field(" ".join(part), weight) for weight, part in together.items()]
    return _best(parts[0] if len(parts) == 1 else {"bool": {"should": parts}}, k)


def count_search(words: Iterable[str]) -> dict[str, Any]:
    """Return the search that counts all windows and, for each word, those that hold it."""
    body = {"size": 0, "track_total_hits": True, "query": {"term": {"kind": "window"}}}
    filters = [_in_any_field(word) for word in islice(words, MAX_WORDS)]
    return {**body, "aggs": {"words": {"filters": {"filters": filters}}}} if filters else body


def spelling_search(words: Sequence[str]) -> dict[str, Any]:
    """Return the search that counts the windows of folded words and lists words one edit away."""
    near = {
        "field": SPELLING,
        "analyzer": "keyword",
        "suggest_mode": "missing",
        "sort": "frequency",
        "size": 50,
        "max_edits": 1,
        "prefix_length": 1,
        "min_word_length": 1,
        "accuracy": 0.0,
    }
    held = [{"term": {SPELLING: word}} for word in words[:MAX_WORDS]]
    return {
        "size": 0,
        "track_total_hits": False,
        "aggs": {"words": {"filters": {"filters": held}}},
        "suggest": {
            str(n): {"text": word, "term": near} for n, word in enumerate(words[:MAX_WORDS])
        },
    }


def _best(query: dict[str, Any], k: int) -> dict[str, Any]:
    return {
        "size": min(k, MAX_RESULTS),
        "query": query,
        "sort": ["_score", {"id": "asc"}],
        "_source": False,
        "track_total_hits": False,
    }


def _in_any_field(words: str, boost: float = 1.0) -> dict[str, Any]:
    """Return the search in every field: those of one analyzer together, as BM25F asks."""
    others = ((lang,) for lang in analyzer.STEMMERS if lang not in EVERYWHERE)
    parts = [_in_fields(words, langs, boost) for langs in (EVERYWHERE, *others)]
    return {"bool": {"should": parts}}


def _in_fields(words: str, langs: Sequence[str], boost: float) -> dict[str, Any]:
    fields = [
        f"{lang}.{field}^{weight:g}"
        for lang in langs
        for field, weight in analyzer.FIELD_WEIGHTS.items()
    ]
    return {"combined_fields": {"query": words, "fields": fields, "boost": boost}}
