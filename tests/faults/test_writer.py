"""One model with its guards: its slot, its probe, its prompt, on servers that fail."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from rag.core.answers import Usage
from rag.core.deadline import Deadline
from rag.core.errors import DeadlineExceeded, ModelUnavailable
from rag.generators.ollama import OllamaGenerator
from rag.prompt import Draft, Prompt, build_prompt
from rag.question import read_question
from rag.writing.background import THREAD
from rag.writing.speed import Speed, SpeedBook
from rag.writing.writer import Sent, Writer, seconds
from tests.models import known, writer_on
from tests.scripted import END, HEAD, ScriptedServer, line, unused_url, wait_until

WORKS = [HEAD, line("Oui."), line(done=True, done_reason="stop"), END]
SILENT = [60.0]


@pytest.fixture
def draft(retriever) -> Draft:
    question = "Comment créer un client ?"
    found = retriever.retrieve(read_question(question))
    return Draft(found.question, found.hits)


async def written(writer: Writer, draft: Draft, limit_s: float = 5.0) -> list[object]:
    async with aclosing(writer.stream(draft, Deadline(limit_s))) as items:
        return [item async for item in items]


async def written_at_last(writer: Writer, draft: Draft, within_s: float = 5.0) -> list[object]:
    end = time.monotonic() + within_s
    while True:
        try:
            return await written(writer, draft)
        except ModelUnavailable:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.05)


async def refusal(writer: Writer, draft: Draft, limit_s: float = 5.0) -> tuple[str, float]:
    start = time.monotonic()
    with pytest.raises(ModelUnavailable) as refused:
        await written(writer, draft, limit_s)
    return refused.value.reason, time.monotonic() - start


def test_what_is_sent_comes_first_and_what_it_cost_last(draft):
    with ScriptedServer(WORKS) as server:
        sent, *pieces, usage = asyncio.run(written(writer_on(server.url), draft))
    assert isinstance(sent, Sent)
    assert sent.prompt.passages
    assert pieces == ["Oui."]
    assert isinstance(usage, Usage)


@pytest.mark.parametrize("how", ["late", "closed", "cancelled"])
def test_a_prompt_given_up_unread_keeps_its_slot_until_the_server_is_back(how, draft):
    async def ask(server):
        writer = writer_on(server.url)
        if how == "late":
            with pytest.raises(DeadlineExceeded):
                await written(writer, draft, 0.3)
        else:
            task = asyncio.create_task(written(writer, draft))
            await asyncio.sleep(0.2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        refusals = [await refusal(writer, draft) for _ in range(3)]
        assert {reason for reason, _ in refusals} == {"resting"}
        assert max(took_s for _, took_s in refusals) < 0.05
        server.script = WORKS
        server.hang_up()
        # the probe's connection was cut: a question that comes soon after tries
        assert "Oui." in await written_at_last(writer, draft)
        await writer.close()
        return asyncio.all_tasks() - {asyncio.current_task()}

    with ScriptedServer(SILENT) as server:
        assert asyncio.run(ask(server)) == set()


def test_the_probe_waits_behind_the_prompt_that_was_given_up(draft):
    async def ask(server):
        writer = writer_on(server.url)
        with pytest.raises(DeadlineExceeded):
            await written(writer, draft, 0.3)
        await asyncio.to_thread(wait_until, lambda: len(server.requests) == 2, 2)
        await writer.close()

    with ScriptedServer(SILENT) as server:
        asyncio.run(ask(server))
        assert len(server.requests) == 2
        assert b'"num_predict":1,' in server.requests[1].replace(b" ", b"")


def test_a_probe_outlives_the_event_loop_of_the_question(draft):
    """As behind a web server that runs each question in a loop of its own."""
    with ScriptedServer(SILENT) as server:
        writer = writer_on(server.url)
        with pytest.raises(DeadlineExceeded):
            asyncio.run(written(writer, draft, 0.3))
        for _ in range(3):
            reason, took_s = asyncio.run(refusal(writer, draft))
            assert reason == "resting"
            assert took_s < 0.1
        assert THREAD in {thread.name for thread in threading.enumerate()}
        asyncio.run(writer.close())
        assert THREAD not in {thread.name for thread in threading.enumerate()}


def test_a_standstill_is_not_taken_for_a_slow_machine(draft):
    speeds = known(Speed(5_000.0, 500.0))
    script = [HEAD, *[line(" mot")] * 6, 60.0]
    with ScriptedServer(script) as server, pytest.raises(DeadlineExceeded):
        asyncio.run(written(writer_on(server.url, speeds=speeds), draft, 1.0))
    assert speeds.of("m").output_tokens_per_s > 100


def test_a_failure_that_comes_at_once_needs_no_rest(draft):
    writer = writer_on(unused_url())

    async def ask():
        return [await refusal(writer, draft) for _ in range(3)]

    for reason, took_s in asyncio.run(ask()):
        assert reason == "refused"
        assert took_s < 0.3


def test_one_question_has_the_slot_and_who_cannot_be_served_in_time_is_told(draft):
    async def ask(server):
        writer = writer_on(server.url, speeds=known(Speed(400.0, 40.0)))
        first = asyncio.create_task(written(writer, draft, 2.0))
        await asyncio.sleep(0.1)
        reason, took_s = await refusal(writer, draft, 1.8)
        assert reason == "busy"
        assert took_s < 1.5  # there is no point in waiting until nothing fits
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await writer.close()

    with ScriptedServer([HEAD, line("a"), 60.0]) as server:
        asyncio.run(ask(server))


def test_a_machine_that_is_too_slow_is_not_asked(draft):
    with ScriptedServer(WORKS) as server:
        writer = writer_on(server.url, speeds=known(Speed(5.0, 2.0)))
        reason, took_s = asyncio.run(refusal(writer, draft))
        assert server.requests == []
    assert reason == "slow"
    assert took_s < 0.1


def test_a_machine_thought_too_slow_is_measured_again_after_a_while(draft):
    speeds = known(Speed(5.0, 2.0))
    counters = {
        "prompt_eval_count": 270,
        "prompt_eval_duration": 10**8,
        "eval_count": 10,
        "eval_duration": 10**8,
        "load_duration": 10**9,
    }
    script = [HEAD, line("Oui."), line(done=True, done_reason="stop", **counters), END]

    def aged(speed):
        return replace(speed, measured_at=speed.measured_at - 100)

    async def ask(server):
        writer = writer_on(server.url, speeds=speeds)
        speeds.change("m", aged)
        assert (await refusal(writer, draft))[0] == "slow"
        for _ in range(100):
            if speeds.of("m").prompt_tokens_per_s > 100:
                break
            await asyncio.sleep(0.02)
        assert speeds.of("m").prompt_tokens_per_s > 100

    with ScriptedServer(script) as server:
        asyncio.run(ask(server))


def test_a_prompt_that_was_read_in_part_is_reported(ollama_url, chat_model):
    """Ollama cuts what is longer than its context, and answers 200."""

    class SmallContext(OllamaGenerator):
        def _request(self, prompt):
            request = super()._request(prompt)
            request["options"]["num_ctx"] = 256
            return request

    async def ask():
        writer = Writer(SmallContext(chat_model, ollama_url, "5m"), SpeedBook(), timeout_s=10.0)
        long = Prompt("Règles.", "mot de passe " * 400, ())
        return await writer._one_token(long), writer

    done, _ = asyncio.run(ask())
    assert not done


def test_another_tokenizer_is_not_taken_for_a_cut_prompt_for_ever(draft):
    """The same name may stand for another model after an update."""
    speeds = known(Speed(5_000.0, 500.0, tokens_per_estimate=3.0))
    tokens = build_prompt(draft).user.count(" ") * 2
    end = line(done=True, done_reason="stop", prompt_eval_count=tokens)

    async def ask(server):
        writer = writer_on(server.url, speeds=speeds)
        outcomes = []
        for _ in range(6):
            try:
                outcomes.append((await written(writer, draft))[1])
            except ModelUnavailable as error:
                outcomes.append(error.reason)
        return outcomes

    with ScriptedServer([HEAD, line("Oui."), end, END]) as server:
        outcomes = asyncio.run(ask(server))
    assert outcomes[0] == "cut"
    assert outcomes[-1] == "Oui."


def runner_pid(parent: int) -> int:
    """The process in which Ollama runs a model."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
            command = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == parent and b"runner" in command:
            return int(path.parent.name)
    raise AssertionError("Ollama runs no model")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_stopped_runner_costs_one_question_its_time_and_recovers_by_itself(own_ollama, draft):
    async def ask():
        writer = writer_on(own_ollama.url, "phi3:mini")
        assert await writer.warm()
        runner = runner_pid(own_ollama.pid)
        os.kill(runner, signal.SIGSTOP)
        try:
            start = time.monotonic()
            with pytest.raises(DeadlineExceeded):
                await written(writer, draft, 1.0)
            assert time.monotonic() - start < 1.2
            reason, took_s = await refusal(writer, draft)
            assert reason == "resting"
            assert took_s < 0.05
        finally:
            os.kill(runner, signal.SIGCONT)
        for _ in range(100):
            if not writer._probes:
                break
            await asyncio.sleep(0.05)
        items = await written(writer, draft)
        await writer.close()
        return items

    assert isinstance(asyncio.run(ask())[-1], Usage)


