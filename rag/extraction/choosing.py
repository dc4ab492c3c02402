"""Sections of a page to those that a question about an action may be answered from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rag.extraction.actions import Action, Heading, Named, named, read_heading
from rag.extraction.reading import PAGES_KEPT, Reading
from rag.question import Question

STEPS_PRIOR = 0.5  # what a list of steps is worth where a question asks how, and
# what a heading is worth that names the action
NAMED = {Named.SAME_VERB: 0.7, Named.VERB: 0.3, Named.NOUN: 0.1}


def apt(reading: Reading, scores: Sequence[float], question: Question) -> dict[int, float]:
    """Return the sections whose heading names the action asked about, and those that name none.

    Where no heading names it, all but those that name its opposite; all where none is left.
    ``scores`` are those of the reading's sections; what is returned are the scores by number.
    """
    action = question.action
    if action is None:
        return dict(enumerate(scores))
    names = [_named_by(headings, action) for headings in _headings(reading)]
    is_named = max(names) > Named.NOTHING
    if not is_named:
        scores = _without_others_steps(reading, scores, names, action)
    elif Named.SAME_VERB in names:
        others = [name != Named.SAME_VERB for name in names]
        scores = _without_steps(reading, scores, others)
    least = Named.NOTHING if is_named else Named.OTHER
    kept = {
        number: scores[number] + NAMED.get(name, 0.0)
        for number, name in enumerate(names)
        if name > least
        or (name == least and (not is_named or reading.sections[number].chunks[0].headings))
    }
    return kept or dict(enumerate(scores))


def _without_others_steps(
    reading: Reading, scores: Sequence[float], names: Sequence[Named], action: Action
) -> Sequence[float]:
    """Take what steps are worth from those of another action where another section says this one.

    A page whose title names the action has it done by steps of any name.
    """
    said = reading.words.holding((action.stem, *action.alike))
    chunk = reading.sections[0].chunks[0]
    if not said or named(read_heading(chunk.title, chunk.lang), action) > Named.NOTHING:
        return scores
    others = [
        name < Named.NOTHING and said.isdisjoint(places)
        for name, places in zip(names, reading.places, strict=True)
    ]
    return _without_steps(reading, scores, others)


def _without_steps(
    reading: Reading, scores: Sequence[float], others: Sequence[bool]
) -> Sequence[float]:
    """Take from the scores of other sections what their steps are worth."""
    return [
        score - STEPS_PRIOR if is_other and section.has_steps else score
        for score, is_other, section in zip(scores, others, reading.sections, strict=True)
    ]


@lru_cache(maxsize=PAGES_KEPT)
def _headings(reading: Reading) -> tuple[tuple[Heading, ...], ...]:
    """Return the headings of each section, the innermost first."""
    chunks = [section.chunks[0] for section in reading.sections]
    return tuple(
        tuple(read_heading(heading, chunk.lang) for heading in reversed(chunk.headings))
        for chunk in chunks
    )


def _named_by(headings: Sequence[Heading], action: Action) -> Named:
    """Say what the innermost heading that names an action makes of it."""
    for heading in headings:
        name = named(heading, action)
        if name != Named.NOTHING:
            return name
    return Named.NOTHING
