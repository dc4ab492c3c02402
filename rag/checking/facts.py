"""What a sentence must not change: its numbers, names, screens and negations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from rag.language import profiles
from rag.language.analyzer import APOSTROPHES, STOP_WORDS, fold, words
from rag.language.profiles import EVERYWHERE


def _any(name: str) -> str:
    return profiles.alternatives(f"verification.{name}")


NUMBER = re.compile(r"\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?!\d)|\d+(?:[.,]\d+)?")
MEASURE = re.compile(rf"({NUMBER.pattern})\s?([%€$£]|[^\W\d_]+)")
CODE = re.compile(r"(?<![\w-])(?=[\w-]*[^\W\d_])(?=[\w-]*\d)[^\W_]+(?:[-_][^\W_]+)+(?!\w)")
_LABEL = r"[^\W_](?:[\w-]*[^\W_])?"
ADDRESS = re.compile(
    rf"(?:[\w.+-]+@)?(?<![\w.-])(?:{_LABEL}\.)+(?:[a-z]{{2,24}}|[A-Z]{{2,24}})(?![\w-])"
)
DOTTED = re.compile(r"\.[A-Za-z]")  # found in a moment, as all addresses hold one
ABBREVIATION = re.compile(r"p\.ex|(?:[a-z]\.)+[a-z]{1,2}")
QUOTED = re.compile(r"«\s*([^»]+?)\s*»|“([^”]+)”|\"([^\"]+)\"|`([^`]+)`|\*\*(.+?)\*\*")
CAPITAL = re.compile(r"(?<![\w'’.-])(?:[ldnsLDNS]['’]|[Qq]u['’])?([A-ZÀ-ÖØ-Þ][\w-]*)")
OPENS = re.compile(r"(?:^|[.!?…:]\s+|\n|^\s*(?:\d{1,3}[.)]|[-*•–+])\s+)[\s>#*_«“\"(]*$")
# what somebody is told to click is a name of the screen, letter by letter
PRESSED = re.compile(
    rf"\b(?i:{_any('pressed')})\w*(?:\s+(?:{_any('pressed_then')}))?"
    rf"(?:\s+(?:{_any('pressed_on')}))?(?:\s+(?:{_any('pressed_things')}))*\s+[«\"“*`\s]*"
    r"([A-ZÀ-ÖØ-Þ][\w'’-]*(?:\s+[\w'’-]+)?)"
)
DIGIT = re.compile(r"\d")  # found in a moment: what holds none needs no longer look
SIGN = re.compile(r"[>→▸›]")
STEP = re.compile(r"([^\W_]+)[\s*»\"”]*(?:>|→|▸|›)[\s*«\"“]*([^\W_]+)")
CLAUSE_END = re.compile(rf"[;:!?…()|]\s*|[.,](?=\s|$)\s*|\s+(?=(?:{_any('but')})\b)|\n")
# « cliquez sur Valider pour … »: the name has ended
AFTER_NAME = profiles.union("verification.after_name")
ARTICLE = re.compile(r"\b([ld])['’]", re.IGNORECASE)
DETERMINERS = profiles.union("verification.determiners")
NUMBER_WORDS = profiles.merged("numbers.cardinals")
# a language that writes months and days with a capital says so; they name nothing on a screen
CALENDAR = frozenset(
    fold(word)
    for one in profiles.every()
    if one.words("dates.capitals")
    for name in ("capitals", "months", "days")
    for word in one.words(f"dates.{name}")
)
# words that tell nothing of the product: wish, need, ability, what leads from a step to the next
FILLER = profiles.union("verification.filler")
STOPS = frozenset().union(*(STOP_WORDS[code] for code in EVERYWHERE))
ENGLISH_NOT = re.compile(r"n['’]t\b")
FRENCH_NOT = re.compile(r"\bn['’]", re.IGNORECASE)
CUT_NOT = re.compile(r"[nN]['’]")  # one of both, or less
ONLY = re.compile(r"\bque\b|\bqu['’]", re.IGNORECASE)
REACH = 6  # words between « ne » and its « pas »
PAIRED = profiles.union("polarity.paired")  # closes a negation that « ne » has opened
NEGATORS = profiles.union("polarity.negators")
DENYING = NEGATORS | PAIRED
MEASURE_LETTERS = 4  # of what is counted: « bout » for « bouteilles »
TEXTS_KEPT = 500  # sentences and clauses, each asked about several times in a row


def clauses(text: str) -> list[str]:
    """Return the clauses of a text, cut at its marks and before « mais » and *but*."""
    return [part.strip() for part in CLAUSE_END.split(text) if part.strip()]


@lru_cache(maxsize=TEXTS_KEPT)
def _words_of(text: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the words of a text, the same folded, and the distinct ones that tell something."""
    said = tuple(words(text))
    folded = tuple(map(fold, said))
    told = (word for word, plain in zip(said, folded, strict=True) if _tells(plain))
    return said, folded, tuple(dict.fromkeys(told))


def spoken(text: str) -> tuple[str, ...]:
    """Return the words of a text in order, as `analyzer.words` does."""
    return _words_of(text)[0]


