"""A question as the words it is made of, without how politely, loudly or hastily it was typed.

Two questions with one `normal_form` are the same question. Numbers, signs, versions and codes are
words too: `E-210`, `2.1`, `5,5 %` and `-3` survive.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from rag.language.analyzer import APOSTROPHES

TOKEN = re.compile(
    r"""(?P<address>\w+://[^\s?!»"”,;)]+|[^\s@<>"«]+@[\w-]+(?:\.[\w-]+)+)
    |(?P<grouped>(?<![\w.,])\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?![\w]))
    |(?P<signed>(?<![\w)])(?:[-−]\s?(?:\d+(?:[.,]\d+)*|[.,]\d+)|(?<![.,])[.,]\d+))
    |(?P<code>(?=[\w./-]*\d)\w+(?:[-./,](?=\w*\d)\w+|[-./]\w+(?=[-./\w]*\d)|-\w+)*)
    |(?P<word>\w+(?:[''-]\w+)*)
    |(?P<sign>[^\w\s])""",
    re.VERBOSE,
)
MEASURED = re.compile(r"(\d+(?:\.\d+)*)([a-zµ]{1,3}[²³23]?)")
# punctuation that changes what is asked, as symbols (currencies, arrows, marks) do
SIGNS = frozenset("%‰#&@*/\\§")
QUOTES = {"«": "»", "“": "”", '"': '"'}
MEASURES = frozenset(
    "mg g kg t q ml cl dl l hl mm cm m km m2 m3 m² m³ ha a s h min ms go mo ko gb mb kb".split()
)
ELIDED = {"qu": "que", "jusqu": "jusque", "lorsqu": "lorsque", "puisqu": "puisque"}
ELIDED |= {letter: f"{letter}e" for letter in "djnmtc"} | {"s": "s", "l": "l"}
SHORT_ENGLISH = {"m": "am", "re": "are", "ve": "have", "ll": "will", "d": "would"}
ASKING_ENGLISH = frozenset("what where who how when why it that there".split())
NOT_ENGLISH = {"can": "can", "won": "will", "shan": "shall"}
HASTY = {
    "svp": "s il vous plait", "stp": "s il te plait", "bjr": "bonjour", "bsr": "bonsoir",
    "cmt": "comment", "kment": "comment", "coment": "comment", "commen": "comment",
    "comen": "comment", "pk": "pourquoi", "pq": "pourquoi", "pkoi": "pourquoi",
    "pourkoi": "pourquoi", "qd": "quand", "kan": "quand", "cbien": "combien",
    "mdp": "mot de passe", "cmde": "commande", "cde": "commande", "rdv": "rendez vous",
    "jveux": "je veux", "jpeux": "je peux", "jai": "je ai", "jarrive": "je arrive",
    "chui": "je suis", "pls": "please", "plz": "please", "thx": "thanks", "pwd": "password",
    "cant": "can not", "dont": "do not", "doesnt": "does not", "wont": "will not",
    "isnt": "is not", "didnt": "did not", "cannot": "can not",
}  # fmt: skip
GREETING = (
    r"bonjour|bonsoir|salut|coucou|hello|hi|hey|good (?:morning|afternoon|evening)|dear \w+"
    r"|madame|monsieur|messieurs|a tous|tout le monde|all|there|everyone|team"
)
PLEASE = r"s il (?:vous|te) plait|if you please"
LEAD = (
    r"(?:excusez? moi|pardon(?: me)?|excuse me|please|merci de(?= me\b| nous\b)"
    r"|(?:est ce que )?(?:vous |tu )?(?:pouvez|pourriez|peux|pourrais|peut|sauriez|voudriez)"
    r"(?: vous| tu)? (?:me|m|nous) (?:aider a|dire|expliquer|indiquer|montrer|preciser|rappeler)"
    r"|(?:me|nous) (?:dire|expliquer|indiquer|montrer|preciser)"
    r"|(?:dites?|dis|expliquez?|explique|indiquez?|montrez?|montre|precisez?) (?:moi|nous)"
    r"|aidez? moi a|savez vous|sais tu|sauriez vous|quelqu?.?un (?:sait|peut me dire)"
    r"|(?:je|on|nous) (?:voudrais|aimerais|souhaite|souhaiterais|veux|desire|desirerais"
    r"|voudrait|aimerait|voudrions|souhaitons|cherche a|cherchons a|me demande"
    r"|ai besoin de)(?: bien)?(?: (?:savoir|connaitre|comprendre|que vous me disiez)|(?= si\b))"
    r"|je (?:me demande|ne sais pas|sais pas)(?= (?:comment|ou|quand|pourquoi|combien|quel))"
    r"|(?:could|can|would|will) (?:you|anyone|someone|somebody) (?:please |kindly )?"
    r"(?:tell|show|explain(?: to)?|teach|help|remind)"
    r"(?:(?: me| us)(?: out)?(?: with)?|(?= (?:how|where|when|why|what|if)\b))"
    r"|(?:please )?(?:tell|show|explain to|help|let) (?:me|us)(?: know)?"
    r"|(?:i|we) (?:would|want|need|am trying|was wondering|wonder)(?: just)?"
    r"(?: (?:like|love))?(?: to)?(?: (?:know|understand|learn|find out)|(?= if\b| how\b))"
    r"|do you know|any idea|s il vous plait)"
)
CLOSING = (
    r"(?<!de )(?<!le )(?<!un )(?<!dire )(?:merci(?: beaucoup| bien| encore| infiniment| a vous"
    r"| (?:d|de|par) avance| (?:de|pour) votre (?:aide|reponse|retour))*)"
    r"|cordialement|bien a vous|bonne (?:journee|soiree)|a bientot"
    r"|please|(?:many )?(?:thanks|thank you)(?: (?:you|so much|very much|a lot|in advance"
    r"|for your help))*|cheers|(?:best|kind) regards|regards"
)
STRIPPED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?:{PLEASE})\b",
        rf"^(?:(?:{GREETING}) )*(?:{GREETING})\b(?= )",
        rf"(?:\b(?:{CLOSING}))+$",
        rf"^(?:(?:{CLOSING}) )+",
        rf"^(?:{LEAD}\b ?)+",
    )
)


@dataclass(frozen=True, slots=True)
class Token:
    """Hold one word, number, code or sign: as typed, folded, and where it stands.

    ``opens``: it begins a sentence. ``named``: it stands between quotation marks.
    """

    raw: str
    folded: str
    opens: bool = False
    named: bool = False


def normal_form(question: str) -> str:
    """Return the question's words in order, folded, one space apart, politeness left out."""
    return spaced(polite_free(tokens(question)))


