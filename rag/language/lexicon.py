"""Words that stand for each other and words that oppose each other, in help pages.

Two words are one when they share a key. `w:` spelling without plural, `v:` root of a verb or of the
noun of its action (créer, création), `p:` root of a participle, `s:` a set of synonyms, `z:` the
same of participles. Other words of one stem stay apart: *facture* is neither *facturer* nor
*facturation*.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from rag.language import profiles
from rag.language.morphology import is_infinitive, roots, singular
from rag.language.tokenizer import fold, tokens

# one set a line (see fr.toml, which says what may stand in one)
SYNONYMS = {one.code: one.lines("lexicon.synonyms") for one in profiles.every()}
# near enough for a heading to name what a question asks how to do, not to take its place in it
NEAR = {one.code: one.lines("lexicon.near") for one in profiles.every()}
# words of all languages that oppose those beside them
ANTONYMS = profiles.opposed_sides("lexicon.antonyms")
# before a word they undo it, deny it or repeat it
PREFIXES = profiles.union("polarity.prefixes")
# roots of folded words: what stands on one side must not be answered by the other
OPPOSITE_ROOTS = profiles.opposed_sides("polarity.opposites")
DENYING_PREFIXES = profiles.in_order("polarity.denying_prefixes")
SHORTEST_ROOT = 4


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
    verbs = (key[2:] for key in keys(word, lang, "verb") if key.startswith("v:"))
    return word in table or any(f"/{root}" in table for root in verbs)


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


@dataclass(frozen=True, slots=True)
class Opposing:
    """Hold what a folded word has to oppose others.

    ``sides`` are the opposites to which it belongs: the pair's number, and which side. ``flips``
    are the word with each prefix and without its own, and how much longer the first are.
    """

    sides: frozenset[tuple[int, bool]]
    flips: tuple[tuple[str, int], ...]


@dataclass(frozen=True, eq=False)
class Clause:
    """Hold the folded words of a clause, to be compared with others for what they oppose."""

    words: frozenset[str]

    @cached_property
    def sides(self) -> frozenset[tuple[int, bool]]:
        """Return the sides of all words."""
        return frozenset().union(*(_opposing(word).sides for word in self.words))

    @cached_property
    def by_root(self) -> dict[str, tuple[str, ...]]:
        """Return the words by the letters that two must have in common to be alike."""
        found: dict[str, tuple[str, ...]] = {}
        for word in self.words:
            root = word[: SHORTEST_ROOT + 1]
            found[root] = (*found.get(root, ()), word)
        return found


def contradicts(said: Clause, written: Clause) -> bool:
    """Say whether a clause answers one of two opposites with the other: on for off."""
    mine, theirs = said.sides, written.sides
    if any((pair, not side) in theirs - mine and (pair, side) not in theirs for pair, side in mine):
        return True
    long = (word for word in said.words if len(word) > SHORTEST_ROOT)
    return any(_is_flipped(word, said.by_root, written.by_root) for word in long)


def marks(written: Iterable[Clause]) -> frozenset[object]:
    """Return what clauses have to oppose others: their sides, their words' first letters."""
    told = frozenset[str]().union(*(clause.words for clause in written))
    sides = frozenset[object]().union(*(_opposing(word).sides for word in told))
    return sides.union(word[: SHORTEST_ROOT + 1] for word in told)


def against(said: Iterable[str]) -> frozenset[object]:
    """Return the marks without any of which no words contradict these folded ones."""
    return frozenset[object]().union(*map(_against, said))


def _against(word: str) -> frozenset[object]:
    opposing = _opposing(word)
    flips = opposing.flips if len(word) > SHORTEST_ROOT else ()
    roots = frozenset[object](flip[: SHORTEST_ROOT + 1] for flip, _ in flips)
    return roots.union((pair, not side) for pair, side in opposing.sides)


@lru_cache(maxsize=20_000)
def _opposing(word: str) -> Opposing:
    flips = [(prefix + word, len(prefix)) for prefix in DENYING_PREFIXES]
    flips += [(word.removeprefix(p), 0) for p in DENYING_PREFIXES if word.startswith(p)]
    sides = (
        (number, side)
        for number, pair in enumerate(OPPOSITE_ROOTS)
        for side in (False, True)
        if any(_begins(word, root) for root in pair[side])
    )
    kept = tuple((flip, longer) for flip, longer in flips if len(flip) > SHORTEST_ROOT)
    return Opposing(frozenset(sides), kept)


def _begins(word: str, root: str) -> bool:
    return word == root or (len(root) >= SHORTEST_ROOT and word.startswith(root))


def _is_flipped(
    word: str, said: Mapping[str, Sequence[str]], written: Mapping[str, Sequence[str]]
) -> bool:
    """Say whether a word stands on the other side with or without a prefix that denies it.

    Words are given by their first letters.
    """
    if _has(written, word):
        return False
    return any(
        _has(written, flip, longer) and not _has(said, flip, longer)
        for flip, longer in _opposing(word).flips
    )


def _has(found: Mapping[str, Sequence[str]], word: str, longer: int = 0) -> bool:
    alike = found.get(word[: SHORTEST_ROOT + 1])
    if not alike:
        return False
    root = word[: max(len(word) - 3, SHORTEST_ROOT + 1 + longer)]
    return any(other.startswith(root) and abs(len(other) - len(word)) <= 3 for other in alike)
