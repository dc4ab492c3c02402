"""The keys under which a word meets another: two words are one when they share a key.

`w:` spelling without plural, `v:` root of a verb or of the noun of its action (créer, création),
`p:` root of a participle, `s:` a set of synonyms, `z:` the same of participles. Other words of one
stem stay apart: *facture* is neither *facturer* nor *facturation*.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from rag.language.lexicon import ANTONYMS, SYNONYMS
from rag.question.normalization import fold, tokens

INFINITIVE = re.compile(
    r"(.{2,}?)(?:er|ir|oir|(?:(?<=d)|(?<=tt)|(?<=ait)|(?<=i)|(?<=v)|(?<=p)|(?<=c)|(?<=clo)|(?<=clu))re)"
)
FINITE = re.compile(r"(.{2,}?)(?:issons|issez|issent|ons|ez|ent|es|e|is|it|s|t)")
ACTION = {
    "fr": re.compile(r"(.{2,}?)(?:isation|ation|ition|ution|ction|ssion|sion|ement|ment|age)"),
    "en": re.compile(r"(.{3,}?)(?:isation|ization|ation|ition|ution|ction|ssion|sion|ment|ing)"),
}
# the suffix that a verb has where its noun has this one
VERBAL = {
    "isation": ("is",), "ization": ("iz",), "ation": ("", "at"), "ition": ("it", ""),
    "ution": ("ut", "u"), "ement": ("",), "ment": ("",), "age": ("",), "ing": ("",),
}  # fmt: skip
IRREGULAR = {
    "suit": "suivre", "suivent": "suivre", "voit": "voir", "vois": "voir", "voient": "voir",
    "met": "mettre", "mets": "mettre", "recoit": "recevoir", "recois": "recevoir",
    "recoivent": "recevoir", "vend": "vendre", "vends": "vendre", "fait": "faire",
    "fais": "faire", "font": "faire", "prend": "prendre", "prends": "prendre",
    "inscrit": "inscrire", "inscris": "inscrire", "perd": "perdre", "perds": "perdre",
    "ouvre": "ouvrir", "ouvrent": "ouvrir", "sert": "servir", "sers": "servir",
    "connait": "connaitre", "tient": "tenir", "obtient": "obtenir", "obtiens": "obtenir",
}  # fmt: skip
# before a word they undo it, deny it or repeat it
PREFIXES = frozenset(
    "des de dis un in im ir il non re mal anti pre ex em en up down out over under".split()
)
# a consonant doubled before these makes another word: taping, tapping
BEFORE_ENDING = re.compile(r"(?:ing|er|ed)s?")
SHORT = re.compile(r"[^aeiou]*[aeiou][^aeiouwxy]")
NOT_PLURAL = re.compile(r".*(?:ss|us|is|ous)")


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


def singular(word: str, lang: str) -> str:
    """Return a folded word without the mark of its plural."""
    if len(word) < 4 or not word.isalpha():
        return word
    if lang == "en":
        return _singular_english(word)
    if word.endswith("eaux"):
        return word[:-1]
    if word.endswith("aux"):
        return f"{word[:-3]}al"
    return word[:-1] if word[-1] in "sx" else word


def _singular_english(word: str) -> str:
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if re.fullmatch(r".+(?:ss|sh|ch|x|z)es", word):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not NOT_PLURAL.fullmatch(word) else word


def is_infinitive(word: str) -> bool:
    """Say whether a folded word has a French infinitive's ending."""
    return len(word) > 3 and INFINITIVE.fullmatch(word) is not None


@lru_cache(maxsize=20_000)
def roots(word: str, lang: str, form: str) -> tuple[str, ...]:
    """Return the roots under which a word of this form (`verb`, `part`, `noun`) meets its verb."""
    if form == "verb":
        return _verb_roots(word, lang)
    if form == "part":
        ending = r"(.{2,}?)(?:ees|ee|es|e)" if lang == "fr" else r"(.{2,}?)(?:ed)"
        match = re.fullmatch(ending, word)
        return (_even(match[1], lang, suffixed=True),) if match else ()
    match = ACTION[lang].fullmatch(word)
    if not match:
        return ()
    stem, suffix = match[1], word[match.end(1) :]
    if stem.endswith("ific") and suffix == "ation":
        return (_even(stem[:-1], lang),)
    endings = VERBAL.get(suffix, (suffix[:-3],))
    return tuple(_even(stem + ending, lang, suffixed=suffix == "ing") for ending in endings)


def _verb_roots(word: str, lang: str) -> tuple[str, ...]:
    if lang == "en":
        return (_even(word, lang),)
    word = IRREGULAR.get(word, word)
    match = INFINITIVE.fullmatch(word) or FINITE.fullmatch(word)
    return (_even(match[1] if match else word, lang),)


