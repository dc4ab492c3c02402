"""Text cut to fit a number of tokens: at line ends, then sentences, words, characters."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

_SENTENCES = re.compile(r"(?<=[.!?…。])\s+(?=[^\sa-zà-ÿ])")
_LEVELS: tuple[tuple[Callable[[str], list[str]], str], ...] = (
    (lambda text: text.split("\n"), "\n"),
    (_SENTENCES.split, " "),
    (lambda text: text.split(" "), " "),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Hold a text and the tokens it counts at most."""

    text: str
    tokens: int

    @classmethod
    def joined(cls, pieces: Sequence[Piece], joiner: str = "\n") -> Piece:
        """Join pieces; each joint may cost a token."""
        tokens = sum(piece.tokens for piece in pieces) + max(len(pieces) - 1, 0) * bool(joiner)
        return cls(joiner.join(piece.text for piece in pieces), tokens)


class Counts:
    """Remember how many tokens each text has, so that each is counted once, many at a time.

    A text counts for a token each 16 characters at least: a vocabulary's "unknown word" hides
    any length.
    """

    def __init__(self, count_tokens: Callable[[Sequence[str]], list[int]]) -> None:
        self._count_tokens = count_tokens
        self._known: dict[str, int] = {}

    def __getitem__(self, text: str) -> int:
        if text not in self._known:
            self.prepare([text])
        return self._known[text]

    def prepare(self, texts: Iterable[str]) -> None:
        """Count all texts that are new."""
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        if new:
            for text, tokens in zip(new, self._count_tokens(new), strict=True):
                self._known[text] = max(tokens, -(-len(text) // 16))


def fill(pieces: Sequence[Piece], limit: int, joiner: str = "\n") -> Iterator[Piece]:
    """Join neighbours as long as they stay within the limit. A longer piece stays alone."""
    group: list[Piece] = []
    tokens = 0
    for piece in pieces:
        cost = piece.tokens + bool(joiner)
        if group and tokens + cost > limit:
            yield Piece.joined(group, joiner)
            group, tokens = [], 0
        tokens += cost if group else piece.tokens
        group.append(piece)
    if group:
        yield Piece.joined(group, joiner)


def fit(text: str, limit: int, counts: Counts, level: int = 0) -> Iterator[Piece]:
    """Cut a text into pieces of at most ``limit`` tokens, at the best borders there are."""
    if counts[text] <= limit:
        yield Piece(text, counts[text])
        return
    if level == len(_LEVELS):
        yield from _slices(text, limit, counts)
        return
    split, joiner = _LEVELS[level]
    parts = [part for part in split(text) if part.strip()]
    counts.prepare(parts)
    short: list[Piece] = []
    for part in parts:
        if counts[part] <= limit:
            short.append(Piece(part, counts[part]))
            continue
        yield from fill(short, limit, joiner)
        short = []
        yield from fit(part, limit, counts, level + 1)
    yield from fill(short, limit, joiner)


def _slices(word: str, limit: int, counts: Counts) -> Iterator[Piece]:
    # A character may be four bytes, and each byte a token.
    size = max(limit // 4, 1)
    parts = [word[start : start + size] for start in range(0, len(word), size)]
    counts.prepare(parts)
    yield from fill([Piece(part, counts[part]) for part in parts], limit, "")
