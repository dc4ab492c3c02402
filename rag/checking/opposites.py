"""Words that answer one of two opposites with the other: on for off, with a prefix or without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

# roots of folded words: what stands on one side must not be answered by the other
OPPOSITES = tuple(
    (tuple(one.split()), tuple(other.split()))
    for one, other in (
        ("activ enabl", "desactiv disabl deactivat"),
        ("cree creer creat ajout add", "supprim efface retir delet remov eras"),
        ("avant before", "apres after"),
        ("ouvr open", "ferme close clos"),
        ("toujours always", "jamais never"),
        ("augment increas hausse", "diminu decreas reduc baiss"),
        ("maxim", "minim"),
        ("obligat mandatory requis required", "facultat optional"),
        ("plein pleine full", "vide vides empty"),
        ("permi autoris allow", "interdi forbid prohibit"),
        ("accept", "refus reject declin"),
        ("affich show montr", "masqu cache hide hidden"),
        ("debut begin", "fin end"),
        ("premier premiere first", "dernier derniere last"),
        ("automatiq automatic", "manuel manual"),
        ("gratui free", "payan paid"),
        ("entree entry", "sortie exit"),
        ("ht", "ttc"),
        ("conserv garde keep kept", "perd perdu lose lost"),
        ("achet bought purchas", "vend vendu sold sell"),
    )
)
PREFIXES = ("des", "de", "dis", "in", "im", "ir", "un", "mal")
SHORTEST_ROOT = 4


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
    flips = [(prefix + word, len(prefix)) for prefix in PREFIXES]
    flips += [(word.removeprefix(p), 0) for p in PREFIXES if word.startswith(p)]
    sides = (
        (number, side)
        for number, pair in enumerate(OPPOSITES)
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
