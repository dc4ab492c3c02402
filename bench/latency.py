"""Time questions over the sample pages, beside a plain chain: five whole chunks, no deadline.

    python bench/latency.py --model phi3:shaped --questions 30           # an Ollama at OLLAMA_URL
    python bench/latency.py --office --questions 30                      # bench/office_server.py
    python bench/latency.py --office --questions 30 --plain              # the plain chain
    python bench/latency.py … --json

The questions are those of tests/quality/questions.jsonl that the pages answer, in French, in an
order shuffled by a fixed seed; those that the evidence gate turns away call no model and are
counted apart. The pages are indexed in a temporary folder; nothing is known of the machine's speed.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import asyncio
import contextlib
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.plain_chain import TIMEOUT_S, ask_plainly
from bench.watched_writer import Generation, WatchedWriter
from indexer import pipeline
from rag import gate
from rag.api import open_writer
from rag.config.settings import Settings
from rag.diagnostics.benchmark import machine
from rag.diagnostics.datasets import Question, read_questions
from rag.diagnostics.streaming import Bench, open_bench, unload
from rag.diagnostics.timings import Timing, spread, summarise, time_question
from rag.encoders import bundled_encoder
from rag.question import read_question
from rag.retriever import Retriever
from rag.stores import open_store

ROOT = Path(__file__).parent.parent
SEED = 5
ENGLISH = "english"  # the office server copies the pages, which are French
QUESTIONS = ROOT / "tests" / "quality" / "questions.jsonl"


def main() -> None:
    """Index, ask, print."""
    options = _options()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(office_server()) if options.office else options.url
        settings = Settings(
            data_dir=folder,
            model=options.model,
            ollama_url=url,
            timeout_s=options.timeout,
            elasticsearch_url=None,
            _env_file=None,
        )
        store = open_store(settings)
        stack.callback(store.close)
        pipeline.run([options.pages], store, bundled_encoder())
        bench = open_bench(settings, store)
        known = read_questions(QUESTIONS, store.records())
        questions, refused = choose(known, bench.retriever, options.questions)
        measure = _plain if options.plain else _souffleur
        report = asyncio.run(measure(bench, questions))
    environment = machine() | {"model": settings.model, "timeout_s": settings.timeout_s}
    report = {"environment": environment, "refused_by_gate": refused} | report
    print(json.dumps(report, indent=2, ensure_ascii=False) if options.json else _text(report))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", type=Path, nargs="?", default=ROOT / "corpus")
    parser.add_argument("--model", default="phi3:mini")
    parser.add_argument("--url", default=os.environ.get("OLLAMA_URL", "http://127.0.0.1:11434"))
    parser.add_argument("--timeout", type=float, default=10.0, help="HELP_TIMEOUT, in seconds")
    parser.add_argument("--questions", type=int, default=30)
    parser.add_argument("--office", action="store_true", help="start bench/office_server.py")
    parser.add_argument("--plain", action="store_true", help="the plain chain instead")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


@contextlib.contextmanager
def office_server(*options: str) -> Iterator[str]:
    """Run the office computer's server in a process of its own; yield its address."""
    command = [sys.executable, str(ROOT / "bench" / "office_server.py"), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def choose(known: Sequence[Question], retriever: Retriever, count: int) -> tuple[list[str], int]:
    """Return ``count`` questions that the model is asked, and how many the gate turned away."""
    answered = [one.text for one in known if one.answered_by and one.group != ENGLISH]
    random.Random(SEED).shuffle(answered)
    chosen: list[str] = []
    refused = 0
    for question in answered:
        if len(chosen) == count:
            break
        if gate.answers(retriever.retrieve(read_question(question)).evidence):
            chosen.append(question)
        else:
            refused += 1
    return chosen, refused


async def _souffleur(bench: Bench, questions: Sequence[str]) -> dict[str, Any]:
    watched = WatchedWriter(open_writer(bench.settings))
    assistant = bench.assistant(watched)
    await unload(bench)  # a prefix in the server's cache would make the machine look faster
    if not await assistant.warm():
        sys.exit(f"{bench.settings.model} at {bench.settings.ollama_url} does not answer.")
    timings: list[Timing] = []
    for number, question in enumerate(questions, 1):
        timings.append(await time_question(assistant, question))
        _tell(number, len(questions))
    await assistant.close()
    return _written(timings, watched.generations) | {
        "speed": bench.speed(),
        "per_question": [_row(t, g) for t, g in zip(timings, watched.generations, strict=True)],
    }


def _written(timings: Sequence[Timing], generations: Sequence[Generation]) -> dict[str, Any]:
    begun = [generation for generation in generations if generation.pieces]
    return summarise(timings) | {
        "ended_by_model": sum(g.usage is not None and g.usage.ended == "stop" for g in begun),
        "ended_in_time": sum(g.usage is not None for g in begun),
        "begun": len(begun),
        "passages": spread(generation.passages for generation in begun),
        "fewest_passages": min((generation.passages for generation in begun), default=None),
        "prompt_tokens": spread(generation.prompt_tokens for generation in begun),
        "output_tokens": spread(generation.output_tokens for generation in begun),
    }


def _row(timing: Timing, generation: Generation) -> dict[str, Any]:
    return {
        "question": timing.question,
        "first_text_ms": timing.first_text_ms,
        "first_token_ms": timing.first_token_ms,
        "last_event_ms": timing.last_event_ms,
        "by_model": timing.by_model,
        "reason": timing.answer.reason,
        "passages": generation.passages,
        "prompt_tokens": generation.prompt_tokens,
        "output_tokens": generation.output_tokens,
        "ended": generation.usage.ended if generation.usage else None,
    }


async def _plain(bench: Bench, questions: Sequence[str]) -> dict[str, Any]:
    settings, answers = bench.settings, []
    for number, question in enumerate(questions, 1):
        hits = bench.retriever.retrieve(read_question(question)).hits
        answers.append(await ask_plainly(settings.ollama_url, settings.model, question, hits))
        _tell(number, len(questions))
    ended = [answer for answer in answers if answer.prompt_tokens]
    firsts = (answer.first_token_ms for answer in answers)
    return {
        "questions": len(answers),
        "first_text_ms": spread(ms for ms in firsts if ms is not None),
        "last_event_ms": spread(answer.last_ms for answer in answers),
        "by_model": len(ended),
        f"given_up_after_{TIMEOUT_S:.0f}_s": len(answers) - len(ended),
        "prompt_tokens": spread(answer.prompt_tokens for answer in ended),
        "output_tokens": spread(answer.output_tokens for answer in ended),
    }


def _tell(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {total}", end="\n" * (done == total), file=sys.stderr, flush=True)


def _text(report: dict[str, Any]) -> str:
    rows = [(name, value) for name, value in report.items() if name != "per_question"]
    return "\n".join(f"{name:22} {_figures(value)}" for name, value in rows)


def _figures(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{name} {figure}" for name, figure in value.items())


if __name__ == "__main__":
    main()
