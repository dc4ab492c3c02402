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
    "question-passage.piaf": 5,
    "more-fr-admin": 4,
    "synonyms.fr": 0.3,
}
ALIGNED_DOCUMENTS = "fr-en"
NEIGHBOURS = "fr-en, neighbours"
NEIGHBOURS_TIMES_AN_EPOCH = 2
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

    def both_sides(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the words of the anchor and of the positive of every pair."""
        return zip(self.anchors, self.positives, strict=True)


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
        if ALIGNED_DOCUMENTS in self._files:
            paragraphs = len(self._files[ALIGNED_DOCUMENTS].anchors)
            names += [NEIGHBOURS] * round(paragraphs * NEIGHBOURS_TIMES_AN_EPOCH / self._size)
        self._rng.shuffle(names)
        return names

    def batch(self, name: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the word arrays of both sides of the next pairs of a file."""
        pairs = self._files[ALIGNED_DOCUMENTS if name == NEIGHBOURS else name]
        chosen = self._next(name, len(pairs.anchors))
        if name == NEIGHBOURS:
            both = [self._neighbours(pairs, i) for i in chosen]
            return [question for question, _ in both], [passage for _, passage in both]
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
        if not pairs.has_headings:
            return words
        return self._opened(words, english=pairs.sources[i].endswith(("-en", ":en>fr")))

    def _opened(self, words: np.ndarray, *, english: bool) -> np.ndarray:
        """Return the words, sometimes after the opening of a question."""
        if self._rng.random() > OPENING_SHARE:
            return words
        openings = self._openings["en" if english else "fr"]
        return np.concatenate([openings[self._rng.integers(len(openings))], words])

    def _neighbours(self, pairs: Pairs, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a paragraph, or a few words of it, and its surroundings in either language.

        Half of the passages leave the paragraph itself out (inverse cloze task, Lee et al.
        2019): the question must find the passage by what it is about.
        """
        sides = (pairs.anchors, pairs.positives)
        asked_english, read_english = self._rng.random() < 0.5, self._rng.random() < 0.3
        question = self._some_words(sides[asked_english][i])[:LONGEST_QUESTION_WORDS]
        with_itself = self._rng.random() < 0.5
        wanted = int(self._rng.integers(30, WINDOW_WORDS[1] + 1))
        j = max(0, i - int(self._rng.integers(0, 7)))
        parts: list[np.ndarray] = []
        while j < len(pairs.sources) and pairs.sources[j] == pairs.sources[i]:
            if j > i and sum(map(len, parts)) >= wanted:
                break
            if j != i or with_itself:
                parts.append(sides[read_english][j])
            j += 1
        passage = np.concatenate(parts) if parts else sides[read_english][i]
        return self._opened(question, english=bool(asked_english)), passage[:200]

    def _some_words(self, words: np.ndarray) -> np.ndarray:
        """Return the words, or half of the time three to ten of them in a row."""
        if len(words) <= 8 or self._rng.random() < 0.5:
            return words
        length = min(int(self._rng.integers(3, 11)), len(words))
        start = int(self._rng.integers(0, len(words) - length + 1))
        return words[start : start + length]

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
