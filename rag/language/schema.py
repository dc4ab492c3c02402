"""What a language's file may hold, by how it is read; `*` stands for any key of a table.

What a file leaves out is empty, and what needs it does nothing in that language.
"""

from __future__ import annotations

from collections.abc import Mapping


def _names(sections: Mapping[str, str]) -> frozenset[str]:
    return frozenset(f"{path}.{name}" for path, names in sections.items() for name in names.split())


# strings of words one space apart, folded
WORDS = _names(
    {
        "tokenizer": "elisions whole elided elided_letters elided_words clitics endings"
        " contractions contracted contracted_asking denied unit_symbols",
        "detection": "own endings loans letters signs",
        "words": "stop silent accented nouns_too articles determiners light repeated new wrappers"
        " companions referring creating",
        "words.person": "subjects others askers theirs ones yours ours reflexive objects referred"
        " after_verb",
        "words.verb": "can must future past have be participles inverting needing asking before",
        "polarity": "negators paired after_ne prefixes denying_prefixes undoing_prefixes",
        "dates": "months days periods capitals lengths",
        "units": "symbols names",
        "headings": "not_spoken before joined light particles",
        "follow_up": "adjuncts beneficiary question asking inverted complements articles"
        " determiners verbs_and_nouns subjects objects places choices links auxiliaries"
        " after_pronoun impersonal modals modal_forms empty particles not_infinitives",
        "verification": "filler after_name determiners",
        "answer.cues": "*",
        "small_talk": "searched neutral",
    }
)
# strings of words by what they say
TABLES = _names(
    {
        "words.verb.irregular": "*",
        "words.gender": "*",
        "words.role": "*",
        "polarity.negations": "*",
        "quantities": "*",
        "numbers.cardinals": "*",
        "numbers.asked": "*",
        "numbers.ordinals": "*",
        "intent.asking": "*",
        "intent.trailing": "*",
    }
)
# words that oppose each other, a colon between them; one key in every language
SIDES = _names({"polarity.opposites": "*", "lexicon.antonyms": "*"})
LINES = _names(
    {
        "follow_up": "leads",
        "lexicon": "synonyms near",
        "small_talk.said": "*",
        "everyday": "said",
    }
)
# regular expressions, or alternatives of one; their line breaks are nothing
PATTERNS = _names(
    {
        "politeness": "greeting please lead closing",
        "intent": "person way doing aside able wish unable noise",
        "answer": "how ordered what where do place access act remedy why cause whether verdict"
        " definition defining_articles defining asking_prefixes asking",
        "answer.asks": "*",
        "answer.gives": "*",
        "headings": "spoken participles",
        "follow_up": "infinitives_in_ier infinitives_in_re",
        "sentences": "abbreviations written_abbreviations leaning captions asides step",
        "verification": "pressed pressed_then pressed_on pressed_things but apology pages denies"
        " says passage passage_before listing",
    }
)
# lines of `name : pattern`; one that begins with a space goes on
RULES = _names({"intent": "openings endings"})
TEXTS = _names(
    {
        "language": "code name snowball",
        "follow_up": "mark",
        "verification": "refusal",
        "prompt": "language brief previous question rules",
        "typography": "spaced_marks thousands decimal percent date quote",
        "tokenizer.abbreviations": "*",
        "messages": "*",
        "problems": "*",
        "report": "*",
        "small_talk.replies": "*",
        "demo": "*",
    }
)
KEYS = WORDS | TABLES | SIDES | LINES | PATTERNS | RULES | TEXTS
SECTIONS = frozenset(
    ".".join(parts[:length])
    for parts in (key.split(".") for key in KEYS)
    for length in range(1, len(parts))
)
