"""Questions that go on from the one before, put together with its topic.

No model is asked: the form of a question tells whether it stands alone (see `language.french`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType

from rag.language import english, french
from rag.language.analyzer import is_stop_word
from rag.language.detection import question_language
from rag.language.profiles import FALLBACK
from rag.language.tokenizer import STOPS, Token, clause_tokens

GRAMMARS = {"fr": french, "en": english}
LONGEST_FOLLOW_UP = 40  # words: who writes more says what is meant
LONGEST_TOPIC = 300  # characters of a question that are taken over into the next


@dataclass(frozen=True, slots=True)
class Topic:
    """Hold a question without its mark, what stands up to its verb, and the verb's object.

    ``action`` is empty where no verb was found, and ``thing`` then what the question is about.
    """

    text: str
    action: str
    thing: str


def is_follow_up(question: str, lang: str) -> bool:
    """Say whether a question needs the one before it to be understood."""
    if lang not in GRAMMARS:
        return False
    grammar = GRAMMARS[lang]
    rest = _without_lead(question, grammar)
    words = _words(clause_tokens(rest))
    if not words or len(words) > LONGEST_FOLLOW_UP:
        return False
    if not _content(words, lang):
        return True
    fragment = words[0] not in grammar.QUESTION and not _asks(words, grammar)
    return (rest != question and fragment) or bool(grammar.references(clause_tokens(question)))


def in_context(question: str, before: str, lang: str) -> str:
    """Return a follow-up completed by the topic of the question ``before`` it."""
    grammar = _grammar(lang)
    topic = topic_of(before[:LONGEST_TOPIC])
    rest = _without_lead(question, grammar)
    found = clause_tokens(rest)
    words = _words(found)
    references = grammar.references(found)
    place = grammar.verb(found)
    if not _content(words, lang) or any(ref.kind == "whole" for ref in references):
        return f"{topic.text}{grammar.MARK} {rest}"
    if words[0] in grammar.ADJUNCTS:
        return _extended(topic, rest, words[0])
    if not references and place is None and words[0] not in grammar.QUESTION:
        named = rest.split(maxsplit=1)[-1] if words[0] in grammar.BENEFICIARY else rest
        return f"{topic.action} {named}" if topic.action else f"{topic.text} {rest}"
    for ref in references:
        if ref.kind == "object":
            completed = grammar.completed(rest, found, ref.at, topic.thing)
            return completed or f"{topic.thing} : {rest}"
    if not references and place is not None and not _words(found[place + 1 :]):
        return f"{rest[: found[place].end]} {topic.thing}{rest[found[place].end :]}"
    return f"{topic.thing} : {rest}"


def topic_of(question: str) -> Topic:
    """Return the parts of a question, in either language."""
    text = question.strip().rstrip("?!. \u00a0\u202f")
    grammar = _grammar(question_language(question))
    found = clause_tokens(text)
    about, _, _ = text.partition(" : ")
    place = grammar.verb(found)
    if place is None:
        return Topic(text, "", _without_question(about, grammar))
    thing = _object(text, found[place + 1 :], grammar)
    if not thing:
        return Topic(text, "", about)
    return Topic(text, text[: found[place].end], thing)


def _object(text: str, after: Sequence[Token], grammar: ModuleType) -> str:
    """Return what follows a verb, up to a mark or to words that say how, when or for whom."""
    end = 0
    for token in after:
        adjunct = token.folded in (grammar.ADJUNCTS | grammar.BENEFICIARY) - grammar.COMPLEMENTS
        if token.folded in STOPS or (adjunct and end):
            break
        end = token.end
    return text[after[0].start : end] if end else ""


def _extended(topic: Topic, rest: str, first: str) -> str:
    """Return the question before with a part added, in place of one that begins alike."""
    after = [t for t in clause_tokens(topic.text) if t.start > len(topic.action)]
    same = next((token.start for token in after if token.folded == first), len(topic.text))
    return f"{topic.text[:same].rstrip()} {rest}"


def _grammar(lang: str) -> ModuleType:
    return GRAMMARS.get(lang, GRAMMARS[FALLBACK])


def _without_lead(question: str, grammar: ModuleType) -> str:
    """Return the question without the words that tie it to the one before (*et*, *what about*)."""
    text = question.strip()
    for lead in grammar.LEADS:
        if text.lower().startswith(lead) and not text[len(lead) : len(lead) + 1].isalnum():
            cut = len(lead) - len("if") * lead.endswith(" if")  # a condition stays one
            return text[cut:].lstrip(" ,…-\u00a0") or text
    return question


def _without_question(text: str, grammar: ModuleType) -> str:
    """Return the text without the words that ask, at its beginning."""
    found = clause_tokens(text)
    kept = next((t.start for t in found if t.folded not in grammar.QUESTION | grammar.ASKING), 0)
    return text[kept:]


def _words(found: Sequence[Token]) -> list[str]:
    return [token.folded for token in found if token.folded not in STOPS]


def _content(words: Sequence[str], lang: str) -> list[str]:
    """Return the words that say by themselves what is meant."""
    grammar = _grammar(lang)
    bare = [word.lstrip("-").rstrip("'") for word in words]
    said = [word for word in bare if word not in grammar.EMPTY and not is_stop_word(word, lang)]
    named = (word for before, word in pairwise(bare) if before in grammar.DETERMINERS)
    return said + [word for word in named if word in grammar.VERBS_AND_NOUNS]


def _asks(words: Sequence[str], grammar: ModuleType) -> bool:
    """Say whether the words are a question of their own: *peut-on …*, *puis-je …*."""
    return words[0] in grammar.ASKING or any(word in grammar.INVERTED for word in words[1:3])
