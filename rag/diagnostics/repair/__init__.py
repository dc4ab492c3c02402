"""`doctor --fix`: an Ollama that hangs is stopped, started again and asked for a token."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing

from psutil import Process

from rag.config.settings import Settings
from rag.core.deadline import Deadline
from rag.core.errors import DeadlineExceeded, HelpError, ModelUnavailable
from rag.diagnostics.doctor import processes
from rag.diagnostics.doctor.model import missing_models
from rag.diagnostics.doctor.servers import OllamaServer
from rag.diagnostics.repair.managers import Manager, manager_of, manager_to_start
from rag.diagnostics.sections import OnProgress
from rag.generators import open_generators
from rag.prompt import MARK, RULES, Prompt

PAUSE_S = 5.0  # between stop and start, as long as a server may take to let go of its memory
STARTING_S = 10.0
WARMING_S = 60.0
Say = Callable[[str], None]


def restart_ollama(settings: Settings, say: Say) -> None:
    """Restart the Ollama of this machine by whatever runs it, then warm the model.

    Raises: HelpError, naming the command to give by hand, when that is not possible or not ours
    to do: another machine's server, another program, another user's process.
    """
    server = OllamaServer(settings.ollama_url)
    if not processes.is_local(server.host):
        raise HelpError(f"Ollama runs on {server.host}: restart it there.")
    process = processes.listener(server.port)
    if process is None:
        manager = manager_to_start(server, settings.data_dir)
        say(f"nothing listens at {server.where}")
    else:
        manager = manager_of(process, settings.data_dir)
        _stop(manager, process, say)
    say(f"start: {manager.starting}")
    manager.start()
    _wait_for(server, manager)
    models = server.models()
    say(f"{server.where} answers; models: {', '.join(sorted(models)) or 'none'}")
    if not missing_models(settings, models):
        _warm(settings, say)


def pull_missing(settings: Settings, say: Say, on_progress: OnProgress) -> None:
    """Fetch the models that the settings name and Ollama lacks. Raises: ModelUnavailable."""
    server = OllamaServer(settings.ollama_url)
    for name in missing_models(settings, server.models()):
        say(f"pull {name}, which may take minutes")
        for done, total in server.pull(name):
            on_progress(done, total)
        say(f"{name} is there")


def _stop(manager: Manager, process: Process, say: Say) -> None:
    say(f"stop: {manager.stopping}")
    end = time.monotonic() + PAUSE_S
    members = processes.family(process)
    manager.stop()
    left = processes.wait_gone(members, end - time.monotonic())
    if left:
        say("it does not end by itself: it is killed")
        processes.kill(left)
    time.sleep(max(0.0, end - time.monotonic()))


def _wait_for(server: OllamaServer, manager: Manager) -> None:
    end = time.monotonic() + STARTING_S
    while server.api().state != "up":
        if time.monotonic() > end:
            raise HelpError(
                f"Ollama does not answer at {server.where} within {STARTING_S:g} s after its"
                f" start. See what it says: {manager.log}"
            )
        time.sleep(0.1)


def _warm(settings: Settings, say: Say) -> None:
    start = time.monotonic()
    try:
        asyncio.run(_one_token(settings))
    except (DeadlineExceeded, ModelUnavailable) as error:
        raise HelpError(f"Ollama was restarted, but generates nothing: {error}") from None
    say(f"{settings.model} writes again after {time.monotonic() - start:.1f} s")


async def _one_token(settings: Settings) -> None:
    generator = open_generators(settings)[0]
    prompt = Prompt(RULES, MARK, (), answer_tokens=1)
    async with aclosing(generator.stream(prompt, Deadline(WARMING_S))) as pieces:
        async for _ in pieces:
            pass
