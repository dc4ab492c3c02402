"""Forms of words: plurals, roots of verbs and of the nouns of their actions, slips of haste."""

from __future__ import annotations

import re

from rag.language import profiles

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
IRREGULAR = profiles.merged("words.verb.irregular")
# a consonant doubled before these makes another word: taping, tapping
BEFORE_ENDING = re.compile(r"(?:ing|er|ed)s?")
SHORT = re.compile(r"[^aeiou]*[aeiou][^aeiouwxy]")
NOT_PLURAL = re.compile(r".*(?:ss|us|is|ous)")


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
