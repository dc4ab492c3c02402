"""The language model: whether its server runs, has it, generates with it, and fast enough."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from rag.config.settings import Settings, is_address
from rag.core.answers import Usage
from rag.core.deadline import Deadline
from rag.core.errors import DeadlineExceeded, ModelUnavailable
from rag.core.invocation import command
from rag.core.records import Check
from rag.diagnostics import Finding
from rag.diagnostics.doctor_services import (
    OllamaServer,
    activity,
    free_bytes,
    is_installed,
    is_local,
    listener,
    named,
    ollama_ports,
)
from rag.diagnostics.doctor_site import megabytes
from rag.generators import Generator, open_generators
from rag.generators.ollama import OllamaGenerator
from rag.prompt import CHAT_TOKENS, MARK, RULES, Prompt, estimate_tokens, whole_tokens
from rag.writing.budget import fit
from rag.writing.speed import Speed

GENERATION_S = 5.0  # of a model that is in memory
LOADING_S = 8.0  # of one that has to be loaded first
MEASURED_S = 4.0
MEASURED_TOKENS = 16
FRESH_WORDS = 24
OTHERS = ("openai:", "anthropic:")
WORDS_PER_TOKEN = 0.6


def model_checks(settings: Settings) -> Iterator[Check]:
    """Look at the model that writes the answers, as far as each look allows the next."""
    if settings.degraded_mode:
        yield Check("generation", True, "off (HELP_DEGRADED_MODE): every answer is an extract")
        return
    generator = open_generators(settings)[0]
    if not isinstance(generator, OllamaGenerator):
        yield from _generation_checks(settings, generator, None)
        return
    server = _server(settings)
    if server is None:
        cure = "correct it, for example: OLLAMA_URL=http://127.0.0.1:11434"
        yield Check("ollama", False, "OLLAMA_URL is no server's address", cure)
        return
    check = ollama_check(server)
    yield check
    if check.ok:
        yield from _served_checks(settings, generator, server)


def ollama_check(server: OllamaServer) -> Finding:
    """Say whether Ollama is installed, runs, and answers."""
    api = server.api()
    if api.state == "up":
        return Finding("ollama", True, api.detail)
    if api.state == "wrong":
        return Finding("ollama", False, api.detail, "correct OLLAMA_URL")
    if not is_local(server.host):
        cure = f"start Ollama on {server.host}, or correct OLLAMA_URL"
        return Finding("ollama", False, api.detail, cure)
    if api.state == "blocked":
        return Finding("ollama", False, f"{api.detail}: it is blocked", _fix(), "blocked")
    return _stopped_check(api.detail)


def _stopped_check(detail: str) -> Finding:
    others = ollama_ports()
    if others:
        cure = f"correct OLLAMA_URL: an Ollama listens at port {', '.join(map(str, others))}"
        return Finding("ollama", False, detail, cure)
    if not is_installed():
        cure = "install it: https://ollama.com/download, or set HELP_DEGRADED_MODE=true"
        return Finding("ollama", False, f"{detail}, and Ollama is not installed", cure)
    cure = f"ollama serve, or: {_fix()}"
    return Finding("ollama", False, f"{detail}: it is stopped", cure, "stopped")


def missing_models(settings: Settings, there: dict[str, int]) -> list[str]:
    """Return the models of Ollama that the settings name and that are not among those."""
    return [name for name in wanted_models(settings) if named(name, there) is None]


def wanted_models(settings: Settings) -> list[str]:
    """Return the models of Ollama that the settings name: writers, then the encoder."""
    writers = [settings.model, *settings.fallback_models.split(",")]
    found = [name.strip() for name in writers if name.strip() and not name.startswith(OTHERS)]
    found = [name.removeprefix("ollama:") for name in found]
    kind, _, encoder = settings.embedding_model.partition(":")
    if settings.embeddings_enabled and kind == "ollama" and encoder:
        found.append(encoder)
    return list(dict.fromkeys(found))


def _served_checks(
    settings: Settings, generator: Generator, server: OllamaServer
) -> Iterator[Check]:
    try:
        there, before = server.models(), server.loaded()
    except ModelUnavailable:
        detail = "the interface answers, but does not list the models: it is blocked"
        yield Finding("models", False, detail, _fix(), "blocked")
        return
    missing = missing_models(settings, there)
    if missing:
        cure = " && ".join(f"ollama pull {name}" for name in missing)
        cure += f" (or: {command('doctor --fix --pull')})"
        detail = f"missing: {', '.join(missing)}; there: {', '.join(sorted(there)) or 'none'}"
        yield Finding("models", False, detail, cure, "missing")
    else:
        yield Check("models", True, ", ".join(wanted_models(settings)))
    name = named(generator.name, there)
    if name is None:
        return
    yield memory_check(there[name], before.get(name), is_local(server.host))
    yield from _generation_checks(settings, generator, server, is_loaded=name in before)


def memory_check(size: int, loaded: int | None, local: bool) -> Check:
    """Compare the size of a model's file with the memory that is free."""
    if loaded is not None:
        return Check("memory", True, f"the model is loaded, in {megabytes(loaded or size)}")
    if not local:
        return Check("memory", True, f"the model has {megabytes(size)}; its memory is not seen")
    free = free_bytes()
    detail = f"the model has {megabytes(size)}, {megabytes(free)} are free"
    cure = "end other programs, or choose a smaller model, for example: HELP_MODEL=gemma3:1b"
    return Check("memory", free > size, detail, "" if free > size else cure)