def heard(text: str) -> tuple[str, ...]:
    """Return the words of a text in order, folded."""
    return _words_of(text)[1]


def telling(text: str) -> tuple[str, ...]:
    """Return the distinct words that tell something of a product, in order, without numbers."""
    return _words_of(text)[2]


def numbers(text: str) -> set[str]:
    """Return the numbers of a text, words too, written alike (``84,00`` as ``84``)."""
    bare = CODE.sub(" ", text) if DIGIT.search(text) else text
    written = {_number(found) for found in NUMBER.findall(bare)} if DIGIT.search(bare) else set()
    return written | {NUMBER_WORDS[word] for word in heard(bare) if word in NUMBER_WORDS}


def measures(text: str) -> set[tuple[str, str]]:
    """Return the numbers in digits, each with the first letters of what it counts."""
    found = MEASURE.findall(CODE.sub(" ", text)) if DIGIT.search(text) else []
    return {(_number(number), fold(unit)[:MEASURE_LETTERS]) for number, unit in found}


def codes(text: str) -> set[str]:
    """Return the codes of a text, folded: ``e-410``, ``av-2025-00012``."""
    return {fold(found) for found in CODE.findall(text)} if DIGIT.search(text) else set()


def addresses(text: str) -> set[str]:
    """Return the e-mail addresses of a text, and what reads like a server's or a file's name."""
    if not DOTTED.search(text):
        return set()
    found = {match.group().casefold() for match in ADDRESS.finditer(text)}
    return {one for one in found if not ABBREVIATION.fullmatch(one)}


def quoted(text: str) -> list[str]:
    """Return what stands in quotes, bold or code."""
    return [next(filter(None, match.groups())) for match in QUOTED.finditer(text)]


def names(text: str) -> list[str]:
    """Return the capitalised words that do not begin a sentence, calendar words left out."""
    found = []
    for match in CAPITAL.finditer(text):
        before = text[max(match.start() - 40, 0) : match.start()]
        if not OPENS.search(before) and fold(match.group(1)) not in CALENDAR:
            found.append(match.group(1))
    return found


def capitalised(text: str) -> set[str]:
    """Return every capitalised word of a text as it is written."""
    return {match.group(1) for match in CAPITAL.finditer(text.translate(APOSTROPHES))}


def pressed(text: str) -> list[str]:
    """Return the names that a reader is told to click, their first two words."""
    found = [match.split() for match in PRESSED.findall(text)]
    return [" ".join(name[: 1 + (fold(name[-1]) not in AFTER_NAME)]) for name in found]


def determined(text: str) -> set[str]:
    """Return the words that follow an article or the like: the things that a text is about."""
    if "'" in text or "’" in text:
        text = ARTICLE.sub(r"\1e ", text)
    told = zip(heard(text), spoken(text)[1:], heard(text)[1:], strict=False)
    return {word for before, word, plain in told if before in DETERMINERS and _tells(plain)}


def menu_steps(text: str) -> set[tuple[str, str]]:
    """Return the pairs of folded words on either side of a menu path's sign."""
    found: set[tuple[str, str]] = set()
    at = 0 if SIGN.search(text) else len(text)
    while match := STEP.search(text, at):
        found.add((fold(match.group(1)), fold(match.group(2))))
        at = match.end(1)
    return found


def negated(text: str) -> set[str]:
    """Return the folded words that a text denies: after each negation the first that tells.

    A word that stands elsewhere in the text undenied is left out.
    """
    if not CUT_NOT.search(text) and DENYING.isdisjoint(heard(text)):
        return set()
    denied = Counter(word for clause in clauses(text) for word in _denied(clause))
    told = Counter(heard(text))
    return {word for word, count in denied.items() if count >= told[word]}


def _tells(word: str) -> bool:
    return len(word) > 1 and word not in STOPS and word not in FILLER and not word.isdigit()


def _number(text: str) -> str:
    whole, _, rest = re.sub(r"\s", "", text).replace(",", ".").partition(".")
    whole, rest = whole.lstrip("0") or "0", rest.rstrip("0")
    return f"{whole}.{rest}" if rest else whole


def _denied(clause: str) -> Iterator[str]:
    spelt = clause
    if "'" in clause or "’" in clause:
        spelt = ENGLISH_NOT.sub(" not ", FRENCH_NOT.sub("ne ", clause))
    told = heard(spelt)
    if DENYING.isdisjoint(told):
        return
    restricts = bool(ONLY.search(clause)) and "pas" not in told
    opened = -REACH
    for place, word in enumerate(told):
        if word == "ne":
            opened = place
        elif word in PAIRED:
            alone = word == "pas" or told[place - 1 : place] == ("mais",)
            if restricts or place - opened < REACH or not alone:
                continue
        elif word not in NEGATORS:
            continue
        if not (word == "ne" and restricts):
            yield from [other for other in told[place + 1 :] if _is_deniable(other)][:1]


def _is_deniable(word: str) -> bool:
    return _tells(word) and word not in DENYING
