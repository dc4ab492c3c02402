"""Words of a text as BM25 sees them: elision cut, Snowball stems, accents folded, stop words known.

The Elasticsearch analyzers of `stores.elasticsearch` name the same steps in the same order.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache

import snowballstemmer

from rag.language import profiles
from rag.language.profiles import EVERYWHERE, FALLBACK

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*", re.UNICODE)
WORD_CHARACTERS = re.compile(r"\w+")
ELISIONS = profiles.in_order("tokenizer.elisions")
ELISION = re.compile(rf"^(?:{'|'.join(ELISIONS)})['’](?=.)", re.IGNORECASE)
WHOLE = profiles.union("tokenizer.whole")
STOP_WORDS = {one.code: one.words("words.stop") for one in profiles.every()}
# in the order of the index's columns; a match in a title says more than one in the text
FIELD_WEIGHTS = {"title": 4.0, "headings": 2.0, "questions": 2.0, "text": 1.0}
STEMMERS = {one.code: one.text("language.snowball") for one in profiles.every()}
OTHER_APOSTROPHES = "’ʼ`´"
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
    text = straight(unicodedata.normalize("NFC", text)).lower()
    if "'" not in text and "_" not in text:
        return WORD_CHARACTERS.findall(text)
    parts = (_parts(word) if "'" in word else (word,) for word in WORD.findall(text))
    return [part for word in parts for part in word]


def straight(text: str) -> str:
    """Return the text with straight apostrophes; a table of characters is ten times slower."""
    for other in OTHER_APOSTROPHES:
        text = text.replace(other, "'")
    return text


def _parts(word: str) -> list[str]:
    bare = ELISION.sub("", word)
    return [bare] if bare in WHOLE else [part for part in bare.split("'") if part]


@cache
def _stemmer(lang: str) -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer(STEMMERS.get(lang, STEMMERS[FALLBACK]))


@lru_cache(maxsize=200_000)
def stem(word: str, lang: str = FALLBACK) -> str:
    """Return the accent-folded Snowball stem (Porter 2001, https://snowballstem.org) of a word."""
    return fold(_stemmer(lang).stemWord(word))


def stems(text: str, lang: str = FALLBACK) -> list[str]:
    """Return the stem of each word of the text, stop words included, in order."""
    return [stem(word, lang) for word in words(text)]


def is_stop_word(word: str, lang: str = FALLBACK) -> bool:
    """Say whether a word carries no meaning of its own in this language."""
    return fold(word) in STOP_WORDS.get(lang, STOP_WORDS[FALLBACK])


def content_words(text: str, langs: Iterable[str] = (FALLBACK,)) -> list[str]:
    """Return the distinct words that matter, in order; all of them when none is left."""
    stop_words = [STOP_WORDS.get(lang, STOP_WORDS[FALLBACK]) for lang in langs]
    every = list(dict.fromkeys(words(text)))
    folded = [word if word.isascii() else fold(word) for word in every]
    stops = {bare for bare in folded if any(bare in table for table in stop_words)}
    return [w for w, bare in zip(every, folded, strict=True) if bare not in stops] or every


def languages(*others: str) -> tuple[str, ...]:
    """Return the languages that every question is read in, and those of the others that we know."""
    return tuple(dict.fromkeys((*EVERYWHERE, *(lang for lang in others if lang in STEMMERS))))


def query_stems(word: str, langs: tuple[str, ...] = EVERYWHERE) -> tuple[str, ...]:
    """Return the stems under which a question's word may stand in an index of these languages."""
    return tuple(dict.fromkeys(stem(word, lang) for lang in langs))
