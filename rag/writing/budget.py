"""Time to tokens: how much a model may read and write before the deadline.

Half of the time is aimed at, so that the answers' mean stays well under the deadline; a machine
that cannot give a worthwhile answer in half of it gets the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from rag.prompt import ANSWER_TOKENS, CONTEXT_TOKENS
from rag.writing.speed import Speed

AIMED_SHARE = 0.46  # of the time
TYPICAL_ANSWER = 64  # tokens: three sentences
SHORTEST_ANSWER = 28  # tokens: one sentence
WORTHWHILE_PASSAGES = 126  # tokens: the best sentences of three passages
SHORTEST_PASSAGES = 28  # tokens: one sentence
SAFETY = 0.95  # of the time is spent: speeds are means


@dataclass(frozen=True, slots=True)
class Budget:
    """Hold the tokens that the passages and the answer may take, as `estimate_tokens` counts."""

    passages: int
    answer: int


def fit(
    speed: Speed, timeout_s: float, left_s: float, fixed: int, load_s: float = 0.0
) -> Budget | None:
    """Return what fits, None when not even one sentence read and one written do.

    ``timeout_s`` is the whole time of a question, ``left_s`` what is left of it, ``fixed`` the
    estimated tokens to be read besides the passages, ``load_s`` what loading the model takes.
    """
    scale = speed.tokens_per_estimate
    left = (left_s - load_s) * SAFETY
    aimed = min(left, timeout_s * AIMED_SHARE - (timeout_s - left_s))
    write_s = TYPICAL_ANSWER / speed.output_tokens_per_s
    passages = (aimed - write_s) * speed.prompt_tokens_per_s - fixed * scale
    if passages < WORTHWHILE_PASSAGES:
        write_s = SHORTEST_ANSWER / speed.output_tokens_per_s
        most = (left - write_s) * speed.prompt_tokens_per_s - fixed * scale
        passages = min(WORTHWHILE_PASSAGES, most)
    if passages < SHORTEST_PASSAGES:
        return None
    passages = min(passages, CONTEXT_TOKENS - ANSWER_TOKENS - fixed * scale)
    read_s = (passages + fixed * scale) / speed.prompt_tokens_per_s
    answer = min(ANSWER_TOKENS, int((left - read_s) * speed.output_tokens_per_s))
    return Budget(int(passages / scale), max(SHORTEST_ANSWER, answer))
