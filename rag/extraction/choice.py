"""Which section of a page a reader would choose for a question, by weights that are fitted.

`training/fit_sections.py` fits them on questions whose section is known, and says how well they
choose on manuals that they were not fitted on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy
from numpy.typing import NDArray

from rag.core.documents import Hit
from rag.extraction.coverage import (
    HEAD,
    Credits,
    SubwordEncoder,
    coverage,
    lent,
    rarity,
    terms_of,
)
from rag.extraction.giving import giving, subject
from rag.extraction.headings import Named, named, read_heading
from rag.extraction.page_index import PAGES_KEPT, Block, PageIndex
from rag.question import Question
from rag.question.intent import AnswerType

Numbers = NDArray[numpy.float64]
TITLE = 0.3  # what a word of the page's title counts for each of its units
TITLED = 0.7  # what a heading's word loses that the title says too: it tells no section apart
ANOTHER = (Named.OPPOSITE, Named.OTHER)
KIND_BONUS = 0.4  # what giving the kind of thing that is asked for is worth
DEFINES = 3.0  # times what giving any other kind of thing is worth
ASIDE = 1.0
CODED = 1.0  # what holding a code that is asked about is worth
# « E-202 », « err:522 », « 0x80070005 », « ### »
CODE = re.compile(r"\b[A-Za-z]{1,4}[-:]?\d{2,}\b|\b\d{3,}\b|[^\w\s.,;:!?'’«»()\"/-]{2,}")
# what each feature of a section is worth; `features` says what they are
WEIGHTS = {
    "unit": 0.41,
    "all": 2.19,
    "heading": 1.14,
    "given": 1.26,
    "named": 3.52,
    "verb": 2.47,
    "same_verb": 1.5,  # fitted 0.4, likewise
    "another": 0.17,
    "opposite": -2.0,  # fitted -0.6: too few questions tell
    "steps": 2.63,
    "intro": -3.03,
    "intro_told": -1.87,
    "best": 0.72,
    "found": 1.14,
    "later": -3.32,
    "first_act": 1.76,
}


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Hold how a page stands to a question.

    ``weights`` are those of the question's words. ``own`` is how well units hold these themselves
    or by their root, ``held`` by words near in sense too; ``named_so`` and ``headed`` are the same
    for sections' headings, ``titled`` for the page's title. ``given`` is what units are worth for
    the kind of thing that they give, ``scores`` what they are worth in all; ``opened`` is how much
    of the question each block opens with, ``coded`` says which units hold a code that is asked
    about, ``actions`` how headings stand to the action asked about.
    """

    index: PageIndex
    question: Question
    weights: Numbers
    own: Credits
    held: Credits
    headed: Credits
    titled: Numbers
    given: Numbers
    scores: Numbers
    opened: Numbers
    coded: NDArray[numpy.bool_]
    named_so: Credits
    actions: Sequence[Named]


def read_for(index: PageIndex, question: Question, encoder: SubwordEncoder | None) -> Reading:
    """Compare a page's units and headings with a question."""
    terms = terms_of(question)
    own, names = index.words.held(terms), index.names.held(terms)
    named_so, titled = names[:, :-1], names[:, -1]
    near, headed = own, named_so
    if encoder is not None:
        units, headings = (senses.held(terms, encoder) for senses in index.senses(encoder))
        near, headed = numpy.maximum(own, units), numpy.maximum(named_so, headings)
    weights = rarity(terms, near)
    held = lent(near, index.led)
    given = _given(index, question)
    coded = _coded(index, question)
    return Reading(
        index=index,
        question=question,
        weights=weights,
        own=own,
        held=held,
        headed=headed,
        named_so=named_so,
        titled=titled,
        given=given,
        scores=coverage(weights, held) + given + CODED * coded,
        opened=coverage(weights, index.openings.held(terms)),
        coded=coded,
        actions=_actions(index, question),
    )


def _coded(index: PageIndex, question: Question) -> NDArray[numpy.bool_]:
    """Say of each unit whether it holds a code that the question names."""
    codes = [code.lower() for code in CODE.findall(question.search_text)]
    return numpy.array([any(code in unit.text.lower() for code in codes) for unit in index.units])


def choose(reading: Reading, hits: Sequence[Hit]) -> Numbers:
    """Return the probability of each section to be the one that a reader would choose."""
    found = features(reading, hits)
    scores = sum(WEIGHTS[name] * values for name, values in found.items())
    odds = numpy.exp(scores - numpy.max(scores))
    share: Numbers = odds / odds.sum()
    return share