def test_a_killed_runner_is_loaded_again(own_ollama, draft):
    async def ask():
        writer = writer_on(own_ollama.url, "phi3:mini", timeout_s=30.0)
        assert await writer.warm()
        os.kill(runner_pid(own_ollama.pid), signal.SIGKILL)
        for _ in range(3):
            try:
                return await written(writer, draft, 30.0)
            except ModelUnavailable as error:
                assert error.reason == "failed"
        raise AssertionError("the model did not come back")

    assert isinstance(asyncio.run(ask())[-1], Usage)


def test_a_reader_who_leaves_makes_the_runner_fall_silent(own_ollama, draft):
    async def ask():
        writer = writer_on(own_ollama.url, "phi3:bavard", timeout_s=60.0)
        assert await writer.warm()
        runner = runner_pid(own_ollama.pid)
        async with aclosing(writer.stream(draft, Deadline(60.0))) as items:
            async for item in items:
                if isinstance(item, str):
                    break
            busy = cpu_s(runner)
        await asyncio.sleep(0.5)
        after = cpu_s(runner)
        await asyncio.sleep(1.0)
        return busy, after, cpu_s(runner)

    busy, after, later = asyncio.run(ask())
    assert later - after < 0.1, (busy, after, later)


@pytest.mark.parametrize(
    ("duration", "expected"),
    [("60m", 3600), ("1h30m", 5400), ("90", 90), ("-1", float("inf")), ("500ms", 0.5), ("0", 0)],
)
def test_durations_are_read_as_ollama_writes_them(duration, expected):
    assert seconds(duration) == expected


def test_threads_do_not_stay(draft):
    before = threading.active_count()
    with ScriptedServer(WORKS) as server:
        for _ in range(3):
            asyncio.run(written(writer_on(server.url), draft))
    assert threading.active_count() == before


def test_the_prompt_is_fitted_to_the_machine(draft):
    def sent(speed: Speed) -> Prompt:
        with ScriptedServer(WORKS) as server:
            writer = writer_on(server.url, speeds=known(speed), timeout_s=10.0)
            return asyncio.run(written(writer, draft, 10.0))[0].prompt

    fast, office = sent(Speed(5_000.0, 300.0)), sent(Speed(60.0, 32.0))
    assert fast.user.count("\n") > office.user.count("\n")
    assert len(fast.passages) == len(draft.hits)
    assert len(office.passages) >= 3
    assert office.answer_tokens < fast.answer_tokens
    assert fast == build_prompt(draft)