def fold(text: str) -> str:
    """Return the text in lower case, Latin letters without accents or ligatures."""
    text = text.casefold()
    if text.isascii():
        return text
    text = text.replace("œ", "oe").replace("æ", "ae")
    kept, latin = [], False
    for character in unicodedata.normalize("NFD", text):
        if not unicodedata.combining(character):
            latin = character < "\u0250"
        elif latin:
            continue
        kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept))


def tokens(question: str) -> list[Token]:
    """Return the words, numbers, codes and telling signs of a question, in order."""
    text = unicodedata.normalize("NFC", question).translate(APOSTROPHES).replace("‑", "-")
    found: list[Token] = []
    opens, closing = True, ""
    for match in TOKEN.finditer(text):
        raw, kind = match.group(), match.lastgroup
        if kind == "sign" and not _telling(raw):
            closing = "" if raw == closing else closing or QUOTES.get(raw, "")
            opens = opens or (raw in ".!?:…" and len(found[-1].raw if found else "") > 1)
            continue
        for part, folded in _parts(raw, kind or ""):
            found.append(Token(part, folded, opens, bool(closing)))
            opens = False
    return found


def polite_free(told: list[Token]) -> list[Token]:
    """Return the tokens without greetings, thanks and the like; all when nothing is left."""
    kept, before = told, -1
    while before != len(kept):
        before = len(kept)
        text = spaced(kept)
        for pattern in STRIPPED:
            match = pattern.search(text)
            if match and match.end() > match.start():
                kept = outside(kept, text, match)
                text = spaced(kept)
    return kept or told


def spaced(told: Sequence[Token]) -> str:
    """Return the folded words one space apart, as patterns read them."""
    return " ".join([token.folded for token in told])


def outside(told: list[Token], text: str, match: re.Match[str]) -> list[Token]:
    """Return the tokens that a match in their spaced text does not cover, not even in part."""
    start = text.count(" ", 0, match.start()) + text.startswith(" ", match.start())
    return told[:start] + told[len(text[: match.end()].split()) :]


def _telling(sign: str) -> bool:
    return sign in SIGNS or unicodedata.category(sign).startswith("S")


def _parts(raw: str, kind: str) -> list[tuple[str, str]]:
    if kind == "word":
        return _word_parts(raw)
    folded = fold(raw)
    if kind == "grouped":
        return [(raw, re.sub(r"\s", "", folded))]
    if kind in {"code", "signed"}:
        folded = re.sub(r"(?<=\d),(?=\d)", ".", folded.replace("−", "-"))
        if kind == "signed":
            folded = re.sub(r"^(-?)\s*[.,]", r"\g<1>0.", re.sub(r"\s", "", folded))
        measured = MEASURED.fullmatch(folded)
        if measured and measured[2] in MEASURES:
            return [(measured[1], measured[1]), (measured[2], measured[2])]
    return [(raw, folded)]


def _word_parts(raw: str) -> list[tuple[str, str]]:
    """Return a word's parts at hyphens and apostrophes, elisions and short forms written out."""
    folded = fold(raw)
    if folded in {"e-mail", "e-mails", "aujourd'hui"}:
        return [(raw, folded.replace("-", "").replace("'", ""))]
    if folded.isalnum():
        return [(raw, word) for word in HASTY.get(folded, folded).split()]
    parts: list[tuple[str, str]] = []
    for piece in raw.split("-"):
        head, *tail = piece.split("'")
        parts += _elided(head, tail)
    return parts


def _elided(head: str, tail: list[str]) -> list[tuple[str, str]]:
    first, last = fold(head), fold(tail[-1]) if tail else ""
    if not tail:
        return [(head, word) for word in HASTY.get(first, first).split()]
    if last == "t" and first.endswith("n") and len(first) > 2:
        return [(head, NOT_ENGLISH.get(first, first[:-1])), ("not", "not")]
    if last == "s" and first in ASKING_ENGLISH:
        return [(head, first), ("is", "is")]
    if last == "s" and first not in ELIDED:
        return [(head, first)]
    if last in SHORT_ENGLISH and first in {"i", "you", "we", "they", "he", "she", "it"}:
        return [(head, first), (last, SHORT_ENGLISH[last])]
    rest = [(piece, fold(piece)) for piece in tail]
    return [(head, ELIDED.get(first, first)), *rest]
