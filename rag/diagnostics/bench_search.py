"""What encoding and searching cost and are worth: texts a second, times by leg, pages found."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy

from rag.api import index_meta, open_retriever
from rag.config.settings import BUNDLED_ENCODER, Settings
from rag.core.documents import Chunk, Vectors
from rag.core.errors import ConfigError, HelpError, IndexMissing
from rag.core.invocation import index_command
from rag.core.protocols import Encoder, Store
from rag.diagnostics import BenchmarkSection, OnProgress, table
from rag.diagnostics.datasets import Question, read_questions
from rag.diagnostics.timings import since_ms, spread
from rag.encoders import open_encoder
from rag.question import read_question
from rag.retriever import Retriever
from rag.stores import open_store

ENCODING_ITERATIONS = 10
BATCHES = (1, 8, 32, 128)
MOST_TEXTS = 2_000  # chunks that quality is measured on
TIMEOUT_S = 60.0
DEPTH = 10
OWN = " of the pages' own, which are indexed: others are found less well"
OWN_QUESTIONS = Path("tests/quality/questions.jsonl")
logger = logging.getLogger(__name__)
SEARCH_ITERATIONS = 100
CHUNKS = 20  # at most 2 a page: ten pages


def measure_embeddings(
    settings: Settings, iterations: int | None, on_progress: OnProgress
) -> BenchmarkSection:
    """Encode the index's own chunks in batches, with the encoder in force and the bundled one.

    nDCG@10 is by cosine alone, over the questions at hand whose pages are indexed: the file of
    `evaluate` where it is there, else the pages' own questions.

    Raises: IndexMissing, SearchUnavailable; HelpError when no encoder works.
    """
    with closing(open_store(settings)) as store:
        chunks = _chunks(store)
        questions = questions_at_hand(store)
    count, measured, failures = iterations or ENCODING_ITERATIONS, {}, {}
    encoders = list(_encoders(settings))
    for name, own in encoders:
        try:
            encoder = open_encoder(own, TIMEOUT_S)
            measured[name] = _measured_encoding(encoder, chunks, questions, count)
        except HelpError as error:
            failures[name] = str(error)
        on_progress(len(measured) + len(failures), len(encoders))
    if not measured:
        raise ConfigError("; ".join(failures.values()))
    figures = {
        "iterations": count,
        "chunks": len(chunks),
        "questions": len(questions),
        "own": all(question.group == OWN for question in questions),
        "encoders": measured,
        "failures": failures,
    }
    return BenchmarkSection(figures, _encoding_lines(figures))


def questions_at_hand(store: Store) -> list[Question]:
    """Return questions whose page is known: the file of `evaluate`, else the pages' own."""
    records = store.records()
    if OWN_QUESTIONS.is_file():
        try:
            found = read_questions(OWN_QUESTIONS, records)
            return [question for question in found if question.answered_by]
        except HelpError as error:
            logger.debug("the pages' own questions are asked: %s", error)
    pairs = {
        question: page
        for page, record in records.items()
        for question in record.questions or (record.title,)
    }
    return [Question(text, text, OWN, {page: 1}) for text, page in pairs.items() if text.strip()]


def _encoders(settings: Settings) -> Iterator[tuple[str, Settings]]:
    yield settings.embedding_model, settings
    if settings.embedding_model != BUNDLED_ENCODER:
        changes = {"embedding_model": BUNDLED_ENCODER, "embedding_dimension": 768}
        yield BUNDLED_ENCODER, settings.model_copy(update=changes)


def _chunks(store: Store) -> list[Chunk]:
    records = store.records()
    ids = [chunk for page in sorted(records) for chunk in records[page].chunk_ids][:MOST_TEXTS]
    if not ids:
        raise IndexMissing(f"Nothing is indexed to be encoded. Index your pages: {index_command()}")
    found = store.chunks(ids, TIMEOUT_S)
    return [found[chunk] for chunk in ids if chunk in found]


def _measured_encoding(
    encoder: Encoder, chunks: Sequence[Chunk], questions: Sequence[Question], count: int
) -> dict[str, Any]:
    texts = [chunk.searched for chunk in chunks]
    encoder.encode_passages(texts[:1])  # what is loaded once
    batches = {str(size): _batch(encoder, texts, size, count) for size in BATCHES}
    asked = [question.text for question in questions] or texts
    times = [_query_ms(encoder, text) for text in islice(cycle(asked), count)]
    start = time.perf_counter()
    vectors = encoder.encode_passages(texts)
    whole_s = time.perf_counter() - start
    return {
        "encoder": encoder.name,
        "dimension": index_meta(encoder).dimension,
        "batches": batches,
        "question_ms": spread(times),
        "all_chunks_s": round(whole_s, 3),
        "chunks_per_s": round(len(texts) / whole_s, 1),
        "nDCG@10": _quality(encoder, vectors, chunks, questions),
    }


def _batch(encoder: Encoder, texts: Sequence[str], size: int, count: int) -> dict[str, Any]:
    endless, times = cycle(texts), []
    for _ in range(count):
        batch = list(islice(endless, size))
        start = time.perf_counter()
        encoder.encode_passages(batch)
        times.append(since_ms(start))
    found = spread(times) or {}
    return {**found, "texts_per_s": round(size / (found["p50"] / 1000), 1)}


def _query_ms(encoder: Encoder, text: str) -> float:
    start = time.perf_counter()
    encoder.encode_queries([text], TIMEOUT_S)
    return since_ms(start)


