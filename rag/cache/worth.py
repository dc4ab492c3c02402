"""Which answers are worth keeping, and how a kept one is read back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rag.types import Action, Answer, Source, Usage

UNSUPPORTED_TTL_S = 30.0


def worth_keeping_s(answer: Answer) -> float:
    """Return how long an answer may be kept: not at all, seconds, or as long as the settings say.

    Seconds when the model ended by itself and the passages did not support all that it wrote: it
    would write the same again.
    """
    ended = answer.usage is not None and answer.usage.ended == "stop"
    if not ended or not answer.answered or answer.degraded or answer.truncated:
        return 0.0
    return math.inf if answer.reason is None and answer.unsupported == 0 else UNSUPPORTED_TTL_S


def read_answer(data: Mapping[str, Any]) -> Answer:
    """Return the Answer that ``asdict`` made. Raises TypeError or KeyError for anything else."""
    values = dict(data)
    for name in ("sources", "retrieved"):
        values[name] = tuple(Source(**source) for source in values[name])
    values["actions"] = tuple(Action(**action) for action in values["actions"])
    for name in ("see_also", "legs"):
        values[name] = tuple(values[name])
    usage = values.get("usage")
    values["usage"] = Usage(**usage) if usage else None
    return Answer(**values)
