"""Hits to an extractive answer: the sentences, steps or rows of the best page that answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rag.extraction.asked import asks_how, giving, wants_to_know
from rag.extraction.choosing import STEPS_PRIOR, apt
from rag.extraction.condense import HEAD, Asked, asked_of, coverage, rarity, smoothed, words_held
from rag.extraction.finishing import completed, is_aside, told
from rag.extraction.sections import Section, has_steps, sections_of
from rag.extraction.sentences import Unit, leans, length, with_heads
from rag.types import Chunk, Hit

LONGEST = 1_200  # characters: a list of steps is shown whole up to here
USUAL = 600  # anything else: what is read at a glance
SHORT = 250  # below, the best sentence is shown with those that follow it
BEARING = 0.6  # of the best unit's score, from which on others are shown too
FOUND_PRIOR, KIND_BONUS = 0.2, 0.4
FIRST = 0.1  # what standing first in its section is worth
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
    sections = _scored(question, sections_of(hits, page), hits, how)
    section = _answering(apt(sections, question) if how else sections, how)
    text = _shown(section, how, question)
    return Extract(f"{text} [1]", replace(hits[0], chunk=_chunk_of(section)))


def _answering(sections: Sequence[Section], how: bool) -> Section:
    """Return the best section; for how, steps rather than the page's introduction."""
    best = max(sections, key=lambda section: max(section.overall))
    if how and not best.chunks[0].headings and not has_steps(best.units):
        steps = [section for section in sections if has_steps(section.units)]
        return max(steps, key=lambda section: max(section.overall), default=best)
    return best


def _scored(
    question: str,
    sections: Sequence[Section],
    hits: Sequence[Hit],
    how: bool,
) -> list[Section]:
    """Return the sections with the scores of their units, rarity taken over the whole page."""
    asked = asked_of(question)
    lang = hits[0].chunk.lang
    units = _flat(sections)
    held = words_held([unit.text for unit in units], asked, lang)
    gives = giving(question, asked.stems)
    bonus = [KIND_BONUS * gives(unit.text) - is_aside(unit.text) for unit in units]
    around = [near for s in sections for near in [_around(s, asked, how)] * len(s.units)]
    weights = rarity(asked, held)
    alone, together = coverage(units, weights, held), coverage(units, weights, held, around)
    within = [a + b for a, b in zip(alone, bonus, strict=True)]
    overall = [a + b for a, b in zip(together, bonus, strict=True)]
    scored = []
    start = 0
    for section in sections:
        part = slice(start, start := start + len(section.units))
        prior = _prior(section, hits, how)
        raised = tuple(score + prior for score in smoothed(overall[part]))
        inner = tuple(
            score + first for score, first in zip(within[part], _firstness(section), strict=True)
        )
        scored.append(Section(section.chunks, section.units, inner, raised))
    return scored


def _firstness(section: Section) -> list[float]:
    count = len(section.units)
    return [FIRST * (1 - i / count) for i in range(count)]


def _flat(sections: Sequence[Section]) -> list[Unit]:
    """Return the units of all sections, with the positions that they have there."""
    units: list[Unit] = []
    for section in sections:
        shift = len(units)
        units.extend(
            replace(unit, heads=tuple(head + shift for head in unit.heads)) if unit.heads else unit
            for unit in section.units
        )
    return units


def _around(section: Section, asked: Asked, how: bool) -> dict[str, float]:
    """Return what the title and the headings hold of the question's words."""
    chunk = section.chunks[0]
    says_all = chunk.heading.endswith("?") or (how and has_steps(section.units))
    title, heading = words_held([chunk.title, chunk.heading], asked, chunk.lang)
    near = {word: TITLE * credit for word, credit in title.items()}
    for word, credit in heading.items():
        # what the title says too does not tell a section from the others
        tells = says_all and word not in title
        near[word] = max(near.get(word, 0.0), credit * (1.0 if tells else HEAD))
    return near


def _prior(section: Section, hits: Sequence[Hit], how: bool) -> float:
    ids = {chunk.id for chunk in section.chunks}
    found = 1.0 if hits[0].chunk.id in ids else 0.5 * any(hit.chunk.id in ids for hit in hits)
    return FOUND_PRIOR * found + STEPS_PRIOR * (how and has_steps(section.units))


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
