"""What kind of answer a question asks for, and the words that are left once this is said.

All ways to ask for steps are one kind: *comment créer*, *quelle est la marche à suivre pour créer*,
*je voudrais créer*, *how do I create*, or no more than *créer*.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from rag.cache.grammar import CAN, DETERMINERS, MUST, OTHERS, PERSONS
from rag.question.normalization import Token, outside, spaced

WAY = (
    r"(?:procedures?|demarches?|marche|methodes?|etapes?|facons?|manieres?|moyens?|processus"
    r"|tutos?|tutoriel|mode operatoire|mode d emploi|solutions?|astuce)(?: a (?:suivre|faire))?"
)
WAY_EN = r"(?:ways?|steps?|procedures?|process|methods?|instructions?)"
PERSON = r"(?:je|on|tu|vous|nous|i|you|we|one|someone)"
DOING = r"(?:fai(?:re|s|t|tes|sons)|proceder|procede|(?:y )?pren(?:dre|d|ds|ez))"
ASIDE = (
    r"(?: (?:est ce que?|dois|doit|puis|peut|peux|pourrais|faut|il|t|y|me|se|s|on|je|tu|vous"
    r"|nous))*"
)
ABLE = (
    rf"(?: (?:puis|peut|peux|pouvons|pourrais|can|could|do|does|should) (?:t )?{PERSON}\b"
    rf"| {PERSON} (?:peux|peut|can|could|should)\b)?"
)
WISH = (
    r"(?:(?:je|on|nous) (?:veux|voudrais|veut|voudrait|voudrions|voulons|souhaite|souhaiterais"
    r"|souhaitons|aimerais|aimerait|aimerions|desire|cherche a|cherchons a|(?:essaie|essaye"
    r"|tente|essayons) de|(?:ai|aurais|avons) besoin de|compte|suis en train de)(?: pouvoir)?"
    r"|il (?:me|nous) (?:faut|faudrait)|besoin de|(?:i|we) (?:want|need|would like|would love|wish"
    r"|am trying|are trying|am looking|plan) to|(?:i|we) need(?= an? )|trying to)"
)

# in this order; each takes its words out, the first that fits says the kind
OPENINGS: tuple[tuple[str, str], ...] = (
    ("how", rf"^comment(?: ca)?(?={ASIDE} {DOING}\b){ASIDE} {DOING}(?: (?:t )?{PERSON})?"
            r"(?: (?:pour|afin de|a))(?= )"),
    ("how", rf"^(?:connaitre |savoir |(?:quelle?s? (?:est|sont)|ce est quoi) )?(?:de |par )?"
            rf"(?:quel(?:le)?s? |(?:la|les|le|l|une|un) )?(?:bonne |meilleure |bon |meilleur )?"
            rf"{WAY}(?: simple| rapide)? (?:pour|de|d|afin de|permettant de)(?= )"),
    ("how", rf"^(?:de|par) quel(?:le)?s? {WAY}{ABLE}"),
    ("how", rf"^(?:existe t il|y a t il|est ce que il (?:y a|existe)) (?:un |une |des )?{WAY}"
            r" (?:pour|de|d|afin de)(?= )"),
    ("how", rf"^(?:what (?:is|are) )?(?:the )?(?:best |right |correct |easiest |proper )?{WAY_EN}"
            r"(?: (?:i|we) (?:should|need to|have to) (?:take|follow))?(?: required)?"
            r" (?:to|for|of|in)(?= )"),
    ("how", rf"^is there (?:an?|any) (?:easy |simple )?{WAY_EN} (?:to|for|of)(?= )"),
    ("how many", r"^(?:combien de(?! temps)|combien(?= de temps)"
                 r"|quel(?: est le)? nombre(?: maximum)? de|how many|(?:what is the )?number of)"),
    ("how much", rf"^(?:combien (?:coute|coutent)|how much (?:does|do|is|are|will|would){ABLE}"
                 r"|quel(?:s|le|les)? (?:est|sont) (?:le|les) (?:prix|tarifs?|couts?)"
                 r" (?:de|d|du|des)"
                 r"|what is the (?:price|cost) of)(?= )"),
    ("how long", r"^how long"),
    ("how often", r"^(?:how often|a quelle frequence)"),
    ("how much", r"^(?:combien|how much)"),
    ("why", r"^comment (?:se fait il|ce est possible) que"),
    ("how", rf"^(?:how (?:do|can|could|would|should|might|must|does|may){ABLE}"
            rf"(?: {PERSON}\b)?(?: go about| manage to| proceed to)?|how to|how about|how"
            r"|comment(?: est ce que?)?)\b"),
    ("since when", r"^depuis (?:quand|combien de temps)|^since when"),
    ("until when", r"^jusque a quand|^until when"),
    ("when", r"^(?:quand|when|a quel moment|a quelle date|on what date)(?: est ce que?)?\b"),
    ("from where", r"^(?:de? ou(?! vient que)|from where)\b"),
    ("through where", r"^(?:par ou|through where)\b"),
    ("where", r"^(?:(?:a|dans|sur) quel(?:le)?s? (?:endroits?|lieu|emplacement)|ou|where)\b"
              rf"(?: est ce que?)?{ABLE}(?: {PERSON}\b(?= trouve))?"
              r"(?: (?:se|s) (?:trouve|situe|cache)\w*)?"
              r"(?: (?:trouver|trouve|trouvons|voir|consulter|find|locate|see|view)\b)?"),
    ("where", r"(?: se (?:trouve|situe)\w*| est| sont)? (?:où|ou|where)$"),
    ("where", r"^where$"),
    ("why", r"^(?:pourquoi|why|how come|pour quelles? raisons?|de? ou vient que|for what reason"
            r"|que est ce qui fait que|what (?:is|are) the reasons?(?: why| that| for)?)"
            r"(?: est ce que?)?\b"),
    ("who", r"^(?:qui(?: est ce qui)?|who|which (?:people|persons?|users?)|quelles? personnes?"
            r"|quels? utilisateurs?)\b"),
    ("to whom", r"^(?:a qui|to whom)\b"),
    ("of whom", r"^(?:de qui|whose|of whom)\b"),
    ("for whom", r"^(?:pour qui|for whom)\b"),
    ("with whom", r"^(?:avec qui|with whom)\b"),
    ("at whom", r"^chez qui\b"),
    ("by whom", r"^(?:par qui|by whom)\b"),
    ("from whom", r"^from whom\b"),
    ("whom", r"^whom\b"),
    ("meaning", r"^(?:que est ce que (?:ce est que )?(?!(?:je|on|il|elle|tu|vous|nous|ca) )"
                r"|ce est quoi|que (?:signifie\w*|veut dire|veulent dire)|a quoi correspond\w*"
                r"|(?:quelle est )?(?:la )?(?:signification|definition) (?:de|d)|define"
                r"|what is (?:the )?meaning of|what (?:is|are) (?!the |my |our |your )"
                r"|what does (?=.* mean$))"),
    ("purpose", r"^(?:a quoi (?:sert|servent|ca sert)|quelle est l utilite (?:de|d|du|des)"
                r"|what (?:does|do) (?=.* do$)"
                r"|what (?:is|are) (?=.* for$))"),
    ("remedy", r"^(?:que|quoi|what) (?:(?:dois|puis|peut|should|can|do|to) )?(?:je |on |i )?"
               r"(?:faut il )?(?:faire|do)\b"),
    ("can", r"^(?:est ce que )?(?:il )?est(?: il| ce) possible (?:de|que)"
            r"|^est ce que (?:je|on|nous) (?:peux|peut|pouvons)|^(?:is it possible|am i able) to"
            r"|^(?:y a t il )?(?:une |la )?possibilite de"),
    ("yes or no", r"^(?:est ce que?|is|are|does|do|did|has|have|was|were|am|will|would)\b"),
    ("which is", r"^(?:quel|quelle|quels|quelles|which)\b (?:est|sont|is|are)"
                 r" (?=(?:le|la|les|l|the) )"),
    ("which", r"^(?:quel|quelle|quels|quelles|which|lequel|laquelle)\b(?: (?:est|sont|is|are))?"),
    ("what", r"^(?:que|quoi|what)\b(?: est ce que?)?(?: (?:is|are|est|sont))?"),
    ("how", rf"^{WISH}(?= )"),
)  # fmt: skip
ENDINGS: tuple[tuple[str, str], ...] = (
    ("how", rf" (?:et )?comment{ASIDE} ?{DOING}(?: {PERSON})?$| comment$"
            rf"| (?:que|quoi){ASIDE} faire$| quelle est (?:la|le) {WAY}$"
            r"| how(?: (?:do|can|should) (?:i|we) (?:do|go about) (?:that|this|it))?$"
            r"| what (?:should|can|do) i do$"),
    ("how", r"(?<=ion|ing|age|ent) (?:procedure|process|steps)(?: comment faire)?$"),
    ("meaning", r" (?:ce est quoi|ca veut dire quoi|que est ce que ce est)$"),
    ("purpose", r" (?:(?:ca )?sert|servent|ca sert) a quoi$| a quoi ca sert$"),
)  # fmt: skip
TRAILING = {"meaning": "mean", "purpose": "do for", "how much": "cost costs"}
UNABLE = re.compile(r"(?<=ne )(?:arrive|parviens|parvient|reussis) pas (?:a|pas)\b")
NOISE = re.compile(
    rf"\best ce que?\b|{UNABLE.pattern}"
    r"|\b(?:dans|sur|in) (?:le|ce|votre|the|your) (?:logiciel|outil|programme|software|tool)\b"
)
Patterns = Sequence[tuple[str, re.Pattern[str]]]
COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in OPENINGS)
COMPILED_ENDINGS = tuple((kind, re.compile(pattern)) for kind, pattern in ENDINGS)
SAYING = DETERMINERS | PERSONS | OTHERS | {"il", "it"}
ASKING = {
    "comment": "how", "how": "how", "pourquoi": "why", "why": "why", "quand": "when",
    "when": "when", "où": "where", "where": "where", "combien": "how much", "who": "who",
}  # fmt: skip


def kind_of_question(told: Sequence[Token]) -> tuple[str, list[Token]]:
    """Return what is asked for and the tokens that do not say it.

    Asked for are `how`, `why`, `when`, `where`, `who`, `can`, `must`, `meaning` and the like.
    """
    rest, ended = _take(list(told), COMPILED_ENDINGS)
    rest, opened = _take(rest, COMPILED)
    kind = opened or ended
    if kind in TRAILING and rest and rest[-1].folded in TRAILING[kind].split():
        rest = rest[:-1]
    rest, inner = _inner(rest, kind)
    kind = kind or inner
    if kind in {"", "yes or no"}:
        kind = _modal(rest) or kind or _bare(rest)
    text = spaced(rest)
    for match in reversed(list(NOISE.finditer(text))):
        rest = outside(rest, text, match)
    return kind, rest


def modality(told: Sequence[Token]) -> str:
    """Return ``must``, ``can`` or nothing."""
    return _modal(told)


def _take(told: list[Token], patterns: Patterns) -> tuple[list[Token], str]:
    text = spaced(told)
    for kind, pattern in patterns:
        match = pattern.search(text)
        rest = outside(told, text, match) if match else told
        if rest and len(rest) < len(told):
            return rest, kind
    return told, ""


def _inner(told: list[Token], kind: str) -> tuple[list[Token], str]:
    """Return the tokens without a question word inside, where no other opened the question."""
    if kind:
        return told, kind
    for place, token in enumerate(told):
        found = ASKING.get(token.raw.lower()) or ASKING.get(token.folded)
        if found and not token.named:
            return [*told[:place], *told[place + 1 :]], found
    return told, ""


def _modal(told: Sequence[Token]) -> str:
    folded = [token.folded for token in told]
    if any(word in MUST for word in folded) or _have_to(folded):
        return "must"
    if UNABLE.search(spaced(told)):
        return "can"
    return "can" if any(word in CAN for word in folded) else ""


def _bare(told: Sequence[Token]) -> str:
    """Return the kind of words that ask nothing: *créer un client* is `bare`, *il pleut* is not."""
    first = told[0].folded if told else ""
    return "statement" if first in SAYING else "bare"


def _have_to(folded: Sequence[str]) -> bool:
    needs = {"have", "has", "need", "needs", "required"}
    return any(a in needs and b == "to" for a, b in pairwise(folded))
