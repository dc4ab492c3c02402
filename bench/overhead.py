"""Time what the pipeline itself costs a question: no encoder, no index, no model.

    python bench/overhead.py [--asks 333] [--json]
    python bench/overhead.py --profile     # where it goes; a profiler makes all slower

The sample pages are indexed and their own questions searched beforehand; then each question is
asked of an assistant whose retriever, store and encoder only look up what was found, and whose
model writes at once. The rest is what ships: language, gate, extract, prompt, slot, budget, check,
the hop to a thread. Half of the questions is asked first; `seen` are the others, never asked, of
pages that were: what a running server does. `cold` are some with every cache emptied before each.
`word`: the model writes one word, which no page says; `sentence`: a sentence of the best passage.
`hop` is what a call in a thread and back costs without any work: a question makes one, because a
store may block. `first` is until the extract can be shown, `last` until the answer is complete.
`quiet` is the median of the `seen` when each is the best of so many rounds, which takes out what
other processes of the machine did meanwhile; `stemmer` says whether stems are cut by compiled code.
`retriever` is what the shipped retriever adds over a store that answers at once.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import asyncio
import cProfile
import functools
import gc
import importlib.util
import json
import pstats
import random
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from indexer import pipeline
from rag.api import open_retriever
from rag.assistant import Assistant
from rag.config.settings import Settings
from rag.core.answers import Usage
from rag.core.deadline import Deadline, bounded
from rag.core.documents import Chunk, IndexMeta, PageRecord, SearchLegs, Vectors, Window
from rag.diagnostics.benchmark import machine
from rag.diagnostics.timings import since_ms, spread
from rag.encoders import bundled_encoder
from rag.prompt import Prompt, whole_tokens
from rag.question import Question, read_question
from rag.retriever import Retrieval, Retriever
from rag.stores.sqlite import SqliteStore
from rag.writing.speed import SpeedBook
from rag.writing.writer import Writer

CORPUS = Path(__file__).parent.parent / "corpus"
SHOWN = 40  # functions of a profile
COLD = 5  # questions at most, each with empty caches
SEED = 4
ROUNDS = 3  # of the seen questions, for the quiet figure
WORD = "Oui."


@dataclass(slots=True)
class Pages:
    """Hold the sample pages and what was found for each of their questions."""

    chunks: dict[str, Chunk]
    windows: dict[str, Window]
    records: dict[str, PageRecord]
    found: dict[str, Retrieval] = field(default_factory=dict)

    @classmethod
    def read(cls, most: int) -> Pages:
        """Index the pages and search at most so many of their questions."""
        with tempfile.TemporaryDirectory() as folder:
            store = SqliteStore(Path(folder) / "index.sqlite3")
            pipeline.run([CORPUS], store, bundled_encoder())
            records = store.records()
            chunks = store.chunks([i for one in records.values() for i in one.chunk_ids], 60.0)
            windows = store.windows([i for one in records.values() for i in one.window_ids], 60.0)
            asked = sorted({question for one in records.values() for question in one.questions})
            random.Random(SEED).shuffle(asked)
            asked = asked[:most]
            retriever = open_retriever(Settings(), store)
            found = {
                question: retriever.retrieve(read_question(question), timeout_s=60.0)
                for question in asked
            }
            store.close()
        return cls(chunks, windows, records, found)


class FixedRetriever:
    """Return what was found for a question."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def retrieve(
        self, question: Question, k: int = 5, *, page: str | None = None, timeout_s: float = 10.0
    ) -> Retrieval:
        """Return the hits and their evidence."""
        return self._pages.found[question.raw]


class FixedStore:
    """Look chunks and pages up in dictionaries; find the same windows for every question."""

    def __init__(self, pages: Pages, encoder: Remembered) -> None:
        self._pages = pages
        self.about = IndexMeta(encoder.name, encoder.dimension, 1)
        first = list(pages.windows)[:5]
        self._knn = [(i, 0.8 - n / 100) for n, i in enumerate(first)]
        self._bm25 = [(i, 9.0 - n) for n, i in enumerate(first)]

    def meta(self, timeout_s: float = 5.0) -> IndexMeta:
        """Return what it says of itself."""
        return self.about

    def search(
        self, vector: Vectors | None, words: Mapping[str, float], k: int, timeout_s: float
    ) -> SearchLegs:
        """Return five windows in order."""
        return SearchLegs(self._knn, self._bm25, [5] * len(words), 500)

    def nearest_words(self, words: Sequence[str], timeout_s: float) -> dict[str, str]:
        """Return the words as they are."""
        return {word: word for word in words}

    def windows(self, ids: Sequence[str], timeout_s: float) -> dict[str, Window]:
        """Return the windows of these ids."""
        return {i: self._pages.windows[i] for i in ids}

    def chunks(self, ids: Sequence[str], timeout_s: float) -> dict[str, Chunk]:
        """Return the chunks of these ids."""
        return {i: self._pages.chunks[i] for i in ids}

    def pages(self, ids: Sequence[str], timeout_s: float) -> dict[str, PageRecord]:
        """Return the records of these pages."""
        return {i: self._pages.records[i] for i in ids if i in self._pages.records}


class Remembered:
    """Encode with the bundled encoder what was never met, look up what was."""

    def __init__(self) -> None:
        self._encoder = bundled_encoder()
        self._met: dict[tuple[str, ...], Vectors] = {}
        self.name, self.dimension = self._encoder.name, self._encoder.dimension
        self.subwords, self.unit_rows = self._encoder.subwords, self._encoder.unit_rows

    def encode_passages(self, texts: Sequence[str]) -> Vectors:
        """Return the texts' vectors."""
        key = tuple(texts)
        if key not in self._met:
            self._met[key] = self._encoder.encode_passages(key)
        return self._met[key]

    def encode_queries(self, texts: Sequence[str], timeout_s: float = 60.0) -> Vectors:
        """Return the texts' vectors."""
        return self.encode_passages(texts)


