"""Words that ask nothing of the pages: thanks, greetings, insults, « t'es un robot ? ».

A text is small talk when every word of it is one of small talk and it is near enough to something
that is said so: the share of words in common (Dice 1945, https://doi.org/10.2307/1932409) and the
share that is said in this kind of talk, rare words weighing more. What is said, and what to reply,
stands in the languages' files.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

from rag.core.errors import ConfigError
from rag.language import profiles
from rag.language.analyzer import fold
from rag.language.messages import told

LONGEST = 14  # words: who writes more has something to ask
# what is near enough; of 4,400 questions over six sets of help pages none comes nearer than .62 to
# what is never searched
NEAR, NEAR_SEARCHED = 0.65, 0.75
LEAST = 0.5  # of the words in common, before those of the kind count
SHORTEST_MENDED = 6  # letters of a word that may be misspelt by one
WORD = re.compile(r"\w+")
DRAWN_OUT = re.compile(r"(\w)\1{2,}")  # « merciiii »
NOT_TALK = "none"

Words: TypeAlias = frozenset[str]
Replies: TypeAlias = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class SmallTalk:
    """Hold what kind of small talk a text is, in which language it is said.

    ``searched``: the pages may answer it (prices, opening hours, whom to call).
    """

    kind: str
    language: str
    searched: bool


@dataclass(frozen=True, slots=True)
class _Row:
    kind: str
    words: Words


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """Hold what is said in one language, the words of each kind, and what each word weighs."""

    language: str
    rows: tuple[_Row, ...]
    kinds: Mapping[str, Words]
    weights: Mapping[str, float]


def small_talk_of(text: str) -> SmallTalk | None:
    """Return what kind of small talk a text is; None where it asks something."""
    words = _words(text)
    if not 0 < len(words) <= LONGEST:
        return None
    share, kind, language = max(_nearest(words, said) for said in _every() if said.rows)
    searched = kind in profiles.union("small_talk.searched")
    if kind == NOT_TALK or share < (NEAR_SEARCHED if searched else NEAR):
        return None
    return SmallTalk(kind, language, searched)


def read_replies(path: Path | None) -> Replies:
    """Return the operator's own replies: a TOML file with a table a language, a text a kind.

    Raises: ConfigError for a file that cannot be read, or names a kind that is none.
    """
    if path is None:
        return {}
    import tomllib

    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"HELP_SMALL_TALK: {path} cannot be read: {error}") from None
    kinds = sorted(profiles.load_profile(profiles.FALLBACK).texts("small_talk.replies"))
    for language, texts in found.items():
        for kind, text in (texts if isinstance(texts, dict) else {"": ""}).items():
            if kind not in kinds or not isinstance(text, str) or not text.strip():
                raise ConfigError(
                    f"HELP_SMALL_TALK: {path}: {language} {kind} is no reply. Write a text under"
                    f" a language, as in [fr], for one of: {', '.join(kinds)}."
                )
    return found


def reply_to(talk: SmallTalk, replies: Replies) -> str:
    """Return what is replied; ``replies`` are the operator's own, by language and kind."""
    own = replies.get(talk.language, {}).get(talk.kind)
    return own or told("small_talk.replies", talk.kind, talk.language)


def _nearest(words: Sequence[str], said: _Said) -> tuple[float, str, str]:
    """Return how near the nearest thing said is, in [0, 1], and its kind."""
    known: set[str] = set()
    for word in words:
        found = _known(word, said)
        if found is None:
            return 0.0, NOT_TALK, said.language
        known.add(found)
    asked = _telling(frozenset(known), said.language)
    shares = ((_share(asked, row, said), row.kind) for row in said.rows)
    # of two that are as near, one that says that it is no small talk counts
    share, kind = max(shares, key=lambda one: (one[0], one[1] == NOT_TALK))
    return share, kind, said.language


def _share(asked: Words, row: _Row, said: _Said) -> float:
    """Return the mean of two shares: of the words in common, and of those said in this kind."""
    weights = said.weights
    whole = sum(weights[word] for word in asked)
    common = sum(weights[word] for word in asked & row.words)
    dice = 2 * common / (whole + sum(weights[word] for word in row.words))
    kind = sum(weights[word] for word in asked & said.kinds[row.kind])
    return (dice + kind / whole) / 2 if dice >= LEAST else dice / 2


def _telling(words: Words, language: str) -> Words:
    """Return the words without « svp » and the like, where there are others."""
    return words - profiles.load_profile(language).words("small_talk.neutral") or words


def _known(word: str, said: _Said) -> str | None:
    """Return the word as it is said, one slip forgiven; None for a word of another kind."""
    if word in said.weights or len(word) < SHORTEST_MENDED:
        return word if word in said.weights else None
    from rapidfuzz.distance import OSA

    near = (
        other
        for other in said.weights
        if len(other) >= SHORTEST_MENDED
        and other[0] == word[0]
        and OSA.distance(word, other, score_cutoff=1) <= 1
    )
    return next(near, None)


def _words(text: str) -> list[str]:
    return [DRAWN_OUT.sub(r"\1", word) for word in WORD.findall(fold(text))]


@cache
def _every() -> tuple[_Said, ...]:
    return tuple(map(_read, profiles.every()))


def _read(profile: profiles.LanguageProfile) -> _Said:
    rows = tuple(
        _Row(kind, _telling(frozenset(_words(line)), profile.code))
        for kind in profile.texts("small_talk.said")
        for line in profile.lines(f"small_talk.said.{kind}")
    )
    spread = Counter(word for row in rows for word in row.words)
    spread |= Counter(profile.words("small_talk.neutral"))
    weights = {word: math.log(1 + len(rows) / count) for word, count in spread.items()}
    kinds: dict[str, Words] = defaultdict(frozenset)
    for row in rows:
        kinds[row.kind] |= row.words
    return _Said(profile.code, rows, kinds, weights)
