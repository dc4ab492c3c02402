"""What a model's server can do on its machine: tokens a second, learnt from its own counters.

The figures are kept by model in the data folder, so that a command that runs once knows them too.
"""

from __future__ import annotations

import logging
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from rag.core.answers import Usage

FILE = "speed.json"
NEW_SHARE = 0.4  # of a new measurement in the running mean
FEWEST_PROMPT_TOKENS = 16  # fewer, or a time near nothing, say nothing about a speed
FEWEST_OUTPUT_TOKENS = 4
SHORTEST_S = 0.0005
STALE_S = 600.0  # the machine may have been busy then: it is tried anew
OUTPUT_SHARE = 0.5  # of the prompt's speed, while the output's own is not known
WRITE_EVERY_S = 5.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Speed:
    """Hold a model's running means; those of an ordinary office computer before any measurement.

    ``tokens_per_estimate`` are the tokens that the model counts for one of `estimate_tokens`.
    ``measured_at`` is the wall clock, in seconds since 1970, 0 before any measurement; ``used_at``
    likewise the last time that the model was known to be in memory.
    """

    prompt_tokens_per_s: float = 60.0
    output_tokens_per_s: float = 25.0
    load_s: float = 2.0
    tokens_per_estimate: float = 1.0
    measured_at: float = 0.0
    used_at: float = 0.0
    prompt_known: bool = False
    output_known: bool = False

    @property
    def known(self) -> bool:
        """Say whether it was measured lately enough to turn a question down for it."""
        return self.prompt_known and 0 <= time.time() - self.measured_at < STALE_S

    def learnt(self, usage: Usage, new_estimate: int, whole_estimate: int, now: float) -> Speed:
        """Return the means with a generation added.

        ``new_estimate`` are the estimated tokens that the server had to read, 0 when nobody knows;
        ``whole_estimate`` those of the whole prompt.
        """
        first = self.measured_at == 0
        ratio = self.tokens_per_estimate
        if usage.prompt_tokens >= FEWEST_PROMPT_TOKENS:
            ratio = _mean(ratio, usage.prompt_tokens / max(1, whole_estimate), first)
        prompt, prompt_known = self.prompt_tokens_per_s, self.prompt_known
        tokens = min(new_estimate * ratio, usage.prompt_tokens)
        if tokens >= FEWEST_PROMPT_TOKENS and usage.prompt_s > SHORTEST_S:
            prompt = _mean(prompt, tokens / usage.prompt_s, not prompt_known)
            prompt_known = True
        output, output_known = self.output_tokens_per_s, self.output_known
        if usage.output_tokens >= FEWEST_OUTPUT_TOKENS and usage.output_s > SHORTEST_S:
            output = _mean(output, usage.output_tokens / usage.output_s, not output_known)
            output_known = True
        if prompt_known and not output_known:
            output = prompt * OUTPUT_SHARE
        load_s = _mean(self.load_s, usage.load_s, first) if usage.load_s > 0.5 else self.load_s
        return Speed(prompt, output, load_s, ratio, now, now, prompt_known, output_known)

    def slowed(self, new_estimate: int, waited_s: float, now: float) -> Speed:
        """Return the means after a prompt that was not even read within ``waited_s``."""
        at_most = new_estimate * self.tokens_per_estimate / max(waited_s, 0.01)
        prompt = min(self.prompt_tokens_per_s, max(at_most, self.prompt_tokens_per_s / 4))
        output = self.output_tokens_per_s if self.output_known else prompt * OUTPUT_SHARE
        return replace(
            self,
            prompt_tokens_per_s=prompt,
            output_tokens_per_s=output,
            measured_at=now,
            prompt_known=True,
        )


UNMEASURED = Speed()


class SpeedBook:
    """Keep the speed of each model, in memory and in a file that may be lost without harm.

    The file is written at the first change, then every few seconds at most, and by `flush`.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._speeds: dict[str, Speed] | None = None
        self._written = -WRITE_EVERY_S
        self._unwritten = False

    def of(self, model: str) -> Speed:
        """Return the speed of a model."""
        with self._lock:
            return self._all().get(model, UNMEASURED)

    def change(self, model: str, changed: Callable[[Speed], Speed]) -> None:
        """Replace the speed of a model by what ``changed`` makes of it."""
        with self._lock:
            speeds = self._all()
            speeds[model] = changed(speeds.get(model, UNMEASURED))
            self._unwritten = True
            if time.monotonic() - self._written >= WRITE_EVERY_S:
                self._write(speeds)

    def flush(self) -> None:
        """Write what was changed since the file was written."""
        with self._lock:
            if self._unwritten:
                self._write(self._all())

    def _all(self) -> dict[str, Speed]:
        if self._speeds is None:
            self._speeds = _read(self._path) if self._path else {}
        return self._speeds

    def _write(self, speeds: dict[str, Speed]) -> None:
        self._written, self._unwritten = time.monotonic(), False
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=FILE)
            with os.fdopen(handle, "wb") as file:
                file.write(orjson.dumps(speeds))
            Path(name).replace(self._path)
        except OSError as error:
            logger.debug("The model's speed is not kept: %s", error)


def _read(path: Path) -> dict[str, Speed]:
    speeds: dict[str, Speed] = {}
    with suppress(OSError, ValueError, TypeError, AttributeError):
        for model, values in orjson.loads(path.read_bytes()).items():
            speed = Speed(**values)
            numbers = [float(value) for value in values.values()]
            positive = min(speed.prompt_tokens_per_s, speed.output_tokens_per_s) > 0
            if positive and all(map(math.isfinite, numbers)):
                speeds[model] = speed
    return speeds


def _mean(old: float, new: float, first: bool) -> float:
    return new if first else old + NEW_SHARE * (new - old)
