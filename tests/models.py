"""Writers as tests need them: over any server, on a machine of any speed."""

from __future__ import annotations

import time
from dataclasses import replace

from rag.generators.ollama import OllamaGenerator
from rag.writing.speed import Speed, SpeedBook
from rag.writing.writer import Writer

FAST = Speed(5_000.0, 500.0)


def known(speed: Speed, model: str = "m") -> SpeedBook:
    """A book in which this model was measured just now, and is in memory."""
    speeds, now = SpeedBook(), time.time()
    speeds.change(
        model,
        lambda _: replace(
            speed, measured_at=now, used_at=now, prompt_known=True, output_known=True
        ),
    )
    return speeds


def writer_on(
    url: str, model: str = "m", speeds: SpeedBook | None = None, timeout_s: float = 5.0
) -> Writer:
    """A writer over the Ollama at this address; nothing is known of its speed unless given."""
    generator = OllamaGenerator(model, url, "5m")
    return Writer(generator, speeds or SpeedBook(), timeout_s=timeout_s)
