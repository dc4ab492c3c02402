"""How soon a kept answer is there: identical and similar questions, among 10,000 others."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, closing
from itertools import cycle, islice, product
from typing import Any

from rag.api import index_meta, open_cache, open_retriever
from rag.assistant import Assistant
from rag.cache import AnswerCache, Flight, Request
from rag.config.settings import Settings
from rag.core.answers import Answer, CompleteEvent, Source, Usage
from rag.core.deadline import Deadline
from rag.core.documents import Chunk, Hit, PageRecord, Window
from rag.core.errors import HelpError, ModelUnavailable
from rag.core.protocols import Store
from rag.diagnostics import BenchmarkSection, OnProgress, table
from rag.diagnostics.timings import since_ms
from rag.encoders import bundled_encoder
from rag.prompt import Draft
from rag.question import read_question
from rag.stores import open_store, throwaway_settings
from rag.writing.writer import Sent

ENTRIES = 10_000
ENTRIES_SHARED = 1_000  # Elasticsearch takes some 30 ms to keep one
PAGES = 100
ITERATIONS = 1_000
TIMEOUT_S = 10.0
SETTLE_S = 1.5  # Elasticsearch finds what is new within a second
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
ACTS = (
    "créer modifier archiver exporter importer imprimer dupliquer valider partager renommer"
    " classer filtrer envoyer relier annoter restaurer déplacer vérifier compter étiqueter"
).split()
THINGS = (
    "commande facture cuvée parcelle livraison récolte bouteille étiquette dégustation remise"
    " expédition barrique analyse déclaration campagne visite réservation signature licence taxe"
    " vente adresse cuve palette relance"
).split()
PLACES = (
    "Beaune Chablis Cahors Sancerre Pauillac Gigondas Bandol Vouvray Fleury Morgon Volnay Meursault"
    " Arbois Tavel Limoux Madiran Chinon Saumur Pommard Irouléguy"
).split()
# what somebody else would type for the same thing
OTHER_WORDS = ("Comment faire pour {}", "De quelle façon {}", "Je cherche à {}")


class NoModel:
    """Stand where a model would be; ``calls`` counts what must never be."""

    def __init__(self) -> None:
        self.calls = 0

    async def stream(
        self, draft: Draft, deadline: Deadline
    ) -> AsyncGenerator[Sent | str | Usage, None]:
        """Refuse."""
        self.calls += 1
        raise ModelUnavailable("No model is asked in this benchmark.")
        yield ""

    async def warm(self) -> bool:
        """Say that there is no model."""
        return False

    async def close(self) -> None:
        """Do nothing."""


def measure_cache(
    settings: Settings,
    iterations: int | None,
    on_progress: OnProgress,
    *,
    entries: int | None = None,
) -> BenchmarkSection:
    """Time hits through the assistant, in a store of its own, and the look-up of a miss.

    Raises: HelpError when a question is not answered from the cache.
    """
    entries = entries or (ENTRIES_SHARED if settings.uses_elasticsearch else ENTRIES)
    with throwaway_settings(settings) as own, closing(open_store(own)) as store:
        pages = _publish(store)
        cache, questions = open_cache(own), list(islice(_tasks(), entries))
        for number, task in enumerate(questions):
            _keep(cache, f"Comment {task} ?", pages[number % PAGES])
            on_progress(number, entries)
        if own.uses_elasticsearch:
            time.sleep(SETTLE_S)
        model = NoModel()
        flight = Flight(cache)
        assistant = Assistant(
            store, open_retriever(own, store), model, timeout_s=TIMEOUT_S, flight=flight
        )
        count = iterations or ITERATIONS
        figures = asyncio.run(_measured(assistant, flight, questions, count))
        on_progress(entries, entries)
    figures = {"entries": entries, "iterations": count, **figures, "model_calls": model.calls}
    return BenchmarkSection(figures, _lines(figures))


async def _measured(
    assistant: Assistant, flight: Flight, tasks: Sequence[str], count: int
) -> dict[str, Any]:
    step = max(1, len(tasks) // count) | 1  # odd: all over the list
    chosen = [tasks[(number * step) % len(tasks)] for number in range(count)]
    exact = [f"comment {task}" for task in chosen]
    similar = [
        form.format(task) + " ?" for form, task in zip(cycle(OTHER_WORDS), chosen, strict=False)
    ]
    for question in (exact[0], similar[0]):
        await _hit_ms(assistant, question)  # what is loaded once
    return {
        "exact_ms": _spread([await _hit_ms(assistant, one, "exact") for one in exact]),
        "semantic_ms": _spread([await _hit_ms(assistant, one, "semantic") for one in similar]),
        "miss_ms": _spread([await _miss_ms(flight, f"Pourquoi {one} ?") for one in chosen]),
    }


async def _hit_ms(assistant: Assistant, question: str, kind: str | None = None) -> float:
    """Return the milliseconds to the last event. Raises: HelpError without a hit of this kind."""
    start = time.perf_counter()
    async with aclosing(assistant.stream(question)) as events:
        async for event in events:
            if isinstance(event, CompleteEvent):
                taken_ms, found = since_ms(start), event.answer.cached
    if kind not in {None, found}:
        raise HelpError(f"Not answered as {kind} from the cache, but as {found}: {question}")
    return taken_ms


async def _miss_ms(flight: Flight, question: str) -> float:
    start = time.perf_counter()
    request, deadline = Request(read_question(question)), Deadline(TIMEOUT_S)
    if await flight.find(request, deadline, lambda answer, limit_s: answer) is not None:
        raise HelpError(f"Answered from the cache, and should not be: {question}")
    return since_ms(start)


def _tasks() -> Iterator[str]:
    """Yield 10,000 things to do, no two of which are one."""
    for thing, place, act in product(THINGS, PLACES, ACTS):
        yield f"{act} une {thing} pour le salon de {place}"


def _publish(store: Store) -> list[PageRecord]:
    encoder = bundled_encoder()
    writer = store.writer(index_meta(encoder), full=True)
    records = []
    for number in range(PAGES):
        name, text = f"page-{number}.md", f"Les salons de la page {number} se gèrent ici."
        chunk = Chunk(f"chunk-{number}", name, 0, f"Page {number}", (), f"/{name}", "fr", text)
        ids = (chunk.id,)
        window = Window(f"window-{number}", name, "fr", chunk.title, (), (), text, ids)
        record = PageRecord(
            name, "/", f"hash-{number}", chunk.title, chunk.url, "fr", ids, (window.id,)
        )
        vectors = {window.id: encoder.encode_passages([text])[0]}
        writer.put_page(record, [chunk], [window], vectors)
        records.append(record)
    writer.publish()
    return records


def _keep(cache: AnswerCache, question: str, page: PageRecord) -> None:
    """Keep an answer of ordinary length that rests on one page. Raises: HelpError."""
    source = Source(1, page.title, "", page.url, page.id, 1.0)
    answer = Answer(
        "Ouvrez le salon, choisissez ce que vous cherchez, puis validez [1]. " * 5,
        page_effective=page.id,
        sources=(source,),
        retrieved=(source,) * 5,
        timings={"total_ms": 4_000.0},
        usage=Usage(400, 80, 1.0, 3.0),
    )
    chunk = Chunk(page.chunk_ids[0], page.id, 0, page.title, (), page.url, "fr", "")
    request, hits = Request(read_question(question)), (Hit(chunk, 1.0, 1),)
    if not cache.keep(request, answer, hits, {page.id: page}, 5.0):
        raise HelpError(f"The cache does not keep answers here: {question}")


def _spread(values: Sequence[float]) -> dict[str, float]:
    """Return nearest ranks: times that did occur."""
    ordered = sorted(values)
    return {n: ordered[math.ceil(share * len(ordered)) - 1] for n, share in QUANTILES.items()}


def _lines(figures: dict[str, Any]) -> list[str]:
    labels = {"exact_ms": "identical", "semantic_ms": "similar", "miss_ms": "look-up of a miss"}
    rows = [["milliseconds", *QUANTILES]]
    rows += [[label, *(f"{figures[n][q]:.2f}" for q in QUANTILES)] for n, label in labels.items()]
    return [
        *table(rows),
        f"{figures['iterations']} questions of each kind among {figures['entries']} kept answers,"
        f" {figures['model_calls']} calls of a model",
    ]
