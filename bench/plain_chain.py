"""What a question costs without any of the care: five whole chunks in one prompt, no deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import ollama

from rag.core.documents import Hit

TIMEOUT_S = 120.0  # so that a measurement ends
# a model of random weights never ends by itself; help answers are about this long
ANSWER_TOKENS = 80
PROMPT = """Répondez à la question avec les passages suivants. Citez-les entre crochets.

{passages}

Question : {question}"""


@dataclass(slots=True)
class PlainAnswer:
    """Hold when a plain chain's first and last tokens came, and what was read and written."""

    first_token_ms: float | None = None
    last_ms: float = 0.0
    prompt_tokens: int = 0
    output_tokens: int = 0


async def ask_plainly(url: str, model: str, question: str, hits: Sequence[Hit]) -> PlainAnswer:
    """Ask a model at an Ollama server; ``prompt_tokens`` 0 says that it was given up."""
    passages = "\n\n".join(
        f"[{n}] {hit.chunk.path}\n{hit.chunk.text}" for n, hit in enumerate(hits, 1)
    )
    prompt = PROMPT.format(passages=passages, question=question)
    answer = PlainAnswer()
    start = time.perf_counter()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await _chat(ollama.AsyncClient(host=url), model, prompt, answer, start)
    except TimeoutError:
        pass
    answer.last_ms = _ms(start)
    return answer


async def _chat(
    client: ollama.AsyncClient, model: str, prompt: str, answer: PlainAnswer, start: float
) -> None:
    async with client:
        parts = await client.chat(
            model=model,
            messages=[{"role": "user", "content": prompt}],
            stream=True,
            options={"num_predict": ANSWER_TOKENS},
        )
        async for part in parts:
            if answer.first_token_ms is None:
                answer.first_token_ms = _ms(start)
            if part.done:
                answer.prompt_tokens = part.prompt_eval_count or 0
                answer.output_tokens = part.eval_count or 0


def _ms(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 1)
