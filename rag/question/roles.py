"""Read the words of a question: what each is, what part it plays, what is denied of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rag.language import profiles
from rag.language.lexicon import NOUNS_OF_VERBS, keys, known
from rag.language.morphology import is_infinitive, roots
from rag.language.tokenizer import MEASURES, Token
from rag.language.words import (
    ACCENTED,
    ARTICLES,
    CAN,
    COMPANIONS,
    CREATING_TOO,
    DATES,
    DETERMINERS,
    GENDERS,
    LIGHT,
    MUST,
    NEGATIONS,
    NEW,
    NOUNS_TOO,
    NUMBERS,
    PERSONS,
    QUANTITIES,
    REFERRING,
    REFLEXIVE,
    REPEATED,
    ROLES,
    SILENT,
    UNITS,
    WRAPPERS,
)

# the first set of the lexicon, in both languages
CREATING = "s:0"
Knows = Callable[[str], bool]
VERSION = re.compile(r"v\d[\w.]*|\d+(?:\.\d+){2,}")
DATE = re.compile(r"(?:19|20)\d\d|\d{1,2}[-/.]\d{1,2}(?:[-/.]\d{2,4})?|\d{4}-\d\d-\d\d")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
PARTICIPLE = re.compile(r".{2,}(?:é(?:e?s?)|ees?)", re.IGNORECASE)
SMALL = {lang: words | CAN | MUST for lang, words in SILENT.items()}
# a measure though it stands apart from its number: not `cuve 3 à la cuve 5`
MEASURED = MEASURES - frozenset("astm")
# words before which a word is a verb, in English
BEFORE_VERBS = profiles.union("words.verb.before") | PERSONS | CAN | MUST
# letters that stand for a word before a vowel only
ELISIONS = frozenset("lsndmtc")
FOLLOWS_VERB = profiles.union("words.person.after_verb")
WORD_SORTS = (
    ("number", NUMBERS),
    ("unit", UNITS),
    ("quantity", QUANTITIES),
    ("polarity", COMPANIONS),
)
# without `ne`, these deny nothing: `plus de 5`, `la personne`
DENYING_AFTER_NE = profiles.union("polarity.after_ne")


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


class Reader:
    """Read tokens into words, one after the other; state is what the small words announced."""

    def __init__(self, told: Sequence[Token], lang: str, knows: Knows | None) -> None:
        self._told = told
        self._lang = lang
        self._knows = knows
        self._shouted = sum(token.surface[:1].isupper() for token in told) * 2 > len(told) + 1
        self._denies = any(token.folded in {"ne", "n"} for token in told)
        self._words: list[Word] = []
        self._forget()

    def _forget(self) -> None:
        self._role = self._gender = ""
        self._reflexive = False

    def read(self) -> tuple[Word, ...]:
        """Return the words, small ones weighed and gone."""
        negation = ""
        for place, token in enumerate(self._told):
            denied = self._negation(token, place)
            if denied:
                negation = denied if negation in {"", "not"} else negation
                if denied != "not" and self._words and self._denies:
                    self._words[-1] = replace(self._words[-1], negation=denied)
                    negation = ""
            elif not self._is_silent(token, place):
                self._words.append(replace(self._word(token, place), negation=negation))
                negation = ""
                self._forget()
        if negation and self._words and not self._words[-1].negation:
            self._words[-1] = replace(self._words[-1], negation=negation)
        return settled(self._words, self._lang)

    def _negation(self, token: Token, place: int) -> str:
        folded = token.folded
        if folded in DENYING_AFTER_NE:
            return NEGATIONS[folded] if self._closes(place) else ""
        if folded == "no" and self._next(place) == "longer":
            return "no more"
        if token.quoted or folded not in NEGATIONS:
            return ""
        if folded == "pas" and self._denies and self._words and self._words[-1].negation:
            return ""
        return NEGATIONS[folded]

    def _next(self, place: int) -> str:
        return self._told[place + 1].folded if place + 1 < len(self._told) else ""

    def _closes(self, place: int) -> bool:
        """Say whether a `ne` stands a few words before, so that `plus` denies and counts not."""
        return any(token.folded in {"ne", "n"} for token in self._told[max(0, place - 5) : place])

    def _is_silent(self, token: Token, place: int) -> bool:
        folded = token.folded
        if self._is_name(token):
            return False
        self._role = self._role or self._announced(folded)
        if self._lang == "fr":
            self._gender = GENDERS.get(folded, self._gender)
        if folded in REFLEXIVE and self._lang == "fr" and len(token.surface) < 3:
            self._reflexive = True
        if folded in MEASURED and place and NUMBER.fullmatch(self._told[place - 1].folded):
            return False
        return self._is_small(token, place)

    def _is_small(self, token: Token, place: int) -> bool:
        """Say whether a word is a small one as it is typed and where it stands."""
        raw, folded = token.surface.lower(), token.folded
        before = self._told[place - 1].folded if place else ""
        if folded not in SMALL[self._lang] or not (raw.isascii() or raw in ACCENTED):
            return False
        if folded in NOUNS_TOO and before in ARTICLES:
            return False
        after = self._next(place)
        if len(raw) == 1 and (before == "+" or not after[:1].isalpha()):
            return False
        if len(raw) == 1 and raw in ELISIONS and len(after) > 1 and after[0] not in "aeiouyh":
            return False
        return bool(after) or ROLES[self._lang].get(folded, "object") == "object"

    def _announced(self, folded: str) -> str:
        """Return the role that a small word gives the next one; *de* after a noun is *of*."""
        role = ROLES[self._lang].get(folded, "")
        of_noun = role == "source" and self._lang == "fr" and self._words
        return "of" if of_noun and self._words[-1].form == "noun" else role

    def _is_name(self, token: Token) -> bool:
        if token.quoted:
            return True
        if token.surface == "I" and self._lang == "en":
            return False
        return token.surface[:1].isupper() and not token.opens and not self._shouted

    def _word(self, token: Token, place: int) -> Word:
        folded = token.folded
        sort = self._sort(token, place)
        if sort not in {"word", "name"}:
            return Word(_canonical(folded, sort), (f"w:{_canonical(folded, sort)}",), sort,
                        role=self._role)  # fmt: skip
        form = self._form(token, place)
        found = keys(folded, self._lang, form, reflexive=self._reflexive)
        return Word(
            text=folded,
            keys=found[:1] if sort == "name" else found,
            sort=sort,
            form=form,
            role="" if form == "verb" and self._role == "object" else self._role,
            gender=self._gender,
            reflexive=self._reflexive and form != "noun",
            known=self._known(folded),
        )

    def _known(self, word: str) -> bool | None:
        return None if self._knows is None else known(word, self._lang) or self._knows(word)

    def _sort(self, token: Token, place: int) -> str:
        folded = token.folded
        before = self._told[place - 1].folded if place else ""
        if VERSION.fullmatch(folded) or (before == "version" and folded[:1].isdigit()):
            return "version"
        if folded in DATES or DATE.fullmatch(folded):
            return "date"
        if NUMBER.fullmatch(folded):
            return "number"
        if self._is_name(token):
            return "name"
        return self._sort_of_word(folded)

    def _sort_of_word(self, folded: str) -> str:
        plain = folded.rstrip("s")
        for sort, table in WORD_SORTS:
            if folded in table or plain in table:
                return sort
        coded = not folded[0].isalpha() or any(character.isdigit() for character in folded)
        return "name" if coded else "word"

    def _form(self, token: Token, place: int) -> str:
        folded = token.folded
        before = self._told[place - 1].folded if place else ""
        if self._lang == "en":
            if folded.endswith("ed") and len(folded) > 4:
                return "part"
            if folded.endswith("ing") and len(folded) > 5:
                return "noun"
            return "verb" if before in BEFORE_VERBS or not self._words else "noun"
        beside = before in PERSONS or before == "ne" or self._next(place) in FOLLOWS_VERB
        if not beside and PARTICIPLE.fullmatch(token.surface):
            return "part"
        object_of_verb = before == "l" or (before in REFERRING and not self._words)
        free = object_of_verb or before not in DETERMINERS
        verb = beside or self._reflexive or (free and is_infinitive(folded))
        return "verb" if verb else "noun"


def _canonical(folded: str, sort: str) -> str:
    if sort == "number":
        return NUMBERS.get(folded, folded)
    if sort == "quantity":
        return QUANTITIES.get(folded, folded)
    if sort == "version":
        return folded.removeprefix("v")
    return folded.rstrip("s") if len(folded) > 3 and folded.isalpha() else folded


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
