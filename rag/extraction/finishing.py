"""What is shown of a section, made readable by itself: lead-ins followed, lone steps unnumbered."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from rag.language import profiles
from rag.language.sentences import STEP, Unit, joined, length

CAPTION = re.compile(
    rf"(?:{profiles.alternatives('sentences.captions')}) \d[\d.]*\W", re.IGNORECASE
)
# a sentence that sends to another page answers nothing
REFERENCE = re.compile(
    rf"(?:[-*•] |\()?(?:{profiles.alternatives('sentences.asides')})", re.IGNORECASE
)


def is_aside(text: str) -> bool:
    """Say whether a text is a picture's caption or sends to another page."""
    return bool(CAPTION.match(text) or REFERENCE.match(text))


def completed(units: Sequence[Unit], kept: Collection[int], most: int) -> set[int]:
    """Return what is kept with what its lead-ins announce, as far as ``most`` characters hold it.

    A lead-in that nothing follows is left out, unless it is all there is.
    """
    whole = set(kept)
    for position in sorted(kept):
        if not _announces(units[position]) or position + 1 in whole:
            continue
        if not any(position in units[i].heads for i in whole):
            whole |= _announced(units, position, whole, most)
    alone = {i for i in whole if _announces(units[i]) and not _is_followed(units, i, whole)}
    return whole - alone or whole


def _announces(unit: Unit) -> bool:
    return unit.kind in ("sentence", "lead") and unit.text.rstrip().endswith(":")


def _is_followed(units: Sequence[Unit], position: int, kept: Collection[int]) -> bool:
    return position + 1 in kept or any(position in units[i].heads for i in kept)


def _announced(units: Sequence[Unit], position: int, kept: Collection[int], most: int) -> set[int]:
    """Return the list, table or code after a lead-in, or else the sentence after it."""
    found: set[int] = set()
    for following in range(position + 1, len(units)):
        is_first = following == position + 1
        listed = units[following].kind == units[position + 1].kind != "sentence"
        held = position in units[following].heads
        if not (is_first or listed or held):
            break
        if length(units, {*kept, *found, following}) > most:
            break
        found.add(following)
    return found


def told(units: Sequence[Unit], kept: Collection[int]) -> str:
    """Return the units kept as text; a step that stands by itself is a sentence without number."""
    steps = [i for i in kept if units[i].kind == "step"]
    text = joined(units, kept)
    if len(steps) != 1 or len(kept) > 1 or not STEP.match(text):
        return text
    return STEP.sub("", text, count=1)
