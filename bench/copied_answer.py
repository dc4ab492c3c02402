"""What the office computer's server answers: sentences of the passages in the prompt it is sent."""

from __future__ import annotations

import re
from itertools import cycle, zip_longest

FEWEST_WORDS = 4  # of a sentence that is copied
TOKEN = re.compile(r"\s*(?:\w{1,4}|[^\w\s])")  # about 3 characters of French a token
PASSAGE = re.compile(r"^\[(\d+)\] (.+?)(?=^\[\d+\] |^[a-z]{6}$|^Question :|\Z)", re.M | re.S)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
LABEL = re.compile(r"^.{1,80}? : ")  # a condensed passage's heading
REFUSAL = "L'aide ne le dit pas."


def copied_answer(prompt: str, tokens: int) -> str:
    """Return the passages' first sentences with their numbers, then their second ones, …

    Rows of tables where there is no whole sentence. They begin anew until enough is said: a model's
    answer is no shorter for short passages.
    """
    passages = PASSAGE.findall(prompt)
    said: list[str] = []
    for sentence in cycle(_cited(passages, rows=False) or _cited(passages, rows=True)):
        said.append(sentence)
        if len(TOKEN.findall(" ".join(said))) >= tokens:
            break
    return " ".join(said) or REFUSAL


def _cited(passages: list[tuple[str, str]], *, rows: bool) -> list[str]:
    """Return sentences, or rows of tables, with their numbers; one a passage in turn."""
    found = [[f"{s.rstrip('.')} [{n}]." for s in _parts(text, rows)] for n, text in passages]
    return [sentence for one in zip_longest(*found) for sentence in one if sentence]


def _parts(passage: str, rows: bool) -> list[str]:
    """Return what a passage says, without its heading and what is cut."""
    heading, _, text = passage.strip().partition("\n")
    found = [part.strip() for part in SENTENCE_END.split(text or LABEL.sub("", heading))]
    whole = [p for p in found if len(p.split()) >= FEWEST_WORDS and not p.endswith("…")]
    return [part for part in whole if (" | " in part) == rows]
