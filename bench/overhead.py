"""Time what the pipeline itself costs a question: no encoder, no index, no model.

    python bench/overhead.py [--asks 1000] [--json]
    python bench/overhead.py --asks 200 --profile     # where it goes; a profiler makes all slower

A store of five fixed chunks, an encoder of zeros, a model that writes one token at once; the rest
is what ships: retrieval, fusion, gate, extract, prompt, slot, budget, check.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import asyncio
import cProfile
import json
import pstats
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import numpy

sys.path.insert(0, str(Path(__file__).parent.parent))

from rag.assistant import Assistant
from rag.deadline import Deadline
from rag.diagnostics.machine import machine
from rag.diagnostics.timings import spread, time_question
from rag.prompt import Prompt, whole_tokens
from rag.retriever import Retriever
from rag.types import Chunk, IndexMeta, PageRecord, SearchLegs, Usage, Vectors
from rag.writing.speed import SpeedBook
from rag.writing.writer import Writer

SHOWN = 40  # functions of a profile
QUESTION = "Comment créer un client ?"
TEXT = """Ouvrez Ventes > Clients, puis cliquez sur Nouveau. La fiche d'un client s'ouvre.
1. Saisissez son nom et son adresse.
2. Choisissez son tarif : particulier ou professionnel.
3. Cliquez sur Enregistrer. Le client paraît dans la liste."""
CHUNKS = {
    f"{n}": Chunk(
        id=f"{n}",
        page=f"clients/{n}.md",
        position=0,
        title=f"Créer un client {n}",
        headings=("Pas à pas",),
        url=f"/aide/{n}",
        lang="fr",
        text=TEXT,
    )
    for n in range(5)
}
META = IndexMeta("zeros", 768, 1)


class FixedStore:
    """Find the same five chunks for every question."""

    def meta(self, timeout_s: float = 5.0) -> IndexMeta:
        """Return what it says of itself."""
        return META

    def search(
        self, vector: Vectors | None, words: Sequence[str], k: int, timeout_s: float
    ) -> SearchLegs:
        """Return the chunks in order."""
        knn = [(i, 0.8 - n / 100) for n, i in enumerate(CHUNKS)]
        bm25 = [(i, 9.0 - n) for n, i in enumerate(CHUNKS)]
        return SearchLegs(knn, bm25, [5] * len(words), 500)

    def nearest_words(self, words: Sequence[str], timeout_s: float) -> dict[str, str]:
        """Return the words as they are."""
        return {word: word for word in words}

    def chunks(self, ids: Sequence[str], timeout_s: float) -> dict[str, Chunk]:
        """Return the chunks of these ids."""
        return {i: CHUNKS[i] for i in ids if i in CHUNKS}

    def pages(self, ids: Sequence[str], timeout_s: float) -> dict[str, PageRecord]:
        """Return a page for each chunk."""
        found = {chunk.page: chunk for chunk in CHUNKS.values() if chunk.page in ids}
        return {
            page: PageRecord(page, "/pages", "hash", chunk.title, chunk.url, "fr", (chunk.id,))
            for page, chunk in found.items()
        }


class ZeroEncoder:
    """Encode everything as zeros."""

    name = META.encoder
    dimension = META.dimension

    def encode_queries(self, texts: Sequence[str], timeout_s: float = 60.0) -> Vectors:
        """Return zeros."""
        return numpy.zeros((len(texts), self.dimension), numpy.float32)

    encode_passages = encode_queries

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return a number."""
        return [1] * len(texts)


class OneToken:
    """Write one token, at once."""

    name = "one-token"

    async def stream(self, prompt: Prompt, deadline: Deadline) -> AsyncGenerator[str | Usage, None]:
        """Yield a word, then what it cost."""
        yield "Oui."
        yield Usage(whole_tokens(prompt), 1, prompt_s=0.1, output_s=0.001)


async def measure(asks: int) -> dict[str, Any]:
    """Ask many times, after some that are not counted; return the milliseconds of each part."""
    store: Any = FixedStore()
    retriever = Retriever(store, ZeroEncoder(), None, None, META)
    writer = Writer(OneToken(), SpeedBook(), timeout_s=10.0)
    assistant = Assistant(store, retriever, writer, timeout_s=10.0)
    for _ in range(asks // 10):
        await time_question(assistant, QUESTION)
    start = time.process_time()
    counted = [await time_question(assistant, QUESTION) for _ in range(asks)]
    processor_ms = (time.process_time() - start) * 1000 / asks
    searches = (timing.answer.timings.get("search_ms") for timing in counted)
    return {
        "asks": asks,
        "processor_ms": round(processor_ms, 3),
        "first_event_ms": spread(timing.first_event_ms for timing in counted),
        "last_event_ms": spread(timing.last_event_ms for timing in counted),
        "search_ms": spread(ms for ms in searches if ms is not None),
    }


def profile(asks: int) -> None:
    """Print the project's functions in which most time passes."""
    profiler = cProfile.Profile()
    profiler.runcall(lambda: asyncio.run(measure(asks)))
    pstats.Stats(profiler).sort_stats("cumtime").print_stats("/rag/", SHOWN)


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asks", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if options.profile:
        profile(options.asks)
        return
    report = {"environment": machine(), **asyncio.run(measure(options.asks))}
    if options.json:
        print(json.dumps(report, indent=2))
        return
    for name, value in report.items():
        print(f"{name:15} {value}")


if __name__ == "__main__":
    main()
