"""Judge answers by their cases, and count."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rag.core.answers import Answer
from tests.quality.answers.cases import SMALL_TALK, Case, fold, missing

CITATION = re.compile(r"\s*\[\d+\]")
LISTED = 5  # pages that the search is judged by


@dataclass(frozen=True, slots=True)
class Judged:
    """Hold a case with what its answer was worth.

    ``said`` counts the facts shown of ``case.must``; ``wrong`` whether a forbidden thing is shown.
    ``first`` is the page of the first source, else of the first hit.
    """

    case: Case
    answered: bool
    perhaps: bool
    first: str
    top: tuple[str, ...]
    cited: bool
    quoted: bool
    said: int
    wrong: bool
    length: int

    @property
    def page_first(self) -> bool:
        return self.case.right(self.first)

    @property
    def page_listed(self) -> bool:
        return any(map(self.case.right, self.top))

    @property
    def whole(self) -> bool:
        return self.answered and not self.wrong and self.said == len(self.case.must)

    @property
    def half(self) -> bool:
        return self.answered and not self.wrong and 2 * self.said >= len(self.case.must)

    @property
    def sure(self) -> bool:
        return self.answered and not self.perhaps

    @property
    def failure(self) -> str:
        """What went wrong, "" where nothing did."""
        case = self.case
        if not case.answerable:
            bad = self.quoted if case.kind == SMALL_TALK else self.sure
            return f"answered from {self.first}" if bad else ""
        if self.whole:
            return "" if self.cited else f"whole, but from {self.first}"
        if not self.answered:
            return f"refused, right page {'listed' if self.page_listed else 'not found'}"
        if not self.cited:
            return f"from {self.first}, right page {'below' if self.page_listed else 'not found'}"
        return f"right page, {self.said} of {len(case.must)} facts"


def judge(case: Case, answer: Answer) -> Judged:
    """Return what an answer is worth to who asked."""
    text = fold(CITATION.sub("", answer.text))
    sources = [source.page for source in answer.sources]
    found = [source.page for source in answer.retrieved]
    return Judged(
        case,
        answered=answer.answered,
        perhaps=getattr(answer, "confidence", "sure") == "perhaps",
        first=(sources or found or [""])[0],
        top=tuple(found[:LISTED]),
        cited=answer.answered and bool(sources) and case.right(sources[0]),
        quoted=answer.answered and bool(sources),
        said=len(case.must) - len(list(missing(case.must, text))),
        wrong=len(list(missing(case.forbid, text))) < len(case.forbid),
        length=len(text),
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """Hold the figures of a group of cases: shares in [0, 1], NaN of none; lengths in characters.

    The first seven and ``perhaps`` are shares of the ``answerable``; ``sure_right`` of those
    answered surely: half the facts or more, from a right page. ``asserted`` and ``told_no`` are
    shares of the ``silent`` questions, ``small_talk_quoted`` of the ``small_talk``.
    """

    answerable: int
    page_first: float
    page_listed: float
    cited: float
    whole: float
    whole_sure: float
    half: float
    refused: float
    perhaps: float
    sure_right: float
    silent: int
    asserted: float
    told_no: float
    small_talk: int
    small_talk_quoted: float
    length_median: float
    length_p90: float


def figures(judged: Sequence[Judged]) -> Figures:
    """Return the figures of a group."""
    can = [one for one in judged if one.case.answerable]
    silent = [one for one in judged if one.case.silent]
    talk = [one for one in judged if one.case.kind == SMALL_TALK]
    lengths = sorted(one.length for one in judged if one.answered)
    return Figures(
        answerable=len(can),
        page_first=share(one.page_first for one in can),
        page_listed=share(one.page_listed for one in can),
        cited=share(one.cited for one in can),
        whole=share(one.whole for one in can),
        whole_sure=share(one.whole and one.sure for one in can),
        half=share(one.half for one in can),
        refused=share(not one.answered for one in can),
        perhaps=share(one.answered and one.perhaps for one in can),
        sure_right=share(one.half and one.cited for one in can if one.sure),
        silent=len(silent),
        asserted=share(one.sure for one in silent),
        told_no=share(not one.answered for one in silent),
        small_talk=len(talk),
        small_talk_quoted=share(one.quoted for one in talk),
        length_median=quantile(lengths, 0.5),
        length_p90=quantile(lengths, 0.9),
    )


def share(verdicts: Iterable[bool]) -> float:
    """Return the share of True, NaN of none."""
    values = list(verdicts)
    return sum(values) / len(values) if values else math.nan


def quantile(ordered: Sequence[int], part: float) -> float:
    """Return the value below which a part of an ordered sequence lies, NaN of none."""
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else math.nan


def grouped(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    """Return all, then the cases by manual, kind and asker's language."""
    groups = {"all": list(judged)}
    for name in ("manual", "kind", "lang"):
        for one in judged:
            groups.setdefault(f"{name} {getattr(one.case, name)}", []).append(one)
    return groups
