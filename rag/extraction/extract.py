"""Hits to an extractive answer: the sentences, steps or rows of the best page that answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy

from rag.extraction.asked import asks_how, asks_what, giving, wants_to_know
from rag.extraction.choosing import STEPS_PRIOR, apt
from rag.extraction.finishing import completed, is_aside, told
from rag.extraction.holding import HEAD, NEAR, Asked, Credits, asked_of, coverage, lent, rarity
from rag.extraction.reading import Reading, given, read, subjects
from rag.extraction.sections import Section, has_steps, sections_of
from rag.extraction.sentences import Unit, leans, length, with_heads
from rag.types import Chunk, Hit

LONGEST = 1_200  # characters: a list of steps is shown whole up to here
USUAL = 600  # anything else: what is read at a glance
SHORT = 250  # below, the best sentence is shown with those that follow it
BEARING = 0.6  # of the best unit's score, from which on others are shown too
FOUND_PRIOR, KIND_BONUS = 0.2, 0.4
TITLE = 0.3  # what a word of the page's title counts for each of its units


@dataclass(frozen=True, slots=True)
class Extract:
    """Hold an answer made of a page's own words, and the hit that it is taken from."""

    text: str
    hit: Hit


def extract_answer(question: str, hits: Sequence[Hit], page: Sequence[Chunk]) -> Extract:
    """Return what answers in the best hit's page, in its order, with its number [1].

    ``page`` are the chunks of the best hit's page in order. A question that asks how is answered
    by steps, whole where they fit `LONGEST`; others by the sentences, items or rows that bear on
    it, in at most `USUAL` characters where the best of them is not longer.
    """
    how = asks_how(question)
    reading = read(sections_of(hits, page))
    sections = _scored(question, reading, hits, how)
    section = _answering(apt(reading, sections, question) if how else sections, how)
    text = _shown(section, how, question)
    return Extract(f"{text} [1]", replace(hits[0], chunk=_chunk_of(section)))


def _answering(sections: Sequence[Section], how: bool) -> Section:
    """Return the best section; for how, steps rather than the page's introduction."""
    best = max(sections, key=lambda section: max(section.overall))
    if how and not best.chunks[0].headings and not has_steps(best.units):
        steps = [section for section in sections if has_steps(section.units)]
        return max(steps, key=lambda section: max(section.overall), default=best)
    return best


def _scored(question: str, reading: Reading, hits: Sequence[Hit], how: bool) -> list[Section]:
    """Return the sections with the scores of their units, rarity taken over the whole page."""
    asked = asked_of(question)
    held = reading.words.held(asked)
    count = len(reading.units)
    units = held[:, :count]
    own = lent(units, reading.heads)
    around = _around(reading, held[:, count:], how).take(reading.section_of, axis=1)
    both = numpy.concatenate((own, numpy.maximum(own, around)), axis=1)
    covered = coverage(rarity(asked, units), both)
    bonus = KIND_BONUS * _given(reading, question, asked) - reading.asides
    overall = numpy.zeros(count + 1)
    overall[:count] = covered[count:] + bonus
    near = numpy.maximum(overall[reading.before], overall[reading.after])
    priors = numpy.array(_priors(reading, hits, how)).take(reading.section_of)
    raised = (overall[:count] + NEAR * near + priors).tolist()
    within = (covered[:count] + bonus + reading.first).tolist()
    return [
        Section(section.chunks, section.units, tuple(within[start:end]), tuple(raised[start:end]))
        for section, (start, end) in zip(reading.sections, pairwise(reading.bounds), strict=True)
    ]


def _given(reading: Reading, question: str, asked: Asked) -> Credits:
    """Return how far each unit gives the kind of thing that a question asks for."""
    if not asks_what(question):
        return given(reading, giving(question))
    defined = [1.5 * (not stems.isdisjoint(asked.stems)) for stems in subjects(reading)]
    return numpy.array(defined)


def _around(reading: Reading, held: Credits, how: bool) -> Credits:
    """Return what each section's title and headings hold of the question's words."""
    count = len(reading.sections)
    title, heading = held[:, :count], held[:, count:]
    says_all = reading.asking | numpy.array(reading.steps) if how else reading.asking
    # what the title says too does not tell a section from the others
    tells = numpy.where(says_all & (title == 0), 1.0, HEAD)
    return numpy.maximum(TITLE * title, tells * heading)


