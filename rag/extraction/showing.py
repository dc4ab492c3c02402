"""What of a page is shown for a question: whole blocks of the section chosen, within a budget.

The block that answers is certain to be in. What is to be done is shown with where to click, also
where another section says it; what no block shown holds is looked for in the page's other sections.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy

from rag.core.answers import LeftUnit
from rag.extraction.choice import ANOTHER, Numbers, Reading
from rag.extraction.finishing import is_path
from rag.extraction.headings import Named
from rag.extraction.page_index import Block
from rag.language.sentences import STEP, UnitKind, joined
from rag.question import Question

USUAL = 1_200  # characters: what is read in a minute
BRIEF = 500  # what is read at a glance, where a question asks for a thing told
LONGEST = 1_500  # a list of steps is shown whole up to here
SHORT = 250  # characters: below, what stands beside it is shown too
MOST_SOURCES = 3
UNION = 0.5  # what all units of a block together count beside its best one
OPENING = 0.4  # what the words count that a block opens with: « Windows. … », « Taille : … »
DOING = 0.25  # what saying what to do counts for a block, where something is to be done
BEARING = 0.75  # of the best row's score, from which on others are shown too
STANDING_OUT = 0.15  # by which a row's score must pass those of most others to be shown alone
MOST_ROWS = 5
LEFT: dict[UnitKind, LeftUnit] = {
    "step": "steps",
    "row": "rows",
    "item": "items",
    "code": "lines",
}
MISSING = 0.1  # of the question's weight, from which on another section is shown for it


@dataclass(frozen=True, slots=True)
class Piece:
    """Hold what is shown of a block; ``left`` steps, rows, items or sentences of it are not."""

    text: str
    left: int = 0
    unit: LeftUnit = "paragraphs"


@dataclass(slots=True)
class Display:
    """Collect what is shown: pieces by the number of their block.

    ``left`` counts the blocks of the section that do not fit.
    """

    reading: Reading
    section: int
    budget: int
    pieces: dict[int, Piece] = field(default_factory=dict)
    left: int = 0

    @property
    def sections(self) -> list[int]:
        """Return the sections that are shown, the one that answers first, then in page order."""
        blocks = self.reading.index.blocks
        others = {blocks[number].section for number in self.pieces} - {self.section}
        return [self.section, *sorted(others)]

    @property
    def covered(self) -> float:
        """Return how much of the question's weight what is shown holds, in [0, 1]."""
        return float(self.reading.weights @ self.holding)

    @property
    def holding(self) -> Numbers:
        """Return how well what is shown, its heading and the title hold each word."""
        held = numpy.maximum(self.reading.titled, self.reading.headed[:, self.section])
        for number in self.pieces:
            units = self.reading.index.blocks[number].units
            held = numpy.maximum(held, self.reading.held[:, units].max(axis=1))
        return held

    def add(self, number: int) -> bool:
        """Add a block where it fits; say whether it does."""
        text = self.reading.index.blocks[number].text
        size = sum(len(piece.text) + 1 for piece in self.pieces.values())
        if size + len(text) > self.budget:
            return False
        self.pieces[number] = Piece(text)
        return True

    def text_of(self, section: int) -> str:
        """Return what is shown of a section under its heading."""
        index = self.reading.index
        numbers = (i for i in sorted(self.pieces) if index.blocks[i].section == section)
        lines = [index.sections[section].heading, *(self.pieces[i].text for i in numbers)]
        return "\n".join(line for line in lines if line)


def is_told(question: Question) -> bool:
    """Say whether a question asks for a thing told, not for what to do about something."""
    intent = question.intent
    return intent.tells and not intent.how and intent.answer_type != "cause"


def display(reading: Reading, odds: Numbers) -> Display:
    """Return what is shown of the likeliest section, and of others for what it leaves open."""
    section = int(numpy.argmax(odds))
    told = is_told(reading.question)
    shown = Display(reading, section, BRIEF if told else USUAL)
    core = _core(reading, section, told)
    shown.pieces[core[0]] = _fitted(reading, core[0], told)
    if told and shown.pieces[core[0]].text != reading.index.blocks[core[0]].text:
        return shown  # the row or step that was asked for
    for number in core[1:]:
        shown.add(number)
    _fill(shown, core[0])
    if not told:
        _add_missing(shown)
        _add_access(shown)
        _add_beside(shown, odds)
    else:
        shown.left = 0  # more was not asked for
    return shown


def block_scores(reading: Reading, numbers: Iterable[int], told: bool) -> dict[int, float]:
    """Return how much blocks bear on the question."""
    scores = {}
    for number in numbers:
        block = reading.index.blocks[number]
        union = float(reading.weights @ reading.held[:, block.units].max(axis=1))
        score = float(reading.scores[block.units].max()) + UNION * union
        score += OPENING * float(reading.opened[number])
        scores[number] = score + DOING * (not told and block.acts)
    return scores


def _core(reading: Reading, section: int, told: bool) -> list[int]:
    """Return the block that answers; where it says nothing to do, what does comes before it."""
    blocks = reading.index.blocks
    numbers = _shown_of(reading, section)
    scores = block_scores(reading, numbers, told)
    best = max(numbers, key=lambda i: (scores[i], -i))
    if told or blocks[best].acts:
        return [best]
    steps = [i for i in numbers if blocks[i].kind == "step"]
    doing = steps or [i for i in numbers if blocks[i].acts]
    return [*sorted(doing, key=lambda i: (abs(i - best), i))[:1], best]


