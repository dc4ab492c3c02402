"""Sections of a page to those that a question about an action may be answered from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from rag.extraction.actions import Action, Named, action_asked, named
from rag.extraction.reading import Reading
from rag.extraction.sections import Section, has_steps

READINGS_KEPT = 2_000  # of pages, for the actions that were asked about
STEPS_PRIOR = 0.5  # what a list of steps is worth where a question asks how, and
# what a heading is worth that names the action
NAMED = {Named.SAME_VERB: 0.7, Named.VERB: 0.3, Named.NOUN: 0.1}


def apt(reading: Reading, sections: Sequence[Section], question: str) -> list[Section]:
    """Return the sections whose heading names the action asked about, and those that name none.

    Where no heading names it, all but those that name its opposite; all where none is left.
    ``sections`` are the reading's, scored.
    """
    action = action_asked(question)
    if action is None:
        return list(sections)
    names = _named_by(reading, action)
    is_named = max(names) > Named.NOTHING
    if not is_named:
        sections = _without_others_steps(reading, sections, names, action)
    elif Named.SAME_VERB in names:
        sections = [
            section if name == Named.SAME_VERB else _without_steps(section)
            for section, name in zip(sections, names, strict=True)
        ]
    least = Named.NOTHING if is_named else Named.OTHER
    kept = [
        _raised(section, NAMED.get(name, 0.0))
        for section, name in zip(sections, names, strict=True)
        if name > least or (name == least and (section.chunks[0].headings or not is_named))
    ]
    return kept or list(sections)


def _without_others_steps(
    reading: Reading, sections: Sequence[Section], names: Sequence[Named], action: Action
) -> Sequence[Section]:
    """Take what steps are worth from those of another action where another section says this one.

    A page whose title names the action has it done by steps of any name.
    """
    chunk = sections[0].chunks[0]
    said = reading.words.holding((action.stem, *action.alike))
    says = [any(i in said for i in range(*bounds)) for bounds in pairwise(reading.bounds)]
    if not any(says) or named(chunk.title, chunk.lang, action) > Named.NOTHING:
        return sections
    return [
        _without_steps(section) if name < Named.NOTHING and not says_it else section
        for section, name, says_it in zip(sections, names, says, strict=True)
    ]


def _without_steps(section: Section) -> Section:
    """Take from a section's scores what its steps are worth."""
    lost = STEPS_PRIOR * has_steps(section.units)
    return _raised(section, -lost)


def _raised(section: Section, more: float) -> Section:
    if not more:
        return section
    raised = tuple([score + more for score in section.overall])
    return Section(section.chunks, section.units, section.within, raised)


@lru_cache(maxsize=READINGS_KEPT)
def _named_by(reading: Reading, action: Action) -> list[Named]:
    return [_names(section, action) for section in reading.sections]


def _names(section: Section, action: Action) -> Named:
    """Say what the innermost heading that names an action makes of it."""
    chunk = section.chunks[0]
    found = (named(heading, chunk.lang, action) for heading in reversed(chunk.headings))
    return next((name for name in found if name != Named.NOTHING), Named.NOTHING)
