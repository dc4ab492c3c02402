"""Hits to an extractive answer: the sentences, steps or rows of the best page that answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import add

from rag.core.documents import Chunk, Hit
from rag.extraction.choosing import STEPS_PRIOR, apt
from rag.extraction.finishing import completed, told
from rag.extraction.giving import giving
from rag.extraction.holding import (
    HEAD,
    MOST_WORDS,
    Credits,
    coverage,
    lent,
    rarity,
    with_near,
)
from rag.extraction.reading import Reading, bonuses, read, subjects, worth
from rag.extraction.sections import Section, sections_of
from rag.language.sentences import Unit, leans, length, with_heads
from rag.question import Question, Term

LONGEST = 1_200  # characters: a list of steps is shown whole up to here
USUAL = 600  # anything else: what is read at a glance
SHORT = 250  # below, the best sentence is shown with those that follow it
BEARING = 0.6  # of the best unit's score, from which on others are shown too
FOUND_PRIOR = 0.2
TITLE = 0.3  # what a word of the page's title counts for each of its units


@dataclass(frozen=True, slots=True)
class Extract:
    """Hold an answer made of a page's own words, and the hit that it is taken from."""

    text: str
    hit: Hit


def extract_answer(question: Question, hits: Sequence[Hit], page: Sequence[Chunk]) -> Extract:
    """Return what answers in the best hit's page, in its order, with its number [1].

    ``page`` are the chunks of the best hit's page in order. A question that asks how is answered
    by steps, whole where they fit `LONGEST`; others by the sentences, items or rows that bear on
    it, in at most `USUAL` characters where the best of them is not longer.
    """
    how = question.intent.how
    reading = read(sections_of(hits, page))
    scores, within = _scored(question, reading, hits, how)
    kept = apt(reading, scores, question) if how else dict(enumerate(scores))
    number = _answering(reading.sections, kept, how)
    section, places = reading.sections[number], reading.places[number]
    of_units = within[places.start : places.stop]
    best = of_units.index(max(of_units))
    text = _shown(section, of_units, best, how, question)
    return Extract(f"{text} [1]", replace(hits[0], chunk=_chunk_of(section, best)))


def _answering(sections: Sequence[Section], scores: Mapping[int, float], how: bool) -> int:
    """Return the number of the best section; for how, steps rather than the introduction."""
    best = max(scores, key=scores.__getitem__)
    if how and not sections[best].chunks[0].headings and not sections[best].has_steps:
        steps = [number for number in scores if sections[number].has_steps]
        return max(steps, key=scores.__getitem__, default=best)
    return best


def _scored(
    question: Question, reading: Reading, hits: Sequence[Hit], how: bool
) -> tuple[list[float], list[float]]:
    """Return the scores of sections, and those that compare units with others of their section.

    A section's is that of its best unit. Rarity is taken over the whole page.
    """
    terms = question.terms[:MOST_WORDS]
    count = len(reading.units)
    held = [reading.words.held(term.stems) for term in terms]
    weights = rarity(terms, held, count)
    own = [lent(one, reading.led) for one in held]
    bonus = _bonus(reading, question, terms)
    within = list(map(add, map(add, coverage(weights, own, count), bonus), reading.first))
    around = [_around(reading, term.stems, how) for term in terms]
    whole = [_with_names(reading, *pair) for pair in zip(own, around, strict=True)]
    overall = list(map(add, coverage(weights, whole, count), bonus))
    near = with_near(overall, reading.neighbours)
    best = [max(near[one.start : one.stop]) for one in reading.places]
    return list(map(add, best, _priors(reading, hits, how))), within


def _bonus(reading: Reading, question: Question, terms: Sequence[Term]) -> list[float]:
    """Return what each unit is worth for giving the kind of thing that a question asks for."""
    if question.intent.answer_type != "definition":
        return bonuses(reading, giving(question.intent.answer_type))
    stems = {stem for term in terms for stem in term.stems}
    return worth(reading, [1.5 * (not stems.isdisjoint(one)) for one in subjects(reading)])


