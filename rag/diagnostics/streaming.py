"""How soon a question is answered: the model out of memory, in memory, and stopped half-way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import cycle, islice, zip_longest
from typing import Any

from rag.api import open_retriever, open_writer, speed_name
from rag.assistant import Assistant
from rag.config.settings import Settings
from rag.core.deadline import Deadline
from rag.core.documents import PageRecord
from rag.core.errors import ConfigError, DeadlineExceeded, IndexMissing, ModelUnavailable
from rag.core.invocation import index_command
from rag.core.protocols import Store
from rag.diagnostics import BenchmarkSection, OnProgress, table
from rag.diagnostics.timings import Timing, since_ms, spread, summarise, time_question
from rag.encoders import bundled_encoder
from rag.generators import Generator, open_generators
from rag.generators.ollama import OllamaGenerator
from rag.prompt import MARK, RULES, Draft, Prompt
from rag.question import read_question
from rag.retriever import Retriever
from rag.stores import open_store
from rag.writing.once import Writing
from rag.writing.speed import FILE, SpeedBook
from rag.writing.writer import LOAD_S, Sent

ITERATIONS = 10
STOPPED_AFTER = 3  # pieces: in the middle of an answer
UNLOAD_S = 1.0  # Ollama lets a model of keep_alive 0 go just after its last word
SHOWN = {
    "first event": "first_event_ms",
    "first text": "first_text_ms",
    "first token": "first_token_ms",
    "last event": "last_event_ms",
}
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bench:
    """Hold what is measured: the settings in force over an open index."""

    settings: Settings
    store: Store
    retriever: Retriever
    generator: Generator

    def assistant(self, writer: Writing | None = None) -> Assistant:
        """Return an assistant that keeps no answers, with a writer of its own."""
        return Assistant(
            self.store,
            self.retriever,
            writer or open_writer(self.settings),
            timeout_s=self.settings.timeout_s,
            encoder=bundled_encoder(),
        )

    def speed(self) -> dict[str, float]:
        """Return what was learnt of the model's server, in tokens a second and seconds."""
        speed = SpeedBook(self.settings.data_dir / FILE).of(
            speed_name(self.generator.name, self.settings)
        )
        return {
            "prompt_tokens_per_s": round(speed.prompt_tokens_per_s, 1),
            "output_tokens_per_s": round(speed.output_tokens_per_s, 1),
            "load_s": round(speed.load_s, 1),
        }


def measure_streaming(
    settings: Settings, iterations: int | None, on_progress: OnProgress
) -> BenchmarkSection:
    """Ask the pages' own questions with the model cold, then warm; stop some half-way.

    Cold: the model was put out of memory before each question, where its server can do that.

    Raises: IndexMissing, IndexMismatch, SearchUnavailable; ConfigError without a model;
    ModelUnavailable, DeadlineExceeded when the model does not write at all.
    """
    if settings.degraded_mode:
        raise ConfigError("HELP_DEGRADED_MODE is on: no model writes. Unset it to measure one.")
    store = open_store(settings)
    try:
        questions = own_questions(store.records(), iterations or ITERATIONS)
        bench = open_bench(settings, store)
        figures = asyncio.run(_measure(bench, questions, on_progress))
    finally:
        store.close()
    return BenchmarkSection(figures, _lines(figures))


def open_bench(settings: Settings, store: Store) -> Bench:
    """Open what is measured over an index. Raises: ConfigError, EncoderError."""
    generator = open_generators(settings)[0]
    return Bench(settings, store, open_retriever(settings, store), generator)


def own_questions(records: dict[str, PageRecord], count: int) -> list[str]:
    """Return the pages' own questions, else their titles: one a page, then the second ones, …

    They begin anew when the pages have fewer than ``count``. Raises: IndexMissing.
    """
    pages = [records[i].questions or (records[i].title,) for i in sorted(records)]
    rounds = zip_longest(*pages)
    found = list(dict.fromkeys(question for one in rounds for question in one if question))
    if not found:
        raise IndexMissing(f"Nothing is indexed to be asked. Index your pages: {index_command()}")
    return list(islice(cycle(found), count))


async def _measure(
    bench: Bench, questions: Sequence[str], on_progress: OnProgress
) -> dict[str, Any]:
    await one_token(bench.generator, Prompt(RULES, MARK, ()))
    bench.retriever.retrieve(read_question(questions[0]))  # the first search reads the vectors
    unloads = isinstance(bench.generator, OllamaGenerator)
    total = len(questions) * (3 if unloads else 2)
    steps = _Steps(on_progress, total)
    cold = [await _cold(bench, question) for question in steps.of(questions if unloads else ())]
    assistant = bench.assistant()
    await assistant.warm()
    warm = [await time_question(assistant, question) for question in steps.of(questions)]
    await assistant.close()
    stops = [await _stopped(bench, question) for question in steps.of(questions)]
    measured = [stop for stop in stops if stop is not None]
    return {
        "iterations": len(questions),
        "warm": summarise(warm),
        "cold": summarise(cold) if cold else None,
        "stop_to_silence_ms": spread(silence_ms for silence_ms, _ in measured),
        "one_token_ms": spread(token_ms for _, token_ms in measured),
        "speed": bench.speed(),
        "stopped": len(measured),
    }


