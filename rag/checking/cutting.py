"""A stream of text to its sentences, list items and lines, each given once it is surely whole.

Where it is cut depends on the text alone, not on the pieces in which it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rag.checking.tidy import CITATION
from rag.language import profiles
from rag.language.sentences import ABBREVIATED

LONGEST = 400  # characters of a line without an end; a longer word is left out
SLICE = 1024
LONGEST_CITATION = 48
MOST_NEWLINES, MOST_INDENT = 2, 8
END = re.compile(r"[.!?…]+[»\"”’)\]*_]*(?=\s)|(?=\n)")
WHOLE = re.compile(r"(?<!\d)[.!?…][»\"”’)\]*_]*$")  # « 3. » may go on: 3.5
SPACE = re.compile(r"\s*")
LONG_SPACE = re.compile(r"\s{64,}")
MARKER_END = re.compile(
    rf"^(?:[-*•–+>]\s+|#+\s+)*[*_]{{0,3}}(?:(?:{profiles.alternatives('sentences.step')})\s+)?"
    r"(?:\d{1,3}|[a-z])\.[*_]{0,3}$",
    re.IGNORECASE,
)
ALSO_ABBREVIATED = re.compile(
    rf"\b(?:{profiles.alternatives('sentences.written_abbreviations')})\.\s*$", re.IGNORECASE
)
CITATION_START = re.compile(r"\[|【|\((?=$|p|v|c|s|l|t)", re.IGNORECASE)
CITATION_PART = re.compile(r"[\[【(][\s\w^,;&†.–-]*$")


class Cutter:
    """Cut a stream into (gap, unit): the white space before a unit, and the unit without any."""

    def __init__(self) -> None:
        self._held = ""
        self._newlines = 0
        self._spaces = 0
        self._skipping = False

    def feed(self, piece: str) -> Iterator[tuple[str, str]]:
        """Take the next piece; yield the units that are whole now."""
        for start in range(0, len(piece), SLICE):
            self._held = _squeezed(self._held + piece[start : start + SLICE])
            yield from self._cut(final=False)

    def close(self, *, ended: bool) -> Iterator[tuple[str, str]]:
        """Yield what is left that is whole; with ``ended`` the last unit is whole as it stands."""
        yield from self._cut(final=True)
        rest, self._held = self._held.strip(), ""
        if rest and not self._skipping and (ended or _ends(rest)):
            yield self._gap(), rest

    def _cut(self, *, final: bool) -> Iterator[tuple[str, str]]:
        while True:
            self._take_space()
            if self._skipping and not self._skip():
                return
            end = self._end(final=final)
            if end is None:
                return
            unit, self._held = self._held[:end], self._held[end:]
            if unit:
                yield self._gap(), unit.rstrip()

    def _take_space(self) -> None:
        place = _after_space(self._held, 0)
        if not place:
            return
        space, self._held = self._held[:place], self._held[place:]
        if self._skipping:
            self._skipping = False
        if "\n" in space:
            self._newlines = min(self._newlines + space.count("\n"), MOST_NEWLINES)
            self._spaces = 0
        self._spaces = min(self._spaces + len(space.rpartition("\n")[2]), MOST_INDENT)

    def _gap(self) -> str:
        indent = self._spaces if self._newlines else min(self._spaces, 1)
        gap = "\n" * self._newlines + " " * indent
        self._newlines = self._spaces = 0
        return gap

    def _skip(self) -> bool:
        """Leave out the rest of a word that is too long; say whether it has ended."""
        match = re.search(r"\s", self._held)
        self._held = self._held[match.start() :] if match else ""
        if match:
            self._take_space()
        return not self._skipping

    def _end(self, *, final: bool) -> int | None:
        """Return where the first unit ends; None while that is not known."""
        for match in END.finditer(self._held, 0, LONGEST + 1):
            end = self._with_citations(match.end(), final=final)
            if end is None:
                return None
            if self._is_end(match, end):
                return end
        if len(self._held) <= LONGEST + 1:
            return None
        space = max(self._held.rfind(" ", 0, LONGEST), self._held.rfind("\t", 0, LONGEST))
        if space <= 0:
            self._skipping = True
            self._held = self._held[LONGEST:]
            return 0
        return space

    def _with_citations(self, end: int, *, final: bool) -> int | None:
        """Return the end of a unit with the citations after it; None while more may come."""
        while True:
            after = _after_space(self._held, end)
            if after == len(self._held):
                return end if final else None
            if not CITATION_START.match(self._held, after):
                return end
            found = CITATION.match(self._held, end)
            if found:
                end = found.end()
                continue
            part = self._held[after : after + LONGEST_CITATION]
            whole = final or after + len(part) < len(self._held)
            return end if whole or not CITATION_PART.match(part) else None

    def _is_end(self, match: re.Match[str], end: int) -> bool:
        before = self._held[: match.end()]
        following = self._held[end:]
        space = following[: _after_space(following, 0)]
        if "\n" in space or not following[len(space) :]:
            return True
        if _is_abbreviated(before) or before.count("«") > before.count("»"):
            return False
        return not following[len(space)].islower()


def _after_space(text: str, place: int) -> int:
    match = SPACE.match(text, place)
    return match.end() if match else place


def _ends(text: str) -> bool:
    """Say whether a text ends like a sentence, its citations aside."""
    bare = CITATION.sub("", text)
    return bool(WHOLE.search(bare)) and not _is_abbreviated(bare)


def _is_abbreviated(text: str) -> bool:
    marks = (MARKER_END.match(text), ABBREVIATED.search(text), ALSO_ABBREVIATED.search(text))
    return any(marks)


def _squeezed(text: str) -> str:
    """Return the white space of a long run as a gap needs it, so that no run grows for ever."""

    def gap(found: re.Match[str]) -> str:
        _before, _, after = found.group().rpartition("\n")
        newlines = min(found.group().count("\n"), MOST_NEWLINES)
        return "\n" * newlines + " " * min(len(after), MOST_INDENT)

    return LONG_SPACE.sub(gap, text)