def _around(reading: Reading, forms: Sequence[str], how: bool) -> Credits:
    """Return how well each section's title and headings hold a word."""
    held = reading.names.held(forms)
    count, telling = len(reading.sections), reading.telling[how]
    around: Credits = {}
    for place, credit in held.items():
        section = place % count
        # what the title says too does not tell a section from the others
        tells = 1.0 if telling[section] and section not in held else HEAD
        share = (TITLE if place < count else tells) * credit
        if around.get(section, 0.0) < share:
            around[section] = share
    return around


def _with_names(reading: Reading, held: Credits, around: Credits) -> Credits:
    """Return how well each unit holds a word, by its section's title and headings too."""
    if not around:
        return held
    whole: Credits = {}
    for number, credit in around.items():
        whole |= dict.fromkeys(reading.places[number], credit)
    return whole | {p: credit for p, credit in held.items() if credit > whole.get(p, 0.0)}


def _priors(reading: Reading, hits: Sequence[Hit], how: bool) -> list[float]:
    """Return what each section is worth for being found, and for its steps where they are asked."""
    best, ids = hits[0].chunk.id, {hit.chunk.id for hit in hits}
    priors = []
    for section in reading.sections:
        found = 1.0 if best in section.ids else 0.5 * (not ids.isdisjoint(section.ids))
        priors.append(FOUND_PRIOR * found + STEPS_PRIOR * (how and section.has_steps))
    return priors


def _shown(
    section: Section, scores: Sequence[float], best: int, how: bool, question: Question
) -> str:
    units = section.units
    # « j'ai oublié mon mot de passe » asks nothing: one step of what to do would not help
    listed = how or (units[best].kind == "step" and not question.intent.tells)
    if listed and section.has_steps:
        kept = _steps(section, best)
    elif how and units[best].kind not in ("row", "item", "header"):
        kept = _onwards(section, best)
    else:
        kept = _filled(section, _bearing(section, scores, best), best, how=how)
    return told(units, completed(units, kept, USUAL))


def _bearing(section: Section, scores: Sequence[float], best: int) -> set[int]:
    """Return the best unit, and those near it that bear on the question almost as much."""
    units, least = section.units, BEARING * scores[best]
    bearing = [
        i
        for i, score in enumerate(scores)
        if score >= least and i not in section.asides and _is_near(units, i, best)
    ]
    kept: set[int] = set()
    for position in sorted(bearing, key=lambda i: -scores[i]):
        # one step tells how much or where without those before it
        alone = {position, *units[position].heads}
        more = kept | (alone if units[position].kind == "step" else with_heads(units, position))
        if length(units, more) <= USUAL:
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


def _steps(section: Section, best: int) -> set[int]:
    """Return the list of steps nearest to the best unit, whole or from its first step on."""
    units = section.units
    steps = [i for i, unit in enumerate(units) if unit.kind == "step"]
    first = units[min(steps, key=lambda i: (abs(i - best), i))].first
    last = max(i for i in steps if units[i].first == first)
    return _following(section, {first, *units[first].heads}, first, last, LONGEST)


def _onwards(section: Section, best: int) -> set[int]:
    """Return the section from its beginning, or from the best unit where that is too far."""
    units, start = section.units, 0
    if length(units, range(best + 1)) > USUAL:
        start = min(with_heads(units, best))
    return _following(section, set(), start, len(units) - 1, USUAL) or {best}


def _following(section: Section, kept: set[int], first: int, last: int, most: int) -> set[int]:
    """Add the units from the first to the last, captions aside, as far as they fit."""
    left = most - length(section.units, kept)
    for position in range(first, last + 1):
        more = len(section.units[position].text) + bool(kept)
        if position in kept:
            continue
        if more > left:
            break
        if position not in section.asides:
            kept.add(position)
            left -= more
    return kept


def _filled(section: Section, kept: set[int], best: int, *, how: bool) -> set[int]:
    """Add the rest of a short list or paragraph: what follows the best sentence in it."""
    units, unit = section.units, section.units[best]
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
        if too_long or position in section.asides:
            break
        kept = more
    return kept


def _chunk_of(section: Section, best: int) -> Chunk:
    """Return the section's chunk that holds its best unit."""
    line = section.units[best].text.split("\n")[0]
    return next((chunk for chunk in section.chunks if line in chunk.text), section.chunks[0])