class Writes:
    """Write at once one word, or a sentence of the first passage of the prompt."""

    name = "at-once"

    def __init__(self, *, sentence: bool) -> None:
        self._sentence = sentence

    async def stream(self, prompt: Prompt, deadline: Deadline) -> AsyncGenerator[str | Usage, None]:
        """Yield the text in one piece, then what it cost."""
        text = prompt.passages[0].chunk.text.split("\n")[0] if self._sentence else WORD
        yield text.partition(". ")[0].rstrip(".") + " [1]." if self._sentence else WORD
        yield Usage(whole_tokens(prompt), 1, prompt_s=0.1, output_s=0.001)


def measure(asks: int, profiler: cProfile.Profile | None = None) -> dict[str, Any]:
    """Return the milliseconds of each part, of each kind of answer; ``profiler`` sees the seen."""
    pages, encoder = Pages.read(2 * asks), Remembered()
    compiled = importlib.util.find_spec("Stemmer") is not None
    report: dict[str, Any] = {"questions": len(pages.found), "pages": len(pages.records)}
    report["stemmer"] = "compiled" if compiled else "Python"
    for kind in ("word", "sentence"):
        report |= asyncio.run(_measured(pages, encoder, kind, asks, profiler))
    report["hop_ms"] = spread(asyncio.run(_hops(asks)))
    report["retriever_ms"] = spread(_retrievals(pages, encoder, asks))
    return report


async def _measured(
    pages: Pages, encoder: Remembered, kind: str, asks: int, profiler: cProfile.Profile | None
) -> dict[str, Any]:
    store: Any = FixedStore(pages, encoder)
    retriever: Any = FixedRetriever(pages)
    writer = Writer(Writes(sentence=kind == "sentence"), SpeedBook(), timeout_s=10.0)
    assistant = Assistant(store, retriever, writer, timeout_s=10.0, encoder=encoder)
    asked = list(pages.found)
    for question in asked:  # the encoder meets every text
        await _ask(assistant, question)
    first, new = asked[: len(asked) // 2], asked[len(asked) // 2 :]
    cold = []
    quiet = await _quiet(assistant, first, new)
    for question in first[: min(COLD, asks)]:
        _forget()
        cold.append(await _ask(assistant, question))
    for question in first:
        await _ask(assistant, question)
    if profiler:
        profiler.enable()
    start = time.process_time()
    seen = [await _ask(assistant, question) for question in new]
    processor_ms = (time.process_time() - start) * 1000 / len(new)
    if profiler:
        profiler.disable()
    quiet_ms = statistics.median(quiet)
    figures = {"seen": seen, "cold": cold}
    report: dict[str, Any] = {
        f"{kind}_processor_ms": round(processor_ms, 3),
        f"{kind}_quiet_ms": round(quiet_ms, 3),
    }
    for name, times in figures.items():
        report[f"{kind}_{name}_first_ms"] = spread(first for first, _ in times)
        report[f"{kind}_{name}_last_ms"] = spread(last for _, last in times)
    return report


async def _quiet(assistant: Assistant, first: Sequence[str], new: Sequence[str]) -> list[float]:
    """Return the shortest time of each new question, every round begun with empty caches."""
    shortest = [float("inf")] * len(new)
    for _ in range(ROUNDS):
        _forget()
        for question in first:
            await _ask(assistant, question)
        times = [(await _ask(assistant, question))[1] for question in new]
        shortest = [min(pair) for pair in zip(shortest, times, strict=True)]
    _forget()
    return shortest


async def _ask(assistant: Assistant, question: str) -> tuple[float, float]:
    """Return the milliseconds to the first event and to the last."""
    start = time.perf_counter()
    times = [since_ms(start) async for _ in assistant.stream(question)]
    return times[0], times[-1]


def _forget() -> None:
    """Empty every bounded cache of the project; tables of its word lists stay."""
    for found in gc.get_objects():
        kept = isinstance(found, functools._lru_cache_wrapper) and found.__module__
        if kept and kept.startswith("rag.") and found.cache_info().maxsize is not None:
            found.cache_clear()


async def _hops(count: int) -> list[float]:
    times = []
    for _ in range(count):
        start = time.perf_counter()
        await bounded(lambda: None, 1.0)
        times.append(since_ms(start))
    return times


def _retrievals(pages: Pages, encoder: Remembered, asks: int) -> Iterator[float]:
    """Yield the milliseconds that each search of the shipped retriever takes by itself."""
    store: Any = FixedStore(pages, encoder)
    retriever = Retriever(store, encoder, None, None, store.about)  # type: ignore[arg-type]
    asked = list(pages.found)
    for question in asked:
        retriever.retrieve(read_question(question))
    for question in asked[:asks]:
        start = time.perf_counter()
        retriever.retrieve(read_question(question))
        yield since_ms(start)


def profile(asks: int) -> None:
    """Print the project's functions in which most time passes."""
    profiler = cProfile.Profile()
    measure(asks, profiler)
    pstats.Stats(profiler).sort_stats("cumtime").print_stats("/rag/", SHOWN)


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asks", type=int, default=333)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if options.profile:
        profile(options.asks)
        return
    report = {"environment": machine(), **measure(options.asks)}
    if options.json:
        print(json.dumps(report, indent=2))
        return
    for name, value in report.items():
        print(f"{name:25} {value}")


if __name__ == "__main__":
    main()