def _shown_of(reading: Reading, section: int) -> list[int]:
    """Return the section's blocks but captions and what sends elsewhere, unless they are all."""
    blocks, own = reading.index.blocks, reading.index.sections[section].blocks
    return [i for i in own if not blocks[i].aside] or list(own)


def _fill(shown: Display, core: int) -> None:
    """Add the section's other blocks as far as they fit, the nearest first."""
    numbers = _shown_of(shown.reading, shown.section)
    near = sorted(numbers, key=lambda i: (abs(i - core), i < core))
    for number in near:
        if number not in shown.pieces:
            shown.left += not shown.add(number)


def _fitted(reading: Reading, number: int, told: bool) -> Piece:
    """Return a block whole, or what is asked for of it; what is too long is cut and says so."""
    block = reading.index.blocks[number]
    asked = _listed(reading, block, told) if block.kind in ("row", "item", "step") else []
    if asked:
        text = joined(reading.index.units, asked)
        return Piece(STEP.sub("", text, count=1) if len(asked) == 1 else text)
    if len(block.text) <= (BRIEF if told and block.kind == "item" else LONGEST):
        return Piece(block.text)
    if block.kind == "item":
        return _best_of(reading, block)
    return _beginning(reading, block)


def _listed(reading: Reading, block: Block, told: bool) -> list[int]:
    """Return the rows, items or steps asked for with what introduces them, none where all are.

    A code (« E-202 », « ### ») asks for those that hold it.
    """
    units = reading.index.units
    rows = [i for i in block.places if units[i].kind == block.kind]
    heads = [i for i in block.places if units[i].kind != block.kind]
    coded = [i for i in rows if reading.coded[i]]
    if coded:
        return sorted(heads + coded)
    if not told and (block.kind != "row" or len(block.text) <= USUAL):
        return []
    scores = reading.scores[rows]
    if scores.max() < numpy.median(scores) + STANDING_OUT:
        return []
    ranked = sorted(rows, key=lambda i: (-reading.scores[i], i))[:MOST_ROWS]
    return sorted(heads + [i for i in ranked if reading.scores[i] >= BEARING * scores.max()])


def _best_of(reading: Reading, block: Block) -> Piece:
    """Return the items of a long list that bear most on the question, with their lead-in."""
    units = reading.index.units
    kept = {i for i in block.places if units[i].kind != "item"}
    items = [i for i in block.places if units[i].kind == "item"]
    for place in sorted(items, key=lambda i: (-reading.scores[i], i)):
        whole = joined(units, kept | {place})
        if len(whole) <= USUAL or kept.isdisjoint(items):
            kept.add(place)
    return Piece(joined(units, kept), len(set(items) - kept), "items")


def _beginning(reading: Reading, block: Block) -> Piece:
    """Return as much of a block as may be shown, from its first line or sentence on."""
    units, places = reading.index.units, list(block.places)
    kept = places[:1]
    for place in places[1:]:
        if len(joined(units, [*kept, place])) > LONGEST:
            break
        kept.append(place)
    unit = LEFT.get(block.kind, "sentences")
    return Piece(joined(units, kept), len(places) - len(kept), unit)


def _add_missing(shown: Display) -> None:
    """Add blocks of other sections that hold what the question also asks, and none shown does."""
    reading = shown.reading
    covered = shown.holding
    blocks = enumerate(reading.index.blocks)
    others = {
        i: _said(reading, i)
        for i, block in blocks
        if block.section != shown.section
        and not block.aside
        and reading.actions[block.section] not in ANOTHER
    }
    shown.budget = LONGEST
    while others and len(shown.sections) < MOST_SOURCES:
        gains = {i: float(reading.weights @ (held - covered).clip(0)) for i, held in others.items()}
        best = max(gains, key=lambda i: (gains[i], -i))
        if gains[best] < MISSING or not shown.add(best):
            return
        covered = numpy.maximum(covered, others.pop(best))


def _said(reading: Reading, number: int) -> Numbers:
    """Return how well a block holds each word itself or by its root, or its heading does."""
    block = reading.index.blocks[number]
    own = reading.own[:, block.units].max(axis=1)
    whole: Numbers = numpy.maximum(own, reading.named_so[:, block.section])
    return whole


def _add_access(shown: Display) -> None:
    """Add the page's line that says where to click, where nothing shown does."""
    if any(is_path(piece.text) for piece in shown.pieces.values()):
        return
    blocks = shown.reading.index.blocks
    ways = [i for i, block in enumerate(blocks) if block.leads and len(block.text) <= BRIEF]
    if ways:
        shown.add(min(ways, key=lambda i: (blocks[i].section != shown.section, i)))


def _add_beside(shown: Display, odds: Numbers) -> None:
    """Add what the next likely sections say, where what is shown says next to nothing."""
    blocks = shown.reading.index.blocks
    if shown.reading.actions[shown.section] > Named.NOTHING:
        return
    for section in numpy.argsort(-odds, kind="stable")[:MOST_SOURCES]:
        if sum(len(piece.text) for piece in shown.pieces.values()) >= SHORT:
            return
        if shown.reading.actions[section] in ANOTHER:
            continue
        numbers = [i for i in _shown_of(shown.reading, section) if not blocks[i].aside]
        scores = block_scores(shown.reading, numbers, told=False)
        for number in sorted(numbers, key=lambda i: -scores[i])[:1]:
            if number not in shown.pieces:
                shown.add(number)
