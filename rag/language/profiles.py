"""Languages as data: what is known of each stands in a TOML file beside this one (see `schema`).

A file is read when it is first needed. Where a table is read for all languages at once, a view
joins those of each: `union`, `in_order`, `merged`, `alternatives`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from rag.core.errors import ConfigError
from rag.language.schema import KEYS, SECTIONS

Words: TypeAlias = frozenset[str]
Ordered: TypeAlias = tuple[str, ...]
Sides: TypeAlias = Mapping[str, tuple[Ordered, Ordered]]

FALLBACK = "fr"  # for texts in a language of which there is no file, and in doubt
CODES = (FALLBACK, "en", "es")  # those of which there is a file, the fallback first
# a question is looked for in their words whatever its own language is
EVERYWHERE = (FALLBACK, "en")
NOTHING = "(?!)"  # a pattern that finds nothing


@dataclass(frozen=True, slots=True, eq=False)
class LanguageProfile:
    """Hold what is known of a language; every method takes a dotted name, as `words.verb.can`.

    What the file leaves out is empty. Raises: KeyError for a name that no file may hold.
    """

    code: str
    tables: Mapping[str, Any]

    def words(self, path: str) -> Words:
        """Return a set of words."""
        return frozenset(self.text(path).split())

    def ordered(self, path: str) -> Ordered:
        """Return words in their order."""
        return tuple(self.text(path).split())

    def pairs(self, path: str) -> dict[str, str]:
        """Return words by the word before them."""
        found = self.ordered(path)
        return dict(zip(found[::2], found[1::2], strict=True))

    def lines(self, path: str) -> Ordered:
        """Return the lines of a text."""
        return tuple(self.text(path).strip("\n").splitlines())

    def texts(self, path: str) -> Mapping[str, str]:
        """Return the texts of a table by their names."""
        return self._found(path, f"{path}.*") or {}

    def table(self, path: str) -> dict[str, str]:
        """Return what each word of a table says: the name beside which it stands."""
        return {word: name for name, all_ in self.texts(path).items() for word in all_.split()}

    def sides(self, path: str) -> Sides:
        """Return the words of a table before and after the colon, by their names."""
        halves = {name: line.partition(" : ") for name, line in self.texts(path).items()}
        return {name: (tuple(a.split()), tuple(b.split())) for name, (a, _, b) in halves.items()}

    def pattern(self, path: str) -> str:
        """Return a pattern; empty where there is none."""
        return self.text(path).replace("\n", "")

    def rules(self, path: str) -> tuple[tuple[str, str], ...]:
        """Return the patterns of a list of rules, each with its name, in their order."""
        every = re.split(r"\n(?! )", self.text(path).strip("\n"))
        named = (rule.replace("\n  ", "").partition(" : ") for rule in every if rule)
        return tuple((name, pattern) for name, _, pattern in named)

    def text(self, path: str) -> str:
        """Return a text as it stands."""
        return self._found(path, path, f"{path.rpartition('.')[0]}.*") or ""

    def _found(self, path: str, *keys: str) -> Any:
        if KEYS.isdisjoint(keys):
            raise KeyError(path)
        found: Any = self.tables
        for name in path.split("."):
            found = found.get(name, {})
        return found


@cache
def load_profile(code: str) -> LanguageProfile:
    """Return what is known of a language, or of the fallback where there is no file for it.

    Raises: ConfigError with file and line for an unknown name, an empty list or no TOML.
    """
    if code not in CODES:
        return load_profile(FALLBACK)
    file = Path(__file__).parent / f"{code}.toml"
    return read_profile(file.read_text(encoding="utf-8"), str(file))


def read_profile(text: str, file: str) -> LanguageProfile:
    """Return the profile that a TOML text describes. Raises: ConfigError with file and line."""
    import tomllib

    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is no TOML: {error}.") from None
    _check(tables, "", text, file)
    if "code" not in tables.get("language", {}):
        _refuse(text, file, "language", "code", "is missing")
    return LanguageProfile(tables["language"]["code"], tables)


def _check(tables: Mapping[str, Any], path: str, text: str, file: str) -> None:
    """Raise ConfigError for a name that is unknown or stands for nothing."""
    for name, given in tables.items():
        inner = f"{path}.{name}".removeprefix(".")
        if inner in SECTIONS and isinstance(given, dict) and given:
            _check(given, inner, text, file)
        elif inner not in KEYS and f"{path}.*" not in KEYS:
            _refuse(text, file, path, name, "is unknown; rag/language/schema.py lists what is")
        elif not isinstance(given, str) or not given.strip("\n"):
            _refuse(text, file, path, name, "is no text, or an empty one; leave it out then")


def _refuse(text: str, file: str, path: str, name: str, why: str) -> NoReturn:
    raise ConfigError(f"{file}:{_line(text, path, name)}: {name} {why}.")


def _line(text: str, path: str, name: str) -> int:
    """Return the number of the line on which a name stands under its header."""
    header = ""
    for number, line in enumerate(text.splitlines(), 1):
        opened = re.match(r"\[([^]]+)\]", line)
        header = opened[1] if opened else header
        if opened and header == f"{path}.{name}".removeprefix("."):
            return number
        if header == path and re.match(rf"""["']?{re.escape(name)}["']?\s*=""", line):
            return number
    return 1


def every() -> tuple[LanguageProfile, ...]:
    """Return every language's profile, the fallback's first."""
    return tuple(map(load_profile, CODES))


def union(path: str) -> Words:
    """Return the words of all languages under a dotted name."""
    return frozenset().union(*(one.words(path) for one in every()))


def in_order(path: str) -> Ordered:
    """Return the words of all languages under a dotted name in order, each once."""
    return tuple(dict.fromkeys(word for one in every() for word in one.ordered(path)))


def merged(path: str) -> dict[str, str]:
    """Return what each word says in any language (see `LanguageProfile.table`)."""
    return {word: name for one in every() for word, name in one.table(path).items()}


def pairs(path: str) -> dict[str, str]:
    """Return words of all languages by the word before them."""
    return {word: other for one in every() for word, other in one.pairs(path).items()}


def joined_texts(path: str) -> dict[str, str]:
    """Return the texts of all languages by their names."""
    return {name: text for one in every() for name, text in one.texts(path).items()}


def opposed_sides(path: str) -> tuple[tuple[Ordered, Ordered], ...]:
    """Return words of all languages that oppose each other, joined where their names are one."""
    joined: dict[str, tuple[Ordered, Ordered]] = {}
    for one in every():
        for name, (here, there) in one.sides(path).items():
            before = joined.get(name, ((), ()))
            joined[name] = (before[0] + here, before[1] + there)
    return tuple(joined.values())


def alternatives(path: str) -> str:
    """Return the patterns of all languages under a dotted name as one."""
    return "|".join(filter(None, (one.pattern(path) for one in every()))) or NOTHING


def filled(pattern: str, parts: Mapping[str, str]) -> str:
    """Return a pattern with the parts that it names in braces."""
    for name, part in parts.items():
        pattern = pattern.replace(f"{{{name}}}", part)
    return pattern