def features(reading: Reading, hits: Sequence[Hit]) -> dict[str, Numbers]:
    """Return the features of each section, by name, each (sections,) about in [-1, 1].

    ``unit`` and ``all``: how much of the question its best unit and all of them hold; ``heading``:
    its heading; ``named``: its best unit with the heading and the title. ``given``: what the best
    unit gains by the kind of thing that it gives; ``action``: how its heading names the action
    asked about; ``steps`` and ``act``: it has them; ``best`` and ``found``: it was found by the
    search. The last are for the page as a whole: ``later``, ``first_act``: where it stands, where
    the question asks for what the page's title says.
    """
    index, weights = reading.index, reading.weights
    how = reading.question.intent.how
    acts = _having(index, lambda block: block.acts)
    intro = numpy.array([not section.chunks[0].headings for section in index.sections], float)
    general = max(2 * float(weights @ reading.titled) - 1, 0.0)
    bare = coverage(weights, reading.held)
    best = _best(index, reading.scores)
    return {
        "unit": _best(index, bare),
        "all": weights @ numpy.maximum.reduceat(reading.held, index.unit_starts, axis=1),
        "heading": (weights * (1 - TITLED * reading.titled)) @ reading.headed,
        "given": best - _best(index, bare),
        "named": _best(index, coverage(weights, _with_names(reading)) + reading.given),
        **_named_so(reading.actions),
        "steps": how * _having(index, _is_steps) * _naming_best(reading.actions),
        "intro": how * intro * (1 - acts),
        "intro_told": (not how) * (1 - general) * intro,
        **_found(index, hits),
        "later": general * numpy.arange(len(acts)) / len(acts),
        "first_act": general * _first(acts * (1 - intro)),
    }


def _given(index: PageIndex, question: Question) -> Numbers:
    """Return what each unit is worth for giving the kind of thing asked for, an aside less."""
    if question.intent.answer_type == "definition":
        stems = {stem for term in terms_of(question) for stem in term.stems}
        subjects = [subject(unit.text) for unit in index.units]
        given = [DEFINES * len(stems & one) / (len(one) or 1) for one in subjects]
        return KIND_BONUS * numpy.array(given)
    return _giving(index, question.intent.answer_type)


@lru_cache(maxsize=4 * PAGES_KEPT)
def _giving(index: PageIndex, kind: AnswerType) -> Numbers:
    gives = giving(kind)
    asides = numpy.array([block.aside for block in index.blocks for _ in block.places])
    given = numpy.array([gives(unit.text) for unit in index.units])
    worth: Numbers = KIND_BONUS * given - ASIDE * asides
    return worth


def _best(index: PageIndex, scores: Numbers) -> Numbers:
    """Return the score of each section's best unit."""
    best: Numbers = numpy.maximum.reduceat(scores, index.unit_starts)
    return best


def _with_names(reading: Reading) -> Credits:
    """Return how well each unit holds the words by its section's heading and the title too."""
    names = numpy.maximum(HEAD * reading.headed, TITLE * reading.titled[:, None])
    whole: Credits = numpy.maximum(reading.held, names[:, reading.index.of_unit])
    return whole


def _having(index: PageIndex, is_so: Callable[[Block], bool]) -> Numbers:
    """Say of each section whether one of its blocks is so."""
    found = [any(is_so(index.blocks[i]) for i in one.blocks) for one in index.sections]
    return numpy.array(found, float)


def _is_steps(block: Block) -> bool:
    return block.kind == "step" and len(block.places) > 1


def _actions(index: PageIndex, question: Question) -> list[Named]:
    """Return how each section's innermost telling heading stands to the action asked about."""
    action = question.action if question.intent.how else None
    if action is None:
        return [Named.NOTHING] * len(index.sections)
    found = []
    for section in index.sections:
        chunk = section.chunks[0]
        names = (named(read_heading(one, chunk.lang), action) for one in reversed(chunk.headings))
        found.append(next((name for name in names if name != Named.NOTHING), Named.NOTHING))
    return found


def _naming_best(actions: Sequence[Named]) -> NDArray[numpy.bool_]:
    """Say which sections name the action asked about as well as any: others' steps do not count."""
    return numpy.array(actions) == max(actions)


def _named_so(actions: Sequence[Named]) -> dict[str, Numbers]:
    """Return a flag for each way of naming the action asked about."""
    ways: dict[str, tuple[Named, ...]] = {
        "verb": (Named.SAME_VERB, Named.VERB),
        "same_verb": (Named.SAME_VERB,),
        "another": (Named.OTHER,),
        "opposite": (Named.OPPOSITE,),
    }
    return {
        way: numpy.array([one in names for one in actions], float) for way, names in ways.items()
    }


def _found(index: PageIndex, hits: Sequence[Hit]) -> dict[str, Numbers]:
    """Say which section is the best hit's, and how near the others' scores come to its."""
    scores = {hit.chunk.id: hit.score for hit in hits}
    top = hits[0].score or 1.0
    best, found = numpy.zeros(len(index.sections)), numpy.zeros(len(index.sections))
    for number, section in enumerate(index.sections):
        ids = [chunk.id for chunk in section.chunks]
        best[number] = hits[0].chunk.id in ids
        found[number] = max((scores.get(one, 0.0) for one in ids), default=0.0) / top
    return {"best": best, "found": found}


def _first(flags: Numbers) -> Numbers:
    """Keep the first flag that is set."""
    first = numpy.zeros(len(flags))
    if flags.any():
        first[int(numpy.argmax(flags))] = 1.0
    return first