def _priors(reading: Reading, hits: Sequence[Hit], how: bool) -> list[float]:
    """Return what each section is worth for being found, and for its steps where they are asked."""
    best, ids = hits[0].chunk.id, {hit.chunk.id for hit in hits}
    priors = []
    for section, steps in zip(reading.sections, reading.steps, strict=True):
        own = [chunk.id for chunk in section.chunks]
        found = 1.0 if best in own else 0.5 * (not ids.isdisjoint(own))
        priors.append(FOUND_PRIOR * found + STEPS_PRIOR * (how and steps))
    return priors


def _shown(section: Section, how: bool, question: str) -> str:
    units, best = section.units, section.best
    # « j'ai oublié mon mot de passe » asks nothing: one step of what to do would not help
    listed = how or (units[best].kind == "step" and not wants_to_know(question))
    if listed and has_steps(units):
        kept = _steps(units, best)
    elif how and units[best].kind not in ("row", "item", "header"):
        kept = _onwards(units, best)
    else:
        kept = _filled(units, _bearing(section), best, how=how)
    return told(units, completed(units, kept, USUAL))


def _bearing(section: Section) -> set[int]:
    """Return the best unit, and those near it that bear on the question almost as much."""
    units, scores, best = section.units, section.within, section.best
    kept: set[int] = set()
    for position in sorted(range(len(units)), key=lambda i: (-scores[i], i)):
        # one step tells how much or where without those before it
        alone = {position, *units[position].heads}
        more = kept | (alone if units[position].kind == "step" else with_heads(units, position))
        bears = scores[position] >= BEARING * scores[best] and _is_near(units, position, best)
        shown = bears and not is_aside(units[position].text)
        if shown and length(units, more) <= USUAL:
            kept = more
    return kept or {best, *units[best].heads}


def _is_near(units: Sequence[Unit], position: int, best: int) -> bool:
    """Say whether a unit stands in the best one's list or table, or in its paragraph or the next.

    The sentence after a list or table, and the one before it, are near too.
    """
    one, other = units[position], units[best]
    if one.kind == other.kind != "sentence":
        return one.first == other.first
    return abs(one.line - other.line) <= 1 or position in other.heads


def _steps(units: Sequence[Unit], best: int) -> set[int]:
    """Return the list of steps nearest to the best unit, whole or from its first step on."""
    steps = [i for i, unit in enumerate(units) if unit.kind == "step"]
    first = units[min(steps, key=lambda i: (abs(i - best), i))].first
    last = max(i for i in steps if units[i].first == first)
    return _following(units, {first, *units[first].heads}, first, last, LONGEST)


def _onwards(units: Sequence[Unit], best: int) -> set[int]:
    """Return the section from its beginning, or from the best unit where that is too far."""
    start = 0
    if length(units, range(best + 1)) > USUAL:
        start = min(with_heads(units, best))
    return _following(units, set(), start, len(units) - 1, USUAL) or {best}


def _following(units: Sequence[Unit], kept: set[int], first: int, last: int, most: int) -> set[int]:
    """Add the units from the first to the last, captions aside, as far as they fit."""
    for position in range(first, last + 1):
        if length(units, kept | {position}) > most:
            break
        if not is_aside(units[position].text):
            kept = kept | {position}
    return kept


def _filled(units: Sequence[Unit], kept: set[int], best: int, *, how: bool) -> set[int]:
    """Add the rest of a short list or paragraph: what follows the best sentence in it."""
    unit = units[best]
    if unit.kind == "lead" or (unit.kind == "item" and (unit.heads or how)):
        led = unit.kind == "lead"
        listed = {
            i
            for i, other in enumerate(units)
            if (best in other.heads if led else other.first == unit.first)
        }
        most = USUAL if how else SHORT
        return kept | listed if length(units, kept | listed) <= most else kept
    for position in range(best + 1, len(units)):
        if unit.kind != "sentence" or units[position].line != unit.line:
            break
        more = kept | {position}
        too_long = length(units, more) > SHORT and not leans(units, position)
        if too_long or is_aside(units[position].text):
            break
        kept = more
    return kept


def _chunk_of(section: Section) -> Chunk:
    """Return the section's chunk that holds its best unit."""
    line = section.units[section.best].text.split("\n")[0]
    return next((chunk for chunk in section.chunks if line in chunk.text), section.chunks[0])
