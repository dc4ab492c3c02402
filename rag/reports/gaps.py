"""What the pages do not say, in groups: a group is a page to be written, or to be made clearer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag.core.documents import Vectors
from rag.core.records import JournalEntry
from rag.reports.figures import Label, is_gap

SAME_MATTER = 0.45  # cosine from which two questions are of one matter
EXAMPLES = 5
Encode = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True, slots=True)
class Gap:
    """Hold a group of unanswered questions. ``nearest`` is the page that came nearest to most."""

    asked: int
    different: int
    questions: tuple[str, ...]
    nearest: str | None
    title: str


def gaps(records: Sequence[JournalEntry], label: Label, encode: Encode) -> tuple[Gap, ...]:
    """Return the unanswered questions in groups, the largest first.

    Questions whose text is known go together by what they mean, the others by their nearest page.
    """
    asked: dict[str, list[JournalEntry]] = defaultdict(list)
    for one in records:
        if is_gap(one):
            asked[one.question].append(one)
    texts = {key: next((t for t in map(label, group) if t), None) for key, group in asked.items()}
    told = [key for key in asked if texts[key]]
    groups = _by_meaning(sorted(told, key=lambda key: -len(asked[key])), texts, encode)
    untold: dict[str | None, list[str]] = defaultdict(list)
    for key in asked:
        if not texts[key]:
            untold[asked[key][0].nearest].append(key)
    found = [_gap([asked[key] for key in keys], texts) for keys in (*groups, *untold.values())]
    return tuple(sorted(found, key=lambda gap: (-gap.asked, gap.title, gap.questions)))


def _by_meaning(
    keys: Sequence[str], texts: dict[str, str | None], encode: Encode
) -> list[list[str]]:
    """Put each question, the most asked first, to the first group whose first one is near."""
    if not keys:
        return []
    vectors = encode([texts[key] or "" for key in keys])
    groups: list[list[int]] = []
    for number in range(len(keys)):
        cosines = [float(vectors[group[0]] @ vectors[number]) for group in groups]
        best = max(range(len(groups)), key=cosines.__getitem__, default=None)
        if best is not None and cosines[best] >= SAME_MATTER:
            groups[best].append(number)
        else:
            groups.append([number])
    return [[keys[number] for number in group] for group in groups]


def _gap(questions: Sequence[Sequence[JournalEntry]], texts: dict[str, str | None]) -> Gap:
    records = [one for group in questions for one in group]
    pages: dict[tuple[str | None, str], int] = defaultdict(int)
    for one in records:
        pages[one.nearest, one.title] += 1
    nearest, title = max(pages, key=lambda page: pages[page])
    said = [texts[group[0].question] for group in sorted(questions, key=lambda group: -len(group))]
    examples = tuple(text for text in said if text)[:EXAMPLES]
    return Gap(len(records), len(questions), examples, nearest, title)
