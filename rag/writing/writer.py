"""One model with its guards: a slot, a prompt fitted to the time left, a probe when it fails."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import secrets
import time
from collections.abc import AsyncGenerator, Coroutine
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import dataclass, replace

from rag.core.answers import Usage
from rag.core.deadline import Deadline
from rag.core.errors import DeadlineExceeded, HelpError, ModelUnavailable
from rag.generators import Generator
from rag.prompt import (
    MARK,
    RULES,
    Draft,
    Prompt,
    build_prompt,
    fixed_tokens,
    new_tokens,
    whole_tokens,
)
from rag.writing.background import Background
from rag.writing.budget import SHORTEST_ANSWER, SHORTEST_PASSAGES, Budget, fit
from rag.writing.run import Run
from rag.writing.slots import Slots
from rag.writing.speed import SpeedBook

LOAD_S = 120.0  # a model may take this long to be read from a disk
REMEASURE_S = 60.0
MEASURED_WORDS = 12  # some fifty tokens
SLOW_FAILURE_S = 0.5
READ_SHARE = 0.7  # of the tokens expected; fewer were read: the server has cut the prompt
READ_SHARE_UNKNOWN = 0.4  # while the model's tokenizer is not known
DURATION = re.compile(r"(-?\d+(?:\.\d+)?)(h|ms|m|s)?")
UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "": 1.0}
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """Say what was sent to which model; it comes before the model's text."""

    prompt: Prompt
    model: str


