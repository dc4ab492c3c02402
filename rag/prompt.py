"""Hits and question to prompt: rules first and always the same, passages in a stable order,
question last, so that Ollama reuses what it has already read (its cache is a common prefix)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rag.core.documents import Chunk, Hit
from rag.core.passages import read_passage
from rag.extraction.condense import condense
from rag.language.profiles import FALLBACK, load_profile
from rag.question import Question

REFUSAL = load_profile(FALLBACK).text("verification.refusal")
RULES = load_profile(FALLBACK).text("prompt.rules").format(refusal=REFUSAL)
CONTEXT_TOKENS = 4096
ANSWER_TOKENS = 320
CHAT_TOKENS = 8  # what a model's chat template adds
SHORT_ANSWER = 100  # tokens: below, the model is asked to be brief
PASSAGE_TOKENS = 40  # of a condensed passage, at least
# phi3's tokenizer cuts French help text at 2.6 to 3.2 characters a token; the low end is safe.
# Digits and signs are a token each, other scripts and emoji up to one a byte.
CHARACTERS_PER_TOKEN = 2.6
WORDS = re.compile(r"[^\W\d_\u0250-\U0010ffff]+| +")
LINES_KEPT = 10_000
ROLE_TOKEN = re.compile(
    r"<\s*\|[\s/]*\w+\s*\|\s*>|</?s>|\[/?INST\]|<</?SYS>>|</?(?:start|end)_of_turn>", re.I
)
NUMBER = re.compile(r"\[(\s*\d+\s*(?:[,;]\s*\d+\s*)*)\]")  # a page must not look like a passage
# nobody who writes a page can know it; one a process, so that passages stay a common prefix;
# consonants, so that no word holds it and few tokens do
MARK = "".join(secrets.choice("bcdfghjkmnpqrtvwxz") for _ in range(6))


@dataclass(frozen=True, slots=True)
class Draft:
    """Hold what an answer is to be written from: the question, mended, and what was found."""

    question: Question
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """Hold what is sent to a model; passage [n] is ``passages[n-1]``."""

    system: str
    user: str
    passages: tuple[Hit, ...]
    answer_tokens: int = ANSWER_TOKENS
    context_tokens: int = CONTEXT_TOKENS


def build_prompt(
    draft: Draft,
    passage_tokens: int = CONTEXT_TOKENS,
    answer_tokens: int = ANSWER_TOKENS,
) -> Prompt:
    """Build a prompt whose passages take at most ``passage_tokens``, as far as the context allows.

    Question and rules always stay whole. Passages that do not fit whole are condensed to the
    sentences that bear on the question; as many are sent as leaves each a sentence.
    """
    fixed = estimate_tokens(RULES) + fixed_tokens(draft)
    passage_tokens = min(passage_tokens, CONTEXT_TOKENS - ANSWER_TOKENS - fixed)
    chosen = _whole(draft.hits, passage_tokens) or _condensed(draft, passage_tokens)
    chosen.sort(key=lambda one: (one[0].chunk.page, one[0].chunk.position, one[0].chunk.id))
    lines = [f"[{n}] {text}" for n, (_, text) in enumerate(chosen, 1)]
    user = "\n".join([MARK, *lines, MARK, *_asked(draft, answer_tokens)])
    return Prompt(RULES, user, tuple(hit for hit, _ in chosen), answer_tokens)


def fixed_tokens(draft: Draft) -> int:
    """Estimate the tokens that are read anew for each question, whatever the passages."""
    asked = "\n".join([MARK, MARK, *_asked(draft, 0)])
    return estimate_tokens(asked) + CHAT_TOKENS


def whole_tokens(prompt: Prompt) -> int:
    """Estimate the tokens of a whole prompt."""
    return estimate_tokens(prompt.system) + estimate_tokens(prompt.user) + CHAT_TOKENS


def new_tokens(prompt: Prompt, last: Prompt) -> int:
    """Estimate the tokens of a prompt after what it begins with as the last one, rules alike."""
    read = _common_prefix(last.user, prompt.user)
    return estimate_tokens(prompt.user[read:]) + CHAT_TOKENS


def _common_prefix(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike, found by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one.startswith(other[low:middle], low):
            low = middle
        else:
            high = middle - 1
    return low


def estimate_tokens(text: str) -> int:
    """Estimate, on the safe side, the tokens of a text for a model without its tokenizer."""
    lines = text.split("\n")
    words, others = len(lines) - 1, 0
    for line in lines:  # sums of generators take twice as long
        letters, rest = _counted(line)
        words += letters
        others += rest
    return int(words / CHARACTERS_PER_TOKEN) + others + 1


@lru_cache(maxsize=LINES_KEPT)
def _counted(line: str) -> tuple[int, int]:
    """Return the characters of a line's words and spaces, and the bytes of all others.

    The lines of a page come again with other questions.
    """
    rest = WORDS.sub("", line)
    return len(line) - len(rest), len(rest.encode())


def neutralise(text: str) -> str:
    """Take out the tokens by which a chat model tells who speaks."""
    while (cleaned := ROLE_TOKEN.sub(" ", text)) != text:
        text = cleaned
    return text


def _asked(draft: Draft, answer_tokens: int) -> list[str]:
    question, rules = draft.question, load_profile(FALLBACK)
    texts = load_profile(question.language)
    previous = rules.text("prompt.previous") if question.follows else ""
    hints = texts.text("prompt.language"), texts.text("prompt.brief")
    hint = " ".join(filter(None, hints if answer_tokens < SHORT_ANSWER else hints[:1]))
    asked = rules.text("prompt.question").format(text=_line(question.raw))
    previous = previous.format(text=_line(question.follows))
    return [part for part in (previous, hint, asked) if part]


def _line(text: str) -> str:
    return " ".join(neutralise(text).replace(MARK, "").split())


def _whole(hits: Sequence[Hit], tokens: int) -> list[tuple[Hit, str]]:
    """Return all passages as they stand; nothing when they are too long together."""
    passages = [read_passage(hit.chunk).part(_whole_passage) for hit in hits]
    if sum(estimate for _, estimate in passages) > tokens:
        return []
    return [(hit, text) for hit, (text, _) in zip(hits, passages, strict=True)]


def _whole_passage(chunk: Chunk) -> tuple[str, int]:
    """Return a passage as it is sent whole, and the tokens estimated for it with its number."""
    text = _fenced(f"{chunk.path}\n{chunk.text}")
    return text, estimate_tokens(f"[9] {text}\n")


def _condensed(draft: Draft, tokens: int) -> list[tuple[Hit, str]]:
    """Return what fits of the best passages; the first gets twice the room of each other."""
    count = max(1, min(len(draft.hits), tokens // PASSAGE_TOKENS))
    chosen: list[tuple[Hit, str]] = []
    for number, hit in enumerate(draft.hits[:count]):
        parts = count - number + (number == 0)
        share = tokens * (2 if number == 0 else 1) // parts
        text = _fitting(hit, draft, share)
        tokens -= estimate_tokens(f"[9] {text}\n")
        chosen.append((hit, text))
    return chosen


def _fitting(hit: Hit, draft: Draft, tokens: int) -> str:
    """Return a passage's heading and the sentences that bear most on the question."""
    chunk = hit.chunk
    label = chunk.headings[-1] if chunk.headings else chunk.title
    longest = int((tokens - estimate_tokens(f"[9] {label} : \n")) * CHARACTERS_PER_TOKEN)
    while longest > 0:
        text = condense(chunk.text, draft.question, chunk.lang, longest)
        passage = _fenced(f"{label} : {text}")
        if estimate_tokens(f"[9] {passage}\n") <= tokens:
            return passage
        longest = int(longest * 0.85)
    return _cut(_fenced(f"{label} : {chunk.text}"), tokens)


def _cut(text: str, tokens: int) -> str:
    """Return the beginning of a text that stays within a number of tokens."""
    while text and estimate_tokens(text) > tokens:
        text = text[: int(len(text) * 0.9)]
    return text


def _fenced(text: str) -> str:
    """Return page text without what would end the fence, number a passage or take a role."""
    return NUMBER.sub(r"(\1)", neutralise(text).replace(MARK, ""))