def _even(root: str, lang: str, *, suffixed: bool = False) -> str:
    """Return a root as all forms of its verb spell it: envoi- and envoy-, delet- and delete-.

    ``suffixed``: before -ing or -ed a short verb doubles its consonant (tap) or lost an e (tape).
    """
    if lang == "en":
        mute = suffixed or root.endswith("e")
        root = root.removesuffix("e")
        if mute and SHORT.fullmatch(root):
            return f"{root}e"
        if len(root) > 3 and root[-1] == root[-2] and root[-1] not in "s":
            root = root[:-1]
    return f"{root[:-1]}y" if root.endswith("i") else root


def _sets() -> dict[str, dict[str, tuple[int, ...]]]:
    """Return the numbers of the sets in which each word, phrase and verb's root stands."""
    tables: dict[str, dict[str, tuple[int, ...]]] = {}
    for lang, lines in SYNONYMS.items():
        table: dict[str, list[int]] = {}
        for number, line in enumerate(lines):
            for entry in line.split(","):
                told = " ".join(token.folded for token in tokens(entry))
                for name in _names(told, lang) | _agreeing(told, lang):
                    table.setdefault(name, []).append(number)
        tables[lang] = {name: tuple(numbers) for name, numbers in table.items()}
    return tables


def _names(entry: str, lang: str) -> set[str]:
    names = {entry, singular(entry, lang)}
    reflexive = entry.startswith(("se ", "s "))
    verb = entry.split(" ", 1)[1] if reflexive else entry
    if " " not in verb and (lang == "en" or is_infinitive(verb)):
        names = set() if reflexive else names
        names |= {f"{'se ' if reflexive else ''}/{root}" for root in roots(verb, lang, "verb")}
    return names


def _agreeing(entry: str, lang: str) -> set[str]:
    """Return a French phrase in the plural and the feminine: `non payées`."""
    phrase = lang == "fr" and " " in entry and not entry.startswith(("se ", "s "))
    return {entry + ending for ending in ("s", "e", "es")} if phrase else set()


SETS = _sets()
PHRASES = {
    lang: {
        tuple(name.split(" "))
        for name in table
        if " " in name and "/" not in name and not name.startswith(("se ", "s "))
    }
    for lang, table in SETS.items()
}
# nouns that share a set with a verb: what it does
NOUNS_OF_VERBS = {
    lang: {
        name
        for name, numbers in table.items()
        if "/" not in name
        and any(set(numbers) & set(others) for other, others in table.items() if "/" in other)
    }
    for lang, table in SETS.items()
}
LONGEST_PHRASE = max(len(phrase) for phrases in PHRASES.values() for phrase in phrases)
OPPOSITES = frozenset(
    frozenset((one, other))
    for here, there in ANTONYMS
    for one in map(fold, here)
    for other in map(fold, there)
)


@lru_cache(maxsize=20_000)
def keys(word: str, lang: str, form: str, *, reflexive: bool = False) -> tuple[str, ...]:
    """Return the keys of a folded word or phrase, its spelling first."""
    plain = singular(word, lang)
    found = roots(word, lang, form)
    table, mark = SETS[lang], "p" if form == "part" else "v"
    names = [f"{'se ' if reflexive else ''}/{root}" for root in found if form != "noun"]
    if form == "part":
        names += [f"{root}e".replace("_", " ") for root in found]
    elif not reflexive:
        names += [word.replace("_", " "), plain]
    numbers = {number for name in names for number in table.get(name, ())}
    sets = [f"{'z' if form == 'part' else 's'}:{number}" for number in sorted(numbers)]
    return (f"w:{plain}", *(f"{mark}:{root}" for root in found), *sets)


def known(word: str, lang: str) -> bool:
    """Say whether the lexicon holds a folded word or its verb."""
    table = SETS[lang]
    return word in table or any(f"/{root}" in table for root in roots(word, lang, "verb"))


def opposed(one: str, other: str) -> bool:
    """Say whether two folded words are opposites, by table or by prefix."""
    if frozenset((one, other)) in OPPOSITES:
        return True
    for size in range(4):
        rest, prefix = one[size:], one[:size]
        if len(rest) > 3 and (not prefix or prefix in PREFIXES) and other.endswith(rest):
            swapped = other[: len(other) - len(rest)]
            return swapped in PREFIXES or (not swapped and bool(prefix))
    return False


def misspelt(one: str, other: str, *, doubled_only: bool = False) -> bool:
    """Say whether two long folded words differ as haste makes them: a letter lost or two swapped.

    A letter in place of another is no such thing: it makes other words (débiter, débuter).
    """
    short, long = sorted((one, other), key=len)
    if one[0] != other[0] or len(long) < 6 or len(long) - len(short) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), None)
    if start is None:
        return False
    if len(short) == len(long):
        swapped = short[:start] + short[start + 1 : start + 2] + short[start] + short[start + 2 :]
        return swapped == long and not doubled_only
    if long[:start] + long[start + 1 :] != short:
        return False
    doubled = long[start] == long[start - 1]
    if doubled and BEFORE_ENDING.fullmatch(long[start + 1 :]):
        return False
    inside = start < len(long) - 2
    return (doubled and len(long) > 6) or (inside and len(long) > 7 and not doubled_only)