class Writer:
    """Let one model write, within its slots and what is known of its speed (``speed_name``).

    A generation that is given up before its first token keeps its slot: a probe, one token long,
    waits behind it in the server's queue, and gives the slot back when it has come through. While
    every slot is taken by a probe, no question waits.
    """

    def __init__(
        self,
        generator: Generator,
        speeds: SpeedBook,
        *,
        timeout_s: float,
        slots: int = 1,
        keep_alive: str = "60m",
        speed_name: str = "",
    ) -> None:
        self._generator = generator
        self._speeds = speeds
        self._timeout_s = timeout_s
        self._count = slots
        self._slots = Slots(slots)
        self._keep_alive_s = seconds(keep_alive)
        self._speed_name = speed_name or self.name
        self._probes: set[Background] = set()
        self._last_prompt: Prompt | None = None
        self._reason = "resting"

    @property
    def name(self) -> str:
        """Return the model's name."""
        return self._generator.name

    async def stream(
        self, draft: Draft, deadline: Deadline
    ) -> AsyncGenerator[Sent | str | Usage, None]:
        """Yield what is sent, the model's pieces, then its usage when it ended.

        Raises: ModelUnavailable with the reasons of `Generator.stream`, and ``busy`` (no slot),
        ``resting`` or ``loading`` (a probe is under way), ``slow`` (not even a sentence can be
        read and written in time), ``cut`` (the server did not read the whole prompt; what was
        yielded is not to be trusted); DeadlineExceeded.
        """
        await self._take_slot(deadline)
        run = Run()
        try:
            prompt = self._fitted(draft, deadline, run)
            yield Sent(prompt, self.name)
            async with aclosing(self._pieces(prompt, deadline, run)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            if run.abandoned:
                self._note_slowness(run)
                self._probe(self._one_token(_rules_prompt()))
            elif not run.measured:
                self._slots.give_back()

    async def warm(self) -> bool:
        """Load the model and its rules by generating one token; say whether that worked.

        This is also what health means: a server may list its models while it generates nothing.
        """
        if not await self._slots.take(0.0):
            return False
        return await asyncio.wrap_future(self._probe(self._warm_up(), "loading"))

    async def close(self) -> None:
        """End the probes that are under way; write what was learnt of the model's speed."""
        for probe in list(self._probes):
            await probe.cancel()
        self._speeds.flush()

    async def _take_slot(self, deadline: Deadline) -> None:
        if len(self._probes) >= self._count and self._reason == "resting":
            raise ModelUnavailable(f"{self.name} is being probed.", "resting")
        if self._slots.take_free():
            return
        speed = self._speeds.of(self._speed_name)
        shortest_s = (
            SHORTEST_PASSAGES / speed.prompt_tokens_per_s
            + SHORTEST_ANSWER / speed.output_tokens_per_s
        )
        try:
            async with deadline.wait():
                taken = await self._slots.take(deadline.left_s() - shortest_s)
        except TimeoutError:
            raise DeadlineExceeded(f"{self.name} had no slot in time") from None
        if not taken:
            reason = "loading" if self._probes else "busy"
            raise ModelUnavailable(f"{self.name} is busy: {reason}.", reason)

    def _fitted(self, draft: Draft, deadline: Deadline, run: Run) -> Prompt:
        """Return the prompt that can be read and answered in time."""
        speed = self._speeds.of(self._speed_name)
        in_memory = self._in_memory()
        fixed = fixed_tokens(draft)
        if not in_memory:
            fixed += whole_tokens(_rules_prompt())
        load_s = 0.0 if in_memory else speed.load_s
        budget = fit(speed, self._timeout_s, deadline.left_s(), fixed, load_s)
        if budget is not None:
            return build_prompt(draft, budget.passages, budget.answer)
        shortest = Budget(SHORTEST_PASSAGES, SHORTEST_ANSWER)
        prompt = build_prompt(draft, shortest.passages, shortest.answer)
        if not speed.known:
            return prompt
        if time.time() - speed.measured_at > REMEASURE_S:
            # with nobody waiting: the machine may have been busy when it was measured
            run.measured = True
            self._probe(self._one_token(prompt))
        raise ModelUnavailable(
            f"{self.name} reads {speed.prompt_tokens_per_s:.0f} tokens/s and writes"
            f" {speed.output_tokens_per_s:.0f}: no answer fits in {deadline.left_s():.1f} s. Raise"
            " HELP_TIMEOUT, or choose a smaller HELP_MODEL.",
            "slow",
        )

    async def _pieces(
        self, prompt: Prompt, deadline: Deadline, run: Run
    ) -> AsyncGenerator[str | Usage, None]:
        run.begin(self._new_tokens(prompt))
        try:
            async with aclosing(self._generator.stream(prompt, deadline)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Usage):
                        run.ended = True
                        cut = self._is_cut(prompt, piece)
                        # also when it is: a model may have got another tokenizer
                        self._learn(prompt, piece, 0 if cut else run.new_tokens)
                        if cut:
                            raise self._cut(prompt, piece)
                    else:
                        run.note_piece()
                    yield piece
        except DeadlineExceeded:
            self._learn_unended(prompt, run)
            raise
        except ModelUnavailable:
            run.ended = run.waited_s < SLOW_FAILURE_S
            raise

    def _in_memory(self) -> bool:
        age_s = time.time() - self._speeds.of(self._speed_name).used_at
        return 0 <= age_s < self._keep_alive_s

    def _new_tokens(self, prompt: Prompt) -> int:
        """Estimate the tokens that the server has not read for the prompt before; 0: not known."""
        last, self._last_prompt = self._last_prompt, prompt
        # without one, another process may have sent the same rules
        return new_tokens(prompt, last) if last is not None else 0

    def _is_cut(self, prompt: Prompt, usage: Usage) -> bool:
        """Say whether the server read too few tokens; 0: it does not count them."""
        speed = self._speeds.of(self._speed_name)
        share = READ_SHARE if speed.known else READ_SHARE_UNKNOWN
        expected = whole_tokens(prompt) * speed.tokens_per_estimate
        return 0 < usage.prompt_tokens < share * expected

    def _cut(self, prompt: Prompt, usage: Usage) -> ModelUnavailable:
        return ModelUnavailable(
            f"{self.name} read {usage.prompt_tokens} tokens of a prompt of about"
            f" {whole_tokens(prompt)}: its server cuts prompts. Give it a context of"
            f" {prompt.context_tokens} tokens or more (OLLAMA_CONTEXT_LENGTH).",
            "cut",
        )

    def _learn(self, prompt: Prompt, usage: Usage, new_tokens: int) -> None:
        loaded = usage.load_s > SLOW_FAILURE_S
        new = whole_tokens(prompt) if loaded else new_tokens
        now = time.time()
        self._speeds.change(
            self._speed_name, lambda speed: speed.learnt(usage, new, whole_tokens(prompt), now)
        )

    def _learn_unended(self, prompt: Prompt, run: Run) -> None:
        """Learn by the clock from an answer that the deadline cut off."""
        if run.first_s is None:
            return
        ratio = self._speeds.of(self._speed_name).tokens_per_estimate
        output_s = run.last_s - run.first_s  # what came after may have been a standstill
        tokens = round(whole_tokens(prompt) * ratio)
        self._learn(prompt, Usage(tokens, run.pieces, run.first_s, output_s), run.new_tokens)

    def _note_slowness(self, run: Run) -> None:
        if run.new_tokens and self._in_memory():
            now = time.time()
            self._speeds.change(
                self._speed_name, lambda speed: speed.slowed(run.new_tokens, run.waited_s, now)
            )

    async def _warm_up(self) -> bool:
        worked = await self._one_token(_rules_prompt())
        if worked and not self._speeds.of(self._speed_name).prompt_known:
            # the server had read the rules before: how fast it reads is seen on what it has not
            words = " ".join(secrets.token_hex(2) for _ in range(MEASURED_WORDS))
            worked = await self._one_token(replace(_rules_prompt(), user=f"{MARK}\n{words}"))
        return worked

    def _probe(
        self, generation: Coroutine[None, None, bool], reason: str = "resting"
    ) -> Future[bool]:
        """Start a probe, which holds the caller's slot and outlives the caller's event loop."""
        self._reason = reason
        probe = Background(generation, self._end_probe)
        self._probes.add(probe)
        probe.start()
        return probe.result

    def _end_probe(self, probe: Background) -> None:
        self._probes.discard(probe)
        self._slots.give_back()

    async def _one_token(self, prompt: Prompt) -> bool:
        run = Run()
        try:
            async with aclosing(self._pieces(prompt, Deadline(LOAD_S), run)) as pieces:
                async for _ in pieces:
                    pass
        except HelpError as error:
            logger.warning("%s", error)
            return False
        return True


def seconds(duration: str) -> float:
    """Return the seconds of a duration as Ollama writes it: 60m, 1h30m, 90, -1 (for ever)."""
    parts = DURATION.findall(duration)
    total = sum(float(number) * UNITS_S[unit] for number, unit in parts)
    return math.inf if total < 0 else total


def _rules_prompt() -> Prompt:
    return Prompt(RULES, MARK, (), answer_tokens=1)
