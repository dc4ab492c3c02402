"""Pairs on disk -> batches of (question side, passage side) word arrays, one kind a batch."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from words import Lexicon

LONGEST_TEXT = 2_500
LONGEST_QUESTION_WORDS = 100
WINDOW_WORDS = (12, 120)
OPENING_SHARE = 0.3
TIMES_AN_EPOCH = {
    "title-section.fr": 2,
    "index-section": 2,
    "question-passage.piaf": 3,
    "more-fr-admin": 2,
    "synonyms.fr": 0.2,
}
OPENINGS = {
    "fr": (
        "Comment|Comment faire pour|Où|Pourquoi|Quel est|Quels sont|Quelle est|Qu'est-ce que"
        "|Qu'est-ce qu'un|À quoi sert|Puis-je|Peut-on|Est-ce que je peux|Je veux|Je voudrais"
        "|Je n'arrive pas à|Que faire pour|Que faire si|J'ai un problème avec|Doit-on|Faut-il"
        "|Quand|Combien|Qui peut|Que signifie|Est-il possible de|Dans quel cas|Où trouver"
        "|Bonjour, comment|Où se trouve|Comment ça marche"
    ).split("|"),
    "en": (
        "How to|How do I|How can I|Where is|Where do I find|Why|What is|What are|What is the"
        "|Can I|Is it possible to|I want to|I can't|I would like to|When|Which|What does it mean"
        "|What happens if|Do I need to|Who can|Should I|Help with|Does it"
    ).split("|"),
}


@dataclass(frozen=True, slots=True)
class Pairs:
    """Hold one file of pairs: its name, the words of both sides, the sources, the texts."""

    name: str
    anchors: list[np.ndarray]
    positives: list[np.ndarray]
    sources: list[str]
    texts: list[tuple[str, str]]

    @property
    def has_headings(self) -> bool:
        """Say whether the anchors are headings, keywords or questions over sections."""
        return "section" in self.name or "admin" in self.name


def read_pairs(folder: Path, lexicon: Lexicon) -> list[Pairs]:
    """Read every `*.jsonl.gz` of the folder, in the order of their names.

    Raises:
        FileNotFoundError: when the folder has no such file.
    """
    paths = sorted(folder.glob("*.jsonl.gz"))
    if not paths:
        raise FileNotFoundError(f"no *.jsonl.gz of pairs in {folder}")
    return [_read_file(path, lexicon) for path in paths]


def _read_file(path: Path, lexicon: Lexicon) -> Pairs:
    pairs = Pairs(path.name.removesuffix(".jsonl.gz"), [], [], [], [])
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            anchor = lexicon.read(row["anchor"][:LONGEST_TEXT])
            positive = lexicon.read(row["positive"][:LONGEST_TEXT])
            if len(anchor) and len(positive):
                pairs.anchors.append(anchor)
                pairs.positives.append(positive)
                pairs.sources.append(row["source"])
                pairs.texts.append((row["anchor"], row["positive"]))
    return pairs


class Sampler:
    """Deal batches of both sides, each of one file, as often as `TIMES_AN_EPOCH` says."""

    def __init__(
        self, files: list[Pairs], lexicon: Lexicon, size: int, rng: np.random.Generator
    ) -> None:
        self._files = {pairs.name: pairs for pairs in files}
        self._size, self._rng = size, rng
        self._waiting: dict[str, np.ndarray] = {}
        self._openings = {
            language: [lexicon.read(text) for text in texts] for language, texts in OPENINGS.items()
        }

    def plan(self) -> list[str]:
        """Return the file of every batch of one epoch, in random order."""
        names = []
        for name, pairs in self._files.items():
            batches = len(pairs.anchors) * TIMES_AN_EPOCH.get(name, 1) / self._size
            names += [name] * max(1, round(batches))
        self._rng.shuffle(names)
        return names

    def batch(self, name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the word arrays of both sides of the next pairs of a file."""
        pairs = self._files[name]
        chosen = self._next(name, len(pairs.anchors))
        anchors = [self._question(pairs, i) for i in chosen]
        return anchors, [self._window(pairs.positives[i]) for i in chosen]

    def _next(self, name: str, total: int) -> np.ndarray:
        waiting = self._waiting.get(name, np.zeros(0, np.int64))
        if len(waiting) < min(self._size, total):
            waiting = self._rng.permutation(total)
        self._waiting[name] = waiting[self._size :]
        return waiting[: self._size]

    def _question(self, pairs: Pairs, i: int) -> np.ndarray:
        words = pairs.anchors[i][:LONGEST_QUESTION_WORDS]
        if not pairs.has_headings or self._rng.random() > OPENING_SHARE:
            return words
        english = pairs.sources[i].endswith(("-en", ":en>fr"))
        openings = self._openings["en" if english else "fr"]
        return np.concatenate([openings[self._rng.integers(len(openings))], words])

    def _window(self, words: np.ndarray) -> np.ndarray:
        """Return a run of the passage's words; the beginning more often than any other."""
        length = int(self._rng.integers(WINDOW_WORDS[0], WINDOW_WORDS[1] + 1))
        if len(words) <= max(length, WINDOW_WORDS[0]) or self._rng.random() < 0.4:
            return words[:length] if len(words) > WINDOW_WORDS[0] else words
        start = int(self._rng.integers(0, len(words) - length + 1))
        return words[start : start + length]


def all_words(files: list[Pairs]) -> Iterator[np.ndarray]:
    """Yield the words of every text of every file."""
    for pairs in files:
        yield from pairs.anchors
        yield from pairs.positives