@dataclass(frozen=True, slots=True)
class _Outcome:
    usage: Usage
    seconds: float


def _generation_checks(
    settings: Settings,
    generator: Generator,
    server: OllamaServer | None,
    *,
    is_loaded: bool = True,
) -> Iterator[Check]:
    limit_s = GENERATION_S if is_loaded else LOADING_S
    try:
        first = _generate(generator, Prompt(RULES, MARK, (), answer_tokens=1), limit_s)
    except DeadlineExceeded:
        yield _silent_check(generator.name, server, is_loaded, limit_s)
        return
    except ModelUnavailable as error:
        yield Check("generation", False, str(error), _cure_of(error))
        return
    loading = "" if is_loaded else ", loading included"
    yield Check("generation", True, f"the first token after {first.seconds:.1f} s{loading}")
    yield speed_check(settings, generator)


def _silent_check(name: str, server: OllamaServer | None, is_loaded: bool, limit_s: float) -> Check:
    """Tell a blocked server from one that loads the model, or works for others."""
    silent = f"{name} did not write a token within {limit_s:g} s"
    if server is None:
        return Check("generation", False, silent, "look at the state of the model's server")
    local = is_local(server.host)
    process = listener(server.port) if local else None
    doing = activity(process) if process is not None else "unseen"
    if doing == "busy" and not is_loaded:
        cure = f"wait, then run: {command('doctor')}; if it never ends, choose a smaller HELP_MODEL"
        return Check("generation", False, f"{silent}: the model is being loaded", cure)
    if doing == "busy":
        cure = "wait until it has answered others, or choose a smaller HELP_MODEL"
        return Check("generation", False, f"{silent}: the server is busy or too slow", cure)
    if doing in {"stopped", "idle"}:
        detail = f"{silent}, though the interface answers: Ollama is blocked"
        return Finding("generation", False, detail, _fix(), "blocked")
    where = f"restart Ollama on {server.host}" if not local else "restart Ollama"
    return Check("generation", False, f"{silent}: blocked, loading or busy", where)


def speed_check(settings: Settings, generator: Generator) -> Check:
    """Measure tokens a second, and say what they mean for an answer within HELP_TIMEOUT."""
    speed, rate = _measured(generator)
    timeout_s, within = settings.timeout_s, f"within HELP_TIMEOUT={settings.timeout_s:g} s"
    budget = fit(speed, timeout_s, timeout_s, CHAT_TOKENS)  # the rules are read before
    if budget is None:
        cure = f"set HELP_TIMEOUT={_least_timeout_s(speed)}, or choose a smaller HELP_MODEL"
        return Check("speed", False, f"{rate}: not even a sentence {within}", cure)
    words = int(budget.answer * WORDS_PER_TOKEN)
    return Check("speed", True, f"{rate}: answers of up to {words} words {within}")


def _measured(generator: Generator) -> tuple[Speed, str]:
    """Return a model's speed, and how to say it."""
    fresh = " ".join(secrets.token_hex(4) for _ in range(FRESH_WORDS))  # never in a prefix cache
    prompt = Prompt(RULES, f"{MARK} {fresh}", (), answer_tokens=MEASURED_TOKENS)
    try:
        usage = _generate(generator, prompt, MEASURED_S).usage
    except (DeadlineExceeded, ModelUnavailable):
        slow = Speed(prompt_tokens_per_s=1.0, output_tokens_per_s=1.0)
        return slow, f"fewer than {MEASURED_TOKENS} tokens in {MEASURED_S:g} s"
    speed = Speed().learnt(usage, estimate_tokens(fresh), whole_tokens(prompt), time.time())
    read = f"reads {speed.prompt_tokens_per_s:,.0f} and " if speed.prompt_known else ""
    return speed, f"{read}writes {speed.output_tokens_per_s:,.0f} tokens/s"


def _least_timeout_s(speed: Speed) -> int:
    limits = (limit for limit in range(1, 600) if fit(speed, limit, limit, CHAT_TOKENS))
    return next(limits, 600)


def _generate(generator: Generator, prompt: Prompt, limit_s: float) -> _Outcome:
    return asyncio.run(_generated(generator, prompt, limit_s))


async def _generated(generator: Generator, prompt: Prompt, limit_s: float) -> _Outcome:
    start = time.perf_counter()
    first_s = math.inf
    usage = Usage(0, 0, 0.0, 0.0)
    async with aclosing(generator.stream(prompt, Deadline(limit_s))) as pieces:
        async for piece in pieces:
            first_s = min(first_s, time.perf_counter() - start)
            usage = piece if isinstance(piece, Usage) else usage
    return _Outcome(usage, first_s)


def _server(settings: Settings) -> OllamaServer | None:
    return OllamaServer(settings.ollama_url) if is_address(settings.ollama_url) else None


def _cure_of(error: ModelUnavailable) -> str:
    said: Sequence[str] = str(error).split(". ", 1)
    return said[1] if len(said) > 1 else "look at the log of the model's server"


def _fix() -> str:
    return command("doctor --fix")
