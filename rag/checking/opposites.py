"""Words that answer one of two opposites with the other: on for off, with a prefix or without."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

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
CLAUSES_KEPT = 5_000  # of passages, some 1 KB each


def contradicts(said: frozenset[str], written: frozenset[str]) -> bool:
    """Say whether folded words answer one of two opposites with the other: on for off."""
    mine, theirs = _sides_of(said), _sides_of(written)
    if any((pair, not side) in theirs - mine and (pair, side) not in theirs for pair, side in mine):
        return True
    own, others = _by_root(said), _by_root(written)
    return any(_is_flipped(word, own, others) for word in said if len(word) > SHORTEST_ROOT)


def marks(written: Iterable[str]) -> frozenset[object]:
    """Return what folded words have to oppose others: their sides, their first letters."""
    told = frozenset(written)
    sides = frozenset[object]().union(*map(_sides, told))
    return sides.union(word[: SHORTEST_ROOT + 1] for word in told)


def against(said: Iterable[str]) -> frozenset[object]:
    """Return the marks without any of which no words contradict these folded ones."""
    return frozenset[object]().union(*map(_against, said))


@lru_cache(maxsize=20_000)
def _against(word: str) -> frozenset[object]:
    flips = _flips(word) if len(word) > SHORTEST_ROOT else ()
    roots = frozenset[object](flip[: SHORTEST_ROOT + 1] for flip, _ in flips)
    return roots.union((pair, not side) for pair, side in _sides(word))


@lru_cache(maxsize=20_000)
def _sides(word: str) -> frozenset[tuple[int, bool]]:
    """Return the opposites to which a folded word belongs: the pair's number, and which side."""
    return frozenset(
        (number, side)
        for number, pair in enumerate(OPPOSITES)
        for side in (False, True)
        if any(_begins(word, root) for root in pair[side])
    )


def _begins(word: str, root: str) -> bool:
    return word == root or (len(root) >= SHORTEST_ROOT and word.startswith(root))


@lru_cache(maxsize=CLAUSES_KEPT)
def _sides_of(told: frozenset[str]) -> frozenset[tuple[int, bool]]:
    return frozenset().union(*map(_sides, told))


@lru_cache(maxsize=CLAUSES_KEPT)
def _by_root(told: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Return words by the letters that two must have in common to be alike."""
    found: dict[str, tuple[str, ...]] = {}
    for word in told:
        root = word[: SHORTEST_ROOT + 1]
        found[root] = (*found.get(root, ()), word)
    return found


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
        for flip, longer in _flips(word)
    )


@lru_cache(maxsize=20_000)
def _flips(word: str) -> tuple[tuple[str, int], ...]:
    """Return a word with each prefix and without its own; how much longer the first are."""
    flips = [(prefix + word, len(prefix)) for prefix in PREFIXES]
    flips += [(word.removeprefix(p), 0) for p in PREFIXES if word.startswith(p)]
    return tuple((flip, longer) for flip, longer in flips if len(flip) > SHORTEST_ROOT)


def _has(found: Mapping[str, Sequence[str]], word: str, longer: int = 0) -> bool:
    alike = found.get(word[: SHORTEST_ROOT + 1])
    if not alike:
        return False
    root = word[: max(len(word) - 3, SHORTEST_ROOT + 1 + longer)]
    return any(other.startswith(root) and abs(len(other) - len(word)) <= 3 for other in alike)
