"""What the office computer's server answers: sentences of the passages in the prompt it is sent."""

from __future__ import annotations

import re
from itertools import cycle, zip_longest

FEWEST_WORDS = 4  # of a sentence that is copied
TOKEN = re.compile(r"\s*(?:\w{1,4}|[^\w\s])")  # about 3 characters of French a token
PASSAGE = re.compile(r"^\[(\d+)\] (.+?)(?=^\[\d+\] |^#\w{6}$|^Question :|\Z)", re.M | re.S)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
LABEL = re.compile(r"^.{1,80}? : ")  # a condensed passage's heading
REFUSAL = "L'aide ne le dit pas."


def copied_answer(prompt: str, tokens: int) -> str:
    """Return the passages' first sentences with their numbers, then their second ones, …

    They begin anew until enough is said: a model's answer is no shorter for short passages.
    """
    passages = [
        [f"{s.rstrip('.')} [{n}]." for s in _sentences(t)] for n, t in PASSAGE.findall(prompt)
    ]
    found = [sentence for one in zip_longest(*passages) for sentence in one if sentence]
    said: list[str] = []
    for sentence in cycle(found):
        said.append(sentence)
        if len(TOKEN.findall(" ".join(said))) >= tokens:
            break
    return " ".join(said) or REFUSAL


def _sentences(passage: str) -> list[str]:
    """Return what a passage says, without its heading, cut sentences and rows of tables."""
    heading, _, text = passage.strip().partition("\n")
    found = [part.strip() for part in SENTENCE_END.split(text or LABEL.sub("", heading))]
    return [
        part
        for part in found
        if len(part.split()) >= FEWEST_WORDS and not part.endswith("…") and " | " not in part
    ]
