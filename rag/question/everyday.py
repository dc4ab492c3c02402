"""What people say, and what manuals write: « virer » and *supprimer*, « ordi » and *ordinateur*.

The pairs stand in the languages' files. What is written is searched beside the asker's own words,
and weighs less: a manual may well use theirs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TypeAlias

from rag.language import analyzer, profiles

LONGEST = 6  # words of something said

Table: TypeAlias = Mapping[tuple[str, ...], tuple[str, ...]]


def written_for(words: Sequence[str], language: str) -> dict[str, tuple[str, ...]]:
    """Return, for each of a question's words that manuals say otherwise, the words they write.

    ``words`` are all of the question's, in order. Of what is said in several words, each that
    matters gets what is written; the longest that is said counts.
    """
    table = _table(language)
    folded = [analyzer.fold(word) for word in words]
    stems = [analyzer.stem(word, language) for word in words]
    found: dict[str, tuple[str, ...]] = {}
    start = 0
    while start < len(words):
        length, written = _longest(folded, stems, start, table)
        for word in words[start : start + length]:
            if not analyzer.is_stop_word(word, language):
                found[word] = written
        start += length or 1
    own = set(stems)
    told = {
        word: tuple(w for w in written if analyzer.stem(w, language) not in own)
        for word, written in found.items()
    }
    return {word: written for word, written in told.items() if written}


def _longest(
    folded: Sequence[str], stems: Sequence[str], start: int, table: Table
) -> tuple[int, tuple[str, ...]]:
    """Return how many words from a place on are one thing that is said, and what is written.

    The word itself counts before another of its stem: *virer* is no *virement*.
    """
    for length in range(min(LONGEST, len(stems) - start), 0, -1):
        for words in (folded, stems):
            written = table.get(tuple(words[start : start + length]))
            if written:
                return length, written
    return 0, ()


@cache
def _table(language: str) -> Table:
    """Return what is written for what is said, by its folded words and by their stems."""
    exact: dict[tuple[str, ...], dict[str, None]] = defaultdict(dict)
    stemmed: dict[tuple[str, ...], dict[str, None]] = defaultdict(dict)
    for line in profiles.load_profile(language).lines("everyday.said"):
        said, _, written = line.partition(" = ")
        words = [w for part in written.split(", ") for w in _telling(part, language)]
        for one in said.split(", "):
            exact[tuple(map(analyzer.fold, analyzer.words(one)))] |= dict.fromkeys(words)
            stemmed[tuple(analyzer.stems(one, language))] |= dict.fromkeys(words)
    return {key: tuple(words) for key, words in (stemmed | exact).items()}


def _telling(text: str, language: str) -> list[str]:
    return [w for w in analyzer.words(text) if not analyzer.is_stop_word(w, language)]
