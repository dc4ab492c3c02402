"""Settle which words of a question may be left over, and where an English compound's words go."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rag.language.lexicon import NOUNS_OF_VERBS
from rag.language.morphology import roots
from rag.language.words import CREATING_TOO, LIGHT, NEW, REPEATED, WRAPPERS

# the first set of the lexicon, in both languages
CREATING = "s:0"


@dataclass(frozen=True, slots=True)
class Word:
    """Hold one word that must find its like in the other question.

    ``sort``: word, name, number, unit, date, version, quantity or polarity. ``form``: verb, part
    (a participle) or noun (all else). ``role`` is what the preposition before it says. ``spare``: a
    word that may be left over. ``known`` is None where no lexicon was at hand.
    """

    text: str
    keys: tuple[str, ...]
    sort: str = "word"
    form: str = "noun"
    role: str = ""
    negation: str = ""
    gender: str = ""
    reflexive: bool = False
    spare: bool = False
    known: bool | None = None


def settled(words: list[Word], lang: str) -> tuple[Word, ...]:
    """Return the words with those marked spare that only help another one along."""
    words = _compounds(_renewed(words), lang)
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else None
        if following is None or word.sort != "word":
            continue
        again = word.text in REPEATED and following.form == "part"
        light = word.text in LIGHT and is_action(following, lang)
        wraps = word.text.rstrip("s") in WRAPPERS and word.form != "verb"
        wrapper = wraps and following.form == "noun"
        if light or wrapper or again:
            words[place] = replace(word, spare=True)
    return tuple(words)


def _renewed(words: list[Word]) -> list[Word]:
    """Return the words, *new* spare where it is of what the verb before it creates."""
    words = list(words)
    for place, word in enumerate(words):
        if word.text not in NEW or not place:
            continue
        before = _creating(words[place - 1])
        of_noun = before.form == "noun" and word.role in {"source", "of"}
        if CREATING in before.keys and (word.role in {"", "object"} or of_noun):
            words[place - 1] = before
            words[place] = replace(word, spare=True)
    return words


def _compounds(words: list[Word], lang: str) -> list[Word]:
    """Return the words, an English compound's action first: `order cancellation`."""
    if lang != "en":
        return list(words)
    words = _genitives(words)
    if len(words) < 2 or words[-1].role:
        return words
    last = words[-1]
    moved = last.form == "noun" and last.text.endswith(("tion", "sion")) and last.sort == "word"
    plain = all(word.sort == "word" and not word.role for word in words[:-1])
    return [last, *words[:-1]] if moved and plain else words


def is_action(word: Word, lang: str) -> bool:
    """Say whether a noun names what a verb does."""
    named = word.text in NOUNS_OF_VERBS[lang] or bool(roots(word.text, lang, "noun"))
    return named and word.form == "noun"


def _creating(word: Word) -> Word:
    """Return *enregistrer* as a word for creating, which it is of something new."""
    records = word.form == "verb" and word.text in CREATING_TOO
    return replace(word, keys=(*word.keys, CREATING)) if records else word


def _genitives(words: list[Word]) -> list[Word]:
    """Return the words with what follows an English *of* before its head: `order invoice`."""
    kept: list[Word] = []
    place = 0
    while place < len(words):
        if words[place].role != "of" or not kept:
            kept.append(words[place])
            place += 1
            continue
        end = next((at for at in range(place + 1, len(words)) if words[at].role), len(words))
        phrase = [replace(word, role="") for word in words[place:end]]
        movable = bool(kept) and kept[-1].form != "verb"
        kept[len(kept) - movable : len(kept) - movable] = phrase
        place = end
    return kept
