"""Words of a text as BM25 sees them: elision cut, Snowball stems, accents folded, stop words known.

The Elasticsearch analyzers of `stores.elasticsearch` name the same steps in the same order.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache

import snowballstemmer

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*", re.UNICODE)
WORD_CHARACTERS = re.compile(r"\w+")
LETTERS = re.compile(r"[^\W\d_]+")
ENDING = re.compile(r"'(?:s|re|ve|ll|t|m)\b")
CONTRACTED = re.compile(rf"(\w){ENDING.pattern}")
ELISION = re.compile(
    r"^(?:l|d|c|j|m|n|s|t|qu|jusqu|lorsqu|puisqu|quoiqu|quelqu|presqu)['’](?=.)", re.IGNORECASE
)
STOP_WORDS = {
    "fr": frozenset(
        "a ai aie as au aux avec avez avoir ayant c ce ceci cela ces cet cette ceux chez ci comme "
        "comment d dans de des donc dont du elle elles en es est et etaient etait etant ete etes "
        "etre eu eux faire fait faut font il ils j je l la le les leur leurs lui m ma mais me mes "
        "moi mon n ne nos notre nous on ont ou par pas peut peux pour pourquoi puis qu quand que "
        "quel quelle quelles quels qui quoi s sa sans se sera ses si soit son sont sous suis sur "
        "t ta te tes toi ton tous tout toute toutes tu un une vers vos votre vous y".split()
    ),
    "en": frozenset(
        "a about am an and are as at be by can could do does for from had has have how i if in "
        "into is it its me my of on or our should so that the their then there these they this "
        "to us was we were what when where which who why will with would you your".split()
    ),
}
# what short questions are made of where they hold no function word
ONLY = {
    "fr": STOP_WORDS["fr"] - STOP_WORDS["en"],
    "en": STOP_WORDS["en"] - STOP_WORDS["fr"]
    | set(
        "add all any buy cancel cannot change check copy create customer customers delete "
        "download edit file find forgot forgotten get give invoice invoices lock "
        "lost make merge missing move name new no not open order orders password print printed "
        "remove rename reset save search see sell send set show start stop undo unlock update "
        "upload use user users view wine without wrong".split()
    ),
}
# no other French word ends like that
ENGLISH_LOANS = set(
    "branding camping casting coaching holding leasing listing mailing emailing marketing "
    "merchandising meeting networking packaging parking phishing planning pressing reporting "
    "scoring sourcing streaming timing tracking training".split()
)
# in the order of the index's columns; a match in a title says more than one in the text
FIELD_WEIGHTS = {"title": 4.0, "headings": 2.0, "questions": 2.0, "text": 1.0}
STEMMERS = {"fr": "french", "en": "english"}
OTHER_APOSTROPHES = "’ʼ`´"
QUESTIONS_KEPT = 100  # each is asked about several times in a row
APOSTROPHES = str.maketrans(OTHER_APOSTROPHES, "''''")


@lru_cache(maxsize=200_000)
def fold(word: str) -> str:
    """Return the word in lower case without accents or ligatures."""
    word = word.lower()
    if word.isascii():
        return word
    word = word.replace("œ", "oe").replace("æ", "ae")
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


def words(text: str) -> list[str]:
    """Return the words in order, lower case, elided articles cut (``l'été`` -> ``été``)."""
    text = _straight(unicodedata.normalize("NFC", text)).lower()
    if "'" not in text and "_" not in text:
        return WORD_CHARACTERS.findall(text)
    parts = (_parts(word) if "'" in word else (word,) for word in WORD.findall(text))
    return [part for word in parts for part in word]


@lru_cache(maxsize=QUESTIONS_KEPT)
def question_words(question: str) -> tuple[str, ...]:
    """Return what `words` does for a question."""
    return tuple(words(question))


def _straight(text: str) -> str:
    """Return the text with straight apostrophes; a table of characters is ten times slower."""
    for other in OTHER_APOSTROPHES:
        text = text.replace(other, "'")
    return text


def _parts(word: str) -> list[str]:
    bare = ELISION.sub("", word)
    return [bare] if bare == "aujourd'hui" else [part for part in bare.split("'") if part]


@cache
def _stemmer(lang: str) -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer(STEMMERS.get(lang, "french"))


@lru_cache(maxsize=200_000)
def stem(word: str, lang: str = "fr") -> str:
    """Return the accent-folded Snowball stem (Porter 2001, https://snowballstem.org) of a word."""
    return fold(_stemmer(lang).stemWord(word))


def stems(text: str, lang: str = "fr") -> list[str]:
    """Return the stem of each word of the text, stop words included, in order."""
    return [stem(word, lang) for word in words(text)]


def is_stop_word(word: str, lang: str = "fr") -> bool:
    """Say whether a word carries no meaning of its own in this language."""
    return fold(word) in STOP_WORDS.get(lang, STOP_WORDS["fr"])


def content_words(text: str, langs: Iterable[str] = ("fr",)) -> list[str]:
    """Return the distinct words that matter, in order; all of them when none is left."""
    stop_words = _stop_words(tuple(langs))
    every = list(dict.fromkeys(question_words(text)))
    folded = [word if word.isascii() else fold(word) for word in every]
    return [w for w, bare in zip(every, folded, strict=True) if bare not in stop_words] or every


@cache
def _stop_words(langs: tuple[str, ...]) -> frozenset[str]:
    """Return the stop words of all these languages."""
    return frozenset().union(*(STOP_WORDS.get(lang, STOP_WORDS["fr"]) for lang in langs))


@lru_cache(maxsize=50_000)
def query_stems(word: str) -> tuple[str, ...]:
    """Return the stems under which a question's word may stand in the index, in any language."""
    return tuple(dict.fromkeys(stem(word, lang) for lang in STEMMERS))


@lru_cache(maxsize=QUESTIONS_KEPT)
def question_language(text: str) -> str:
    """Return ``fr`` or ``en``: whose own words the text holds more of; French if in doubt."""
    text = _straight(text).lower()
    if ENDING.search(text):  # ten times faster than the other
        text = CONTRACTED.sub(r"\1", text)
    found = WORD_CHARACTERS.findall(text)
    if not "".join(found).isalpha():  # cut at digits too, which takes twice as long
        found = LETTERS.findall(text)
    english = french = 0
    for word in found:
        folded = word if word.isascii() else fold(word)
        english += folded in ONLY["en"] or _is_gerund(word)
        french += folded in ONLY["fr"] or folded != word
    return "en" if english > french else "fr"


def _is_gerund(word: str) -> bool:
    return len(word) > 5 and word.endswith("ing") and word not in ENGLISH_LOANS
