"""Which action a question asks about, and whether a heading names it, its opposite or another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, lru_cache

from rag.language import analyzer, profiles
from rag.language.detection import question_language
from rag.language.lexicon import ANTONYMS, NEAR, SYNONYMS

HEADINGS_KEPT = 2_000
INFINITIVE = re.compile(r"\w{2,}(?:er|ir|[dtiv]re|[npl]cre|ompre|clure)")
PARTICIPLE = re.compile(rf"\w+(?:{profiles.alternatives('headings.participles')})")
SPOKEN = re.compile(
    rf"\b(?:{profiles.alternatives('headings.spoken')})\s*"
    rf"(?!(?:{'|'.join(profiles.in_order('headings.not_spoken'))})\b)(\w{{3,}})",
    re.IGNORECASE,
)
BEFORE = profiles.union("headings.before")
JOINED = re.compile(rf",| (?:{'|'.join(profiles.in_order('headings.joined'))}) ")
LIGHT = profiles.union("headings.light")
UNDOING = profiles.in_order("polarity.undoing_prefixes")
PARTICLES = profiles.union("headings.particles")


class Named(IntEnum):
    """How a heading stands to the action asked about, the better the higher."""

    OPPOSITE = 0
    OTHER = 1
    NOTHING = 2
    NOUN = 3
    VERB = 4
    SAME_VERB = 5


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """Hold the stem of a verb, those that mean the same, and those that mean the opposite.

    ``bare`` are the stem and those that mean the same, with and without a prefix that undoes;
    ``related`` they and the opposite ones.
    """

    stem: str
    alike: frozenset[str]
    opposite: frozenset[str]
    bare: frozenset[str]
    related: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Heading:
    """Hold the stems of a heading's verbs, and where it has none those of its other words.

    ``bare`` are all of them, with and without a prefix that undoes.
    """

    verbs: tuple[str, ...]
    others: tuple[str, ...]
    bare: frozenset[str]


def action_asked(question: str, told: Sequence[str]) -> Action | None:
    """Return the action that a question of these words asks how to do, None where it names none."""
    lang = question_language(question)
    infinitives = (word for word in told if lang == "fr" and word.endswith(("er", "ir", "re")))
    verb = next((word for word in infinitives if _is_telling_infinitive(word)), None)
    if verb is None:
        spoken = SPOKEN.search(question)
        verbs = (spoken.group(1).lower(),) if spoken else told[:1]
        verb = next((verb for verb in verbs if _is_telling(verb, lang)), None)
    if verb is None:
        return None
    particle = next((word for word in told if word in PARTICLES), "") if lang == "en" else ""
    return _action(f"{verb} {particle}".strip(), lang)


def _is_telling_infinitive(word: str) -> bool:
    return INFINITIVE.fullmatch(word) is not None and _is_telling(word, "fr")


def _is_telling(verb: str, lang: str) -> bool:
    return analyzer.fold(verb) not in LIGHT and not analyzer.is_stop_word(verb, lang)


def named(heading: Heading, action: Action) -> Named:
    """Say how a heading stands to an action.

    Its verbs tell, then the nouns of actions; a participle (« un client archivé ») names a state.
    """
    if heading.bare and heading.bare.isdisjoint(action.related):
        return Named.OTHER if heading.verbs else Named.NOTHING
    if heading.verbs:
        found = [_compared(stem, action) for stem in heading.verbs]
        best = max(found)
        return best if best > Named.OTHER else min(found)
    nouns = [_compared(stem, action) for stem in heading.others]
    if max(nouns, default=Named.NOTHING) > Named.OTHER:
        return Named.NOUN
    return Named.OPPOSITE if Named.OPPOSITE in nouns else Named.NOTHING


@lru_cache(maxsize=HEADINGS_KEPT)
def read_heading(heading: str, lang: str) -> Heading:
    """Return the words by which a heading of a page in ``lang`` names an action."""
    verbs = tuple(analyzer.stem(verb, lang) for verb in _verbs(heading, lang))
    told = () if verbs else analyzer.words(heading)
    nouns = tuple(analyzer.stem(word, lang) for word in told if not PARTICIPLE.fullmatch(word))
    return Heading(verbs, nouns, frozenset().union(*map(_without_prefix, verbs + nouns)))


def _verbs(heading: str, lang: str) -> list[str]:
    """Return the verbs that begin a heading and those joined to them: « Corriger ou supprimer »."""
    found: list[str] = []
    for number, part in enumerate(JOINED.split(heading)):
        told = [word for word in analyzer.words(part) if word not in BEFORE]
        if len(told) > 1 and analyzer.fold(told[0]) in LIGHT and INFINITIVE.fullmatch(told[1]):
            told.pop(0)
        verb = told[0] if told else ""
        if not _is_verb(verb, lang):
            if number == 0:
                break
            continue
        if analyzer.fold(verb) not in LIGHT:
            found.append(verb)
    return found


def _is_verb(word: str, lang: str) -> bool:
    if lang == "en":
        return word.endswith("ing") or analyzer.stem(word, lang) in _sets("en")
    return INFINITIVE.fullmatch(word) is not None


def _compared(stem: str, action: Action) -> Named:
    if stem == action.stem:
        return Named.SAME_VERB
    if stem in action.alike:
        return Named.VERB
    # one but for a prefix that undoes: activ-, desactiv-, reactiv-
    undone = not _without_prefix(stem).isdisjoint(action.bare)
    return Named.OPPOSITE if undone or stem in action.opposite else Named.OTHER


def _without_prefix(stem: str) -> frozenset[str]:
    cut = (stem.removeprefix(prefix) for prefix in UNDOING)
    return frozenset({stem, *(rest for rest in cut if len(rest) > 3)})


def _action(verb: str, lang: str) -> Action:
    stem = _stem(verb, lang)
    meant = {stem} | _synonyms({stem}, lang)
    alike, opposite = set(meant), set[str]()
    for sides in _sides():
        for here, there in (sides, sides[::-1]):
            if stem in here or (meant & here and not meant & there):
                opposite |= there
                # how the other language says it
                alike |= here if lang == "en" else set()
    opposite |= _synonyms(opposite, "fr") | _synonyms(opposite, "en")
    alike -= {stem}
    opposite -= alike | {stem}
    bare = _without_prefix(stem).union(*map(_without_prefix, alike))
    return Action(stem, frozenset(alike), frozenset(opposite), bare, bare | opposite)


def _synonyms(stems: Iterable[str], lang: str) -> set[str]:
    sets = _sets(lang)
    return {other for stem in stems for one in sets.get(stem, ()) for other in one}


def _stem(entry: str, lang: str) -> str:
    return " ".join(analyzer.stem(word, lang) for word in analyzer.words(entry))


@cache
def _sets(lang: str) -> dict[str, tuple[frozenset[str], ...]]:
    """Return the sets of synonyms in which each stem stands."""
    found: dict[str, tuple[frozenset[str], ...]] = {}
    for line in SYNONYMS[lang] + NEAR[lang]:
        stems = frozenset(_stem(entry, lang) for entry in line.split(",") if entry)
        for stem in stems:
            found[stem] = (*found.get(stem, ()), stems)
    return found


@cache
def _sides() -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
    """Return the stems of each line of opposites, those before the colon and those after it."""
    return tuple((_stems_of(one), _stems_of(other)) for one, other in ANTONYMS)


def _stems_of(told: Iterable[str]) -> frozenset[str]:
    return frozenset(stem for word in told for stem in analyzer.query_stems(word))