def _quality(
    encoder: Encoder, vectors: Vectors, chunks: Sequence[Chunk], questions: Sequence[Question]
) -> float | None:
    """Return the mean nDCG@10 of the pages found by cosine (Järvelin & Kekäläinen 2002)."""
    if not questions:
        return None
    asked = encoder.encode_queries([question.text for question in questions], TIMEOUT_S)
    scores = asked @ vectors.T
    values = []
    for row, question in zip(scores, questions, strict=True):
        order = numpy.argsort(-row, kind="stable")
        pages = islice(dict.fromkeys(chunks[i].page for i in order), DEPTH)
        values.append(ndcg(list(pages), question))
    return round(sum(values) / len(values), 4)


def ndcg(pages: Sequence[str], question: Question) -> float:
    """Return a ranking's nDCG at its length, a judgement's relevance being its gain."""
    gains = [max(0, question.judged.get(page, 0)) for page in pages]
    best = sorted((max(0, gain) for gain in question.judged.values()), reverse=True)[:DEPTH]
    ideal = _discounted(best)
    return _discounted(gains) / ideal if ideal else 0.0


def _discounted(gains: Sequence[int]) -> float:
    weights = 1 / numpy.log2(numpy.arange(len(gains)) + 2)
    return float(numpy.dot(gains, weights))


def _encoding_lines(figures: dict[str, Any]) -> list[str]:
    rows = [["encoder", "batch", "p50 ms", "p95 ms", "texts/s"]]
    for found in figures["encoders"].values():
        name = found["encoder"]
        for size, one in found["batches"].items():
            cells = [f"{one['p50']:.2f}", f"{one['p95']:.2f}", f"{one['texts_per_s']:,.0f}"]
            rows.append([name, size, *cells])
            name = ""
    lines = table(rows)
    for found in figures["encoders"].values():
        quality = found["nDCG@10"]
        said = "-" if quality is None else f"{quality:.4f}"
        lines.append(
            f"{found['encoder']}: a question {found['question_ms']['p50']:.2f} ms"
            f" (p95 {found['question_ms']['p95']:.2f}), {figures['chunks']} chunks in"
            f" {found['all_chunks_s']:.2f} s, nDCG@10 by cosine alone {said}"
            f" ({figures['questions']} questions{OWN if figures['own'] else ''})"
        )
    return lines + [f"{name}: {error}" for name, error in figures["failures"].items()]


def measure_retrieval(
    settings: Settings, iterations: int | None, on_progress: OnProgress
) -> BenchmarkSection:
    """Search the index for the questions at hand, by both legs as in force and by words alone.

    Raises: IndexMissing, IndexMismatch, SearchUnavailable, EncoderError, ConfigError.
    """
    with closing(open_store(settings)) as store:
        questions = questions_at_hand(store)
        if not questions:
            raise IndexMissing(
                f"Nothing is indexed to be searched. Index your pages: {index_command()}"
            )
        asked = list(islice(cycle(questions), iterations or SEARCH_ITERATIONS))
        ways = _ways(settings)
        figures: dict[str, Any] = {
            "iterations": len(asked),
            "questions": len(questions),
            "own": all(question.group == OWN for question in questions),
            "chunks": store.count(),
            "ways": {},
        }
        for done, (name, own) in enumerate(ways.items(), 1):
            figures["ways"][name] = _measured_search(open_retriever(own, store), asked)
            on_progress(done, len(ways))
    return BenchmarkSection(figures, _search_lines(figures))


def _ways(settings: Settings) -> dict[str, Settings]:
    words = settings.model_copy(update={"embeddings_enabled": False})
    return (
        {"vectors and words": settings, "words alone": words}
        if (settings.embeddings_enabled)
        else {"words alone": words}
    )


def _measured_search(retriever: Retriever, asked: Sequence[Question]) -> dict[str, Any]:
    start = time.perf_counter()
    retriever.retrieve(read_question(asked[0].text), CHUNKS, timeout_s=TIMEOUT_S)
    first_ms = since_ms(start)  # the vectors are read, the encoder loaded
    times, values = [], []
    for question in asked:
        start = time.perf_counter()
        found = retriever.retrieve(read_question(question.text), CHUNKS, timeout_s=TIMEOUT_S)
        times.append(since_ms(start))
        pages = list(dict.fromkeys(hit.chunk.page for hit in found.hits))[:10]
        values.append(ndcg(pages, question))
    whole_s = sum(times) / 1000
    return {
        "first_ms": first_ms,
        "question_ms": spread(times),
        "questions_per_s": round(len(times) / whole_s, 1),
        "nDCG@10": round(sum(values) / len(values), 4),
    }


def _search_lines(figures: dict[str, Any]) -> list[str]:
    rows = [["milliseconds", "p50", "p95", "mean", "max", "first", "questions/s", "nDCG@10"]]
    for name, found in figures["ways"].items():
        times = [f"{found['question_ms'][n]:.2f}" for n in ("p50", "p95", "mean", "max")]
        rest = [f"{found['first_ms']:.1f}", f"{found['questions_per_s']:,.0f}"]
        rows.append([name, *times, *rest, f"{found['nDCG@10']:.4f}"])
    return [
        *table(rows),
        f"{figures['iterations']} searches, one at a time, among {figures['chunks']} chunks;"
        f" {figures['questions']} questions{OWN if figures['own'] else ''}",
    ]
