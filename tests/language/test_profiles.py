"""Every language's file holds what it must, and an author who errs is told where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from rag.core.errors import ConfigError
from rag.language import profiles, schema
from rag.language.analyzer import fold, stem

ALL = pytest.mark.parametrize("code", profiles.CODES)
# they are looked for in a text as it stands
SPELLED = (
    *("tokenizer", "answer.cues", "follow_up", "intent.asking", "detection.letters"),
    *("words.accented", "dates.months", "dates.days", "dates.lengths"),
)


def entries(code: str, kinds: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield what a language says under the names of one kind, each with its full name."""

    def inside(path: str, given: Any) -> Iterator[tuple[str, str]]:
        for name, part in given.items():
            inner = f"{path}.{name}".removeprefix(".")
            if isinstance(part, dict):
                yield from inside(inner, part)
            elif inner in kinds or f"{path}.*" in kinds:
                yield inner, part

    yield from inside("", profiles.load_profile(code).tables)


@ALL
def test_a_language_says_what_every_level_needs(code: str) -> None:
    profile = profiles.load_profile(code)
    assert profile.code == code
    assert profile.text("language.snowball")
    assert profile.words("words.stop")
    first = profiles.load_profile(profiles.FALLBACK)
    for table in ("messages", "problems", "report"):
        assert profile.texts(table).keys() == first.texts(table).keys()
        for key, text in profile.texts(table).items():
            places = set(re.findall(r"\{\w+", first.texts(table)[key]))
            assert set(re.findall(r"\{\w+", text)) == places, key


@ALL
def test_words_are_folded_unless_they_are_compared_as_spelled(code: str) -> None:
    for name, words in entries(code, schema.WORDS | schema.TABLES):
        if not name.startswith(SPELLED):
            assert words.split() == [fold(word) for word in words.split()], name


@ALL
def test_patterns_compile(code: str) -> None:
    for name, pattern in entries(code, schema.PATTERNS):
        assert re.compile(re.sub(r"\{[a-z]+\}", "", pattern.replace("\n", ""))), name
    for path in ("intent.openings", "intent.endings"):
        for _, pattern in profiles.load_profile(code).rules(path):
            assert re.compile(re.sub(r"\{[a-z]+\}", "", pattern))


@ALL
def test_no_list_says_a_word_twice(code: str) -> None:
    for name, words in entries(code, schema.WORDS):
        pairs = name in {"tokenizer.elided", "tokenizer.contractions", "tokenizer.denied"}
        told = words.split()[::2] if pairs else words.split()
        assert len(told) == len(set(told)), name


@ALL
def test_a_set_of_synonyms_holds_two_words_or_a_phrase(code: str) -> None:
    for line in profiles.load_profile(code).lines("lexicon.synonyms"):
        entries = [entry.strip() for entry in line.split(",")]
        assert len(entries) > 1 or " " in line, line
        assert all(entries) and len(entries) == len(set(entries)), line


@ALL
def test_a_word_is_not_its_own_opposite(code: str) -> None:
    for name, text in entries(code, schema.SIDES):
        here, colon, there = text.partition(" : ")
        assert colon and here.split() and there.split(), name
        assert not set(here.split()) & set(there.split()), name


@ALL
def test_stop_words_stem_without_error(code: str) -> None:
    assert all(stem(word, code) for word in profiles.load_profile(code).words("words.stop"))


def test_a_union_joins_the_languages() -> None:
    assert profiles.union("words.verb.can") >= {"peut", "can"}
    assert profiles.merged("numbers.cardinals")["douze"] == "12"
    found = re.findall(profiles.alternatives("answer.why"), "pourquoi, why")
    assert found == ["pourquoi", "why"]


def test_what_a_file_leaves_out_is_empty_and_finds_nothing() -> None:
    profile = profiles.read_profile("[language]\ncode = 'xx'", "xx.toml")
    assert profile.words("words.verb.can") == frozenset()
    assert profile.rules("intent.openings") == ()
    assert profile.table("quantities") == {}
    with pytest.raises(KeyError):
        profile.words("words.verb.kann")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[language]\ncode = 'xx'\n\n[words]\nstop = 'a'\nstpo = 'b'", 6, "stpo is unknown"),
        ("[language]\ncode = 'xx'\n[worbs]\nstop = 'a'", 3, "worbs is unknown"),
        ("[language]\ncode = 'xx'\n[words.verb]\ncan = ''", 4, "can is no text, or an empty one"),
        ("[language]\ncode = 'xx'\n[words]\nstop = ['a']", 4, "stop is no text"),
        ("[language]\nname = 'X'", 1, "code is missing"),
    ],
)
def test_an_error_names_the_file_and_the_line(text: str, line: int, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"^xx\.toml:{line}: {said}"):
        profiles.read_profile(text, "xx.toml")


def test_a_file_that_is_no_toml_is_said_to_be_none() -> None:
    with pytest.raises(ConfigError, match=r"^xx\.toml is no TOML: "):
        profiles.read_profile("[language]\ncode =", "xx.toml")
