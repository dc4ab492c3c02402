"""Whatever happens, in any order: one final event, in time, and nothing left behind.

Three hundred questions to servers that fail at random; the seed is printed with a failure.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from contextlib import aclosing
from pathlib import Path

from indexer.pipeline import run
from rag.api import open_retriever
from rag.assistant import Assistant
from rag.config.settings import Settings
from rag.core.answers import CompleteEvent, SourcesEvent
from rag.encoders import bundled_encoder
from rag.generators.ollama import OllamaGenerator
from rag.question import read_question
from rag.stores.sqlite import SqliteStore
from rag.writing.speed import SpeedBook
from rag.writing.writer import Writer
from tests.scripted import END, HEAD, ScriptedServer, line, reply, unused_url

RUNS = 300
AT_ONCE = 4  # more would measure the machine
SEED = int(os.environ.get("SOUFFLEUR_SEED", "20261121"))
QUESTIONS = ["Comment créer un client ?", "supprimer une facture", "How do I export invoices?"]
SENTENCES = [
    "Ouvrez Clients > Tous les clients et cliquez sur Nouveau client [1].",
    " Choisissez le type [2]. ",
    "Ouv",
    "\n- ",
    "[",
    "http://mal.example/x ",
    "é" * 50,
    "",
]
COUNTERS = {"prompt_eval_count": 300, "prompt_eval_duration": 10**7, "eval_count": 9}


class LateError(AssertionError):
    """The last event came too late."""


def random_script(chance: random.Random) -> list[object]:
    """What a server may do: wait, send, break off, send junk, end well."""
    if chance.random() < 0.1:
        return [reply(chance.choice([400, 404, 429, 500, 503]), {"error": "non"})]
    script: list[object] = [chance.choice([0.0, 0.0, 0.05, 0.3, 9.0])]
    if chance.random() < 0.95:
        script.append(HEAD)
    for _ in range(chance.randrange(8)):
        script.append(line(chance.choice(SENTENCES)))
        script.append(chance.choice([0.0, 0.0, 0.02, 0.2, 9.0]))
    script += chance.choice(
        [
            [line(done=True, done_reason="stop", **COUNTERS), END],
            [line(done=True, done_reason="length", **COUNTERS), END],
            [b'10\r\n{"error":"boom"}\r\n', END],
            [b"5\r\n{!!}\n\r\n", END],
            [END],
            [],
            [9.0],
        ]
    )
    return script


async def ask(assistant: Assistant, chance: random.Random, timeout_s: float) -> None:
    question = chance.choice(QUESTIONS)
    leaves_after_s = chance.choice([None, None, None, chance.random() * timeout_s])
    finals, last, start = 0, None, time.monotonic()
    events = assistant.stream(question, conversation_id=chance.choice([None, "a"]))
    async with aclosing(events):
        async for event in events:
            last = event
            finals += isinstance(event, CompleteEvent)
            if leaves_after_s is not None and time.monotonic() - start > leaves_after_s:
                break
    took_s = time.monotonic() - start
    if took_s > timeout_s + 0.2:
        raise LateError(f"{took_s:.2f} s of {timeout_s} s")
    if leaves_after_s is None:
        assert finals == 1
        assert isinstance(last, CompleteEvent)
        assert last.answer.text.strip()
    else:
        assert finals <= 1
        assert isinstance(last, SourcesEvent | CompleteEvent) or not finals


async def run_one(seed: int, store, retriever) -> None:
    chance = random.Random(seed)
    timeout_s = chance.choice([0.4, 0.6])
    server = ScriptedServer(random_script(chance)).__enter__()
    url = server.url if chance.random() < 0.95 else unused_url()
    writer = Writer(OllamaGenerator("m", url, "5m"), SpeedBook(), timeout_s=timeout_s)
    assistant = Assistant(store, retriever, writer, timeout_s=timeout_s)
    try:
        for _ in range(chance.randrange(1, 3)):
            await ask(assistant, chance, timeout_s)
            server.script = random_script(chance)
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
    finally:
        await assistant.close()
        await asyncio.to_thread(server.__exit__)  # it waits for its threads


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_random_faults(corpus_folder, tmp_path):
    store = SqliteStore(tmp_path / "index.sqlite3")
    run([corpus_folder / "clients"], store, bundled_encoder())  # few: searching is not what is late
    retriever = open_retriever(Settings(), store)
    retriever.retrieve(read_question(QUESTIONS[0]))

    async def schedule() -> set[asyncio.Task]:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(seed: int) -> None:
            async with gate:
                try:
                    await run_one(seed, store, retriever)
                except LateError:
                    late.append(seed)

        late: list[int] = []
        await asyncio.gather(*(one(SEED + number) for number in range(RUNS)))
        assert len(late) < RUNS / 10
        for seed in late:  # a busy machine is not late twice at one place, a fault of ours is
            await run_one(seed, store, retriever)
        return asyncio.all_tasks() - {asyncio.current_task()}

    asyncio.run(run_one(SEED - 1, store, retriever))
    threads, files = threading.active_count(), open_files()
    assert asyncio.run(schedule()) == set()
    end = time.monotonic() + 2
    while time.monotonic() < end and (threading.active_count() > threads or open_files() > files):
        time.sleep(0.05)
    assert threading.active_count() <= threads
    assert open_files() <= files
    store.close()