async def _cold(bench: Bench, question: str) -> Timing:
    """Ask when the model is out of memory, and known to be."""
    await unload(bench)
    speeds = SpeedBook(bench.settings.data_dir / FILE)
    name = speed_name(bench.generator.name, bench.settings)
    speeds.change(name, lambda speed: replace(speed, used_at=0.0))
    assistant = bench.assistant()
    try:
        return await time_question(assistant, question)
    finally:
        await assistant.close()


async def _stopped(bench: Bench, question: str) -> tuple[float, float] | None:
    """Close a stream in the middle of the model's text.

    Returns the milliseconds until the server has written a token of the same prompt for somebody
    else, and what such a token takes when the server is free; None for an answer that had ended,
    and where the model was not heard again.
    """
    found = bench.retriever.retrieve(read_question(question))
    draft = Draft(found.question, found.hits)
    writer = open_writer(bench.settings)
    pieces, sent, start = 0, None, 0.0
    try:
        async with aclosing(writer.stream(draft, Deadline(bench.settings.timeout_s))) as items:
            async for item in items:
                pieces += isinstance(item, str)
                sent = item.prompt if isinstance(item, Sent) else sent
                if pieces == STOPPED_AFTER:
                    start = time.perf_counter()
                    break
    except (ModelUnavailable, DeadlineExceeded):
        return None  # it had not begun to write in time
    finally:
        await writer.close()
    if sent is None or pieces < STOPPED_AFTER:
        return None
    try:
        await one_token(bench.generator, sent)
        silence_ms, start = since_ms(start), time.perf_counter()
        await one_token(bench.generator, sent)
    except (ModelUnavailable, DeadlineExceeded) as error:
        logger.warning("After a stop the model was not heard again: %s", error)
        return None
    return silence_ms, since_ms(start)


async def unload(bench: Bench) -> None:
    """Let Ollama put the model out of memory, after a last word."""
    brief = bench.settings.model_copy(update={"keep_alive": "0s"})
    await one_token(open_generators(brief)[0], Prompt(RULES, MARK, ()))
    await asyncio.sleep(UNLOAD_S)


async def one_token(generator: Generator, prompt: Prompt) -> None:
    """Let a model write one token. Raises: ModelUnavailable, DeadlineExceeded."""
    pieces = generator.stream(replace(prompt, answer_tokens=1), Deadline(LOAD_S))
    async with aclosing(pieces):
        async for _ in pieces:
            pass


class _Steps:
    """Tell how many steps are done, over several loops."""

    def __init__(self, on_progress: OnProgress, total: int) -> None:
        self._on_progress = on_progress
        self._total = total
        self._done = 0

    def of(self, questions: Iterable[str]) -> Iterator[str]:
        for question in questions:
            yield question
            self._done += 1
            self._on_progress(self._done, self._total)


def _lines(figures: dict[str, Any]) -> list[str]:
    rows = [["milliseconds", "p50", "p95", "mean", "max"]]
    for state in ("warm", "cold"):
        found = figures[state] or {}
        rows += [[f"{state}: {label}", *_cells(found.get(name))] for label, name in SHOWN.items()]
    rows.append(["Stop to silence", *_cells(figures["stop_to_silence_ms"])])
    rows.append(["of these, one token", *_cells(figures["one_token_ms"])])
    speed = figures["speed"]
    learnt = (
        f"learnt: {speed['prompt_tokens_per_s']} prompt tokens/s, {speed['output_tokens_per_s']}"
        f" output tokens/s, {speed['load_s']} s to load"
    )
    shares = (line for state in ("warm", "cold") for line in _shares(figures, state))
    return [*table(rows), *shares, learnt]


def _cells(found: dict[str, float] | None) -> list[str]:
    names = ("p50", "p95", "mean", "max")
    return [f"{found[name]:.1f}" if found else "-" for name in names]


def _shares(figures: dict[str, Any], state: str) -> Iterator[str]:
    found = figures[state]
    if not found:
        yield f"{state}: not measured, this model's server keeps it in memory"
        return
    yield (
        f"{state}: {found['questions']} questions, {found['by_model']} written by the model"
        f" ({found['truncated']} cut short), {found['by_extract']} by extract"
        f" ({found['degraded']} degraded), {found['unanswered']} not in the pages"
    )
    for reason, count in found["reasons"].items():
        yield f"  {count} × {reason}"
