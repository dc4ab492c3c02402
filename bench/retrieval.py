"""Time what a question costs before the model: encoding, both searches, the second reading.

    python bench/retrieval.py FOLDER [--questions FILE]

Indexes the pages of FOLDER into a temporary SQLite file and asks it the pages' titles, or the lines
of FILE, after a first round that is not counted. Prints medians and 95th percentiles.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from indexer import pipeline
from rag.api import open_retriever
from rag.config.settings import Settings
from rag.encoders import bundled_encoder
from rag.question import read_question
from rag.stores.sqlite import SqliteStore

MOST_QUESTIONS = 500


def main() -> None:
    """Index, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--questions", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "index.sqlite3")
        report = pipeline.run([options.folder], store, bundled_encoder())
        print(f"{report.pages} pages, {report.chunks} chunks indexed in {report.seconds:.1f} s")
        records = store.records()
        encoding(store, [i for record in records.values() for i in record.chunk_ids])
        titles = [record.title for record in records.values()]
        lines = options.questions.read_text("utf-8").splitlines() if options.questions else titles
        asking(store, lines[:MOST_QUESTIONS])
        store.close()


def encoding(store: SqliteStore, ids: list[str]) -> None:
    """Print how many chunks a second are encoded on one core, in processor time."""
    texts = [chunk.searched for chunk in store.chunks(ids, 60).values()]
    encoder = bundled_encoder()
    tokens = statistics.mean(encoder.count_tokens(texts))
    start = time.process_time()
    encoder.encode_passages(texts)
    rate = len(texts) / (time.process_time() - start)
    print(f"encoding: {rate:,.0f} chunks/s of {tokens:.0f} tokens on average")


def asking(store: SqliteStore, questions: list[str]) -> None:
    """Print the time of each step of a question, in milliseconds."""
    retriever = open_retriever(Settings(), store)
    taken: dict[str, list[float]] = defaultdict(list)
    timed(retriever, "retrieve", "whole question", taken)
    timed(store, "search", "both searches", taken)
    timed(retriever._reranker, "features", "second reading", taken)
    for count in (False, True):
        taken.clear()
        for question in questions:
            retriever.retrieve(read_question(question))
        if count:
            for step, times in taken.items():
                slow = statistics.quantiles(times, n=20)[-1]
                print(f"{step}: median {statistics.median(times):.1f} ms, 95th {slow:.1f} ms")


def timed(owner: Any, name: str, step: str, taken: dict[str, list[float]]) -> None:
    """Note how long each call of a method takes, under the name of its step."""
    method: Callable[..., Any] = getattr(owner, name)

    def call(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return method(*arguments, **options)
        finally:
            taken[step].append((time.perf_counter() - start) * 1000)

    setattr(owner, name, call)


if __name__ == "__main__":
    main()
